"""Build HTML and SVG as a tree, so that no text can be markup and no element is left open."""

from xml.etree.ElementTree import Element

from tracejury.telemetry.safe_text import safe_text

Child = Element | str | None


def element(tag: str, *children: Child, **attributes: object) -> Element:
    """Make an element; text and attributes are made safe to show, `None` is left out.

    A trailing underscore avoids Python's own words (`class_`), others stand for hyphens.
    """
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.removesuffix("_").replace("_", "-"), safe_text(_said(value)))
    for child in children:
        _append(made, child)
    return made


def _said(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def _append(parent: Element, child: Child) -> None:
    if isinstance(child, Element):
        parent.append(child)
    elif child is not None and len(parent):
        parent[-1].tail = (parent[-1].tail or "") + safe_text(child)
    elif child is not None:
        parent.text = (parent.text or "") + safe_text(child)
