"""The text of a path, read into its root and its steps.

The dialect is Jayway JsonPath 2.0.0's, which AWS runs, without what no real
definition uses and jsonpath-ng can't be trusted with: regular expressions,
functions, arithmetic. What is read beyond it:

- double quotes, ``$["a"]``, and ``\\'`` for a quote inside of quotes;
- backslash escapes in names after a dot (``$.store\\.book``: the ASL
  specification has them, Jayway takes the backslash for a part of the name);
- ``[-1]`` (on AWS it finds nothing; ``[(@.length-1)]`` does);
- ``$.`` for ``$``, which other validators let pass.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn

from django_workflows.asl.expressions.filters import (
    Atom,
    Compare,
    Constant,
    Exists,
    Filter,
    Lookup,
    Operand,
    Operator,
)
from django_workflows.asl.expressions.steps import (
    Anywhere,
    Every,
    Index,
    Indices,
    Name,
    Names,
    Slice,
    Step,
    Where,
)

#: More characters than any path needs; what is longer is refused unread.
MAX_LENGTH = 4096
#: ResultPath builds as many objects as it has steps, and payloads nest 128 deep.
MAX_STEPS = 100
#: A filter is handed to a parser that is not ours.
MAX_FILTER_LENGTH = 1024
MAX_FILTER_DEPTH = 20

_BLANKS = " \t\r\n"
#: What ends a path inside of a filter, and inside of an intrinsic function call.
_FILTER_ENDS = frozenset(_BLANKS + ")=<>!&|,")
_ARGUMENT_ENDS = frozenset(_BLANKS + "),")
#: Not in a name after a dot, unless escaped: it is a slip, or another language's operator.
_REFUSED = frozenset("()'\"]*`")
#: Source: ASL specification, "Reference Paths": "The operators @, ,, :, and ? are not supported".
_NO_REFERENCE = frozenset("@,:?")

_UNICODE_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")
_VARIABLE = re.compile(r"\w+")
_INTEGER = re.compile(r"-?[0-9]{1,9}(?![0-9])")
_FROM_END = re.compile(r"\(\s*@\s*\.\s*(?:length|size\(\))\s*-\s*([0-9]{1,9})\s*\)")
#: What follows a name's last quote.
_CLOSING = re.compile(r"[ \t\r\n]*[\],]")
_OPERATOR = re.compile(r"[=<>!~]+")
#: A literal without quotes: ``Receipt``, ``2020-01-01``, ``-1.5``, ``arn:aws:s3``.
_WORD = re.compile(r"[^\s()\[\]{}'\"`@$=<>!&|~,*+^%;#?\\]+")


class PathSyntaxError(ValueError):
    """A text is no path: the message says what is wrong, and at which character."""


class PathReader:
    """Reads one path; *start* and *ends* let it read paths that stand in other texts."""

    def __init__(self, text: str, start: int = 0, ends: frozenset[str] = frozenset()) -> None:
        self.text = text
        self.at = start
        self.ends = ends
        #: "$", "$$" or "$name".
        self.root = "$"
        self.steps: list[Step] = []
        self.is_reference = True

    # -- the whole ------------------------------------------------------------

    def read(self) -> None:
        """Read root and steps up to one of the ends."""
        self._read_root()
        # Alone, "$." is the root: Jayway fails on it, statelint and others don't.
        if self.root == "$" and self._peek() == "." and self._ended(self.at + 1):
            self.at += 1
            return
        self._read_steps()

    def _read_root(self) -> None:
        if self._peek() != "$":
            self._refuse("a path begins with '$'")
        self.at += 1
        if self._peek() == "$":
            self.root = "$$"
            self.at += 1
        elif not self._ended(self.at) and self._peek() not in ".[":
            match = _VARIABLE.match(self.text, self.at)
            if match is None or not match[0].isidentifier():
                self._refuse("expected '.', '[' or the name of a variable after '$'")
            self.root = "$" + match[0]
            self.at = match.end()

    def _read_steps(self) -> None:
        while not self._ended(self.at):
            if len(self.steps) >= MAX_STEPS:
                self._refuse(f"a path has at most {MAX_STEPS} steps")
            if self.steps and isinstance(self.steps[-1], Names):
                self._refuse("['a','b'] makes an object, and can only end a path")
            character = self.text[self.at]
            if character == "[":
                self._read_bracket()
            elif character == ".":
                self._read_dot()
            else:
                self._refuse("expected '.' or '['")

    def _read_dot(self) -> None:
        self.at += 1
        if self._peek() == ".":
            self.at += 1
            self.steps.append(Anywhere())
            self.is_reference = False
            if self._ended(self.at):
                self._refuse("a path can not end with '..'")
        # A dot before a bracket has no meaning, but real definitions have it: "$.[0]".
        if self._peek() == "[":
            self._read_bracket()
        elif self._peek() == "*":
            self.at += 1
            self._every()
        else:
            self._read_name()

    def _every(self) -> None:
        self.steps.append(Every())
        self.is_reference = False

    def _read_name(self) -> None:
        text, start = self.text, self.at
        name = ""
        while not self._ended(self.at):
            character = text[self.at]
            if character in ".[":
                break
            if character == "\\":
                name += self._escaped()
                continue
            if character == "(":
                self._refuse("there are no functions in paths; a name with '(' goes into ['…']")
            if character in _REFUSED or character.isspace():
                self._refuse(f"{character!r} can't be in a name after a dot; write ['…']")
            if character in _NO_REFERENCE:
                self.is_reference = False
            name += character
            self.at += 1
        if self.at == start:
            self._refuse("expected a name after '.'")
        self.steps.append(Name(name))

    def _escaped(self) -> str:
        match = _UNICODE_ESCAPES.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
            return str(json.loads(f'"{match[0]}"'))
        if self.at + 1 >= len(self.text):
            self._refuse("nothing follows the backslash")
        self.at += 2
        return self.text[self.at - 1]

    # -- brackets ---------------------------------------------------------------

    def _read_bracket(self) -> None:
        self.at += 1
        self._skip_blanks()
        character = self._peek()
        after_scan = bool(self.steps) and isinstance(self.steps[-1], Anywhere)
        if character in ("'", '"'):
            self._read_names(after_scan)
        elif character == "*":
            self.at += 1
            self._every()
        elif character == "?":
            self.is_reference = False
            self.steps.append(Where(self._read_filter(), after_scan))
        elif character == "(":
            self._read_from_end()
        elif character and character in "-:0123456789":
            self._read_numbers()
        else:
            self._refuse("expected a quoted name, an index, '*' or '?(' after '['")
        self._skip_blanks()
        self._expect("]")

    def _read_names(self, after_scan: bool) -> None:
        names = [self._read_quoted(in_bracket=True)]
        self._skip_blanks()
        while self._peek() == ",":
            self.at += 1
            self._skip_blanks()
            if self._peek() not in ("'", '"'):
                self._refuse("expected another quoted name after ','")
            names.append(self._read_quoted(in_bracket=True))
            self._skip_blanks()
        if len(names) == 1:
            self.steps.append(Name(names[0]))
        else:
            self.is_reference = False
            self.steps.append(Names(tuple(names), after_scan))

    def _read_quoted(self, *, in_bracket: bool) -> str:
        """The text in quotes. Only a quote is escaped: AWS keeps every other backslash."""
        text, start = self.text, self.at
        quote = text[start]
        content = ""
        self.at += 1
        while self.at < len(text):
            character = text[self.at]
            if character == quote:
                self.at += 1
                return content
            if (
                character == "\\"
                and text[self.at + 1 : self.at + 2] == quote
                # On AWS, ['a\'] is the name a\ and so it is here.
                and not (in_bracket and _CLOSING.match(text, self.at + 2))
            ):
                self.at += 1
                character = quote
            content += character
            self.at += 1
        self.at = start
        self._refuse("the quote is never closed")

    def _read_from_end(self) -> None:
        match = _FROM_END.match(self.text, self.at)
        if match is None or int(match[1]) == 0:
            self._refuse("the only calculation in a path is (@.length-1), or another number")
        self.is_reference = False
        self.steps.append(Index(-int(match[1])))
        self.at = match.end()

    def _read_numbers(self) -> None:
        first = None if self._peek() == ":" else self._read_integer()
        self._skip_blanks()
        if self._peek() == ":":
            self.is_reference = False
            self.steps.append(self._read_slice(first))
            return
        assert first is not None
        indices = [first]
        while self._peek() == ",":
            self.at += 1
            self._skip_blanks()
            indices.append(self._read_integer())
            self._skip_blanks()
        if len(indices) == 1:
            self.steps.append(Index(first))
        else:
            self.is_reference = False
            self.steps.append(Indices(tuple(indices)))

    def _read_slice(self, start: int | None) -> Slice:
        bounds: list[int | None] = []
        while self._peek() == ":" and len(bounds) < 2:
            self.at += 1
            self._skip_blanks()
            bounds.append(None if self._peek() in (":", "]", "") else self._read_integer())
            self._skip_blanks()
        stop, step = (*bounds, None)[:2]
        if step is not None and step < 1:
            self._refuse("the step of a slice is 1 or more")
        return Slice(start, stop, step)

    def _read_integer(self) -> int:
        match = _INTEGER.match(self.text, self.at)
        if match is None:
            self._refuse("expected a whole number of at most 9 digits")
        self.at = match.end()
        return int(match[0])

    # -- filters ----------------------------------------------------------------

    def _read_filter(self) -> Filter:
        start = self.at
        self.at += 1
        self._skip_blanks()
        if self._peek() != "(":
            self._refuse("a filter is written [?( … )]")
        self.at += 1
        atoms: list[Atom] = []
        pieces: list[str] = []
        depth = 1
        while depth:
            # Where a test begins: any number of '(' before it, and of ')' after it.
            self._skip_blanks()
            if self._peek() == "(":
                if depth > MAX_FILTER_DEPTH:
                    self._refuse(f"parentheses nest at most {MAX_FILTER_DEPTH} deep in a filter")
                self.at += 1
                depth += 1
                pieces.append("(")
                continue
            pieces.append(self._read_test(atoms))
            self._skip_blanks()
            while self._peek() == ")" and depth:
                self.at += 1
                depth -= 1
                if depth:
                    pieces.append(")")
                self._skip_blanks()
            if not depth:
                break
            joint = self.text[self.at : self.at + 2]
            if joint not in ("&&", "||"):
                self._refuse("expected '&&', '||' or ')' in the filter")
            self.at += 2
            pieces.append(joint)
        if self.at - start > MAX_FILTER_LENGTH:
            self._refuse(f"a filter has at most {MAX_FILTER_LENGTH} characters")
        return Filter(tuple(atoms), " ".join(pieces))

    def _read_test(self, atoms: list[Atom]) -> str:
        """One comparison or ``@.a``; its text in the notation of `Filter`."""
        number = len(atoms)
        if self._peek() == "!":
            self.at += 1
            self._skip_blanks()
            if self._peek() not in ("@", "$"):
                self._refuse("'!' stands only before a path: !@.name")
            exists = Exists(self._read_lookup())
            atoms.append(exists)
            return f"!{exists.text(number)}"
        left = self._read_operand()
        self._skip_blanks()
        operator = self._read_operator()
        if operator is not None:
            self._skip_blanks()
            compare = Compare(left, operator, self._read_operand())
            atoms.append(compare)
            return compare.text(number)
        if isinstance(left, Constant):
            self._refuse("expected ==, !=, <, <=, > or >= in the filter")
        exists = Exists(left)
        atoms.append(exists)
        return exists.text(number)

    def _read_operator(self) -> Operator | None:
        match = _OPERATOR.match(self.text, self.at)
        if match is None:
            return None
        match match[0]:
            case "==" | "!=" | "<" | "<=" | ">" | ">=" as operator:
                self.at = match.end()
                return operator
            case "=~":
                self._refuse("regular expressions are not supported in filters")
            case other:
                self._refuse(f"{other!r} is no operator; there are ==, !=, <, <=, > and >=")

    def _read_operand(self) -> Operand:
        character = self._peek()
        if character in ("@", "$"):
            return self._read_lookup()
        if character in ("'", '"'):
            return Constant(self._read_quoted(in_bracket=False), quoted=True)
        match = _WORD.match(self.text, self.at)
        if match is None:
            self._refuse("expected a path, a number or a quoted text in the filter")
        if character == "/":
            self._refuse("regular expressions are not supported in filters")
        self.at = match.end()
        return Constant(match[0], quoted=False)

    def _read_lookup(self) -> Lookup:
        inner = PathReader(self.text, self.at + 1, _FILTER_ENDS)
        inner._read_steps()
        keys: list[str | int] = []
        for step in inner.steps:
            match step:
                case Name(name=key) | Index(index=key):
                    keys.append(key)
                case _:
                    self._refuse("a path in a filter has only names and indices")
        in_document = self._peek() == "$"
        self.at = inner.at
        return Lookup(tuple(keys), in_document)

    # -- characters ---------------------------------------------------------------

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _ended(self, at: int) -> bool:
        return at >= len(self.text) or self.text[at] in self.ends

    def _skip_blanks(self) -> None:
        while self._peek() and self._peek() in _BLANKS:
            self.at += 1

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            self._refuse(f"expected {character!r}")
        self.at += 1

    def _refuse(self, problem: str) -> NoReturn:
        found = f"found {self._peek()!r}" if self.at < len(self.text) else "the text ends"
        raise PathSyntaxError(f"{problem} ({found} at character {self.at + 1})")


def end_of_path(text: str, start: int) -> int:
    """Where the path ends that begins at *start*, as an argument of a function call.

    Raises PathSyntaxError.
    """
    reader = PathReader(text, start, _ARGUMENT_ENDS)
    reader.read()
    return reader.at
