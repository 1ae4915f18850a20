"""Markdown from text that came from outside: no markup, link, mention or line break of its own."""

import re
from collections.abc import Callable, Iterable, Sequence

from tracejury.telemetry.safe_text import safe_text

_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# GitHub makes links of bare addresses and mentions of bare names.
_AUTOLINK = {"://": "&#58;//", "@": "&#64;", "www.": "www&#46;"}
_REPLACED = re.compile("|".join(re.escape(mark) for mark in (*_HTML, *_AUTOLINK)), re.IGNORECASE)
_MARKUP = re.compile(r"[\\`*{}\[\]|#~$!]|(?<![^\W_])_|_(?![^\W_])")
_BAR = re.compile(r"(?<!\\)\|")  # a cell ends at a bar even inside a code span
_BLOCK = re.compile(r"^([-+]|\d+(?=[.)](\s|$)))")


def escaped(text: str) -> str:
    """Escape any text, so that it reads inside a line as it was sent."""
    return _REPLACED.sub(_entity, _MARKUP.sub(r"\\\g<0>", safe_text(text)))


def prose(text: str) -> str:
    """Write text of our own: code spans stay code, the rest is escaped."""
    parts = re.split("(`[^`]+`)", text)
    return "".join(
        part if part.startswith("`") and len(part) > 1 else escaped(part) for part in parts
    )


def code(text: str) -> str:
    """Write text as a code span, fenced by more backticks than it has."""
    visible = safe_text(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", visible)), default=0))
    return f"{fence} {visible} {fence}" if len(fence) > 1 else f"`{visible}`"


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    written: Callable[[str], str] = escaped,
) -> str:
    """Write a table; every cell is escaped, unless it is our own and `written` another way."""
    lines = [header, ["---"] * len(header)]
    lines.extend([_BAR.sub(r"\|", written(str(cell))) for cell in row] for row in rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def bullets(items: Iterable[str], indent: int = 0) -> str:
    """Write a list of texts, each escaped."""
    sign = f"{' ' * indent}- "
    return "".join(f"{sign}{_BLOCK.sub(_unblocked, escaped(item.strip()))}\n" for item in items)


def _entity(match: re.Match[str]) -> str:
    found = match.group()
    if found.lower() == "www.":
        return f"{found[:-1]}&#46;"
    return (_HTML | _AUTOLINK)[found]


def _unblocked(match: re.Match[str]) -> str:
    # A number before a dot would start a list; the backslash goes before the dot.
    return f"{match[0]}\\" if match[0].isdigit() else f"\\{match[0]}"
