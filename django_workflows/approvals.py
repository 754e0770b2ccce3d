"""What an approval asks, read from its Parameters.

``{"Title": "...", "Instructions": "...", "Users": ["alice"], "Groups": ["managers"],
"Decisions": ["approve", "reject"]}``; Users or Groups must name someone, all else
may be left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from django_workflows.asl.values import JSON

INVALID = "Approval.InvalidParameters"
UNKNOWN_CANDIDATE = "Approval.UnknownCandidate"
DEFAULT_DECISIONS = ("approve", "reject")

_MAX_LISTED = 100


class InvalidApproval(Exception):
    """The approval can't be asked: ``name`` and ``cause`` are what its task fails with."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(cause)
        self.name = name
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    title: str
    instructions: str
    #: Names of users, and of groups, any of whom may decide.
    users: tuple[str, ...]
    groups: tuple[str, ...]
    decisions: tuple[str, ...]


def read(input: JSON, *, state: str) -> Approval:
    """The approval that the Parameters *input* of the state *state* describe.

    The state's name is the title where none is given.
    Raises InvalidApproval, saying what was found and what would be right.
    """
    if not isinstance(input, dict):
        raise InvalidApproval(
            INVALID, f"Parameters: expected an object with Users or Groups, found {_found(input)}"
        )
    users, groups = _names(input, "Users"), _names(input, "Groups")
    if not users and not groups:
        raise InvalidApproval(
            INVALID, "Parameters: Users or Groups must name at least one who may decide"
        )
    decisions = _names(input, "Decisions") if "Decisions" in input else DEFAULT_DECISIONS
    if not decisions:
        raise InvalidApproval(INVALID, "Parameters.Decisions: expected at least one decision")
    return Approval(
        title=_text(input, "Title") or state,
        instructions=_text(input, "Instructions"),
        users=users,
        groups=groups,
        decisions=decisions,
    )


def _text(input: dict[str, JSON], member: str) -> str:
    value = input.get(member)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidApproval(
            INVALID, f"Parameters.{member}: expected a text, found {_found(value)}"
        )
    return value


def _names(input: dict[str, JSON], member: str) -> tuple[str, ...]:
    value = input.get(member)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise InvalidApproval(
            INVALID, f"Parameters.{member}: expected an array of texts, found {_found(value)}"
        )
    if len(value) > _MAX_LISTED:
        raise InvalidApproval(
            INVALID, f"Parameters.{member}: expected at most {_MAX_LISTED}, found {len(value)}"
        )
    for index, name in enumerate(value):
        if not isinstance(name, str) or not name.strip():
            raise InvalidApproval(
                INVALID,
                f"Parameters.{member}[{index}]: expected a text that is not empty,"
                f" found {_found(name)}",
            )
    return tuple(dict.fromkeys(value))


def _found(value: JSON) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value if len(value) <= 40 else f"{value[:39]}…")
        case int() | float():
            return f"the number {value}"[:60]
        case list():
            return "an array"
        case _:
            return "an object"
