"""Redis and Postgres from the system's packages, with their data in a temporary folder."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from stand import processes
from stand.console import SetupError, StandError

SCHEMA = Path(__file__).parent.parent / "pipeline" / "schema.sql"


def redis_server():
    path = shutil.which("redis-server")
    if not path:
        raise SetupError("redis-server is missing: apt install redis-server")
    return path


def postgres_programs():
    """The folder of the newest installed Postgres; Debian keeps it out of PATH."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: float(path.parts[-3]),
    )
    found = folders[-1] if folders else shutil.which("initdb")
    if not found:
        raise SetupError("Postgres is missing: apt install postgresql")
    return Path(found).resolve().parent


def start_redis(folder, port, console, *, is_durable):
    data = folder / "redis"
    data.mkdir(exist_ok=True)
    # With a file that is appended to, a restarted broker still has its queue.
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(data)]
    options += ["--appendonly", "yes" if is_durable else "no", "--save", ""]
    return processes.start("redis", [redis_server(), *options], console=console)


def start_postgres(folder, port, console):
    data = folder / "postgres"
    data.mkdir()
    account = _unprivileged(data)
    programs = postgres_programs()
    made = subprocess.run(
        [programs / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N"],
        capture_output=True,
        cwd=data,
        text=True,
        check=False,
        **account,
    )
    if made.returncode:
        raise StandError(f"initdb failed: {made.stderr.strip()}")
    options = ["-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", data, "-F"]
    return processes.start(
        "postgres",
        [programs / "postgres", *options],
        console=console,
        # SIGTERM would wait for clients to leave.
        stop_signal=signal.SIGINT,
        cwd=data,
        **account,
    )


def _unprivileged(data):
    """Postgres refuses to run as root; Debian's package brings an account for it."""
    if os.geteuid() != 0:
        return {}
    shutil.chown(data, "postgres", "postgres")
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def database_answers(dsn):
    try:
        psycopg.connect(dsn, connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True


def create_tables(dsn):
    with psycopg.connect(dsn) as connection:
        connection.execute(SCHEMA.read_text())
