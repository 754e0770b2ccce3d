"""The three audiences of an error: the author, the sender, the workflow.

======================  =====================  =================================
who must act            kind                   then
======================  =====================  =================================
the definition's author `InvalidDefinition`    all problems at once, with places
a command's sender      `CommandRejected`      nothing was written
the workflow            `StateError`           becomes an event; Retry and Catch
                                               see it; it never leaves the core
======================  =====================  =================================
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["ERROR", "WARNING"]


class WorkflowError(Exception):
    """The root of every error that this package raises on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a definition.

    ``code`` is one of AWS's diagnostic codes (SCHEMA_VALIDATION_FAILED,
    MISSING_TRANSITION_TARGET, ...). ``pointer`` is a JSON pointer (RFC 6901),
    "" for the document itself. ``line`` and ``column`` count from 1 and are
    None where the definition did not come as text.
    """

    code: str
    pointer: str
    message: str
    severity: Severity = "ERROR"
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = self.pointer or "/"
        if self.line is not None:
            place = f"{place} (line {self.line}, column {self.column})"
        return f"{place}: {self.message}"


class InvalidDefinition(WorkflowError):
    """A definition was refused; ``problems`` says everything that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidValue(WorkflowError, ValueError):
    """A value is not the JSON data that is wanted here: the message says where and why."""


class CommandRejected(WorkflowError):
    """A command does not apply, or no longer; nothing was written."""


class NotPending(CommandRejected):
    """What the command answers is not awaited (any more)."""


class ExecutionEnded(CommandRejected):
    """The execution has ended, so it takes no further commands."""


class NotRedrivable(CommandRejected):
    """The execution runs, or has succeeded: there is nothing to run again."""


class StateError(Exception):
    """The error of a running state: an Error Name and its Cause.

    ``location`` names the field of a JSONata state that could not be evaluated:
    "Output/total". Caught in `decide` alone, where it becomes an event.
    """

    def __init__(
        self, name: str | None, cause: str | None = None, *, location: str | None = None
    ) -> None:
        self.name = name
        self.cause = cause
        self.location = location
        super().__init__(f"{name}: {cause}")
