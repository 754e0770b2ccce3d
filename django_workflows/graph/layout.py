"""Where everything of a state machine is drawn: boxes, ways, and boxes in boxes.

No transition leaves its scope (``Next``, ``Default`` and ``Catch`` name states of
the same ``States``), so each scope is laid out by itself, and what comes out is one
box of the scope around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from django_workflows.asl.definition import (
    Choice,
    Fail,
    Map,
    Parallel,
    State,
    StateMachine,
    Succeed,
)
from django_workflows.graph import labels, layers, text

Point = tuple[float, float]

NAME_SIZE, CAPTION_SIZE, LABEL_SIZE = 13.0, 11.0, 11.0
NAME_LINE, CAPTION_LINE, LABEL_LINE = 17.0, 15.0, 14.0
#: For the sign of the type.
ICON_WIDTH = 24.0
_NAME_WIDTH, _LABEL_WIDTH = 190.0, 168.0
_NAME_LINES, _LABEL_LINES = 3, 2
_LEAST_WIDTH, _LEAST_HEIGHT = 92.0, 40.0
_SIDE, _PADDING = 12.0, 9.0
#: Inside of Parallel and Map: around each scope, and between scopes.
_FRAME, _BETWEEN = 14.0, 12.0
_MARGIN = 16.0
_MARKER = 16.0


class EdgeKind(StrEnum):
    START = "start"
    NEXT = "next"
    CHOICE = "choice"
    DEFAULT = "default"
    CATCH = "catch"
    END = "end"


#: How much each wants to be straight: the ordinary way should be seen as one.
_WEIGHTS = {
    EdgeKind.START: 6.0,
    EdgeKind.NEXT: 4.0,
    EdgeKind.CHOICE: 2.0,
    EdgeKind.DEFAULT: 2.0,
    EdgeKind.CATCH: 0.5,
    EdgeKind.END: 3.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What stands beside an edge."""

    lines: tuple[str, ...]
    #: All of it, for a tooltip.
    full: str
    #: The upper left corner.
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A way from one state to another, or from the start, or to the end (then None)."""

    kind: EdgeKind
    source: str | None
    target: str | None
    #: Upright through layers, bent between them.
    points: tuple[Point, ...]
    #: Its last point lies on another edge to the same target, which goes on from there.
    joins: bool = False
    label: Label | None = None
    #: It closes a loop.
    is_back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """Where a scope begins or ends."""

    is_start: bool
    x: float
    y: float
    size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A state."""

    state: State
    x: float
    y: float
    width: float
    height: float
    #: The name as it is drawn: broken into lines, and its end left off where it is long.
    lines: tuple[str, ...]
    caption: str = ""
    #: A Parallel's branches, a Map's processor.
    scopes: tuple[Scope, ...] = ()
    #: Whether it is inside of a Map, at any depth: many may be at it at once.
    in_map: bool = False

    @property
    def name(self) -> str:
        return self.state.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A machine: the outermost, a branch, or a processor."""

    x: float
    y: float
    width: float
    height: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    markers: tuple[Marker, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    root: Scope
    width: float
    height: float
    comment: str | None = None

    def nodes(self) -> Iterator[Node]:
        """All states, outer ones before what is inside of them."""
        for scope in self.scopes():
            yield from scope.nodes

    def edges(self) -> Iterator[Edge]:
        for scope in self.scopes():
            yield from scope.edges

    def scopes(self) -> Iterator[Scope]:
        todo = [self.root]
        while todo:
            scope = todo.pop()
            yield scope
            for node in reversed(scope.nodes):
                todo.extend(reversed(node.scopes))


def layout(workflow: StateMachine) -> Layout:
    """Where each state and each transition of *workflow* is drawn.

    The same workflow always gives the same layout: keep it by the hash of the
    definition it was read from.
    """
    root = _moved(_scope(workflow, in_map=False, is_root=True), _MARGIN, _MARGIN)
    return Layout(
        root=root,
        width=root.width + 2 * _MARGIN,
        height=root.height + 2 * _MARGIN,
        comment=workflow.comment,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A way that a definition names."""

    kind: EdgeKind
    source: str
    target: str
    #: In full; "" where nothing is to be said.
    label: str = ""


def transitions(state: State) -> Iterator[Transition]:
    """All ways from *state* to others, the ordinary ones first."""
    name = state.name
    if isinstance(state, Choice):
        for rule in state.choices:
            text = labels.rule(rule.test)
            yield Transition(kind=EdgeKind.CHOICE, source=name, target=rule.next, label=text)
        if state.default is not None:
            yield Transition(
                kind=EdgeKind.DEFAULT, source=name, target=state.default, label="otherwise"
            )
    elif state.next is not None:
        yield Transition(kind=EdgeKind.NEXT, source=name, target=state.next)
    for catcher in state.catch:
        errors = labels.errors(catcher.error_equals)
        yield Transition(kind=EdgeKind.CATCH, source=name, target=catcher.next, label=errors)


def machines(state: State) -> tuple[StateMachine, ...]:
    """The machines inside of *state*."""
    match state:
        case Parallel(branches=branches):
            return branches
        case Map(processor=processor):
            return (processor,)
        case _:
            return ()


def ends(state: State) -> bool:
    """Whether its machine ends with *state*, though it is neither Succeed nor Fail."""
    return state.next is None and not isinstance(state, (Choice, Succeed, Fail))


# -- one scope -------------------------------------------------------------------------


def _scope(machine: StateMachine, *, in_map: bool, is_root: bool) -> Scope:
    nodes = [_node(state, in_map) for state in machine.states.values()]
    marker = _MARKER if is_root else _MARKER * 0.625
    # A single state says where its scope begins and ends.
    has_markers = is_root or len(nodes) > 1 or any(True for _ in transitions(nodes[0].state))
    numbers = {node.name: number for number, node in enumerate(nodes, has_markers)}
    sizes = [(node.width, node.height) for node in nodes]
    ways: list[tuple[EdgeKind, str | None, str | None, str]] = []
    if has_markers:
        sizes.insert(0, (marker, marker))
        ways.append((EdgeKind.START, None, machine.start_at, ""))
    for node in nodes:
        for way in transitions(node.state):
            ways.append((way.kind, way.source, way.target, way.label))
        if has_markers and ends(node.state):
            ways.append((EdgeKind.END, node.name, None, ""))
    end = len(sizes)
    has_end = any(kind is EdgeKind.END for kind, *_ in ways)
    if has_end:
        sizes.append((marker, marker))

    written = [_label(label) if label else None for *_, label in ways]
    arcs = [
        layers.Arc(
            source=0 if source is None else numbers[source],
            target=end if target is None else numbers[target],
            weight=_WEIGHTS[kind],
            lane="catch" if kind is EdgeKind.CATCH else "",
            label=(label.width, label.height) if label else None,
        )
        for (kind, source, target, _), label in zip(ways, written, strict=True)
    ]
    drawing = layers.draw(sizes, arcs)
    edges = tuple(
        Edge(
            kind=kind,
            source=source,
            target=target,
            points=route.points,
            joins=route.joins,
            label=_placed(label, route.label),
            is_back=route.is_back,
        )
        for (kind, source, target, _), label, route in zip(
            ways, written, drawing.routes, strict=True
        )
    )
    markers: list[Marker] = []
    if has_markers:
        x, y = drawing.places[0]
        markers.append(Marker(is_start=True, x=x, y=y, size=marker))
    if has_end:
        x, y = drawing.places[end]
        markers.append(Marker(is_start=False, x=x, y=y, size=marker))
    return Scope(
        x=0,
        y=0,
        width=drawing.width,
        height=drawing.height,
        nodes=tuple(_moved_node(node, *drawing.places[numbers[node.name]]) for node in nodes),
        edges=edges,
        markers=tuple(markers),
    )


def _label(full: str) -> Label:
    lines = text.wrapped(full, LABEL_SIZE, _LABEL_WIDTH, _LABEL_LINES)
    return Label(
        lines=lines,
        full=full,
        x=0,
        y=0,
        width=round(max(text.width(line, LABEL_SIZE) for line in lines) + 8, 1),
        height=LABEL_LINE * len(lines) + 4,
    )


def _placed(label: Label | None, middle: Point | None) -> Label | None:
    if label is None or middle is None:
        return None
    return replace(
        label,
        x=round(middle[0] - label.width / 2, 1),
        y=round(middle[1] - label.height / 2, 1),
    )


def _node(state: State, in_map: bool) -> Node:
    lines = text.wrapped(state.name, NAME_SIZE, _NAME_WIDTH, _NAME_LINES)
    caption = text.shortened(labels.caption(state), CAPTION_SIZE, _NAME_WIDTH)
    written = max(text.width(line, NAME_SIZE) for line in lines)
    written = max(written, text.width(caption, CAPTION_SIZE))
    mark = 18 if state.retry else 0
    width = max(_LEAST_WIDTH, written + ICON_WIDTH + 2 * _SIDE + mark)
    height = header_height(lines, caption)
    if not (inside := machines(state)):
        height = max(height, _LEAST_HEIGHT)
    scopes, inner_width, inner_height = _row(inside, in_map or isinstance(state, Map))
    if scopes:
        width = max(width, inner_width + 2 * _FRAME)
        height += inner_height + _FRAME
        free = (width - inner_width) / 2
        scopes = tuple(_moved(scope, free, height - inner_height - _FRAME) for scope in scopes)
    return Node(
        state=state,
        x=0,
        y=0,
        width=round(width, 1),
        height=round(height, 1),
        lines=lines,
        caption=caption,
        scopes=scopes,
        in_map=in_map,
    )


def header_height(lines: Sequence[str], caption: str) -> float:
    """The height of a state's name and caption."""
    return len(lines) * NAME_LINE + (CAPTION_LINE if caption else 0) + 2 * _PADDING


def _row(inside: Sequence[StateMachine], in_map: bool) -> tuple[tuple[Scope, ...], float, float]:
    """The scopes of *inside* side by side, each with a frame, and their size together."""
    placed: list[Scope] = []
    x = 0.0
    drawn = [_scope(machine, in_map=in_map, is_root=False) for machine in inside]
    tallest = max((scope.height for scope in drawn), default=0.0) + 2 * _FRAME
    for scope in drawn:
        framed = _moved(scope, _FRAME, _FRAME)
        framed = replace(framed, x=0, y=0, width=scope.width + 2 * _FRAME, height=tallest)
        placed.append(_moved(framed, x, 0))
        x += framed.width + _BETWEEN
    return tuple(placed), x - _BETWEEN, tallest


# -- moving what was laid out by itself ------------------------------------------------


def _moved(scope: Scope, x: float, y: float) -> Scope:
    return replace(
        scope,
        x=_r(scope.x + x),
        y=_r(scope.y + y),
        nodes=tuple(_moved_node(node, x, y) for node in scope.nodes),
        edges=tuple(_moved_edge(edge, x, y) for edge in scope.edges),
        markers=tuple(
            replace(marker, x=_r(marker.x + x), y=_r(marker.y + y)) for marker in scope.markers
        ),
    )


def _moved_node(node: Node, x: float, y: float) -> Node:
    return replace(
        node,
        x=_r(node.x + x),
        y=_r(node.y + y),
        scopes=tuple(_moved(scope, x, y) for scope in node.scopes),
    )


def _moved_edge(edge: Edge, x: float, y: float) -> Edge:
    label = edge.label
    if label is not None:
        label = replace(label, x=_r(label.x + x), y=_r(label.y + y))
    points = tuple((_r(px + x), _r(py + y)) for px, py in edge.points)
    return replace(edge, points=points, label=label)


def _r(number: float) -> float:
    return round(number, 1)
