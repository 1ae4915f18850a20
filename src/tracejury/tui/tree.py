"""A tree as a list of rows from the top down: which rows show when some are folded or left out."""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, NamedTuple, TypeVar

Record = TypeVar("Record")


class Node(NamedTuple, Generic[Record]):
    """One row: `size` counts it and all rows below it. A tuple, for there may be very many."""

    record: Record
    depth: int
    size: int


def nodes(rows: Sequence[tuple[Record, int]]) -> tuple[Node[Record], ...]:
    """Make nodes of records with their depths, in order from the top down."""
    size = [1] * len(rows)
    above: list[int] = []
    for index, (_, depth) in enumerate(rows):
        while above and rows[above[-1]][1] >= depth:
            top = above.pop()
            size[top] = index - top
        above.append(index)
    for index in above:
        size[index] = len(rows) - index
    return tuple(
        Node(record, depth, length) for (record, depth), length in zip(rows, size, strict=True)
    )


def unfolded(
    tree: Sequence[Node[Record]], folded: set[Hashable], key: Callable[[Record], Hashable]
) -> list[Node[Record]]:
    """Give the rows of which nothing above is folded."""
    if not folded:
        return list(tree)
    shown, index = [], 0
    while index < len(tree):
        node = tree[index]
        shown.append(node)
        index += node.size if key(node.record) in folded else 1
    return shown


def with_ancestors(
    tree: Sequence[Node[Record]], wanted: Callable[[Record], bool]
) -> tuple[Node[Record], ...]:
    """Keep the rows that are wanted, and those above them; sizes are counted again."""
    matches = [wanted(node.record) for node in tree]
    so_far = [0]
    for match in matches:
        so_far.append(so_far[-1] + match)
    return nodes(
        [
            (node.record, node.depth)
            for index, node in enumerate(tree)
            if so_far[index + node.size] > so_far[index]
        ]
    )
