"""Filters of paths, ``[?(@.price < 10 && @.sold)]``: which candidates do they keep?

Rule 1: jsonpath-ng decides, but never sees a user's text. Every operand is
looked up here and put into a row under a name of our own; jsonpath-ng gets a
filter over those names and the rows. Its grammar misreads many names (``größe``,
``a:b``), and knows things that AWS does not (arithmetic, regular expressions).
Rule 2: the library is imported when the first filter is compiled; few
definitions have one.

The meaning is that of Jayway JsonPath 2.0.0, which is what AWS runs: a literal
is a text that takes the kind of the value it is compared with, so
``@.n == '5'`` finds the number and ``@.n == 5`` the text.

Differences, all of them where Jayway fails or is surely not meant:

- a number compared with a text that is none differs from it (Jayway: NumberFormatException);
- ``true`` and ``false`` equal no literal but ``true`` and ``false`` (Jayway reads all others as
  ``false``), and neither they nor ``null`` are ordered;
- ``'null'`` in quotes is only a text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from django_workflows.asl.values import JSON, is_number

Operator = Literal["==", "!=", "<", "<=", ">", ">="]

#: Two numbers of which each operator is false.
_FALSE: Final[Mapping[Operator, tuple[int, int]]] = {
    "==": (0, 1),
    "!=": (0, 0),
    "<": (0, 0),
    "<=": (1, 0),
    ">": (0, 0),
    ">=": (0, 1),
}

#: No value: the operand's path finds nothing.
ABSENT: Final = object()


def lookup(document: JSON, keys: tuple[str | int, ...]) -> Any:
    """What *keys* lead to in *document*, or ABSENT."""
    for key in keys:
        if isinstance(key, str):
            if not isinstance(document, dict) or key not in document:
                return ABSENT
        elif not isinstance(document, list) or not -len(document) <= key < len(document):
            return ABSENT
        document = document[key]
    return document


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal: ``'x'``, ``5``, ``null``, ``true``, or a word without quotes."""

    text: str
    quoted: bool

    @property
    def is_null(self) -> bool:
        return not self.quoted and self.text == "null"


@dataclass(frozen=True, slots=True)
class Lookup:
    """``@.a[0]``, or ``$.a[0]`` with *in_document*: the document that the path walks."""

    keys: tuple[str | int, ...]
    in_document: bool

    def value(self, item: JSON, document: JSON) -> Any:
        return lookup(document if self.in_document else item, self.keys)


Operand = Constant | Lookup


@dataclass(frozen=True, slots=True)
class Exists:
    """``@.a``, alone: there, and not null."""

    what: Lookup

    def fill(self, row: dict[str, JSON], number: int, item: JSON, document: JSON) -> None:
        found = self.what.value(item, document)
        if found is not ABSENT and found is not None:
            row[f"x{number}"] = True

    def text(self, number: int) -> str:
        return f"@.x{number}"


@dataclass(frozen=True, slots=True)
class Compare:
    """``@.a == 'x'``. False, whatever the operator, where the two can't be compared."""

    left: Operand
    operator: Operator
    right: Operand

    def fill(self, row: dict[str, JSON], number: int, item: JSON, document: JSON) -> None:
        pair = _comparable(
            self.left if isinstance(self.left, Constant) else self.left.value(item, document),
            self.right if isinstance(self.right, Constant) else self.right.value(item, document),
        )
        if pair is None:
            # Left absent, they would be equal to jsonpath-ng.
            pair = _FALSE[self.operator]
        row[f"l{number}"], row[f"r{number}"] = pair

    def text(self, number: int) -> str:
        return f"@.l{number} {self.operator} @.r{number}"


Atom = Exists | Compare


@dataclass(frozen=True, slots=True)
class Filter:
    """``atoms`` joined as ``text`` says, which is jsonpath-ng's notation over the rows."""

    atoms: tuple[Atom, ...]
    text: str

    def __post_init__(self) -> None:
        _finder(self.text)  # if jsonpath-ng refused it, better now than in an execution

    def select(self, candidates: list[JSON], document: JSON) -> list[JSON]:
        """Those of *candidates* the filter is true of, in their order."""
        rows: list[JSON] = []
        for item in candidates:
            row: dict[str, JSON] = {"item": item}
            for number, atom in enumerate(self.atoms):
                atom.fill(row, number, item, document)
            rows.append(row)
        return [row["item"] for row in _finder(self.text)(rows)]


@lru_cache(maxsize=512)
def _finder(text: str) -> Callable[[list[JSON]], list[JSON]]:
    from jsonpath_ng.ext.parser import parse  # 30 ms that most programs never need

    path = parse(f"$[?({text})]")
    return lambda rows: [match.value for match in path.find(rows)]


def _comparable(left: Any, right: Any) -> tuple[JSON, JSON] | None:
    """The two as values that jsonpath-ng compares rightly; None where nothing is true of them."""
    if left is ABSENT or right is ABSENT:
        return None
    if isinstance(left, Constant) and isinstance(right, Constant):
        return left.text, right.text
    if isinstance(left, Constant):
        pair = _with_constant(right, left)
        return None if pair is None else pair[::-1]
    if isinstance(right, Constant):
        return _with_constant(left, right)
    if left is None or right is None:
        return left is None, right is None
    return (left, right) if _kind(left) is not None and _kind(left) == _kind(right) else None


def _with_constant(value: JSON, constant: Constant) -> tuple[JSON, JSON] | None:
    if isinstance(value, (dict, list)):
        # Nothing compares with an array or an object, but neither is null.
        return (True, None) if constant.is_null else None
    return value, _as_kind_of(value, constant)


def _kind(value: JSON) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if is_number(value):
        return "number"
    return "string" if isinstance(value, str) else None


_NUMBER = re.compile(
    r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,4})?", re.ASCII
)


def _as_kind_of(value: JSON, constant: Constant) -> JSON:
    """What *constant* is beside *value*: a number beside a number, and so on."""
    text = constant.text
    if isinstance(value, str):
        return text
    if constant.is_null:
        return None
    if isinstance(value, bool) and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if is_number(value) and _NUMBER.fullmatch(text):
        if text.lstrip("+-").isdigit():
            return int(text)
        number = float(text)
        return number if math.isfinite(number) else text
    return text
