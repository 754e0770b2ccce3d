"""What may be handed to `parse`, and how what is no definition at all is refused."""

import json
from collections import OrderedDict
from enum import StrEnum
from types import MappingProxyType

import pytest

from django_workflows.asl.definition import Pass
from django_workflows.asl.parse import parse
from django_workflows.asl.parse.source import MAX_CHARACTERS, MAX_DEPTH
from tests.asl.parsing import PASS, a_map, machine, one, only_problem, problems_of, task

TEXT = """\
{
  "StartAt": "Ship",
  "States": {
    "Ship": {
      "Type": "Task",
      "Resource": "ship",
      "TimeoutSeconds": "30",
      "End": true
    }
  }
}
"""


def nested(levels):
    """An object of that many levels, counting the levels of what holds it."""
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


# --- What is taken ---


@pytest.mark.parametrize(
    "definition",
    [
        one(PASS),
        json.dumps(one(PASS)),
        json.dumps(one(PASS), indent=4).encode(),
        "\ufeff" + json.dumps(one(PASS)),
        b"\xef\xbb\xbf" + json.dumps(one(PASS)).encode(),
        MappingProxyType(one(PASS)),
        OrderedDict(one(PASS)),
    ],
)
def test_a_definition_comes_as_text_bytes_or_a_mapping(definition):
    assert list(parse(definition).states) == ["S"]


def test_a_machine_keeps_nothing_of_the_mapping_it_was_made_from():
    result = {"list": [1]}
    workflow = parse(one({**PASS, "Result": result}))
    result["list"].append(2)

    state = workflow.states["S"]
    assert isinstance(state, Pass)
    assert state.result == {"list": [1]}


def test_texts_and_numbers_of_other_classes_become_plain():
    class Color(StrEnum):
        RED = "red"

    state = parse(one({**PASS, "Result": [Color.RED, True, 1.0, 10**30]})).states["S"]

    assert isinstance(state, Pass)
    assert [(it, type(it)) for it in state.result] == [
        ("red", str),
        (True, bool),
        (1.0, float),
        (10**30, int),
    ]


# --- What is no JSON object ---


@pytest.mark.parametrize("text", ["", " ", "\n\t", b""])
def test_an_empty_text_is_refused(text):
    problem = only_problem(text)

    assert problem.code == "SCHEMA_VALIDATION_FAILED"
    assert problem.message == "Definition must be a valid JSON object, found an empty text"


@pytest.mark.parametrize(
    ("text", "found"),
    [("[]", "an empty array"), ("null", "null"), ('"Pass"', "'Pass'"), ("17", "17")],
)
def test_json_that_is_no_object_is_refused(text, found):
    problem = only_problem(text)

    assert problem.message == f"Definition must be a valid JSON object, found {found}"
    assert (problem.line, problem.column) == (1, 1)


@pytest.mark.parametrize(("value", "found"), [(None, "NoneType"), ([], "list"), (5, "int")])
def test_anything_else_is_refused(value, found):
    assert only_problem(value).message.endswith(f"JSON object, found {found}")


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("not a definition", 1, 1, "expecting value"),
        ('{"StartAt": "A"\n "States": {}}', 2, 2, "',' delimiter"),
        ('{"StartAt": "A",\n}', 1, 16, "illegal trailing comma before end of object"),
        ('{"a": [1, \n ]}', 1, 9, "illegal trailing comma before end of array"),
        ('{"a": 1, b: 2}', 1, 10, "double quotes"),
        ('{"a": ,}', 1, 7, "expecting value"),
        ('{"a": 1} {"b": 2}', 1, 10, "extra data"),
        ('{"a": "tab\there"}', 1, 11, "control character"),
        ('{"a": "\\x"}', 1, 8, "escape"),
        (b'{"a":\n"\xff"}', 2, 2, "UTF-8"),
    ],
)
def test_what_is_no_json_is_refused_at_its_line_and_column(text, line, column, message):
    problem = only_problem(text)

    assert problem.code == "INVALID_JSON_DESCRIPTION"
    assert problem.pointer == ""
    assert (problem.line, problem.column) == (line, column)
    assert message in problem.message


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("NaN", "NaN is not a JSON number"),
        ("-Infinity", "-Infinity is not a JSON number"),
        ("1e400", "1e400 is too large a number"),
        ("1" + "0" * 5000, "is too large a number"),
    ],
)
def test_a_number_that_cannot_be_kept_is_refused_at_its_place(number, message):
    text = json.dumps(one({**PASS, "Result": {"n": 0}}), indent=1).replace(
        '"n": 0', f'"n": {number}'
    )
    problem = only_problem(text)

    assert problem.pointer == "/States/S/Result/n"
    assert message in problem.message
    assert problem.line == text[: text.index('"n"')].count("\n") + 1
    assert len(problem.message) < 100


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "nan is not a JSON number"),
        (float("inf"), "inf is not a JSON number"),
        pytest.param(10**5000, "is too large", id="10**5000"),
        ((1, 2), "tuple is not JSON data (use dict, list, str"),
        ({1, 2}, "set is not JSON data"),
        (b"x", "bytes is not JSON data"),
        (Pass, "is not JSON data"),
    ],
)
def test_python_values_that_are_no_json_are_refused_at_their_place(value, message):
    problem = only_problem(one({**PASS, "Result": {"a/b": [0, value]}}))

    assert problem.code == "INVALID_JSON_DESCRIPTION"
    assert problem.pointer == "/States/S/Result/a~1b/1"
    assert message in problem.message


def test_all_values_that_are_no_json_are_said_at_once():
    problems = problems_of(one({**PASS, "Result": [{1}, {2: 3}, (4,)]}))

    assert [problem.pointer for problem in problems] == [
        "/States/S/Result/0",
        "/States/S/Result/1",
        "/States/S/Result/2",
    ]
    assert "the name of a member must be a string, found int: 2" in problems[1].message


# --- Places ---


def test_a_problem_names_pointer_line_and_column():
    problem = only_problem(TEXT)

    assert str(problem) == (
        "/States/Ship/TimeoutSeconds (line 7, column 25):"
        " expected an integer from 1 to 99999999, found '30'"
    )


def test_without_a_text_there_is_no_line():
    problem = only_problem(json.loads(TEXT))

    assert (problem.line, problem.column) == (None, None)
    assert str(problem).startswith("/States/Ship/TimeoutSeconds: expected")


def test_a_field_that_should_not_be_there_is_found_at_its_name():
    problem = only_problem(TEXT.replace('"30"', '30,\n      "Foo" : 1'))

    assert (problem.pointer, problem.line, problem.column) == ("/States/Ship/Foo", 8, 7)


def test_a_field_that_is_missing_is_found_at_its_object():
    problem = only_problem(
        TEXT.replace('"TimeoutSeconds": "30",', "").replace('"Resource": "ship",', "")
    )

    assert (problem.pointer, problem.line, problem.column) == ("/States/Ship", 4, 13)


def test_places_are_right_after_escapes_and_in_long_lines():
    text = json.dumps(one({**PASS, "Comment": 'a "}{][,:\\" b', "Foo": 1, "Bar": [{}]}))
    foo, bar = problems_of(text)

    assert text[foo.column - 1 :].startswith('"Foo"')
    assert text[bar.column - 1 :].startswith('"Bar"')
    assert foo.line == bar.line == 1


def test_a_problem_can_be_written_whatever_the_definition_holds():
    bad = "\ud800"
    problems = problems_of(one(task(**{bad: 1}, Parameters={"a.$": [bad], f"{bad}.$": "x"})))

    for problem in problems:
        str(problem).encode()
    # The name itself can't be written, so what holds it is named.
    assert [problem.pointer for problem in problems] == [
        "/States/S",
        "/States/S/Parameters",
        "/States/S/Parameters/a.$",
    ]


# --- Members that are there twice ---


def test_a_member_that_is_there_twice_is_refused_at_the_second_one():
    text = TEXT.replace('"30"', "30").replace(
        '"End": true', '"End": true,\n      "Resource": "sink"'
    )
    problem = only_problem(text)

    assert problem.code == "INVALID_JSON_DESCRIPTION"
    assert problem.pointer == "/States/Ship/Resource"
    assert (problem.line, problem.column) == (9, 7)
    assert problem.message.startswith("Duplicate field 'Resource'")
    assert "line 6, column 7" in problem.message


def test_members_that_are_there_twice_are_found_in_payloads_too():
    text = json.dumps(one({**PASS, "Result": [{"a": 1, "b": 2}]})).replace('"b"', '"\\u0061"')

    assert only_problem(text).pointer == "/States/S/Result/0/a"


# --- Size and depth ---


@pytest.mark.parametrize("as_text", [True, False])
def test_a_definition_has_at_most_a_mebibyte_of_text(as_text):
    definition = one({**PASS, "Comment": ""})
    room = MAX_CHARACTERS - len(json.dumps(definition, separators=(",", ":")))
    definition["States"]["S"]["Comment"] = "é" * room
    fitting = json.dumps(definition, separators=(",", ":"), ensure_ascii=False)
    definition["States"]["S"]["Comment"] += "é"
    too_long = json.dumps(definition, separators=(",", ":"), ensure_ascii=False)

    parse(fitting if as_text else json.loads(fitting))
    problem = only_problem(too_long if as_text else json.loads(too_long))

    assert "1,048,577 characters, at most 1,048,576" in problem.message


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 500])
def test_what_nests_too_deeply_is_refused(levels, as_text):
    # "Result" is on the fourth level.
    definition = one({**PASS, "Result": nested(levels - 3)})
    problem = only_problem(json.dumps(definition) if as_text else definition)

    assert problem.code == "TOO_DEEPLY_NESTED"
    assert problem.pointer.startswith("/States/S/Result/a/a")
    assert "deeper than 128 levels" in problem.message


def test_what_nests_as_deeply_as_allowed_is_taken():
    parse(one({**PASS, "Result": nested(MAX_DEPTH - 3)}))
    parse(json.dumps(one({**PASS, "Result": nested(MAX_DEPTH - 3)})))


@pytest.mark.parametrize(
    "text",
    ["[" * 1_000_000, '{"a":' * 200_000, '{"a":' * 500 + "1" + "}" * 500, "[" * 500 + "]" * 500],
)
def test_text_that_nests_beyond_all_measure_is_refused_at_once(text):
    problem = only_problem(text)

    assert problem.code == "TOO_DEEPLY_NESTED"
    assert len(problem.pointer) < 100


def test_a_mapping_that_holds_itself_is_refused():
    loop = {}
    loop["a"] = loop

    assert only_problem(loop).code == "TOO_DEEPLY_NESTED"


def test_a_mapping_that_grows_beyond_measure_is_refused():
    value = []
    for _ in range(60):
        value = [value, value]

    assert "too long" in only_problem({"StartAt": value}).message


def test_rules_nest_as_deeply_as_the_document_may():
    rule = {"Variable": "$.a", "IsNull": True}
    for _ in range(MAX_DEPTH - 5):
        rule = {"Not": rule}

    parse(one({"Type": "Choice", "Choices": [{**rule, "Next": "T"}]}, T=PASS))


def test_machines_nest_at_most_twenty_levels():
    def tower(levels):
        inner = machine(Bottom=PASS)
        for level in range(levels - 1):
            inner = machine(**{f"M{level}": a_map(ItemProcessor=inner)})
        return inner

    parse(tower(20))
    problem = only_problem(tower(21))

    assert problem.code == "TOO_DEEPLY_NESTED"
    assert problem.pointer.count("ItemProcessor") == 20


# --- Speed ---


def test_ten_thousand_states_are_read_without_squares():
    states = {f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(10_000)}
    definition = {"StartAt": "S0", "States": {**states, "S10000": PASS}}

    assert len(parse(definition).states) == 10_001


def test_ten_thousand_problems_are_said_without_squares():
    states = {f"S{n}": {"Type": "Pass", "Next": "T", "Fo": 1} for n in range(10_000)}
    problems = problems_of(json.dumps({"StartAt": "S0", "States": states}, indent=1))

    assert len(problems) == 29_999  # all but the first state are not reachable
    assert problems[0].line == 6


def test_a_wrong_resource_may_be_long():
    problem = only_problem(one(task(Resource="x y" * 1000)))

    assert len(problem.message) < 300
