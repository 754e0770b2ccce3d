"""What is wrong with a definition, gathered while it is read.

Reading never stops at the first problem: whoever finds one tells the `Report`
and goes on with a harmless stand-in. A machine is handed out only where no
error was reported, so a stand-in is never run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches

from django_workflows.asl.errors import Problem, Severity
from django_workflows.asl.values import JSON

# AWS's codes (ValidateStateMachineDefinition).
INVALID_JSON = "INVALID_JSON_DESCRIPTION"
SCHEMA = "SCHEMA_VALIDATION_FAILED"
MISSING_END_STATE = "MISSING_END_STATE"
DUPLICATE_STATE_NAME = "DUPLICATE_STATE_NAME"
INVALID_STATE_NAME = "INVALID_STATE_NAME"
DUPLICATE_LABEL_NAME = "DUPLICATE_LABEL_NAME"
INVALID_LABEL_NAME = "INVALID_LABEL_NAME"
MISSING_TRANSITION_TARGET = "MISSING_TRANSITION_TARGET"
TOO_DEEPLY_NESTED = "TOO_DEEPLY_NESTED"
NO_DOLLAR = "NO_DOLLAR"
NO_PATH = "NO_PATH"
PASS_RESULT_IS_STATIC = "PASS_RESULT_IS_STATIC"  # noqa: S105 (no password)

# Ours.
UNASSIGNED_VARIABLE = "UNASSIGNED_VARIABLE"
ALWAYS_UNDEFINED = "ALWAYS_UNDEFINED"
OTHER_QUERY_LANGUAGE = "OTHER_QUERY_LANGUAGE"
OWN_WARNINGS = frozenset({UNASSIGNED_VARIABLE, ALWAYS_UNDEFINED, OTHER_QUERY_LANGUAGE})

#: How many names all suggestions of one report may be compared with. Comparing
#: is slow, and ten thousand wrong names among ten thousand must still end soon.
_COMPARISONS = 20_000
#: Longer words are not worth a suggestion: the longest name a state may have.
_LONGEST_WORD = 80


class Report:
    """The problems found so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        #: The problems that stand at a member's name, not at its value.
        self.at_name: set[Problem] = set()
        self._comparisons_left = _COMPARISONS

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "ERROR" for problem in self.problems)

    def error(
        self,
        pointer: str,
        message: str,
        *,
        code: str = SCHEMA,
        at_name: bool = False,
        place: tuple[int, int] | None = None,
    ) -> None:
        """Report an error; *place* is its line and column where they are known already."""
        self._add(code, pointer, message, "ERROR", at_name, place)

    def warning(self, pointer: str, message: str, *, code: str) -> None:
        self._add(code, pointer, message, "WARNING", False, None)

    def did_you_mean(self, word: str, names: Iterable[str]) -> tuple[str | None, str]:
        """The name that *word* was probably meant to be, and a text that asks so.

        ``(None, "")`` where none is near. The text begins with a blank.
        """
        if len(word) > _LONGEST_WORD or self._comparisons_left <= 0:
            return None, ""
        known = [name for name in names if len(name) <= _LONGEST_WORD]
        self._comparisons_left -= len(known)
        folded = word.casefold()
        close = [name for name in known if name.casefold() == folded]
        close = close or get_close_matches(word, known, n=1)
        if not close:
            return None, ""
        return close[0], f" (did you mean {shown(close[0])}?)"

    def _add(
        self,
        code: str,
        pointer: str,
        message: str,
        severity: Severity,
        at_name: bool,
        place: tuple[int, int] | None,
    ) -> None:
        printable = _printable_part(pointer)
        line, column = place or (None, None)
        problem = Problem(
            code=code,
            pointer=printable,
            message=message.encode("utf-8", "backslashreplace").decode("utf-8"),
            severity=severity,
            line=line,
            column=column,
        )
        self.problems.append(problem)
        if at_name and printable == pointer:
            self.at_name.add(problem)


def _printable_part(pointer: str) -> str:
    """*pointer* up to the first name that has a lone surrogate: no file and no
    screen takes one, and a message must always be writable."""
    try:
        pointer.encode("utf-8")
    except UnicodeEncodeError as error:
        return pointer[: pointer.rindex("/", 0, error.start)]
    return pointer


def step(name: str | int) -> str:
    """One member or element as a part of a JSON pointer (RFC 6901): ``/name``."""
    if isinstance(name, str) and ("~" in name or "/" in name):
        name = name.replace("~", "~0").replace("/", "~1")
    return f"/{name}"


def shown(value: JSON) -> str:
    """*value* as a message shows what was found; long ones are cut."""
    match value:
        case str():
            return repr(value if len(value) <= 80 else f"{value[:77]}...")
        case dict():
            return "an object" if value else "an empty object"
        case list():
            return "an array" if value else "an empty array"
        case bool() | None:
            return json.dumps(value)
        case int() if abs(value) >= 10**20:
            return f"a number of {value.bit_length() * 30103 // 100000 + 1} digits"
        case _:
            return repr(value)


def listed(names: Iterable[str], word: str = "or") -> str:
    """Names in a sentence: ``A, B or C``."""
    every = list(names)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} {word} {every[-1]}"


def quoted(names: Iterable[str], word: str = "or") -> str:
    """Names in a sentence: ``'A', 'B' or 'C'``."""
    return listed(map(repr, names), word)
