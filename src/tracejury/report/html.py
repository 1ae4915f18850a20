"""Write an audit as one HTML file that asks for nothing: no script, no network, no other file.

The page says what the Markdown report says, from the same sections, with the charts beside them.
"""

from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from xml.etree.ElementTree import Element, indent, tostring

from tracejury import __version__
from tracejury.report.chart_graph import graph_charts
from tracejury.report.chart_score import score_chart
from tracejury.report.chart_success import success_chart
from tracejury.report.chart_timing import timing_chart
from tracejury.report.chart_waterfall import waterfall_chart
from tracejury.report.element import element
from tracejury.report.headlines import verdict_sentence
from tracejury.report.section import Cell, Entry, Group, Section, Table
from tracejury.report.template import TITLE, heading, sections
from tracejury.report.words import VERDICTS, Mark
from tracejury.scorecard.result import Audit
from tracejury.telemetry.numbers import counted

# Sections that are long and that few read from end to end.
FOLDED = frozenset(("clauses", "undecided", "timing", "calls", "missing", "services", "bounds"))
_WIDE = 5  # columns from which on a table needs more room than a telephone has

_SHORT = 16  # characters that need no second line

_LOOKS = {"PASS": "pass", "FAIL": "fail", "PARTIAL": "partial", "CANNOT_JUDGE": "not-observed"}


def render_html(audit: Audit) -> str:
    """Write the whole page."""
    shown = sections(audit)
    charts = _charts(audit)
    page = element(
        "html",
        _head(audit),
        element(
            "body",
            element("a", "Skip to the report", href="#report", class_="skip"),
            _header(audit),
            _contents(shown),
            element("main", *(_section(s, charts.get(s.id, [])) for s in shown), id="report"),
            element("footer", f"Written by tracejury {__version__}. No script, no network."),
        ),
        lang="en",
    )
    indent(page, space=" ")
    return f"<!DOCTYPE html>\n{tostring(page, encoding='unicode', method='html')}\n"


@cache
def _style() -> str:
    return files("tracejury.report").joinpath("html.css").read_text(encoding="utf-8")


def _head(audit: Audit) -> Element:
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    (_, system), *_ = heading(audit)
    style = Element("style")
    style.text = _style()  # our own, and no text of the run
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", **{"http-equiv": "Content-Security-Policy"}, content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{VERDICTS[audit.verdict].text}: {TITLE} of {system}"),
        style,
    )


def _header(audit: Audit) -> Element:
    verdict = VERDICTS[audit.verdict]
    facts = [part for name, value in heading(audit) for part in _fact(name, value)]
    return element(
        "header",
        element("h1", TITLE),
        element("dl", *facts),
        element(
            "div",
            element("strong", f"{verdict.mark} {verdict.text}"),
            element("p", verdict_sentence(audit)),
            score_chart(audit),
            class_=f"verdict {_LOOKS[audit.verdict]}",
        ),
    )


def _fact(name: str, value: str) -> tuple[Element, Element]:
    return element("dt", name), element("dd", value)


def _contents(shown: tuple[Section, ...]) -> Element:
    links = (element("li", element("a", s.title, href=f"#{s.id}")) for s in shown)
    return element("nav", element("ul", *links), aria_label="Sections")


def _charts(audit: Audit) -> dict[str, list[Element]]:
    """The charts by the section that they stand in."""
    return {
        "harm": [found for found in [success_chart(audit)] if found is not None],
        "inventory": graph_charts(audit),
        "findings": [found for found in [waterfall_chart(audit)] if found is not None],
        "timing": [found for found in [timing_chart(audit)] if found is not None],
    }


def _section(section: Section, charts: list[Element]) -> Element:
    parts = [
        *(_table(table, section) for table in section.tables if table.rows),
        *(part for group in section.groups for part in _group(group)),
    ]
    if section.steps:
        items = (
            element("li", element("code", step.command), f" {step.gives}") for step in section.steps
        )
        parts.append(element("ul", *items, class_="steps"))
    if section.id in FOLDED:
        rows = sum(len(table.rows) for table in section.tables)
        parts = [element("details", element("summary", f"Show {counted(rows, 'row')}"), *parts)]
    return element(
        "section",
        element("h2", section.title, id=section.id),
        *(element("p", said) for said in section.says),
        *charts,
        *parts,
        aria_labelledby=section.id,
    )


def _table(table: Table, section: Section) -> Element:
    width = "wide" if len(table.header) >= _WIDE else None
    made = element(
        "table",
        element("caption", table.caption),
        element(
            "thead", element("tr", *(element("th", name, scope="col") for name in table.header))
        ),
        element("tbody", *map(_row, table.rows)),
        class_=width,
    )
    return element(
        "div",
        made,
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=f"Table: {section.title}",
    )


def _row(cells: tuple[Cell, ...]) -> Element:
    first, *others = cells
    said = str(first)
    width = "short" if len(said) <= _SHORT else None
    return element("tr", element("th", said, scope="row", class_=width), *map(_cell, others))


def _cell(cell: Cell) -> Element:
    if isinstance(cell, Mark):
        return element("td", element("span", str(cell), class_=f"mark {cell.outcome}"))
    if isinstance(cell, int):
        return element("td", f"{cell:,}", class_="number")
    return element("td", cell)


def _group(group: Group) -> Iterator[Element]:
    yield element("h3", group.title)
    yield from map(_entry, group.entries)


def _entry(entry: Entry) -> Element:
    items = (
        element(
            "li",
            item.text,
            element("ul", *(element("li", place) for place in item.places))
            if item.places
            else None,
        )
        for item in entry.items
    )
    return element(
        "article",
        element("h4", entry.title),
        element("p", entry.about),
        element("ul", *items),
        element("p", f"Note: {entry.note}") if entry.note else None,
        element("p", element("b", "Remedy: "), entry.remedy) if entry.remedy else None,
    )
