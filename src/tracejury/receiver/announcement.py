"""What `serve` prints once it listens: the lines to copy into the services' environment."""

from tracejury.receiver.access import TOKEN_VARIABLE
from tracejury.receiver.listening import Addresses


def announcement(addresses: Addresses) -> str:
    """Where to point exporters, and the settings that a chaos run needs."""
    return "\n".join(
        [
            f"Listening for OTLP: gRPC {addresses.grpc_endpoint}, HTTP {addresses.http_endpoint}",
            "Point your services here:",
            f"  export OTEL_EXPORTER_OTLP_ENDPOINT={addresses.grpc_endpoint}",
            "  export OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
            "  export OTEL_BSP_SCHEDULE_DELAY=200 OTEL_BLRP_SCHEDULE_DELAY=200",
            *_credentials(addresses),
            "or, over HTTP:",
            f"  export OTEL_EXPORTER_OTLP_ENDPOINT={addresses.http_endpoint}",
            "  export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
            "Ctrl-C stops.",
        ]
    )


def _credentials(addresses: Addresses) -> list[str]:
    lines = []
    if addresses.is_encrypted:
        lines.append("  export OTEL_EXPORTER_OTLP_CERTIFICATE=CA.pem  # that signed --tls-cert")
    if addresses.needs_token:
        header = f"authorization=Bearer%20${TOKEN_VARIABLE}"
        lines.append(f'  export OTEL_EXPORTER_OTLP_HEADERS="{header}"')
    return lines
