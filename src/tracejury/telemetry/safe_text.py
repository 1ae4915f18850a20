"""Make text that came from outside safe to show: what could steer a screen becomes visible.

Every screen and every report passes what telemetry says through `safe_text`. Markup of the target
(rich, HTML, Markdown, spreadsheets) is another matter: each writer escapes its own.
"""

import re

_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}

# Controls, and characters that reorder, hide or break what stands around them.
UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction
    "\u2028\u2029"  # line and paragraph separators
    "\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # seen by nobody
    "\ud800-\udfff"  # halves of a pair: no UTF-8 file can hold them
    "\ufffe\uffff"  # no characters at all: no XML file can hold them
    "]"
)


def safe_text(text: str) -> str:
    r"""Replace every unsafe character by a visible escape: ESC reads `\x1b`, a newline `\n`."""
    return UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
