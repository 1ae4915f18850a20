"""What `serve` prints once it listens: the lines to copy into the services' environment."""

from tracejury.receiver.server import Addresses


def announcement(addresses: Addresses) -> str:
    """Where to point exporters, and the settings that a chaos run needs."""
    return (
        f"Listening for OTLP: gRPC {addresses.grpc_endpoint}, HTTP {addresses.http_endpoint}\n"
        "Point your services here:\n"
        f"  export OTEL_EXPORTER_OTLP_ENDPOINT={addresses.grpc_endpoint}\n"
        "  export OTEL_EXPORTER_OTLP_PROTOCOL=grpc\n"
        "  export OTEL_BSP_SCHEDULE_DELAY=200 OTEL_BLRP_SCHEDULE_DELAY=200\n"
        "or, over HTTP:\n"
        f"  export OTEL_EXPORTER_OTLP_ENDPOINT={addresses.http_endpoint}\n"
        "  export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
        "Ctrl-C stops."
    )
