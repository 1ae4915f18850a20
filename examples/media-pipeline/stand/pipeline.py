"""The whole pipeline on loopback: started together, stopped in the order of dependence."""

import contextlib
import json
import os
import signal
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from functools import partial
from pathlib import Path

import psycopg
from pipeline.variant import VARIANTS

from stand import backends, processes
from stand.console import SetupError, say

HOME = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PORTS = {
    "redis": 18379,
    "postgres": 18432,
    "web": 18700,
    "provider": 18701,
    "asset-store": 18702,
    "notifier": 18703,
}
FINAL = ("completed", "partial", "failed", "timeout", "cancelled")


@contextlib.contextmanager
def running(endpoint, console, variant):
    """Yield the running pipeline; whatever happens, nothing of it runs afterwards."""
    backends.redis_server()
    backends.postgres_programs()
    _require_listener(endpoint)
    console.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="media-pipeline-")))
        # The Postgres account must reach its folder inside.
        folder.chmod(0o711)
        pipeline = Pipeline(folder, endpoint, console, stack, variant)
        try:
            pipeline.start()
            yield pipeline
        finally:
            # A second Ctrl-C would leave the rest running.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            say("stopping")
            pipeline.ask_services_to_stop()


def _require_listener(endpoint):
    address = urllib.parse.urlsplit(endpoint)
    if not (address.hostname and address.port):
        raise SetupError(f"{endpoint} is no endpoint: write it like http://127.0.0.1:4317")
    if not processes.answers(address.port, address.hostname):
        raise SetupError(f"nothing listens at {endpoint}: start `tracejury serve` first")


class Pipeline:
    """The processes of one run, their addresses, and a view into their database."""

    def __init__(self, folder, endpoint, console, stack, variant):
        self._variant = variant
        self._folder = folder
        self._endpoint = endpoint
        self._console = console
        self._stack = stack
        self._ports = {name: processes.free_port(port) for name, port in PORTS.items()}
        self.dsn = f"postgresql://postgres@127.0.0.1:{self._ports['postgres']}/postgres"
        self.processes = {}

    def start(self):
        say("starting redis and postgres")
        self._keep("postgres", backends.start_postgres)
        self.start_redis()
        processes.wait_until(
            lambda: backends.database_answers(self.dsn) and self._answer("redis"),
            "redis or postgres",
            watched=self.processes.values(),
        )
        backends.create_tables(self.dsn)
        say("starting notifier, provider, asset-store, worker and web")
        self._start_service("notifier", [BIN / "python", "-m", "pipeline.notifier"])
        for name in ("provider", "asset-store"):
            self.start_http_service(name)
        self._start_worker()
        self.start_http_service("web")
        processes.wait_until(self._is_up, "the pipeline", watched=self.processes.values())

    def start_redis(self):
        is_durable = VARIANTS[self._variant].durable_broker
        self._keep("redis", partial(backends.start_redis, is_durable=is_durable))

    def start_http_service(self, name):
        module = f"pipeline.{name.replace('-', '_')}"
        self._start_service(name, [*self._traced(), BIN / "python", "-m", module])

    def revive_worker(self):
        """What a supervisor does; Celery gives up when its broker goes away in mid-job."""
        if self.processes["worker"].ended():
            say("the worker ended by itself, starting it again")
            self._start_worker()

    def wait_for_redis(self):
        processes.wait_until(lambda: self._answer("redis"), "redis")

    def ask_services_to_stop(self):
        """All at once, while redis and postgres still answer; waiting for each comes later."""
        for name in self.processes.keys() - {"redis", "postgres"}:
            self.processes[name].ask_to_stop()

    def url(self, name):
        return f"http://127.0.0.1:{self._ports[name]}"

    def query(self, statement, *values):
        with psycopg.connect(self.dsn, connect_timeout=2) as connection:
            return connection.execute(statement, values).fetchall()

    def provider_calls(self):
        """What the provider was asked for, and what it made of it, from its own log."""
        path = self._folder / "images" / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def open_jobs(self):
        return self.query("SELECT count(*) FROM jobs WHERE NOT status = ANY(%s)", list(FINAL))[0][0]

    def _keep(self, name, starter):
        process = starter(self._folder, self._ports[name], self._console)
        self.processes[name] = process
        self._stack.callback(process.stop)

    def _start_service(self, name, command):
        process = processes.start(
            name,
            command,
            console=self._console,
            cwd=HOME,
            env=self._environment(name),
        )
        self.processes[name] = process
        self._stack.callback(process.stop)

    def _start_worker(self):
        self._start_service("worker", [*self._traced(), BIN / "celery", *_WORKER_ARGUMENTS])

    def _traced(self):
        return [BIN / "opentelemetry-instrument"]

    def _environment(self, name):
        (self._folder / "objects").mkdir(exist_ok=True)
        (self._folder / "images").mkdir(exist_ok=True)
        redis_port = self._ports["redis"]
        own = {
            "MEDIA_DATABASE": self.dsn,
            "MEDIA_REDIS": f"redis://127.0.0.1:{redis_port}/0",
            "MEDIA_PROVIDER": self.url("provider"),
            "MEDIA_STORE": self.url("asset-store"),
            "MEDIA_NOTIFIER": self.url("notifier"),
            "MEDIA_STORE_DIRECTORY": str(self._folder / "objects"),
            "MEDIA_PROVIDER_DIRECTORY": str(self._folder / "images"),
            "MEDIA_VARIANT": self._variant,
            "MEDIA_PORT": str(self._ports.get(name, 0)),
            "PYTHONPATH": str(HOME),
            "OTEL_SERVICE_NAME": name,
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._endpoint,
        }
        return _TELEMETRY | os.environ | own

    def _answer(self, name):
        return processes.answers(self._ports[name])

    def _is_up(self):
        http = ("notifier", "provider", "asset-store", "web")
        return all(_healthy(self.url(name)) for name in http) and self._worker_is_up()

    def _worker_is_up(self):
        return "ready." in self.processes["worker"].output.read_text(errors="replace")


_WORKER_ARGUMENTS = ["--app", "pipeline.tasks", "worker", "--hostname", "worker@media"]
_WORKER_ARGUMENTS += ["--without-gossip", "--without-mingle", "--without-heartbeat"]

# The caller's environment wins over these.
_TELEMETRY = {
    "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=media-pipeline,service.version=1.0.0",
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
    "OTEL_PYTHON_EXCLUDED_URLS": "healthz,control",
    # Soon enough that a killed process has sent almost everything that it finished.
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "OTEL_BLRP_SCHEDULE_DELAY": "200",
}


def _healthy(url):
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def get(url):
    """The status of a page that is there, False where it is not."""
    try:
        with urllib.request.urlopen(url, timeout=3) as response:
            return response.status
    except (urllib.error.URLError, OSError):
        return False


def post(url, body, *, seconds=10):
    """Send JSON as a user would, from outside of every trace; None if it was not accepted."""
    request = urllib.request.Request(
        url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            return json.load(response)
    except (urllib.error.URLError, OSError):
        return None
