"""The items in files, as a distributed Map's ItemReader reads them."""

from __future__ import annotations

import io
from itertools import islice

import pytest

from django_workflows.asl import StateError, itemreader

CSV = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}


def read(text, config=CSV, max_items=None):
    data = text.encode() if isinstance(text, str) else text
    return itemreader.items(itemreader.lines(io.BytesIO(data)), config, max_items)


def failure(text, config=CSV):
    with pytest.raises(StateError) as raised:
        read(text, config)
    assert raised.value.name == "States.ItemReaderFailed"
    return raised.value.cause


# -- CSV ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a,b\n1,2\n", [{"a": "1", "b": "2"}]),
        ("a,b\n1,2", [{"a": "1", "b": "2"}]),
        ("a,b\r\n1,2\r\n", [{"a": "1", "b": "2"}]),
        ("a,b\r1,2\r", [{"a": "1", "b": "2"}]),
        ("\ufeffa,b\n1,2\n", [{"a": "1", "b": "2"}]),
        # Missing cells are empty, surplus ones dropped; all recorded on AWS.
        ("a,b\n1\n1,2,3\n", [{"a": "1", "b": ""}, {"a": "1", "b": "2"}]),
        ("a,b\n,\n", [{"a": "", "b": ""}]),
        ("a,,c\n1,2,3\n", [{"a": "1", "": "2", "c": "3"}]),
        # A row of blanks is one, a line without any is none.
        ("a,b\n   ,\n\n1,2\n", [{"a": "   ", "b": ""}, {"a": "1", "b": "2"}]),
        ('a,b\n"x,y","say ""hi"""\n', [{"a": "x,y", "b": 'say "hi"'}]),
        ('a,b\n"two\r\nlines",2\n', [{"a": "two\r\nlines", "b": "2"}]),
        # Only line feeds and carriage returns end a line.
        ("a,b\nx\u2028y,\x0bz\n", [{"a": "x\u2028y", "b": "\x0bz"}]),
        ("a,b\n", []),
        ("", []),
        ("ä,ß\nö,ü\n", [{"ä": "ö", "ß": "ü"}]),
    ],
)
def test_csv_rows_become_objects_of_texts(text, items):
    assert read(text) == items


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [("COMMA", ","), ("PIPE", "|"), ("SEMICOLON", ";"), ("SPACE", " "), ("TAB", "\t")],
)
def test_cells_are_parted_by_the_delimiter_that_is_said(name, delimiter):
    text = f"a{delimiter}b\n1{delimiter}2\n"
    assert read(text, {**CSV, "CSVDelimiter": name}) == [{"a": "1", "b": "2"}]


def test_headers_that_are_given_leave_the_first_row_an_item():
    config = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["x", "y"]}
    assert read("a,b\n1,2\n", config) == [{"x": "a", "y": "b"}, {"x": "1", "y": "2"}]


@pytest.mark.parametrize(
    ("text", "config", "cause"),
    [
        ("a,a\n1,2\n", CSV, "CSV headers cannot contain duplicates."),
        ("a,,\n1,2\n", CSV, "CSV headers cannot contain duplicates."),
        ('a\n"open\n', CSV, "The file is not CSV: unexpected end of data at line 2."),
        ("a\n1\n", {**CSV, "CSVDelimiter": "DOT"}, "CSVDelimiter must be one of"),
        (b"a\n\xff\n", CSV, "The file is not UTF-8 text: invalid start byte."),
        ("a\n" + "x" * 200_000, CSV, "field larger than field limit"),
    ],
)
def test_what_is_no_csv_fails(text, config, cause):
    assert cause in failure(text, config)


def test_a_line_without_end_is_not_read_into_memory(monkeypatch):
    monkeypatch.setattr(itemreader, "MAX_LINE", 10)
    assert "longer than 10 characters" in failure("x" * 11, {"InputType": "JSONL"})


# -- JSON --------------------------------------------------------------------------------


def test_a_json_array_holds_the_items():
    assert read('\ufeff[1, {"a": null}]', {"InputType": "JSON"}) == [1, {"a": None}]


@pytest.mark.parametrize(
    ("text", "config", "cause"),
    [
        ('{"a": 1}', {}, "Attempting to map over non-iterable node."),
        ("[1", {}, "The file can't be read: not JSON"),
        ("[NaN]", {}, "NaN is not a JSON number"),
        ('{"a": 1}', {"ItemsPointer": "/b"}, "ItemsPointer '/b' leads nowhere in the file."),
        ("[[1]]", {"ItemsPointer": "/1"}, "leads nowhere"),
        ("[]", {"ItemsPointer": "a"}, "must be a JSON Pointer"),
        ("[]", {"InputType": "PARQUET"}, "InputType 'PARQUET' can't be read"),
        ("{}\nnull,\n", {"InputType": "JSONL"}, "Line 2 of the file can't be read"),
    ],
)
def test_what_is_no_json_array_fails(text, config, cause):
    assert cause in failure(text, {"InputType": "JSON", **config})


def test_a_pointer_leads_to_the_items():
    text = '{"a/b": [{"~": [1, 2]}]}'
    assert read(text, {"InputType": "JSON", "ItemsPointer": "/a~1b/0/~0"}) == [1, 2]


def test_each_json_line_is_an_item():
    text = '{"a": 1}\n\n"x\u2028y"\r\n3'
    assert read(text, {"InputType": "JSONL"}) == [{"a": 1}, "x\u2028y", 3]


# -- how much ----------------------------------------------------------------------------


def test_no_more_items_are_read_than_may():
    assert read("a\n1\n2\n3\n", max_items=2) == [{"a": "1"}, {"a": "2"}]
    # 0 is no limit.
    assert len(read("a\n1\n2\n3\n", max_items=0)) == 3


@pytest.mark.parametrize("config", [CSV, {"InputType": "JSONL"}])
def test_lines_are_read_as_items_are_asked_for(config):
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size=-1):
            self.given += 1
            return b"1\n" * 4_000

    file = Endless()
    assert len(list(islice(itemreader.stream(itemreader.lines(file), config), 10_000))) == 10_000
    assert file.given < 20
