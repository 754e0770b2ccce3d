"""JSONata, as the Amazon States Language uses it: ``"{% $states.input.total %}"``.

The engine is jlens, and this module is all that knows it: compile, read off what an
expression refers to, evaluate. Around it: AWS's extra functions, AWS's limits, and
AWS's words for what goes wrong.

What passes through the engine is JSON as JavaScript has it: numbers are doubles
(9007199254740993 becomes 9007199254740992, and a number beyond 1.8e308 can't be
read), and a lone surrogate, which no UTF-8 text can hold, becomes U+FFFD. What no
expression touches keeps its integers and its surrogates. U+0000 passes as it is.

Source: ASL specification, "Use of JSONata"; AWS, "Transforming data with JSONata";
the texts of the causes are recorded on AWS.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import jlens

from django_workflows.asl import values
from django_workflows.asl.errors import InvalidValue, StateError
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.values import JSON


class JsonataSyntaxError(ValueError):
    """The text is no JSONata, or refers to what no expression of a definition may.

    ``code`` is AWS's diagnostic code.
    """

    def __init__(self, message: str, code: str = "INVALID_JSONATA_EXPRESSION") -> None:
        self.code = code
        super().__init__(message)


def is_jsonata(value: JSON) -> bool:
    """Whether *value* is a JSONata string: it begins with ``{%`` and ends with ``%}``, exactly."""
    return (
        isinstance(value, str)
        and len(value) >= 4
        and value.startswith("{%")
        and value.endswith("%}")
    )


def query_error(cause: str, location: str | None = None) -> StateError:
    """The error of everything that goes wrong with JSONata."""
    return StateError("States.QueryEvaluationError", cause, location=location)


def jsonata_or_literal(text: str) -> Jsonata | str:
    """The expression that *text* is, or *text* itself where it is a literal.

    Raises JsonataSyntaxError for an expression that can't be, and for a text that
    only opens or only closes one.
    """
    if is_jsonata(text):
        return compile_jsonata(text)
    if text.startswith("{%") or text.endswith("%}"):
        raise JsonataSyntaxError(
            "A JSONata string begins with '{%' and ends with '%}', with nothing outside of them"
        )
    return text


@lru_cache(maxsize=4096)
def compile_jsonata(text: str) -> Jsonata:
    """The expression in *text*, a JSONata string with its ``{%`` and ``%}``.

    Raises JsonataSyntaxError for what is no JSONata, and for references that have
    no meaning in a definition: ``$`` and bare names at the top level.
    """
    source = text[2:-2].strip()
    try:
        plain = jlens.Expression(source)
        wrapped = jlens.Expression(f'($states := states; {{"r": ({source}\n)}})')
    except jlens.JlensError as error:
        raise JsonataSyntaxError(f"{error.code}: {error}") from None
    except UnicodeEncodeError:
        raise JsonataSyntaxError("An expression can't hold a lone surrogate") from None
    except (ValueError, RecursionError) as error:
        raise JsonataSyntaxError(str(error)) from None
    reads = plain.reads(_BUILT_IN)
    # Of a function that it does not know the analysis supposes the worst.
    called = {name: _FUNCTIONS["hash"] for name in reads["bindings"] if name != "states"}
    context = plain.reads({**_BUILT_IN, **called})
    top_level = None if context.get("everyBinding") else _top_level(context.get("input"))
    if top_level is not None:
        raise JsonataSyntaxError(
            f"Reference to '{top_level}' at the top level is not supported.",
            "UNSUPPORTED_JSONATA_EXPRESSION",
        )
    return Jsonata(
        text=text,
        source=source,
        expression=wrapped,
        variables=frozenset(reads["bindings"].keys() - {"states"} - _BUILT_IN.keys()),
        states=_members(reads["bindings"].get("states")),
        functions=tuple(name for name in _BUILT_IN if name in source),
        expensive=_EXPENSIVE.search(source) is not None,
        shuffles="shuffle" in source,
    )


def _members(read: Any) -> frozenset[str] | None:
    """The members of ``$states`` that are read; None for all of it."""
    if read is None:
        return frozenset()
    return None if read is True else frozenset(read)


def _top_level(read: Any) -> str | None:
    """What an expression refers to where there is no input: "$", or a bare name."""
    if not read:
        return None
    return "$" if read is True else next(iter(read))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Jsonata:
    """One compiled expression."""

    text: str
    #: What stands between ``{%`` and ``%}``, without the blanks around it.
    source: str
    expression: Any
    #: The variables it refers to, other than ``$states`` and functions.
    variables: frozenset[str]
    #: The members of ``$states`` that it reads; None where that can't be told.
    states: frozenset[str] | None
    #: Those of `OWN_FUNCTIONS` that it may call: binding one costs more than most
    #: evaluations.
    functions: tuple[str, ...]
    #: Whether it calls a function whose time grows with the square of its input.
    expensive: bool
    #: Whether it calls the engine's own function that draws.
    shuffles: bool

    def evaluate(self, names: Names, field: str) -> JSON:
        """The value; *field* names the place for the message.

        Raises StateError: States.QueryEvaluationError where the evaluation fails,
        yields nothing or a function, or goes beyond a limit.
        """
        result = self._run(self.expression, names, field)
        if "r" not in result:
            if self._is_function(names, field):
                raise self._failed(field, "returned an unsupported result type.")
            raise self._failed(field, "returned nothing (undefined).")
        return result["r"]

    def expect(self, kind: str, names: Names, field: str) -> JSON:
        """The value, of the JSON type *kind*: "array", "boolean", "number" or "string".

        Raises StateError: States.QueryEvaluationError where it is of another.
        """
        return check_kind(kind, self.evaluate(names, field), field, self)

    def _run(self, expression: Any, names: Names, field: str) -> dict[str, JSON]:
        limits = names.jsonata
        try:
            result = expression.evaluate(
                {"states": self._states(names)},
                self._bindings(names),
                timeout=limits.timeout_seconds,
                max_depth=limits.depth + _WRAPPING,
                max_array_length=min(limits.array_length, _FEW)
                if self.expensive
                else limits.array_length,
                max_string_length=limits.string_length,
                max_result_size=limits.result_bytes,
                now=names.now,
                seed=names.chance.getrandbits(32) if self.shuffles else None,
            )
        except jlens.JlensError as error:
            # AWS gives its own limits without a code.
            message = str(error) if error.code in _LIMIT_CODES else f"{error.code}: {error}"
            raise self._failed(field, f"threw an error during evaluation. {message}") from None
        except (ValueError, TypeError, ArithmeticError, KeyError, RecursionError) as error:
            raise self._failed(field, f"threw an error during evaluation. {error}") from None
        return result if isinstance(result, dict) else {}

    def _is_function(self, names: Names, field: str) -> bool:
        probe = jlens.Expression(f'($states := states; {{"r": $type(({self.source}\n))}})')
        try:
            return self._run(probe, names, field).get("r") == "function"
        except StateError:
            return False

    def _states(self, names: Names) -> Mapping[str, JSON]:
        wanted = self.states
        states = dict(names.states)
        if wanted is None or "input" in wanted:
            states["input"] = names.input
        if wanted is None or "context" in wanted:
            states["context"] = names.context
        return states

    def _bindings(self, names: Names) -> dict[str, Any]:
        bindings: dict[str, Any] = {
            name: names.variables[name] for name in self.variables if name in names.variables
        }
        for name in self.functions:
            match name:
                case "random":
                    bindings[name] = partial(_random, names)
                case "uuid":
                    bindings[name] = partial(_uuid, names)
                case _:  # $eval has none: it is as if there were no such function
                    bindings[name] = _FUNCTIONS.get(name)
        return bindings

    def _failed(self, field: str, what: str) -> StateError:
        return query_error(
            f"The JSONata expression '{self.source}' specified for the field '{field}' {what}",
            field,
        )


#: The levels that `compile_jsonata` puts around an expression.
_WRAPPING = 3
_LIMIT_CODES = {"D1011", "D1012", "U1001", "U1002", "U1006"}
#: Functions that jlens runs in time quadratic in their input, without a look at the
#: clock; 20,000 items take about two seconds.
_EXPENSIVE = re.compile(r"\b(?:distinct|keys)\b")
_FEW = 20_000


def check_kind(kind: str, value: JSON, field: str, expression: Jsonata | None = None) -> JSON:
    """*value*, if it is of the JSON type *kind*.

    Raises StateError: States.QueryEvaluationError in AWS's words where it is not.
    """
    found = kind_of(value)
    if found == kind:
        return value
    subject = (
        f"The JSONata expression '{expression.source}' specified for the field '{field}' returned"
        if expression is not None
        else f"The field '{field}' has"
    )
    raise query_error(
        f"{subject} an unexpected result type. Expected '{kind}', but was '{found}' for value:"
        f" {values.compact(value)}",
        field,
    )


def kind_of(value: JSON) -> str:
    """The JSON type of *value*, as AWS names it."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


# -- templates ---------------------------------------------------------------------------


class JsonataTemplate:
    """Any JSON in which JSONata strings are evaluated, at any depth; keys never are."""

    __slots__ = ("_fill", "expressions", "value")

    def __init__(self, value: JSON, expressions: tuple[Jsonata, ...], fill: _Fill | None) -> None:
        self.value = value
        self.expressions = expressions
        self._fill = fill

    def evaluate(self, names: Names, field: str) -> JSON:
        """A new structure; a part without expressions is shared with the definition."""
        return self.value if self._fill is None else self._fill(names, field)

    @property
    def text(self) -> str:
        """The template as compact JSON."""
        return values.compact(self.value)

    @property
    def expression(self) -> Jsonata | None:
        """The one expression that the template is as a whole, if it is one."""
        return compile_jsonata(self.value) if is_jsonata(self.value) else None


_Fill = Callable[[Names, str], JSON]


def compile_jsonata_template(
    value: JSON, report: Callable[[str, JsonataSyntaxError], None]
) -> JsonataTemplate:
    """The template that *value* is.

    ``report(pointer_suffix, error)`` hears of every string that is no valid
    expression; a template comes back all the same.
    """
    expressions: list[Jsonata] = []
    fill = _compile(value, "", report, expressions)
    return JsonataTemplate(value, tuple(expressions), fill)


def _compile(
    value: JSON,
    suffix: str,
    report: Callable[[str, JsonataSyntaxError], None],
    expressions: list[Jsonata],
) -> _Fill | None:
    """How to evaluate *value*; None where it is constant."""
    if isinstance(value, str):
        try:
            expression = jsonata_or_literal(value)
        except JsonataSyntaxError as error:
            report(suffix, error)
            return None
        if isinstance(expression, str):
            return None
        expressions.append(expression)
        return expression.evaluate
    if isinstance(value, dict):
        members = {
            key: fill
            for key, item in value.items()
            if (fill := _compile(item, f"{suffix}/{_escaped(key)}", report, expressions))
        }
        if not members:
            return None

        def fill_object(names: Names, field: str) -> JSON:
            filled = dict(value)
            for key, fill in members.items():
                filled[key] = fill(names, f"{field}/{key}")
            return filled

        return fill_object
    if isinstance(value, list):
        items = {
            index: fill
            for index, item in enumerate(value)
            if (fill := _compile(item, f"{suffix}/{index}", report, expressions))
        }
        if not items:
            return None

        def fill_array(names: Names, field: str) -> JSON:
            filled = list(value)
            for index, fill in items.items():
                filled[index] = fill(names, f"{field}[{index}]")
            return filled

        return fill_array
    return None


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


# -- AWS's own functions -----------------------------------------------------------------


def _random(names: Names, seed: Any = None, *_: Any) -> float:
    """``$random([seed])``: with a seed what ``java.util.Random`` draws, recorded on AWS."""
    if not values.is_number(seed):
        return names.chance.random()
    state = (int(seed) ^ 0x5DEECE66D) & ((1 << 48) - 1)
    drawn = 0
    for bits in (26, 27):
        state = (state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        drawn = (drawn << bits) + (state >> (48 - bits))
    return drawn / (1 << 53)


def _uuid(names: Names, *_: Any) -> str:
    return str(UUID(int=names.chance.getrandbits(128), version=4))


def _hash(text: Any = None, algorithm: Any = None, *_: Any) -> str:
    if not isinstance(text, str):
        raise ValueError("$hash: the first argument must be a string")
    name = _ALGORITHMS.get(algorithm) if isinstance(algorithm, str) else None
    if name is None:
        raise ValueError(f"$hash: the algorithm must be one of {', '.join(_ALGORITHMS)}")
    return hashlib.new(name, text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


_ALGORITHMS = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


def _range(first: Any = None, last: Any = None, step: Any = None, *_: Any) -> JSON:
    """``$range(first, last, step)``, the end included; a single number comes alone."""
    if not all(values.is_number(number) for number in (first, last, step)):
        raise ValueError("$range: expected three numbers")
    start, end, delta = int(first), int(last), int(step)
    if delta == 0:
        raise ValueError("$range: the step must not be 0")
    if (end - start) // delta >= 1_000_000:
        raise ValueError("$range: more than 1000000 numbers are too many")
    numbers = range(start, end + (1 if delta > 0 else -1), delta)
    # A sequence of one is that one, as everywhere in JSONata (recorded on AWS).
    return numbers[0] if len(numbers) == 1 else list(numbers)


def _partition(items: Any = None, length: Any = None, *_: Any) -> JSON:
    if not values.is_number(length) or int(length) < 1:
        raise ValueError("$partition: the length must be a positive integer")
    array = items if isinstance(items, list) else [] if items is None else [items]
    size = int(length)
    return [array[start : start + size] for start in range(0, len(array), size)]


def _parse(text: Any = None, *_: Any) -> JSON:
    if not isinstance(text, str):
        raise ValueError("$parse: expected a string")
    try:
        return values.loads(text)
    except InvalidValue as error:
        raise ValueError(f"$parse: {error}") from None


_FUNCTIONS: dict[str, Callable[..., JSON]] = {
    "hash": _hash,
    "range": _range,
    "partition": _partition,
    "parse": _parse,
}
#: For `reads`: functions read their arguments alone.
_BUILT_IN: dict[str, Callable[..., Any]] = {
    **_FUNCTIONS,
    "random": lambda *_: 0,
    "uuid": lambda *_: "",
    "eval": lambda *_: None,
}
#: AWS's own functions, and the one of JSONata's that AWS leaves out.
OWN_FUNCTIONS = frozenset(_BUILT_IN)


def variables(template: JsonataTemplate) -> Iterator[str]:
    """The variables that *template* refers to."""
    for expression in template.expressions:
        yield from expression.variables


__all__ = [
    "OWN_FUNCTIONS",
    "Jsonata",
    "JsonataSyntaxError",
    "JsonataTemplate",
    "check_kind",
    "compile_jsonata",
    "compile_jsonata_template",
    "is_jsonata",
    "jsonata_or_literal",
    "query_error",
    "variables",
]
