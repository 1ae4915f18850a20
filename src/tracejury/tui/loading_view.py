"""What is being read and judged, until there is a run to show."""

from collections.abc import Iterator, Sequence

from textual.content import Content
from textual.widgets import Static

from tracejury.scorecard.result import Audit
from tracejury.telemetry.numbers import counted, percent
from tracejury.tui.content import bar, fitted, line, stacked
from tracejury.tui.loading import Loading, Step
from tracejury.tui.view import View

LOOK_EVERY_S = 0.1
BAR_WIDTH, FAR_WIDTH = 12, 30
WIDEST = 40  # of what is done
STEPS_SHOWN = 12  # of hundreds of files the last


class LoadingView(View, can_focus=True):
    """Shown before every other view; `title` names the run."""

    DEFAULT_CSS = "LoadingView { padding: 1 2; }"

    def __init__(self, loading: Loading, title: str) -> None:
        self._loading = loading
        self._title = title
        self._trouble = ""
        super().__init__(Static(markup=False), id="loading-view")

    def on_mount(self) -> None:
        """Look how far it is, again and again."""
        self._draw()
        self.set_interval(LOOK_EVERY_S, self._look)

    def show_audit(self, audit: Audit) -> None:
        """There is a run to show, and nothing to tell any more."""

    def complain(self, trouble: str) -> None:
        """Say what stands in the way; '' where it is tried again."""
        self._trouble = trouble
        self._draw()

    def _look(self) -> None:
        if self.display:
            self._draw()

    def _draw(self) -> None:
        drawn = stacked(self._lines())
        said = self.query_one(Static)
        if said.content != drawn:
            said.update(drawn)

    def _lines(self) -> Iterator[Content]:
        room = max(self.app.size.width - 4, BAR_WIDTH)
        yield line((fitted(f"Opening {self._title}", room).rstrip(), "bold"))
        yield line()
        yield from step_lines(self._loading.steps, room)
        if self._trouble:
            yield line((self._trouble, "bold $text-error"))
            yield line()
            yield line(("r tries again, q quits.", "$text-muted"))
        else:
            yield line()
            yield line(("q quits.", "$text-muted"))


def step_lines(steps: Sequence[Step], room: int) -> Iterator[Content]:
    """Tell each step in a line, the one that is under way with a bar."""
    width = max(min(room - BAR_WIDTH - FAR_WIDTH - 3, WIDEST), 16)
    for step in steps[-STEPS_SHOWN:]:
        done = step.done / step.total if step.total else 0.0
        drawn = "" if step.is_over or not step.total else f"{bar(done, BAR_WIDTH)} "
        yield line(fitted(step.what, width), "  ", (drawn, "$accent"), _how_far(step, done))


def _how_far(step: Step, done: float) -> str:
    records = f"{counted(step.records, 'record')}" if step.records else ""
    if step.is_over:
        return records or "done"
    if not step.total:
        return records or "…"
    if step.unit:
        return f"{step.done:,} of {counted(step.total, step.unit)}"
    return f"{percent(done)}, {records} so far" if records else percent(done)
