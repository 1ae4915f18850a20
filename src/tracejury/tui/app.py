"""The terminal UI: five views of one run, its traces on top of them, and the keys of everywhere."""

import asyncio
import os
import signal
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

from textual import on, work
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Footer

from tracejury.checks.check import Reference
from tracejury.errors import TracejuryError
from tracejury.scorecard.compare import Run
from tracejury.scorecard.result import Audit, FaultResult
from tracejury.store.reader import Reader
from tracejury.telemetry.numbers import counted
from tracejury.tui.commands import RunCommands
from tracejury.tui.compare_screen import CompareScreen
from tracejury.tui.content import safe
from tracejury.tui.diagnosis_view import DiagnosisView
from tracejury.tui.empty_view import EmptyView
from tracejury.tui.findings_view import FindingsView
from tracejury.tui.help_screen import HelpScreen
from tracejury.tui.loading import Loading
from tracejury.tui.loading_view import LoadingView
from tracejury.tui.row_list import RowList
from tracejury.tui.scorecard_view import ScorecardView
from tracejury.tui.session import Load, Session
from tracejury.tui.stopwatch import Stopwatch, fault_of
from tracejury.tui.tab_bar import Tab, TabBar
from tracejury.tui.text_screen import TextScreen
from tracejury.tui.theme import DARK
from tracejury.tui.trace_screen import TraceScreen
from tracejury.tui.traces_view import TracesView
from tracejury.tui.view import View
from tracejury.tui.workflows_view import WorkflowsView
from tracejury.workflow.browse.alerts import alert_text
from tracejury.workflow.browse.log_records import log_line
from tracejury.workflow.browse.opened_trace import GhostSpan, TraceSpan
from tracejury.workflow.browse.span_details import names_of
from tracejury.workflow.trace_filter import TraceFilter

Answer = TypeVar("Answer")
Given = ParamSpec("Given")

REFRESH_PER_COST = 3  # a refresh may take a quarter of the time
LONGEST_GOODBYE_S = 1.0
TEXTUAL_ONLY = ("Keys", "Maximize", "Minimize")  # commands that `?` and our layout replace
LONG_REMARK_S = 15.0  # what somebody must read who does not expect it


class TracejuryApp(App[None]):
    """Browses the run that `load` judges and opens; `load` is called again at every refresh.

    `prepare` is called once before, and gives an earlier run to compare with, if any. Both say what
    they do to `loading`, which stops them when nobody waits any more. Where the run cannot be had,
    the app ends with that `failure`; one that receives goes on, and says so.

    `title` names the run. `announced` is what a receiver of our own said when it began to listen:
    spans arrive, so refresh every `refresh_seconds`, or more rarely where a load takes long. A
    store that a server goes on writing is refreshed too. `trouble` says why that receiver does not
    receive any more, '' while it does. `stopwatch` times whoever searches for a root.
    """

    ENABLE_COMMAND_PALETTE = True
    COMMANDS = App.COMMANDS | {RunCommands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "go_to('scorecard-view')", "Scorecard", show=False),
        Binding("2,w", "go_to('workflows-view')", "Workflows", show=False),
        Binding("3,t", "go_to('traces-view')", "Traces", show=False),
        Binding("4,f", "go_to('findings-view')", "Findings", show=False),
        Binding("5,d", "go_to('diagnosis-view')", "Diagnosis", show=False),
        Binding("escape", "step_back", "Back", key_display="Esc"),
        Binding("r", "refresh_run", "Refresh", show=False),
        Binding("S", "start_stopwatch", "Stopwatch: start at the alert", show=False),
        Binding("m", "mark_root", "Stopwatch: mark the root, stop", show=False),
        Binding("X", "discard_stopwatch", "Stopwatch: discard", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - Textual says so
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012
    CSS_PATH = "layout.tcss"

    def __init__(  # noqa: PLR0913 - a run, how it is had, and what is known of who writes it
        self,
        load: Load,
        *,
        prepare: Callable[[], Run | None] = lambda: None,
        loading: Loading | None = None,
        title: str = "",
        announced: str = "",
        trouble: Callable[[], str] = str,
        refresh_seconds: float = 2.0,
        stopwatch: Stopwatch | None = None,
    ) -> None:
        super().__init__()
        # A VT has no colours either, and passes over what it is told of them.
        self.no_color = self.no_color or os.environ.get("TERM", "").startswith("vt")
        self.before: Run | None = None  # an earlier run to compare with
        self.failure: TracejuryError | None = None
        self.title = safe(f"tracejury {title}".strip())
        self._run_name = title
        self.audited: Audit | None = None
        self.stopwatch = stopwatch or Stopwatch(None)
        self._loading = loading or Loading()
        self._session = Session(load, self._loading)
        self._prepare: Callable[[], Run | None] | None = prepare
        self._announced = announced
        self._trouble = trouble
        self._has_told_trouble = False
        self._refresh_seconds = refresh_seconds
        self._is_loading = False
        self._visited: list[str] = []

    def compare_with(self, before: Run) -> None:
        """Have a key that shows what moved since an earlier run."""
        self.before = before
        self.bind("c", "compare", description="Compare with the earlier run", show=False)

    def compose(self) -> ComposeResult:
        """The views, of which one shows."""
        yield TabBar()
        with ContentSwitcher(initial="loading-view"):
            yield LoadingView(self._loading, self._run_name)
            yield ScorecardView(id="scorecard-view")
            yield WorkflowsView()
            yield TracesView()
            yield FindingsView()
            yield DiagnosisView()
            yield EmptyView(announced=self._announced)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Judge the run."""
        self.register_theme(DARK)
        self.theme = DARK.name
        self.set_interval(1, self._tick)
        loop = asyncio.get_running_loop()
        for ending in (signal.SIGINT, signal.SIGTERM):
            # Else the terminal would stay as it is, and what `live` started would go on.
            loop.add_signal_handler(ending, self.exit)
        # Else the copy of a store that is being written would stay behind.
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        self.action_refresh_run()

    def _hang_up(self) -> None:
        """End without a word: nobody takes what is written any more, and a full queue waits."""
        if self._driver is not None:
            self._driver.write = lambda _: None  # type: ignore[method-assign, assignment]
        self.exit()

    async def on_unmount(self) -> None:
        """Let go of the store. What cannot be stopped, as a copy that is made, ends on its own."""
        closing = asyncio.create_task(asyncio.to_thread(self._session.close))
        await asyncio.wait({closing}, timeout=LONGEST_GOODBYE_S)

    async def ask(
        self,
        question: Callable[Concatenate[Reader, Given], Answer],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Answer | None:
        """Put a question of `browse` to the store, in a thread; None where it has no answer."""
        try:
            return await self._in_thread(partial(self._session.ask, question, *args, **kwargs))
        except TracejuryError as error:
            self.say(str(error))
            return None

    async def _in_thread(self, work: Callable[[], Answer]) -> Answer:
        """Do something slow. Who waits for it while the app ends is cancelled: its widgets go."""
        try:
            return await asyncio.to_thread(work)
        finally:
            if not self.is_running:
                raise asyncio.CancelledError

    @work(group="load")
    async def _load(self) -> None:
        try:
            await self._begin()
            audit = await self._in_thread(self._session.reload)
        except TracejuryError as error:
            self._complain(error)
        else:
            self._show(audit)
        finally:
            self._is_loading = False
        self._tell_trouble()
        self.tell_state(self.screen)
        if self._announced or self._session.is_growing:
            pause = max(self._refresh_seconds, REFRESH_PER_COST * self._session.cost_s)
            self.set_timer(pause, self.action_refresh_run)

    async def _begin(self) -> None:
        """Do what comes before the first load; where that fails there is nothing to browse."""
        if self._prepare is None:
            return
        try:
            before = await self._in_thread(self._prepare)
        except TracejuryError as error:
            self._end(error)
            raise
        self._prepare = None
        if before is not None:
            self.compare_with(before)

    def _end(self, failure: TracejuryError) -> None:
        self.failure = failure
        self.exit()

    def _tell_trouble(self) -> None:
        """Say it once, and until somebody has seen it: what arrives now is lost."""
        if not self._has_told_trouble and (trouble := self._trouble()):
            self._has_told_trouble = True
            self.push_screen(TextScreen("Nothing is received any more", trouble))

    def _complain(self, error: TracejuryError) -> None:
        if self.audited is not None:
            self.say(str(error))
        elif self._announced:
            self.screen_stack[0].query_one(LoadingView).complain(str(error))
        else:
            self._end(error)

    def _show(self, audit: Audit) -> None:
        is_first, self.audited = self.audited is None, audit
        main = self.screen_stack[0]
        for view in main.query(View):
            view.show_audit(audit)
        switcher = main.query_one(ContentSwitcher)
        has_telemetry = bool(audit.trust.spans or audit.trust.logs)
        if not has_telemetry:
            main.query_one(EmptyView).tell(is_growing=self._session.is_growing)
            self._open_view("empty-view")
        elif is_first or switcher.current == "empty-view":
            self._open_view("scorecard-view")
        for screen in self.screen_stack:
            if isinstance(screen, TraceScreen | CompareScreen):
                screen.load()
        for remark in self._loading.remarks if is_first else ():
            self.say(remark, seconds=LONG_REMARK_S)

    def tell_state(self, screen: Screen[Any]) -> None:
        """Tell a screen's top line what was received."""
        current = self.screen_stack[0].query_one(ContentSwitcher).current
        for bar in screen.query(TabBar):
            bar.mark(current or "")
            bar.tell(
                self.audited,
                is_live=bool(self._announced) or self._session.is_growing,
                is_loading=self._is_loading,
                is_deaf=bool(self._trouble()),
                stopwatch=self.stopwatch.face,
            )

    def _tick(self) -> None:
        if self.stopwatch.search is not None:
            self.tell_state(self.screen)

    def action_start_stopwatch(self) -> None:
        if self.stopwatch.search is not None:
            self.say(f"The stopwatch runs since {self.stopwatch.face}: m marks, X discards.")
            return
        if self.audited is None or self.current_view == "empty-view":
            return
        fault = self._fault_here(self.audited.faults)
        self.stopwatch.start(fault)
        self._show_stopwatch()
        self.say(f"Search of {fault.id if fault else 'a root'} began. m on its span ends it.")

    def _fault_here(self, faults: tuple[FaultResult, ...]) -> FaultResult | None:
        if isinstance(self.screen, TraceScreen):
            return fault_of(faults, *self.screen.time)
        if self.current_view == "diagnosis-view":
            return self.screen.query_one(DiagnosisView).fault
        return faults[0] if len(faults) == 1 else None

    def _show_stopwatch(self) -> None:
        self.tell_state(self.screen)
        self.screen_stack[0].query_one(DiagnosisView).blind(self.stopwatch.search)

    def action_discard_stopwatch(self) -> None:
        if self.stopwatch.search is not None:
            self.say(f"The search was discarded after {self.stopwatch.face}.")
            self.stopwatch.discard()
            self._show_stopwatch()

    @work(exclusive=True, group="stopwatch")
    async def action_mark_root(self) -> None:
        root = self.screen.root if isinstance(self.screen, TraceScreen) else None
        if self.stopwatch.search is None:
            self.say("No stopwatch runs: S starts it at the alert.")
        elif root is None:
            self.say("Open a trace, go to the span of the root, and press m there.")
        else:
            no = root.span_no if isinstance(root, TraceSpan) else None
            names = (root.service,) if no is None else await self.ask(names_of, no)
            self._keep(root, names or ())

    def _keep(self, root: TraceSpan | GhostSpan, names: tuple[str, ...]) -> None:
        try:
            measured = self.stopwatch.stop(root, names)
        except TracejuryError as error:
            self.say(str(error))
            return
        if measured is not None:
            right = {True: "right", False: "not the target", None: "no target is named to compare"}
            took = counted(measured.minutes, "minute")
            self.say(f"{took}, {measured.service} {measured.step}: {right[measured.is_right]}.")
            self._show_stopwatch()
            self.action_refresh_run()

    def action_compare(self) -> None:
        """Open what moved since the earlier run, on top of what shows."""
        if self.before is None or self.audited is None or self.current_view == "empty-view":
            return
        while len(self.screen_stack) > 1:
            self._close_top()
        self.push_screen(CompareScreen(self.before))

    def action_refresh_run(self) -> None:
        if not self._is_loading:
            self._is_loading = True
            self._loading.begin()
            self.screen_stack[0].query_one(LoadingView).complain("")
            self.tell_state(self.screen)
            self._load()

    def go_to(self, view: str) -> None:
        """Open one of the views, and leave every trace that is open."""
        if self.audited is None or self.current_view == "empty-view":
            return
        while len(self.screen_stack) > 1:
            self._close_top()
        if view != self.current_view:
            self._visited.append(self.current_view)
        self._open_view(view)

    def _close_top(self) -> None:
        # What it still waits for would come to a screen without widgets.
        self.workers.cancel_node(self.screen)
        self.pop_screen()

    async def action_quit(self) -> None:
        self.workers.cancel_all()
        self.exit()

    def action_go_to(self, view: str) -> None:
        self.go_to(view)

    @property
    def current_view(self) -> str:
        """The view that shows, below any trace."""
        return self.screen_stack[0].query_one(ContentSwitcher).current or ""

    def _open_view(self, name: str) -> None:
        main = self.screen_stack[0]
        main.query_one(ContentSwitcher).current = name
        view = main.query_one(f"#{name}")
        lists = [one for one in view.query(RowList) if one.display]
        main.set_focus(lists[0] if lists else view)
        self.tell_state(main)

    @on(Tab.Clicked)
    def click_tab(self, clicked: Tab.Clicked) -> None:
        """Go where the mouse says."""
        self.go_to(clicked.view)

    def show_traces(self, wanted: TraceFilter) -> None:
        """Open the list of traces with a filter."""
        self.go_to("traces-view")
        self.screen_stack[0].query_one(TracesView).apply(wanted)

    def show_checks(self, checks: Collection[str]) -> None:
        """Open the findings of some checks."""
        self.go_to("findings-view")
        self.screen_stack[0].query_one(FindingsView).choose(checks)

    def open_trace(self, trace_id: str, *, span_id: str = "", log_no: int | None = None) -> None:
        """Open a trace on top of what shows, at one of its records."""
        self.push_screen(TraceScreen(trace_id, span_id=span_id, log_no=log_no))

    @work(exclusive=True, group="reference")
    async def open_reference(self, reference: Reference) -> None:
        """Open the very record that a finding rests on."""
        if reference.alert is not None:
            await self._open_alert(reference.alert)
            return
        if reference.row is not None:
            self.say("It is in the file of state rows, which is not stored.")
            return
        if reference.log is None:
            self.open_trace(reference.trace_id, span_id=reference.span_id)
            return
        log = await self.ask(log_line, reference.log)
        if log is None:
            self.say("The log record is not stored.")
        elif log.trace_id:
            self.open_trace(log.trace_id, log_no=log.log_no)
        else:
            self.push_screen(TextScreen(f"Log record {log.log_no} of {log.service}", log.body))

    async def _open_alert(self, alert_no: int) -> None:
        said = await self.ask(alert_text, alert_no)
        if said is None:
            self.say("The alert is not stored.")
        else:
            self.push_screen(TextScreen(f"Alert {alert_no}", said))

    def action_step_back(self) -> None:
        """Undo one thing: close what is on top, clear a filter, or go to the view before."""
        screen = self.screen
        if isinstance(screen, TraceScreen):
            if not screen.step_back():
                self._close_top()
            return
        if isinstance(screen, CompareScreen):
            self._close_top()
            return
        if self.current_view == "traces-view" and self._clear_traces():
            return
        findings = screen.query_one(FindingsView)
        if self.current_view == "findings-view" and findings.is_filtered:
            findings.choose(())
        elif self._visited:
            self._open_view(self._visited.pop())

    def _clear_traces(self) -> bool:
        """Leave the filter's field, or drop the filter; False where there is neither."""
        traces = self.screen.query_one(TracesView)
        rows = traces.query_one("#traces")
        if rows.has_focus and not traces.is_filtered:
            return False
        traces.apply(TraceFilter())
        rows.focus()
        return True

    def get_system_commands(self, screen: Screen[Any]) -> Iterator[SystemCommand]:
        """What the palette offers beside our own: nothing that Esc could not undo."""
        for command in super().get_system_commands(screen):
            if command.title not in TEXTUAL_ONLY:
                yield command
        yield SystemCommand("Help", "The keys, marks and words of this place", self.action_help)

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self.screen.active_bindings))

    def copy(self, text: str) -> None:
        """Copy by OSC 52, which also works over SSH."""
        self.copy_to_clipboard(safe(text))
        self.say(f"Copied {text[:60]}")

    def say(self, message: str, *, seconds: float = 4) -> None:
        """Tell something for a few seconds."""
        self.notify(safe(message), markup=False, timeout=seconds)
