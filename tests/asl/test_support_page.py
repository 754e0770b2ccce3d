"""The page that says what of the language is supported says it of what there is."""

import dataclasses
import re
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from django_workflows import asl
from django_workflows.asl.expressions import intrinsics, jsonata
from django_workflows.asl.expressions.names import JsonataLimits
from django_workflows.asl.parse import fields, report, rules

PAGE = Path(__file__).parents[2] / "docs/reference/asl-support.md"


def tables():
    """The rows of the page's tables, cells as written, by the heading above them."""
    found = {}
    heading, row = "", []
    tokens = MarkdownIt().enable("table").parse(PAGE.read_text())
    for before, token in pairwise(tokens):
        match before.type, token.type:
            case "heading_open", "inline":
                heading = token.content
            case "td_open", "inline":
                row.append(token.content)
            case _, "tr_close":
                if row:
                    found.setdefault(heading, []).append(row)
                row = []
    return found


TABLES = tables()


def names(heading):
    """The names in the first column below *heading*."""
    return [row[0].strip("`") for row in TABLES[heading]]


def languages(cell):
    return set(fields.QUERY_LANGUAGES) if cell == "both" else {cell}


def by_language(heading):
    """The fields in the table below *heading*, by query language."""
    rows = TABLES[heading]
    return {
        language: {row[0].strip("`") for row in rows if language in languages(row[1])}
        for language in fields.QUERY_LANGUAGES
    }


def state_types(cell):
    if not cell.startswith("all"):
        return set(cell.split(", "))
    return set(fields.STATE_TYPES) - {cell.removeprefix("all").removeprefix(" but ")}


def test_the_fields_of_states_are_the_parser_s():
    on_the_page = {
        (kind, language): {
            name.strip("`")
            for name, kinds, spoken, _ in TABLES["States"]
            if kind in state_types(kinds) and language in languages(spoken)
        }
        for kind in fields.STATE_TYPES
        for language in fields.QUERY_LANGUAGES
    }

    assert on_the_page == fields.STATE_FIELDS


@pytest.mark.parametrize(
    ("heading", "table"),
    [
        ("Catch", fields.CATCHER_FIELDS),
        ("Choices", rules.RULE_FIELDS),
        ("ItemReader", fields.READER_FIELDS),
        ("ReaderConfig", fields.READER_CONFIG_FIELDS),
        ("ItemBatcher", fields.BATCHER_FIELDS),
        ("ResultWriter", fields.WRITER_FIELDS),
    ],
)
def test_the_fields_of_what_states_hold_are_the_parser_s(heading, table):
    assert by_language(heading) == table


@pytest.mark.parametrize(
    ("heading", "table"),
    [
        ("State machines", fields.MACHINE_FIELDS),
        ("ProcessorConfig", fields.PROCESSOR_CONFIG_FIELDS),
        ("Retry", fields.RETRIER_FIELDS),
        ("WriterConfig", fields.WRITER_CONFIG_FIELDS),
        ("Intrinsic functions", intrinsics.FUNCTIONS),
    ],
)
def test_the_fields_that_know_no_language_are_the_parser_s(heading, table):
    assert sorted(names(heading)) == sorted(table)


def test_the_fields_of_inner_machines_are_the_parser_s():
    def fields_of(holder):
        return {
            name.strip("`") for name, of, _ in TABLES["Branches and processors"] if holder in of
        }

    assert fields_of("Branches") == fields.BRANCH_FIELDS
    assert fields_of("ItemProcessor") == fields.PROCESSOR_FIELDS


def test_the_functions_of_aws_s_own_are_the_adapter_s():
    assert {name.strip("$") for name in names("JSONata")} == jsonata.OWN_FUNCTIONS


def test_the_limits_and_their_defaults_are_the_interpreter_s():
    limits = {
        **{name: default for name, default in _defaults(asl.Limits) if name != "jsonata"},
        **{f"jsonata.{name}": default for name, default in _defaults(JsonataLimits)},
    }

    assert {
        re.match("`(.*)`", name)[1]: re.match("[0-9.]+", here)[0]
        for name, _, here in TABLES["Limits"]
    } == {name: str(default) for name, default in limits.items()}


def _defaults(cls):
    return [(field.name, field.default) for field in dataclasses.fields(cls)]


def test_the_codes_of_our_own_are_the_report_s():
    assert set(names("Diagnostics")) == report.OWN_WARNINGS


def test_every_row_says_whether_it_is_supported():
    headings = TABLES.keys() - {
        *("Limits", "Errors", "Diagnostics"),
        "What differs from other people's verdicts",
    }
    for heading in headings:
        for row in TABLES[heading]:
            assert re.match(r"yes$|yes: |differs: |no: ", row[-1]), row
