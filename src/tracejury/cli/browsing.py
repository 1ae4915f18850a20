"""From what is named on the command line to a run on the screen.

Nothing here reads or judges before the screen is there, and what that needs is imported then.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tracejury.cli.judging import (
    all_injected_faults,
    fault_remarks,
    injected_faults,
    judge_run,
    learn,
    measured,
    open_run,
    run_names,
    run_paths,
    warn,
)
from tracejury.cli.watch import tell
from tracejury.config import Config
from tracejury.errors import UsageError
from tracejury.receiver.inputs import run_files
from tracejury.tui.app import TracejuryApp
from tracejury.tui.loading import Loading
from tracejury.tui.stopwatch import Stopwatch
from tracejury.workflow.stopwatch import stopwatch_file

if TYPE_CHECKING:
    from tracejury.receiver.child import Receiving
    from tracejury.receiver.import_files import Loaded
    from tracejury.scorecard.compare import Run
    from tracejury.scorecard.result import Audit
    from tracejury.store.reader import Reader
    from tracejury.workflow.baseline import Baseline


class Browsed(Loading):
    """What a screen asks for in its own time: the run that the options name, and an earlier one."""

    def __init__(self, options: argparse.Namespace, config: Config) -> None:
        super().__init__()
        self.inputs = run_names(options, config)
        self._options = options
        self._config = config
        self._paths = run_paths(options, config)
        self._before: Path | None = options.compare
        self._files_before = run_files(self._before) if self._before else ()
        self._injected = all_injected_faults(config) if self._before else injected_faults(config)
        self._baseline: Baseline | None = None
        self._refused: dict[Path, Loaded] = {}

    def report(self, file: Path, loaded: "Loaded") -> None:
        """Keep what is to be said of a file until the screen is gone."""
        self._refused[file] = loaded

    def tell_what_was_odd(self) -> None:
        """Say it again where it stays."""
        for file, loaded in self._refused.items():
            tell(file, loaded)
        warn(self.remarks)

    def prepare(self) -> "Run | None":
        """Learn from the clean run, and judge the earlier one."""
        config, injected = self._config, self._injected
        self._baseline = learn(config, self._paths, with_times=not injected, watch=self)
        if self._before is None:
            return None
        return judge_run(
            self._before, self._files_before, config, injected, self._baseline, watch=self
        )

    def load(self) -> "tuple[Audit, Reader]":
        """Judge the run as it is now."""
        reader = open_run(self._options, self._config, self)
        try:
            return self._judged(reader), reader
        except BaseException:
            reader.close()
            raise

    def _judged(self, reader: "Reader") -> "Audit":
        from tracejury.scorecard.audit import audit
        from tracejury.scorecard.brought import Brought
        from tracejury.scorecard.fault_results import faults_of_run

        injected = self._injected
        with self.working("judging") as on_progress:
            judged = audit(
                reader,
                self._config,
                injected=faults_of_run(reader, injected) if self._before else injected,
                baseline=self._baseline,
                inputs=self.inputs,
                brought=Brought(measured(self.inputs)),
                on_progress=on_progress,
            )
        # A store that grows may hold the time of a fault soon, and an earlier run has its own.
        if not (reader.is_snapshot or self._before):
            self.remarks = fault_remarks(reader, injected)
        return judged


def browse(browsed: Browsed, *, receiver: "Receiving | None" = None) -> bool:
    """Show the run until the person leaves; raises what stands in the way.

    Tells whether the screen itself held: where it did not, Textual has shown why.
    """
    app = TracejuryApp(
        browsed.load,
        prepare=browsed.prepare,
        loading=browsed,
        title=", ".join(browsed.inputs),
        stopwatch=Stopwatch(stopwatch_file(Path(browsed.inputs[0]))),
        announced=receiver.announced if receiver else "",
        trouble=receiver.trouble if receiver else str,
    )
    app.run()
    browsed.tell_what_was_odd()
    if app.failure is not None:
        raise app.failure
    return not app.return_code


def require_terminal() -> None:
    """Raise `UsageError` where no screen can be shown."""
    no_screen = "Use `tracejury audit`, which prints."
    if not all(stream and stream.isatty() for stream in (sys.__stdin__, sys.__stderr__)):
        raise UsageError("A screen needs a terminal, and this is none.", next_step=no_screen)
    if os.environ.get("TERM") == "dumb":
        raise UsageError("A dumb terminal can show no screen.", next_step=no_screen)
