"""What every chart has: title and description for who cannot see it, a frame, clipped labels."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from tracejury.report.element import element

WIDTH = 760
ROW = 24
_CHARACTER = 6.4  # width of one at the charts' size of type, with room to spare


def chart(name: str, title: str, says: str, height: float, parts: Sequence[Element]) -> Element:
    """Draw the parts in a figure that scrolls where the screen is narrower than the chart."""
    drawing = element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", says, id=f"{name}-desc"),
        *parts,
        viewBox=f"0 0 {WIDTH} {height:.0f}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )
    frame = element(
        "div", drawing, class_="scroll", tabindex=0, role="region", aria_label=f"Chart: {title}"
    )
    return element("figure", frame, element("figcaption", f"{title}. {says}"))


def label(
    text: str,
    x: float,
    y: float,
    *,
    room: float = WIDTH,
    anchor: str = "start",
    class_: str = "",
) -> Element:
    """Write a text, clipped to its room; the whole of it is its title."""
    most = max(3, int(room / _CHARACTER))
    is_clipped = len(text) > most
    return element(
        "text",
        element("title", text) if is_clipped else None,
        f"{text[: most - 1]}…" if is_clipped else text,
        x=x,
        y=y,
        text_anchor=anchor if anchor != "start" else None,
        class_=class_ or None,
    )


def bar(x: float, y: float, width: float, class_: str, *, height: float = 14) -> Element:
    """Draw a bar that is seen even where it is nothing to speak of."""
    return element("rect", x=x, y=y, width=max(width, 1.5), height=height, rx=2, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Element:
    """Draw a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)
