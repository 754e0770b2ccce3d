"""JSONata in definitions: which fields it has, what it makes of them, what is refused."""

import re
from datetime import UTC, datetime

import pytest

from django_workflows.asl.definition import Condition
from django_workflows.asl.expressions.jsonata import Jsonata, JsonataTemplate
from django_workflows.asl.parse import check, parse
from tests.asl.parsing import (
    PASS,
    SUCCEED,
    a_map,
    distributed,
    machine,
    one,
    only_problem,
    places,
    state_of,
    task,
)

FAIL = {"Type": "Fail"}
CATCH = {"ErrorEquals": ["States.ALL"], "Next": "T"}


def in_jsonata(state, **others):
    """A JSONata machine of the state S, and what it leads to."""
    return {**one(state, **others), "QueryLanguage": "JSONata"}


def read(state, **others):
    return parse(in_jsonata(state, **others)).states["S"]


def choice(*rules, **fields):
    return {"Type": "Choice", "Choices": [{"Next": "T", **rule} for rule in rules], **fields}


def a_wait(**fields):
    return {"Type": "Wait", "End": True, **fields}


# --- What is made of it ---


def test_structures_become_templates_with_expressions_at_any_depth():
    state = read(
        task(
            Arguments={"id": "{% $states.input.id %}", "lines": [{"n": "{% 1 + 1 %}"}, "plain"]},
            Output="{% $states.result %}",
            Assign={"total": "{% $sum($states.result.prices) %}", "kind": "order"},
        )
    )

    assert isinstance(state.arguments, JsonataTemplate)
    assert [it.source for it in state.arguments.expressions] == ["$states.input.id", "1 + 1"]
    assert isinstance(state.output, JsonataTemplate)
    assert state.output.expression.source == "$states.result"
    assert isinstance(state.assign, JsonataTemplate)
    assert len(state.assign.expressions) == 1


@pytest.mark.parametrize("value", [None, 1, True, "text", [], {}, {"a.$": "$.b"}])
def test_arguments_and_output_may_be_any_json(value):
    state = read(task(Arguments=value, Output=value))

    assert state.arguments.value == state.output.value == value


@pytest.mark.parametrize(
    ("state", "attribute"),
    [
        (task(TimeoutSeconds="{% $t %}"), "timeout_seconds"),
        (task(HeartbeatSeconds="{% $t %}"), "heartbeat_seconds"),
        (a_wait(Seconds="{% $t %}"), "seconds"),
        (a_wait(Timestamp="{% $t %}"), "timestamp"),
        ({**FAIL, "Error": "{% $t %}"}, "error"),
        ({**FAIL, "Cause": "{% $t %}"}, "cause"),
        (a_map(MaxConcurrency="{% $t %}"), "max_concurrency"),
        (a_map(ToleratedFailureCount="{% $t %}"), "tolerated_failure_count"),
        (a_map(ToleratedFailurePercentage="{% $t %}"), "tolerated_failure_percentage"),
    ],
)
def test_a_field_of_one_value_may_be_an_expression(state, attribute):
    found = getattr(read(state), attribute)

    assert isinstance(found, Jsonata)
    assert found.variables == {"t"}


@pytest.mark.parametrize(
    ("state", "attribute", "value"),
    [
        (task(TimeoutSeconds=30), "timeout_seconds", 30),
        (a_wait(Seconds=0), "seconds", 0),
        (
            a_wait(Timestamp="2026-01-31T09:30:00Z"),
            "timestamp",
            datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
        ),
        ({**FAIL, "Error": "Stop", "Cause": " {% $t %} "}, "cause", " {% $t %} "),
        (a_map(MaxConcurrency=3), "max_concurrency", 3),
        (a_map(ToleratedFailurePercentage=1.5), "tolerated_failure_percentage", 1.5),
    ],
)
def test_or_a_literal(state, attribute, value):
    assert getattr(read(state), attribute) == value


@pytest.mark.parametrize("items", ["{% $x %}", ["{% $x %}", 1], []])
def test_items_are_an_expression_or_an_array_of_literals_and_expressions(items):
    assert read(a_map(Items=items)).items.value == items


def test_a_rule_has_a_condition_that_is_literal_or_an_expression():
    state = read(
        choice({"Condition": True}, {"Condition": "{% $x %}", "Output": 1, "Assign": {"y": 2}}),
        T=PASS,
    )

    first, second = state.choices
    assert first.test == Condition(value=True)
    assert isinstance(second.test.value, Jsonata)
    assert (second.output.value, second.assign.value) == (1, {"y": 2})


def test_a_catcher_has_output_and_assign():
    catch = {**CATCH, "Output": "{% $states.errorOutput %}", "Assign": {"e": "{% 1 %}"}}
    (catcher,) = read(task(Catch=[catch]), T=PASS).catch

    assert catcher.output.expression.source == "$states.errorOutput"
    assert catcher.assign.value == {"e": "{% 1 %}"}


def test_a_distributed_map_is_read():
    state = read(
        distributed(
            ItemReader={
                "Resource": "files",
                "Arguments": {"Key": "{% $key %}"},
                "ReaderConfig": {"InputType": "JSON", "MaxItems": "{% $most %}"},
            },
            ItemSelector={"v": "{% $states.context.Map.Item.Value %}"},
            ItemBatcher={
                "BatchInput": {"day": "{% $day %}"},
                "MaxItemsPerBatch": "{% $many %}",
                "MaxInputBytesPerBatch": "{% $bytes %}",
            },
            ResultWriter={"Resource": "files", "Arguments": {"Prefix": "{% $prefix %}"}},
        )
    )

    assert state.item_reader.parameters.expressions[0].variables == {"key"}
    assert state.item_reader.max_items.variables == {"most"}
    assert state.item_batcher.max_items_per_batch.variables == {"many"}
    assert state.item_batcher.max_input_bytes_per_batch.variables == {"bytes"}
    assert state.item_batcher.batch_input.expressions[0].variables == {"day"}
    assert state.item_selector.expressions[0].states == {"context"}
    assert state.result_writer.parameters.expressions[0].variables == {"prefix"}


def test_keys_that_end_like_a_path_are_plain_keys():
    state = read({**PASS, "Output": {"a": 1, "a.$": "no path, no function"}})

    assert state.output.value == {"a": 1, "a.$": "no path, no function"}


# --- Which language ---


def test_a_state_of_a_jsonpath_machine_may_be_in_jsonata():
    assert state_of({**PASS, "QueryLanguage": "JSONata", "Output": "{% 1 %}"}).output is not None


def test_a_jsonata_machine_has_no_jsonpath_state():
    problem = only_problem(in_jsonata({**PASS, "QueryLanguage": "JSONPath"}))

    assert problem.pointer == "/States/S/QueryLanguage"
    assert problem.message == (
        "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
    )


def test_nor_has_a_machine_inside_of_it():
    inner = machine(Item={**PASS, "QueryLanguage": "JSONPath"})

    assert places(in_jsonata(a_map(ItemProcessor=inner))) == [
        "/States/S/ItemProcessor/States/Item/QueryLanguage"
    ]


def test_a_machine_inside_of_a_state_is_in_the_language_of_the_machine_around_it():
    inner = machine(Item={**PASS, "InputPath": "$.a"})
    state = state_of(a_map(QueryLanguage="JSONata", Items=[1], ItemProcessor=inner))

    assert state.query_language == "JSONata"
    assert state.processor.states["Item"].query_language == "JSONPath"


def test_saying_the_machine_s_own_language_again_is_fine():
    assert read({**PASS, "QueryLanguage": "JSONata"}).query_language == "JSONata"


# --- Which fields ---

JSONPATH_ONLY = [
    (task(InputPath="$"), "/InputPath", "belongs to JSONPath.*is JSONata$"),
    (task(OutputPath="$"), "/OutputPath", "belongs to JSONPath.*'Output'"),
    (task(ResultPath="$"), "/ResultPath", "belongs to JSONPath.*'Output'"),
    (task(Parameters={}), "/Parameters", "belongs to JSONPath.*'Arguments'"),
    (task(ResultSelector={}), "/ResultSelector", "belongs to JSONPath.*'Output'"),
    ({**PASS, "Result": 1}, "/Result", "belongs to JSONPath.*'Output'"),
    ({**PASS, "Parameters": {}}, "/Parameters", "belongs to JSONPath.*is JSONata$"),
    (task(TimeoutSecondsPath="$.t"), "/TimeoutSecondsPath", "'TimeoutSeconds'"),
    (task(HeartbeatSecondsPath="$.t"), "/HeartbeatSecondsPath", "'HeartbeatSeconds'"),
    (a_wait(Seconds=1, SecondsPath="$.t"), "/SecondsPath", "'Seconds'"),
    (a_wait(Seconds=1, TimestampPath="$.t"), "/TimestampPath", "'Timestamp'"),
    ({**FAIL, "ErrorPath": "$.e"}, "/ErrorPath", "'Error'"),
    ({**FAIL, "CausePath": "$.e"}, "/CausePath", "'Cause'"),
    (a_map(ItemsPath="$.t"), "/ItemsPath", "'Items'"),
    (a_map(Parameters={}), "/Parameters", "'ItemSelector'"),
    (a_map(MaxConcurrencyPath="$.t"), "/MaxConcurrencyPath", "'MaxConcurrency'"),
    (
        a_map(ToleratedFailureCountPath="$.t"),
        "/ToleratedFailureCountPath",
        "'ToleratedFailureCount'",
    ),
    (
        a_map(ToleratedFailurePercentagePath="$.t"),
        "/ToleratedFailurePercentagePath",
        "'ToleratedFailurePercentage'",
    ),
    (task(Catch=[{**CATCH, "ResultPath": "$"}]), "/Catch/0/ResultPath", "belongs to JSONPath"),
    (
        choice({"Condition": True, "Variable": "$.a"}),
        "/Choices/0/Variable",
        "belongs to JSONPath, and the query language here is JSONata",
    ),
    (choice({"Condition": True, "IsNull": True}), "/Choices/0/IsNull", "belongs to JSONPath"),
    (choice({"Condition": True, "And": []}), "/Choices/0/And", "belongs to JSONPath"),
    (
        distributed(ItemReader={"Resource": "files", "Parameters": {}}),
        "/ItemReader/Parameters",
        "belongs to JSONPath",
    ),
    (
        distributed(ItemReader={"Resource": "f", "ReaderConfig": {"MaxItemsPath": "$.a"}}),
        "/ItemReader/ReaderConfig/MaxItemsPath",
        "belongs to JSONPath",
    ),
    (
        distributed(ItemBatcher={"MaxItemsPerBatch": 1, "MaxInputBytesPerBatchPath": "$.a"}),
        "/ItemBatcher/MaxInputBytesPerBatchPath",
        "belongs to JSONPath",
    ),
    (
        distributed(ResultWriter={"Resource": "files", "Parameters": {}}),
        "/ResultWriter/Parameters",
        "belongs to JSONPath",
    ),
]
NOT_OF_THE_TYPE = [
    ({**PASS, "Arguments": {}}, "/Arguments", "Parallel have it, Pass has not"),
    (a_map(Arguments={}), "/Arguments", "Map has not"),
    ({**SUCCEED, "Assign": {}}, "/Assign", "Succeed has not"),
    ({**FAIL, "Output": 1}, "/Output", "Fail has not"),
    (task(Items=[]), "/Items", "Task has not"),
    (task(Condition=True), "/Condition", "Field is not supported"),
]
WRONG_VALUES = [
    (task(TimeoutSeconds="30"), "/TimeoutSeconds", "expected an integer from 1 .* found '30'"),
    (task(TimeoutSeconds=0), "/TimeoutSeconds", "found 0"),
    (task(Assign="{% {'a': 1} %}"), "/Assign", "expected an object"),
    (task(Credentials={"Arn": 1}), "/Credentials", "'RoleArn' is required"),
    (task(Credentials={"RoleArn.$": "$.a"}), "/Credentials", "'RoleArn' is required"),
    (a_wait(Seconds=-1), "/Seconds", "expected an integer"),
    (a_wait(Timestamp="tomorrow"), "/Timestamp", "RFC3339"),
    (a_wait(), "", "one of 'Seconds' or 'Timestamp' is required"),
    (a_wait(Seconds=1, Timestamp="{% 1 %}"), "/Timestamp", "only one of"),
    ({**FAIL, "Error": 1}, "/Error", "expected a string"),
    (a_map(Items={}), "/Items", "expected an array or a JSONata string, found an empty object"),
    (a_map(Items="$.a"), "/Items", r"expected an array or a JSONata string, found '\$.a'"),
    (a_map(MaxConcurrency="all"), "/MaxConcurrency", "expected an integer"),
    (choice({"Condition": 1}), "/Choices/0/Condition", "expected true or false"),
    (choice({"Condition": "true"}), "/Choices/0/Condition", "expected true or false"),
    (choice({}), "/Choices/0", r"required: \[Condition\]"),
    (
        distributed(ItemBatcher={"BatchInput": {}}),
        "/ItemBatcher",
        "one of 'MaxItemsPerBatch' or 'MaxInputBytesPerBatch' is required",
    ),
]


@pytest.mark.parametrize(
    ("state", "pointer", "message"), JSONPATH_ONLY + NOT_OF_THE_TYPE + WRONG_VALUES
)
def test_what_a_jsonata_state_can_t_have_is_refused_at_its_place(state, pointer, message):
    leads_to = {"T": PASS} if "Catch" in state or "Choices" in state else {}
    problem = only_problem(in_jsonata(state, **leads_to))

    assert problem.pointer == f"/States/S{pointer}"
    assert re.search(message, problem.message), problem.message


# --- Which expressions ---

BAD = "{% 1 + %}"
PLACES = [
    (task(Arguments={"a": [BAD]}), "/Arguments/a/0"),
    (task(Arguments=BAD), "/Arguments"),
    (task(Output={"a/b": BAD}), "/Output/a~1b"),
    (task(Assign={"x": BAD}), "/Assign/x"),
    (task(TimeoutSeconds=BAD), "/TimeoutSeconds"),
    (task(HeartbeatSeconds=BAD), "/HeartbeatSeconds"),
    (task(Credentials={"RoleArn": BAD}), "/Credentials/RoleArn"),
    (task(Catch=[{**CATCH, "Output": [BAD]}]), "/Catch/0/Output/0"),
    (task(Catch=[{**CATCH, "Assign": {"e": BAD}}]), "/Catch/0/Assign/e"),
    (a_wait(Seconds=BAD), "/Seconds"),
    (a_wait(Timestamp=BAD), "/Timestamp"),
    ({**FAIL, "Error": BAD}, "/Error"),
    ({**FAIL, "Cause": BAD}, "/Cause"),
    ({**SUCCEED, "Output": BAD}, "/Output"),
    (choice({"Condition": BAD}), "/Choices/0/Condition"),
    (choice({"Condition": True, "Output": BAD}), "/Choices/0/Output"),
    (choice({"Condition": True, "Assign": {"e": BAD}}), "/Choices/0/Assign/e"),
    (a_map(Items=BAD), "/Items"),
    (a_map(Items=[1, BAD]), "/Items/1"),
    (a_map(ItemSelector={"v": BAD}), "/ItemSelector/v"),
    (a_map(MaxConcurrency=BAD), "/MaxConcurrency"),
    (a_map(ToleratedFailureCount=BAD), "/ToleratedFailureCount"),
    (a_map(ToleratedFailurePercentage=BAD), "/ToleratedFailurePercentage"),
    (
        distributed(ItemReader={"Resource": "f", "Arguments": {"Key": BAD}}),
        "/ItemReader/Arguments/Key",
    ),
    (
        distributed(ItemReader={"Resource": "f", "ReaderConfig": {"MaxItems": BAD}}),
        "/ItemReader/ReaderConfig/MaxItems",
    ),
    (distributed(ItemBatcher={"MaxItemsPerBatch": BAD}), "/ItemBatcher/MaxItemsPerBatch"),
    (distributed(ItemBatcher={"MaxInputBytesPerBatch": BAD}), "/ItemBatcher/MaxInputBytesPerBatch"),
    (
        distributed(ItemBatcher={"MaxItemsPerBatch": 1, "BatchInput": {"a": BAD}}),
        "/ItemBatcher/BatchInput/a",
    ),
    (
        distributed(ResultWriter={"Resource": "f", "Arguments": {"Prefix": BAD}}),
        "/ResultWriter/Arguments/Prefix",
    ),
]


@pytest.mark.parametrize(("state", "pointer"), PLACES)
def test_what_is_no_jsonata_is_refused_at_its_place(state, pointer):
    leads_to = {"T": PASS} if "Catch" in state or "Choices" in state else {}
    problem = only_problem(in_jsonata(state, **leads_to))

    assert problem.code == "INVALID_JSONATA_EXPRESSION"
    assert problem.pointer == f"/States/S{pointer}"
    assert problem.message == "S0207: Unexpected end of expression"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("{% 10 + * 2 %}", "INVALID_JSONATA_EXPRESSION", "S0211|S0207|S0201"),
        ("{% $sum($states.input.a %}", "INVALID_JSONATA_EXPRESSION", "S0203|S0202"),
        ("{% $.store.book[?(@.price < 10)].title %}", "INVALID_JSONATA_EXPRESSION", "S0"),
        ("{%%}", "INVALID_JSONATA_EXPRESSION", "S0207"),
        ("{% 10 %", "INVALID_JSONATA_EXPRESSION", "begins with '{%' and ends with '%}'"),
        ("10 %}", "INVALID_JSONATA_EXPRESSION", "begins with '{%' and ends with '%}'"),
        ("{% 1 %} ", "INVALID_JSONATA_EXPRESSION", "nothing outside"),
        ("{%}", "INVALID_JSONATA_EXPRESSION", "begins with"),
        (
            "{% phone %}",
            "UNSUPPORTED_JSONATA_EXPRESSION",
            "^Reference to 'phone' at the top level is not supported.$",
        ),
        ("{% $ %}", "UNSUPPORTED_JSONATA_EXPRESSION", r"^Reference to '\$' at the top level"),
        ("{% $$.a %}", "UNSUPPORTED_JSONATA_EXPRESSION", "at the top level is not supported"),
        ("{% $states.input.a + b.c %}", "UNSUPPORTED_JSONATA_EXPRESSION", "^Reference to 'b'"),
        ("{% $uppercase(name) %}", "UNSUPPORTED_JSONATA_EXPRESSION", "^Reference to 'name'"),
        ("{% $f(name) %}", "UNSUPPORTED_JSONATA_EXPRESSION", "^Reference to 'name'"),
        ("{% $hash(name, 'MD5') %}", "UNSUPPORTED_JSONATA_EXPRESSION", "^Reference to 'name'"),
    ],
)
def test_an_expression_that_can_never_be_evaluated_is_refused(text, code, message):
    problem = only_problem(in_jsonata({**PASS, "Output": {"v": text}}))

    assert problem.pointer == "/States/S/Output/v"
    assert problem.code == code
    assert re.search(message, problem.message), problem.message


@pytest.mark.parametrize(
    "text",
    [
        "{%1%}",
        "{% \n10\t %}",
        " {% no expression at all %} ",
        "a {% in the middle %} of a text",
        "{% $states.input.items[price > 3].name %}",
        "{% $states.input.items.($ * 2) %}",
        "{% $map($states.input.items, function($item) { $item.price }) %}",
        "{% $states.input ~> |$|{'a': 1}| %}",
        "{% ($x := 1; $x + 1) %}",
        "{% $doesNotExist %}",
        "{% $unknownFunction($states.input) %}",
        "{% $eval('1') %}",
        "{% $partition($range(1, 9, 1), 2) %}",
        "{% $states.result %}",
        "{% 1 /* a comment */ %}",
    ],
)
def test_what_may_come_to_something_is_taken(text):
    assert read({**PASS, "Output": {"v": text}}).output.value == {"v": text}


def test_all_wrong_expressions_are_said_at_once():
    definition = in_jsonata(task(Arguments=[BAD, "{% a %}", {"b": "{%"}], Output=BAD))

    assert places(definition) == [
        "/States/S/Arguments/0",
        "/States/S/Arguments/1",
        "/States/S/Arguments/2/b",
        "/States/S/Output",
    ]


# --- What is probably not meant ---


def warnings_of(definition):
    problems = check(definition)
    assert {problem.severity for problem in problems} <= {"WARNING"}
    assert parse(definition)
    return [(problem.code, problem.pointer, problem.message) for problem in problems]


def test_a_variable_that_nothing_assigns_is_warned_of():
    [warning] = warnings_of(
        in_jsonata(
            {"Type": "Pass", "Assign": {"total": 1}, "Next": "T"},
            T={**PASS, "Output": {"a": ["{% $totl + 1 %}"]}},
        )
    )

    assert warning == (
        "UNASSIGNED_VARIABLE",
        "/States/T/Output/a/0",
        "no state assigns the variable 'totl' where '{% $totl + 1 %}' could see it"
        " (did you mean 'total'?)",
    )


def test_one_in_a_path_is_too():
    [warning] = warnings_of(one({**PASS, "Parameters": {"a.$": "States.Array($x.y, $.x)"}}))

    assert warning[:2] == ("UNASSIGNED_VARIABLE", "/States/S")
    assert "'x' where '$x.y'" in warning[2]


@pytest.mark.parametrize(
    "assigning",
    [
        {"Type": "Pass", "Assign": {"x": 1}, "Next": "T"},
        choice({"Condition": True, "Assign": {"x": 1}}),
        {
            "Type": "Task",
            "Resource": "work",
            "Catch": [{**CATCH, "Assign": {"x": 1}}],
            "Next": "T",
        },
    ],
)
@pytest.mark.parametrize(
    "reading",
    [
        {**PASS, "Output": "{% $x %}"},
        a_map(ItemProcessor=machine(Item={**PASS, "Output": "{% $x %}"})),
    ],
)
def test_one_that_any_state_here_or_around_assigns_is_not(assigning, reading):
    assert warnings_of(in_jsonata(assigning, T=reading)) == []


def test_the_children_of_a_distributed_map_see_no_variables_of_their_parent():
    inner = {**machine(Item={**PASS, "Output": "{% $x %}"})}
    inner["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    definition = in_jsonata(
        {"Type": "Pass", "Assign": {"x": 1}, "Next": "T"}, T=a_map(ItemProcessor=inner)
    )

    assert [warning[:2] for warning in warnings_of(definition)] == [
        ("UNASSIGNED_VARIABLE", "/States/T/ItemProcessor/States/Item/Output")
    ]


@pytest.mark.parametrize(
    "text",
    ["{% ($x := 1; $x) %}", "{% function($x){$x}(1) %}", "{% $sum([1]) %}", "{% $uuid() %}"],
)
def test_names_of_an_expression_s_own_and_of_functions_are_not(text):
    assert warnings_of(in_jsonata({**PASS, "Output": text})) == []


RESULT, ERROR = "{% $states.result %}", "{% $states.errorOutput.Cause %}"


@pytest.mark.parametrize(
    ("state", "places"),
    [
        (task(Output=RESULT, Assign={"x": [RESULT]}), []),
        (a_map(Output=RESULT), []),
        (task(Catch=[{**CATCH, "Output": ERROR, "Assign": {"x": ERROR}}]), []),
        (task(Arguments=RESULT), ["/Arguments"]),
        (task(Output=ERROR), ["/Output"]),
        (task(Catch=[{**CATCH, "Output": RESULT}]), ["/Catch/0/Output"]),
        ({**PASS, "Output": RESULT}, ["/Output"]),
        (a_map(Items=RESULT), ["/Items"]),
        (
            choice({"Condition": RESULT, "Output": ERROR}),
            ["/Choices/0/Condition", "/Choices/0/Output"],
        ),
        ({**PASS, "Output": "{% $states.inputs %}"}, ["/Output"]),
    ],
)
def test_a_member_that_states_never_has_there_is_warned_of(state, places):
    leads_to = {"T": PASS} if "Catch" in state or "Choices" in state else {}
    warnings = warnings_of(in_jsonata(state, **leads_to))

    assert [warning[:2] for warning in warnings] == [
        ("ALWAYS_UNDEFINED", f"/States/S{place}") for place in places
    ]


def test_the_warning_says_what_states_has():
    [warning] = warnings_of(in_jsonata(task(Output="{% $states.inputs & $states.context.a %}")))

    assert warning[2] == (
        "$states has no 'inputs' here, it has context, input and result (did you mean 'input'?)"
    )


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({**PASS, "QueryLanguage": "JSONata", "Output": {"a.$": "b"}}, "/Output/a.$"),
        ({**PASS, "QueryLanguage": "JSONata", "Output": ["$.a.b"]}, "/Output/0"),
        ({**PASS, "QueryLanguage": "JSONata", "Output": "States.UUID()"}, "/Output"),
        ({**PASS, "Parameters": {"a": ["x", {"b": "{% 1 %}"}]}}, "/Parameters/a/1/b"),
        ({**PASS, "Assign": {"a": "{% 1 %}"}}, "/Assign/a"),
    ],
)
def test_an_expression_in_the_other_language_is_warned_of(state, place):
    assert [warning[:2] for warning in warnings_of(one(state))] == [
        ("OTHER_QUERY_LANGUAGE", f"/States/S{place}")
    ]


def test_of_what_is_refused_nothing_else_is_said():
    definition = in_jsonata(task(Parameters={"a.$": "$.a"}, Output=BAD))

    assert [problem.severity for problem in check(definition)] == ["ERROR", "ERROR"]


# --- Variables ---


def test_a_branch_may_assign_what_a_catch_around_it_assigns():
    branch = machine(In={**PASS, "Assign": {"x": 1}})
    state = {"Type": "Parallel", "Branches": [branch], "Catch": [{**CATCH, "Assign": {"x": 2}}]}

    assert read({**state, "End": True}, T=PASS)
    assert places(in_jsonata({**state, "Assign": {"x": 2}, "End": True}, T=PASS)) == [
        "/States/S/Branches/0/States/In/Assign/x"
    ]


@pytest.mark.parametrize("name", ["x.$", "x.y", "states", "1x", "_x", "x-y", "x" * 81, ""])
def test_a_variable_has_a_name_that_expressions_can_say(name):
    assert places(in_jsonata({**PASS, "Assign": {name: 1}})) == [f"/States/S/Assign/{name}"]
