"""The items in a file, as a distributed Map's ItemReader reads them.

Pure: whoever fetched the file passes its text in. CSV and JSON lines are read as
they come, JSON has to be there as a whole. Source: AWS, "ItemReader (Map)"; what
CSV cells, empty headers and surplus cells become is recorded on AWS.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import IO

from django_workflows.asl import values
from django_workflows.asl.errors import InvalidValue, StateError
from django_workflows.asl.values import JSON

DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


#: The longest line, in characters, of a file whose lines are read one by one.
MAX_LINE = 4_194_304


def items(lines: Iterable[str], config: Mapping[str, JSON], max_items: int | None) -> list[JSON]:
    """The items in a file's *lines* by ReaderConfig *config*, at most *max_items*.

    Raises StateError: States.ItemReaderFailed where the file does not hold what
    InputType says, or where InputType is not one of CSV, JSON and JSONL.
    """
    found = stream(lines, config)
    return list(islice(found, max_items) if max_items else found)


def stream(lines: Iterable[str], config: Mapping[str, JSON]) -> Iterator[JSON]:
    """The items in a file's *lines* (each with its end), one after the other.

    Raises StateError as `items` does, when it comes to the place.
    """
    lines = _without_mark(lines)
    input_type = config.get("InputType", "JSON")
    match input_type:
        case "CSV":
            yield from _csv_rows(lines, config)
        case "JSON":
            yield from _json_array("".join(lines), config.get("ItemsPointer"))
        case "JSONL":
            yield from _json_lines(lines)
        case _:
            raise failed(f"InputType {input_type!r} can't be read: expected CSV, JSON or JSONL.")


class _Source(io.RawIOBase):
    """What can be read, as `io` wants it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        found = self._file.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


def lines(file: IO[bytes]) -> Iterator[str]:
    """The lines of *file* as UTF-8 text, each with its own end, read as they are asked for.

    Only line feeds and carriage returns end one: JSON and CSV may hold everything
    else that Unicode takes for a line's end. Raises StateError where it is no text,
    or a line is too long.
    """
    text = io.TextIOWrapper(io.BufferedReader(_Source(file)), encoding="utf-8", newline="")
    try:
        while line := text.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise failed(f"A line of the file is longer than {MAX_LINE} characters.")
            yield line
    except UnicodeDecodeError as error:
        raise failed(f"The file is not UTF-8 text: {error.reason}.") from None


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    """*lines* without the byte order mark that some programs put before the first."""
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix("\ufeff")


def failed(cause: str) -> StateError:
    return StateError("States.ItemReaderFailed", cause)


def _csv_rows(lines: Iterable[str], config: Mapping[str, JSON]) -> Iterator[JSON]:
    delimiter = DELIMITERS.get(config.get("CSVDelimiter", "COMMA"))
    if delimiter is None:
        raise failed(f"CSVDelimiter must be one of {', '.join(DELIMITERS)}.")
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        if config.get("CSVHeaderLocation") == "GIVEN":
            headers = list(config.get("CSVHeaders", ()))
        else:
            headers = next(rows, [])
        if len(set(headers)) < len(headers):
            raise failed("CSV headers cannot contain duplicates.")
        for row in rows:
            if row:
                # Missing cells are "", surplus ones are dropped.
                yield dict(zip(headers, row + [""] * (len(headers) - len(row)), strict=False))
    except csv.Error as error:
        raise failed(f"The file is not CSV: {error} at line {rows.line_num}.") from None


def _json_array(text: str, pointer: JSON) -> list[JSON]:
    try:
        found = values.loads(text)
    except InvalidValue as error:
        raise failed(f"The file can't be read: {error}.") from None
    if pointer:
        found = pointed_at(found, pointer)
    if not isinstance(found, list):
        raise failed("Attempting to map over non-iterable node.")
    return found


def pointed_at(value: JSON, pointer: JSON) -> JSON:
    """What the JSON Pointer *pointer* (RFC 6901) leads to in *value*.

    Raises StateError: States.ItemReaderFailed where it leads nowhere.
    """
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise failed("ItemsPointer must be a JSON Pointer that begins with '/'.")
    found = value
    for step in pointer[1:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            raise failed(f"ItemsPointer {pointer!r} leads nowhere in the file.")
    return found


def _json_lines(lines: Iterable[str]) -> Iterator[JSON]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield values.loads(line)
            except InvalidValue as error:
                raise failed(f"Line {number} of the file can't be read: {error}.") from None
