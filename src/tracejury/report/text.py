"""Write an audit for a terminal: a scorecard of two screens, and behind it the details."""

from tracejury.report.terminal import PLAIN, Terminal, draw
from tracejury.report.text_details import details
from tracejury.report.text_scorecard import scorecard
from tracejury.scorecard.result import Audit


def render_text(audit: Audit, terminal: Terminal = PLAIN) -> str:
    """Write scorecard and details."""
    return draw([*scorecard(audit, terminal), *details(audit)], terminal)


def render_scorecard(audit: Audit, terminal: Terminal = PLAIN) -> str:
    """Write only the scorecard."""
    return draw(scorecard(audit, terminal), terminal)
