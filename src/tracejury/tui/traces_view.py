"""The list of traces, with a filter and three orders."""

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input

from tracejury.scorecard.result import Audit
from tracejury.tui.content import MIDDLING, Cell, row, safe
from tracejury.tui.numbers import short_duration, wall_clock
from tracejury.tui.row_list import RowList
from tracejury.tui.view import View
from tracejury.workflow.browse.trace_list import ORDERS, TraceLine, list_traces
from tracejury.workflow.trace_filter import Term, TraceFilter, parse_filter


class TracesView(View):
    """Traces that the filter lets through; Enter opens one."""

    BINDING_GROUP_TITLE = "Traces"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("s", "sort", "Sort"),
        Binding("e", "errors", "Errors only"),
        Binding("n", "next_error(1)", "Next error", show=False),
        Binding("N", "next_error(-1)", "Previous error", show=False),
        Binding("b", "background", "Background"),
        Binding("y", "copy", "Copy id", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="traces-view")
        self._wanted = TraceFilter()
        self._order = ORDERS[0]
        self._has_background = False
        self._are_errors_only = False

    def compose(self) -> ComposeResult:
        """The filter above, the list below."""
        yield Input(
            placeholder="/ filter: worker status:error http.route=/jobs id:job-7 >1s",
            id="filter",
            select_on_focus=False,
        )
        yield RowList[TraceLine](
            _trace_line,
            id="traces",
            title="Traces (t)",
            key=lambda trace: trace.trace_id,
            header=_trace_header,
            empty="No trace passes. Esc clears the filter, e shows those without errors too.",
        )

    def show_audit(self, audit: Audit) -> None:
        """Ask the newer store."""
        self._fill()

    def apply(self, wanted: TraceFilter) -> None:
        """Filter by something else, and start at the top."""
        self._wanted = wanted
        field = self.query_one("#filter", Input)
        field.value = safe(wanted.text)
        self._fill(top=True)

    @property
    def is_filtered(self) -> bool:
        """Whether there is a filter that Esc could clear."""
        return bool(self._wanted.terms)

    @work(exclusive=True, group="traces")
    async def _fill(self, *, top: bool = False) -> None:
        wanted = self._wanted
        if self._are_errors_only:
            wanted = TraceFilter((*wanted.terms, Term("trouble", 1)))
        found = await self.ask(
            list_traces, wanted, order=self._order, background=self._has_background
        )
        if found is None:
            return
        traces = self.query_one("#traces", RowList)
        traces.show(found.lines, cursor=0 if top else None)
        shown = f"{found.total:,}"
        if len(found.lines) < found.total:
            shown = f"first {len(found.lines):,} of {found.total:,}"
        errors = ", errors and ghosts only" if self._are_errors_only else ""
        hidden = f", {found.background:,} background hidden" if found.background else ""
        traces.title("Traces (t) ", (f"{shown}, {self._order} first{errors}{hidden}", ""))

    @on(Input.Submitted, "#filter")
    def submit(self, submitted: Input.Submitted) -> None:
        """Filter by what was typed; what another view put there keeps its exact meaning."""
        if submitted.value != safe(self._wanted.text):
            self._wanted = parse_filter(submitted.value)
        self._fill(top=True)
        self.query_one("#traces").focus()

    @on(RowList.Chosen, "#traces")
    def open_trace(self, chosen: RowList.Chosen) -> None:
        """Open the waterfall."""
        self.jury.open_trace(chosen.row.trace_id)

    def action_filter(self) -> None:
        self.query_one("#filter").focus()

    def action_sort(self) -> None:
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._fill(top=True)

    def action_errors(self) -> None:
        self._are_errors_only = not self._are_errors_only
        self._fill(top=True)

    def action_background(self) -> None:
        self._has_background = not self._has_background
        self._fill(top=True)

    def action_next_error(self, direction: int) -> None:
        rows = self.query_one("#traces", RowList)
        if not rows.find(lambda trace: trace.errors + trace.ghosts > 0, direction):
            self.jury.say("None of these traces has an error or a ghost.")

    def action_copy(self) -> None:
        trace = self.query_one("#traces", RowList).current
        if trace is not None:
            self.jury.copy(trace.trace_id)


def _trace_header(width: int) -> Content:
    return row(
        width, _cells(("", "start", "time", "spans", "err", "gone", "trace", "correlation"), width)
    )


def _trace_line(trace: TraceLine, width: int) -> Content:
    mark = "✗" if trace.errors else "◌" if trace.ghosts else " "
    root = f"{trace.service or '(no service)'} {trace.name}"
    texts = (
        mark,
        wall_clock(trace.start_ns, decimals=0),
        short_duration(trace.duration_ns),
        f"{trace.spans:,}",
        f"{trace.errors:,}" if trace.errors else "·",
        f"{trace.ghosts:,}" if trace.ghosts else "·",
        root if trace.has_root else f"{root} (root missing)",
        trace.trace_id if trace.correlation_key == "trace" else trace.correlation_id,
    )
    return row(width, _cells(texts, width, has_errors=trace.errors > 0))


def _cells(texts: tuple[str, ...], width: int, *, has_errors: bool = False) -> list[Cell]:
    mark, start, time, spans, errors, gone, root, correlation = texts
    failed = "bold $text-error" if has_errors else ""
    has_room = width >= MIDDLING
    when = [Cell(start, 8, "$text-muted")] if has_room else []
    size = [Cell(spans, 7, is_right=True)] if has_room else []
    return [
        Cell(mark, 1, failed or "$text-warning"),
        *when,
        Cell(time, 6, is_right=True),
        *size,
        Cell(errors, 5, failed, is_right=True),
        Cell(gone, 4, "$text-warning", is_right=True),
        Cell(root),
        Cell(correlation, 32 if width >= 110 else 18, "$text-muted"),
    ]
