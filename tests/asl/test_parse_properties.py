"""What holds for `parse` whatever it is given."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_workflows.asl.definition import StateMachine
from django_workflows.asl.errors import InvalidDefinition, Problem
from django_workflows.asl.parse import check, parse
from tests.asl.parsing import machine

ANY_TEXT = st.text(st.characters(codec=None), max_size=8)
NAMES = st.sampled_from(
    (
        *("Type", "Next", "End", "States", "StartAt", "a.$", "a", "a/b~c", "", "$.x", "Choices"),
        *("QueryLanguage", "Output", "Arguments", "Assign", "Condition", "Items"),
    )
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT
    | st.sampled_from(["Pass", "Task", "$.a", "$$", "$..a", "States.UUID()", "Work", "JSONata"])
    | st.sampled_from(["{% $states.input.a %}", "{% 1 + %}", "{% a %}", "{%", "%}", "{% $x %}"])
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES | ANY_TEXT, inner, max_size=4)
    ),
    max_leaves=12,
)

RETRY = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxDelaySeconds": 9, "BackoffRate": 2.5}]
CATCH = [{"ErrorEquals": ["States.ALL"], "Next": "Stop", "ResultPath": "$.e", "Assign": {"e": 1}}]
#: Every state type, nearly every field.
VALID = machine(
    Look={
        "Type": "Choice",
        "Choices": [
            {
                "And": [
                    {"Variable": "$.n", "NumericGreaterThan": 1},
                    {"Not": {"Variable": "$.t", "TimestampEquals": "2026-01-31T09:30:00Z"}},
                ],
                "Next": "Work",
            },
            {"Variable": "$$.State.Name", "StringEqualsPath": "$.a", "Next": "Rest"},
        ],
        "Default": "Fan",
    },
    Work={
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "InputPath": "$.order",
        "Parameters": {"a.$": "$.x", "b": [{"c.$": "States.Format('{}', $.y)"}]},
        "ResultSelector": {"id.$": "$.id"},
        "ResultPath": "$.result",
        "TimeoutSeconds": 30,
        "HeartbeatSecondsPath": "$.h",
        "Credentials": {"RoleArn.$": "$.role"},
        "Assign": {"total.$": "$.t"},
        "Retry": RETRY,
        "Catch": CATCH,
        "Next": "Rest",
    },
    Rest={"Type": "Wait", "SecondsPath": "$.s", "Next": "Sleep"},
    Sleep={"Type": "Wait", "Timestamp": "2026-01-31T09:30:00Z", "Comment": "until", "Next": "Fan"},
    Fan={
        "Type": "Parallel",
        "Branches": [
            machine(A={"Type": "Pass", "Result": {"x": 1}, "End": True}),
            machine(B={"Type": "Succeed", "OutputPath": "$.b"}),
        ],
        "Retry": RETRY,
        "Next": "Each",
    },
    Each={
        "Type": "Map",
        "Label": "each",
        "ItemsPath": "$.items",
        "ItemSelector": {"v.$": "$$.Map.Item.Value"},
        "ItemReader": {"Resource": "files", "ReaderConfig": {"InputType": "JSON", "MaxItems": 5}},
        "ItemBatcher": {"MaxItemsPerBatch": 5, "BatchInput": {"day.$": "$.day"}},
        "ResultWriter": {"Resource": "files", "WriterConfig": {"OutputType": "JSON"}},
        "ToleratedFailurePercentage": 5,
        "MaxConcurrencyPath": "$.many",
        "ItemProcessor": {
            **machine(Item={"Type": "Pass", "End": True}),
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        },
        "Catch": CATCH,
        "End": True,
    },
    Stop={"Type": "Fail", "Error": "Stopped", "CausePath": "States.JsonToString($.e)"},
)


JSONATA_CATCH = [
    {
        "ErrorEquals": ["States.ALL"],
        "Next": "Stop",
        "Output": "{% $states.errorOutput %}",
        "Assign": {"e": "{% $states.errorOutput.Cause %}"},
    }
]
#: The same in JSONata.
VALID_JSONATA = {
    "QueryLanguage": "JSONata",
    **machine(
        Look={
            "Type": "Choice",
            "Choices": [
                {
                    "Condition": "{% $states.input.n > 1 %}",
                    "Output": {"a": ["{% $states.input.a %}", 1]},
                    "Assign": {"n": "{% $states.input.n %}"},
                    "Next": "Work",
                },
                {"Condition": False, "Next": "Rest"},
            ],
            "Default": "Fan",
        },
        Work={
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Arguments": {"a": "{% $states.input.x %}", "b": [{"c": "{% 'x' & $n %}"}]},
            "Output": "{% $states.result.id %}",
            "TimeoutSeconds": "{% $n * 30 %}",
            "HeartbeatSeconds": 5,
            "Credentials": {"RoleArn": "{% $states.input.role %}"},
            "Assign": {"total": "{% $sum($states.result.prices) %}"},
            "Retry": RETRY,
            "Catch": JSONATA_CATCH,
            "Next": "Rest",
        },
        Rest={"Type": "Wait", "Seconds": "{% $states.input.s %}", "Next": "Sleep"},
        Sleep={"Type": "Wait", "Timestamp": "{% $now() %}", "Output": {}, "Next": "Fan"},
        Fan={
            "Type": "Parallel",
            "Arguments": {"x": "{% $states.context.Execution.Id %}"},
            "Branches": [
                machine(A={"Type": "Pass", "Output": {"x": "{% $random() %}"}, "End": True}),
                machine(B={"Type": "Succeed", "Output": "{% $states.input.b %}"}),
            ],
            "Next": "Each",
        },
        Each={
            "Type": "Map",
            "Items": [1, "{% $states.input.items[price > 3] %}"],
            "ItemSelector": {"v": "{% $states.context.Map.Item.Value %}"},
            "ItemReader": {
                "Resource": "files",
                "Arguments": {"Key": "{% $states.input.key %}"},
                "ReaderConfig": {"InputType": "JSON", "MaxItems": "{% 5 %}"},
            },
            "ItemBatcher": {
                "MaxItemsPerBatch": "{% 5 %}",
                "BatchInput": {"day": "{% $states.input.day %}"},
            },
            "ResultWriter": {"Resource": "files", "Arguments": {"Prefix": "{% 'out' %}"}},
            "ToleratedFailurePercentage": "{% 5 %}",
            "MaxConcurrency": "{% $states.input.many %}",
            "ItemProcessor": {
                **machine(Item={"Type": "Pass", "End": True}),
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            },
            "Catch": JSONATA_CATCH,
            "End": True,
        },
        Stop={"Type": "Fail", "Error": "Stopped", "Cause": "{% $string($e) %}"},
    ),
}


def places_in(document: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to every value in *document* but itself."""
    members = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [place for key, item in members for place in [(*at, key), *places_in(item, (*at, key))]]


@st.composite
def almost_valid(draw: st.DrawFn) -> Any:
    """A definition with one to three members deleted, changed, renamed or added."""
    document = copy.deepcopy(draw(st.sampled_from([VALID, VALID_JSONATA])))
    places = st.sampled_from(places_in(document))
    for place in draw(st.lists(places, min_size=1, max_size=3)):
        holder = document
        try:
            for key in place[:-1]:
                holder = holder[key]
            value = holder[place[-1]]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took it away
        change = draw(st.sampled_from(["delete", "change", "rename", "add", "repeat"]))
        if change == "delete":
            del holder[place[-1]]
        elif change == "change":
            holder[place[-1]] = draw(ANY_JSON)
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(value))
        elif change == "repeat":
            other = draw(places)
            holder[str(other[-1])] = copy.deepcopy(value)
        else:
            holder[draw(NAMES | ANY_TEXT)] = draw(ANY_JSON) if change == "add" else value
    return document


def outcome(definition: Any) -> tuple[Problem, ...]:
    """The errors of *definition*; anything but a machine or a refusal is a failure."""
    try:
        machine = parse(definition)
    except InvalidDefinition as error:
        str(error).encode()  # can be written anywhere
        problems = error.problems
    else:
        assert isinstance(machine, StateMachine)
        return ()
    assert any(problem.severity == "ERROR" for problem in problems)
    return problems


def resolve(document: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


def check_all(document: Any) -> None:
    before = copy.deepcopy(document)
    problems = outcome(document)
    assert document == before

    for problem in problems:
        resolve(document, problem.pointer)
        assert problem.message and len(problem.message) < 1000
    text = json.dumps(document, ensure_ascii=False)
    of_text = outcome(text)
    assert [(it.code, it.pointer, it.message) for it in problems] == [
        (it.code, it.pointer, it.message) for it in of_text
    ]
    assert tuple(check(text)) == of_text or not of_text
    for problem in of_text:
        assert problem.line == 1
        rest = text[problem.column - 1 :]
        value = resolve(document, problem.pointer)
        name = problem.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        as_value = json.dumps(value, ensure_ascii=False)
        as_name = json.dumps(name, ensure_ascii=False) + ": "
        assert rest.startswith((as_value, as_name))


@pytest.mark.parametrize("definition", [VALID, VALID_JSONATA], ids=["JSONPath", "JSONata"])
def test_the_definition_that_the_others_are_made_from_is_right(definition):
    assert outcome(definition) == ()
    assert check(definition) == []


@given(almost_valid())
@settings(max_examples=300, deadline=None)
def test_what_is_nearly_a_definition_is_read_or_refused(document):
    check_all(document)


@given(st.dictionaries(NAMES | ANY_TEXT, ANY_JSON, max_size=5))
@settings(max_examples=150, deadline=None)
def test_any_json_object_is_read_or_refused(document):
    check_all(document)


@given(ANY_TEXT | st.binary(max_size=20) | ANY_JSON.map(json.dumps))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(text):
    outcome(text)
    check(text)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_damaged_text_is_read_or_refused(data):
    text = json.dumps(data.draw(st.sampled_from([VALID, VALID_JSONATA])), indent=1)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    insert = data.draw(st.sampled_from(["", "{", "}", "[", "]", ",", '"', "\\", "NaN", "1e999"]))
    damaged = text[:start] + insert + text[end:]

    outcome(damaged)
    check(damaged)
