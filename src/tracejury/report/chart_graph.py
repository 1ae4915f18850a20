"""Who calls whom in a workflow, drawn from left to right."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import networkx as nx

from tracejury.report.chart import WIDTH, chart, label
from tracejury.report.element import element
from tracejury.scorecard.result import Audit, CallEdge
from tracejury.telemetry.numbers import counted, either

WORKFLOWS_SHOWN = 4
EDGES_SHOWN = 40
_WIDTH = 138.0
_HEIGHT = 34.0
_GAP = 20.0
_LEVEL = 96.0
_APART = 15.0  # arrows that arrive at one box, each with its label


@dataclass(frozen=True, slots=True)
class _Node:
    name: str
    x: float
    y: float
    height: float
    is_external: bool

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def graph_charts(audit: Audit) -> list[Element]:
    """Draw the workflows with most failures; those that call nobody are left out."""
    failed = {workflow.name: (workflow.failed, workflow.instances) for workflow in audit.workflows}
    names = dict.fromkeys(edge.workflow for edge in audit.call_edges)
    worst = sorted(names, key=lambda name: failed.get(name, (0, 0)), reverse=True)
    return [
        _graph(number, name, [edge for edge in audit.call_edges if edge.workflow == name])
        for number, name in enumerate(worst[:WORKFLOWS_SHOWN], 1)
    ]


def _graph(number: int, workflow: str, edges: list[CallEdge]) -> Element:
    shown = sorted(edges, key=lambda edge: (-edge.failed, -edge.calls))[:EDGES_SHOWN]
    nodes = _laid_out(shown)
    height = max(node.y + node.height for node in nodes.values()) + 12
    arrows = [part for edge, at in _arrivals(shown, nodes) for part in _arrow(nodes, edge, at)]
    more = len(edges) - len(shown)
    said = "Arrows carry the number of calls or messages; dashed boxes send no telemetry" + (
        f"; {counted(more, 'further pair')} {either(more, 'is', 'are')} not drawn" if more else ""
    )
    parts = [*arrows, *map(_box, nodes.values())]
    return chart(f"graph-{number}", f"Who calls whom in {workflow}", said, height, parts)


def _laid_out(edges: list[CallEdge]) -> dict[str, _Node]:
    """A column for each step away from where the workflow begins."""
    layers = _layers(edges)
    columns: dict[int, list[str]] = {}
    for name, layer in layers.items():
        columns.setdefault(layer, []).append(name)
    external = {edge.target for edge in edges if edge.is_external}
    arriving = Counter(edge.target for edge in edges)
    heights = {name: max(_HEIGHT, _APART * arriving[name] + 8) for name in layers}
    last = max(columns)
    apart = (WIDTH - _WIDTH) / last if last else 0.0
    filled = {
        column: sum(heights[name] + _GAP for name in names) for column, names in columns.items()
    }
    nodes = {}
    for column, names in columns.items():
        y = 8 + (max(filled.values()) - filled[column]) / 2
        for name in names:
            nodes[name] = _Node(name, column * apart, y, heights[name], name in external)
            y += heights[name] + _GAP
    return nodes


def _layers(edges: list[CallEdge]) -> dict[str, int]:
    """The longest way to each from where nobody calls it; who calls nobody stands last.

    Those that call each other stand together.
    """
    graph = nx.DiGraph((edge.service, edge.target) for edge in edges)
    whole = nx.condensation(graph)
    generations = list(nx.topological_generations(whole))
    return {
        name: layer if graph.out_degree(name) else len(generations) - 1
        for layer, components in enumerate(generations)
        for component in components
        for name in sorted(whole.nodes[component]["members"])
    }


def _arrivals(edges: list[CallEdge], nodes: dict[str, _Node]) -> Iterator[tuple[CallEdge, float]]:
    """Where each arrow comes to its target, one below the other as they come."""
    for name, node in nodes.items():
        mine = [edge for edge in edges if edge.target == name]
        mine.sort(key=lambda edge: (nodes[edge.service].middle, edge.service))
        top = node.middle - _APART * (len(mine) - 1) / 2
        for number, edge in enumerate(mine):
            yield edge, top + _APART * number


def _arrow(nodes: dict[str, _Node], edge: CallEdge, y2: float) -> tuple[Element, Element]:
    """A curve to the right, or round on the right-hand side of both, and its label at the end."""
    source, target = nodes[edge.service], nodes[edge.target]
    is_forward = target.x > source.x
    x1, y1 = source.x + _WIDTH, source.middle
    x2 = target.x if is_forward else target.x + _WIDTH
    tip = -6.0 if is_forward else 6.0
    # The last stretch is level, so that the label has a line to stand on.
    level = x2 - min(_LEVEL, (x2 - x1) / 2) if is_forward else x2 + 30.0
    bend = max(30.0, abs(level - x1) / 2)
    into = level - bend if is_forward else level + bend
    path = (
        f"M{x1:.1f},{y1:.1f} C{x1 + bend:.1f},{y1:.1f} {into:.1f},{y2:.1f} {level:.1f},{y2:.1f}"
        f" H{x2:.1f} m{tip:.1f},-4 l{-tip:.1f},4 l{tip:.1f},4"
    )
    looks = "edge failing" if edge.failed else "edge message" if edge.is_message else "edge"
    said = counted(edge.calls, "message" if edge.is_message else "call")
    said += f", {edge.failed:,} failed" if edge.failed else ""
    return (
        element("path", d=path, class_=looks),
        label(
            said,
            x2 + (-9.0 if is_forward else 9.0),
            y2 - 3,
            anchor="end" if is_forward else "start",
            class_="count failed" if edge.failed else "count",
        ),
    )


def _box(node: _Node) -> Element:
    return element(
        "g",
        element(
            "rect",
            x=node.x,
            y=node.y,
            width=_WIDTH,
            height=node.height,
            rx=5,
            class_="box external" if node.is_external else "box",
        ),
        label(node.name, node.x + _WIDTH / 2, node.middle + 4, room=_WIDTH - 10, anchor="middle"),
    )
