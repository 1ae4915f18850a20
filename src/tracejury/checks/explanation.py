"""What a check says about itself: the parts of its file's docstring beside its declarations."""

import re
import sys
from dataclasses import dataclass

from tracejury.checks.catalogue import all_checks, check_modules
from tracejury.checks.check import Check, Severity

PARTS = ("what", "why", "fix", "source")

_PART = re.compile(r"(What|Why|Fix|Source):\s*")


@dataclass(frozen=True, slots=True)
class Explanation:
    """One check as `explain` and the reference page show it. A part that it lacks is ''."""

    id: str
    title: str
    severity: Severity
    serves: tuple[str, ...]
    requires: tuple[str, ...]
    what: str
    why: str
    fix: str
    source: str
    task: int = 0  # of the audit's ten; 0: it judges the evidence itself


def all_explanations() -> tuple[Explanation, ...]:
    """Explain every check of this version, in the catalogue's order."""
    files = check_modules()
    return tuple(
        explain_check(check, sys.modules[files[check.id]].__doc__) for check in all_checks()
    )


def explain_check(check: Check, doc: str | None) -> Explanation:
    """Explain a check by the docstring of its file."""
    parts = parse_docstring(doc)
    return Explanation(
        id=check.id,
        title=check.title,
        severity=check.severity,
        serves=check.serves,
        requires=tuple(requirement.value for requirement in check.requires),
        what=parts["what"],
        why=parts["why"],
        fix=parts["fix"],
        source=parts["source"],
        task=check.task,
    )


def parse_docstring(doc: str | None) -> dict[str, str]:
    """Split a docstring into its parts; a paragraph without a name continues the part before."""
    found: dict[str, list[str]] = {part: [] for part in PARTS}
    current: list[str] = []  # the title and what else stands before the first part is none of them
    for paragraph in re.split(r"\n\s*\n", doc or ""):
        text = " ".join(paragraph.split())
        if named := _PART.match(text):
            current = found[named[1].lower()]
            text = text[named.end() :]
        current.append(text)
    return {part: "\n\n".join(paragraphs).strip() for part, paragraphs in found.items()}
