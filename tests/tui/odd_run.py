"""A trace of every odd shape: cycle, self-parent, twins, orphans, no end, links, logs."""

from tests.tui.requests import Log, Span

ODD_TRACE, LINKED_TRACE = 7, 8

ODD = (
    Span(1, name="root", trace=ODD_TRACE, end=100, service="web"),
    Span(2, 1, name="good", trace=ODD_TRACE, start=5, end=20),
    Span(3, 1, name="bad", trace=ODD_TRACE, start=20, end=60, is_error=True, event="exception"),
    Span(4, 3, name="endless", trace=ODD_TRACE, start=30, end=None),
    Span(5, 3, name="backwards", trace=ODD_TRACE, start=40, end=35),
    Span(10, 11, name="cycle a", trace=ODD_TRACE, start=50, end=51),
    Span(11, 12, name="cycle b", trace=ODD_TRACE, start=51, end=52),
    Span(12, 10, name="cycle c", trace=ODD_TRACE, start=52, end=53),
    Span(13, 12, name="below the cycle", trace=ODD_TRACE, start=53, end=54),
    Span(14, 14, name="its own parent", trace=ODD_TRACE, start=55, end=56),
    Span(20, 1, name="first twin", trace=ODD_TRACE, start=60, end=61),
    Span(20, 1, name="second twin", trace=ODD_TRACE, start=61, end=62, service="web"),
    Span(21, 20, name="child of twins", trace=ODD_TRACE, start=62, end=63),
    Span(30, 99, name="orphan one", trace=ODD_TRACE, start=70, end=80),
    Span(31, 99, name="orphan two", trace=ODD_TRACE, start=72, end=82),
    Span(
        40,
        1,
        name="linking",
        trace=ODD_TRACE,
        start=90,
        end=95,
        links=((LINKED_TRACE, 50), (13, 456)),
        attributes={"http.route": "/jobs", "job.id": "job-7", "long": "line one\nline two"},
    ),
    Span(50, name="linked", trace=LINKED_TRACE, start=200, end=300, service="consumer"),
)
ODD_LOGS = (
    Log("all is well", trace=ODD_TRACE, span=2, at=10),
    Log("it broke", trace=ODD_TRACE, span=3, at=45, severity=17),
    Log("I was there", trace=ODD_TRACE, span=99, at=75, severity=13),
    Log("nobody's", trace=ODD_TRACE, at=77),
)
