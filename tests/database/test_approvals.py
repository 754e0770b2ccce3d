"""People are asked, decide once, and their decision is the task's result."""

from datetime import UTC, datetime, timedelta

import pytest

from django_workflows import approvals, asl, engine
from django_workflows.approvals import InvalidApproval
from tests.workflows import (
    approval,
    as_user,
    at_once,
    checked,
    drain,
    failure,
    machine,
    only_task,
    output,
    person,
    started,
    tick,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def asking(**parameters):
    return machine(Sign=approval(**{"Users": ["ada"], **parameters}))


def test_an_approval_waits_in_the_inbox_with_all_it_says():
    person("ada")
    execution = started(
        asking(Title="Order 7", Instructions="Too much?", Groups=["managers"], Decisions=["ok"])
    )

    task = only_task(execution)
    assert (task.title, task.instructions, task.decisions) == ("Order 7", "Too much?", ["ok"])
    assert (task.kind, task.status) == ("approval", "PENDING")
    assert {(c.kind, c.name) for c in task.candidates.all()} == {
        ("user", "ada"),
        ("group", "managers"),
    }
    assert execution.waiting_for == "approval"
    assert drain() == 0


def test_the_decision_is_the_result_and_part_of_the_log():
    ada = person("ada")
    execution = started(asking(), at=NOW)

    engine.decide_approval(
        only_task(execution),
        "approve",
        "fine with me",
        actor=as_user(ada),
        at=NOW + timedelta(seconds=90),
    )

    assert output(execution) == {
        "decision": "approve",
        "by": "ada",
        "comment": "fine with me",
        "at": "2026-03-01T12:01:30.000Z",
    }
    decided = next(e for e in engine.log(execution.pk) if isinstance(e, asl.TaskSucceeded))
    assert decided.origin == asl.Origin(by="ada", reason="fine with me", channel="test")


@pytest.mark.parametrize("comment", ["", "\x00\ud800", "x" * 1000])
def test_any_comment_is_kept(comment):
    ada = person("ada")
    execution = started(asking())

    engine.decide_approval(only_task(execution), "reject", comment, actor=as_user(ada))

    assert output(execution)["comment"] == comment


@pytest.mark.parametrize("decision", ["maybe", "", "APPROVE", None, "\x00"])
def test_only_its_decisions_are_taken(decision):
    ada = person("ada")
    execution = started(asking())

    with pytest.raises(asl.InvalidValue, match="expected one of approve, reject"):
        engine.decide_approval(only_task(execution), decision, actor=as_user(ada))

    assert checked(execution).seq == execution.seq


def test_a_decision_that_comes_second_is_refused():
    ada, task = person("ada"), only_task(started(asking()))
    engine.decide_approval(task, "approve", actor=as_user(ada))

    with pytest.raises(asl.NotPending, match="was decided, or is no longer asked"):
        engine.decide_approval(task, "reject", actor=as_user(ada))

    assert output(task.execution)["decision"] == "approve"


@pytest.mark.django_db(transaction=True)
def test_of_two_people_at_the_same_time_one_decides():
    people = [person("ada"), person("bob")]
    execution = started(asking(Users=["ada", "bob"]))
    task = only_task(execution)

    def decide(user):
        return lambda: engine.decide_approval(task, "approve", actor=as_user(user))

    results = at_once(*[decide(user) for user in people])

    refused = [result for result in results if isinstance(result, asl.NotPending)]
    assert len(refused) == 1, results
    winner = people[1 - results.index(refused[0])]
    assert output(execution)["by"] == winner.username


def test_an_approval_times_out_like_any_task():
    person("ada")
    state = {**approval(Users=["ada"]), "TimeoutSeconds": 60}
    execution = started(machine(Sign=state), at=NOW)
    task = only_task(execution)
    assert task.deadline == NOW + timedelta(seconds=60)

    tick(NOW + timedelta(seconds=61))

    assert failure(execution)[0] == "States.Timeout"
    with pytest.raises(asl.NotPending):
        engine.decide_approval(task, "approve", actor=as_user(person("x", is_superuser=True)))


def test_one_in_every_iteration_of_a_map():
    ada = person("ada")
    item = machine(Sign=approval(**{"Title.$": "$.name", "Users": ["ada"]}))
    execution = started(
        machine(All={"Type": "Map", "ItemProcessor": item}), [{"name": "a"}, {"name": "b"}]
    )

    for task in execution.tasks.order_by("title"):
        engine.decide_approval(task, "approve", task.title, actor=as_user(ada))

    assert [result["comment"] for result in output(execution)] == ["a", "b"]


# -- what can't be asked -----------------------------------------------------------------

WRONG = {
    "nobody": ({}, "Users or Groups must name at least one"),
    "empty": ({"Users": [], "Groups": []}, "must name at least one"),
    "no array": ({"Users": "ada"}, "Parameters.Users: expected an array of texts, found 'ada'"),
    "no text": ({"Users": ["ada", 7]}, r"Parameters.Users\[1\]: expected a text .* the number 7"),
    "blank": ({"Groups": [" "]}, r"Parameters.Groups\[0\]: expected a text that is not empty"),
    "title": ({"Users": ["ada"], "Title": 5}, "Parameters.Title: expected a text, found"),
    "instructions": ({"Users": ["ada"], "Instructions": {}}, "found an object"),
    "decisions": ({"Users": ["ada"], "Decisions": []}, "at least one decision"),
    "odd decisions": ({"Users": ["ada"], "Decisions": [True]}, "found true"),
    "array": ([], "expected an object with Users or Groups, found an array"),
    "null": (None, "found null"),
    "too many": ({"Users": ["u"] * 101}, "at most 100, found 101"),
}


@pytest.mark.parametrize(("parameters", "message"), WRONG.values(), ids=WRONG)
def test_wrong_parameters_are_named(parameters, message):
    with pytest.raises(InvalidApproval, match=message) as raised:
        approvals.read(parameters, state="Sign")
    assert raised.value.name == "Approval.InvalidParameters"


def test_the_states_name_is_the_title_where_there_is_none():
    assert approvals.read({"Users": ["ada", "ada"]}, state="Sign") == approvals.Approval(
        title="Sign", instructions="", users=("ada",), groups=(), decisions=("approve", "reject")
    )


@pytest.mark.parametrize("name", ["ghost", "\x00", "\ud800", "x" * 300])
def test_where_nobody_is_known_the_task_fails_at_once(name):
    execution = started(asking(Users=[name], Groups=["ghosts"]))

    error, cause = failure(execution)
    assert error == "Approval.UnknownCandidate"
    assert "nobody could decide: there is no user" in cause and "no group 'ghosts'" in cause


def test_one_who_is_known_is_enough():
    person("ada")

    assert started(asking(Users=["ghost", "ada"])).is_running
    assert started(asking(Users=["ghost"], Groups=["managers", "ghosts"])).status == "FAILED"
    person("mo", groups=("managers",))
    assert started(asking(Users=["ghost"], Groups=["managers"])).is_running


def test_the_workflow_can_catch_what_is_wrong():
    catch = [{"ErrorEquals": ["Approval.InvalidParameters"], "Next": "Plan"}]
    execution = started(
        {
            "StartAt": "Sign",
            "States": {
                "Sign": {**approval(Users=[]), "Catch": catch, "End": True},
                "Plan": {"Type": "Pass", "Result": "B", "End": True},
            },
        }
    )

    assert output(execution) == "B"
    failed = next(e for e in engine.log(execution.pk) if isinstance(e, asl.TaskFailed))
    assert failed.origin == asl.Origin(channel="engine")


def test_asking_wrongly_for_ever_has_an_end(settings):
    settings.WORKFLOWS = {"HISTORY_EVENTS": 200}
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Sign"}]
    state = {**approval(Users=[]), "Catch": catch, "End": True}

    error, _ = failure(started({"StartAt": "Sign", "States": {"Sign": state}}))

    assert error == "States.Runtime"
