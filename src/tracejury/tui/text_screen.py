"""One long text, in full: a stack trace, a message, a value that no row can hold."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from tracejury.tui.content import line, safe, stacked

LINES_SHOWN = 2000


class TextScreen(ModalScreen[None]):
    """Shows a text over the screen; Esc, Enter or q closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss", "Close"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("y", "copy", "Copy"),
    ]
    DEFAULT_CSS = """
    TextScreen {
        align: center middle;
        #text {
            width: 90%; max-width: 120; height: auto; max-height: 90%;
            border: round $primary; background: $surface; padding: 0 1;
        }
    }
    """

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._heading = title
        self._text = text

    def compose(self) -> ComposeResult:
        """One pane that scrolls."""
        with VerticalScroll(id="text") as pane:
            pane.border_title = line(self._heading)
            pane.border_subtitle = line("y copies, Esc closes")
            lines = self._text.splitlines()[:LINES_SHOWN]
            yield Static(stacked(line(one) for one in lines), markup=False)

    def action_scroll(self, by: int) -> None:
        self.query_one("#text").scroll_relative(y=by, animate=False)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(safe(self._text))
        self.notify("Copied", markup=False, timeout=4)
