"""The items in a file, as a distributed Map's ItemReader reads them.

Pure: whoever fetched the file passes its text in. Source: AWS, "ItemReader
(Map)"; what CSV cells, empty headers and surplus cells become is recorded on AWS.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from django_workflows.asl import values
from django_workflows.asl.errors import InvalidValue, StateError
from django_workflows.asl.values import JSON

DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


def items(lines: Iterable[str], config: Mapping[str, JSON], max_items: int | None) -> list[JSON]:
    """The items in a file's *lines* by ReaderConfig *config*, at most *max_items*.

    Raises StateError: States.ItemReaderFailed where the file does not hold what
    InputType says, or where InputType is not one of CSV, JSON and JSONL.
    """
    input_type = config.get("InputType", "JSON")
    match input_type:
        case "CSV":
            found = _csv_rows(lines, config)
        case "JSON":
            found = iter(_json_array("".join(lines)))
        case "JSONL":
            found = _json_lines(lines)
        case _:
            raise failed(f"InputType {input_type!r} can't be read: expected CSV, JSON or JSONL.")
    return list(islice(found, max_items) if max_items else found)


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


def _json_array(text: str) -> list[JSON]:
    try:
        found = values.loads(text)
    except InvalidValue as error:
        raise failed(f"The file can't be read: {error}.") from None
    if not isinstance(found, list):
        raise failed("Attempting to map over non-iterable node.")
    return found


def _json_lines(lines: Iterable[str]) -> Iterator[JSON]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield values.loads(line)
            except InvalidValue as error:
                raise failed(f"Line {number} of the file can't be read: {error}.") from None
