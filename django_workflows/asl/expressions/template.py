"""Payload templates: plain JSON, but keys ending in ``.$`` have expressions for values.

``{"id.$": "$.order.id", "kind": "order"}`` yields ``{"id": 17, "kind": "order"}``.

Source: ASL specification, "Payload Template".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from django_workflows.asl.expressions.intrinsics import Intrinsic, compile_expression
from django_workflows.asl.expressions.jsonpath import Path
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.values import JSON, compact

__all__ = ["Template", "compile_expression", "compile_template"]


@dataclass(frozen=True, slots=True)
class _Slot:
    """The expression behind one key; *field* is that key, with its ``.$``."""

    field: str
    expression: Path | Intrinsic


@dataclass(frozen=True, slots=True)
class _Members:
    members: tuple[tuple[str, _Part], ...]


@dataclass(frozen=True, slots=True)
class _Items:
    items: tuple[_Part, ...]


@dataclass(frozen=True, slots=True)
class _Static:
    """A part without expressions: each evaluation shares the one value."""

    value: JSON


_Part = _Slot | _Members | _Items | _Static


@dataclass(frozen=True)
class Template:
    """A payload template, compiled."""

    source: JSON
    _part: _Part

    @cached_property
    def text(self) -> str:
        """The template as compact JSON."""
        return compact(self.source)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """All paths in it, arguments of functions too."""
        return tuple(_paths(self._part))

    def evaluate(self, names: Names, field: str) -> JSON:
        """The template with every expression replaced by its value.

        Builds new objects and arrays around the expressions; parts without any
        are shared with the definition and must not be changed. A message about
        a missing path names the key it stands under, not *field*, as AWS's do.

        Raises StateError.
        """
        return _evaluate(self._part, names)


def _evaluate(part: _Part, names: Names) -> JSON:
    match part:
        case _Members(members=members):
            return {key: _evaluate(member, names) for key, member in members}
        case _Slot(field=field, expression=expression):
            return expression.evaluate(names, field)
        case _Static(value=value):
            return value
        case _Items(items=items):
            return [_evaluate(item, names) for item in items]


def _paths(part: _Part) -> list[Path]:
    match part:
        case _Slot(expression=Path() as path):
            return [path]
        case _Slot(expression=Intrinsic() as call):
            return list(call.paths)
        case _Members(members=members):
            return [path for _, member in members for path in _paths(member)]
        case _Items(items=items):
            return [path for item in items for path in _paths(item)]
        case _:
            return []


def compile_template(value: JSON, report: Callable[[str, str], None]) -> Template:
    """The payload template that *value* is; any JSON may be one.

    ``report(suffix, message)`` is called for everything that is wrong, with the
    JSON pointer of the key within *value*. The template that comes back then
    has null in its place.
    """
    return Template(value, _compile(value, "", report))


def _compile(value: JSON, pointer: str, report: Callable[[str, str], None]) -> _Part:
    if isinstance(value, dict):
        return _compile_object(value, pointer, report)
    if isinstance(value, list):
        items = tuple(
            _compile(item, f"{pointer}/{index}", report) for index, item in enumerate(value)
        )
        return _Static(value) if _all_static(items) else _Items(items)
    return _Static(value)


def _compile_object(
    value: dict[str, JSON], pointer: str, report: Callable[[str, str], None]
) -> _Part:
    members: list[tuple[str, _Part]] = []
    is_static = True
    for key, item in value.items():
        place = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
        if not key.endswith(".$"):
            members.append((key, _compile(item, place, report)))
            continue
        is_static = False
        name = key[:-2]
        if name in value:
            report(place, f"The field '{name}' is there twice: as '{name}' and as '{key}'")
        members.append((name, _compile_slot(key, item, place, report)))
    if is_static and _all_static(part for _, part in members):
        return _Static(value)
    return _Members(tuple(members))


def _compile_slot(key: str, item: JSON, place: str, report: Callable[[str, str], None]) -> _Part:
    if isinstance(item, str):
        try:
            return _Slot(key, compile_expression(item))
        except ValueError as error:
            problem = str(error)
    else:
        problem = f"expected a string, found {compact(item)[:80]}"
    report(
        place,
        f"The value for the field '{key}' must be a valid JSONPath"
        f" or a valid intrinsic function call: {problem}",
    )
    return _Static(None)


def _all_static(parts: Iterable[_Part]) -> bool:
    return all(isinstance(part, _Static) for part in parts)
