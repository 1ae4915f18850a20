"""Write an audit as the audit template has it, in Markdown."""

from collections.abc import Iterator

from tracejury.report.headlines import verdict_sentence
from tracejury.report.markdown_text import bullets, code, escaped, table
from tracejury.report.section import Entry, Section
from tracejury.report.template import TITLE, heading, sections
from tracejury.report.words import VERDICTS
from tracejury.scorecard.result import Audit


def render_markdown(audit: Audit) -> str:
    """Write the report with every section that has something to say."""
    return "\n".join([*_head(audit), *(part for s in sections(audit) for part in _section(s))])


def _head(audit: Audit) -> Iterator[str]:
    yield f"# {TITLE}\n"
    yield bullets(f"{name}: {value}" for name, value in heading(audit))
    verdict = VERDICTS[audit.verdict]
    yield f"## Verdict: {verdict.mark} {verdict.text}\n"
    yield f"{escaped(verdict_sentence(audit))}\n"


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}\n"
    for said in section.says:
        yield f"{escaped(said)}\n"
    for shown in section.tables:
        if shown.rows:
            yield table(shown.header, shown.rows)
    for group in section.groups:
        yield f"### {group.title}\n"
        for entry in group.entries:
            yield from _entry(entry)
    if section.steps:
        yield "".join(f"- {code(step.command)}: {escaped(step.gives)}\n" for step in section.steps)


def _entry(entry: Entry) -> Iterator[str]:
    yield f"#### {escaped(entry.title)}\n"
    yield f"{escaped(entry.about)}\n"
    items = (bullets([item.text]) + bullets(item.places, indent=2) for item in entry.items)
    yield "".join(items)
    if entry.note:
        yield f"Note: {escaped(entry.note)}\n"
    if entry.remedy:
        yield f"**Remedy:** {escaped(entry.remedy)}\n"
