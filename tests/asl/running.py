"""`Run`, the driver of the core's tests: an execution on a virtual clock.

After every command it checks what must hold for all executions, so each test
is also a replay test.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django_workflows import asl
from django_workflows.asl import values
from django_workflows.asl.codec import decode_execution, encode_execution
from django_workflows.asl.maprun import map_run, threshold_exceeded

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Run:
    """One execution of *definition*, started at once."""

    def __init__(self, definition: Any, input: Any = None, **start: Any) -> None:
        self.workflow = asl.parse(definition)
        self.at = EPOCH
        self.log: list[asl.AnyEvent] = []
        start.setdefault("seed", "a seed")
        args = {} if input is None else input
        before = copy.deepcopy(args)
        self._take(
            asl.start(self.workflow, start.pop("ctx", {}), args, at=self.at, **start), before=None
        )
        assert args == before

    # -- what is asked of it

    def send(self, command: asl.AnyCommand) -> Run:
        before = self.execution
        twin = copy.deepcopy(before)
        answer = asl.resume(self.workflow, before, command, at=self.at)
        assert before == twin, "the execution that was passed in has changed"
        self._take(answer, before=before)
        return self

    def complete(self, task: int | str | None = None, output: Any = None) -> Run:
        return self.send(asl.CompleteTask(task=self._task(task), output=output))

    def fail(self, task: int | str | None = None, error: Any = "Oops", cause: Any = "why") -> Run:
        return self.send(asl.FailTask(task=self._task(task), error=error, cause=cause))

    def wake(self, after: float = 0) -> Run:
        """Let *after* seconds pass, then say the time."""
        self.at += timedelta(seconds=after)
        return self.send(asl.Wake(at=self.at))

    def finish_waiting(self) -> Run:
        [wait] = self.execution.waits
        return self.send(asl.FinishWaiting(wait=wait))

    def run_map(self, work: Callable[[Any], Any], items: Any = None) -> Run:
        """Do the open Map run: *work* gives each child's output, or raises StateError."""
        [asked] = (task for task in self.tasks if task.role == "map")
        run = map_run(self.workflow, self.execution, asked)
        outputs, failed, total = [], 0, 0
        for child in run.inputs(run.items if items is None else items):
            total += len(child["Items"]) if "ItemBatcher" in asked.input else 1
            try:
                outputs.append(work(child))
            except asl.StateError:
                failed += 1
        if run.is_over_tolerance(failed, total):
            error = threshold_exceeded()
            return self.fail(asked.seq, error=error.name, cause=error.cause)
        return self.complete(asked.seq, output=outputs)

    # -- what is known of it

    @property
    def status(self) -> asl.Status:
        return self.execution.status

    @property
    def output(self) -> Any:
        assert self.status is asl.Status.SUCCEEDED, (self.status, self.error)
        return self.execution.output

    @property
    def error(self) -> tuple[str | None, str | None]:
        return self.execution.error, self.execution.cause

    @property
    def tasks(self) -> list[asl.TaskStarted]:
        """The open tasks, oldest first."""
        started = (event for event in self.log if isinstance(event, asl.TaskStarted))
        return [event for event in started if event.seq in self.execution.tasks]

    @property
    def due_in(self) -> float | None:
        """Seconds until the execution wants to be woken."""
        wake_at = self.execution.wake_at
        return None if wake_at is None else (wake_at - self.at).total_seconds()

    def events(self, kind: type) -> list[Any]:
        return [event for event in self.log if isinstance(event, kind)]

    @property
    def path(self) -> list[str]:
        """The names of the states entered, in order."""
        return [event.state for event in self.events(asl.StateEntered)]

    def _task(self, task: int | str | None) -> int:
        if isinstance(task, int):
            return task
        for one in self.tasks:
            if task is None or one.state == task:
                return one.seq
        raise AssertionError(f"no open task of {task}: {self.tasks}")

    # -- what must hold

    def _take(self, answer: asl.Answer, before: asl.Execution | None) -> None:
        self.answer = answer
        self.execution = answer.execution
        self.log += answer.events
        check(self.workflow, self.execution, self.log, before, list(answer.events))


def check(
    workflow: asl.StateMachine,
    execution: asl.Execution,
    log: list[asl.AnyEvent],
    before: asl.Execution | None,
    added: list[asl.AnyEvent],
) -> None:
    """The invariants of every execution after every command."""
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    # Replay equals state, and the state goes on from a snapshot too.
    assert asl.fold(log) == execution
    assert asl.recover(workflow, log).events == ()
    # The log survives JSON, and so does the state.
    text = values.dumps(asl.encode_log(log))
    assert asl.decode_log(json.loads(text)) == log
    snapshot = decode_execution(json.loads(values.dumps(encode_execution(execution))))
    assert snapshot == execution
    assert snapshot.wake_at == execution.wake_at
    # It came to rest, and somebody will move it again.
    assert not execution.ready
    if execution.is_running:
        assert execution.tasks or execution.wake_at
    else:
        assert execution.wake_at is None
        assert not (execution.tasks or execution.waits)
        assert bool(execution.branches) is execution.is_redrivable
    # A log cut anywhere in what was added, and settled again, reproduces the rest.
    start = len(log) - len(added)
    for cut in range(max(start, 1), len(log)):
        recovered = asl.recover(workflow, log[:cut])
        whole = log[:cut] + list(recovered.events)
        assert [_bare(event) for event in whole] == [_bare(event) for event in log[: len(whole)]]


def _bare(event: asl.AnyEvent) -> dict[str, Any]:
    encoded = asl.encode(event)
    encoded.pop("origin", None)
    return encoded


# -- definitions in short --------------------------------------------------------------


def machine(*states: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A definition of *states* in a row: each goes Next to the following, the last ends."""
    named = {}
    names = [state.pop("Name", None) or f"S{number}" for number, state in enumerate(states, 1)]
    for number, (name, state) in enumerate(zip(names, states, strict=True)):
        if state["Type"] not in ("Choice", "Succeed", "Fail") and not state.keys() & {
            "Next",
            "End",
        }:
            follow = {"Next": names[number + 1]} if number + 1 < len(names) else {"End": True}
            state = {**state, **follow}
        named[name] = state
    return {"StartAt": names[0], "States": named, **fields}


def task(name: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Task", "Resource": "work", **fields}


def pass_(name: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Pass", **fields}


def wait(seconds: int = 10, name: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Wait", "Seconds": seconds, **fields}
