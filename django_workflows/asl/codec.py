"""Events and executions as JSON data, and back.

``{"type": "TaskStarted", "seq": 3, ...}``: fields by their own names, those at
their default left out, moments in RFC 3339 UTC. The reader is tolerant: a field
it doesn't know is passed over, one that is missing has its default, so that old
code reads new rows and new code old ones.

Nothing here makes text: `values.dumps` does, once, for whoever stores it.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import UnionType
from typing import Any, cast

from django_workflows.asl import events as event_module
from django_workflows.asl import execution as execution_module
from django_workflows.asl.errors import InvalidValue
from django_workflows.asl.events import AnyEvent, Event, Origin
from django_workflows.asl.execution import AwaitingBranches, Branch, Execution, Status
from django_workflows.asl.values import JSON, format_timestamp, parse_timestamp

_Convert = Callable[[Any], Any]


class _Shape:
    """How one dataclass is written: its fields with their converters and defaults."""

    def __init__(self, cls: type) -> None:
        hints = typing.get_type_hints(cls)
        self.cls = cls
        self.fields = [
            (field.name, _converters(hints[field.name]), _default(field))
            for field in dataclasses.fields(cls)
            if field.repr  # the heap of timers is made anew
        ]

    def encode(self, value: Any) -> dict[str, JSON]:
        encoded: dict[str, JSON] = {}
        for name, (write, _), default in self.fields:
            member = getattr(value, name)
            if member is default or (default is not _REQUIRED and _same(member, default)):
                continue
            encoded[name] = write(member) if write is not None and member is not None else member
        return encoded

    def decode(self, data: Mapping[str, JSON]) -> Any:
        members = {}
        for name, (_, read), default in self.fields:
            if name not in data:
                if default is _REQUIRED:
                    raise InvalidValue(f"{self.cls.__name__}: the field {name!r} is missing")
                continue
            member = data[name]
            members[name] = read(member) if read is not None and member is not None else member
        return self.cls(**members)


_REQUIRED = object()


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return _REQUIRED


def _same(member: Any, default: Any) -> bool:
    return type(member) is type(default) and bool(member == default)


def _converters(hint: Any) -> tuple[_Convert | None, _Convert | None]:
    """How to write and to read a field of type *hint*; None leaves the value as it is."""
    options = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if datetime in options:
        return format_timestamp, _read_moment
    if hint == event_module.Path:
        return list, tuple
    if Origin in options:
        return _SHAPES[Origin].encode, _SHAPES[Origin].decode
    if Status in options:
        return str, Status
    if AwaitingBranches in options and hint != execution_module.Doing:
        return _fork_shape().encode, _fork_shape().decode
    if typing.get_origin(options[0]) is tuple:
        return list, tuple
    return None, None


@functools.cache
def _fork_shape() -> _Shape:
    return _Shape(AwaitingBranches)


def _read_moment(text: str) -> datetime:
    moment = parse_timestamp(text)
    if moment is None:
        raise InvalidValue(f"expected an RFC 3339 timestamp, found {text!r}")
    return moment


_SHAPES: dict[type, _Shape] = {}
_SHAPES[Origin] = _Shape(Origin)
_EVENTS: dict[str, type[Event]] = {
    kind.__name__: kind for kind in typing.get_args(event_module.AnyEvent)
}
_DOINGS: dict[str, type] = {kind.__name__: kind for kind in typing.get_args(execution_module.Doing)}
for _kind in (*_EVENTS.values(), *_DOINGS.values()):
    _SHAPES[_kind] = _Shape(_kind)


def encode(event: AnyEvent) -> dict[str, JSON]:
    """*event* as JSON data."""
    return {"type": type(event).__name__, **_SHAPES[type(event)].encode(event)}


def decode(data: Mapping[str, JSON]) -> AnyEvent:
    """The event that *data* holds.

    Raises InvalidValue where its type is unknown or a field without default is missing.
    """
    kind = _EVENTS.get(data.get("type", ""))
    if kind is None:
        raise InvalidValue(f"no event has the type {data.get('type')!r}")
    return cast(AnyEvent, _SHAPES[kind].decode(data))


def encode_execution(execution: Execution) -> dict[str, JSON]:
    """*execution* as JSON data: a snapshot, from which `fold` goes on."""
    encoded = _EXECUTION.encode(execution)
    encoded["branches"] = [
        [list(path), {"doing": _encode_doing(branch.doing), **_encode_branch(branch)}]
        for path, branch in execution.branches.items()
    ]
    encoded["ready"] = [list(path) for path in execution.ready]
    encoded["tasks"] = _pairs(execution.tasks)
    encoded["waits"] = _pairs(execution.waits)
    return encoded


def decode_execution(data: Mapping[str, JSON]) -> Execution:
    """The execution that a snapshot holds."""
    execution: Execution = _EXECUTION.decode({**data, "branches": {}, "ready": {}})
    execution.branches = {tuple(path): _decode_branch(branch) for path, branch in data["branches"]}
    execution.ready = {tuple(path): None for path in data["ready"]}
    execution.tasks = {number: tuple(path) for number, path in data["tasks"]}
    execution.waits = {number: tuple(path) for number, path in data["waits"]}
    execution.set_timers()
    return execution


def _pairs(places: Mapping[int, event_module.Path]) -> list[JSON]:
    return [[number, list(path)] for number, path in places.items()]


def _encode_doing(doing: execution_module.Doing) -> dict[str, JSON]:
    return {"type": type(doing).__name__, **_SHAPES[type(doing)].encode(doing)}


def _encode_branch(branch: Branch) -> dict[str, JSON]:
    encoded = _BRANCH.encode(branch)
    encoded.pop("doing")
    if "retries" in encoded:
        encoded["retries"] = [[index, count] for index, count in branch.retries.items()]
    return encoded


def _decode_branch(data: Mapping[str, JSON]) -> Branch:
    doing = _DOINGS.get(data["doing"].get("type", ""))
    if doing is None:
        raise InvalidValue(f"no branch is doing {data['doing'].get('type')!r}")
    return cast(
        Branch,
        _BRANCH.decode(
            {
                **data,
                "doing": _SHAPES[doing].decode(data["doing"]),
                "retries": dict(data.get("retries", ())),
            }
        ),
    )


_BRANCH = _Shape(Branch)
_EXECUTION = _Shape(Execution)


def encode_log(log: Iterable[AnyEvent]) -> list[dict[str, JSON]]:
    """Every event of *log* as JSON data."""
    return [encode(event) for event in log]


def decode_log(data: Iterable[Mapping[str, JSON]]) -> list[AnyEvent]:
    """The events that *data* holds."""
    return [decode(one) for one in data]
