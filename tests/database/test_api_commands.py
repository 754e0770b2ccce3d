"""Executions are steered, approvals decided and tasks answered by token through the API."""

import json

import pytest
from django.db import connection

from django_workflows import asl, engine, models
from tests.api import EVERYTHING, client, post, problem, task_url, url
from tests.workflows import (
    approval,
    as_user,
    at_once,
    call,
    checked,
    drain,
    machine,
    only_task,
    output,
    person,
    send,
    started,
)

pytestmark = pytest.mark.django_db

WAIT = {"Type": "Wait", "Seconds": 60}


@pytest.fixture
def api(db):
    return client(person("ada", *EVERYTHING))


def command(api, execution, **body):
    return api.post(url("commands", execution.pk), body, format="json")


def types(response):
    assert response.status_code == 200, response.content
    return [event["type"] for event in response.json()["events"]]


# -- commands ------------------------------------------------------------------------------


def test_a_wait_is_ended_now_and_the_log_says_by_whom_and_why(api):
    execution = started(machine(Rest=WAIT))

    response = command(api, execution, command="finish_waiting", wait=3, reason="in a hurry")

    assert response.json()["status"] == "SUCCEEDED"
    assert types(response) == ["WaitFinished", "StateExited", "ExecutionSucceeded"]
    assert response.json()["events"][0]["origin"] == {
        "by": "ada",
        "reason": "in a hurry",
        "channel": "api",
    }
    assert checked(execution).status == "SUCCEEDED"


def test_a_task_is_completed(api):
    execution = started(machine(Work=call("later")))

    response = command(api, execution, command="complete_task", task=3, output=None)

    assert types(response)[0] == "TaskSucceeded"
    assert output(execution) is None


def test_a_task_is_failed(api):
    execution = started(machine(Work=call("later")))

    response = command(
        api, execution, command="fail_task", task=3, error="Lost\x00", cause="in the post"
    )

    assert types(response)[0] == "TaskFailed"
    assert response.json()["events"][0]["error"] == "Lost\x00"
    assert response.json()["status"] == "FAILED"
    assert checked(execution).cause == "in the post"


def test_a_task_says_that_it_is_at_work(api):
    execution = started(machine(Work=call("later", HeartbeatSeconds=60)))

    response = command(api, execution, command="heartbeat", task=3)

    assert types(response) == ["TaskHeartbeat"]
    assert response.json()["status"] == "RUNNING"


def test_an_execution_is_stopped(api):
    execution = started(machine(Rest=WAIT))

    response = command(api, execution, command="stop", error="Cancelled", cause="by phone")

    assert types(response) == ["ExecutionAborted"]
    row = checked(execution)
    assert (row.status, row.error, row.cause) == ("ABORTED", "Cancelled", "by phone")


def test_a_result_that_is_too_large_fails_the_task_as_on_aws(api):
    execution = started(machine(Work=call("later")))

    response = command(api, execution, command="complete_task", task=3, output="x" * 300_000)

    assert response.json()["events"][0]["error"] == "States.DataLimitExceeded"
    assert checked(execution).status == "FAILED"


def test_a_rejected_command_says_what_is_awaited_now(api):
    execution = started(machine(Work=call("later"), Rest=WAIT))
    send(execution, asl.CompleteTask(task=3, output=1))

    body = problem(
        command(api, execution, command="complete_task", task=3, output=2), 409, "not_pending"
    )

    assert body["detail"].startswith("task 3 is not pending: the execution is at event 7")
    (wait,) = body["execution"].pop("waits")
    assert (wait["wait"], wait["state"]) == (7, "Rest")
    assert body["execution"] == {
        "id": str(execution.pk),
        "status": "RUNNING",
        "tasks": [],
        "task_count": 0,
        "wait_count": 1,
    }
    assert checked(execution).seq == 7


def test_an_execution_that_ended_takes_no_command(api):
    execution = started(machine(Done={"Type": "Succeed"}))

    body = problem(command(api, execution, command="stop"), 409, "execution_ended")

    assert body["execution"]["status"] == "SUCCEEDED"


def test_of_very_many_events_the_first_are_answered_and_the_way_to_the_others(api):
    each = {"Type": "Map", "ItemProcessor": machine(Work=call("later"))}
    execution = started(machine(Rest=WAIT, Each=each), list(range(60)))

    answer = command(api, execution, command="finish_waiting", wait=3).json()
    rest = api.get(answer["next"]).json()["results"]

    seqs = [event["seq"] for event in [*answer["events"], *rest]]
    assert len(answer["events"]) == 100
    assert seqs == list(range(4, checked(execution).seq + 1))


def test_a_rejection_is_answered_where_requests_are_transactions_too(api, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    execution = started(machine(Rest=WAIT))

    response = command(api, execution, command="finish_waiting", wait=17)

    body = problem(response, 409, "not_pending")
    assert body["execution"]["waits"][0]["wait"] == 3
    assert command(api, execution, command="finish_waiting", wait=3).status_code == 200
    assert checked(execution).status == "SUCCEEDED"


@pytest.mark.django_db(transaction=True)
def test_of_two_answers_at_the_same_time_one_counts():
    execution = started(machine(Work=call("later"), Rest=WAIT))
    ada, eve = person("ada", *EVERYTHING), person("eve", *EVERYTHING)

    responses = at_once(
        *(
            lambda who=who: command(
                client(who), execution, command="complete_task", task=3, output=who.username
            )
            for who in (ada, eve)
        )
    )

    assert sorted(response.status_code for response in responses) == [200, 409]
    (refused,) = (response for response in responses if response.status_code == 409)
    problem(refused, 409, "not_pending")
    checked(execution)


# -- approvals -----------------------------------------------------------------------------


def asking(**parameters):
    parameters = {"Title": "Order 7", "Instructions": "Too much?", "Users": ["boss"], **parameters}
    return started(machine(Sign=approval(**parameters)))


def decide(user, execution, **body):
    return client(user).post(task_url("decide", execution, 3), body, format="json")


def test_the_inbox_has_what_one_is_asked_the_oldest_first():
    boss, manager = person("boss"), person("meg", groups=("managers",))
    first, second = asking(), asking(Users=[], Groups=["managers"], Decisions=["yes", "no"])
    third = asking(Groups=["managers"])
    started(machine(Work=call("later")))

    def inbox(user):
        page = client(user).get(url("tasks")).json()
        assert page["next"] is None
        return page["results"]

    assert [task["execution"] for task in inbox(boss)] == [str(first.pk), str(third.pk)]
    assert [task["execution"] for task in inbox(manager)] == [str(second.pk), str(third.pk)]
    task = inbox(manager)[0]
    assert task.pop("started_at").endswith("Z")
    assert task == {
        "id": f"{second.pk}.3",
        "execution": str(second.pk),
        "workflow": second.workflow.name,
        "task": 3,
        "kind": "approval",
        "status": "PENDING",
        "resource": "approval",
        "state": "Sign",
        "path": [],
        "title": "Order 7",
        "instructions": "Too much?",
        "decisions": ["yes", "no"],
        "deadline": None,
    }


def test_an_approval_is_shown_to_those_it_asks_with_all_it_says():
    boss = person("boss")
    execution = asking(Order={"total": 12_000})

    shown = client(boss).get(task_url("task", execution, 3)).json()

    assert (shown["title"], shown["decisions"]) == ("Order 7", ["approve", "reject"])
    assert shown["input"]["Order"] == {"total": 12_000}


def test_the_inbox_comes_page_by_page():
    boss = person("boss")
    executions = [asking() for _ in range(5)]

    address, seen = f"{url('tasks')}?limit=2", []
    while address:
        page = client(boss).get(address).json()
        seen += [task["execution"] for task in page["results"]]
        address = page["next"]

    assert seen == [str(execution.pk) for execution in executions]


def test_the_inbox_and_a_task_have_a_fixed_number_of_queries(django_assert_num_queries):
    boss = person("boss", groups=("managers",))
    for count in (1, 5):
        for _ in range(count):
            execution = asking()
        # Two for permissions, one for groups, one for tasks with their executions.
        for address, queries in ((url("tasks"), 4), (task_url("task", execution, 3), 4 + 1)):
            api = client(type(boss).objects.get())
            with django_assert_num_queries(queries):
                assert api.get(address).status_code == 200


def test_a_decision_is_the_tasks_result():
    boss = person("boss")
    execution = asking()

    response = decide(boss, execution, decision="approve", comment="fine 😀")

    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("at").endswith("Z")
    assert answer == {
        "id": f"{execution.pk}.3",
        "decision": "approve",
        "by": "boss",
        "comment": "fine 😀",
    }
    assert output(execution)["decision"] == "approve"
    origin = next(e for e in engine.log(execution.pk) if isinstance(e, asl.TaskSucceeded)).origin
    assert origin == asl.Origin(by="boss", reason="fine 😀", channel="api")


def test_a_decision_must_be_one_of_those_that_are_asked_for():
    boss = person("boss")
    execution = asking()

    body = problem(decide(boss, execution, decision="perhaps"), 400, "invalid_request")

    assert body["errors"] == [
        {
            "pointer": "/decision",
            "code": "invalid_value",
            "detail": "expected one of approve, reject, found 'perhaps'",
        }
    ]
    assert checked(execution).seq == 3


def test_who_comes_late_is_told_so_and_who_was_never_asked_is_not():
    boss, manager = person("boss"), person("meg", groups=("managers",))
    reader, anyone = person("eve", *EVERYTHING), person("root", "decide_any_approval")
    execution = asking(Groups=["managers"])
    engine.decide_approval(only_task(execution), "reject", actor=as_user(boss))

    for user in (boss, manager, anyone):
        body = problem(decide(user, execution, decision="approve"), 409, "not_pending")
        assert "execution" not in body
    problem(decide(reader, execution, decision="approve"), 404, "not_found")
    assert output(execution)["decision"] == "reject"


def test_who_may_decide_any_approval_decides_this_one():
    person("boss")
    execution = asking()

    response = decide(person("root", "decide_any_approval"), execution, decision="reject")

    assert response.status_code == 200
    assert output(execution)["by"] == "root"


def test_what_is_no_approval_is_not_decided(api):
    execution = started(machine(Work=call("later")))

    assert api.get(task_url("task", execution, 3)).json()["kind"] == "handler"
    response = api.post(task_url("decide", execution, 3), {"decision": "approve"}, format="json")
    problem(response, 404, "not_found")


@pytest.mark.django_db(transaction=True)
def test_of_two_decisions_at_the_same_time_one_counts():
    boss, meg = person("boss"), person("meg")
    execution = asking(Users=["boss", "meg"])

    responses = at_once(
        lambda: decide(boss, execution, decision="approve"),
        lambda: decide(meg, execution, decision="reject"),
    )

    assert sorted(response.status_code for response in responses) == [200, 409]
    (counted,) = (response for response in responses if response.status_code == 200)
    assert output(execution)["decision"] == counted.json()["decision"]


# -- tokens --------------------------------------------------------------------------------


@pytest.fixture
def waiting(db):
    return started(machine(Ask=call("callback", HeartbeatSeconds=60), Rest=WAIT))


def answer(how, token, **body):
    return client().post(url(f"token-{how}"), {"token": token, **body}, format="json")


def test_whoever_has_the_token_answers_the_task(waiting):
    token = engine.token_of(only_task(waiting))

    assert answer("heartbeat", token).status_code == 204
    response = answer("succeed", token, output={"paid": True})

    assert (response.status_code, response.content) == (204, b"")
    log = engine.log(waiting.pk)
    assert next(e for e in log if isinstance(e, asl.TaskSucceeded)).output == {"paid": True}
    assert log[-1].state == "Rest"


def test_whoever_has_the_token_fails_the_task(waiting):
    response = answer("fail", engine.token_of(only_task(waiting)), error="Declined", cause="x\x00")

    assert response.status_code == 204
    assert checked(waiting).error == "Declined"


@pytest.mark.parametrize("how", ["succeed", "fail", "heartbeat"])
def test_a_token_that_was_used_says_nothing_more_than_that(waiting, how):
    token = engine.token_of(only_task(waiting))
    answer("succeed", token, output=1)
    extra = {"output": 2} if how == "succeed" else {}

    body = problem(answer(how, token, **extra), 409, "not_pending")

    assert body["detail"] == "The task awaits no answer any more."
    assert "execution" not in body
    send(waiting, asl.Stop())
    assert problem(answer(how, token, **extra), 409, "not_pending") == body


def forged(token):
    other = started(machine(Ask=call("callback")))
    proof = engine.token_of(only_task(other)).rpartition(".")[2]
    stolen = f"{token.rpartition('.')[0]}.{proof}"
    return [
        stolen,
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        token.replace(".3.", ".4."),
        token.replace(token.split(".")[1], str(other.pk)),
        token + "\n",
        token[4:],
        "wft.00000000-0000-0000-0000-000000000000.3." + "A" * 43,
        "wft.x.3." + "A" * 43,
        "wft.." + "9" * 30 + "." + "A" * 43,
        "wft.\ud800.3." + "A" * 43,
        "\x00",
        "{",
    ]


@pytest.mark.parametrize("how", ["succeed", "fail", "heartbeat"])
def test_what_is_no_token_of_ours_is_refused_without_saying_why(waiting, how):
    token = engine.token_of(only_task(waiting))
    extra = {"output": 2} if how == "succeed" else {}

    said = []
    for text in forged(token):
        body = {"token": text, **extra}
        response = post(client(), url(f"token-{how}"), json.dumps(body))
        said.append(problem(response, 404, "invalid_token"))

    assert all(one == said[0] for one in said)
    assert checked(waiting).seq == 3


def test_a_token_does_not_decide_an_approval():
    person("boss")
    execution = asking()

    problem(answer("succeed", engine.token_of(only_task(execution)), output=1), 403, "not_allowed")

    assert checked(execution).seq == 3


def test_a_broken_session_does_not_keep_a_token_from_working(waiting):
    api = client()
    api.credentials(HTTP_AUTHORIZATION="Basic nonsense")

    response = api.post(
        url("token-heartbeat"), {"token": engine.token_of(only_task(waiting))}, format="json"
    )

    assert response.status_code == 204


@pytest.mark.django_db(transaction=True)
def test_a_token_used_by_two_at_the_same_time_counts_once():
    execution = started(machine(Ask=call("callback"), Rest=WAIT))
    token = engine.token_of(only_task(execution))

    responses = at_once(*[lambda: answer("succeed", token, output=1)] * 2)

    assert sorted(response.status_code for response in responses) == [204, 409]
    checked(execution)


def test_the_work_goes_on_after_an_answer(waiting):
    answer("succeed", engine.token_of(only_task(waiting)), output=1)

    assert drain() == 0
    assert models.Execution.objects.get().waiting_for == "timer"
