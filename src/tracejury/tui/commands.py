"""The command palette: every view, and the run's own workflows and checks by name."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.types import IgnoreReturnCallbackType

from tracejury.tui.content import fitted, line, safe
from tracejury.tui.tab_bar import VIEWS
from tracejury.workflow.trace_filter import Term, TraceFilter

if TYPE_CHECKING:
    from tracejury.tui.app import TracejuryApp

WIDEST = 150  # cells of a name, which has two lines


class RunCommands(Provider):
    """What can be gone to in the run that is open."""

    @property
    def _jury(self) -> "TracejuryApp":
        return cast("TracejuryApp", self.app)

    async def discover(self) -> Hits:
        """Offer the views before anything is typed."""
        for name, command in self._views():
            yield DiscoveryHit(line(name), command, text=name)

    async def search(self, query: str) -> Hits:
        """Offer whatever matches; names come from telemetry, so they are never markup."""
        matcher = self.matcher(query)
        for name, command in (*self._views(), *self._of_run()):
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, line(name), command, text=name)

    def _views(self) -> Iterator[tuple[str, IgnoreReturnCallbackType]]:
        for view, title in VIEWS.items():
            yield f"Go to {title}", partial(self._jury.go_to, view)
        if self._jury.before is not None:
            yield "Compare with the earlier run", self._jury.action_compare
        yield "Refresh", self._jury.action_refresh_run
        yield "Stopwatch: start at the alert", self._jury.action_start_stopwatch
        yield "Stopwatch: mark the root, and stop", self._jury.action_mark_root
        yield "Stopwatch: discard", self._jury.action_discard_stopwatch

    def _of_run(self) -> Iterator[tuple[str, IgnoreReturnCallbackType]]:
        audit = self._jury.audited
        if audit is None:
            return
        for workflow in audit.workflows:
            name = safe(workflow.name)
            wanted = TraceFilter((Term("workflow", workflow.name),), f'workflow:"{name}"')
            yield (
                f"Traces of {fitted(name, WIDEST).rstrip()}",
                partial(self._jury.show_traces, wanted),
            )
        for check in audit.checks:
            title = safe(f"Check {check.id} {check.title}")
            yield fitted(title, WIDEST).rstrip(), partial(self._jury.show_checks, (check.id,))
