"""From what a caller hands in to one plain JSON object, and back to places in its text.

The good path is one pass of the standard library's fast JSON reader. Only where
something is wrong is the text read a second time, by `scan`, which knows where
everything stands: that gives problems their line and column, and finds what the
fast reader hides (a member that is there twice, where a number is too large).

Rule: nothing here knows the Amazon States Language.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django_workflows.asl.errors import Problem
from django_workflows.asl.parse.report import (
    INVALID_JSON,
    TOO_DEEPLY_NESTED,
    Report,
    shown,
    step,
)
from django_workflows.asl.values import JSON

#: AWS's limit for a definition. Source: AWS API, CreateStateMachine, "definition".
MAX_CHARACTERS = 1_048_576

#: How deep objects and arrays may nest in a definition: what reads, draws and
#: stores one walks it recursively.
MAX_DEPTH = 128

#: Python neither writes nor reads an integer with more digits than this.
_MAX_DIGITS = 4_300
_TOO_LARGE = 10**_MAX_DIGITS

_NOT_AN_OBJECT = "Definition must be a valid JSON object"
_TOO_DEEP = f"the definition nests deeper than {MAX_DEPTH} levels of objects and arrays"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the caller gave: as one JSON object, and as text."""

    #: Plain JSON data that no one else holds; None where there is none.
    document: dict[str, JSON] | None
    #: The text problems are placed in; None where there is none, or it is no JSON.
    text: str | None


def read(definition: object, report: Report) -> Source:
    """The definition, given as text, as UTF-8 bytes or as a mapping.

    Where it is no JSON object, *report* says why; it may hold problems too
    where there is one (a member that is there twice).
    """
    match definition:
        case Mapping():
            text = _text_of(dict(definition), report)
        case str():
            text = definition
        case bytes():
            text = _decoded(definition, report)
        case _:
            text = None
            report.error("", f"{_NOT_AN_OBJECT}, found {_python_type(definition)}")
    if text is None:
        return Source(document=None, text=None)
    # Some editors begin a file with a byte order mark; RFC 8259 lets us skip it.
    text = text.removeprefix("\ufeff")
    document, readable = _load(text, report)
    given_as_text = not isinstance(definition, Mapping)
    return Source(document=document, text=text if readable and given_as_text else None)


def _decoded(definition: bytes, report: Report) -> str | None:
    try:
        return definition.decode("utf-8")
    except UnicodeDecodeError as error:
        before = definition[: error.start]
        report.error(
            "",
            f"Definition must be UTF-8 text: {error.reason} at byte {error.start}",
            code=INVALID_JSON,
            place=(before.count(b"\n") + 1, error.start - before.rfind(b"\n")),
        )
        return None


# --- Reading text ------------------------------------------------------------


class _Hooks:
    """What the fast reader calls, to notice that a second, slower look is needed."""

    def __init__(self) -> None:
        self.suspicious = False

    def members(self, pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
        members = dict(pairs)
        if len(members) < len(pairs):
            self.suspicious = True
        return members

    def integer(self, text: str) -> int:
        if len(text) > _MAX_DIGITS:
            self.suspicious = True
            return 0
        return int(text)

    def fraction(self, text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            self.suspicious = True
            return 0.0
        return number

    def constant(self, _name: str) -> int:
        self.suspicious = True
        return 0


def _load(text: str, report: Report) -> tuple[dict[str, JSON] | None, bool]:
    """The object in *text*, and whether the text could be read at all."""
    if len(text) > MAX_CHARACTERS:
        _report_too_long(len(text), report)
        return None, False
    if not text.strip(" \t\r\n"):
        report.error("", f"{_NOT_AN_OBJECT}, found an empty text")
        return None, False
    hooks = _Hooks()
    try:
        document = json.loads(
            text,
            object_pairs_hook=hooks.members,
            parse_int=hooks.integer,
            parse_float=hooks.fraction,
            parse_constant=hooks.constant,
        )
    except json.JSONDecodeError as raised:
        error = _as_newer_pythons_say(raised)
        report.error(
            "",
            f"Definition must be valid JSON: {error.msg[:1].lower()}{error.msg[1:]}",
            code=INVALID_JSON,
            place=(error.lineno, error.colno),
        )
        return None, False
    except RecursionError:
        if not _report_depth(text, report):
            raise  # it is our caller who stands too deeply
        return None, True
    if _is_too_deep(document) and _report_depth(text, report):
        return None, True
    if hooks.suspicious:
        _report_hidden(scan(text), report)
    if not isinstance(document, dict):
        report.error("", f"{_NOT_AN_OBJECT}, found {shown(document)}")
        return None, True
    return document, True


_BEHIND_A_TRAILING_COMMA: Final = {
    ("Expecting property name enclosed in double quotes", "}"): "object",
    ("Expecting value", "]"): "array",
}


def _as_newer_pythons_say(error: json.JSONDecodeError) -> json.JSONDecodeError:
    """*error*, which before Python 3.13 points behind a trailing comma, not at it."""
    expected = (error.msg, error.doc[error.pos : error.pos + 1])
    before = error.doc[: error.pos].rstrip(" \t\r\n")
    what = _BEHIND_A_TRAILING_COMMA.get(expected)
    if what is None or not before.endswith(","):
        return error
    message = f"Illegal trailing comma before end of {what}"
    return json.JSONDecodeError(message, error.doc, len(before) - 1)


def _report_depth(text: str, report: Report) -> bool:
    """Report where *text* nests too deeply, if it does."""
    too_deep = scan(text).too_deep
    if too_deep is not None:
        report.error(too_deep, _TOO_DEEP, code=TOO_DEEPLY_NESTED)
    return too_deep is not None


def _report_too_long(characters: int, report: Report) -> None:
    report.error(
        "",
        f"the definition is too long: {characters:,} characters,"
        f" at most {MAX_CHARACTERS:,} are allowed",
    )


def _report_hidden(places: Places, report: Report) -> None:
    for pointer, name, first, again in places.repeated:
        line, column = places.line_and_column(first)
        report.error(
            pointer,
            f"Duplicate field {shown(name)}: this object has it at line {line}, column {column}"
            " already",
            code=INVALID_JSON,
            place=places.line_and_column(again),
        )
    for pointer, number in places.bad_numbers:
        found = number if len(number) <= 40 else f"{number[:37]}..."
        why = "is not a JSON number" if number.lstrip("-")[0] in "NI" else "is too large a number"
        report.error(pointer, f"{found} {why}", code=INVALID_JSON)


def _is_too_deep(document: JSON) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for node in level
            if type(node) is dict or type(node) is list
            for item in (node.values() if type(node) is dict else node)
        ]
        if not level:
            return False
    return any(type(node) is dict or type(node) is list for node in level)


# --- Reading Python data -----------------------------------------------------


def _text_of(document: dict[Any, Any], report: Report) -> str | None:
    """The compact JSON text of Python data; None, and why, where it is not JSON data."""
    if not _is_plain(document) and not _explain(document, report):
        return None
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _is_plain(document: dict[Any, Any]) -> bool:
    """Whether *document* is JSON data beyond doubt, of a size and depth that can be read."""
    level: list[Any] = [document]
    seen = 0
    for _ in range(MAX_DEPTH):
        deeper: list[Any] = []
        for node in level:
            if type(node) is dict:
                if not all(type(name) is str for name in node):
                    return False
                items: Iterable[Any] = node.values()
            else:
                items = node
            for item in items:
                kind = type(item)
                if kind is str or kind is bool or item is None:
                    continue
                if kind is dict or kind is list:
                    deeper.append(item)
                elif kind is int:
                    if not -_TOO_LARGE < item < _TOO_LARGE:
                        return False
                elif kind is not float or not math.isfinite(item):
                    return False
        if not deeper:
            return True
        # A container that holds itself twice doubles with every level.
        seen += len(deeper)
        if seen > MAX_CHARACTERS:
            return False
        level = deeper
    return False


def _explain(document: dict[Any, Any], report: Report) -> bool:
    """Whether *document* is JSON data after all; *report* gets what is not."""
    known = len(report.problems)
    seen = 0
    stack: list[tuple[Any, str, int]] = [(document, "", 1)]
    while stack:
        node, pointer, depth = stack.pop()
        # Each node is at least one character of text.
        seen += 1
        if seen > MAX_CHARACTERS:
            _report_too_long(seen, report)
            return False
        if not isinstance(node, (dict, list)):
            wrong = _what_is_wrong_with(node)
            if wrong is not None:
                report.error(pointer, wrong, code=INVALID_JSON)
            continue
        if depth > MAX_DEPTH:
            report.error(_beginning(pointer), _TOO_DEEP, code=TOO_DEEPLY_NESTED)
            return False
        members: list[tuple[str | int, Any]] = []
        for name, item in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(node, dict) and not isinstance(name, str):
                report.error(
                    pointer,
                    "the name of a member must be a string,"
                    f" found {_python_type(name)}: {_short(name)}",
                    code=INVALID_JSON,
                )
            else:
                members.append((name, item))
        stack.extend((item, pointer + step(name), depth + 1) for name, item in reversed(members))
    return len(report.problems) == known


def _what_is_wrong_with(node: object) -> str | None:
    match node:
        case None | bool() | str():
            return None
        case int():
            return None if -_TOO_LARGE < node < _TOO_LARGE else f"{shown(node)} is too large"
        case float():
            return None if math.isfinite(node) else f"{node} is not a JSON number"
        case _:
            return (
                f"{_python_type(node)} is not JSON data"
                " (use dict, list, str, int, float, bool or None)"
            )


def _python_type(value: object) -> str:
    kind = type(value)
    name = kind.__qualname__
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"


def _short(value: object) -> str:
    text = shown(value) if isinstance(value, int) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


# --- Places in the text ------------------------------------------------------


@dataclass(slots=True)
class Places:
    """Where everything in a JSON text stands, by JSON pointer."""

    line_ends: list[int]
    #: The offset of the member's name and of its value; elements have no name.
    offsets: dict[str, tuple[int, int]] = field(default_factory=dict)
    #: Each member whose object has it already: pointer, name, and the offsets of
    #: the first name and of this one.
    repeated: list[tuple[str, str, int, int]] = field(default_factory=list)
    #: Pointer and text of numbers that are none, or too large.
    bad_numbers: list[tuple[str, str]] = field(default_factory=list)
    #: The beginning of the pointer to the first place that nests too deeply.
    too_deep: str | None = None

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """An offset as people count: from 1."""
        line = bisect_left(self.line_ends, offset)
        start = self.line_ends[line - 1] + 1 if line else 0
        return line + 1, offset - start + 1


_TOKEN = re.compile(r'[{}\[\]:,]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s{}\[\]:,"]+', re.DOTALL)


def scan(text: str) -> Places:
    """Where everything in *text* stands, down to the first place that nests too deeply.

    For text that the JSON reader has taken, or has found to nest too deeply:
    what else may be wrong is not noticed here.
    """
    places = Places([match.start() for match in re.finditer("\n", text)])
    # The containers around the one we are in: its pointer, where each name in it
    # is first (None for an array), the index of the element at hand.
    outer: list[tuple[str, dict[str, int] | None, int]] = []
    pointer = ""
    names: dict[str, int] | None = None
    index = 0
    # The value to come: its pointer (None where a name must come first).
    here: str | None = ""
    name_at: int | None = None
    for token in _TOKEN.finditer(text):
        word, at = token.group(), token.start()
        first = word[0]
        if first == ":":
            continue
        if first == ",":
            index += 1
            here = f"{pointer}/{index}" if names is None else None
        elif first in "}]":
            pointer, names, index = outer.pop()
        elif here is None:
            assert names is not None
            name = json.loads(word)
            here, name_at = pointer + step(name), at
            first_at = names.setdefault(name, at)
            if first_at != at:
                places.repeated.append((here, name, first_at, at))
        else:
            places.offsets[here] = (at if name_at is None else name_at, at)
            name_at = None
            if first in "{[":
                if len(outer) == MAX_DEPTH:
                    places.too_deep = _beginning(here)
                    return places
                outer.append((pointer, names, index))
                pointer, index = here, 0
                names, here = ({}, None) if first == "{" else (None, f"{pointer}/0")
            elif first in "-0123456789NI" and _is_bad_number(word):
                places.bad_numbers.append((here, word))
    return places


def _is_bad_number(word: str) -> bool:
    if word[-1] in "Ny":  # NaN, Infinity, -Infinity
        return True
    if word.lstrip("-").isdigit():
        return len(word) > _MAX_DIGITS
    return not math.isfinite(float(word))


def _beginning(pointer: str) -> str:
    """The first steps of a pointer that is too long to be read."""
    return "/".join(pointer.split("/", 9)[:9])


def located(report: Report, text: str | None) -> list[Problem]:
    """The problems of *report*, each with its line and column in *text*."""
    if text is None or not report.problems:
        return report.problems
    places = scan(text)
    found: list[Problem] = []
    for problem in report.problems:
        offsets = places.offsets.get(problem.pointer)
        if offsets is None or problem.line is not None:
            found.append(problem)
            continue
        name_at, value_at = offsets
        line, column = places.line_and_column(name_at if problem in report.at_name else value_at)
        found.append(replace(problem, line=line, column=column))
    return found


def in_document_order(problems: list[Problem], document: JSON) -> list[Problem]:
    """*problems* as they follow one another in the document, top to bottom."""
    if document is None:
        return problems
    positions: dict[int, dict[str, int]] = {}

    def order(problem: Problem) -> list[int]:
        places: list[int] = []
        node = document
        for part in problem.pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict):
                known = positions.get(id(node))
                if known is None:
                    known = positions[id(node)] = {key: at for at, key in enumerate(node)}
                places.append(known[name])
                node = node[name]
            else:
                places.append(int(name))
                node = node[int(name)]
        return places

    return sorted(problems, key=order)
