"""One JSON object of a definition, read member by member.

Every getter gives a value that is safe to build on: what is absent or wrong
comes back as the default, and what is wrong has been reported, at its pointer,
in the words AWS uses where these are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from django_workflows.asl.definition import Expression, QueryLanguage
from django_workflows.asl.expressions import intrinsics, jsonata, jsonpath, template
from django_workflows.asl.expressions.jsonata import Jsonata
from django_workflows.asl.parse.report import SCHEMA, Report, quoted, shown, step
from django_workflows.asl.values import JSON, is_number, parse_timestamp

#: The longest time AWS counts in seconds: a little over three years.
MAX_SECONDS = 99_999_999
#: Counts are Java integers on AWS.
MAX_COUNT = 2_147_483_647

T = TypeVar("T")


class Fields:
    """An object of the definition, where it stands, and the query language it is in."""

    __slots__ = ("language", "members", "pointer", "report")

    def __init__(
        self,
        members: dict[str, JSON],
        pointer: str,
        report: Report,
        language: QueryLanguage = "JSONPath",
    ) -> None:
        self.members = members
        self.pointer = pointer
        self.report = report
        self.language = language

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def at(self, name: str) -> str:
        """The pointer of one member."""
        return self.pointer + step(name)

    # --- Saying what is wrong ---

    def wrong(self, name: str, message: str, *, code: str = SCHEMA) -> None:
        """Report that a member's value is wrong."""
        self.report.error(self.at(name), message, code=code)

    def out_of_place(self, name: str, message: str) -> None:
        """Report that a member should not be there at all."""
        self.report.error(self.at(name), message, at_name=True)

    def expected(self, name: str, what: str) -> None:
        self.wrong(name, f"expected {what}, found {shown(self.members[name])}")

    def require(self, *names: str) -> None:
        missing = [name for name in names if name not in self.members]
        if missing:
            self.report.error(self.pointer, f"These fields are required: [{', '.join(missing)}]")

    def only(self, allowed: Iterable[str]) -> None:
        """Report every member that is not *allowed*."""
        for name in self.members:
            if name not in allowed:
                self.unsupported(name, allowed)

    def only_in(self, table: Mapping[QueryLanguage, frozenset[str]]) -> None:
        """Report every member that *table* does not allow in this query language."""
        allowed = table[self.language]
        if self.members.keys() <= allowed:
            return
        for name in self.members:
            if name in allowed:
                continue
            others = [language for language in table if name in table[language]]
            why = (
                f": it belongs to {others[0]}, and the query language here is {self.language}"
                if others
                else ""
            )
            self.unsupported(name, allowed, why)

    def unsupported(self, name: str, allowed: Iterable[str], why: str = "") -> None:
        hint = why or self.report.did_you_mean(name, allowed)[1]
        self.out_of_place(name, f"Field is not supported: {shown(name)}{hint}")

    def one_of(self, *names: str, required: bool = False) -> str | None:
        """The one member of *names* that is there; having two of them is an error."""
        present = [name for name in names if name in self.members]
        for name in present[1:]:
            self.out_of_place(name, f"only one of {quoted(names, 'and')} may be given")
        if not present and required:
            self.report.error(
                self.pointer, f"one of {quoted(names)} is required, none of them is given"
            )
        return present[0] if present else None

    # --- Getting values ---

    def text(self, name: str) -> str | None:
        value = self.members.get(name)
        if value is None and name not in self.members:
            return None
        if not isinstance(value, str):
            self.expected(name, "a string")
            return None
        return value

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """A text that must be one of *allowed*."""
        if name not in self.members:
            return None
        value = self.members[name]
        if isinstance(value, str) and value in allowed:
            return value
        hint = self.report.did_you_mean(value, allowed)[1] if isinstance(value, str) else ""
        self.wrong(
            name,
            f"The field '{name}' should have one of these values:"
            f" [{', '.join(allowed)}], found {shown(value)}{hint}",
        )
        return None

    def flag(self, name: str) -> bool | None:
        if name not in self.members:
            return None
        value = self.members[name]
        if not isinstance(value, bool):
            self.expected(name, "true or false")
            return None
        return value

    def integer(self, name: str, minimum: int, maximum: int) -> int | None:
        if name not in self.members:
            return None
        value = self.members[name]
        if type(value) is not int or not minimum <= value <= maximum:
            self.expected(name, f"an integer from {minimum} to {maximum}")
            return None
        return value

    def number(self, name: str, minimum: float, maximum: float | None = None) -> float | None:
        if name not in self.members:
            return None
        value = self.members[name]
        if is_number(value) and value >= minimum and (maximum is None or value <= maximum):
            try:
                return float(value)
            except OverflowError:
                pass
        upto = "or more" if maximum is None else f"to {maximum:g}"
        self.expected(name, f"a number {'' if maximum is None else 'from '}{minimum:g} {upto}")
        return None

    def timestamp(self, name: str) -> datetime | None:
        if name not in self.members:
            return None
        value = self.members[name]
        moment = parse_timestamp(value) if isinstance(value, str) else None
        if moment is None:
            self.wrong(
                name,
                "String does not match RFC3339 timestamp:"
                f" expected one like '2026-01-31T09:30:00Z', found {shown(value)}",
            )
        return moment

    def object(self, name: str) -> Fields | None:
        """A member that is an object, to be read in its turn."""
        if name not in self.members:
            return None
        value = self.members[name]
        if not isinstance(value, dict):
            self.expected(name, "an object")
            return None
        return Fields(value, self.at(name), self.report, self.language)

    def objects(self, name: str, *, may_be_empty: bool = False) -> list[Fields]:
        """A member that is an array of objects, each to be read in its turn."""
        if name not in self.members:
            return []
        value = self.members[name]
        if not isinstance(value, list):
            self.expected(name, "an array of objects")
            return []
        if not value and not may_be_empty:
            self.wrong(name, "Value cannot be empty")
        found: list[Fields] = []
        for index, item in enumerate(value):
            pointer = f"{self.at(name)}/{index}"
            if isinstance(item, dict):
                found.append(Fields(item, pointer, self.report, self.language))
            else:
                self.report.error(pointer, f"expected an object, found {shown(item)}")
        return found

    # --- Paths and templates ---

    def path(self, name: str) -> jsonpath.Path | None:
        """Any path: into the input, the Context Object or a variable."""
        if name not in self.members:
            return None
        value = self.members[name]
        if value == "$":
            return jsonpath.ROOT
        if not isinstance(value, str):
            self.wrong(name, f"{_must_be_a_path(name)}, found {shown(value)}")
            return None
        try:
            return jsonpath.compile_path(value)
        except jsonpath.PathSyntaxError as error:
            self.wrong(name, f"{_must_be_a_path(name)}: {error}")
            return None

    def reference_path(self, name: str) -> jsonpath.Path | None:
        """A path that names at most one place."""
        path = self.path(name)
        if path is not None and not path.is_reference:
            self.wrong(
                name,
                "Value is not a Reference Path: it may hold names and indices only,"
                f" found {shown(path.text)}",
            )
            return None
        return path

    def path_or_null(self, name: str) -> jsonpath.Path | None:
        """A path whose default is "$"; None is written null."""
        if name not in self.members:
            return jsonpath.ROOT
        return None if self.members[name] is None else self.path(name)

    def result_path(self) -> jsonpath.Path | None:
        """ResultPath: a place in the state's input, or null."""
        name = "ResultPath"
        if name not in self.members:
            return jsonpath.ROOT
        if self.members[name] is None:
            return None
        path = self.reference_path(name)
        # "$$.a" is the Context Object's, "$name" a variable's.
        if path is not None and path.text[1:2] not in ("", ".", "["):
            self.wrong(
                name,
                "Value is not a Reference Path: the result can only be put into the state's"
                f" input, so it must begin with '$.', found {shown(path.text)}",
            )
            return None
        return path

    def template(self, name: str, *, must_be_object: bool = False) -> Expression | None:
        """A payload template, or a JSONata structure; None where absent."""
        if name not in self.members:
            return None
        value = self.members[name]
        if must_be_object and not isinstance(value, dict):
            self.expected(name, "an object")
            return None
        pointer = self.at(name)
        if self.language == "JSONata":
            return jsonata.compile_jsonata_template(
                value,
                lambda suffix, error: self.report.error(
                    pointer + suffix, str(error), code=error.code
                ),
            )
        return template.compile_template(
            value, lambda suffix, message: self.report.error(pointer + suffix, message)
        )

    def jsonata(self, name: str) -> Jsonata | str | None:
        """A text of a JSONata state: an expression, or a literal; None where it is neither."""
        try:
            return jsonata.jsonata_or_literal(self.members[name])
        except jsonata.JsonataSyntaxError as error:
            self.wrong(name, str(error), code=error.code)
            return None

    # --- Fields in two forms: a constant, or what yields it ---

    def computed(self, name: str, constant: Callable[[], T | None]) -> T | Jsonata | None:
        """``Name`` as *constant* reads it; in JSONata it may be an expression instead."""
        if self.language == "JSONata" and isinstance(self.members.get(name), str):
            found = self.jsonata(name)
            if not isinstance(found, str):
                return found
        return constant()

    def constant_or_path(
        self, name: str, constant: Callable[[], T | None]
    ) -> T | Expression | None:
        """``Name``, a constant or computed, or in JSONPath ``NamePath``, whichever is given."""
        form = self.one_of(name, f"{name}Path")
        if form is None:
            return None
        return self.computed(name, constant) if form == name else self.reference_path(form)

    def seconds(self, name: str, minimum: int) -> int | Expression | None:
        return self.constant_or_path(name, lambda: self.integer(name, minimum, MAX_SECONDS))

    def count(self, name: str, maximum: int = MAX_COUNT) -> int | Expression | None:
        return self.constant_or_path(name, lambda: self.integer(name, 0, maximum))

    def text_or_expression(self, name: str) -> str | Expression | None:
        """``Name``, a text, or ``NamePath``, a path or a function call that gives one.

        In JSONata, ``Name`` alone: a text or an expression.
        """
        if self.language == "JSONata":
            is_text = isinstance(self.members.get(name), str)
            return self.jsonata(name) if is_text else self.text(name)
        form = self.one_of(name, f"{name}Path")
        if form is None:
            return None
        if form == name:
            return self.text(name)
        value = self.members[form]
        if not isinstance(value, str):
            self.wrong(form, f"{_must_be_an_expression(form)}, found {shown(value)}")
            return None
        try:
            found = template.compile_expression(value)
        except (jsonpath.PathSyntaxError, intrinsics.IntrinsicSyntaxError) as error:
            self.wrong(form, f"{_must_be_an_expression(form)}: {error}")
            return None
        if isinstance(found, jsonpath.Path):
            return self.reference_path(form)
        function = value.split("(", 1)[0]
        if function not in _GIVE_TEXT:
            self.wrong(
                form,
                f"expected a function that returns a string"
                f" ({', '.join(sorted(_GIVE_TEXT))}), found {function}",
            )
        return found


#: Source: ASL specification, "Fail State": ErrorPath and CausePath.
_GIVE_TEXT = frozenset(
    {
        "States.Format",
        "States.JsonToString",
        "States.ArrayGetItem",
        "States.Base64Encode",
        "States.Base64Decode",
        "States.Hash",
        "States.UUID",
    }
)


def _must_be_a_path(name: str) -> str:
    return f"The value for the field '{name}' must be a valid JSONPath"


def _must_be_an_expression(name: str) -> str:
    return f"{_must_be_a_path(name)} or a valid intrinsic function call"
