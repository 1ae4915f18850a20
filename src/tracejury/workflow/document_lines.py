"""On which line of a JSON or TOML document each key and entry begins, for messages about them.

The document was read already: this follows its brackets and keys, and refuses nothing.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

Path = tuple[str | int, ...]

_JSON: Final = re.compile(r'"(?:\\.|[^"\\])*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)
_TOML: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
    r"|\#[^\n]*|\n|[\[\]{}=,.]|[^\s\[\]{}=,.\#\"']+",
    re.DOTALL,
)


@dataclass(slots=True)
class _Open:
    """A list or table whose end was not met yet."""

    path: Path
    is_list: bool
    index: int = 0
    key: list[str] = field(default_factory=list)
    has_key: bool = False

    @property
    def wants_key(self) -> bool:
        """Whether what comes next is a key, or the end of the table."""
        return not self.is_list and not self.has_key

    def place(self) -> Path:
        """What stands here: the entry of a list, or the value of the key."""
        return (*self.path, self.index) if self.is_list else (*self.path, *self.key)


def lines_of(text: str, *, is_toml: bool) -> dict[Path, int]:
    """The line, from 1, of each key and entry by its path of keys and positions."""
    found: dict[Path, int] = {}
    tokens = _tokens(_TOML if is_toml else _JSON, text)
    if is_toml:
        _follow_toml(tokens, found)
    else:
        _follow_value(tokens, (), found)
    return found


def _tokens(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, int]]:
    line, upto = 1, 0
    for match in pattern.finditer(text):
        line += text.count("\n", upto, match.start())
        upto = match.start()
        if not match.group().startswith("#"):
            yield match.group(), line


def _follow_toml(tokens: Iterator[tuple[str, int]], found: dict[Path, int]) -> None:
    """Statements: `[table]`, `[[list of tables]]`, and `key = value`."""
    table: Path = ()
    entries: dict[Path, int] = {}
    for token, line in tokens:
        if token == "\n":
            continue
        if token == "[":
            header, is_list = _header(tokens)
            table = _resolved(header, entries, is_new=is_list)
            found[table] = line
            continue
        key, is_assignment = [token], False
        for part, _ in tokens:
            is_assignment = part == "="
            if is_assignment:
                break
            key.append(part)
        if is_assignment:
            path = (*table, *_keys(key))
            found[path] = line
            _follow_value(tokens, path, found)


def _header(tokens: Iterator[tuple[str, int]]) -> tuple[list[str], bool]:
    parts = []
    for token, _ in tokens:
        if token == "\n":
            break
        parts.append(token)
    is_list = parts[:1] == ["["]
    return _keys([part for part in parts if part not in "[]"]), is_list


def _resolved(header: list[str], entries: dict[Path, int], *, is_new: bool) -> Path:
    """The path of a header: of each list of tables on the way the latest entry."""
    path: Path = ()
    for number, key in enumerate(header):
        path = (*path, key)
        if is_new and number == len(header) - 1:
            entries[path] = entries.get(path, -1) + 1
        if path in entries:
            path = (*path, entries[path])
    return path


def _follow_value(tokens: Iterator[tuple[str, int]], path: Path, found: dict[Path, int]) -> None:
    """One value to its end: of a plain one the end of its line, or of the document."""
    stack: list[_Open] = []
    for token, line in tokens:
        if token == "\n":
            if not stack:
                return
        elif stack and stack[-1].wants_key:
            _take_key(stack, token, line, found)
        else:
            _take_value(stack, token, line, path, found)
        if not stack and token in "]}":
            return


def _take_value(
    stack: list[_Open], token: str, line: int, path: Path, found: dict[Path, int]
) -> None:
    inside = stack[-1] if stack else None
    place = inside.place() if inside else path
    if token in "[{":
        found.setdefault(place, line)
        stack.append(_Open(place, is_list=token == "["))
    elif token in "]}":
        stack.pop()
    elif token == ",":
        _next(inside)
    elif inside is not None and inside.is_list:
        found.setdefault(place, line)


def _take_key(stack: list[_Open], token: str, line: int, found: dict[Path, int]) -> None:
    inside = stack[-1]
    if token == "}":
        stack.pop()
    elif token in ":=":
        inside.key, inside.has_key = _keys(inside.key), True
        found[inside.place()] = line
    elif token != ",":
        inside.key.append(token)


def _next(inside: _Open | None) -> None:
    if inside is not None:
        inside.index += 1
        inside.key, inside.has_key = [], False


def _keys(tokens: list[str]) -> list[str]:
    """The keys of `a."b".c`, as they are meant."""
    return [_meant(token) for token in tokens if token != "."]


def _meant(token: str) -> str:
    if token[:1] not in ("'", '"'):
        return token
    # What JSON escapes, TOML escapes likewise, but for the slash.
    try:
        return str(tomllib.loads(f"x = {token}".replace("\\/", "/"))["x"])
    except tomllib.TOMLDecodeError:
        return token[1:-1]
