"""What a definition says: a StateMachine of states, frozen.

Rule 1: `parse` alone makes these, from a document it has checked; nothing here
checks again.
Rule 2: whatever can be worked out once (a path's steps, a template's shape) is
worked out by `parse`; running only evaluates.

The words are the Amazon States Language specification's, in Python's case. One
field holds what the language spells in two: ``TimeoutSeconds`` and
``TimeoutSecondsPath`` are both ``timeout_seconds``, a number or an expression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from django_workflows.asl.expressions.jsonata import Jsonata
from django_workflows.asl.expressions.jsonpath import ROOT, Path
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.values import JSON

QueryLanguage = Literal["JSONPath", "JSONata"]


class Expression(Protocol):
    """Something that yields a value: a path, an intrinsic function call, a template."""

    @property
    def text(self) -> str:
        """The expression as the definition has it."""

    def evaluate(self, names: Names, field: str) -> JSON:
        """The value; *field* names the place for the message of a StateError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrier:
    """One entry of Retry. Source: ASL specification, "Retrying after error"."""

    error_equals: tuple[str, ...]
    interval_seconds: int = 1
    max_attempts: int = 3
    backoff_rate: float = 2.0
    max_delay_seconds: int | None = None
    jitter_strategy: Literal["FULL", "NONE"] = "NONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catcher:
    """One entry of Catch. Source: ASL specification, "Fallback states"."""

    error_equals: tuple[str, ...]
    next: str
    #: None drops the error and keeps the state's input.
    result_path: Path | None = ROOT
    assign: Expression | None = None
    output: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What all eight types share. A field that a type may not have keeps its default."""

    name: str
    #: Where the state stands in the document: "/States/Fan/ItemProcessor/States/Pay".
    pointer: str
    comment: str | None = None
    query_language: QueryLanguage = "JSONPath"
    #: The state that follows; None where this one ends its machine.
    next: str | None = None
    #: None (JSON null) stands for the empty object.
    input_path: Path | None = ROOT
    #: None is the identity, here and for the result selector.
    parameters: Expression | None = None
    result_selector: Expression | None = None
    #: None (JSON null) drops the result and keeps the state's input.
    result_path: Path | None = ROOT
    output_path: Path | None = ROOT
    #: JSONata's Arguments and Output; None where absent.
    arguments: Expression | None = None
    output: Expression | None = None
    assign: Expression | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()

    @property
    def type(self) -> str:
        """The state's ``Type``: Task, Wait, Pass, ..."""
        return type(self).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass(State):
    #: ``has_result`` tells an absent Result from ``"Result": null``.
    has_result: bool = False
    result: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(State):
    resource: str
    timeout_seconds: int | Expression | None = None
    heartbeat_seconds: int | Expression | None = None
    credentials: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """``Variable`` with one operator, such as ``NumericLessThan`` or ``NumericLessThanPath``."""

    variable: Path
    #: The operator without "Path": "StringEquals", "IsPresent".
    operator: str
    #: The literal operand (timestamps stay texts), or the path that yields it.
    operand: JSON | Path


@dataclass(frozen=True, slots=True, kw_only=True)
class And:
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Or:
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    test: Test


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """JSONata's ``Condition``: a boolean, or an expression that yields one."""

    value: bool | Jsonata


Test = Comparison | And | Or | Not | Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRule:
    test: Test
    next: str
    assign: Expression | None = None
    output: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(State):
    choices: tuple[ChoiceRule, ...]
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(State):
    """Exactly one of the two is set."""

    seconds: int | Expression | None = None
    #: The literal's text is kept as ``datetime``; an expression yields a text.
    timestamp: datetime | Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeed(State):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(State):
    error: str | Expression | None = None
    cause: str | Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(State):
    branches: tuple[StateMachine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReader:
    """Where a distributed Map's items come from. Source: AWS, "ItemReader (Map)"."""

    resource: str
    #: JSONPath's Parameters or JSONata's Arguments.
    parameters: Expression | None = None
    #: ReaderConfig as written, without MaxItems and MaxItemsPath.
    config: Mapping[str, JSON] = field(default_factory=dict)
    max_items: int | Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemBatcher:
    """How a distributed Map groups items. Source: AWS, "ItemBatcher (Map)"."""

    batch_input: Expression | None = None
    max_items_per_batch: int | Expression | None = None
    max_input_bytes_per_batch: int | Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultWriter:
    """Where a distributed Map's results go. Source: AWS, "ResultWriter (Map)"."""

    resource: str | None = None
    parameters: Expression | None = None
    config: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Map(State):
    processor: StateMachine
    mode: Literal["INLINE", "DISTRIBUTED"] = "INLINE"
    execution_type: Literal["STANDARD", "EXPRESS"] | None = None
    #: ItemsPath or Items; None is the effective input itself.
    items: Expression | None = None
    #: ItemSelector, or the older Parameters; None passes the item itself.
    item_selector: Expression | None = None
    #: 0 is no limit.
    max_concurrency: int | Expression = 0
    tolerated_failure_count: int | Expression | None = None
    tolerated_failure_percentage: float | Expression | None = None
    label: str | None = None
    item_reader: ItemReader | None = None
    item_batcher: ItemBatcher | None = None
    result_writer: ResultWriter | None = None

    @property
    def is_distributed(self) -> bool:
        """Whether its iterations are executions of their own.

        A reader, batcher or writer makes it so even where Mode does not say it.
        """
        return self.mode == "DISTRIBUTED" or not (
            self.item_reader is None and self.item_batcher is None and self.result_writer is None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMachine:
    """A whole definition, or one branch or processor inside of it."""

    start_at: str
    states: Mapping[str, State]
    comment: str | None = None
    #: The execution's own timeout; only ever set on the outermost machine.
    timeout_seconds: int | None = None
    query_language: QueryLanguage = "JSONPath"

    def processors(self) -> dict[str, StateMachine]:
        """This machine by "", and every Map's processor in it by the Map's pointer."""
        found = {"": self}
        todo = [self]
        while todo:
            for state in todo.pop().states.values():
                if isinstance(state, Parallel):
                    todo.extend(state.branches)
                elif isinstance(state, Map):
                    found[state.pointer] = state.processor
                    todo.append(state.processor)
        return found

    def at(self, path: Sequence[str | int]) -> StateMachine:
        """The machine that the branch at *path* of an execution runs in."""
        machine = self
        for step in range(0, len(path), 2):
            state = machine.states[str(path[step])]
            if isinstance(state, Parallel):
                machine = state.branches[int(path[step + 1])]
            elif isinstance(state, Map):
                machine = state.processor
        return machine
