"""How the weight of the catalogue divides: passed, failed, not observed."""

from xml.etree.ElementTree import Element

from tracejury.report.chart import WIDTH
from tracejury.report.element import element
from tracejury.scorecard.result import Audit
from tracejury.telemetry.numbers import percent, points


def score_chart(audit: Audit) -> Element | None:
    """Draw one bar; None where nothing was judged."""
    if audit.score is None or audit.failed_share is None or audit.unobserved_share is None:
        return None
    shares = (
        ("passed", audit.score / 100, "s-pass"),
        ("failed", audit.failed_share, "s-fail"),
        ("not observed", audit.unobserved_share, "s-open"),
    )
    parts, x = [], 0.0
    for _, share, looks in shares:
        if share:
            parts.append(element("rect", x=x, y=0, width=share * WIDTH, height=22, class_=looks))
        x += share * WIDTH
    said = ", ".join(f"{name} {percent(share)}" for name, share, _ in shares)
    drawing = element(
        "svg",
        element("title", f"Score {points(audit.score)} of 100", id="score-title"),
        element("desc", f"Of the catalogue's weight: {said}", id="score-desc"),
        *parts,
        viewBox=f"0 0 {WIDTH} 22",
        preserveAspectRatio="none",
        role="img",
        aria_labelledby="score-title score-desc",
        class_="bar",
    )
    keys = (
        element("li", element("span", class_=f"key {looks}"), f"{name} {percent(share)}")
        for name, share, looks in shares
    )
    caption = f"Score {points(audit.score)} of 100, of the whole catalogue's weight"
    return element(
        "figure", drawing, element("ul", *keys, class_="keys"), element("figcaption", caption)
    )
