"""The HTML report is one safe file that everybody can read."""

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from tests.report.example_audit import EMPTY, EXAMPLE
from tests.report.hostile_audit import HOSTILE, hostile

from tracejury.report.chart_graph import graph_charts
from tracejury.report.html import render_html
from tracejury.scorecard.result import Audit, CallEdge

VOID = frozenset(("meta",))
DRAWN = frozenset(("svg", "title", "desc", "g", "rect", "line", "path", "text"))
Attributes = dict[str, str | None]


class Page(HTMLParser):
    """Every element with its attributes and the elements it stands in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, Attributes, tuple[str, ...]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.append((self.open[-1], data))

    def all(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes, _ in self.elements if name == tag]


PAGES = {"example": EXAMPLE, "empty": EMPTY, "hostile": hostile()}


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest) -> Page:
    return Page(render_html(PAGES[request.param]))


def test_every_element_ends_and_nothing_could_run_or_load(page: Page) -> None:
    assert page.open == []
    names = {tag for tag, _, _ in page.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "use"}
    for _, attributes, _ in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        assert not {"src", "style", "xlink:href", "action"} & attributes.keys()
        assert str(attributes.get("href", "#")).startswith("#")


def test_the_page_forbids_scripts_and_the_network_and_allows_its_own_style_alone(
    page: Page,
) -> None:
    [policy] = [m for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    [(_, style)] = [text for text in page.texts if text[0] == "style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in style
    assert "@import" not in style


def test_who_cannot_see_it_is_told(page: Page) -> None:
    assert page.all("html")[0]["lang"] == "en"
    assert [len(page.all(tag)) for tag in ("header", "nav", "main", "footer", "h1")] == [1] * 5
    ids = Counter(a["id"] for _, a, _ in page.elements if "id" in a)
    assert set(ids.values()) == {1}
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(th["scope"] in ("col", "row") for th in page.all("th"))
    for svg in page.all("svg"):
        assert svg["role"] == "img"
        assert set(str(svg["aria-labelledby"]).split()) <= ids.keys()
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert all(below <= above + 1 for above, below in pairwise(levels))
    targets = {str(a["href"]).removeprefix("#") for a in page.all("a")}
    assert targets <= ids.keys()


def outline(page: Page) -> list[str]:
    """The elements outside of drawings, in which a clipped label gains a title."""
    return [tag for tag, _, inside in page.elements if "svg" not in inside]


@pytest.mark.parametrize("prefix", ["", "</style><script>", "--> ", '"><svg onload=x>'])
def test_telemetry_cannot_change_the_structure_of_the_page(prefix: str) -> None:
    found, plain = Page(render_html(hostile(prefix))), Page(render_html(EXAMPLE))
    assert outline(found) == outline(plain)
    assert {tag for tag, _, inside in found.elements if "svg" in inside} <= DRAWN
    [(_, style)] = [text for text in found.texts if text[0] == "style"]
    looks = {name for _, a, _ in found.elements for name in (a.get("class") or "").split()}
    assert [name for name in looks if f".{name}" not in style] == []
    said = "".join(text for _, text in found.texts)
    assert f"{prefix}{HOSTILE[:20]}" in said
    assert "<script>alert(1)</script>" in said


def colours(style: str, dark: bool) -> dict[str, str]:
    light_rules, dark_rules = style.split("@media (prefers-color-scheme: dark)")
    light = dict(re.findall(r"--(\w+): (#\w{6})", light_rules))
    return light | dict(re.findall(r"--(\w+): (#\w{6})", dark_rules)) if dark else light


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_every_colour_of_text_stands_out_from_what_it_stands_on(dark: bool) -> None:
    [(_, style)] = [text for text in Page(render_html(EMPTY)).texts if text[0] == "style"]
    known = colours(style, dark)
    for ground in ("page", "panel"):
        for text in ("text", "muted", "pass", "fail", "warn", "info"):
            light, low = sorted((luminance(known[text]), luminance(known[ground])), reverse=True)
            assert (light + 0.05) / (low + 0.05) >= 4.5, (text, ground)


def edges(*pairs: str) -> Audit:
    found = tuple(CallEdge("w", pair[0], pair[1], False, False, 1, 0) for pair in pairs)
    return Audit(**{name: getattr(EMPTY, name) for name in FIELDS} | {"call_edges": found})


FIELDS = [name for name in Audit.__dataclass_fields__ if name != "call_edges"]


@pytest.mark.parametrize("pairs", [("aa",), ("ab", "ba"), ("ab", "bc", "ca", "cd"), ("ab", "ac")])
def test_a_graph_is_drawn_inside_its_frame_whatever_its_shape(pairs: tuple[str, ...]) -> None:
    [figure] = graph_charts(edges(*pairs))
    [drawing] = figure.iter("svg")
    width, height = map(float, drawing.attrib["viewBox"].split()[2:])
    boxes = [rect.attrib for rect in drawing.iter("rect")]
    assert len(boxes) == len(set("".join(pairs)))
    for box in boxes:
        assert 0 <= float(box["x"]) <= width - float(box["width"]) + 0.1
        assert 0 <= float(box["y"]) <= height - float(box["height"])
    assert len({(box["x"], box["y"]) for box in boxes}) == len(boxes)
