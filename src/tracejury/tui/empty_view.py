"""What to do when there is no telemetry yet: which lines make a service send it here."""

from textual.widgets import Static

from tracejury.scorecard.result import Audit
from tracejury.tui.content import line, stacked
from tracejury.tui.view import View

STORED = (
    ("This store has no telemetry.", "bold"),
    ("Receive some, with these lines in the environment of your services:", ""),
    ("", ""),
    ("  tracejury serve --store run.duckdb", "$text-accent"),
    ("  export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317", "$text-accent"),
    ("  export OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "$text-accent"),
    ("", ""),
    ("or load files that a collector wrote:", ""),
    ("", ""),
    ("  tracejury import traces.jsonl logs.jsonl --store run.duckdb", "$text-accent"),
    ("", ""),
    ("r looks again, q quits.", "$text-muted"),
)


def _live(announced: str) -> list[tuple[str, str]]:
    return [
        ("Nothing has arrived yet.", "bold"),
        *((part, "$text-accent" if "OTEL_" in part else "") for part in announced.splitlines()),
        ("", ""),
        ("This screen fills as spans arrive; r looks again at once.", "$text-muted"),
    ]


GROWING = (
    ("Nothing has arrived yet.", "bold"),
    ("A server has this store open: the screen fills as spans arrive.", ""),
    ("", ""),
    ("r looks again at once, q quits.", "$text-muted"),
)


class EmptyView(View, can_focus=True):
    """Shown instead of every other view while nothing was received.

    `announced` is what the receiver said when it began to listen; '' where there is none.
    """

    DEFAULT_CSS = "EmptyView { align: center middle; & > Static { width: auto; height: auto; } }"

    def __init__(self, *, announced: str) -> None:
        self._announced = announced
        super().__init__(Static(markup=False), id="empty-view")

    def tell(self, *, is_growing: bool) -> None:
        """Say what to do; `is_growing`: a server goes on writing the store."""
        stored = GROWING if is_growing else STORED
        said = _live(self._announced) if self._announced else stored
        self.query_one(Static).update(stacked(line(part) for part in said))

    def show_audit(self, audit: Audit) -> None:
        """There is nothing to show."""
