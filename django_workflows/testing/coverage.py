"""Which states and transitions of which definitions a test session has reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django_workflows.asl import choice, context, dataflow
from django_workflows.asl.definition import Choice, State, StateMachine
from django_workflows.asl.errors import StateError
from django_workflows.asl.events import AnyEvent, Path, RetryScheduled, StateEntered, StateExited
from django_workflows.asl.execution import Execution, apply
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.references import states_of


@dataclass(frozen=True, slots=True, order=True)
class Transition:
    """One way out of a state, or back into it (Retry)."""

    #: The state's JSON pointer.
    pointer: str
    #: Next, Choices, Default, Catch or Retry.
    kind: str
    #: Which Choice rule, Catcher or Retrier, counted from 0.
    index: int = 0


@dataclass(slots=True)
class _Seen:
    name: str
    workflow: StateMachine
    states: set[str] = field(default_factory=set)
    transitions: set[Transition] = field(default_factory=set)


class Coverage:
    """Collects what executions reach. Give one to ``run(coverage=...)``, or `start` it."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._remarks: list[str] = []

    def start(self) -> None:
        """Collect from all runs that begin from now on."""
        if self not in ACTIVE:
            ACTIVE.append(self)

    def stop(self) -> None:
        if self in ACTIVE:
            ACTIVE.remove(self)

    def __enter__(self) -> Coverage:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def expect(self, key: str, name: str, workflow: StateMachine) -> None:
        """Report this definition even if it is never run; *key* is equal for equal ones."""
        self._seen.setdefault(key, _Seen(name, workflow))

    def remark(self, text: str) -> None:
        """Add a line to the report."""
        self._remarks.append(text)

    def record(
        self,
        key: str,
        name: str,
        workflow: StateMachine,
        machine: StateMachine,
        before: Execution,
        events: Iterable[AnyEvent],
    ) -> None:
        """Note what *events* say of an execution of *machine*, which is *workflow* or a
        Map's processor in it, and was as *before* before them."""
        seen = self._seen.setdefault(key, _Seen(name, workflow))
        execution = before.copy()
        for event in events:
            match event:
                case StateEntered(path=path, state=state):
                    seen.states.add(machine.at(path).states[state].pointer)
                case StateExited():
                    left = machine.at(event.path).states[event.state]
                    taken = _taken(left, execution, event)
                    if taken is not None:
                        seen.transitions.add(taken)
                case RetryScheduled(path=path, state=state, retrier=retrier):
                    pointer = machine.at(path).states[state].pointer
                    seen.transitions.add(Transition(pointer, "Retry", retrier))
                case _:
                    pass
            apply(execution, event)

    def never_entered(self, name: str) -> list[str]:
        """The states of the definitions called *name* that no execution entered."""
        return [
            state.name
            for seen in self._named(name)
            for state in states_of(seen.workflow)
            if state.pointer not in seen.states
        ]

    def never_taken(self, name: str) -> list[str]:
        """The transitions that no execution took, as the report words them."""
        return [
            words
            for seen in self._named(name)
            for transition, words in transitions(seen.workflow)
            if transition not in seen.transitions
        ]

    def _named(self, name: str) -> list[_Seen]:
        return [seen for seen in self._seen.values() if seen.name == name]

    def report(self) -> str:
        """How much was reached, and what was not, by definition."""
        lines = [] if self._seen else ["No workflow was run."]
        for seen in sorted(self._seen.values(), key=lambda one: one.name):
            lines += _section(seen)
        return "\n".join([*lines, *self._remarks])


#: Those that collect from every run.
ACTIVE: list[Coverage] = []


def transitions(workflow: StateMachine) -> Iterator[tuple[Transition, str]]:
    """All transitions of *workflow* and the machines inside of it, each with its words."""
    for state in states_of(workflow):
        name, pointer = state.name, state.pointer
        if isinstance(state, Choice):
            for index, rule in enumerate(state.choices):
                words = f"{name} → {rule.next} (Choices[{index}])"
                yield Transition(pointer, "Choices", index), words
            if state.default is not None:
                yield Transition(pointer, "Default"), f"{name} → {state.default} (Default)"
        elif state.next is not None:
            yield Transition(pointer, "Next"), f"{name} → {state.next}"
        for index, retrier in enumerate(state.retry):
            errors = ", ".join(retrier.error_equals)
            if retrier.max_attempts:
                yield (
                    Transition(pointer, "Retry", index),
                    f"{name} → {name} (Retry[{index}]: {errors})",
                )
        for index, catcher in enumerate(state.catch):
            errors = ", ".join(catcher.error_equals)
            yield (
                Transition(pointer, "Catch", index),
                f"{name} → {catcher.next} (Catch[{index}]: {errors})",
            )


def _section(seen: _Seen) -> list[str]:
    states = list(states_of(seen.workflow))
    ways = list(transitions(seen.workflow))
    entered = sum(state.pointer in seen.states for state in states)
    taken = sum(transition in seen.transitions for transition, _ in ways)
    whole = len(states) + len(ways)
    percent = 100 * (entered + taken) // whole
    lines = [
        f"{seen.name}: {percent} % — {entered} of {len(states)} states,"
        f" {taken} of {len(ways)} transitions"
    ]
    lines += [
        f"  never entered: {state.name}" for state in states if state.pointer not in seen.states
    ]
    lines += [f"  never taken: {words}" for way, words in ways if way not in seen.transitions]
    return lines


def _taken(state: State, execution: Execution, event: StateExited) -> Transition | None:
    if event.catcher is not None:
        return Transition(state.pointer, "Catch", event.catcher)
    if isinstance(state, Choice):
        return _chosen(state, execution, event)
    return None if event.next is None else Transition(state.pointer, "Next")


def _chosen(state: Choice, execution: Execution, event: StateExited) -> Transition | None:
    """Which rule led to the event's next state; where several lead there, they are asked."""
    leading = [index for index, rule in enumerate(state.choices) if rule.next == event.next]
    if not leading:
        return Transition(state.pointer, "Default")
    if len(leading) == 1 and state.default != event.next:
        return Transition(state.pointer, "Choices", leading[0])
    try:
        rule, _ = choice.way(state, _names(state, execution, event))
    except StateError:
        return None
    if rule is None:
        return Transition(state.pointer, "Default")
    index = next(number for number, one in enumerate(state.choices) if one is rule)
    return Transition(state.pointer, "Choices", index)


def _names(state: Choice, execution: Execution, event: StateExited) -> Names:
    path: Path = event.path
    names = Names(
        input=execution.branches[path].input,
        context=lambda: context.context_object(execution, path, state),
        variables=execution.visible_variables(path),
        chance=lambda: context.chance(execution, event.seq),
        now=event.at,
    )
    return names.with_input(dataflow.filtered_input(state, names))
