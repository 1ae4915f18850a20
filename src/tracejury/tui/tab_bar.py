"""The top line: the views with their digits, and what was received, newest count first."""

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from tracejury.scorecard.result import Audit
from tracejury.telemetry.numbers import either
from tracejury.tui.content import line
from tracejury.tui.words import VERDICTS

VIEWS = {
    "scorecard-view": "Scorecard",
    "workflows-view": "Workflows",
    "traces-view": "Traces",
    "findings-view": "Findings",
    "diagnosis-view": "Diagnosis",
}
TABS_WIDTH = sum(len(f" {number} {title}") for number, title in enumerate(VIEWS.values(), 1))


class Tab(Static):
    """One view's name; a click goes there."""

    class Clicked(Message):
        """A person wants this view."""

        def __init__(self, view: str) -> None:
            super().__init__()
            self.view = view

    def __init__(self, view: str, number: int) -> None:
        super().__init__(
            line((f"{number}", "bold $text-accent"), f" {VIEWS[view]}"), id=f"tab-{view}"
        )
        self._view = view

    def on_click(self, event: events.Click) -> None:
        """Go there."""
        event.stop()
        self.post_message(self.Clicked(self._view))


class TabBar(Horizontal):
    """All views, and the state of the run at the right."""

    DEFAULT_CSS = """
    TabBar {
        height: 1;
        background: $panel;
        Tab { width: auto; padding: 0 0 0 1; color: $text-muted; }
        Tab.-active { background: $background; color: $text; text-style: bold underline; }
        Tab:hover { color: $text; }
        #state { width: 1fr; text-align: right; text-wrap: nowrap; }
    }
    """

    def compose(self) -> ComposeResult:
        """Five tabs and the state."""
        for number, view in enumerate(VIEWS, 1):
            yield Tab(view, number)
        yield Static(id="state", markup=False)

    def mark(self, view: str) -> None:
        """Show which view is open."""
        for tab in self.query(Tab):
            tab.set_class(tab.id == f"tab-{view}", "-active")

    def tell(
        self, audit: Audit | None, *, is_live: bool, is_loading: bool, is_deaf: bool, stopwatch: str
    ) -> None:
        """Say what was received, and what is being done; `is_deaf`: nothing arrives any more.

        `stopwatch` is the time of a search that is under way; in a small terminal it has the place
        of the counts.
        """
        state = self.query_one("#state", Static)
        if audit is None:
            state.update(line(("opening… ", "$text-muted")))
            return
        verdict = VERDICTS[audit.verdict]
        spans, logs = audit.trust.spans, audit.trust.logs
        watch = f"◷ {stopwatch} " if stopwatch else ""
        live, style = "↻ " if is_loading else "● " if is_live else "", "$text-success"
        if is_deaf:
            live, style = "✖ not receiving ", "$text-error"
        room = self.app.size.width - TABS_WIDTH - len(watch + live + verdict.mark)
        state.update(
            line(
                (watch, "bold $text-warning"),
                (live, style),
                (_counts(spans, logs, room), "$text-muted"),
                (verdict.mark, verdict.style),
            )
        )


def _counts(spans: int, logs: int, room: int) -> str:
    """Say as much as there is room for, and nothing in part."""
    in_spans = f"{_short(spans)} {either(spans, 'span', 'spans')} "
    in_logs = f"{_short(logs)} {either(logs, 'log', 'logs')} "
    return next((said for said in (in_spans + in_logs, in_spans) if len(said) <= room), "")


def _short(number: int) -> str:
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= 10 * size:
            return f"{number / size:.3g}{unit}"
    return str(number)
