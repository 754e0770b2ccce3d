"""What JSONata states do when they run."""

import copy
import time
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_workflows import asl
from django_workflows.asl import values
from django_workflows.asl.expressions.names import JsonataLimits
from tests.asl.running import EPOCH, Run, machine, pass_, task

FAILED = "States.QueryEvaluationError"
CATCH_ALL = {"ErrorEquals": ["States.ALL"], "Next": "Caught"}


def jsonata(*states, **fields):
    return machine(*states, QueryLanguage="JSONata", **fields)


def run(*states, input=None, **start):
    return Run(jsonata(*states), input, **start)


def evaluated(expression, input=None, **start):
    """What *expression* yields as the Output of a Pass state."""
    return run(pass_(Output=f"{{% {expression} %}}"), input=input, **start).output


def failure(expression, input=None, **start):
    """Why *expression* fails, without what AWS puts before it."""
    failed = run(pass_(Output=f"{{% {expression} %}}"), input=input, **start)
    error, cause = failed.error
    assert error == FAILED
    opening = (
        "An error occurred while executing the state 'S1' (entered at the event id #2). The"
        f" JSONata expression '{expression}' specified for the field 'Output' "
    )
    assert cause.startswith(opening)
    return cause.removeprefix(opening)


# --- What goes in and out ---


def test_arguments_are_the_task_s_input_and_output_sees_its_result():
    one = run(
        task(
            Arguments={"id": "{% $states.input.order.id %}", "kind": "order"},
            Output={"was": "{% $states.input.order.id %}", "is": "{% $states.result.state %}"},
        ),
        input={"order": {"id": 17, "secret": True}},
    )
    assert one.tasks[0].input == {"id": 17, "kind": "order"}

    one.complete(output={"state": "paid", "rest": 1})
    assert one.output == {"was": 17, "is": "paid"}


def test_without_arguments_and_output_the_input_goes_in_and_the_result_comes_out():
    one = run(task(), input=[1])
    assert one.tasks[0].input == [1]
    assert one.complete(output="done").output == "done"


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}, [None], {"a.$": "$.b"}])
def test_arguments_and_output_may_be_any_json(value):
    one = run(task(Arguments=value, Output=value))

    assert one.tasks[0].input == value
    assert one.complete(output=1).output == value


def test_expressions_are_evaluated_at_any_depth_and_keys_never():
    template = {"{% 1 %}": [{"a": ["{% $states.input %}", 2]}, "{% [$states.input] %}"]}

    assert run(pass_(Output=template), input=1).output == {"{% 1 %}": [{"a": [1, 2]}, [1]]}


@pytest.mark.parametrize("text", [" {% 1 %} ", "\n{% 1 %}\n", "a {% 1 %} b", "$.a", "{ % 1 % }"])
def test_text_with_anything_around_the_braces_is_plain_text(text):
    assert run(pass_(Output=text)).output == text


@pytest.mark.parametrize(
    "text", ["{%1%}", "{%\n\t1 \n%}", "{% 1 /* one */ %}", "{% ($a:=1; $a) %}"]
)
def test_blanks_inside_of_the_braces_mean_nothing(text):
    assert run(pass_(Output=text)).output == 1


def test_a_member_that_is_undefined_inside_of_an_expression_is_left_out():
    assert evaluated("{'a': $states.input.missing, 'b': 1}") == {"b": 1}


def test_succeed_and_wait_have_an_output_too():
    wait = {"Type": "Wait", "Seconds": 5, "Output": "{% $states.input.a %}"}
    one = run(wait, {"Type": "Succeed", "Output": {"b": "{% $states.input %}"}}, input={"a": 1})

    assert one.wake(after=5).output == {"b": 1}


def test_the_context_is_in_states():
    assert evaluated("$states.context.State.Name") == "S1"
    assert evaluated("$states.context.Execution.Input.a", {"a": 1}) == 1
    assert evaluated("$states.context.who", ctx={"who": "me"}) == "me"


def test_states_may_be_taken_whole():
    assert evaluated("$keys($states)") == ["input", "context"]
    assert evaluated("($all := $states; $all.input)", {"a": 1}) == {"a": 1}


def test_a_task_token_is_in_the_context_while_its_arguments_are_made():
    one = run(task(Resource="work.waitForTaskToken", Arguments="{% $states.context.Task.Token %}"))

    assert asl.read_token(one.tasks[0].input)[1] == one.tasks[0].seq


def test_a_jsonpath_machine_may_hold_jsonata_states():
    one = Run(
        machine(
            pass_(Parameters={"n.$": "$.a"}, Assign={"v.$": "$.n"}),
            pass_(QueryLanguage="JSONata", Output={"both": "{% [$states.input.n, $v] %}"}),
            pass_(OutputPath="$.both[1]"),
        ),
        {"a": 3},
    )

    assert one.output == 3


# --- Variables ---


def test_assign_and_output_see_the_variables_as_they_were():
    one = run(
        pass_(Assign={"a": 1, "b": 2}),
        pass_(Assign={"a": "{% $b %}", "b": "{% $a %}"}, Output="{% [$a, $b] %}"),
        pass_(Output={"before": "{% $states.input %}", "after": "{% [$a, $b] %}"}),
    )

    assert one.output == {"before": [1, 2], "after": [2, 1]}


def test_a_task_s_assign_sees_its_result():
    one = run(
        task(Assign={"all": "{% $states.result.n + $states.input.n %}"}),
        pass_(Output="{% $all %}"),
        input={"n": 1},
    )

    assert one.complete(output={"n": 2}).output == 3


def test_what_an_expression_binds_stays_inside_of_it():
    one = run(pass_(Output={"a": "{% ($x := 1; $x) %}", "b": "{% $exists($x) %}"}))

    assert one.output == {"a": 1, "b": False}


def test_a_list_of_one_in_a_variable_stays_a_list():
    assert run(pass_(Assign={"x": [5]}), pass_(Output="{% $x %}")).output == [5]


def test_branches_see_the_variables_around_them():
    fan = {"Type": "Parallel", "Branches": [machine(pass_("In", Output="{% $x %}"))]}

    assert run(pass_(Assign={"x": 1}), fan).output == [1]


# --- Choice ---


def choose(*rules, input=None, **fields):
    choice = {"Type": "Choice", "Choices": [{"Next": "Yes", **rule} for rule in rules]}
    return run(
        {**choice, "Default": "No", **fields},
        {"Name": "Yes", "Type": "Succeed"},
        {"Name": "No", "Type": "Succeed"},
        input=input,
    )


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        (True, "Yes"),
        (False, "No"),
        ("{% $states.input.n > 1 %}", "Yes"),
        ("{% $states.input.n > 2 %}", "No"),
        ("{% $exists($states.input.missing) %}", "No"),
        ("{% $not($states.input.n = 2) or $states.context.State.Name = 'S1' %}", "Yes"),
    ],
)
def test_a_condition_decides(condition, taken):
    assert choose({"Condition": condition}, input={"n": 2}).path[-1] == taken


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("1", "number' for value: 1"),
        ("'true'", 'string\' for value: "true"'),
        ("null", "null' for value: null"),
    ],
)
def test_a_condition_that_is_no_boolean_fails(value, found):
    error, cause = choose({"Condition": f"{{% {value} %}}"}).error

    assert error == FAILED
    assert cause.endswith(
        f"returned an unexpected result type. Expected 'boolean', but was '{found}"
    )


def test_the_rule_that_is_taken_says_what_comes_out_and_is_assigned():
    rule = {"Condition": True, "Output": "{% $states.input & '!' %}", "Assign": {"x": "rule"}}
    one = choose(rule, Output="state", Assign={"x": "state"}, input="hi")

    assert one.output == "hi!"
    assert one.events(asl.StateExited)[0].variables == {"x": "rule"}


def test_the_default_goes_with_the_state_s_own():
    one = choose({"Condition": False, "Output": 1}, Output="state", Assign={"x": "state"})

    assert one.output == "state"
    assert one.events(asl.StateExited)[0].variables == {"x": "state"}


def test_conditions_after_the_first_that_is_true_are_not_evaluated():
    assert choose({"Condition": True}, {"Condition": "{% $error('late') %}"}).path[-1] == "Yes"


# --- Wait and Fail ---


def wait_for(**fields):
    return run({"Type": "Wait", **fields}, input={"n": 7, "t": "2026-01-01T00:01:00Z"})


def test_a_wait_may_be_computed():
    assert wait_for(Seconds="{% $states.input.n * 2 %}").due_in == 14
    assert wait_for(Timestamp="{% $states.input.t %}").due_in == 60
    assert wait_for(Seconds="{% 0 %}").status is asl.Status.SUCCEEDED


@pytest.mark.parametrize(
    ("field", "value", "cause"),
    [
        ("Seconds", "'5'", "Expected 'number', but was 'string' for value: \"5\""),
        ("Seconds", "1.5", "returned 1.5: expected an integer between 0 and"),
        ("Seconds", "-1", "returned -1: expected an integer between 0 and"),
        ("Seconds", "1e300", "expected an integer between 0 and"),
        ("Timestamp", "5", "Expected 'string', but was 'number' for value: 5"),
        (
            "Timestamp",
            "'2026-01-01'",
            "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time"
            " format string: 2026-01-01",
        ),
    ],
)
def test_a_wait_that_comes_to_nothing_fails(field, value, cause):
    one = wait_for(**{field: f"{{% {value} %}}"})

    assert one.error[0] == FAILED
    assert cause in one.error[1]
    assert one.events(asl.EvaluationFailed)[0].location == field


def test_fail_may_be_computed():
    one = run(
        {
            "Type": "Fail",
            "Error": "{% $states.input.kind %}",
            "Cause": "{% 'no ' & $states.input.what %}",
        },
        input={"kind": "NoStock", "what": "tea"},
    )

    assert one.error == ("NoStock", "no tea")


def test_fail_with_a_cause_that_is_no_text_fails_otherwise():
    one = run({"Type": "Fail", "Error": "Mine", "Cause": "{% {'a': 1} %}"})

    assert one.error[0] == FAILED
    assert one.error[1].endswith("Expected 'string', but was 'object' for value: {\"a\":1}")


# --- Numbers of tasks and maps ---


def test_timeouts_of_a_task_may_be_computed():
    one = run(task(TimeoutSeconds="{% $states.input * 2 %}", HeartbeatSeconds="{% 3 %}"), input=10)

    assert one.due_in == 3
    assert (one.tasks[0].deadline - one.at).total_seconds() == 20


@pytest.mark.parametrize(
    ("fields", "location", "cause"),
    [
        ({"TimeoutSeconds": "{% 'a' %}"}, "TimeoutSeconds", "Expected 'number', but was 'string'"),
        ({"TimeoutSeconds": "{% 0 %}"}, "TimeoutSeconds", "expected an integer between 1 and"),
        ({"HeartbeatSeconds": "{% true %}"}, "HeartbeatSeconds", "but was 'boolean'"),
        ({"Credentials": {"RoleArn": "{% $no %}"}}, "Credentials/RoleArn", "(undefined)"),
        ({"Arguments": {"a": [1, {"b": "{% $no %}"}]}}, "Arguments/a[1]/b", "(undefined)"),
    ],
)
def test_a_wrong_value_of_a_task_fails_at_its_place(fields, location, cause):
    one = run(task(**fields))

    assert one.error[0] == FAILED
    assert cause in one.error[1]
    [failed] = one.events(asl.EvaluationFailed)
    assert (failed.location, failed.error, failed.state) == (location, FAILED, "S1")


ITEM = machine(pass_("Item"))


def each(**fields):
    return {"Type": "Map", "ItemProcessor": ITEM, **fields}


@pytest.mark.parametrize(
    ("items", "output"),
    [
        ("{% $states.input.list %}", [1, 2]),
        ("{% [1..3] %}", [1, 2, 3]),
        ([1, "{% $states.input.list %}", {"a": "{% 2 %}"}], [1, [1, 2], {"a": 2}]),
        ([], []),
    ],
)
def test_items_are_computed(items, output):
    assert run(each(Items=items), input={"list": [1, 2]}).output == output


def test_without_items_the_input_is_the_list():
    assert run(each(), input=[1]).output == [1]

    error, cause = run(each(), input={"a": 1}).error
    assert error == FAILED
    assert cause.endswith('Map state input must be an array but was: {"a":1}')


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ("{% 1 %}", "Expected 'array', but was 'number' for value: 1"),
        ("{% $states.input %}", "Expected 'array', but was 'object' for value: {}"),
        ("{% $nothing %}", "returned nothing (undefined)."),
        ("{% function($x){$x} %}", "returned an unsupported result type."),
    ],
)
def test_items_that_are_no_list_fail(items, found):
    one = run(each(Items=items))

    assert one.error[0] == FAILED
    assert one.error[1].endswith(found)
    assert one.events(asl.EvaluationFailed)[0].location == "Items"


def test_a_selector_sees_the_item_and_the_state_s_input():
    selector = {
        "n": "{% $states.context.Map.Item.Index %}",
        "v": "{% $states.context.Map.Item.Value %}",
        "all": "{% $count($states.input) %}",
    }
    one = run(each(ItemSelector=selector), input=["a", "b"])

    assert one.output == [{"n": 0, "v": "a", "all": 2}, {"n": 1, "v": "b", "all": 2}]


def test_a_map_s_numbers_may_be_computed():
    processor = machine(task("Work"))
    one = run(
        {
            **each(Items=[1, 2, 3], ItemProcessor=processor),
            "MaxConcurrency": "{% $states.input.many %}",
            "ToleratedFailurePercentage": "{% 33.4 %}",
        },
        input={"many": 2},
    )

    assert len(one.tasks) == 2
    one.fail().complete(output="b").complete(output="c")
    assert one.output == ["b", "c"]


@pytest.mark.parametrize(
    ("field", "value", "cause"),
    [
        ("MaxConcurrency", "-1", "expected an integer between 0 and"),
        ("MaxConcurrency", "1.5", "expected an integer between 0 and"),
        ("ToleratedFailureCount", "'1'", "Expected 'number', but was 'string'"),
        ("ToleratedFailurePercentage", "101", "must be between 0 and 100."),
    ],
)
def test_a_wrong_number_of_a_map_fails(field, value, cause):
    one = run(each(**{field: f"{{% {value} %}}"}), input=[1])

    assert one.error[0] == FAILED
    assert cause in one.error[1]
    assert one.events(asl.EvaluationFailed)[0].location == field


def test_a_distributed_map_s_run_is_told_what_was_evaluated():
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    one = run(
        each(
            ItemProcessor={**machine(pass_("Item")), "ProcessorConfig": config},
            ItemReader={
                "Resource": "files",
                "Arguments": {"Key": "{% $states.input.key %}"},
                "ReaderConfig": {"InputType": "JSON", "MaxItems": "{% 2 * 5 %}"},
            },
            ItemBatcher={
                "BatchInput": {"day": "{% 'mon' & 'day' %}"},
                "MaxItemsPerBatch": "{% 3 %}",
                "MaxInputBytesPerBatch": "{% 1000 %}",
            },
            ResultWriter={"Resource": "files", "Arguments": {"Prefix": "{% 'out' %}"}},
        ),
        input={"key": "in.json"},
    )

    asked = one.tasks[0].input
    assert asked["ItemReader"]["Parameters"] == {"Key": "in.json"}
    assert asked["ItemReader"]["MaxItems"] == 10
    assert asked["ItemBatcher"] == {
        "BatchInput": {"day": "monday"},
        "MaxItemsPerBatch": 3,
        "MaxInputBytesPerBatch": 1000,
    }
    assert asked["ResultWriter"]["Parameters"] == {"Prefix": "out"}


@pytest.mark.parametrize(
    ("fields", "location"),
    [
        (
            {"ItemReader": {"Resource": "f", "Arguments": {"Key": "{% $no %}"}}},
            "ItemReader/Arguments/Key",
        ),
        (
            {
                "ItemReader": {
                    "Resource": "f",
                    "ReaderConfig": {"InputType": "JSON", "MaxItems": "{% $no %}"},
                }
            },
            "ItemReader/ReaderConfig/MaxItems",
        ),
        ({"ItemBatcher": {"MaxItemsPerBatch": "{% $no %}"}}, "ItemBatcher/MaxItemsPerBatch"),
        (
            {"ItemBatcher": {"MaxItemsPerBatch": 1, "BatchInput": {"a": "{% $no %}"}}},
            "ItemBatcher/BatchInput/a",
        ),
        (
            {"ResultWriter": {"Resource": "f", "Arguments": {"Prefix": "{% $no %}"}}},
            "ResultWriter/Arguments/Prefix",
        ),
    ],
)
def test_a_wrong_value_of_a_distributed_map_fails_at_its_place(fields, location):
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    processor = {**machine(pass_("Item")), "ProcessorConfig": config}
    one = run(each(ItemProcessor=processor, **fields), input=[1])

    assert one.error[0] == FAILED
    assert one.events(asl.EvaluationFailed)[0].location == location


# --- What goes wrong ---


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        ("$doesNotExist", "returned nothing (undefined)."),
        ("$states.input.a.b", "returned nothing (undefined)."),
        ("$states.result", "returned nothing (undefined)."),
        ("$states.errorOutput", "returned nothing (undefined)."),
        ("$uppercase", "returned an unsupported result type."),
        ("function($x){$x}", "returned an unsupported result type."),
        ("$hash", "returned an unsupported result type."),
        (
            "$abs('a')",
            'threw an error during evaluation. T0410: Argument 1 of function "abs" does not match'
            " function signature",
        ),
        (
            "$nope(1)",
            "threw an error during evaluation. T1006: Attempted to invoke a non-function",
        ),
        (
            "$eval('1')",
            "threw an error during evaluation. T1006: Attempted to invoke a non-function",
        ),
        ("$error('boom')", "threw an error during evaluation. D3137: boom"),
    ],
)
def test_a_failure_has_aws_s_words(expression, cause):
    assert failure(expression, {}) == cause


def test_an_evaluation_that_failed_is_an_event_before_the_state_fails():
    one = run(pass_(Output={"a": {"b": "{% $no %}"}}))

    assert [type(event).__name__ for event in one.log] == [
        "ExecutionStarted",
        "StateEntered",
        "EvaluationFailed",
        "ExecutionFailed",
    ]
    failed = one.log[2]
    assert (failed.error, failed.location, failed.state) == (FAILED, "Output/a/b", "S1")
    assert failed.cause == one.error[1]


def test_a_task_may_catch_what_could_not_be_evaluated():
    one = run(
        task(
            Arguments="{% $no %}",
            Catch=[{**CATCH_ALL, "Output": "{% $states.errorOutput.Error %}"}],
        ),
        pass_("Caught"),
    )

    assert one.output == FAILED


def test_and_may_try_again():
    one = run(task(Arguments="{% $no %}", Retry=[{"ErrorEquals": [FAILED], "MaxAttempts": 2}]))

    assert one.due_in == 1
    one.wake(after=1).wake(after=2)
    assert one.error[0] == FAILED
    assert len(one.events(asl.EvaluationFailed)) == 3


def test_a_caught_error_is_there_for_output_and_assign():
    one = run(
        task(
            Catch=[
                {
                    **CATCH_ALL,
                    "Output": {"e": "{% $states.errorOutput %}", "in": "{% $states.input %}"},
                    "Assign": {"cause": "{% $states.errorOutput.Cause %}"},
                }
            ]
        ),
        pass_("Caught", Output={"all": "{% $states.input %}", "cause": "{% $cause %}"}),
        input=1,
    )
    one.fail(error="Oops", cause="why")

    error = {"Error": "Oops", "Cause": "why"}
    assert one.output == {"all": {"e": error, "in": 1}, "cause": "why"}


def test_without_output_the_error_is_what_goes_on():
    one = run(task(Catch=[CATCH_ALL]), pass_("Caught"))

    assert one.fail(error="Oops", cause=None).output == {"Error": "Oops", "Cause": None}


def test_a_catcher_that_fails_itself_fails_the_execution():
    one = run(task(Catch=[{**CATCH_ALL, "Output": "{% $no %}"}]), pass_("Caught"))
    one.fail()

    assert one.error[0] == FAILED


# --- AWS's own functions ---


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$partition([1..5], 2)", [[1, 2], [3, 4], [5]]),
        ("$partition([0], 1)", [[0]]),
        ("$partition([], 3)", []),
        ("$range(1, 9, 3)", [1, 4, 7]),
        ("$range(1, 9, 9)", 1),
        ("$range(9, 1, -4)", [9, 5, 1]),
        ("$range(-1.7, 2, 1)", [-1, 0, 1, 2]),
        ("$range(1, 0, 1)", []),
        ("$hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("$hash('', 'MD5')", "d41d8cd98f00b204e9800998ecf8427e"),
        ("$length($hash('a', 'SHA-256'))", 64),
        ("$length($hash('a', 'SHA-384'))", 96),
        ("$length($hash('a', 'SHA-512'))", 128),
        ("$random(42)", 0.7275636800328681),
        ("$parse('{\"a\": [1, null]}')", {"a": [1, None]}),
        ("$map([1..3], function($n) { $n * 2 }) ~> $partition(2)", [[2, 4], [6]]),
        ("$count($map([1, 2], $uuid))", 2),
    ],
)
def test_what_aws_s_functions_yield(expression, value):
    assert evaluated(expression) == value


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        ("$partition([1], 0)", "the length must be a positive integer"),
        ("$range(1, 5, 0)", "the step must not be 0"),
        ("$range(1, 5)", "expected three numbers"),
        ("$range(0, 1e9, 1)", "are too many"),
        ("$range(0, 1e308, 1)", "are too many"),
        ("$hash('a', 'md5')", "the algorithm must be one of MD5, SHA-1"),
        ("$hash(1, 'MD5')", "the first argument must be a string"),
        ("$parse('[1,')", "$parse: "),
        ("$parse('NaN')", "$parse: "),
        ("$parse('1e400')", "$parse: "),
        ("$parse(1)", "expected a string"),
    ],
)
def test_what_they_don_t_take(expression, cause):
    assert cause in failure(expression)


def test_uuids_are_of_version_4_and_differ():
    one, other = run(pass_(Output=["{% $uuid() %}", "{% $uuid() %}"])).output

    assert UUID(one).version == UUID(other).version == 4
    assert one != other


# --- Time and chance ---

DRAWS = {
    "random": "{% $random() %}",
    "uuid": "{% $uuid() %}",
    "now": "{% $now() %}",
    "millis": "{% $millis() %}",
    "shuffled": "{% $shuffle([1..20]) %}",
}


def test_the_same_seed_and_moment_draw_the_same():
    one, same, other = (
        run(pass_(Output=DRAWS), seed=seed).output for seed in ("one", "one", "other")
    )

    assert one == same
    assert (one["random"], one["uuid"], one["shuffled"]) != (
        other["random"],
        other["uuid"],
        other["shuffled"],
    )


def test_now_is_the_moment_of_the_event():
    one = run({"Type": "Wait", "Seconds": 90}, pass_(Output=DRAWS)).wake(after=90.5)

    assert one.output["now"] == "2026-01-01T00:01:30.500Z"
    assert one.output["millis"] == (EPOCH.timestamp() + 90.5) * 1000


# --- Runaway expressions ---

#: A fifth of a second, and what may come on top where the engine does not look at the clock.
SHORT = asl.Limits(jsonata=JsonataLimits(timeout_seconds=0.2))


@pytest.mark.parametrize(
    "expression",
    [
        "($f := function($x){$f($x)}; $f(1))",
        "($f := function($x){1 + $f($x)}; $f(1))",
        "[1..10000000]",
        "[1..873783]",
        "$string([1..873782])",
        "($d := function($s, $n){$n = 0 ? $s : $d($s & $s, $n - 1)}; $d('0123456789', 30))",
        "$pad('x', 1e9)",
        "$match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', /(a+)+$/)",
        "$reduce([1..100000], function($all, $one){$append($all, $one)})",
        "$join([1..800000].($string($)))",
        " + ".join(["1"] * 200),
        "$distinct([1..100000])",
        "($x := [1..1000]; $sum($x.($y := $; $x.($z := $; $x.($ + $y + $z)))))",
    ],
)
def test_a_runaway_expression_ends_soon_and_as_an_error_of_the_state(expression):
    definition = jsonata(pass_(Output=f"{{% {expression} %}}"))
    began = time.monotonic()
    answer = asl.start(asl.parse(definition), {}, {}, limits=SHORT)

    assert isinstance(answer, asl.Fail)
    assert answer.error == FAILED
    assert "threw an error during evaluation. " in answer.cause
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "expression", [" + ".join(["1"] * 20_000), "$x" + ".a" * 5_000, "(" * 5_000 + "1" + ")" * 5_000]
)
def test_or_it_is_refused_when_it_is_read(expression):
    with pytest.raises(asl.InvalidDefinition, match="nested too deeply"):
        asl.parse(jsonata(pass_(Output=f"{{% {expression} %}}")))


@pytest.mark.parametrize(
    ("expression", "value"),
    [(" + ".join(["1"] * 100), 100), ("$count([1..873782])", 873_782)],
)
def test_what_aws_still_takes_is_taken(expression, value):
    assert evaluated(expression) == value


# --- Any data ---

TEXTS = st.text(st.characters(codec=None), max_size=5)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
EXPRESSIONS = [
    "$states.input",
    "$states.input.a",
    "$states.input[0]",
    "$states.input[-1]",
    "$states.input.*",
    "$states.input.**",
    "$states.input{$string($): $}",
    "$states.input ~> |$|{'a': 1}|",
    "$merge([$states.input, $x])",
    "$append($x, $states.input)",
    "$sort($x)",
    "$reverse($x)",
    "$keys($x)",
    "$each($x, function($v, $k){$v})",
    "$spread($x)",
    "$distinct($x)",
    "$partition($x, 2)",
    "$string($x)",
    "$number($x)",
    "$parse($states.input)",
    "$hash($states.input, 'MD5')",
    "$random($states.input)",
    "$x = $states.input",
    "$x & $states.input",
    "$states.input^($)",
    "$states.input[$ > 1]",
    "$formatNumber($x, '#.00')",
    "$fromMillis($x)",
    "$split($x, $states.input)",
    "$encodeUrl($x)",
    "$base64encode($x)",
]


@given(expression=st.sampled_from(EXPRESSIONS), input=ANY_JSON, variable=ANY_JSON)
@settings(max_examples=300, deadline=None)
def test_any_data_gives_json_or_an_error_of_the_state_and_stays_as_it_is(
    expression, input, variable
):
    workflow = asl.parse(
        jsonata(
            pass_(Assign={"x": "{% $states.context.x %}"}),
            pass_(Output=f"{{% {expression} %}}"),
        )
    )
    before = copy.deepcopy((input, variable))
    answer = asl.start(workflow, {"x": variable}, input, seed="s")

    assert (input, variable) == before
    if isinstance(answer, asl.Succeed):
        values.check(answer.output)
        values.dumps(answer.output)
    else:
        assert answer.error in (FAILED, "States.DataLimitExceeded"), answer
        answer.cause.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("value", "through"),
    [
        ("\ud800", "\ufffd"),
        ({"\udfff": ["a\ud800b"]}, {"\ufffd": ["a\ufffdb"]}),
        ("\x00", "\x00"),
        (9007199254740993, 9007199254740992),
        (1.0, 1),
    ],
)
def test_what_an_expression_touches_becomes_as_javascript_has_it(value, through):
    one = run(task(Arguments="{% $states.input %}"), input=value)

    assert one.tasks[0].input == through
    assert run(task(), input=value).tasks[0].input == value


def test_a_number_too_large_for_javascript_is_an_error_of_the_state():
    assert "could not be read" in failure("$states.input", 10**400)
