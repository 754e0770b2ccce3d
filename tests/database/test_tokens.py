"""Whoever holds a task's token answers that task, once, and does nothing else."""

import uuid

import pytest

from django_workflows import asl, engine
from django_workflows.permissions import NotAllowed
from tests.testapp import workflow_tasks
from tests.workflows import (
    approval,
    at_once,
    call,
    checked,
    drain,
    failure,
    machine,
    only_task,
    output,
    person,
    started,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting():
    return started(machine(Ask=call("callback", HeartbeatSeconds=60)))


def token_of(execution):
    return engine.token_of(only_task(execution))


def test_a_callback_calls_nobody_and_is_answered_by_its_token(waiting):
    assert (only_task(waiting).status, waiting.waiting_for) == ("PENDING", "callback")
    assert drain() == 0

    engine.complete_by_token(token_of(waiting), {"paid": True})

    assert output(waiting) == {"paid": True}
    origin = next(e for e in engine.log(waiting.pk) if isinstance(e, asl.TaskSucceeded)).origin
    assert origin == asl.Origin(channel="token")


def test_it_may_fail_too(waiting):
    engine.fail_by_token(token_of(waiting), "Declined", "no money")

    assert failure(waiting) == ("Declined", "no money")


def test_it_may_say_that_it_is_still_at_work(waiting):
    before = waiting.wake_at

    engine.heartbeat_by_token(token_of(waiting))

    assert checked(waiting).wake_at > before


def test_the_definition_can_pass_it_on():
    execution = started(
        machine(Ask=call("later.waitForTaskToken", Parameters={"token.$": "$$.Task.Token"}))
    )
    drain()
    event = next(e for e in engine.log(execution.pk) if isinstance(e, asl.TaskStarted))

    engine.complete_by_token(event.input["token"], 1)

    assert output(execution) == 1


def test_used_twice_it_is_refused_the_second_time():
    execution = started(machine(Ask=call("callback"), Next=call("callback")))
    token = token_of(execution)
    engine.complete_by_token(token, "first")

    with pytest.raises(asl.NotPending, match="task 3 is not pending"):
        engine.complete_by_token(token, "second")

    assert checked(execution).current_states == "Next"


def test_used_after_the_end_it_is_refused_too(waiting):
    token = token_of(waiting)
    engine.complete_by_token(token, "first")

    for use in (
        lambda: engine.complete_by_token(token, "second"),
        lambda: engine.fail_by_token(token),
        lambda: engine.heartbeat_by_token(token),
    ):
        with pytest.raises(asl.NotPending, match="task 3 is not pending: the execution has ended"):
            use()

    assert output(waiting) == "first"


@pytest.mark.parametrize(
    "token", ["", "x", "wft", "wft.1.2.3", None, 7, "wft..3." + "A" * 43, "\x00", "\ud800"]
)
def test_a_malformed_one_is_refused(token):
    with pytest.raises(engine.InvalidToken, match="no task token"):
        engine.complete_by_token(token, 1)


def test_a_forged_one_is_refused(waiting):
    token = token_of(waiting)
    other = token_of(started(machine(Ask=call("callback"))))
    proof = token.rsplit(".", 1)[1]
    flipped = ("B" if proof[0] == "A" else "A") + proof[1:]

    for forged in (
        f"wft.{waiting.pk}.3.{flipped}",
        f"wft.{waiting.pk}.3.{other.rsplit('.', 1)[1]}",
        f"wft.{waiting.pk}.4.{proof}",
        f"wft.{str(waiting.pk).upper()}.3.{proof}",
        f"wft.{waiting.pk.hex}.3.{proof}",
        f"wft.{uuid.uuid4()}.3.{proof}",
        f"wft.nobody.3.{proof}",
        f"wft.{waiting.pk}.03.{proof}",
    ):
        with pytest.raises(engine.InvalidToken, match="not given by this site"):
            engine.complete_by_token(forged, 1)

    assert checked(waiting).seq == waiting.seq


def test_a_result_that_is_no_json_is_refused_and_the_token_stays_good(waiting):
    token = token_of(waiting)

    with pytest.raises(asl.InvalidValue):
        engine.complete_by_token(token, float("nan"))
    engine.complete_by_token(token, None)

    assert output(waiting) is None


def test_a_token_decides_no_approval():
    person("ada")
    execution = started(machine(Sign=approval(Users=["ada"])))

    with pytest.raises(NotAllowed, match="by the people it asks"):
        engine.complete_by_token(token_of(execution), {"decision": "approve"})

    assert checked(execution).is_running


@pytest.mark.django_db(transaction=True)
def test_of_two_answers_at_the_same_time_one_counts(waiting):
    token = token_of(waiting)

    results = at_once(
        lambda: engine.complete_by_token(token, "yes"), lambda: engine.fail_by_token(token, "No")
    )

    refused = [result for result in results if isinstance(result, asl.NotPending)]
    assert len(refused) == 1, results
    assert checked(waiting).status == ("FAILED" if results[0] is refused[0] else "SUCCEEDED")


def test_an_answer_may_come_while_the_handler_still_runs():
    workflow_tasks.forget()

    def answer_at_once(input, context):
        engine.complete_by_token(context.token, "early")
        return "late"

    from django_workflows import handlers

    handlers.task("answer_at_once")(answer_at_once)
    try:
        execution = started(machine(Ask=call("answer_at_once.waitForTaskToken")))
        drain()
    finally:
        handlers.unregister("answer_at_once")

    assert output(execution) == "early"
