"""Paths: where in a document? ``$.order.items[0]``, ``$$.Execution.Id``, ``$name.field``.

Nearly all paths are definite, so `find` is the interpreter's hot path: such a
path is a tuple of keys, followed one by one. The others are walked step by
step (`steps`). Nothing here changes a document; what it finds is shared with it.

Source: ASL specification, "Paths" and "Reference Paths"; Jayway JsonPath 2.0.0,
which AWS runs, for what they leave open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from django_workflows.asl.errors import StateError
from django_workflows.asl.expressions import pathsyntax
from django_workflows.asl.expressions import steps as path_steps
from django_workflows.asl.expressions.filters import lookup
from django_workflows.asl.expressions.java import java_text
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.expressions.pathsyntax import PathSyntaxError
from django_workflows.asl.values import JSON, compact

__all__ = ["ROOT", "Path", "PathNotFound", "PathSyntaxError", "compile_path"]


class PathNotFound(Exception):
    """A definite path leads nowhere, or a variable has no value.

    ``detail`` is Jayway's text, as AWS shows it: ``No results for path: $['a']``.
    """

    def __init__(self, path: Path, detail: str) -> None:
        self.path = path
        self.detail = detail
        super().__init__(f"{path.text}: {detail}")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Path:
    """One path, compiled. Equal to another where the texts are."""

    text: str
    #: The kind of document: "$", "$$" or "$name".
    root: str
    #: The variable's name, for paths such as ``$name.field``.
    variable: str | None
    #: Whether it names one place; otherwise it finds a list, maybe an empty one.
    definite: bool
    #: Only names and indices. Source: ASL specification, "Reference Paths".
    is_reference: bool
    steps: tuple[path_steps.Step, ...]
    #: The names and indices it begins with; all of a definite path but a last ``['a','b']``.
    keys: tuple[str | int, ...]
    #: Whether ``keys`` are the whole path.
    _only_keys: bool

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Path) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def find(self, names: Names) -> JSON:
        """What the path names; for an indefinite path the list of all it finds.

        Raises PathNotFound where a definite path finds nothing, or the variable
        is not assigned; an indefinite path finds ``[]`` then, even where a
        parent is missing.
        """
        document = names.input if self.root == "$" else self._document(names)
        if not self._only_keys:
            return self._find_otherwise(document)
        found = document
        try:
            for key in self.keys:
                if found.__class__ is str:  # it would yield a letter
                    raise TypeError
                found = found[key]
        except (KeyError, IndexError, TypeError):
            raise PathNotFound(self, self._why_not_found(document)) from None
        return found

    def evaluate(self, names: Names, field: str) -> JSON:
        """As `find`; a miss is AWS's States.Runtime, with *field* in the message.

        Raises StateError.
        """
        try:
            return self.find(names)
        except PathNotFound:
            raise StateError(
                "States.Runtime",
                f"The JSONPath '{self.text}' specified for the field '{field}'"
                f" could not be found in the input '{compact(self.searched(names))}'",
            ) from None

    def searched(self, names: Names) -> JSON:
        """The document the path is looked up in, for a message about a miss.

        That of a variable is its value; where it has none, all the variables.
        """
        if self.variable is not None:
            return names.variables.get(self.variable, dict(names.variables))
        return names.input if self.root == "$" else names.context

    def put(self, document: JSON, value: JSON) -> JSON:
        """*document* with *value* at this path; the argument itself stays as it is.

        For ResultPath, so only for Reference Paths whose root is ``$``. Copies
        the objects and arrays along the path and shares the rest. A missing
        object is made, an existing member replaced, its place in the order
        kept. ``null`` counts as missing: neither the specification nor a
        recording says what AWS does there, and failing would throw away the
        result of work already done, to save a null. An index must exist.

        Raises StateError (States.ResultPathMatchFailure) where something on the
        way has no place for it.
        """
        if not self.is_reference or self.root != "$":
            raise ValueError(f"{self.text} is no Reference Path into the input")
        if not self.keys:
            return value
        holder: list[JSON] = [None]
        parent: JSON = holder
        last: str | int = 0
        node = document
        for key in self.keys:
            if type(key) is str:
                copy: JSON
                if isinstance(node, dict):
                    copy = dict(node)
                    child = node.get(key)
                elif node is None:
                    copy = {}
                    child = None
                else:
                    raise self._no_place(document)
            elif isinstance(node, list) and -len(node) <= int(key) < len(node):
                copy = list(node)
                child = node[int(key)]
            else:
                raise self._no_place(document)
            parent[last] = copy
            parent, last, node = copy, key, child
        parent[last] = value
        return holder[0]

    def _document(self, names: Names) -> JSON:
        if self.variable is None:
            return names.context
        variables: Mapping[str, JSON] = names.variables
        try:
            return variables[self.variable]
        except KeyError:
            raise PathNotFound(self, f"The variable {self.root} is not assigned") from None

    def _find_otherwise(self, document: JSON) -> JSON:
        if not self.definite:
            nodes = [document]
            for step in self.steps:
                nodes = step.apply(nodes, document)
            return nodes
        last = self.steps[-1]
        assert isinstance(last, path_steps.Names)
        found = lookup(document, self.keys)
        if not isinstance(found, dict):
            raise PathNotFound(self, self._why_not_found(document))
        return last.pick(found)

    def _why_not_found(self, document: JSON) -> str:
        """Jayway 2.0.0's words for it."""
        parent = "$"
        rest = self.steps
        for position, step in enumerate(self.steps):
            rest = self.steps[position:]
            match step:
                case path_steps.Index(index=index):
                    if document is None:
                        return f"The path {parent} is null"
                    if not isinstance(document, list):
                        return (
                            f"Filter: {_written(rest)} can only be applied to arrays."
                            f" Current context is: {java_text(document)}"
                        )
                    if not -len(document) <= index < len(document):
                        return f"Index out of bounds when evaluating path {parent}[{index}]"
                    document = document[index]
                case path_steps.Name(name=name) if isinstance(document, dict):
                    if name not in document:
                        what = "Missing property in path" if rest[1:] else "No results for path:"
                        return f"{what} {parent}{_written(rest[:1])}"
                    document = document[name]
                case _:
                    break
            parent += _written(rest[:1])
        return f"Property {_written(rest[:1])} not found in path {parent}"

    def _no_place(self, document: JSON) -> StateError:
        """The error that names the value on the way that can't hold the next key."""
        place, node = "$", document
        reason = ""
        for key in self.keys:
            if isinstance(key, str):
                if node is not None and not isinstance(node, dict):
                    reason = f"{place} is {_kind(node)}, not an object"
                    break
                node = None if node is None else node.get(key)
                place += f"['{key}']"
            elif not isinstance(node, list):
                reason = f"{place} is {_kind(node)}, not an array"
                break
            elif not -len(node) <= key < len(node):
                reason = f"{place} has no item {key}"
                break
            else:
                node = node[key]
                place += f"[{key}]"
        return StateError(
            "States.ResultPathMatchFailure",
            f"Unable to apply ReferencePath {self.text} to input {compact(document)}: {reason}",
        )


def _written(steps: tuple[path_steps.Step, ...]) -> str:
    """The steps of a definite path as Jayway writes them: ``['a'][0]['b', 'c']``."""
    text = ""
    for step in steps:
        match step:
            case path_steps.Name(name=name):
                text += f"['{name}']"
            case path_steps.Index(index=index):
                text += f"[{index}]"
            case path_steps.Names(names=names):
                text += "[" + ", ".join(f"'{name}'" for name in names) + "]"
            case _:
                raise AssertionError(f"{step} is no step of a definite path")
    return text


def _kind(value: JSON) -> str:
    match value:
        case None:
            return "null or missing"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case dict():
            return "an object"
        case list():
            return "an array"
        case _:
            return "a number"


@lru_cache(maxsize=4096)
def compile_path(text: str) -> Path:
    """The path that *text* writes. Blanks behind it don't matter; before it they are wrong.

    Raises PathSyntaxError.
    """
    if len(text) > pathsyntax.MAX_LENGTH:
        raise PathSyntaxError(f"a path has at most {pathsyntax.MAX_LENGTH} characters")
    reader = pathsyntax.PathReader(text.rstrip())
    reader.read()
    keys: list[str | int] = []
    for step in reader.steps:
        match step:
            case path_steps.Name(name=key) | path_steps.Index(index=key):
                keys.append(key)
            case _:
                break
    return Path(
        text=text,
        root=reader.root,
        variable=reader.root[1:] if reader.root not in ("$", "$$") else None,
        definite=all(
            isinstance(step, (path_steps.Name, path_steps.Index, path_steps.Names))
            for step in reader.steps
        ),
        is_reference=reader.is_reference,
        steps=tuple(reader.steps),
        keys=tuple(keys),
        _only_keys=len(keys) == len(reader.steps),
    )


#: The path ``$``.
ROOT = compile_path("$")
