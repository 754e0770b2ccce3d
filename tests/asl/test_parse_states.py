"""What a definition says, field by field: read right, or refused at its place."""

import math
import re
from datetime import UTC, datetime

import pytest

from django_workflows.asl.definition import (
    And,
    Choice,
    Comparison,
    Fail,
    Map,
    Not,
    Or,
    Parallel,
    Pass,
    Retrier,
    Succeed,
    Task,
    Wait,
)
from django_workflows.asl.expressions.jsonpath import ROOT, Path
from django_workflows.asl.parse import parse
from tests.asl.parsing import (
    PASS,
    SUCCEED,
    a_map,
    distributed,
    machine,
    one,
    only_problem,
    places,
    problems_of,
    state_of,
    task,
)


def texts(value):
    """*value* with each expression replaced by its text."""
    return value.text if hasattr(value, "text") else value


# --- What is right is read right ---


def test_a_machine_has_what_the_document_says():
    workflow = parse(
        {
            "Comment": "Ship it",
            "Version": "1.0",
            "QueryLanguage": "JSONPath",
            "TimeoutSeconds": 3600,
            "StartAt": "Pack",
            "States": {"Pack": {"Type": "Pass", "Next": "Done"}, "Done": SUCCEED},
        }
    )

    assert workflow.start_at == "Pack"
    assert workflow.comment == "Ship it"
    assert workflow.timeout_seconds == 3600
    assert list(workflow.states) == ["Pack", "Done"]
    assert workflow.states["Pack"].next == "Done"
    assert workflow.states["Done"].next is None
    assert isinstance(workflow.states["Done"], Succeed)


def test_what_is_absent_has_its_default():
    state = state_of(task())

    assert isinstance(state, Task)
    assert (state.type, state.name, state.pointer) == ("Task", "S", "/States/S")
    assert state.input_path is state.result_path is state.output_path is ROOT
    assert state.parameters is state.result_selector is state.assign is None
    assert state.timeout_seconds is state.heartbeat_seconds is state.credentials is None
    assert state.retry == state.catch == ()
    assert state.comment is None


def test_a_path_that_is_null_is_none_and_not_the_default():
    state = state_of(task(InputPath=None, ResultPath=None, OutputPath=None))

    assert (state.input_path, state.result_path, state.output_path) == (None, None, None)


def test_a_result_that_is_null_differs_from_none():
    assert state_of({**PASS, "Result": None}) == Pass(
        name="S", pointer="/States/S", has_result=True, result=None
    )
    assert state_of(PASS).has_result is False


def test_pointers_of_inner_states_lead_to_them_in_the_document():
    fan = {
        "Type": "Parallel",
        "End": True,
        "Branches": [machine(A=PASS), machine(**{"a/b~c": PASS})],
    }

    state = state_of(fan)

    assert isinstance(state, Parallel)
    assert state.branches[0].states["A"].pointer == "/States/S/Branches/0/States/A"
    assert state.branches[1].states["a/b~c"].pointer == "/States/S/Branches/1/States/a~1b~0c"


@pytest.mark.parametrize(
    ("fields", "attribute", "value"),
    [
        ({"TimeoutSeconds": 30}, "timeout_seconds", 30),
        ({"TimeoutSecondsPath": "$.t"}, "timeout_seconds", "$.t"),
        ({"HeartbeatSeconds": 10, "TimeoutSeconds": 30}, "heartbeat_seconds", 10),
        ({"HeartbeatSecondsPath": "$.h"}, "heartbeat_seconds", "$.h"),
        ({"Credentials": {"RoleArn.$": "$.role"}}, "credentials", {"RoleArn.$": "$.role"}),
        (
            {"Resource": "arn:aws:states:::sqs:sendMessage"},
            "resource",
            "arn:aws:states:::sqs:sendMessage",
        ),
        ({"InputPath": "$$.Execution"}, "input_path", "$$.Execution"),
        ({"OutputPath": "$order.total"}, "output_path", "$order.total"),
        ({"ResultPath": "$.a['b'][0]"}, "result_path", "$.a['b'][0]"),
        ({"Comment": "why"}, "comment", "why"),
    ],
)
def test_a_task_has_what_its_fields_say(fields, attribute, value):
    found = getattr(state_of(task(**fields)), attribute)

    assert (texts(found) if isinstance(value, str) else found) == value or isinstance(value, dict)
    assert found is not None


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("Seconds", 10, {"seconds": 10}),
        ("Seconds", 0, {"seconds": 0}),
        ("SecondsPath", "$.s", {"seconds": "$.s"}),
        (
            "Timestamp",
            "2026-01-31T09:30:00Z",
            {"timestamp": datetime(2026, 1, 31, 9, 30, tzinfo=UTC)},
        ),
        ("TimestampPath", "$.t", {"timestamp": "$.t"}),
    ],
)
def test_a_wait_knows_how_long(field, value, expected):
    state = state_of({"Type": "Wait", "End": True, field: value})

    assert isinstance(state, Wait)
    assert {
        name: texts(getattr(state, name))
        for name in ("seconds", "timestamp")
        if getattr(state, name) is not None
    } == expected


@pytest.mark.parametrize(
    ("fields", "error", "cause"),
    [
        ({}, None, None),
        ({"Error": "Declined", "Cause": "no money"}, "Declined", "no money"),
        ({"ErrorPath": "$.e", "CausePath": "$$.State.Name"}, "$.e", "$$.State.Name"),
        ({"CausePath": "States.Format('{}!', $.e)"}, None, "States.Format('{}!', $.e)"),
    ],
)
def test_a_fail_names_its_error(fields, error, cause):
    state = state_of({"Type": "Fail", **fields})

    assert isinstance(state, Fail)
    assert (texts(state.error), texts(state.cause)) == (error, cause)


def test_a_retrier_has_its_defaults():
    (retrier,) = state_of(task(Retry=[{"ErrorEquals": ["Busy"]}])).retry

    assert retrier == Retrier(error_equals=("Busy",))


def test_a_retrier_has_what_its_fields_say():
    fields = {
        "ErrorEquals": ["Busy", "States.Timeout"],
        "IntervalSeconds": 5,
        "MaxAttempts": 0,
        "BackoffRate": 1,
        "MaxDelaySeconds": 60,
        "JitterStrategy": "FULL",
        "Comment": "patience",
    }
    (retrier,) = state_of(task(Retry=[fields])).retry

    assert retrier == Retrier(
        error_equals=("Busy", "States.Timeout"),
        interval_seconds=5,
        max_attempts=0,
        backoff_rate=1.0,
        max_delay_seconds=60,
        jitter_strategy="FULL",
    )


def test_a_catcher_has_what_its_fields_say():
    catch = [
        {"ErrorEquals": ["A"], "Next": "T", "ResultPath": "$.error", "Assign": {"e.$": "$.Error"}},
        {"ErrorEquals": ["B"], "Next": "T", "ResultPath": None},
        {"ErrorEquals": ["States.ALL"], "Next": "T"},
    ]
    first, second, third = state_of(task(Catch=catch), T=PASS).catch

    assert first.next == "T" and texts(first.result_path) == "$.error" and first.assign is not None
    assert second.result_path is None
    assert third.result_path is ROOT and third.error_equals == ("States.ALL",)


def test_choice_rules_keep_their_shape():
    rules = [
        {
            "And": [
                {"Variable": "$.a", "NumericEquals": 1, "Comment": "nested"},
                {"Not": {"Variable": "$$.b", "IsPresent": True}},
            ],
            "Next": "T",
            "Assign": {"hit": 1},
        },
        {"Or": [{"Variable": "$v", "StringEqualsPath": "$.other"}], "Next": "T"},
    ]
    state = state_of({"Type": "Choice", "Choices": rules, "Default": "T"}, T=PASS)

    assert isinstance(state, Choice)
    assert state.default == "T" and state.next is None
    first, second = state.choices
    assert isinstance(first.test, And) and first.assign is not None
    number, negation = first.test.tests
    assert isinstance(number, Comparison) and isinstance(negation, Not)
    assert (number.variable.text, number.operator, number.operand) == ("$.a", "NumericEquals", 1)
    assert isinstance(second.test, Or)
    (by_path,) = second.test.tests
    assert isinstance(by_path, Comparison) and isinstance(by_path.operand, Path)
    assert (by_path.operator, by_path.operand.text) == ("StringEquals", "$.other")


@pytest.mark.parametrize("processor", ["ItemProcessor", "Iterator"])
@pytest.mark.parametrize("selector", ["ItemSelector", "Parameters"])
def test_a_map_takes_the_older_names_too(processor, selector):
    fields = {"Type": "Map", "End": True, processor: machine(Item=PASS), selector: {"x.$": "$.a"}}
    state = state_of(fields)

    assert isinstance(state, Map)
    assert list(state.processor.states) == ["Item"]
    assert state.item_selector is not None and state.parameters is None
    assert (state.mode, state.max_concurrency, state.items) == ("INLINE", 0, None)


def test_a_map_has_what_its_fields_say():
    state = state_of(
        a_map(
            ItemsPath="$.orders",
            MaxConcurrencyPath="$.many",
            ToleratedFailureCount=2,
            ToleratedFailurePercentage=1.5,
        )
    )

    assert isinstance(state, Map)
    assert texts(state.items) == "$.orders"
    assert texts(state.max_concurrency) == "$.many"
    assert state.tolerated_failure_count == 2
    assert state.tolerated_failure_percentage == 1.5


def test_a_distributed_map_is_read_completely():
    state = state_of(
        distributed(
            Label="orders",
            ItemReader={
                "Resource": "arn:aws:states:::s3:getObject",
                "Parameters": {"Bucket": "b", "Key.$": "$.key"},
                "ReaderConfig": {
                    "InputType": "CSV",
                    "CSVHeaderLocation": "GIVEN",
                    "CSVHeaders": ["a", "b"],
                    "MaxItems": 10,
                },
            },
            ItemBatcher={
                "MaxItemsPerBatch": 5,
                "MaxInputBytesPerBatchPath": "$.bytes",
                "BatchInput": {"day": 1},
            },
            ResultWriter={
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket": "b"},
                "WriterConfig": {"OutputType": "JSONL", "Transformation": "COMPACT"},
            },
        )
    )

    assert isinstance(state, Map)
    assert (state.mode, state.execution_type, state.label) == ("DISTRIBUTED", "STANDARD", "orders")
    assert state.item_reader is not None and state.item_reader.max_items == 10
    assert state.item_reader.config == {
        "InputType": "CSV",
        "CSVHeaderLocation": "GIVEN",
        "CSVHeaders": ["a", "b"],
    }
    assert state.item_batcher is not None and state.item_batcher.max_items_per_batch == 5
    assert texts(state.item_batcher.max_input_bytes_per_batch) == "$.bytes"
    assert state.result_writer is not None
    assert state.result_writer.config == {"OutputType": "JSONL", "Transformation": "COMPACT"}


# --- What is wrong is refused at its place ---

MINIMAL = {
    "Task": task(),
    "Parallel": {"Type": "Parallel", "End": True, "Branches": [machine(In=PASS)]},
    "Map": a_map(),
    "Pass": PASS,
    "Wait": {"Type": "Wait", "End": True, "Seconds": 1},
    "Choice": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "T"}]},
    "Succeed": SUCCEED,
    "Fail": {"Type": "Fail"},
}
IN_AND_OUT = {
    "InputPath": "$.a",
    "OutputPath": "$.a",
    "Parameters": {},
    "ResultSelector": {},
    "ResultPath": "$.a",
    "Assign": {},
    "Retry": [],
    "Catch": [],
}


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        ("Task", set(IN_AND_OUT)),
        ("Parallel", set(IN_AND_OUT)),
        ("Map", set(IN_AND_OUT)),
        ("Pass", {"InputPath", "OutputPath", "Parameters", "ResultPath", "Assign"}),
        ("Wait", {"InputPath", "OutputPath", "Assign"}),
        ("Choice", {"InputPath", "OutputPath", "Assign"}),
        ("Succeed", {"InputPath", "OutputPath"}),
        ("Fail", set()),
    ],
)
def test_each_type_has_the_fields_of_the_specifications_table(kind, allowed):
    others = {"T": PASS} if kind == "Choice" else {}
    given = one({**MINIMAL[kind], **{name: IN_AND_OUT[name] for name in allowed}}, **others)
    parse(given)

    for name in IN_AND_OUT.keys() - allowed:
        state = {**MINIMAL[kind], name: IN_AND_OUT[name]}
        assert places(one(state, **others)) == [f"/States/S/{name}"]


@pytest.mark.parametrize(
    ("state", "pointer", "message"),
    [
        # Fields that are missing, or that another state or language has.
        ({"End": True}, "", r"These fields are required: \[Type\]"),
        (
            {"Type": "task"},
            "/Type",
            r"one of these values: \[Task, Wait, .*\(did you mean 'Task'\?\)",
        ),
        ({"Type": ["Task"]}, "/Type", "found an array"),
        ({"Type": "Task", "End": True}, "", r"required: \[Resource\]"),
        ({"Type": "Pass"}, "", "either 'Next' or 'End': true, this one has neither"),
        ({"Type": "Pass", "End": False}, "", "'End': false, which ends nothing"),
        ({**PASS, "End": "true"}, "/End", "expected true or false, found 'true'"),
        ({**PASS, "Next": "S"}, "/End", "this one has both"),
        ({**PASS, "Rezult": 1}, "/Rezult", r"not supported: 'Rezult' \(did you mean 'Result'\?\)"),
        ({**PASS, "ResultSelector": {}}, "/ResultSelector", "Task, Parallel and Map have it, Pass"),
        ({**PASS, "Retry": []}, "/Retry", "Task, Parallel and Map have it"),
        ({"Type": "Fail", "InputPath": "$"}, "/InputPath", "Fail has not"),
        ({**SUCCEED, "End": True}, "/End", "Succeed has not"),
        ({**SUCCEED, "Assign": {}}, "/Assign", "Succeed has not"),
        (task(Arguments={}), "/Arguments", "belongs to JSONata.*'Parameters'"),
        (task(Output={}), "/Output", "belongs to JSONata"),
        ({**PASS, "Comment": 5}, "/Comment", "expected a string, found 5"),
        ("Pass", "", "expected an object, found 'Pass'"),
        # Paths and templates.
        (task(InputPath="order"), "/InputPath", "'InputPath' must be a valid JSONPath"),
        (task(InputPath="States.UUID()"), "/InputPath", "must be a valid JSONPath"),
        (task(OutputPath=5), "/OutputPath", "must be a valid JSONPath, found 5"),
        (task(ResultPath="$.a[*]"), "/ResultPath", "Value is not a Reference Path"),
        (task(ResultPath="$$.Execution"), "/ResultPath", r"must begin with '\$\.'"),
        (task(ResultPath="$total"), "/ResultPath", r"must begin with '\$\.'"),
        (task(Parameters={"a.$": "x"}), "/Parameters/a.$", "'a.\\$' must be a valid JSONPath or a"),
        (task(Parameters={"a": [{"b.$": 1}]}), "/Parameters/a/0/b.$", "must be a valid JSONPath"),
        (task(Parameters={"a": 1, "a.$": "$.a"}), "/Parameters/a.$", "there twice"),
        (task(ResultSelector="$.a"), "/ResultSelector", "expected an object"),
        ({**PASS, "Assign": 5}, "/Assign", "expected an object, found 5"),
        # Task.
        (task(Resource=""), "/Resource", "Value cannot be empty"),
        (task(Resource=None), "/Resource", "expected a string, found null"),
        (task(TimeoutSeconds=0), "/TimeoutSeconds", "an integer from 1 to 99999999, found 0"),
        (task(TimeoutSeconds="30"), "/TimeoutSeconds", "found '30'"),
        (task(TimeoutSeconds=True), "/TimeoutSeconds", "found true"),
        (task(TimeoutSeconds=1.5), "/TimeoutSeconds", "found 1.5"),
        (task(TimeoutSeconds=10**30), "/TimeoutSeconds", "found a number of 31 digits"),
        (task(TimeoutSeconds=9, TimeoutSecondsPath="$"), "/TimeoutSecondsPath", "only one of"),
        (task(TimeoutSecondsPath="$..a"), "/TimeoutSecondsPath", "not a Reference Path"),
        (
            task(TimeoutSeconds=9, HeartbeatSeconds=9),
            "/HeartbeatSeconds",
            "less than .* 9, found 9",
        ),
        (task(Credentials={"x": 1}), "/Credentials", "'RoleArn' is required but was missing"),
        (task(Credentials=None), "/Credentials", "expected an object, found null"),
        # Wait.
        ({"Type": "Wait", "End": True}, "", "one of 'Seconds'.* is required"),
        ({"Type": "Wait", "End": True, "Seconds": -1}, "/Seconds", "from 0 to 99999999, found -1"),
        (
            {"Type": "Wait", "End": True, "Seconds": 1, "Timestamp": "2026-01-31T09:30:00Z"},
            "/Timestamp",
            "only one of",
        ),
        (
            {"Type": "Wait", "End": True, "Timestamp": "2026-01-31 09:30"},
            "/Timestamp",
            "^String does not match RFC3339 timestamp",
        ),
        # Fail.
        ({"Type": "Fail", "Error": "A", "ErrorPath": "$.e"}, "/ErrorPath", "only one of 'Error'"),
        ({"Type": "Fail", "CausePath": "States.MathAdd(1, 2)"}, "/CausePath", "returns a string"),
        ({"Type": "Fail", "CausePath": "nothing"}, "/CausePath", "or a valid intrinsic function"),
        ({"Type": "Fail", "Error": 5}, "/Error", "expected a string, found 5"),
        # Parallel and Map.
        ({"Type": "Parallel", "End": True}, "", r"required: \[Branches\]"),
        ({"Type": "Parallel", "End": True, "Branches": []}, "/Branches", "Value cannot be empty"),
        ({"Type": "Parallel", "End": True, "Branches": [7]}, "/Branches/0", "an object, found 7"),
        ({"Type": "Map", "End": True}, "", r"required: \[ItemProcessor\]"),
        (a_map(Iterator=machine(Other=PASS)), "/Iterator", "only one of 'ItemProcessor'"),
        (a_map(ItemSelector={}, Parameters={}), "/Parameters", "only one of 'ItemSelector'"),
        (a_map(ItemsPath=None), "/ItemsPath", "must be a valid JSONPath, found null"),
        (a_map(Items=[]), "/Items", "belongs to JSONata.*'ItemsPath'"),
        (a_map(MaxConcurrency=-1), "/MaxConcurrency", "an integer from 0"),
        (a_map(ToleratedFailurePercentage=101), "/ToleratedFailurePercentage", "from 0 to 100"),
        (
            a_map(ToleratedFailureCount=1, ToleratedFailureCountPath="$.n"),
            "/ToleratedFailureCountPath",
            "only one of",
        ),
        (
            a_map(ItemProcessor={**machine(I=PASS), "ProcessorConfig": {"Mode": "DISTRIBUTED"}}),
            "/ItemProcessor/ProcessorConfig",
            r"required: \[ExecutionType\]",
        ),
        (
            a_map(ItemProcessor={**machine(I=PASS), "ProcessorConfig": {"Mode": "FAST"}}),
            "/ItemProcessor/ProcessorConfig/Mode",
            r"\[INLINE, DISTRIBUTED\], found 'FAST'",
        ),
        (
            a_map(ItemProcessor={**machine(I=PASS), "TimeoutSeconds": 5}),
            "/ItemProcessor/TimeoutSeconds",
            "not supported",
        ),
        # Distributed Map.
        (distributed(Label="a b"), "/Label", "invalid character: ' '"),
        (distributed(Label="a" * 41), "/Label", "1 to 40 characters"),
        (distributed(ItemReader={}), "/ItemReader", r"required: \[Resource\]"),
        (
            distributed(ItemReader={"Resource": "r", "ReaderConfig": {"InputType": "XML"}}),
            "/ItemReader/ReaderConfig/InputType",
            "found 'XML'",
        ),
        (
            distributed(
                ItemReader={"Resource": "r", "ReaderConfig": {"CSVHeaderLocation": "GIVEN"}}
            ),
            "/ItemReader/ReaderConfig",
            r"required: \[CSVHeaders\]",
        ),
        (
            distributed(ItemReader={"Resource": "r", "ReaderConfig": {"MaxItems": -1}}),
            "/ItemReader/ReaderConfig/MaxItems",
            "from 0 to 100000000",
        ),
        (distributed(ItemBatcher={"BatchInput": 1}), "/ItemBatcher", "one of 'MaxItemsPerBatch'"),
        (
            distributed(ItemBatcher={"MaxItemsPerBatch": 1, "MaxItemsPerBatchPath": "$.n"}),
            "/ItemBatcher/MaxItemsPerBatchPath",
            "only one of",
        ),
        (distributed(ResultWriter={}), "/ResultWriter", "Value cannot be empty"),
        (
            distributed(ResultWriter={"WriterConfig": {}}),
            "/ResultWriter/WriterConfig",
            r"required: \[OutputType\]",
        ),
    ],
)
def test_a_wrong_state_is_refused_at_its_place(state, pointer, message):
    problem = only_problem(one(state))

    assert problem.pointer == f"/States/S{pointer}"
    assert problem.code in ("SCHEMA_VALIDATION_FAILED", "INVALID_LABEL_NAME")
    assert re.search(message, problem.message), problem.message


@pytest.mark.parametrize(
    ("entry", "pointer", "message"),
    [
        ({}, "", r"required: \[ErrorEquals\]"),
        ({"ErrorEquals": []}, "/ErrorEquals", "Value cannot be empty"),
        ({"ErrorEquals": "Busy"}, "/ErrorEquals", "expected an array of error names, found 'Busy'"),
        ({"ErrorEquals": ["A", 5]}, "/ErrorEquals/1", "expected an error's name, found 5"),
        ({"ErrorEquals": ["States.ALL", "A"]}, "/ErrorEquals", "must stand alone"),
        ({"ErrorEquals": ["A"], "IntervalSeconds": 0}, "/IntervalSeconds", "from 1 to"),
        ({"ErrorEquals": ["A"], "MaxAttempts": 99.5}, "/MaxAttempts", "found 99.5"),
        ({"ErrorEquals": ["A"], "BackoffRate": 0.5}, "/BackoffRate", "a number 1 or more"),
        ({"ErrorEquals": ["A"], "BackoffRate": 10**400}, "/BackoffRate", "of 401 digits"),
        ({"ErrorEquals": ["A"], "MaxDelaySeconds": 31622401}, "/MaxDelaySeconds", "to 31622400"),
        ({"ErrorEquals": ["A"], "JitterStrategy": "full"}, "/JitterStrategy", "mean 'FULL'"),
        ({"ErrorEquals": ["A"], "MaxRetries": 3}, "/MaxRetries", "not supported"),
    ],
)
def test_a_wrong_retrier_is_refused_at_its_place(entry, pointer, message):
    problem = only_problem(one(task(Retry=[entry])))

    assert problem.pointer == f"/States/S/Retry/0{pointer}"
    assert re.search(message, problem.message), problem.message


@pytest.mark.parametrize(
    ("entry", "pointer", "message"),
    [
        ({"ErrorEquals": ["A"]}, "", r"required: \[Next\]"),
        ({"ErrorEquals": [], "Next": "T"}, "/ErrorEquals", "Value cannot be empty"),
        (
            {"ErrorEquals": ["A"], "Next": "T", "ResultPath": "$$.a"},
            "/ResultPath",
            "Reference Path",
        ),
        ({"ErrorEquals": ["A"], "Next": "T", "Output": 1}, "/Output", "belongs to JSONata"),
        ({"ErrorEquals": ["A"], "Next": "T", "Assign": []}, "/Assign", "expected an object"),
        ({"ErrorEquals": ["A"], "Next": 5}, "/Next", "expected a string, found 5"),
    ],
)
def test_a_wrong_catcher_is_refused_at_its_place(entry, pointer, message):
    rest = {"ErrorEquals": ["Rest"], "Next": "T"}
    problem = only_problem(one(task(Catch=[entry, rest]), T=PASS))

    assert problem.pointer == f"/States/S/Catch/0{pointer}"
    assert re.search(message, problem.message), problem.message


def test_states_all_comes_last():
    retry = [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["Busy"]}]
    catch = [{**entry, "Next": "T"} for entry in retry]
    problems = problems_of(one(task(Retry=retry, Catch=catch), T=PASS))

    assert [problem.pointer for problem in problems] == [
        "/States/S/Retry/0/ErrorEquals",
        "/States/S/Catch/0/ErrorEquals",
    ]
    assert all("must come last" in problem.message for problem in problems)


@pytest.mark.parametrize("field", ["Retry", "Catch"])
def test_an_empty_list_of_retriers_or_catchers_is_allowed(field):
    state = state_of(task(**{field: []}))

    assert state.retry == state.catch == ()


@pytest.mark.parametrize(
    ("rule", "pointer", "message"),
    [
        ({}, "", r"required: \[Variable\]"),
        ({"Variable": "$.a"}, "", "a comparison operator is required"),
        ({"StringEquals": "a"}, "", r"required: \[Variable\]"),
        (
            {"Variable": "$.a", "StringEquals": "a", "IsNull": True},
            "/IsNull",
            "one operator, and this one has 'StringEquals'",
        ),
        ({"Variable": "$.a", "StringEqals": "a"}, "/StringEqals", "mean 'StringEquals'"),
        ({"Variable": "a", "IsNull": True}, "/Variable", "must be a valid JSONPath"),
        ({"Variable": "$.a", "StringEquals": 5}, "/StringEquals", "expected a string, found 5"),
        ({"Variable": "$.a", "NumericEquals": "5"}, "/NumericEquals", "expected a number"),
        ({"Variable": "$.a", "NumericEquals": True}, "/NumericEquals", "found true"),
        ({"Variable": "$.a", "BooleanEquals": "true"}, "/BooleanEquals", "true or false"),
        ({"Variable": "$.a", "IsPresent": 1}, "/IsPresent", "expected true or false, found 1"),
        ({"Variable": "$.a", "TimestampEquals": "noon"}, "/TimestampEquals", "a timestamp like"),
        ({"Variable": "$.a", "StringEqualsPath": "b"}, "/StringEqualsPath", "valid JSONPath"),
        ({"Variable": "$.a", "StringMatchesPath": "$.b"}, "/StringMatchesPath", "not supported"),
        ({"And": []}, "/And", "Value cannot be empty"),
        ({"Or": [5]}, "/Or/0", "expected an object, found 5"),
        ({"Not": []}, "/Not", "expected an object, found an empty array"),
        ({"Condition": True}, "/Condition", "belongs to JSONata"),
        (
            {"Not": {"Variable": "$.a", "IsNull": True, "Next": "T"}},
            "/Not/Next",
            "only the outermost one has it",
        ),
        (
            {"Not": {"Variable": "$.a", "IsNull": True}, "Variable": "$.a"},
            "/Variable",
            "can't have 'Variable' too",
        ),
    ],
)
def test_a_wrong_choice_rule_is_refused_at_its_place(rule, pointer, message):
    problem = only_problem(one({"Type": "Choice", "Choices": [{**rule, "Next": "T"}]}, T=PASS))

    assert problem.pointer == f"/States/S/Choices/0{pointer}"
    assert re.search(message, problem.message), problem.message


def test_a_rule_needs_next_and_a_choice_needs_rules():
    rule = {"Variable": "$.a", "IsNull": True}

    assert places(one({"Type": "Choice", "Choices": [rule], "Default": "T"}, T=PASS)) == [
        "/States/S/Choices/0"
    ]
    assert places(one({"Type": "Choice", "Choices": [], "Default": "T"}, T=PASS)) == [
        "/States/S/Choices"
    ]
    assert places(one({"Type": "Choice", "Default": "T"}, T=PASS)) == ["/States/S"]


@pytest.mark.parametrize(
    ("changes", "pointer", "message"),
    [
        ({"StartAt": None}, "/StartAt", "expected a string, found null"),
        ({"States": {}}, "/States", "Value cannot be empty"),
        ({"States": []}, "/States", "expected an object, found an empty array"),
        ({"Version": "2.0"}, "/Version", r"\[1.0\], found '2.0'"),
        ({"TimeoutSeconds": 0}, "/TimeoutSeconds", "from 1 to 99999999"),
        ({"TimeoutSeconds": math.pi}, "/TimeoutSeconds", "found 3.14"),
        ({"Secrets": {}}, "/Secrets", "not supported"),
        ({"QueryLanguage": "jsonpath"}, "/QueryLanguage", "mean 'JSONPath'"),
    ],
)
def test_a_wrong_machine_is_refused_at_its_place(changes, pointer, message):
    problem = only_problem({**one(PASS), **changes})

    assert problem.pointer == pointer
    assert re.search(message, problem.message), problem.message


# --- Resources ---


@pytest.mark.parametrize(
    "resource",
    [
        "charge_card",
        "approval",
        "docker://hello-world:latest",
        "arn:aws:lambda:eu-west-1:123456789012:function:pay",
        "arn:aws:states:eu-west-1:123456789012:activity:weigh",
        "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "arn:aws:states:::states:startExecution.sync:2",
        "arn:aws:states:::aws-sdk:dynamodb:query",
        "arn:aws:states:::some-new-service:doThings",
        "arn:aws-cn:states:::sns:publish",
        "arn:${AWS::Partition}:states:::lambda:invoke",
        "arn:aws:states:::dynamodb:${Action}",
        "${Function}",
    ],
)
def test_nearly_any_text_names_a_resource(resource):
    assert state_of(task(Resource=resource)).resource == resource


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        (
            "arn:aws:states:::dynamodb:query",
            "dynamodb has deleteItem, getItem, putItem and updateItem",
        ),
        ("arn:aws:states:::lambda:invoke.later", "'.sync', '.sync:2' or '.waitForTaskToken'"),
        ("arn:aws:states:::lambda", "a service and an action"),
        ("arn:aws:states:::", "a service and an action"),
        ("charge card", "no blanks"),
        ("charge\ncard", "no blanks and no control characters"),
    ],
)
def test_a_resource_that_can_only_be_a_slip_is_refused(resource, message):
    problem = only_problem(one(task(Resource=resource)))

    assert problem.pointer == "/States/S/Resource"
    assert "is not recognized" in problem.message
    assert message in problem.message


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ("arn:aws:states:::states:startExecution.sync", "'.sync' service integration"),
        ("arn:aws:states:::states:startExecution.sync:2", "'.sync' service integration"),
        ("arn:aws:states:::sqs:sendMessage.waitForTaskToken", "'.waitForTaskToken' service"),
        ("arn:aws:states:us-east-1:123456789012:activity:weigh", "Activity ARN"),
    ],
)
def test_an_express_machine_may_not_wait_for_others(resource, message):
    definition = one(task(Resource=resource))

    parse(definition)
    problem = only_problem(definition, type="EXPRESS")

    assert problem.message.startswith("Express state machine does not support")
    assert message in problem.message
