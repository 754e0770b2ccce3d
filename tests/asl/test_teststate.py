"""One state on its own: every answer, what an inspection shows, and what is refused."""

import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from django_workflows import asl
from django_workflows.asl import Mock, StateConfiguration, test_state

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def task(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": "charge", "End": True, **fields}


def jsonata(state: dict[str, Any]) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", **state}


def map_(**fields: Any) -> dict[str, Any]:
    processor = {"StartAt": "Pack", "States": {"Pack": {"Type": "Pass", "End": True}}}
    return {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}


def distributed(**fields: Any) -> dict[str, Any]:
    state = map_(**fields)
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    state["ItemProcessor"] = {**state["ItemProcessor"], "ProcessorConfig": config}
    return state


def parallel(**fields: Any) -> dict[str, Any]:
    branches = [
        {"StartAt": name, "States": {name: {"Type": "Pass", "End": True}}} for name in ("L", "R")
    ]
    return {"Type": "Parallel", "Branches": branches, "End": True, **fields}


def error(name: str = "Busy", cause: str = "try later") -> Mock:
    return Mock(error_output=asl.ErrorOutput(error=name, cause=cause))


def inspected(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return dict(test_state(*args, inspection_level="DEBUG", **kwargs).inspection_data)


# -- answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "output", "following"),
    [
        ({"Type": "Pass", "Next": "Ship"}, {"a": 1}, "Ship"),
        ({"Type": "Pass", "Result": 7, "ResultPath": "$.b", "End": True}, {"a": 1, "b": 7}, None),
        ({"Type": "Succeed", "OutputPath": "$.a"}, 1, None),
        ({"Type": "Wait", "Seconds": 3600, "Next": "Ship"}, {"a": 1}, "Ship"),  # does not wait
        (
            {
                "Type": "Choice",
                "Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "One"}],
                "Default": "Other",
            },
            {"a": 1},
            "One",
        ),
        (
            jsonata(
                {
                    "Type": "Choice",
                    "Choices": [{"Condition": "{% $states.input.a > 1 %}", "Next": "Many"}],
                    "Default": "Other",
                    "Output": "{% $states.input.a * 2 %}",
                }
            ),
            2,
            "Other",
        ),
    ],
)
def test_a_state_succeeds_with_its_output_and_the_state_that_follows(state, output, following):
    tested = test_state(state, {"a": 1})

    assert (tested.status, tested.output, tested.next_state) == ("SUCCEEDED", output, following)
    assert tested.error is tested.cause is None
    assert tested.inspection_data == {}
    assert tested.notes == ()


def test_a_fail_state_fails_with_its_error():
    tested = test_state({"Type": "Fail", "Error": "Declined", "CausePath": "$.why"}, {"why": "no"})

    assert (tested.status, tested.error, tested.cause) == ("FAILED", "Declined", "no")
    assert tested.output is tested.next_state is None


def test_a_mocked_result_goes_on_its_way_out():
    state = task(ResultSelector={"id.$": "$.number"}, ResultPath="$.charge", OutputPath="$.charge")

    assert test_state(state, {}, mock=Mock(result={"number": 5})).output == {"id": 5}


def test_a_mocked_result_is_states_result_in_jsonata():
    state = jsonata(task(Output="{% $states.result.number + $states.input %}"))

    assert test_state(state, 2, mock=Mock(result={"number": 5})).output == 7


def test_a_task_can_be_done_by_the_caller():
    asked = []

    def work(resource: str, effective_input: Any) -> Any:
        asked.append((resource, effective_input))
        return "done"

    tested = test_state(task(InputPath="$.order"), {"order": 3}, task=work)

    assert tested.output == "done"
    assert asked == [("charge", 3)]


def test_an_error_of_the_callers_work_is_the_states():
    def work(resource: str, effective_input: Any) -> Any:
        raise asl.StateError("Declined", "card expired")

    catch = [{"ErrorEquals": ["Declined"], "Next": "Apologize", "ResultPath": "$.error"}]
    tested = test_state(task(Catch=catch), {"a": 1}, task=work)

    assert (tested.status, tested.next_state) == ("CAUGHT_ERROR", "Apologize")
    assert tested.output == {"a": 1, "error": {"Error": "Declined", "Cause": "card expired"}}
    assert (tested.error, tested.cause) == ("Declined", "card expired")


def test_an_error_that_nothing_takes_fails_the_state():
    tested = test_state(task(), {}, mock=error())

    assert (tested.status, tested.error, tested.cause) == ("FAILED", "Busy", "try later")


RETRIED = task(
    Retry=[
        {"ErrorEquals": ["Odd"]},
        {"ErrorEquals": ["Busy"], "IntervalSeconds": 3, "MaxAttempts": 2, "BackoffRate": 2.0},
    ],
    Catch=[
        {"ErrorEquals": ["Odd"], "Next": "Odd"},
        {"ErrorEquals": ["States.ALL"], "Next": "GiveUp"},
    ],
)


@pytest.mark.parametrize(
    ("retries", "status", "details"),
    [
        (None, "RETRIABLE", {"retryIndex": 1, "retryBackoffIntervalSeconds": 3}),
        (1, "RETRIABLE", {"retryIndex": 1, "retryBackoffIntervalSeconds": 6}),
        (2, "CAUGHT_ERROR", {"catchIndex": 1}),  # exhausted
    ],
)
def test_retries_are_counted_against_the_retrier(retries, status, details):
    tested = test_state(
        RETRIED,
        {},
        mock=error(),
        configuration=StateConfiguration(retrier_retry_count=retries),
        inspection_level="TRACE",
    )

    assert tested.status == status
    assert tested.inspection_data["errorDetails"] == details
    assert tested.next_state == ("GiveUp" if status == "CAUGHT_ERROR" else None)


def test_retries_are_counted_by_the_context_too():
    tested = test_state(RETRIED, {}, mock=error(), context={"State": {"RetryCount": 2}})

    assert tested.status == "CAUGHT_ERROR"


def test_a_runtime_error_is_never_caught():
    state = task(InputPath="$.none", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "X"}])
    tested = test_state(state, {"a": 1}, mock=Mock(result=1), inspection_level="DEBUG")

    assert (tested.status, tested.error) == ("FAILED", "States.Runtime")
    assert tested.inspection_data == {"input": {"a": 1}}


def test_an_evaluation_that_fails_can_be_caught_in_jsonata():
    state = jsonata(
        task(
            Arguments="{% $states.input.none %}",
            Catch=[{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "X"}],
        )
    )

    assert test_state(state, {}, mock=Mock(result=1)).status == "CAUGHT_ERROR"


def test_a_catcher_that_fails_itself_fails_the_state():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "X", "Output": "{% $states.input.none %}"}]
    tested = test_state(jsonata(task(Catch=catch)), {}, mock=error())

    assert (tested.status, tested.error) == ("FAILED", "States.QueryEvaluationError")


def test_an_output_that_is_too_large_is_not_caught():
    state = {"Type": "Pass", "End": True}
    tested = test_state(state, "x" * 100, limits=asl.Limits(payload_bytes=50))

    assert (tested.status, tested.error) == ("FAILED", "States.DataLimitExceeded")


def test_a_result_that_is_too_large_can_be_caught():
    state = task(Catch=[{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "X"}])
    limits = asl.Limits(payload_bytes=400)
    tested = test_state(state, {}, task=lambda resource, asked: "x" * 500, limits=limits)

    assert (tested.status, tested.next_state) == ("CAUGHT_ERROR", "X")


def test_a_choice_without_a_way_fails():
    state = {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "A"}]}

    tested = test_state(state, {"a": 1})

    assert tested.error == "States.Runtime"
    assert "does not point to a next state" in (tested.cause or "")


# -- variables, context, time and chance -------------------------------------------------


def test_variables_are_given_and_assigned():
    state = jsonata(
        {
            "Type": "Pass",
            "Output": "{% $total %}",
            "Assign": {"total": "{% $total + 1 %}"},
            "End": True,
        }
    )
    given = {"total": 1, "other": 2}
    tested = test_state(state, {}, variables=given, inspection_level="DEBUG")

    assert tested.output == 1
    assert tested.inspection_data["variables"] == {"total": 2, "other": 2}
    assert given == {"total": 1, "other": 2}


def test_the_context_is_that_of_an_express_execution():
    state = task(Parameters={"all.$": "$$"})
    seen: list[Any] = []
    test_state(
        state,
        {"a": 1},
        task=lambda resource, asked: seen.append(asked["all"]),
        role_arn="arn:aws:iam::123456789012:role/Me",
        at=AT,
        seed="fixed",
    )
    [context] = seen

    execution, machine = context["Execution"], context["StateMachine"]
    assert execution["Id"].split(":")[5:] == ["express", machine["Name"], execution["Name"]]
    assert execution["Input"] == {"a": 1}
    assert execution["RoleArn"] == "arn:aws:iam::123456789012:role/Me"
    assert execution["StartTime"] == "2026-01-01T12:00:00.000Z"
    assert context["State"] == {
        "Name": "StateName",
        "EnteredTime": "2026-01-01T12:00:00.000Z",
        "RetryCount": 0,
    }
    assert context["Task"]["Token"]
    assert "Map" not in context


def test_a_given_context_is_the_whole_context():
    given = {"Execution": {"Name": "mine"}}

    state = {"Type": "Pass", "Parameters": {"all.$": "$$"}, "End": True}

    assert test_state(state, {}, context=given).output == {"all": given}


def test_the_seed_fixes_the_chance():
    state = {"Type": "Pass", "Parameters": {"id.$": "States.UUID()"}, "End": True}

    once = test_state(state, {}, seed="s")
    assert once == test_state(state, {}, seed="s")
    assert once != test_state(state, {}, seed="t")


def test_an_inspection_shows_the_very_draw_of_the_output():
    state = task(ResultSelector={"id.$": "States.UUID()"})
    tested = test_state(state, {}, mock=Mock(result=1), inspection_level="DEBUG")

    assert tested.inspection_data["afterResultSelector"] == tested.output


def test_the_time_is_the_one_given():
    state = jsonata({"Type": "Pass", "Output": "{% $now() %}", "End": True})

    assert test_state(state, {}, at=AT).output.startswith("2026-01-01T12:00:00")
    with pytest.raises(asl.InvalidValue, match="aware"):
        test_state(state, {}, at=AT.replace(tzinfo=None))


# -- which state -------------------------------------------------------------------------

MACHINE = {
    "StartAt": "Fan",
    "States": {
        "Fan": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "Each",
                    "States": {"Each": map_(ItemsPath="$.items")},
                },
                {"StartAt": "Note", "States": {"Note": {"Type": "Pass", "End": True}}},
            ],
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
    },
}


@pytest.mark.parametrize("definition", [MACHINE, asl.parse(MACHINE)], ids=["document", "parsed"])
def test_a_state_of_a_machine_is_named_at_any_depth(definition):
    assert test_state(definition, 1, state_name="Done").output == 1
    assert test_state(definition, 2, state_name="Note").output == 2
    assert test_state(definition, 3, state_name="Pack").output == 3


def test_a_state_inside_of_a_map_has_an_item():
    machine = {"StartAt": "Each", "States": {"Each": map_()}}
    pack = machine["States"]["Each"]["ItemProcessor"]["States"]["Pack"]
    pack["Parameters"] = {"item.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index"}

    assert test_state(machine, "x", state_name="Pack").output == {"item": "x", "index": 0}


def test_a_state_alone_may_lead_anywhere_and_is_judged_at_its_own_places():
    with pytest.raises(asl.InvalidDefinition) as refused:
        test_state({"Type": "Pass", "Next": "Anywhere", "ResultPath": 3})

    assert [problem.pointer for problem in refused.value.problems] == ["/ResultPath"]


def test_text_has_lines():
    with pytest.raises(asl.InvalidDefinition, match="line 2, column 9"):
        test_state('{"Type": "Pass",\n"Next": 1}')


# -- inspections -------------------------------------------------------------------------

IN = {"in": {"a": 1}, "b": 2}


@pytest.mark.parametrize(
    ("state", "mock", "expected"),
    [
        pytest.param(
            {"Type": "Pass", "InputPath": "$.in", "Parameters": {"n": 1}, "End": True},
            None,
            {
                "afterInputPath": {"a": 1},
                "afterParameters": {"n": 1},
                "afterResultSelector": {"n": 1},
                "afterResultPath": {"n": 1},
            },
            id="Pass",
        ),
        pytest.param(
            {"Type": "Pass", "InputPath": "$.in", "Result": 7, "ResultPath": "$.r", "End": True},
            None,
            # A Result makes the input's way pointless, so none of it is shown.
            {"result": 7, "afterResultSelector": 7, "afterResultPath": {**IN, "r": 7}},
            id="Pass with Result",
        ),
        pytest.param({"Type": "Succeed", "InputPath": "$.b"}, None, {"afterInputPath": 2}),
        pytest.param({"Type": "Fail", "Error": "E"}, None, {"afterInputPath": IN}),
        pytest.param(
            {"Type": "Wait", "Seconds": 1, "InputPath": "$.b", "End": True},
            None,
            {"afterInputPath": 2},
        ),
        pytest.param(
            {
                "Type": "Choice",
                "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "A"}],
                "InputPath": "$.in",
            },
            None,
            {"afterInputPath": {"a": 1}},
        ),
        pytest.param(
            task(Parameters={"n.$": "$.b"}, ResultSelector={"r.$": "$"}, ResultPath="$.r"),
            Mock(result=5),
            {
                "afterInputPath": IN,
                "afterParameters": {"n": 2},
                "result": 5,
                "afterResultSelector": {"r": 5},
                "afterResultPath": {**IN, "r": {"r": 5}},
            },
            id="Task",
        ),
        pytest.param(
            task(), error(), {"afterInputPath": IN, "afterParameters": IN}, id="Task with error"
        ),
        pytest.param(
            jsonata(task(Arguments={"n": "{% $states.input.b %}"})),
            Mock(result=5),
            {"afterArguments": {"n": 2}, "result": 5},
            id="Task in JSONata",
        ),
        pytest.param(jsonata({"Type": "Pass", "End": True}), None, {}, id="Pass in JSONata"),
        pytest.param(
            parallel(InputPath="$.in", ResultPath="$.r"),
            Mock(result=[1, 2]),
            {"afterResultSelector": [1, 2], "afterResultPath": {**IN, "r": [1, 2]}},
            id="Parallel",
        ),
    ],
)
def test_an_inspection_shows_the_values_on_the_way(state, mock, expected):
    assert inspected(state, IN, mock=mock) == {"input": IN, **expected}


def test_an_inspection_ends_where_the_state_fails():
    state = task(ResultPath="$.r", OutputPath="$.none")

    assert inspected(state, {}, mock=Mock(result=1)) == {
        "input": {},
        "afterInputPath": {},
        "afterParameters": {},
        "result": 1,
        "afterResultSelector": 1,
        "afterResultPath": {"r": 1},
    }


ITEMS = {"items": [1, 2, 3], "most": 2}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (
            map_(ItemsPath="$.items", MaxConcurrencyPath="$.most"),
            {"afterItemsPath": [1, 2, 3], "maxConcurrency": 2},
        ),
        (
            map_(
                ItemsPath="$.items",
                ItemSelector={"n.$": "$$.Map.Item.Value", "of.$": "$.most"},
                ToleratedFailurePercentage=50,
            ),
            {
                "afterItemsPath": [1, 2, 3],
                "afterItemSelector": [{"n": n, "of": 2} for n in (1, 2, 3)],
                "maxConcurrency": 0,
                "toleratedFailurePercentage": 50,
            },
        ),
        (
            distributed(
                ItemsPath="$.items",
                ItemBatcher={"MaxItemsPerBatchPath": "$.most", "BatchInput": {"x": 1}},
                ToleratedFailureCountPath="$.most",
            ),
            {
                "afterItemsPath": [1, 2, 3],
                "afterItemBatcher": [
                    {"BatchInput": {"x": 1}, "Items": [1, 2]},
                    {"BatchInput": {"x": 1}, "Items": [3]},
                ],
                "maxConcurrency": 0,
                "toleratedFailureCount": 2,
            },
        ),
    ],
)
def test_an_inspection_of_a_map_shows_what_its_iterations_get(state, expected):
    result = Mock(result=[10, 20, 30])

    assert inspected(state, ITEMS, mock=result) == {
        "input": ITEMS,
        "afterInputPath": ITEMS,
        **expected,
        "afterResultSelector": [10, 20, 30],
        "afterResultPath": [10, 20, 30],
    }


def test_an_inspection_of_a_map_in_jsonata():
    state = jsonata(
        map_(
            Items="{% $states.input.items %}",
            ItemSelector="{% $states.context.Map.Item.Value * 2 %}",
            MaxConcurrency="{% $states.input.most %}",
        )
    )

    assert inspected(state, ITEMS, mock=Mock(result=[])) == {
        "input": ITEMS,
        "afterItemSelector": [2, 4, 6],
        "maxConcurrency": 2,
    }


def test_a_path_into_the_context_is_named_with_one_dollar():
    tested = test_state(map_(ItemsPath="$$"), [], mock=Mock(result=[]))

    assert tested.cause == 'Reference path "$" must point to array.'


READ = distributed(
    ItemReader={
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 2},
        "Parameters": {"Bucket": "b", "Key.$": "$.key"},
    },
    ItemSelector={"name.$": "$$.Map.Item.Value.name"},
)


def test_a_reader_reads_the_data_that_is_given():
    shown = inspected(
        READ,
        {"key": "k"},
        mock=Mock(result=[1, 2]),
        configuration=StateConfiguration(map_item_reader_data="name\nann\nbob\ncyd\n"),
    )

    assert shown["afterItemSelector"] == [{"name": "ann"}, {"name": "bob"}]


def test_without_data_a_readers_items_are_not_looked_at():
    assert "afterItemSelector" not in inspected(READ, {"key": "k"}, mock=Mock(result=[1, 2]))


def test_data_that_can_t_be_read_fails_the_state():
    tested = test_state(
        READ,
        {"key": "k"},
        mock=Mock(result=[]),
        configuration=StateConfiguration(map_item_reader_data="name,name\n"),
    )

    assert (tested.status, tested.error) == ("FAILED", "States.ItemReaderFailed")


# -- a Map's failures --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tolerated", "failed", "status"),
    [
        ({}, 3, "SUCCEEDED"),  # recorded on AWS: what is not said is not exceeded
        ({"ToleratedFailureCount": 1}, 1, "SUCCEEDED"),
        ({"ToleratedFailureCount": 1}, 2, "FAILED"),
        ({"ToleratedFailurePercentage": 50}, 1, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 50}, 2, "FAILED"),
    ],
)
def test_failed_iterations_are_held_against_what_is_tolerated(tolerated, failed, status):
    tested = test_state(
        distributed(ItemsPath="$.items", **tolerated),
        ITEMS,
        mock=Mock(result=[0, 0, 1]),
        configuration=StateConfiguration(map_iteration_failure_count=failed),
    )

    assert tested.status == status
    if status == "FAILED":
        assert tested.error == "States.ExceedToleratedFailureThreshold"
        assert tested.cause == "The specified tolerated failure threshold was exceeded"


def test_a_mocked_error_of_a_map_comes_before_its_threshold():
    tested = test_state(
        distributed(ItemsPath="$.items", ToleratedFailureCount=0),
        ITEMS,
        mock=error(),
        configuration=StateConfiguration(
            map_iteration_failure_count=1, error_caused_by_state="Pack"
        ),
    )

    assert tested.error == "Busy"


# -- refused calls -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "call", "message"),
    [
        ({"Type": "Pass", "End": True}, {"mock": Mock(result=1)}, "State type 'Pass' is not supp"),
        ({"Type": "Succeed"}, {"mock": error()}, "State type 'Succeed' is not supported when a m"),
        (task(), {}, "RoleArn must be specified when testing a Task state: "),
        (map_(), {}, "TestState API does not support Map or Parallel states. Supported state"),
        (parallel(), {"task": lambda *_: 1}, "TestState API does not support Map or Parallel"),
        (
            map_(),
            {"configuration": StateConfiguration(map_iteration_failure_count=0)},
            "TestState does not support MapIterationFailureCount when a mock is not specified.",
        ),
        (
            {"Type": "Pass", "End": True},
            {"configuration": StateConfiguration(retrier_retry_count=0)},
            "TestState does not support RetrierRetryCount when a mock is not specified.",
        ),
        (
            task(),
            {
                "mock": error(),
                "configuration": StateConfiguration(retrier_retry_count=-1),
            },
            "RetrierRetryCount must not be negative, found -1",
        ),
        (
            task(),
            {
                "mock": error(),
                "configuration": StateConfiguration(map_iteration_failure_count=1),
            },
            "MapIterationFailureCount belongs to a Map, this is a Task",
        ),
        (
            map_(),
            {
                "mock": error(),
                "configuration": StateConfiguration(map_item_reader_data="[]"),
            },
            "MapItemReaderData belongs to a Map with an ItemReader",
        ),
        (
            map_(),
            {
                "mock": error(),
                "configuration": StateConfiguration(error_caused_by_state="Elsewhere"),
            },
            "State not found in definition: no state 'Elsewhere' is in this one",
        ),
        (
            map_(),
            {
                "mock": Mock(result=[1]),
                "configuration": StateConfiguration(map_iteration_failure_count=2),
            },
            "Map iteration failure count must be less than or equal to the number of Map iter",
        ),
        (
            task(),
            {"mock": error(), "reveal_secrets": True},
            "TestState does not support RevealSecrets when a mock is specified.",
        ),
        (task(), {"mock": Mock()}, "A test mock should have one of the following fields"),
        (
            task(),
            {"mock": Mock(result=1, error_output=asl.ErrorOutput())},
            "A test mock should have only one of the following fields: [result, errorOutput].",
        ),
        (task(), {"mock": Mock(result={1, 2})}, "Mocked result must be valid JSON: "),
        (
            task(),
            {"mock": Mock(result="x" * 300_000)},
            "Mocked result must have at most 262144 bytes",
        ),
        (map_(), {"mock": Mock(result={})}, "Mocked result must be an array."),
        (parallel(), {"mock": Mock(result={})}, "Mocked result must be an array."),
        (
            parallel(),
            {"mock": Mock(result=[1])},
            "Mocked result must contain the same number of items as number of Parallel branches.",
        ),
        (
            distributed(
                ResultWriter={
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Parameters": {"Bucket": "b"},
                }
            ),
            {"mock": Mock(result=[])},
            "Mocked result must be a JSON object.",
        ),
        (
            task(),
            {"mock": Mock(result=1, field_validation_mode="LAX")},
            "field_validation_mode must be one of STRICT, PRESENT, NONE, found 'LAX'",
        ),
        ({"Type": "Succeed"}, {"inspection_level": "ALL"}, "inspection_level must be one of INFO"),
        (MACHINE, {}, "state_name must say which state"),
        (MACHINE, {"state_name": "Nobody"}, "State not found in definition"),
        (MACHINE, {"state_name": ""}, "State not found in definition"),
        (asl.parse(MACHINE), {}, "state_name must say which state"),
    ],
)
def test_a_call_that_asks_for_no_test_is_refused(state, call, message):
    with pytest.raises(asl.InvalidTest) as refused:
        test_state(state, [1], **call)

    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"Map": {}}, "'Map' field is not supported when mocking a Context object"),
        ({"Pokedex": {}}, "Field 'Pokedex' is not allowed"),
        ({"Execution": {"Owner": "me"}}, "Field 'Owner' is not allowed"),
        ({"Execution": {"Name": 1}}, "Execution.Name must be a string"),
        ({"State": {"RetryCount": "1"}}, "State.RetryCount must be a number"),
        ({"State": {"RetryCount": True}}, "State.RetryCount must be a number"),
        ({"Task": "token"}, "Task must be an object"),
    ],
)
def test_a_context_that_no_execution_has_is_refused(context, message):
    with pytest.raises(asl.InvalidTest) as refused:
        test_state(task(), {}, mock=error(), context=context)

    assert str(refused.value) == f"Invalid Context object provided: {message}"


def test_what_is_no_json_is_refused():
    with pytest.raises(asl.InvalidValue, match="input"):
        test_state({"Type": "Succeed"}, {1, 2})
    with pytest.raises(asl.InvalidValue, match="variables"):
        test_state({"Type": "Succeed"}, {}, variables={"a": (1,)})


def test_a_mock_may_come_as_text():
    assert test_state(task(), {}, mock=Mock.from_text('{"a": [1]}')).output == {"a": [1]}
    with pytest.raises(asl.InvalidTest, match="Mocked result must be valid JSON"):
        Mock.from_text("not JSON")


# -- mocks against the models of AWS's services ------------------------------------------


def service(resource: str, result: Any, mode: str = "STRICT", **fields: Any) -> asl.StateTest:
    state = task(Resource=f"arn:aws:states:::{resource}", **fields)
    mock = Mock(result=result, field_validation_mode=mode)
    return test_state(state, {}, mock=mock)


@pytest.mark.parametrize(
    ("resource", "result", "problem"),
    [
        ("sns:publish", {"MessageId": 1}, "Field 'MessageId' must be a string"),
        ("ecs:runTask", {"tasks": 1, "Tasks": 1}, "Field 'Tasks' must be an array"),
        (
            "ecs:runTask",
            {"Tasks": [{"Containers": [{"ExitCode": "0"}]}]},
            "Field 'ExitCode' must be a number",
        ),
        ("dynamodb:getItem", {"Item": {"id": {"S": 1}}}, "Field 'S' must be a string"),
        ("dynamodb:getItem", {"Item": {"id": "x"}}, "Field 'id' must be an object"),
        ("dynamodb:getItem", {"Item": []}, "Field 'Item' must be an object"),
        ("dynamodb:getItem", "x", "The result must be an object"),
        ("aws-sdk:sqs:getQueueUrl", {"QueueUrl": None}, "Field 'QueueUrl' must be a string"),
        # AWS's SDK for Java names some services, operations and fields in its own way.
        ("aws-sdk:cloudwatchlogs:describeLogGroups", {"LogGroups": {}}, "Field 'LogGroups' must"),
        (
            "aws-sdk:rds:describeDBInstances",
            {"DbInstances": [{"MultiAZ": 1}]},
            "Field 'MultiAZ' must be a boolean",
        ),
        (
            "aws-sdk:kms:decrypt",
            {"EncryptionAlgorithm": "ROT13"},
            "Field 'EncryptionAlgorithm' is not an expected value",
        ),
        (
            "aws-sdk:kms:decrypt",
            {"KeyId": ""},
            "Field 'KeyId' is smaller than the minimum length",
        ),
        ("aws-sdk:kms:decrypt", {"KeyId": "x" * 3000}, "Field 'KeyId' exceeds the maximum length"),
        (
            "aws-sdk:lambda:getFunctionConfiguration",
            {"Timeout": 0},
            "Field 'Timeout' is less than the minimum value",
        ),
        (
            "aws-sdk:lambda:getFunctionConfiguration",
            {"EphemeralStorage": {"Size": 10_000_000}},
            "Field 'Size' exceeds the maximum value",
        ),
        ("aws-sdk:lambda:invoke", {"Payload": {}}, "Field 'Payload' must be a string"),
    ],
)
@pytest.mark.parametrize("mode", ["STRICT", "PRESENT"])
def test_a_mock_is_held_against_the_services_model(resource, result, problem, mode):
    with pytest.raises(asl.InvalidTest) as refused:
        service(resource, result, mode)
    assert str(refused.value).startswith(f"Mock result schema validation error: {problem}")

    assert service(resource, result, "NONE").output == result


@pytest.mark.parametrize(
    ("resource", "result"),
    [
        ("lambda:invoke", {"Payload": {"any": "thing"}, "StatusCode": 200, "SdkHttpMetadata": 1}),
        ("bedrock:invokeModel", {"Body": {"any": "thing"}, "ContentType": "application/json"}),
        ("sqs:sendMessage.waitForTaskToken", {"MessageId": 1}),  # whoever has the token answers
        ("apigateway:invoke", 5),
        ("http:invoke", 5),
        ("batch:submitJob.sync", {"Jobs": []}),
        ("codebuild:stopBuild.sync", {"any": "thing"}),  # nothing is known to be asked
        ("aws-sdk:nobody:knows", 5),
        ("aws-sdk:s3:nobodyKnows", 5),
        ("aws-sdk:s3:deleteBucket", 5),  # answers nothing
        ("dynamodb:putItem", {}),
    ],
)
def test_what_no_model_speaks_of_may_be_anything(resource, result):
    assert service(resource, result).output == result


def test_strict_asks_for_required_fields():
    result = {"ExecutionArn": "arn"}

    with pytest.raises(asl.InvalidTest, match="Required field 'StartDate' is missing"):
        service("states:startExecution", result)
    assert service("states:startExecution", result, "PRESENT").output == result


@pytest.mark.parametrize(
    ("pattern", "refused"), [(".sync", "Field 'Output' must be a string"), (".sync:2", None)]
)
def test_a_job_that_is_waited_for_answers_as_its_description(pattern, refused):
    result = {"Output": {"already": "parsed"}}
    if refused is None:
        assert service(f"states:startExecution{pattern}", result, "PRESENT").output == result
        return
    with pytest.raises(asl.InvalidTest, match=refused):
        service(f"states:startExecution{pattern}", result, "PRESENT")


def test_without_botocore_a_note_says_what_was_not_checked(monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore.loaders", None)

    tested = service("sns:publish", {"MessageId": 1})

    assert tested.status == "SUCCEEDED"
    assert tested.notes == (
        "The mocked result was not held against the API model of sns:Publish:"
        " botocore is not installed.",
    )
    assert service("sns:publish", {"MessageId": 1}, "NONE").notes == ()


def test_a_line_separator_inside_of_a_text_ends_no_line_of_the_readers_data():
    state = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "Parameters": {"Bucket": "b", "Key": "k"},
            "ReaderConfig": {"InputType": "JSONL"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "P",
            "States": {"P": {"Type": "Pass", "End": True}},
        },
        "End": True,
    }
    tried = asl.test_state(
        state,
        {},
        mock=asl.Mock(result=[1, 2]),
        configuration=asl.StateConfiguration(map_item_reader_data='"a\u2028b"\n"c"\n'),
    )
    assert tried.status == "SUCCEEDED"
    assert tried.output == [1, 2]
