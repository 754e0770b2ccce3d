"""JSON values: their text, their equality, their size and their moments.

A user's data stays plain ``dict``, ``list``, ``str``, numbers, ``bool`` and
``None``. It is checked once, at the door (`loads`, `check`), and never changed
in place.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NoReturn

from django_workflows.asl.errors import InvalidValue

#: Plain JSON data. Not a recursive union: every access to a user's document
#: would then need a cast that proves nothing.
JSON = Any

#: How deep arrays and objects may nest in a payload. The interpreter, the codec
#: and every browser that shows it walk payloads recursively.
MAX_DEPTH = 128

#: The smallest whole number that Python neither writes nor reads as text.
_TOO_MANY_DIGITS = 10**4_300

#: Step Functions' limit for an input, an output or a result, in bytes of UTF-8.
MAX_PAYLOAD_BYTES = 262_144


def dumps(value: JSON) -> str:
    """*value* as the text we store: compact, pure ASCII, member order kept.

    ASCII keeps ``\\u0000`` and lone surrogates storable in every database.
    Raises InvalidValue for what is not JSON (NaN, sets, Decimals, ...).
    """
    try:
        return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue(f"not JSON data: {error}") from None


def compact(value: JSON) -> str:
    """*value* as people and AWS's messages show it: compact, letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def loads(text: str | bytes, *, unique_keys: bool = False) -> JSON:
    """The JSON data in *text*, refusing what only Python reads (NaN, Infinity, 1e400).

    Raises InvalidValue with line and column where the text is not JSON, where a
    number has no finite value, where it nests deeper than MAX_DEPTH, and, with
    ``unique_keys``, where an object names a member twice.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidValue(f"not UTF-8 text: {error.reason} at byte {error.start}") from None
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
            parse_int=_bounded_int,
            object_pairs_hook=_unique_members if unique_keys else None,
        )
    except json.JSONDecodeError as error:
        raise InvalidValue(
            f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise InvalidValue(f"nests deeper than {MAX_DEPTH} levels") from None
    _check_depth(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidValue(f"{name} is not a JSON number")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidValue(f"the number {_short(text)} is too large: at most about 1.8e308")
    return number


def _bounded_int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidValue(f"the number {_short(text)} has too many digits") from None


def _unique_members(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidValue(f"the member {name!r} is there twice")
            seen.add(name)
    return members


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def check(value: Any, *, what: str = "value") -> JSON:
    """*value*, if it is JSON data through and through.

    For what Python code hands in (an input, a handler's result). Raises
    InvalidValue that names the place, what was found and what would be right.
    Tuples are taken for arrays by ``json`` and so are refused here: they would
    come back as lists after a restart.
    """
    stack: list[tuple[Any, str, int]] = [(value, what, 1)]
    while stack:
        node, place, depth = stack.pop()
        kind = type(node)
        if node is None or kind in (bool, str):
            continue
        if kind is int:
            if not -_TOO_MANY_DIGITS < node < _TOO_MANY_DIGITS:
                raise InvalidValue(f"{place}: the number has too many digits")
            continue
        if kind is float:
            if not math.isfinite(node):
                raise InvalidValue(f"{place}: {node} is not a JSON number")
            continue
        if depth > MAX_DEPTH:
            raise InvalidValue(f"{what}: nests deeper than {MAX_DEPTH} levels")
        if kind is dict:
            for key, item in node.items():
                if type(key) is not str:
                    raise InvalidValue(f"{place}: the key {key!r} is not a text")
                stack.append((item, f"{place}.{key}" if depth < 8 else place, depth + 1))
        elif kind is list:
            stack.extend(
                (item, f"{place}[{index}]" if depth < 8 else place, depth + 1)
                for index, item in enumerate(node)
            )
        else:
            raise InvalidValue(
                f"{place}: {kind.__module__}.{kind.__qualname__} is not JSON data"
                " (use dict, list, str, int, float, bool or None)"
            )
    return value


def _check_depth(value: JSON) -> None:
    if _is_too_deep(value):
        raise InvalidValue(f"nests deeper than {MAX_DEPTH} levels")


def _is_too_deep(value: JSON) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[JSON] = []
        for node in level:
            if isinstance(node, dict):
                deeper.extend(item for item in node.values() if isinstance(item, (dict, list)))
            elif isinstance(node, list):
                deeper.extend(item for item in node if isinstance(item, (dict, list)))
        if not deeper:
            return False
        level = deeper
    return True


def size(value: JSON) -> int:
    """How many bytes of UTF-8 *value* takes as compact JSON text."""
    return len(compact(value).encode("utf-8", "surrogatepass"))


def exceeds(value: JSON, limit: int) -> bool:
    """Whether *value* takes more than *limit* bytes of UTF-8 as JSON text, or nests too deeply.

    A loop can nest a payload one level deeper in each round, where no door checks it.
    """
    try:
        text = dumps(value)
    except InvalidValue:  # deeper than json itself can follow
        return True
    # The ASCII text is never shorter than the UTF-8 one, and much cheaper to make.
    if len(text) > limit and size(value) > limit:
        return True
    brackets = text.translate(_ALL_BUT_BRACKETS)
    if len(brackets) <= 2 * MAX_DEPTH:
        return False
    depth = deepest = 0
    for bracket in brackets:
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    # Brackets inside of texts count too, so this alone proves nothing.
    return deepest > MAX_DEPTH and _is_too_deep(value)


_ALL_BUT_BRACKETS = {code: None for code in range(128) if chr(code) not in "[]{}"}


def equal(one: JSON, other: JSON) -> bool:
    """Deep equality of JSON data: ``1`` equals ``1.0``, but never ``true``."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(equal(value, other[key]) for key, value in one.items())
        )
    if isinstance(one, list):
        return (
            isinstance(other, list)
            and len(one) == len(other)
            and all(equal(a, b) for a, b in zip(one, other, strict=True))
        )
    return bool(one == other)


def is_number(value: JSON) -> bool:
    """Whether *value* is a JSON number; ``true`` and ``false`` are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)


def parse_timestamp(text: str) -> datetime | None:
    """The moment an RFC 3339 timestamp names, in UTC; None where *text* is none.

    Capital T and Z, any number of fraction digits (cut to microseconds), a leap
    second is read as the second after it.

    Source: ASL specification, "Timestamps".
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    leap = second == "60"
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            59 if leap else int(second),
            int((fraction or "0")[:6].ljust(6, "0")),
            tzinfo=_zone(zone),
        )
        return (moment + timedelta(seconds=1) if leap else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str) -> timezone:
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def format_timestamp(moment: datetime, *, timespec: str = "microseconds") -> str:
    """*moment* in RFC 3339, UTC, ending in Z; ``milliseconds`` is AWS's precision."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"
