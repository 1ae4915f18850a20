"""Everything about one record of a trace, a row each; Enter follows a link or opens a long text."""

from textual.content import Content

from tracejury.tui.content import fitted, line
from tracejury.tui.detail_rows import Detail
from tracejury.tui.row_list import RowList


class DetailsPane(RowList[Detail]):
    """The details of the record under the cursor of the waterfall."""

    BINDING_GROUP_TITLE = "Details"

    def __init__(self) -> None:
        super().__init__(_detail_line, id="details", title="Details (Tab)")


def _detail_line(detail: Detail, width: int) -> Content:
    if not detail.value:
        return line((detail.name, "bold $text-accent"))
    name_width = max(12, min(width * 2 // 5, 26))
    return line(
        (fitted(detail.name, name_width), "$text-muted"),
        " ",
        (fitted(detail.value, max(width - name_width - 1, 1)), detail.style),
    )
