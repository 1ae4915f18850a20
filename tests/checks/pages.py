"""Example pages: Markdown in which a sentence and the fenced blocks below it are one test."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent

_BLOCKS: Final = (
    "trace", "logs", "counts", "metrics", "alerts", "faults", "rows", "config", "baseline",
    "findings",
)  # fmt: skip
_PART: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class PageError(Exception):
    """An example page that the grammar does not know."""


@dataclass(frozen=True, slots=True)
class Example:
    """One example of a page: the sentence above it, and the text of its blocks by name."""

    check: str  # area/file of the check, without a suffix
    sentence: str
    blocks: dict[str, str]

    @property
    def expected(self) -> str:
        """The outcome, and the reason behind a colon."""
        return self.blocks["findings"].splitlines()[0]

    @property
    def messages(self) -> list[str]:
        """What must be found, one message a line, in order."""
        lines = self.blocks["findings"].splitlines()[1:]
        return [line for line in lines if not line.startswith("note: ")]

    @property
    def note(self) -> str | None:
        """What the judgement must say beside; None: whatever it says."""
        lines = self.blocks["findings"].splitlines()
        return next((line[6:] for line in lines if line.startswith("note: ")), None)


def read_page(path: Path) -> Iterator[Example]:
    """The examples of the page at `path`, in order. A title is no sentence."""
    check = path.relative_to(FOLDER).with_suffix("").as_posix()
    text = path.read_text(encoding="utf-8")
    sentence, blocks, at = "", dict[str, str](), 0
    for part in _PART.finditer(text):
        if prose := _last_paragraph(text[at : part.start()]):
            if blocks:
                yield _example(check, sentence, blocks)
            sentence, blocks = prose, {}
        if part[1] not in _BLOCKS or part[1] in blocks:
            raise PageError(f"{check}: {sentence} A block {part[1]!r} is not expected here.")
        blocks[part[1]] = part[2]
        at = part.end()
    if blocks:
        yield _example(check, sentence, blocks)


def _last_paragraph(text: str) -> str:
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", text)]
    prose = [paragraph for paragraph in paragraphs if paragraph and not paragraph.startswith("#")]
    return prose[-1] if prose else ""


def _example(check: str, sentence: str, blocks: dict[str, str]) -> Example:
    if not sentence or "findings" not in blocks:
        raise PageError(f"{check}: an example is a sentence and blocks, the last one findings.")
    return Example(check, sentence, blocks)
