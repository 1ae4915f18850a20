"""The keys that work where the person is, generated from the bindings themselves."""

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tracejury.tui.content import fitted, line, stacked

KEY_WIDTH = 22
MARKS = (
    ("✓ ✗ ? -", "pass, fail, not observed, not applicable"),
    ("~ ☐ ! ·", "partial, manual, error, not run"),
    ("≤ ≥", "at most, at least: only a bound is known"),
    ("≈ !", "what moved: tentative, doubtful"),
    ("▾ ▸", "unfolded, folded"),
    ("● ↻", "a store that grows; it is read again"),
    ("✗", "failed span, or a trace with one"),
    ("◆ █", "on the critical path, and where"),
    ("░", "time that no child and no log accounts for"),
    ("⇢ ┄", "began after its cause had ended; the wait"),
    ("◌", "ghost: it existed and is not stored"),
    ("↻ ⧉", "in a cycle of parents; shares its span id"),
    ("↯", "its parent, in another process, is missing"),
    ("· ▪ @", "a log record, and when it was written"),
    ("?", "a duration that nobody recorded"),
)
WORDS = (
    ("err", "spans with an error"),
    ("gone", "spans that are missing: each is a ghost"),
    ("p50 p95 p99", "percentiles of the duration"),
    ("clean95", "p95 in the baseline"),
    ("path", "share of the critical path"),
    ("½saves", "saved, were the step twice as fast"),
    ("runs ok failed ?", "workflow instances; of ? it is not known"),
    ("unsettled", "traces to which spans may still arrive"),
    ("pruned", "instances that retention removed"),
    ("LOST", "records that were acknowledged and are gone"),
)


class HelpScreen(ModalScreen[None]):
    """An overlay of keys and marks; Esc, `?` or q closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Close"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
    ]
    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        #help {
            width: 72; max-width: 95%; height: auto; max-height: 95%;
            border: round $primary; background: $surface; padding: 0 2;
        }
    }
    """

    def __init__(self, bindings: dict[str, ActiveBinding]) -> None:
        super().__init__()
        self._keys = bindings

    def compose(self) -> ComposeResult:
        """One pane that scrolls."""
        with VerticalScroll(id="help") as pane:
            pane.border_title = line("Keys, marks and words (? or Esc closes)")
            yield Static(stacked(self._lines()), markup=False)

    def _lines(self) -> Iterator[Content]:
        groups: dict[str, dict[str, list[str]]] = {}
        for active in self._keys.values():
            binding, node = active.binding, active.node
            if binding.system or not binding.description:
                continue
            group = groups.setdefault(node.BINDING_GROUP_TITLE or "Everywhere", {})
            key = self.app.get_key_display(binding)
            if key not in group.setdefault(binding.description, []):
                group[binding.description].append(key)
        for title, actions in groups.items():
            yield line((title, "bold $text-accent"))
            for description, keys in actions.items():
                yield line((fitted("  " + " ".join(keys), KEY_WIDTH), "bold"), description)
        for title, short_forms in (("Marks", MARKS), ("Words", WORDS)):
            yield line((title, "bold $text-accent"))
            for short_form, meaning in short_forms:
                yield line((fitted("  " + short_form, KEY_WIDTH), "bold"), meaning)

    def action_scroll(self, by: int) -> None:
        self.query_one("#help").scroll_relative(y=by, animate=False)
