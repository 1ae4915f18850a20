"""A list whose rows lie below each other and can be folded."""

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, Generic

from textual.binding import Binding, BindingType
from textual.content import Content

from tracejury.tui.row_list import RowList
from tracejury.tui.tree import Node, Record, unfolded


class TreeList(RowList[Node[Record]], Generic[Record]):
    """Nodes of a tree; `key` names a record, so that it stays folded when the tree changes."""

    BINDING_GROUP_TITLE = "Tree"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "expand", "Unfold, or go down", show=False),
        Binding("left,h", "collapse", "Fold, or go up", show=False),
        Binding("space", "fold", "Fold or unfold", show=False),
        Binding("left_square_bracket", "expand_all", "Unfold all", key_display="[", show=False),
        Binding("right_square_bracket", "collapse_all", "Fold all", key_display="]", show=False),
    ]

    def __init__(
        self,
        draw: Callable[[Node[Record], int], Content],
        *,
        id: str,  # noqa: A002 - Textual's name
        title: str,
        key: Callable[[Record], Hashable],
        header: Callable[[int], Content] | None = None,
        empty: str = "",
    ) -> None:
        super().__init__(
            draw,
            id=id,
            title=title,
            key=lambda node: key(node.record),
            header=header,
            empty=empty,
        )
        self._name_of = key
        self._tree: Sequence[Node[Record]] = ()
        self._folded: set[Hashable] = set()

    def grow(self, tree: Sequence[Node[Record]], *, fold: bool = False) -> None:
        """Show another tree; `fold` closes all that lies below its tops."""
        self._tree = tree
        if fold:
            self._folded = self._parents()
        self._prune()

    def sign(self, node: Node[Record]) -> str:
        """Tell whether a row can be folded, and whether it is."""
        if node.size == 1:
            return " "
        return "▸" if self._name_of(node.record) in self._folded else "▾"

    def reveal(self, matches: Callable[[Record], bool]) -> bool:
        """Move to the first row that matches and unfold what hides it."""
        for index, node in enumerate(self._tree):
            if matches(node.record):
                self._unfold_above(index)
                name = self._name_of(node.record)
                shown = unfolded(self._tree, self._folded, self._name_of)
                at = next(i for i, row in enumerate(shown) if self._name_of(row.record) == name)
                self.show(shown, cursor=at)
                return True
        return False

    def _unfold_above(self, index: int) -> None:
        depth = self._tree[index].depth
        for above in range(index - 1, -1, -1):
            if self._tree[above].depth < depth:
                depth = self._tree[above].depth
                self._folded.discard(self._name_of(self._tree[above].record))

    def _parents(self) -> set[Hashable]:
        return {self._name_of(node.record) for node in self._tree if node.size > 1}

    def _prune(self) -> None:
        self.show(unfolded(self._tree, self._folded, self._name_of))

    def action_expand(self) -> None:
        node = self.current
        if node is None or node.size == 1:
            return
        if self._name_of(node.record) in self._folded:
            self._folded.discard(self._name_of(node.record))
            self._prune()
        else:
            self.cursor += 1

    def action_collapse(self) -> None:
        node = self.current
        if node is None:
            return
        if node.size > 1 and self._name_of(node.record) not in self._folded:
            self._folded.add(self._name_of(node.record))
            self._prune()
            return
        for index in range(self.cursor - 1, -1, -1):
            if self.rows[index].depth < node.depth:
                self.cursor = index
                return

    def action_fold(self) -> None:
        node = self.current
        if node is not None and node.size > 1:
            self._folded ^= {self._name_of(node.record)}
            self._prune()

    def action_expand_all(self) -> None:
        self._folded.clear()
        self._prune()

    def action_collapse_all(self) -> None:
        self._folded = self._parents()
        self._prune()
