"""One trace as a waterfall, with the details of the record under the cursor."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from tracejury.store.reader import Reader
from tracejury.telemetry.numbers import counted
from tracejury.tui.content import line
from tracejury.tui.detail_rows import ghost_rows, log_rows, span_rows
from tracejury.tui.details_pane import DetailsPane
from tracejury.tui.numbers import short_duration
from tracejury.tui.row_list import RowList
from tracejury.tui.tab_bar import TabBar
from tracejury.tui.text_screen import TextScreen
from tracejury.tui.tree import Node, with_ancestors
from tracejury.tui.tree_list import TreeList
from tracejury.tui.waterfall_line import ERROR_SEVERITY, Scale, waterfall_header, waterfall_line
from tracejury.tui.waterfall_rows import Record, name_of, waterfall
from tracejury.workflow.browse.attributes import log_attributes
from tracejury.workflow.browse.log_records import LogLine
from tracejury.workflow.browse.opened_trace import GhostSpan, OpenTrace, TraceSpan, open_trace
from tracejury.workflow.browse.span_details import span_details

if TYPE_CHECKING:
    from tracejury.tui.app import TracejuryApp


class TraceScreen(Screen[None]):
    """A trace, or the whole workflow instance that it belongs to. Esc goes back."""

    AUTO_FOCUS = "#waterfall"
    BINDING_GROUP_TITLE = "Trace"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "only('errors')", "Errors"),
        Binding("c", "only('path')", "Critical path only"),
        Binding("L", "logs", "Logs"),
        Binding("i", "instance", "Whole instance", show=False),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("n", "next_error(1)", "Next error", show=False),
        Binding("N", "next_error(-1)", "Previous error", show=False),
        Binding("y", "copy", "Copy id", show=False),
    ]

    def __init__(self, trace_id: str, *, span_id: str = "", log_no: int | None = None) -> None:
        super().__init__()
        self._trace_id = trace_id
        self._wanted_span = span_id
        self._wanted_log = log_no
        self._trace: OpenTrace | None = None
        self._tree: tuple[Node[Record], ...] = ()
        self._scale = Scale(0, 1)
        self._only = ""
        self._has_logs = True
        self._is_whole = False
        self._words = ""

    @property
    def jury(self) -> "TracejuryApp":
        """The app, by its own type."""
        return cast("TracejuryApp", self.app)

    @property
    def time(self) -> tuple[int, int]:
        """When it ran, in nanoseconds since 1970."""
        return self._scale.start_ns, self._scale.end_ns

    @property
    def root(self) -> TraceSpan | GhostSpan | None:
        """The span under the cursor, stored or missing; None where the cursor is on no span."""
        node = self.query_one("#waterfall", TreeList).current
        record = node.record if node else None
        if isinstance(record, LogLine) or (
            isinstance(record, GhostSpan) and not (record.service or record.name)
        ):
            return None
        return record

    def compose(self) -> ComposeResult:
        """The waterfall, and the details below or beside it."""
        yield TabBar()
        yield Static(id="about", markup=False)
        yield Input(placeholder="/ search services, spans and logs of this trace", id="search")
        with Container(id="panes"):
            yield TreeList[Record](
                self._draw_row,
                id="waterfall",
                title="Waterfall",
                key=name_of,
                header=lambda width: waterfall_header(self._scale, width),
                empty="No row of this trace is left: e, c and Esc bring them back.",
            )
            yield DetailsPane()
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Read the trace."""
        self.jury.tell_state(self)
        self.load()

    @work(exclusive=True, group="trace")
    async def load(self) -> None:
        """Read the trace again, and stay on the same row."""
        read = await self.jury.ask(_read, self._trace_id, whole_instance=self._is_whole)
        if read is None:
            if self._trace is None:
                self.jury.say("The trace is not stored.")
                self.app.pop_screen()
            return
        self._trace, self._tree, self._scale = read
        self._tell_about(self._trace)
        self._fill()
        if self._wanted_span or self._wanted_log is not None:
            self.query_one("#waterfall", TreeList).reveal(self._is_wanted)
            self._wanted_span, self._wanted_log = "", None

    def _is_wanted(self, record: Record) -> bool:
        if self._wanted_log is not None:
            return isinstance(record, LogLine) and record.log_no == self._wanted_log
        return not isinstance(record, LogLine) and record.span_id == self._wanted_span

    def _tell_about(self, trace: OpenTrace) -> None:
        errors = sum(span.is_error for span in trace.spans)
        known = trace.correlation_key not in ("trace", "links")
        correlation = f"{trace.correlation_key} {trace.correlation_id}  " if known else ""
        many = f"{trace.traces} of {counted(trace.traces_in_instance, 'trace')}  "
        self.query_one("#about", Static).update(
            line(
                (trace.workflow, "bold $text"),
                f"  {correlation}",
                many if trace.traces_in_instance > 1 else "",
                f"{counted(len(trace.spans), 'span')}, {counted(errors, 'error')}, "
                f"{short_duration(self._scale.end_ns - self._scale.start_ns)}  ",
                f"trace {trace.trace_id}",
            )
        )

    def _fill(self) -> None:
        tree = self._tree
        if self._only or self._words or not self._has_logs:
            tree = with_ancestors(tree, self._is_kept)
        rows = self.query_one("#waterfall", TreeList)
        rows.grow(tree)
        only = {"errors": ", errors and ghosts only", "path": ", critical path only"}.get(
            self._only, ""
        )
        words = f", with “{self._words}”" if self._words else ""
        ghosts = sum(isinstance(node.record, GhostSpan) for node in tree)
        missing = f", {counted(ghosts, 'ghost')}" if ghosts else ""
        spans = sum(isinstance(node.record, TraceSpan) for node in tree)
        rows.title("Waterfall ", (f"{counted(spans, 'span')}{missing}{only}{words}", ""))

    def _is_kept(self, record: Record) -> bool:
        if isinstance(record, LogLine) and not self._has_logs:
            return False
        if self._only == "errors" and not _is_error(record):
            return False
        if self._only == "path" and not (isinstance(record, TraceSpan) and record.critical):
            return False
        return self._words.lower() in _text_of(record).lower()

    def _draw_row(self, node: Node[Record], width: int) -> Content:
        sign = self.query_one("#waterfall", TreeList).sign(node)
        return waterfall_line(node, sign, self._scale, width)

    @on(RowList.Moved, "#waterfall")
    def follow(self, moved: RowList.Moved) -> None:
        """Show the details of another record."""
        self._tell_details(moved.row.record)

    @work(exclusive=True, group="details")
    async def _tell_details(self, record: Record) -> None:
        if isinstance(record, LogLine):
            attributes = await self.jury.ask(log_attributes, record.log_no)
            rows = list(log_rows(record, attributes or ()))
        elif isinstance(record, GhostSpan):
            rows = list(ghost_rows(record))
        else:
            details = await self.jury.ask(span_details, record.span_no)
            rows = list(span_rows(record, details, self._trace.logs if self._trace else ()))
        self.query_one(DetailsPane).show(rows, cursor=0)

    @on(RowList.Chosen, "#waterfall")
    def go_to_details(self) -> None:
        """Look closer."""
        self.query_one(DetailsPane).focus()

    @on(RowList.Chosen, "#details")
    def follow_link(self, chosen: RowList.Chosen) -> None:
        """Open what a link leads to, or the value in full."""
        detail = chosen.row
        if detail.link is not None:
            self.jury.open_trace(detail.link.trace_id, span_id=detail.link.span_id)
        elif detail.value:
            self.app.push_screen(TextScreen(detail.name, detail.value))

    @on(Input.Submitted, "#search")
    def search(self, submitted: Input.Submitted) -> None:
        """Keep the rows that have the text, and what lies above them."""
        self._words = submitted.value.strip()
        self.query_one("#search").set_class(bool(self._words), "-open")
        self.query_one("#waterfall").focus()
        self._fill()

    def step_back(self) -> bool:
        """Undo one thing for Esc; False where there is nothing left to undo."""
        search, rows = self.query_one("#search", Input), self.query_one("#waterfall")
        if search.has_focus or self._words:
            search.value = self._words = ""
            search.remove_class("-open")
            self._fill()
        elif rows.has_focus:
            return False
        rows.focus()
        return True

    def action_only(self, what: str) -> None:
        self._only = "" if self._only == what else what
        self._fill()

    def action_logs(self) -> None:
        self._has_logs = not self._has_logs
        self._fill()

    def action_instance(self) -> None:
        if self._trace is not None and self._trace.traces_in_instance > 1:
            self._is_whole = not self._is_whole
            self.load()
        else:
            self.jury.say("The workflow instance has no other trace.")

    def action_search(self) -> None:
        self.query_one("#search").add_class("-open").focus()

    def action_next_error(self, direction: int) -> None:
        rows = self.query_one("#waterfall", TreeList)
        if not rows.find(lambda node: _is_error(node.record), direction):
            self.jury.say("Nothing failed here.")

    def action_copy(self) -> None:
        pane = self.query_one(DetailsPane)
        if pane.has_focus:
            if pane.current is not None:
                link = pane.current.link
                self.jury.copy(link.span_id if link else pane.current.value)
            return
        node = self.query_one("#waterfall", TreeList).current
        if node is not None:
            self.jury.copy(node.record.span_id or node.record.trace_id)


def _read(
    reader: Reader, trace_id: str, *, whole_instance: bool
) -> tuple[OpenTrace, tuple[Node[Record], ...], Scale] | None:
    """Read and order a trace where it does not hold up the screen."""
    trace = open_trace(reader, trace_id, whole_instance=whole_instance)
    return None if trace is None else (trace, waterfall(trace), Scale.of(trace))


def _is_error(record: Record) -> bool:
    if isinstance(record, LogLine):
        return record.severity_number >= ERROR_SEVERITY
    if isinstance(record, GhostSpan):
        return record.cause != "external"
    return record.is_error


def _text_of(record: Record) -> str:
    if isinstance(record, LogLine):
        return f"{record.service} {record.body}"
    return f"{record.service} {record.name} {record.span_id}"
