"""Workflows are tested in memory: mocks, a virtual clock, people and tokens."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from django_workflows import asl, testing
from django_workflows.handlers import PENDING, TaskError
from django_workflows.testing import attempts, decides, fails, pending, raises, succeeds


def machine(**states):
    """A definition of *states*, one after the other; the last one ends it."""
    names = list(states)
    for name, following in zip(names, [*names[1:], None], strict=True):
        state = states[name]
        if state["Type"] not in ("Succeed", "Fail", "Choice") and not {"Next", "End"} & set(state):
            states[name] = state | ({"Next": following} if following else {"End": True})
    return {"StartAt": names[0], "States": states}


def task(resource="work", **fields):
    return {"Type": "Task", "Resource": resource, **fields}


def wait(seconds):
    return {"Type": "Wait", "Seconds": seconds}


pytest_plugins = ["pytester"]

BUSY = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 10, "MaxAttempts": 3, "BackoffRate": 1}]
FORTNIGHT = 14 * 24 * 3600

ORDER = {
    "StartAt": "Charge card",
    "States": {
        "Charge card": task(
            "charge_card",
            Retry=BUSY,
            Catch=[{"ErrorEquals": ["Declined"], "Next": "Cancel"}],
            Next="Cool off",
        ),
        "Cool off": {"Type": "Wait", "Seconds": FORTNIGHT, "Next": "Ask a manager"},
        "Ask a manager": task(
            "approval", Parameters={"Users": ["ada"], "Groups": ["managers"]}, Next="Approved?"
        ),
        "Approved?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.decision", "StringEquals": "approve", "Next": "Ship"},
            ],
            "Default": "Cancel",
        },
        "Ship": task("ship.waitForTaskToken", Parameters={"Token.$": "$$.Task.Token"}, End=True),
        "Cancel": {"Type": "Fail", "Error": "Cancelled"},
    },
}


def run(definition, *input, **arguments):
    """All our runs are looked at after every step."""
    return testing.run(definition, *input, check=True, **arguments)


# -- the whole story -----------------------------------------------------------------------


def test_an_order_from_card_to_parcel():
    order = run(
        ORDER,
        {"amount": 70},
        tasks={"Charge card": [fails("Busy"), fails("Busy"), fails("Busy"), succeeds({"id": 7})]},
    )
    assert order.waiting_for == {"Charge card": "retry"}

    order.advance(30)
    assert order.attempts("Charge card") == 4
    assert order.inputs("Charge card") == [{"amount": 70}] * 4
    assert order.waiting_for == {"Cool off": "timer"}

    order.advance(timedelta(days=14))
    assert order.waiting_for == {"Ask a manager": "approval"}

    order.decide("Ask a manager", "approve", by="grace", comment="a regular")
    assert order.waiting_for == {"Ship": "callback"}

    order.answer("Ship", {"parcel": "P-1"})
    assert order.status == "SUCCEEDED"
    assert order.output == {"parcel": "P-1"}
    assert order.path == ["Charge card", "Cool off", "Ask a manager", "Approved?", "Ship"]
    assert order.at == testing.EPOCH + timedelta(days=14, seconds=30)


def test_retries_a_fortnight_and_an_approval_take_no_time():
    def seconds():
        began = time.perf_counter()
        order = testing.run(
            ORDER,
            tasks={
                "Charge card": attempts(fails("Busy"), fails("Busy"), fails("Busy"), succeeds()),
                "Ask a manager": decides("approve", after=timedelta(days=2)),
                "Ship": succeeds("sent"),
            },
        ).finish()
        assert order.output == "sent"
        return time.perf_counter() - began

    # Of several, for the machine may be busy.
    assert min(seconds() for _ in range(5)) < 0.05


def test_what_was_decided_is_as_in_production():
    order = run(ORDER, tasks={"Charge card": succeeds()}, at=datetime(2026, 3, 1, tzinfo=UTC))
    order.advance(FORTNIGHT).decide("Ask a manager", "reject", comment="too much")

    assert order.outputs("Ask a manager") == [
        {
            "decision": "reject",
            "by": "ada",
            "comment": "too much",
            "at": "2026-03-15T00:00:00.000Z",
        }
    ]
    assert (order.status, order.error) == ("FAILED", "Cancelled")
    [decided] = [event for event in order.events(asl.TaskSucceeded) if event.origin is not None]
    assert decided.origin == asl.Origin(by="ada", reason="too much", channel="test")


def test_the_input_is_an_object_if_nothing_is_said_and_may_be_null():
    assert run(machine(A={"Type": "Succeed"})).output == {}
    assert run(machine(A={"Type": "Succeed"}), None).output is None


def test_a_moment_has_a_time_zone():
    with pytest.raises(ValueError, match="without a time zone"):
        run(ORDER, at=datetime(2026, 1, 1))  # noqa: DTZ001


# -- mocks ---------------------------------------------------------------------------------


def test_a_list_answers_one_call_after_the_other_over_all_visits():
    poll = machine(
        Look=task(Next="Done?"),
    )
    poll["States"]["Done?"] = {
        "Type": "Choice",
        "Choices": [{"Variable": "$", "StringEquals": "DONE", "Next": "End"}],
        "Default": "Pause",
    }
    poll["States"]["Pause"] = {"Type": "Wait", "Seconds": 60, "Next": "Look"}
    poll["States"]["End"] = {"Type": "Succeed"}

    polled = run(poll, tasks={"Look": [succeeds("NO"), succeeds("NO"), succeeds("DONE")]})

    assert polled.finish().output == "DONE"
    assert polled.path.count("Look") == 3
    assert polled.at - testing.EPOCH == timedelta(minutes=2)


def test_attempts_begin_anew_in_each_iteration_of_a_map():
    each = {
        "Type": "Map",
        "ItemProcessor": machine(Pay=task(Retry=BUSY)),
    }

    paid = run(
        machine(All=each),
        [1, 2, 3],
        tasks={"Pay": attempts(fails("Busy"), lambda amount: amount * 10)},
    ).finish()

    assert paid.output == [10, 20, 30]
    assert paid.attempts("Pay") == 6


def test_branches_of_a_parallel_are_answered_each_by_its_own_mock():
    both = {
        "Type": "Parallel",
        "Branches": [machine(Left=task(Retry=BUSY)), machine(Right=task())],
    }

    done = run(
        machine(Both=both),
        tasks={"Left": [fails("Busy"), succeeds("left")], "Right": succeeds("right", after=5)},
    )
    done.advance(5)

    assert done.waiting_for == {"Left": "retry"}
    assert done.finish().output == ["left", "right"]


def test_a_failure_in_one_branch_ends_the_slow_answer_of_the_other():
    both = {
        "Type": "Parallel",
        "Branches": [machine(Left=task()), machine(Right=task())],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Plan B"}],
    }
    definition = machine(Both=both, End={"Type": "Succeed"}, **{"Plan B": {"Type": "Succeed"}})

    done = run(
        definition, tasks={"Left": fails("Bad", after=1), "Right": succeeds(after=60)}
    ).finish()

    assert done.path == ["Both", "Left", "Right", "Plan B"]
    done.advance(60)
    assert done.status == "SUCCEEDED"


def test_a_mock_may_be_for_a_resource():
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:charge:live"
    sqs = "arn:aws:states:::sqs:sendMessage"
    definition = machine(Charge=task(arn), Tell=task(sqs), Work=task("work"))

    done = run(
        definition,
        {"n": 1},
        tasks={
            "charge": succeeds("charged"),
            "arn:aws:states:::sqs:*": lambda input: [input, "told"],
            "work": lambda input, context: [input, context.state, context.attempt],
        },
    )

    assert done.output == [["charged", "told"], "Work", 0]


def test_a_state_has_precedence_over_its_resource():
    done = run(machine(A=task(), B=task()), tasks={"B": succeeds("b"), "work": succeeds("any")})

    assert (done.outputs("A"), done.outputs("B")) == (["any"], ["b"])


def fail_as_a_handler(input):
    raise TaskError("Declined", "expired")


@pytest.mark.parametrize(
    ("mock", "error", "cause"),
    [
        (fails("Declined", "expired"), "Declined", "expired"),
        (fails(None), None, None),
        (raises(TaskError("Declined", "expired")), "Declined", "expired"),
        (raises(ConnectionError("no answer")), "ConnectionError", "no answer"),
        (raises(ConnectionError), "ConnectionError", ""),
        (fail_as_a_handler, "Declined", "expired"),
        (lambda input: 1 / 0, "ZeroDivisionError", "division by zero"),
        (lambda input: fails("Declined", "expired"), "Declined", "expired"),
    ],
)
def test_a_mock_may_fail(mock, error, cause):
    failed = run(machine(Work=task()), tasks={"Work": mock})

    assert (failed.status, failed.error, failed.cause) == ("FAILED", error, cause)


def test_a_caught_error_leads_where_the_catcher_says():
    order = run(ORDER, tasks={"Charge card": fails("Declined")})

    assert order.path == ["Charge card", "Cancel"]


def test_an_assertion_in_a_mock_is_the_tests_own():
    def charge(input):
        assert input == {"amount": 7}

    with pytest.raises(AssertionError, match="amount") as failure:
        run(ORDER, {"amount": 8}, tasks={"Charge card": charge})

    assert "path so far: Charge card" in str(failure.value.__notes__)


def test_a_task_that_nothing_answers_says_how_to_mock_it():
    with pytest.raises(AssertionError) as failure:
        run(machine(Begin={"Type": "Pass"}, Work=task("charge_card")), {"n": 1})

    message = str(failure.value)
    for part in ("state 'Work'", "resource: charge_card", '{"n": 1}', "Begin → Work"):
        assert part in message
    assert "tasks={'Work': succeeds(...)}" in message


def test_answers_that_are_used_up_are_told_of():
    with pytest.raises(AssertionError, match=r"call 2 of the state 'Charge card'.*only 1 answer"):
        run(ORDER, tasks={"Charge card": [fails("Busy")]}).finish()


@pytest.mark.parametrize(
    ("key", "hint"), [("Charge crad", "Charge card"), ("charge_crad", "charge_card")]
)
def test_a_mock_for_nothing_is_refused(key, hint):
    with pytest.raises(ValueError, match=f"named '{key}' .did you mean '{hint}'"):
        run(ORDER, tasks={key: succeeds()})


def test_a_value_is_no_mock():
    with pytest.raises(TypeError, match=r"did you mean succeeds\(\{'id': 7\}\)"):
        run(ORDER, tasks={"Charge card": {"id": 7}})


def test_no_json_data_is_no_result():
    with pytest.raises(AssertionError, match="the result of 'Work' is no JSON data"):
        run(machine(Work=task()), tasks={"Work": succeeds({1, 2})})


def test_a_mock_may_be_changed_on_the_way():
    work = run(machine(Work=task()), tasks={"Work": pending()})

    work.mock({"Work": succeeds("late")}).until_rest()

    assert work.output == "late"


def test_registered_handlers_do_what_is_not_mocked():
    done = run(
        machine(A=task("echo"), B=task("decline")), "x", handlers=True, tasks={"B": succeeds("b")}
    )
    assert (done.outputs("A"), done.output) == (["x"], "b")

    failed = run(machine(B=task("decline")), handlers=True)
    assert (failed.error, failed.cause) == ("Declined", "the card has expired")

    with pytest.raises(AssertionError, match="no handler is registered for 'ehco'"):
        run(machine(B=task("ehco")), handlers=True)


# -- time ----------------------------------------------------------------------------------


def test_a_task_times_out_on_the_virtual_clock():
    work = run(machine(Work=task(TimeoutSeconds=60)), tasks={"Work": pending()})

    assert work.advance(59.9).status == "RUNNING"
    work.advance(0.1)

    assert (work.status, work.error) == ("FAILED", "States.Timeout")


def test_an_answer_that_comes_too_late_is_not_heard():
    work = run(
        machine(Work=task(TimeoutSeconds=60, Retry=[{"ErrorEquals": ["States.Timeout"]}])),
        tasks={"Work": [succeeds("late", after=61), succeeds("soon", after=timedelta(minutes=1))]},
    ).finish()

    assert work.output == "soon"
    assert work.at - testing.EPOCH == timedelta(seconds=121)


def test_an_answer_at_the_last_moment_counts():
    work = run(machine(Work=task(TimeoutSeconds=60)), tasks={"Work": succeeds(after=60)})

    assert work.finish().status == "SUCCEEDED"


def test_heartbeats_keep_a_task_alive():
    work = run(
        machine(Work=task("callback", HeartbeatSeconds=60)),
    )
    work.advance(50).heartbeat("Work").advance(50)
    assert work.status == "RUNNING"

    work.advance(10)
    assert work.error == "States.Timeout"


def test_a_wait_may_be_cut_short():
    work = run(machine(Long=wait(FORTNIGHT), Done={"Type": "Succeed"}))

    assert work.finish_waiting("Long").status == "SUCCEEDED"
    assert work.at == testing.EPOCH


def test_what_only_people_can_move_is_not_finished():
    order = run(ORDER, tasks={"Charge card": succeeds()})

    with pytest.raises(AssertionError, match="can't finish") as failure:
        order.finish()

    assert "waits for 'Ask a manager' (approval)" in str(failure.value)
    assert "Charge card → Cool off → Ask a manager" in str(failure.value)


def test_a_loop_is_not_followed_for_ever():
    loop = machine(Wait=wait(1), Again={"Type": "Choice"}, End={"Type": "Succeed"})
    ended = {"Variable": "$.ended", "IsPresent": True, "Next": "End"}
    loop["States"]["Again"] |= {"Choices": [ended], "Default": "Wait"}

    with pytest.raises(AssertionError, match="is it a loop"):
        testing.run(loop).finish()


# -- people, tokens, steering --------------------------------------------------------------


def test_only_a_decision_that_is_offered_is_taken():
    ask = run(machine(Ask=task("approval", Parameters={"Users": ["ada"], "Decisions": ["ok"]})))

    with pytest.raises(AssertionError, match="one of ok, not 'approve'"):
        ask.decide("Ask", "approve")
    with pytest.raises(AssertionError, match=r"is an approval: use run.decide"):
        ask.answer("Ask", {"decision": "ok"})
    assert ask.decide("Ask", "ok").status == "SUCCEEDED"


def test_an_approval_that_asks_nobody_fails_as_in_production():
    ask = run(machine(Ask=task("approval", Parameters={})))

    assert ask.error == "Approval.InvalidParameters"


def test_the_token_that_a_task_passed_on_answers_it():
    definition = machine(
        Ship=task("ship.waitForTaskToken", Parameters={"Token.$": "$$.Task.Token"})
    )
    ship = run(definition)
    [asked] = ship.inputs("Ship")
    assert asked["Token"] == ship.token("Ship")

    assert ship.answer(asked["Token"], "shipped").output == "shipped"


def test_a_task_may_be_failed_from_outside():
    ship = run(machine(Ship=task("callback")))

    ship.fail("Ship", "Lost", "at sea")

    assert (ship.error, ship.cause) == ("Lost", "at sea")
    with pytest.raises(AssertionError, match="no task of 'Ship' is open"):
        ship.answer("Ship")


def test_a_handler_may_answer_later():
    work = run(machine(Work=task()), tasks={"Work": lambda input: PENDING})
    assert work.waiting_for == {"Work": "task"}

    assert work.answer("Work", 1).output == 1


def test_an_activity_is_taken_before_its_heart_beats():
    arn = "arn:aws:states:eu-west-1:123456789012:activity:pack"
    pack = run(machine(Pack=task(arn, HeartbeatSeconds=60)))
    pack.advance(600).take("Pack", worker="w1").advance(60)

    assert pack.error == "States.Timeout"


def test_it_may_be_stopped_and_redriven():
    work = run(machine(Work=task()), tasks={"Work": [pending(), succeeds("second")]})
    work.stop("Enough", "of this")
    assert (work.status, work.error) == ("ABORTED", "Enough")

    assert work.redrive().output == "second"


def test_there_is_no_output_before_the_end():
    work = run(machine(Work=task()), tasks={"Work": pending()})

    with pytest.raises(AssertionError, match="has not succeeded"):
        work.output  # noqa: B018
    with pytest.raises(AssertionError, match=r"no state is named 'Wrok' .did you mean 'Work'"):
        work.attempts("Wrok")


# -- distributed Maps, and executions that tasks start -------------------------------------


def distributed(**fields):
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    processor = {"ProcessorConfig": config, **machine(Pay=task(Retry=BUSY))}
    return {"Type": "Map", "ItemProcessor": processor, **fields}


def test_the_children_of_a_distributed_map_run_in_memory():
    all_paid = run(
        machine(All=distributed(MaxConcurrency=2)),
        [1, 2, 3],
        tasks={"Pay": attempts(fails("Busy"), lambda amount: amount * 10)},
    )
    assert len(all_paid.children) == 2
    assert all_paid.waiting_for == {"Pay": "retry"}

    assert all_paid.finish().output == [10, 20, 30]
    assert all_paid.attempts("Pay") == 6
    assert all_paid.path == ["All"]
    assert [child.path for child in all_paid.children] == [["Pay"]] * 3
    assert all_paid.at - testing.EPOCH == timedelta(seconds=20)


def test_more_failures_than_are_tolerated_end_a_distributed_map():
    def pay(amount):
        return fails("Bad") if amount < 3 else succeeds(amount, after=60)

    tolerant = run(machine(All=distributed(ToleratedFailureCount=2)), [1, 2, 3], tasks={"Pay": pay})
    assert tolerant.finish().output == [3]

    strict = run(machine(All=distributed(ToleratedFailureCount=1)), [1, 2, 3], tasks={"Pay": pay})
    assert strict.error == "States.ExceedToleratedFailureThreshold"
    assert [child.status for child in strict.children] == ["FAILED", "FAILED", "ABORTED"]


def test_what_an_item_reader_reads_is_given():
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 2},
        "Parameters": {"Bucket": "b", "Key": "k"},
    }
    definition = machine(All=distributed(ItemReader=reader))
    tasks = {"Pay": lambda row: row}

    done = run(definition, items={"All": "name,n\na,1\nb,2\nc,3\n"}, tasks=tasks)
    assert done.output == [{"name": "a", "n": "1"}, {"name": "b", "n": "2"}]

    assert run(definition, items={"All": [1, 2, 3]}, tasks=tasks).output == [1, 2]
    with pytest.raises(AssertionError, match=r"items=\{'All': \[\.\.\.\]\}"):
        run(definition, tasks=tasks)


def test_a_whole_map_may_be_mocked():
    assert run(machine(All=distributed()), [1], tasks={"All": succeeds("all")}).output == "all"


def test_stopping_the_parent_stops_the_children():
    work = run(machine(All=distributed()), [1, 2], tasks={"Pay": pending()})

    work.stop()

    assert [child.status for child in work.children] == ["ABORTED", "ABORTED"]


def test_tasks_of_children_can_be_answered():
    work = run(machine(All=distributed()), [1, 2], tasks={"Pay": pending()})

    assert work.answer("Pay", "a").answer("Pay", "b").output == ["a", "b"]


def starting(suffix):
    parameters = {"StateMachineArn": "arn:aws:states:eu-west-1:1:stateMachine:child"}
    parameters["Input.$"] = "$"
    return machine(
        Start=task(f"arn:aws:states:::states:startExecution{suffix}", Parameters=parameters)
    )


@pytest.mark.parametrize(("suffix", "output"), [(".sync", "[1,2]"), (".sync:2", [1, 2])])
def test_a_task_may_start_another_workflow_and_wait_for_it(suffix, output):
    child = machine(Think=wait(60), Work=task("think"))

    parent = run(
        starting(suffix),
        {"n": 1},
        workflows={"child": child},
        tasks={"think": succeeds([1, 2])},
    )
    assert parent.waiting_for["Think"] == "timer"

    assert parent.finish().output["Output"] == output
    assert parent.children[0].inputs("Think") == [{"n": 1}]


def test_a_child_that_fails_fails_its_task():
    parent = run(
        starting(".sync:2"),
        workflows={"child": machine(Stop={"Type": "Fail", "Error": "Bad"})},
    )

    assert parent.error == "States.TaskFailed"
    assert json.loads(parent.cause)["Error"] == "Bad"


def test_or_does_not_wait():
    parent = run(starting(""), workflows={"child": machine(Think=wait(60))})

    assert parent.status == "SUCCEEDED"
    assert parent.children[0].status == "RUNNING"


def test_a_workflow_that_is_not_given_is_not_started():
    with pytest.raises(AssertionError, match=r"workflows=... has no 'arn:aws.*stateMachine:child'"):
        run(starting(".sync"), handlers=True)


# -- definitions in files, AWS's mocks, Django ---------------------------------------------


def test_a_definition_may_be_a_file(tmp_path):
    path = tmp_path / "order.asl.json"
    path.write_text(json.dumps(machine(Work=task())))
    assert run(path, tasks={"Work": succeeds(1)}).output == 1

    path = tmp_path / "order.asl.yaml"
    path.write_text("StartAt: Work\nStates:\n  Work: {Type: Pas, End: true}\n")
    with pytest.raises(asl.InvalidDefinition, match="line 3, column 10"):
        run(path)


AWS_MOCKS = {
    "StateMachines": {
        "Orders": {"TestCases": {"Retry": {"Charge card": "Busy twice"}, "Typo": {"A": "Buzy"}}}
    },
    "MockedResponses": {
        "Busy twice": {
            "0-1": {"Throw": {"Error": "Busy", "Cause": "later"}},
            "2": {"Return": {"StatusCode": 200}},
        }
    },
}


@pytest.mark.parametrize("as_file", [False, True])
def test_the_mocks_of_step_functions_local_are_read(tmp_path, as_file):
    config = AWS_MOCKS
    if as_file:
        config = tmp_path / "MockConfigFile.json"
        config.write_text(json.dumps(AWS_MOCKS))

    order = run(ORDER, tasks=testing.mocks_from_aws(config, "Orders", "Retry")).advance(60)

    assert order.attempts("Charge card") == 3
    assert order.outputs("Charge card") == [{"StatusCode": 200}]
    assert order.events(asl.TaskFailed)[0].cause == "later"


def test_each_visit_begins_with_attempt_0():
    each = {"Type": "Map", "ItemProcessor": machine(**{"Charge card": task(Retry=BUSY)})}
    mocks = testing.mocks_from_aws(AWS_MOCKS, "Orders", "Retry")

    assert run(machine(All=each), [1, 2], tasks=mocks).finish().output == [{"StatusCode": 200}] * 2


@pytest.mark.parametrize(
    ("machine_name", "case", "message"),
    [
        ("Order", "Retry", "StateMachines: there is no 'Order', only 'Orders'"),
        ("Orders", "Retries", "TestCases: there is no 'Retries', only 'Retry', 'Typo'"),
        ("Orders", "Typo", "MockedResponses has no 'Buzy', only 'Busy twice'"),
    ],
)
def test_what_is_not_in_aws_mocks_is_said(machine_name, case, message):
    with pytest.raises(ValueError, match=message):
        testing.mocks_from_aws(AWS_MOCKS, machine_name, case)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({"1": {"Return": 1}}, "attempt 0 has no answer"),
        ({}, "attempt 0 has no answer"),
        ({"0-2": {"Return": 1}, "2": {"Return": 1}}, "attempt 2 has an answer already"),
        ({"first": {"Return": 1}}, "expected attempts such as '0' or '1-2', found 'first'"),
        ({"0": {"Returns": 1}}, "expected Return or Throw, found 'Returns'"),
        ([], "expected an object"),
    ],
)
def test_responses_that_are_not_as_aws_has_them_are_refused(response, message):
    config = {
        "StateMachines": {"M": {"TestCases": {"T": {"S": "R"}}}},
        "MockedResponses": {"R": response},
    }
    with pytest.raises(ValueError, match=message):
        testing.mocks_from_aws(config, "M", "T")


def test_no_django_is_needed():
    script = (
        "import sys\n"
        "from django_workflows import testing\n"
        "run = testing.run({'StartAt': 'A', 'States': {'A': {'Type': 'Succeed'}}}, 1)\n"
        "assert run.output == 1\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'django']\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


# -- coverage ------------------------------------------------------------------------------


def test_coverage_says_what_was_never_reached():
    coverage = testing.Coverage()
    run(
        ORDER,
        tasks={"Charge card": [fails("Busy"), fails("Declined")]},
        coverage=coverage,
        name="order",
    ).finish()

    assert coverage.never_entered("order") == ["Cool off", "Ask a manager", "Approved?", "Ship"]
    assert coverage.never_taken("order") == [
        "Charge card → Cool off",
        "Cool off → Ask a manager",
        "Ask a manager → Approved?",
        "Approved? → Ship (Choices[0])",
        "Approved? → Cancel (Default)",
    ]
    report = coverage.report()
    assert report.startswith("order: 30 % — 2 of 6 states, 2 of 7 transitions\n")
    assert "  never entered: Ship\n" in report
    assert "  never taken: Approved? → Cancel (Default)" in report


def test_coverage_adds_up_and_is_of_what_runs_meanwhile():
    with testing.Coverage() as coverage:
        for decision in ("approve", "reject"):
            run(
                ORDER,
                tasks={
                    "Charge card": succeeds(),
                    "Ask a manager": decides(decision),
                    "Ship": succeeds(),
                },
                name="order",
            ).finish()
    run(ORDER, tasks={"Charge card": fails("Declined")}, name="order")

    assert coverage.never_entered("order") == []
    assert coverage.never_taken("order") == [
        "Charge card → Charge card (Retry[0]: Busy)",
        "Charge card → Cancel (Catch[0]: Declined)",
    ]


@pytest.mark.parametrize(
    ("n", "missing"),
    [
        (1, ["Which → End (Choices[1])", "Which → End (Default)"]),
        (2, ["Which → End (Choices[0])", "Which → End (Default)"]),
        (3, ["Which → End (Choices[0])", "Which → End (Choices[1])"]),
    ],
)
def test_rules_that_lead_to_the_same_state_are_told_apart(n, missing):
    rules = [{"Variable": "$.n", "NumericEquals": one, "Next": "End"} for one in (1, 2)]
    which = {"Type": "Choice", "Choices": rules, "Default": "End"}
    coverage = testing.Coverage()

    run(machine(Which=which, End={"Type": "Succeed"}), {"n": n}, coverage=coverage, name="which")

    assert coverage.never_taken("which") == missing


def test_children_of_a_distributed_map_count_for_its_definition():
    coverage = testing.Coverage()
    run(machine(All=distributed()), [1], tasks={"Pay": succeeds()}, coverage=coverage, name="all")

    assert coverage.never_entered("all") == []


# -- the pytest plugin ---------------------------------------------------------------------


@pytest.fixture
def project(pytester, monkeypatch):
    """A project of a user's: pytest in a process of its own, with the plugins named alone."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))

    def run(*arguments):
        return pytester.runpytest_subprocess(
            "-p", "django_workflows.testing.plugin", "-W", "error", *arguments
        )

    pytester.run_tests = run
    return pytester


IN_MEMORY = """
    import sys

    def test_order(workflow_run):
        order = workflow_run(
            {
                "Comment": "order",
                "StartAt": "Ask",
                "States": {
                    "Ask": {"Type": "Task", "Resource": "approval",
                            "Parameters": {"Users": ["ada"]}, "Next": "Done"},
                    "Done": {"Type": "Succeed"},
                },
            },
        )
        assert order.waiting_for == {"Ask": "approval"}
        assert not [name for name in sys.modules if name.split(".")[0] == "django"]
"""


def test_the_plugin_needs_no_django(project):
    project.makepyfile(IN_MEMORY)

    project.run_tests().assert_outcomes(passed=1)


def test_the_plugin_loads_nothing_that_is_not_asked_for(project):
    project.makepyfile(
        """
        import sys

        def test_nothing():
            assert "django_workflows.asl" not in sys.modules
            assert "django_workflows.testing.runs" not in sys.modules
            assert "django" not in sys.modules
        """
    )

    result = project.run_tests()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*workflows coverage*")


def test_coverage_is_printed_when_asked_for(project):
    project.makepyfile(IN_MEMORY)

    result = project.run_tests("--workflows-coverage")

    result.stdout.fnmatch_lines(
        [
            "*= workflows coverage =*",
            "order: 33 % — 1 of 2 states, 0 of 1 transitions",
            "  never entered: Done",
            "  never taken: Ask → Done",
        ]
    )


def test_without_pytest_django_the_other_fixture_says_so(project):
    project.makepyfile("def test_order(workflows): pass")

    result = project.run_tests()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the fixture 'workflows' needs pytest-django*"])


def test_a_site_tests_its_workflows(project):
    app = project.mkpydir("shop")
    (app / "workflows").mkdir()
    order = {
        "StartAt": "Charge",
        "States": {
            "Charge": {"Type": "Task", "Resource": "charge", "Next": "Wait"},
            "Wait": {"Type": "Wait", "Seconds": FORTNIGHT, "End": True},
        },
    }
    (app / "workflows" / "order.asl.json").write_text(json.dumps(order))
    (app / "workflows" / "refund.asl.json").write_text(json.dumps(order | {"Comment": "again"}))
    (app / "workflows" / "bad.asl.json").write_text("{}")
    (app / "workflow_tasks.py").write_text(
        "from django_workflows.handlers import task\n\n"
        "@task('charge')\ndef charge(input):\n    return {'charged': input['amount']}\n"
    )
    project.makepyfile(
        site_settings="""
        SECRET_KEY = "for tests alone"
        USE_TZ = True
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_q",
                          "django_workflows", "shop"]
        Q_CLUSTER = {"name": "shop", "orm": "default", "timeout": 30, "retry": 90}
        """,
        test_order="""
        def test_order(workflows):
            order = workflows.start("order", {"amount": 70})
            assert order.waiting_for == {"Wait": "timer"}
            assert order.finish().output == {"charged": 70}
        """,
    )

    result = project.run_tests(
        "-p", "pytest_django.plugin", "--ds=site_settings", "--workflows-coverage"
    )

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "order: 100 % — 2 of 2 states, 1 of 1 transitions",
            "refund: 0 % — 0 of 2 states, 0 of 1 transitions",
            "*bad.asl.json: not read: *",
        ]
    )
