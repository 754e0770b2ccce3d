"""The steps of a path, and where each leads to from many places at once.

``apply`` takes the nodes reached so far and the whole document (for filters)
and gives the nodes that follow, in document order. What does not fit is left
out: only definite paths can miss something, and `Path.find` walks those itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from django_workflows.asl.errors import StateError
from django_workflows.asl.expressions.filters import Filter
from django_workflows.asl.values import JSON

#: ``$..*..*..*`` names each node once for every way to it; this many nodes are
#: far more than any payload holds.
MAX_NODES = 500_000


@dataclass(frozen=True, slots=True)
class Name:
    """``.name`` and ``['name']``."""

    name: str

    def apply(self, nodes: list[JSON], document: JSON) -> list[JSON]:
        name = self.name
        return [node[name] for node in nodes if isinstance(node, dict) and name in node]


@dataclass(frozen=True, slots=True)
class Index:
    """``[0]``; ``[-1]`` and ``[(@.length-1)]`` count from the end."""

    index: int

    def apply(self, nodes: list[JSON], document: JSON) -> list[JSON]:
        index = self.index
        return [
            node[index]
            for node in nodes
            if isinstance(node, list) and -len(node) <= index < len(node)
        ]


@dataclass(frozen=True, slots=True)
class Names:
    """``['a','b']``: one object of those members that are there.

    With *all_needed* (after ``..``) only where every one of them is.
    """

    names: tuple[str, ...]
    all_needed: bool = False

    def apply(self, nodes: list[JSON], document: JSON) -> list[JSON]:
        return [
            self.pick(node)
            for node in nodes
            if isinstance(node, dict)
            and (not self.all_needed or all(name in node for name in self.names))
        ]

    def pick(self, node: dict[str, JSON]) -> dict[str, JSON]:
        return {name: node[name] for name in self.names if name in node}


@dataclass(frozen=True, slots=True)
class Indices:
    """``[0,2]``."""

    indices: tuple[int, ...]

    def apply(self, nodes: list[JSON], document: JSON) -> list[JSON]:
        return [
            node[index]
            for node in nodes
            if isinstance(node, list)
            for index in self.indices
            if -len(node) <= index < len(node)
        ]


@dataclass(frozen=True, slots=True)
class Slice:
    """``[1:]``, ``[:-1]``, ``[1:5]``. A third number is the step, which Jayway 2.0.0 ignores."""

    start: int | None
    stop: int | None
    step: int | None

    def apply(self, nodes: list[JSON], document: JSON) -> list[JSON]:
        part = slice(self.start, self.stop, self.step)
        return [item for node in nodes if isinstance(node, list) for item in node[part]]


@dataclass(frozen=True, slots=True)
class Every:
    """``.*`` and ``[*]``: all members or items."""

    def apply(self, nodes: list[JSON], document: JSON) -> list[JSON]:
        found: list[JSON] = []
        for node in nodes:
            if isinstance(node, dict):
                found.extend(node.values())
            elif isinstance(node, list):
                found.extend(node)
        return found


@dataclass(frozen=True, slots=True)
class Anywhere:
    """``..``: each node and all below it, parents first. Another step always follows.

    Raises StateError where the nodes are more than MAX_NODES.
    """

    def apply(self, nodes: list[JSON], document: JSON) -> list[JSON]:
        found: list[JSON] = []
        stack = nodes[::-1]
        while stack:
            node = stack.pop()
            found.append(node)
            if len(found) > MAX_NODES:
                raise StateError(
                    "States.Runtime", f"A path with '..' reached more than {MAX_NODES} values"
                )
            if isinstance(node, dict):
                stack.extend(reversed(node.values()))
            elif isinstance(node, list):
                stack.extend(reversed(node))
        return found


@dataclass(frozen=True, slots=True)
class Where:
    """``[?( )]``: an array's items are tried; an object is tried itself, not its members.

    After ``..`` (*everywhere*) all objects are tried, wherever they are.
    """

    filter: Filter
    everywhere: bool = False

    def apply(self, nodes: list[JSON], document: JSON) -> list[JSON]:
        candidates: list[JSON] = []
        for node in nodes:
            if isinstance(node, dict):
                candidates.append(node)
            elif isinstance(node, list) and not self.everywhere:
                candidates.extend(node)
        return self.filter.select(candidates, document)


Step = Name | Index | Names | Indices | Slice | Every | Anywhere | Where
