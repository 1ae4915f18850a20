"""A list of rows with a cursor. Only what is on the screen is drawn, so it may be of any length."""

import re
from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

from tracejury.tui.content import line
from tracejury.tui.text_screen import TextScreen

Row = TypeVar("Row")

WIDEST = 1000  # cells of a row that is read on its own
BLANKS = re.compile(" {4,}")


class RowList(ScrollView, Generic[Row], can_focus=True, inherit_bindings=False):
    """Rows of any kind, drawn one line each by `draw(row, width)`.

    `key` tells rows apart, so that the cursor stays on its row when rows change; `header` draws
    the names of the columns; `empty` is said where there is no row.
    """

    BINDING_GROUP_TITLE = "List"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", show=False),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False),
        Binding("home,g", "first", "First row", show=False),
        Binding("end,G", "last", "Last row", show=False),
        Binding("enter", "choose", "Open"),
        Binding("o", "read", "Read the whole row", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "row-list--cursor",
        "row-list--cursor-blurred",
        "row-list--header",
    }
    DEFAULT_CSS = """
    RowList {
        text-wrap: nowrap;
        text-overflow: ellipsis;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        background: $background;
        border: round $border-blurred;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
        padding: 0 1;
        &:focus {
            border: round $primary;
            border-title-color: $text;
            border-title-style: bold;
        }
        & > .row-list--cursor { background: $block-cursor-background; }
        & > .row-list--cursor-blurred { background: $surface; }
        & > .row-list--header { color: $text-muted; }
    }
    """

    cursor: reactive[int] = reactive(0)

    class OfRow(Message):
        """Something about one row."""

        def __init__(self, rows: "RowList[Any]", row: Any) -> None:
            super().__init__()
            self.rows = rows
            self.row = row

        @property
        def control(self) -> "RowList[Any]":
            """The list, for `@on` selectors."""
            return self.rows

    class Chosen(OfRow):
        """Enter or a double click on a row."""

    class Moved(OfRow):
        """The cursor stands on another row."""

    def __init__(
        self,
        draw: Callable[[Row, int], Content],
        *,
        id: str,  # noqa: A002 - Textual's name
        title: str,
        key: Callable[[Row], Hashable] | None = None,
        header: Callable[[int], Content] | None = None,
        empty: str = "",
    ) -> None:
        super().__init__(id=id)
        self._empty = empty
        self._draw = draw
        self._key = key
        self._header = header
        self._rows: Sequence[Row] = ()
        self.border_title = line(title)

    @property
    def rows(self) -> Sequence[Row]:
        """What is listed."""
        return self._rows

    @property
    def current(self) -> Row | None:
        """The row that the cursor stands on."""
        return self._rows[self.cursor] if self._rows else None

    def title(self, *parts: str | tuple[str, str]) -> None:
        """Say what is listed, in the frame."""
        self.border_title = line(*parts)

    def show(self, rows: Sequence[Row], *, cursor: int | None = None) -> None:
        """List other rows. Without `cursor` the cursor stays on the row it stood on."""
        before = self.current
        self._rows = rows
        self.virtual_size = Size(self.size.width, len(rows) + self._top)
        if self.styles.is_auto_height:
            self.refresh(layout=True)
        target = self._where(before) if cursor is None else cursor
        if target == self.cursor:
            self._moved()
        else:
            self.cursor = target
        self.refresh()

    @property
    def _top(self) -> int:
        return 1 if self._header else 0

    def _where(self, before: Row | None) -> int:
        if before is not None and self._key is not None:
            wanted = self._key(before)
            for index, row in enumerate(self._rows):
                if self._key(row) == wanted:
                    return index
        return min(self.cursor, max(len(self._rows) - 1, 0))

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(cursor, len(self._rows) - 1))

    def watch_cursor(self) -> None:
        """Bring the cursor into view, and tell who listens."""
        self._moved()

    def _moved(self) -> None:
        if self._rows:
            self._bring_into_view()
            self.post_message(self.Moved(self, self._rows[self.cursor]))
        self.refresh()

    def _bring_into_view(self) -> None:
        height = max(self.scrollable_content_region.height - self._top, 1)
        first = round(self.scroll_target_y)
        if self.cursor < first:
            self.scroll_to(y=self.cursor, animate=False, force=True, immediate=True)
        elif self.cursor >= first + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True, immediate=True)

    def on_resize(self) -> None:
        """Keep the cursor in view when the room changes."""
        self.virtual_size = Size(self.size.width, len(self._rows) + self._top)
        if self._rows:
            self._bring_into_view()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is in view."""
        width = self.scrollable_content_region.width
        if self._header and y == 0:
            style = self.get_visual_style("row-list--header")
            return Visual.to_strips(self, self._header(width), width, 1, style, pad=True)[0]
        index = self.scroll_offset.y + y - self._top
        if index == 0 and not self._rows and self._empty:
            said = line((self._empty, "$text-muted"))
            return Visual.to_strips(self, said, width, 1, self.visual_style, pad=True)[0]
        if index >= len(self._rows) or index < 0:
            return Strip.blank(width, self.visual_style.rich_style)
        style = self._cursor_style() if index == self.cursor else self.visual_style
        drawn = self._draw(self._rows[index], width)
        strips = Visual.to_strips(self, drawn, width, 1, style, pad=True)
        return strips[0] if strips else Strip.blank(width, style.rich_style)

    def _cursor_style(self) -> Style:
        style = self.get_visual_style(
            "row-list--cursor" if self.has_focus else "row-list--cursor-blurred"
        )
        # Textual passes over `text-style: reverse` of a part of a widget.
        return style + Style(reverse=True) if self.has_focus and self.app.no_color else style

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Draw again when scrolled, the header too."""
        super().watch_scroll_y(old_value, new_value)
        self.refresh(Region(0, 0, self.size.width, self.size.height))

    def on_click(self, event: events.Click) -> None:
        """Move to the row that was clicked; open it if the cursor was there already."""
        offset = event.get_content_offset(self)
        if offset is None or (self._header and offset.y == 0):
            return
        index = self.scroll_offset.y + offset.y - self._top
        if not 0 <= index < len(self._rows):
            return
        if index == self.cursor and event.chain > 1:
            self.action_choose()
        self.cursor = index

    def action_move(self, by: int) -> None:
        self.cursor += by

    def action_page(self, direction: int) -> None:
        self.cursor += direction * max(self.scrollable_content_region.height - self._top - 1, 1)

    def action_first(self) -> None:
        self.cursor = 0

    def action_last(self) -> None:
        self.cursor = len(self._rows) - 1

    def action_choose(self) -> None:
        current = self.current
        if current is not None:
            self.post_message(self.Chosen(self, current))

    def action_read(self) -> None:
        """Show what the row says, however long that is."""
        if self.current is not None:
            said = self._draw(self.current, WIDEST).plain.strip()
            self.app.push_screen(TextScreen("The whole row", BLANKS.sub("   ", said)))

    def find(self, matches: Callable[[Row], bool], direction: int) -> bool:
        """Move to the next row that matches, around the end. Tells whether there is one."""
        count = len(self._rows)
        for distance in range(1, count + 1):
            index = (self.cursor + direction * distance) % count
            if matches(self._rows[index]):
                self.cursor = index
                return True
        return False
