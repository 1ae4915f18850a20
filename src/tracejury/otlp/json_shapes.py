"""Where parsed JSON may have lost something: a list or an object that was something else.

`from_json` fills nulls for `"spans": {}` and `"status": "ERROR"` as it does for what is absent. So
the places with nothing in them are looked up in the text again, and only those.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc


def doubtful_paths(parsed: pa.Array) -> dict[str, str]:
    """Of a parsed column, each JSON path where something lacks, with the JSON type it must have."""
    doubtful: dict[str, str] = {}
    waiting = [(parsed, "$")]
    while waiting:
        column, path = waiting.pop()
        if pa.types.is_list(column.type):
            if column.null_count:
                doubtful[path] = "ARRAY"
            waiting.append((pc.list_flatten(column), f"{path}[*]"))
        elif pa.types.is_struct(column.type):
            if _has_bare(column):
                doubtful[path] = "OBJECT"
            waiting += [(child, f"{path}.{name}") for name, child in _members(column)]
    return doubtful


def _members(structs: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    present = structs.drop_null() if structs.null_count else structs
    for member in present.type:
        yield member.name, present.field(member.name)


def _has_bare(structs: pa.Array) -> bool:
    """Whether there are objects in which no known field was found."""
    bare = None
    for _, member in _members(structs):
        if not member.null_count:
            return False
        bare = member.is_null() if bare is None else pc.and_(bare, member.is_null())
    return bool(pc.any(bare).as_py())
