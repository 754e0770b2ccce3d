"""What a test asks of an execution, in memory or in the database: read off its events."""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeVar

from django_workflows import asl
from django_workflows.asl.definition import State, Task
from django_workflows.asl.references import states_of
from django_workflows.asl.values import JSON

EventT = TypeVar("EventT")


class Queries:
    """The questions; who answers them says what its events are."""

    @property
    @abstractmethod
    def log(self) -> Sequence[asl.AnyEvent]:
        """All its events."""

    @property
    @abstractmethod
    def status(self) -> str:
        """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""

    @property
    @abstractmethod
    def output(self) -> JSON:
        """What it ended with. Raises AssertionError where it has not succeeded."""

    @property
    @abstractmethod
    def error(self) -> str | None:
        """The Error Name that it failed with, if it did."""

    @property
    @abstractmethod
    def cause(self) -> str | None:
        """The Cause that it failed with, if it did."""

    @property
    @abstractmethod
    def waiting_for(self) -> dict[str, str]:
        """What each waiting state waits for, by its name: "approval", "callback" (an answer
        from outside), "task", "retry" or "timer"."""

    @abstractmethod
    def _definition(self) -> asl.StateMachine:
        """The whole definition, of which a Map's child executes a part."""

    @abstractmethod
    def _logs(self) -> Iterator[Sequence[asl.AnyEvent]]:
        """Its events, and those of all children that execute parts of its definition."""

    @property
    def path(self) -> list[str]:
        """The names of the states entered, in order; those of children are their own."""
        return [event.state for event in self.events(asl.StateEntered)]

    def events(self, kind: type[EventT]) -> list[EventT]:
        """Its events of one kind, say ``asl.TaskFailed``."""
        return _of(kind, self.log)

    def attempts(self, state: str) -> int:
        """How often the Task *state* was tried, in all its visits and iterations."""
        self._state(state)
        return len(self._told(asl.TaskStarted, state))

    def inputs(self, state: str) -> list[JSON]:
        """What each attempt of the Task *state* was given; for other states, the input that
        each visit began with."""
        if isinstance(self._state(state), Task):
            return [event.input for event in self._told(asl.TaskStarted, state)]
        return [event.input for event in self._told(asl.StateEntered, state)]

    def outputs(self, state: str) -> list[JSON]:
        """What each visit of *state* ended with."""
        self._state(state)
        return [event.output for event in self._told(asl.StateExited, state)]

    def _told(self, kind: type[EventT], state: str) -> list[EventT]:
        return [
            event
            for log in self._logs()
            for event in _of(kind, log)
            if getattr(event, "state", None) == state
        ]

    def _state(self, name: str) -> State:
        """Raises AssertionError where there is none of this name."""
        states = {state.name: state for state in states_of(self._definition())}
        if name not in states:
            close = difflib.get_close_matches(name, states, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise AssertionError(f"no state is named {name!r}{hint}")
        return states[name]

    def _story(self) -> str:
        """Where it went, and what it waits for, for messages."""
        path = self.path
        shown = " → ".join(["…", *path[-20:]] if len(path) > 20 else path) or "nothing entered"
        if self.status == asl.Status.RUNNING:
            waits = ", ".join(f"{state!r} ({kind})" for state, kind in self.waiting_for.items())
            return f"{shown}; RUNNING, waits for {waits or 'nothing'}"
        failed = f" ({self.error}: {self.cause})" if self.error is not None else ""
        return f"{shown}; {self.status}{failed}"

    def _unexpected(self, message: str) -> AssertionError:
        return AssertionError(f"{message}\npath so far: {self._story()}")


def _of(kind: type[EventT], log: Sequence[asl.AnyEvent]) -> list[EventT]:
    return [event for event in log if isinstance(event, kind)]
