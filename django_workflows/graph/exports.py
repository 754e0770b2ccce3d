"""A workflow in other shapes: an outline, Mermaid, Graphviz's DOT, JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django_workflows.asl.definition import Parallel, State, StateMachine
from django_workflows.graph import labels, text
from django_workflows.graph.layout import (
    Edge,
    EdgeKind,
    Layout,
    Scope,
    Transition,
    ends,
    machines,
    transitions,
)

# -- outline ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A state in an outline."""

    name: str
    type: str
    caption: str
    comment: str | None
    ways: tuple[Transition, ...]
    #: Its machine ends with it, though it is neither Succeed nor Fail.
    ends: bool
    #: A Parallel's branches, a Map's processor: each a list of entries.
    inside: tuple[tuple[Entry, ...], ...]


def outline(workflow: StateMachine) -> tuple[Entry, ...]:
    """The states of *workflow* as nested lists, in the order in which they are come upon."""
    return tuple(
        Entry(
            name=state.name,
            type=state.type,
            caption=labels.caption(state),
            comment=state.comment,
            ways=tuple(transitions(state)),
            ends=ends(state),
            inside=tuple(outline(machine) for machine in machines(state)),
        )
        for state in _in_order(workflow)
    )


def outline_text(entries: tuple[Entry, ...], indent: str = "") -> str:
    """An outline as indented lines."""
    lines = []
    for entry in entries:
        about = f"{entry.type}: {entry.caption}" if entry.caption else entry.type
        lines.append(f"{indent}- {text.one_line(entry.name)} ({text.one_line(about)})\n")
        for way in entry.ways:
            why = f"{text.one_line(way.label)} " if way.label else ""
            mark = "! " if way.kind is EdgeKind.CATCH else ""
            lines.append(f"{indent}    {mark}{why}→ {text.one_line(way.target)}\n")
        for number, inner in enumerate(entry.inside, 1):
            if len(entry.inside) > 1:
                lines.append(f"{indent}    {number}.\n")
            lines.append(outline_text(inner, indent + "    "))
    return text.fit("".join(lines))


def _in_order(machine: StateMachine) -> Iterator[State]:
    """Each state after one that leads to it; then those that none leads to."""
    seen: set[str] = set()
    for root in (machine.start_at, *machine.states):
        todo = [root]
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            state = machine.states[name]
            yield state
            todo.extend(reversed([way.target for way in transitions(state)]))


# -- Mermaid ---------------------------------------------------------------------------


def mermaid(workflow: StateMachine) -> str:
    """*workflow* as a Mermaid flowchart. States are numbered, names are only labels."""
    lines = ["flowchart TD\n"]
    _mermaid(workflow, lines, _Numbers(), "  ", "s")
    return "".join(lines)


class _Numbers:
    """A short, safe name for each state."""

    def __init__(self) -> None:
        self._by_name: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self._by_name.setdefault(name, f"n{len(self._by_name) + 1}")


_MERMAID_SHAPES = {
    "Choice": ("{", "}"),
    "Succeed": ("([", "])"),
    "Fail": ("([", "])"),
    "Wait": ("(", ")"),
}


def _mermaid(
    machine: StateMachine, lines: list[str], numbers: _Numbers, indent: str, scope: str
) -> None:
    lines.append(f"{indent}{scope}_start(( )) --> {numbers[machine.start_at]}\n")
    for state in _in_order(machine):
        number, name = numbers[state.name], _mermaid_text(state.name)
        if inside := machines(state):
            lines.append(f"{indent}subgraph {number}[{name}]\n")
            for place, inner in enumerate(inside):
                inner_scope = f"{number}_{place}"
                if isinstance(state, Parallel):
                    lines.append(f'{indent}  subgraph {inner_scope}[" "]\n')
                _mermaid(inner, lines, numbers, indent + "    ", inner_scope)
                if isinstance(state, Parallel):
                    lines.append(f"{indent}  end\n")
            lines.append(f"{indent}end\n")
        else:
            opening, closing = _MERMAID_SHAPES.get(state.type, ("[", "]"))
            lines.append(f"{indent}{number}{opening}{name}{closing}\n")
        for way in transitions(state):
            arrow = "-.->" if way.kind is EdgeKind.CATCH else "-->"
            label = f"|{_mermaid_text(way.label)}|" if way.label else ""
            lines.append(f"{indent}{number} {arrow}{label} {numbers[way.target]}\n")
        if ends(state):
            lines.append(f"{indent}{number} --> {scope}_end((( )))\n")


def _mermaid_text(label: str) -> str:
    """*label* in quotation marks; every letter that could mean something is a number."""
    shown = []
    for letter in text.fit(text.one_line(label)):
        plain = letter.isalnum() or letter in " .,:_-+/=?$" or ord(letter) > 127
        shown.append(letter if plain else f"#{ord(letter)};")
    return '"' + ("".join(shown) or " ") + '"'


# -- DOT -------------------------------------------------------------------------------


def dot(workflow: StateMachine) -> str:
    """*workflow* in the language of Graphviz."""
    lines = [
        "digraph workflow {\n",
        "  compound=true;\n",
        '  node [shape=box, style=rounded, fontname="sans-serif"];\n',
        '  edge [fontname="sans-serif", fontsize=10];\n',
    ]
    _dot(workflow, lines, _Numbers(), "  ", "s")
    lines.append("}\n")
    return "".join(lines)


_DOT_SHAPES = {
    "Choice": "shape=diamond, style=solid",
    "Succeed": "shape=oval, style=solid",
    "Fail": "shape=oval, style=solid, peripheries=2",
}


def _dot(
    machine: StateMachine, lines: list[str], numbers: _Numbers, indent: str, scope: str
) -> None:
    lines.append(f'{indent}{scope}_start [shape=circle, label="", width=0.15, style=filled];\n')
    if any(ends(state) for state in machine.states.values()):
        lines.append(f'{indent}{scope}_end [shape=doublecircle, label="", width=0.12];\n')
    heads: dict[str, str] = {}
    for state in _in_order(machine):
        number, label = numbers[state.name], _dot_text(state.name)
        if inside := machines(state):
            # Arrows end at a cluster's border, but lead to a node in it.
            heads[state.name] = number
            lines.append(f"{indent}subgraph cluster_{number} {{\n{indent}  label={label};\n")
            lines.append(f'{indent}  {number} [shape=point, style=invis, label=""];\n')
            for place, inner in enumerate(inside):
                lines.append(f"{indent}  subgraph cluster_{number}_{place} {{\n")
                lines.append(f'{indent}    label=""; style=dashed;\n')
                _dot(inner, lines, numbers, indent + "    ", f"{number}_{place}")
                lines.append(f"{indent}  }}\n")
            lines.append(f"{indent}}}\n")
        else:
            shape = _DOT_SHAPES.get(state.type)
            lines.append(f"{indent}{number} [label={label}{f', {shape}' if shape else ''}];\n")
    lines.append(_dot_edge(indent, f"{scope}_start", None, machine.start_at, heads, numbers, []))
    for state in _in_order(machine):
        number = numbers[state.name]
        for way in transitions(state):
            looks = [f"label={_dot_text(way.label)}"] if way.label else []
            if way.kind is EdgeKind.CATCH:
                looks.append("style=dashed")
            lines.append(_dot_edge(indent, number, state.name, way.target, heads, numbers, looks))
        if ends(state):
            tail = [f"ltail=cluster_{number}"] if state.name in heads else []
            lines.append(f"{indent}{number} -> {scope}_end{_dot_looks(tail)};\n")


def _dot_edge(
    indent: str,
    number: str,
    source: str | None,
    target: str,
    heads: dict[str, str],
    numbers: _Numbers,
    looks: list[str],
) -> str:
    if source in heads:
        looks = [*looks, f"ltail=cluster_{number}"]
    if target in heads:
        looks = [*looks, f"lhead=cluster_{heads[target]}"]
    return f"{indent}{number} -> {numbers[target]}{_dot_looks(looks)};\n"


def _dot_looks(looks: list[str]) -> str:
    return f" [{', '.join(looks)}]" if looks else ""


def _dot_text(label: str) -> str:
    shown = text.fit(text.one_line(label)).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{shown}"'


# -- JSON ------------------------------------------------------------------------------


def as_json(layout: Layout) -> dict[str, Any]:
    """*layout* as JSON data, for programs that draw for themselves."""
    return {"width": layout.width, "height": layout.height, **_scope(layout.root)}


def _scope(scope: Scope) -> dict[str, Any]:
    return {
        "nodes": [
            {
                "name": node.name,
                "type": node.state.type,
                "pointer": node.state.pointer,
                "comment": node.state.comment,
                "caption": node.caption,
                "x": node.x,
                "y": node.y,
                "width": node.width,
                "height": node.height,
                "scopes": [
                    {
                        "x": inner.x,
                        "y": inner.y,
                        "width": inner.width,
                        "height": inner.height,
                        **_scope(inner),
                    }
                    for inner in node.scopes
                ],
            }
            for node in scope.nodes
        ],
        "edges": [_edge(edge) for edge in scope.edges],
        "markers": [
            {
                "kind": "start" if marker.is_start else "end",
                "x": marker.x,
                "y": marker.y,
                "size": marker.size,
            }
            for marker in scope.markers
        ],
    }


def _edge(edge: Edge) -> dict[str, Any]:
    label = edge.label
    return {
        "kind": edge.kind.value,
        "source": edge.source,
        "target": edge.target,
        "is_back": edge.is_back,
        "points": [list(point) for point in edge.points],
        "joins": edge.joins,
        "label": label
        and {
            "text": label.full,
            "lines": list(label.lines),
            "x": label.x,
            "y": label.y,
            "width": label.width,
            "height": label.height,
        },
    }
