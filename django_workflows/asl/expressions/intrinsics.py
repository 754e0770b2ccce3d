"""Intrinsic functions: ``States.Format('{} of {}', $.n, States.ArrayLength($.all))``.

Source: ASL specification, "Intrinsic Functions", and AWS, "Intrinsics for
JSONPath states". Where AWS was seen to differ from the specification, this
follows AWS:

- ``States.Format`` takes arrays and objects, and prints them as Java does;
- ``States.MathAdd`` and others round their numbers, half up;
- ``States.StringSplit`` splits at each character of its second argument and
  drops empty pieces;
- ``States.StringToJson`` of a blank text is null;
- failures are ``States.Runtime``, not ``States.IntrinsicFailure``.

Beyond AWS, but in the specification: ``States.JsonMerge`` merges deeply when
its third argument is true.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Literal, NoReturn
from uuid import UUID

from django_workflows.asl.errors import InvalidValue, StateError
from django_workflows.asl.expressions.java import java_text
from django_workflows.asl.expressions.jsonpath import Path, PathNotFound, compile_path
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.expressions.pathsyntax import PathSyntaxError, end_of_path
from django_workflows.asl.values import JSON, MAX_PAYLOAD_BYTES, compact, equal, loads

#: AWS: "up to 10 intrinsic functions" nested in one field.
MAX_NESTING = 10
#: AWS's limit for the text that is hashed or encoded, in characters.
MAX_CHARACTERS = 10_000
#: AWS's limit for the items of States.ArrayRange.
MAX_RANGE = 1000


class IntrinsicSyntaxError(ValueError):
    """A text is no intrinsic function call: the message says what is wrong, and where."""


class _Failure(Exception):
    """A function can't do what it is asked: the message becomes part of the cause."""


# -- What a call is made of -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal argument."""

    value: JSON


@dataclass(frozen=True, slots=True)
class Text:
    """A literal in quotes; ``pieces`` are what stands around each ``{}`` of a template."""

    value: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments; ``text`` is the call as it is written."""

    function: Function
    arguments: tuple[Argument, ...]
    text: str

    def paths(self) -> Iterator[Path]:
        for argument in self.arguments:
            if isinstance(argument, Path):
                yield argument
            elif isinstance(argument, Call):
                yield from argument.paths()

    def value(self, names: Names) -> JSON:
        """What the function yields. Raises StateError."""
        try:
            values = [_argument_value(argument, names) for argument in self.arguments]
            if self.function.name == "States.Format":
                return _format(self.arguments[0], values)
            return self.function.run(values, names)
        except _Failure as failure:
            raise StateError(
                "States.Runtime",
                f"The function '{self.text}' had the following error: {failure}",
            ) from None


Argument = Constant | Text | Path | Call


def _argument_value(argument: Argument, names: Names) -> JSON:
    match argument:
        case Constant(value=value) | Text(value=value):
            return value
        case Call():
            return argument.value(names)
        case Path():
            try:
                return argument.find(names)
            except PathNotFound:
                raise _Failure(
                    f"The JsonPath argument for the field '{argument.text}' could not be"
                    f" found in the input '{compact(argument.searched(names))}'"
                ) from None


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """One intrinsic function call, compiled."""

    text: str
    call: Call

    @property
    def name(self) -> str:
        """The outermost function: ``States.Format``."""
        return self.call.function.name

    @property
    def paths(self) -> Iterator[Path]:
        """All paths among the arguments, nested ones too."""
        return self.call.paths()

    def evaluate(self, names: Names, field: str) -> JSON:
        """What the call yields.

        Raises StateError (States.Runtime) where an argument is missing or is
        not what the function takes.
        """
        return self.call.value(names)


# -- Arguments --------------------------------------------------------------------

Kind = Literal["any", "string", "number", "boolean", "array", "object"]

_WORDS: Mapping[Kind, str] = {
    "any": "a value",
    "string": "a string",
    "number": "a number",
    "boolean": "a boolean",
    "array": "an array",
    "object": "an object",
}


def _kind(value: JSON) -> Kind | Literal["null"]:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case dict():
            return "object"
        case list():
            return "array"
        case _:
            return "number"


def _check_kind(wanted: Kind, value: JSON, position: int) -> None:
    found = _kind(value)
    if wanted not in ("any", found):
        shown = compact(value)
        shown = shown if len(shown) <= 80 else f"{shown[:79]}…"
        raise _Failure(f"argument {position} must be {_WORDS[wanted]}, but is {shown}")


def _rounded(value: JSON, position: int) -> int:
    """The integer nearest to *value*, halves up, as Java's ``Math.round``.

    AWS: "If you provide a non-integer value, Step Functions will round it off
    to the nearest integer". Seen there: -0.5 becomes 0, and -1.5 becomes -1.
    """
    if isinstance(value, int):
        number = value
    else:
        number = math.floor(value)
        if value - number >= 0.5:
            number += 1
    if not -(2**63) <= number < 2**63:
        raise _Failure(f"argument {position} is out of range: {compact(value)}")
    return number


def _limited(text: str) -> str:
    if len(text) > MAX_CHARACTERS:
        raise _Failure(f"argument 1 has {len(text)} characters; at most {MAX_CHARACTERS} may be")
    return text


def _utf8(text: str) -> bytes:
    # Lone surrogates have no UTF-8; Java writes a question mark for each.
    return text.encode("utf-8", "replace")


# -- The functions ----------------------------------------------------------------


def _format(template: Argument, values: list[JSON]) -> str:
    if isinstance(template, Text):
        pieces = template.pieces
    else:
        if not isinstance(values[0], str):
            _check_kind("string", values[0], 1)
        pieces = _template_pieces(values[0])
    if len(pieces) != len(values):
        raise _Failure(
            f"the template has {len(pieces) - 1} times {{}}, but there are"
            f" {len(values) - 1} arguments for them"
        )
    text = pieces[0]
    for value, piece in zip(values[1:], pieces[1:], strict=True):
        text += java_text(value) + piece
        if len(text) > MAX_PAYLOAD_BYTES:
            raise _Failure(f"the text grows beyond {MAX_PAYLOAD_BYTES} characters")
    return text


def _template_pieces(template: str) -> tuple[str, ...]:
    """The pieces of a template that came as data: only ``\\{`` and ``\\}`` are escapes in it."""
    pieces = [""]
    for part in re.split(r"(\{\}|\\[{}])", template):
        if part == "{}":
            pieces.append("")
        else:
            pieces[-1] += part[1] if part in ("\\{", "\\}") else part
    return tuple(pieces)


def _string_to_json(values: list[JSON], names: Names) -> JSON:
    text: str = values[0]
    if not text.strip():
        return None
    try:
        return loads(text)
    except InvalidValue as error:
        raise _Failure(f"argument 1 is {error}") from None


def _json_to_string(values: list[JSON], names: Names) -> JSON:
    return compact(values[0])


def _array(values: list[JSON], names: Names) -> JSON:
    return values


def _array_partition(values: list[JSON], names: Names) -> JSON:
    items, length = values[0], _rounded(values[1], 2)
    if length < 1:
        raise _Failure(f"argument 2 must be 1 or more, but is {length}")
    return [items[start : start + length] for start in range(0, len(items), length)]


def _array_contains(values: list[JSON], names: Names) -> JSON:
    return any(equal(item, values[1]) for item in values[0])


def _array_range(values: list[JSON], names: Names) -> JSON:
    first, last, step = (_rounded(value, number) for number, value in enumerate(values, 1))
    if step == 0:
        raise _Failure("argument 3, the increment, must not be 0")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    # len() of so long a range does not fit Python's own limits.
    count = max(0, (last - first) // step + 1)
    if count > MAX_RANGE:
        raise _Failure(f"the range has {count} items; at most {MAX_RANGE} may be")
    return list(numbers)


def _array_get_item(values: list[JSON], names: Names) -> JSON:
    items, index = values[0], _rounded(values[1], 2)
    if not 0 <= index < len(items):
        raise _Failure(f"index {index} is out of bounds for an array of length {len(items)}")
    return items[index]


def _array_length(values: list[JSON], names: Names) -> JSON:
    return len(values[0])


def _array_unique(values: list[JSON], names: Names) -> JSON:
    first_of_each: dict[object, JSON] = {}
    for item in values[0]:
        first_of_each.setdefault(_identity(item), item)
    return list(first_of_each.values())


def _identity(value: JSON) -> object:
    """Something hashable that is the same for values that are `equal`, and only for them."""
    match value:
        case bool():
            return ("boolean", value)
        case dict():
            return frozenset((key, _identity(item)) for key, item in value.items())
        case list():
            return tuple(map(_identity, value))
        case _:
            return value


def _base64_encode(values: list[JSON], names: Names) -> JSON:
    return base64.b64encode(_utf8(_limited(values[0]))).decode("ascii")


def _base64_decode(values: list[JSON], names: Names) -> JSON:
    text = _limited(values[0])
    if "=" not in text:
        text += "=" * (-len(text) % 4)  # Java's decoder does without the padding
    try:
        return base64.b64decode(_utf8(text), validate=True).decode("utf-8", "replace")
    except binascii.Error:
        raise _Failure("argument 1 is not Base64") from None


_ALGORITHMS = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


def _hash(values: list[JSON], names: Names) -> JSON:
    data, algorithm = values
    if algorithm not in _ALGORITHMS:
        raise _Failure(f"argument 2 must be one of {', '.join(_ALGORITHMS)}, but is {algorithm}")
    text = _limited(data if isinstance(data, str) else compact(data))
    return hashlib.new(_ALGORITHMS[algorithm], _utf8(text), usedforsecurity=False).hexdigest()


def _json_merge(values: list[JSON], names: Names) -> JSON:
    first, second, deep = values
    return _merge_deeply(first, second) if deep else {**first, **second}


def _merge_deeply(first: dict[str, JSON], second: dict[str, JSON]) -> dict[str, JSON]:
    merged = dict(first)
    for key, value in second.items():
        known = merged.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            value = _merge_deeply(known, value)
        merged[key] = value
    return merged


def _math_random(values: list[JSON], names: Names) -> JSON:
    start, end = _rounded(values[0], 1), _rounded(values[1], 2)
    if end < start:
        raise _Failure(f"the end, {end}, is less than the start, {start}")
    chance = Random(_rounded(values[2], 3)) if len(values) > 2 else names.chance  # noqa: S311
    # Of Random's methods only random() promises the same draw in each version of Python.
    return start + int(chance.random() * (end - start))


def _math_add(values: list[JSON], names: Names) -> JSON:
    return _rounded(values[0], 1) + _rounded(values[1], 2)


def _string_split(values: list[JSON], names: Names) -> JSON:
    text, delimiters = values
    if not delimiters:
        return [text] if text else []
    return [piece for piece in re.split(f"[{re.escape(delimiters)}]", text) if piece]


def _uuid(values: list[JSON], names: Names) -> JSON:
    return str(UUID(int=names.chance.getrandbits(128), version=4))


@dataclass(frozen=True, slots=True)
class Function:
    """One intrinsic function.

    ``kinds`` are the arguments' kinds; the last ``optional`` ones may be left
    out, and the last of all repeats where ``repeats``. ``gives`` is the result's.
    """

    name: str
    do: Callable[[list[JSON], Names], JSON]
    kinds: tuple[Kind, ...]
    gives: Kind
    optional: int = 0
    repeats: bool = False

    def run(self, values: list[JSON], names: Names) -> JSON:
        for position, value in enumerate(values, 1):
            _check_kind(self.kind(position), value, position)
        return self.do(values, names)

    def kind(self, position: int) -> Kind:
        """What the argument must be; positions count from 1."""
        return self.kinds[min(position, len(self.kinds)) - 1]

    def takes(self, count: int) -> bool:
        least = len(self.kinds) - self.optional
        return least <= count and (self.repeats or count <= len(self.kinds))

    @property
    def wanted(self) -> str:
        """How many arguments there must be, in words."""
        most = len(self.kinds)
        least = most - self.optional
        if self.repeats:
            return f"{least} or more arguments"
        if least != most:
            return f"{least} or {most} arguments"
        return {0: "no arguments", 1: "1 argument"}.get(most, f"{most} arguments")


def _never(values: list[JSON], names: Names) -> NoReturn:
    raise NotImplementedError("Call.value formats itself: the template's text is not enough")


FUNCTIONS: Mapping[str, Function] = {
    function.name: function
    for function in (
        Function("States.Format", _never, ("string", "any"), "string", optional=1, repeats=True),
        Function("States.StringToJson", _string_to_json, ("string",), "any"),
        Function("States.JsonToString", _json_to_string, ("any",), "string"),
        Function("States.Array", _array, ("any",), "array", optional=1, repeats=True),
        Function("States.ArrayPartition", _array_partition, ("array", "number"), "array"),
        Function("States.ArrayContains", _array_contains, ("array", "any"), "boolean"),
        Function("States.ArrayRange", _array_range, ("number", "number", "number"), "array"),
        Function("States.ArrayGetItem", _array_get_item, ("array", "number"), "any"),
        Function("States.ArrayLength", _array_length, ("array",), "number"),
        Function("States.ArrayUnique", _array_unique, ("array",), "array"),
        Function("States.Base64Encode", _base64_encode, ("string",), "string"),
        Function("States.Base64Decode", _base64_decode, ("string",), "string"),
        Function("States.Hash", _hash, ("any", "string"), "string"),
        Function("States.JsonMerge", _json_merge, ("object", "object", "boolean"), "object"),
        Function(
            "States.MathRandom", _math_random, ("number", "number", "number"), "number", optional=1
        ),
        Function("States.MathAdd", _math_add, ("number", "number"), "number"),
        Function("States.StringSplit", _string_split, ("string", "string"), "array"),
        Function("States.UUID", _uuid, (), "string"),
    )
}


# -- Reading ----------------------------------------------------------------------

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9._])")
_BLANKS = re.compile(r"[ \t\r\n]*")
_PLAIN = re.compile(r"[^'\\{]+")
_KEYWORDS: Mapping[str, JSON] = {"true": True, "false": False, "null": None}


class _Reader:
    """Reads one call, arguments and all."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Call:
        call = self._call(1)
        self._skip_blanks()
        if self.at < len(self.text):
            self._refuse("nothing may follow the function call")
        return call

    def _call(self, depth: int) -> Call:
        start = self.at
        match = _NAME.match(self.text, start)
        if match is None:
            self._refuse("expected a function such as States.Format(…)")
        self.at = match.end()
        if self._peek() != "(":
            self._refuse(f"expected '(' right after {_quoted(match[0])}")
        function = FUNCTIONS.get(match[0])
        if function is None:
            self.at = start
            close = difflib.get_close_matches(match[0], FUNCTIONS, n=1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            self._refuse(f"there is no function {_quoted(match[0])}{hint}")
        if depth > MAX_NESTING:
            self.at = start
            self._refuse(f"functions nest at most {MAX_NESTING} deep")
        self.at += 1
        arguments = self._arguments(depth)
        call = Call(function, arguments, self.text[start : self.at])
        self._check(call, start)
        return call

    def _arguments(self, depth: int) -> tuple[Argument, ...]:
        arguments: list[Argument] = []
        self._skip_blanks()
        if self._peek() == ")":
            self.at += 1
            return ()
        while True:
            self._skip_blanks()
            arguments.append(self._argument(depth))
            self._skip_blanks()
            if self._peek() == ")":
                self.at += 1
                return tuple(arguments)
            if self._peek() != ",":
                self._refuse("expected ',' or ')'")
            self.at += 1

    def _argument(self, depth: int) -> Argument:
        start = self.at
        character = self._peek()
        if character == "'":
            return self._text()
        if character == "$":
            try:
                self.at = end_of_path(self.text, start)
                return compile_path(self.text[start : self.at])
            except PathSyntaxError as error:
                raise IntrinsicSyntaxError(str(error)) from None
        match = _NUMBER.match(self.text, start)
        if match is not None:
            self.at = match.end()
            try:
                return Constant(loads(match[0]))
            except InvalidValue as error:
                self.at = start
                self._refuse(str(error))
        match = _NAME.match(self.text, start)
        if match is not None and match[0] in _KEYWORDS:
            self.at = match.end()
            return Constant(_KEYWORDS[match[0]])
        if match is not None:
            return self._call(depth + 1)
        self._refuse(
            "expected a path, a number, true, false, null, a text in single quotes or a function"
        )

    def _text(self) -> Text:
        """A text in single quotes; ``\\'``, ``\\{``, ``\\}`` and ``\\\\`` are its only escapes."""
        start = self.at
        self.at += 1
        value: list[str] = []
        pieces: list[list[str]] = [[]]
        while self.at < len(self.text):
            plain = _PLAIN.match(self.text, self.at)
            if plain is not None:
                part = plain[0]
                self.at = plain.end()
            elif self._peek() == "'":
                self.at += 1
                return Text("".join(value), tuple(map("".join, pieces)))
            elif self._peek() == "\\":
                part = self.text[self.at + 1 : self.at + 2]
                if part not in ("'", "{", "}", "\\"):
                    self._refuse("only \\', \\{, \\} and \\\\ are escapes in a text")
                self.at += 2
            elif self.text.startswith("{}", self.at):
                self.at += 2
                value.append("{}")
                pieces.append([])
                continue
            else:
                part = "{"
                self.at += 1
            value.append(part)
            pieces[-1].append(part)
        self.at = start
        self._refuse("the quote is never closed")

    def _check(self, call: Call, start: int) -> None:
        """What is wrong with the arguments as far as it shows before running."""
        function, count = call.function, len(call.arguments)
        problem = None
        if not function.takes(count):
            problem = f"{function.name} takes {function.wanted}, found {count}"
        for position, argument in enumerate(call.arguments, 1):
            if problem is None:
                problem = _obvious_mistake(function, position, argument)
        if problem is None and function.name == "States.Format":
            template = call.arguments[0]
            if isinstance(template, Text) and len(template.pieces) != count:
                problem = (
                    f"the template has {len(template.pieces) - 1} times {{}}, but there are"
                    f" {count - 1} arguments for them"
                )
        if problem is not None:
            raise IntrinsicSyntaxError(f"{problem} (at character {start + 1})")

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip_blanks(self) -> None:
        match = _BLANKS.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def _refuse(self, problem: str) -> NoReturn:
        found = f"found {self._peek()!r}" if self.at < len(self.text) else "the text ends"
        raise IntrinsicSyntaxError(f"{problem} ({found} at character {self.at + 1})")


def _obvious_mistake(function: Function, position: int, argument: Argument) -> str | None:
    wanted = function.kind(position)
    match argument:
        case Path():
            return None
        case Call():
            given = argument.function.gives
            if wanted == "any" or given in ("any", wanted):
                return None
            return (
                f"argument {position} of {function.name} must be {_WORDS[wanted]},"
                f" but {argument.function.name} gives {_WORDS[given]}"
            )
        case Constant(value=value) | Text(value=value):
            try:
                _check_kind(wanted, value, position)
            except _Failure as failure:
                return f"{function.name}: {failure}"
            return None


def _quoted(word: str) -> str:
    return repr(word if len(word) <= 40 else f"{word[:39]}…")


@lru_cache(maxsize=4096)
def compile_intrinsic(text: str) -> Intrinsic:
    """The intrinsic function call that *text* writes.

    Checked as far as that goes before running: the function's name, the number
    of its arguments, the kinds of literals, the nesting. Raises
    IntrinsicSyntaxError.
    """
    if text[:1].isspace():
        raise IntrinsicSyntaxError("no blank may stand before the function's name")
    return Intrinsic(text, _Reader(text).whole())


def compile_expression(text: str) -> Path | Intrinsic:
    """What the value of a ``.$`` key writes: a path where it begins with ``$``, else a call.

    Raises PathSyntaxError or IntrinsicSyntaxError, both ValueErrors.
    """
    return compile_path(text) if text.startswith("$") else compile_intrinsic(text)
