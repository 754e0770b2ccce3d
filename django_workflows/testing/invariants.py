"""What must hold for every execution after every command: a check of the interpreter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django_workflows import asl
from django_workflows.asl import values
from django_workflows.asl.codec import decode_execution, encode_execution


def check(
    workflow: asl.StateMachine,
    execution: asl.Execution,
    log: Sequence[asl.AnyEvent],
    added: Sequence[asl.AnyEvent],
) -> None:
    """Raises AssertionError where *log*, of which *added* is the end, breaks a promise."""
    events = list(log)
    _holds([event.seq for event in events] == list(range(1, len(events) + 1)), "a gap in the log")
    _holds(asl.fold(events) == execution, "replay gives another state")
    _holds(not asl.recover(workflow, events).events, "the execution had not come to rest")
    text = values.dumps(asl.encode_log(events))
    _holds(asl.decode_log(json.loads(text)) == events, "the log does not survive JSON")
    snapshot = decode_execution(json.loads(values.dumps(encode_execution(execution))))
    _holds(snapshot == execution, "the state does not survive JSON")
    _holds(snapshot.wake_at == execution.wake_at, "a snapshot wakes at another moment")
    if execution.is_running:
        _holds(bool(execution.tasks or execution.wake_at), "nobody will ever move it again")
    else:
        _holds(execution.wake_at is None, "it has ended, and wants to be woken")
        _holds(not execution.tasks and not execution.waits, "it has ended, and waits")
    for cut in range(max(len(events) - len(added), 1), len(events)):
        whole = events[:cut] + list(asl.recover(workflow, events[:cut]).events)
        same = [_bare(event) for event in whole] == [_bare(event) for event in events[: len(whole)]]
        _holds(same, f"a log cut after event {cut} goes on otherwise")


def _holds(condition: bool, broken: str) -> None:
    if not condition:
        raise AssertionError(f"an invariant of the interpreter is broken: {broken}")


def _bare(event: asl.AnyEvent) -> dict[str, Any]:
    encoded = asl.encode(event)
    encoded.pop("origin", None)
    return encoded
