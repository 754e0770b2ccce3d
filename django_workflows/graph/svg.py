"""A layout as SVG: attributes and classes, no style attribute, no script, no id.

Colours are graph.css's. The attributes say enough for a program that knows no CSS.
Whatever a definition brings is escaped; a status is told by a class and by a sign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files

from django_workflows import resources
from django_workflows.asl.definition import Map, State, Task
from django_workflows.graph import labels, text
from django_workflows.graph.layout import (
    CAPTION_LINE,
    CAPTION_SIZE,
    ICON_WIDTH,
    LABEL_LINE,
    LABEL_SIZE,
    NAME_LINE,
    NAME_SIZE,
    Edge,
    EdgeKind,
    Label,
    Layout,
    Marker,
    Node,
    Point,
    Scope,
    header_height,
)
from django_workflows.graph.statuses import NodeStatus, Status

#: The sign of each type, in a square of 16.
_ICONS = {
    "Task": "M9 1.5 3.5 9H8l-1 5.5L12.5 7H8z",
    "approval": "M8 2a3 3 0 1 1 0 6a3 3 0 1 1 0-6M2.5 14.5c0-6.5 11-6.5 11 0z",
    "callback": "M1.5 3.5h13v9h-13zM1.5 4 8 9l6.5-5",
    "Pass": "M2 8h11M9 4l4 4-4 4",
    "Wait": "M8 1.5a6.5 6.5 0 1 1 0 13a6.5 6.5 0 1 1 0-13M8 4.5V8l2.5 2",
    "Choice": "M8 1.5 14.5 8 8 14.5 1.5 8z",
    "Parallel": "M3.5 2v12M8 2v12M12.5 2v12",
    "Map": "M2 5h9v9H2zM5 5V2h9v9h-3",
    "Succeed": "M2.5 8.5l4 4 7-9",
    "Fail": "M3 3l10 10M13 3 3 13",
}
#: The sign of each status, in a square of 16 with the origin in its middle.
_SIGNS = {
    Status.RUNNING: "M-2.5-4 4 0-2.5 4z",
    Status.WAITING: "M-2.5-4v8M2.5-4v8",
    Status.SUCCEEDED: "M-4 0.5l2.8 3L4-3.5",
    Status.FAILED: "M-3.2-3.2l6.4 6.4M3.2-3.2l-6.4 6.4",
    Status.CAUGHT: "M-4 3.5c0-7 7-7 7-1.5M0.5 0 3 2.8 5.2-0.2",
    Status.ABORTED: "M-3-3h6v6h-6z",
}
_RETRY = "M12 5.5A5 5 0 1 0 13 9M12.5 2v4h-4"
_CORNER = 6.0


@lru_cache(maxsize=1)
def stylesheet() -> str:
    """The text of graph.css."""
    place = files("django_workflows") / "static" / "django_workflows" / "graph.css"
    return place.read_text(encoding="utf-8")


def svg(
    layout: Layout,
    *,
    status: Mapping[str, NodeStatus] | None = None,
    link: Callable[[str], str] | None = None,
    title: str = "",
    selected: str | None = None,
    standalone: bool = False,
    translate: Callable[[str], str] = str,
) -> str:
    """*layout* as one ``<svg>`` element.

    ``status`` marks the states of an execution. ``link`` gives the address that a
    state's name leads to; ``selected`` is the state that a page shows. ``standalone``
    is for a file: it brings its own colours, in a ``<style>`` that pages must not
    have. ``translate`` puts the words of the tooltips into the reader's language.
    """
    writer = _Writer(status, link, selected, translate)
    width, height = _n(layout.width), _n(layout.height)
    words = title or layout.comment or translate("Workflow")
    writer.add(
        f'<svg xmlns="http://www.w3.org/2000/svg" class="wf-graph'
        f'{" wf-graph-standalone" if standalone else ""}" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="group" aria-label={text.quoted(words)}'
        ' font-family="sans-serif" fill="none" stroke="none">'
    )
    if standalone:
        writer.add(f"<title>{text.escaped(words)}</title>")
        writer.add(f"<style>{text.escaped(stylesheet())}</style>")
        writer.add(f'<rect class="wf-graph-paper" width="{width}" height="{height}" fill="#fff"/>')
    writer.scope(layout.root)
    writer.add("</svg>\n")
    return "".join(writer.parts)


class _Writer:
    def __init__(
        self,
        status: Mapping[str, NodeStatus] | None,
        link: Callable[[str], str] | None,
        selected: str | None,
        translate: Callable[[str], str],
    ) -> None:
        self.status = status
        self.link = link
        self.selected = selected
        self.translate = translate
        self.parts: list[str] = []
        self.add = self.parts.append

    def scope(self, scope: Scope) -> None:
        self.add('<g class="wf-graph-edges" stroke="#6b7785" stroke-width="1.4">')
        for edge in scope.edges:
            self.edge(edge)
        self.add("</g>")
        for marker in scope.markers:
            self.marker(marker)
        self.add('<g class="wf-graph-labels" font-size="11" text-anchor="middle">')
        for edge in scope.edges:
            self.label(edge)
        self.add("</g>")
        if scope.nodes:
            self.add('<g role="list">')
            for node in scope.nodes:
                self.node(node)
            self.add("</g>")

    # -- ways

    def edge(self, edge: Edge) -> None:
        classes = f"wf-graph-edge wf-graph-{edge.kind}{' wf-graph-back' * edge.is_back}"
        dashes = ' stroke-dasharray="5 4"' if edge.kind is EdgeKind.CATCH else ""
        self.add(f'<g class="{classes}" aria-hidden="true"{dashes}>')
        self.add(f"<title>{text.escaped(self._way(edge))}</title>")
        self.add(f'<path d="{_path(edge.points, edge.label)}"/>')
        if not edge.joins:
            x, y = edge.points[-1]
            self.add(
                f'<path class="wf-graph-head" fill="#6b7785" stroke="none"'
                f' d="M{_n(x)} {_n(y)}l-4.5-8h9z"/>'
            )
        self.add("</g>")

    def _way(self, edge: Edge) -> str:
        names = [name for name in (edge.source, edge.target) if name is not None]
        way = " → ".join(names)
        full = edge.label.full if edge.label else ""
        return f"{way}: {full}" if full else way

    def label(self, edge: Edge) -> None:
        label = edge.label
        if label is None:
            return
        self.add(
            f'<g class="wf-graph-label wf-graph-{edge.kind}" aria-hidden="true">'
            f"<title>{text.escaped(self._way(edge))}</title>"
        )
        x = label.x + label.width / 2
        for number, line in enumerate(label.lines):
            y = label.y + 2 + number * LABEL_LINE + LABEL_SIZE
            self.add(f'<text x="{_n(x)}" y="{_n(y)}" fill="#4a5560">{text.escaped(line)}</text>')
        self.add("</g>")

    def marker(self, marker: Marker) -> None:
        radius = marker.size / 2
        x, y = _n(marker.x + radius), _n(marker.y + radius)
        if marker.is_start:
            self.add(
                f'<circle class="wf-graph-start-mark" cx="{x}" cy="{y}" r="{_n(radius)}"'
                ' fill="#6b7785"/>'
            )
            return
        self.add(
            f'<circle class="wf-graph-end-mark" cx="{x}" cy="{y}" r="{_n(radius - 1)}"'
            ' fill="#fff" stroke="#6b7785" stroke-width="2"/>'
            f'<circle class="wf-graph-end-dot" cx="{x}" cy="{y}" r="{_n(radius / 2)}"'
            ' fill="#6b7785"/>'
        )

    # -- states

    def node(self, node: Node) -> None:
        state = node.state
        status = (self.status or {}).get(node.name)
        classes = [f"wf-graph-node wf-graph-type-{state.type.lower()}"]
        if status is not None:
            classes.append(f"wf-graph-is-{status.status}")
            if status.is_current:
                classes.append("wf-graph-current")
        elif self.status is not None:
            classes.append("wf-graph-untouched")
        selected = node.name == self.selected
        if selected:
            classes.append("wf-graph-selected")
        told = self._told(node, status)
        self.add(f'<g class="{" ".join(classes)}" role="listitem">')
        if self.link is not None:
            spoken = ", ".join(line for line in told[:2] + self._status_words(status) if line)
            current = ' aria-current="true"' if selected else ""
            self.add(
                f"<a href={text.quoted(self.link(node.name))}"
                f" aria-label={text.quoted(spoken)}{current}>"
            )
        self.add(f"<title>{text.escaped(chr(10).join(told))}</title>")
        self._shape(node)
        self._header(node)
        if status is not None:
            self._badge(node, status)
        if self.link is not None:
            self.add("</a>")
        for scope in node.scopes:
            self.add(
                f'<rect class="wf-graph-scope" x="{_n(scope.x)}" y="{_n(scope.y)}"'
                f' width="{_n(scope.width)}" height="{_n(scope.height)}" rx="5"'
                ' stroke="#aab4be" stroke-dasharray="2 3"/>'
            )
            self.scope(scope)
        self.add("</g>")

    def _shape(self, node: Node) -> None:
        x, y, width, height = node.x, node.y, node.width, node.height
        look = 'class="wf-graph-box" fill="#fff" stroke="#6b7785" stroke-width="1.4"'
        match node.state.type:
            case "Choice":
                cut = min(14.0, height / 2)
                d = (
                    f"M{_n(x + cut)} {_n(y)}h{_n(width - 2 * cut)}l{_n(cut)} {_n(height / 2)}"
                    f"l{_n(-cut)} {_n(height / 2)}h{_n(2 * cut - width)}"
                    f"l{_n(-cut)} {_n(-height / 2)}z"
                )
                self.add(f'<path {look} d="{d}"/>')
                return
            case "Succeed" | "Fail":
                rx = min(height / 2, 20.0)
            case _:
                rx = 6.0
        box = f'width="{_n(width)}" height="{_n(height)}" rx="{_n(rx)}"'
        if isinstance(node.state, Map):
            self.add(f'<rect {look} x="{_n(x + 3.5)}" y="{_n(y + 3.5)}" {box}/>')
        self.add(f'<rect {look} x="{_n(x)}" y="{_n(y)}" {box}/>')

    def _header(self, node: Node) -> None:
        written = [text.width(line, NAME_SIZE) for line in node.lines]
        written.append(text.width(node.caption, CAPTION_SIZE))
        middle = node.x + node.width / 2 + (ICON_WIDTH - 18 * bool(node.state.retry)) / 2
        header = header_height(node.lines, node.caption)
        if not node.scopes:
            header = node.height
        lines = len(node.lines) * NAME_LINE + (CAPTION_LINE if node.caption else 0)
        top = node.y + (header - lines) / 2
        left = middle - max(written) / 2 - ICON_WIDTH
        icon = _ICONS[_look(node.state)]
        self.add(
            f'<path class="wf-graph-icon" d="{icon}" stroke="#4a5560" stroke-width="1.5"'
            f' stroke-linejoin="round" transform="translate({_n(left)} {_n(top + 0.5)})"/>'
        )
        if node.state.retry:
            x = middle + max(written) / 2 + 6
            words = "; ".join(labels.retrier(entry) for entry in node.state.retry)
            self.add(
                f'<g class="wf-graph-retry"><title>Retry: {text.escaped(words)}</title>'
                f'<path d="{_RETRY}" stroke="#6b7785" stroke-width="1.6"'
                f' transform="translate({_n(x)} {_n(top + 1)}) scale(0.9)"/></g>'
            )
        self.add('<g text-anchor="middle">')
        for number, line in enumerate(node.lines):
            y = top + number * NAME_LINE + NAME_SIZE
            self.add(
                f'<text class="wf-graph-name" x="{_n(middle)}" y="{_n(y)}"'
                f' font-size="{_n(NAME_SIZE)}" fill="#222">{text.escaped(line)}</text>'
            )
        if node.caption:
            y = top + len(node.lines) * NAME_LINE + CAPTION_SIZE
            self.add(
                f'<text class="wf-graph-caption" x="{_n(middle)}" y="{_n(y)}"'
                f' font-size="{_n(CAPTION_SIZE)}" fill="#5f6b76">{text.escaped(node.caption)}'
                "</text>"
            )
        self.add("</g>")

    def _badge(self, node: Node, status: NodeStatus) -> None:
        """A sign on the upper left corner, and how often on the upper right one."""
        x, y = node.x + 2, node.y + 2
        if node.state.type == "Choice":
            x += 10
        self.add(
            f'<g class="wf-graph-badge" transform="translate({_n(x)} {_n(y)})">'
            '<circle r="9" fill="#555"/>'
            f'<path d="{_SIGNS[status.status]}" stroke="#fff" stroke-width="2"/></g>'
        )
        count = _count(node, status)
        if not count:
            return
        width = text.width(count, LABEL_SIZE) + 10
        right = node.x + node.width - 6
        self.add(
            f'<g class="wf-graph-count"><rect x="{_n(right - width)}" y="{_n(node.y - 8)}"'
            f' width="{_n(width)}" height="16" rx="8" fill="#555"/>'
            f'<text x="{_n(right - width / 2)}" y="{_n(node.y + 4)}" font-size="11"'
            f' text-anchor="middle" fill="#fff">{count}</text></g>'
        )

    # -- words

    def _told(self, node: Node, status: NodeStatus | None) -> list[str]:
        """The lines of a node's tooltip: its name and type first."""
        state = node.state
        full = labels.caption(state)
        told = [node.name, f"{state.type}: {full}" if full else state.type]
        if state.comment:
            told.append(state.comment)
        return told + self._status_words(status)

    def _status_words(self, status: NodeStatus | None) -> list[str]:
        if status is None:
            return []
        told = []
        for each in Status:
            count = getattr(status, each)
            if count:
                word = self.translate(each.value)
                told.append(word if status.entered == 1 else f"{count} {word}")
        if status.total is not None:
            told.append(f"{status.done}/{status.total}")
        if status.retries:
            told.append(f"{status.retries} {self.translate('retries')}")
        return [", ".join(told)]


def _look(state: State) -> str:
    if not isinstance(state, Task):
        return state.type
    match resources.kind(state.resource):
        case resources.Kind.HANDLER:
            return "Task"
        case resources.Kind.APPROVAL:
            return "approval"
        case _:
            return "callback"


def _count(node: Node, status: NodeStatus) -> str:
    """``7/10`` where ten were begun and seven are through; ``3×`` where it was done again."""
    if status.total is not None and (node.state.type == "Map" or status.done < status.total):
        times = f"{status.entered}× " if status.entered > 1 else ""
        return f"{times}{status.done}/{status.total}"
    if node.in_map and status.is_current and status.entered > 1:
        return f"{status.entered - status.running - status.waiting}/{status.entered}"
    return f"{status.entered}×" if status.entered > 1 else ""


# -- numbers and paths -----------------------------------------------------------------


def _n(number: float) -> str:
    shown = f"{number:.1f}"
    return shown.removesuffix(".0")


def _path(points: tuple[Point, ...], label: Label | None) -> str:
    """Straight where two points are above or beside each other, bent otherwise.

    It is broken off where the label stands.
    """
    x, y = points[0]
    parts = [f"M{_n(x)} {_n(y)}"]
    for place in range(1, len(points)):
        x, y = points[place]
        before_x, before_y = points[place - 1]
        if label is not None and abs(x - before_x) < 0.15 and _passes(label, x, before_y, y):
            first, then = label.y, label.y + label.height
            if y < before_y:
                first, then = then, first
            parts.append(f"L{_n(x)} {_n(first)}M{_n(x)} {_n(then)}")
            before_y = then
        if abs(x - before_x) < 0.15 or abs(y - before_y) < 0.15:
            following = points[place + 1] if place + 1 < len(points) else None
            parts.append(_line((before_x, before_y), (x, y), following))
        else:
            bend = (y - before_y) * 0.55
            parts.append(
                f"C{_n(before_x)} {_n(before_y + bend)} {_n(x)} {_n(y - bend)} {_n(x)} {_n(y)}"
            )
    return "".join(parts)


def _passes(label: Label, x: float, y0: float, y1: float) -> bool:
    middle = label.y + label.height / 2
    return abs(x - label.x - label.width / 2) < 1 and min(y0, y1) < middle < max(y0, y1)


def _line(start: Point, corner: Point, following: Point | None) -> str:
    """A straight piece; where the next turns off it, with a round corner at its end."""
    (x0, y0), (x, y) = start, corner
    if following is not None:
        x2, y2 = following
        upright, next_upright = abs(x - x0) < 0.15, abs(x2 - x) < 0.15
        level, next_level = abs(y - y0) < 0.15, abs(y2 - y) < 0.15
        if (upright and next_level) or (level and next_upright):
            reach = (abs(x - x0) + abs(y - y0), abs(x2 - x) + abs(y2 - y))
            radius = min(_CORNER, reach[0] / 2, reach[1] / 2)
            before = (x - _sign(x - x0) * radius, y - _sign(y - y0) * radius)
            after = (x + _sign(x2 - x) * radius, y + _sign(y2 - y) * radius)
            return f"L{_n(before[0])} {_n(before[1])}Q{_n(x)} {_n(y)} {_n(after[0])} {_n(after[1])}"
    return f"L{_n(x)} {_n(y)}"


def _sign(number: float) -> int:
    return (number > 0.15) - (number < -0.15)
