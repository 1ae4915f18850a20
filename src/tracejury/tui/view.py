"""One of the five views of a run, filled from its audit."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, cast

from textual.containers import Vertical

from tracejury.scorecard.result import Audit
from tracejury.store.reader import Reader

if TYPE_CHECKING:
    from tracejury.tui.app import TracejuryApp

Answer = TypeVar("Answer")
Given = ParamSpec("Given")


class View(Vertical):
    """A view has an `id`, which is its name, and shows every new audit."""

    DEFAULT_CSS = "View { height: 1fr; }"

    @property
    def jury(self) -> "TracejuryApp":
        """The app, by its own type."""
        return cast("TracejuryApp", self.app)

    async def ask(
        self,
        question: Callable[Concatenate[Reader, Given], Answer],
        *args: Given.args,
        **kwargs: Given.kwargs,
    ) -> Answer | None:
        """Put a question of `browse` to the store, in a thread."""
        return await self.jury.ask(question, *args, **kwargs)

    def show_audit(self, audit: Audit) -> None:
        """Show what a new audit says."""
        raise NotImplementedError
