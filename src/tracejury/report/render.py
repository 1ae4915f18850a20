"""Write an audit in the format that was asked for."""

from collections.abc import Callable

from tracejury.errors import UsageError
from tracejury.report.csv import render_csv
from tracejury.report.html import render_html
from tracejury.report.json import render_json
from tracejury.report.junit import render_junit
from tracejury.report.markdown import render_markdown
from tracejury.report.sarif import render_sarif
from tracejury.report.terminal import PLAIN, Terminal
from tracejury.report.text import render_text
from tracejury.scorecard.result import Audit

_WRITERS: dict[str, Callable[[Audit], str]] = {
    "json": render_json,
    "markdown": render_markdown,
    "html": render_html,
    "csv": render_csv,
    "junit": render_junit,
    "sarif": render_sarif,
}

FORMATS = ("text", *_WRITERS)


def render(audit: Audit, format: str, *, terminal: Terminal = PLAIN) -> str:  # noqa: A002
    """Write the audit; only text cares about the terminal it is written to."""
    if format == "text":
        return render_text(audit, terminal)
    if format not in _WRITERS:
        raise UsageError(
            f"{format!r} is no format of a report.",
            next_step=f"Choose one of {', '.join(FORMATS)}.",
        )
    return _WRITERS[format](audit)
