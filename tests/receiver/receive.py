"""Run a receiver until it is terminated; its first line says where it listens.

Arguments: the store, then whatever of `Serve` and `Retention` is to differ, as `name=value`; lists
comma-separated. `grace_s` is how long it waits at its end for what is still arriving.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracejury.config import Retention, Serve
from tracejury.errors import TracejuryError
from tracejury.receiver import server
from tracejury.receiver.listening import Addresses


def announce(addresses: Addresses) -> None:
    told = {"grpc_port": addresses.grpc_port, "http_port": addresses.http_port}
    sys.stdout.write(f"{json.dumps(told)}\n")
    sys.stdout.flush()


def value_of(name: str, text: str) -> Any:
    if name in {"grpc_port", "http_port", "max_request_size", "max_size"}:
        return int(text)
    if name in {"max_age_seconds", "grace_s"}:
        return float(text)
    if name == "cors_origin":
        return tuple(text.split(","))
    return text if name == "host" else Path(text)


def main() -> None:
    store, *settings = sys.argv[1:]
    differences = dict(setting.split("=", 1) for setting in settings)
    values = {name: value_of(name, text) for name, text in differences.items()}
    server._GRACE_S = float(values.pop("grace_s", server._GRACE_S))  # type: ignore[misc]
    kept = {name: values.pop(name, None) for name in ("max_size", "max_age_seconds")}
    try:
        server.run_receiver(
            store=Path(store),
            serve=replace(Serve(), **values),
            retention=Retention(**kept),
            announce=announce,
        )
    except TracejuryError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
