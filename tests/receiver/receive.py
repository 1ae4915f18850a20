"""Run a receiver until it is terminated; its first line says where it listens."""

import json
import sys
from pathlib import Path

from tracejury.errors import TracejuryError
from tracejury.receiver.server import Addresses, run_receiver


def announce(addresses: Addresses) -> None:
    told = {"grpc_port": addresses.grpc_port, "http_port": addresses.http_port}
    sys.stdout.write(f"{json.dumps(told)}\n")
    sys.stdout.flush()


def main() -> None:
    store, grpc_port, http_port = sys.argv[1:]
    try:
        run_receiver(
            store=Path(store),
            grpc_port=int(grpc_port),
            http_port=int(http_port),
            announce=announce,
        )
    except TracejuryError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
