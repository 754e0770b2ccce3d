"""Through the API workers fetch tasks, and people see histories and redrive executions."""

import json
import time

import pytest
from django.db import connection

from django_workflows import asl, engine
from tests.api import EVERYTHING, client, post, problem, url
from tests.workflows import (
    approval,
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

COUNT = "arn:aws:states:eu-central-1:123456789012:activity:count"
WAIT = {"Type": "Wait", "Seconds": 60}


@pytest.fixture
def api(db):
    return client(person("ada", *EVERYTHING))


@pytest.fixture
def worker(db):
    return client(person("mill", "work_activities"))


def fetch(api, name="count", **body):
    return api.post(url("activity-task", name), body, format="json")


# -- activities ----------------------------------------------------------------------------


def test_a_worker_fetches_a_task_and_answers_it_by_its_token(worker):
    execution = started(machine(Count=call(COUNT, HeartbeatSeconds=60)), {"n": "\ud800\x00"})

    response = fetch(worker, worker_name="mill 7")

    assert response.status_code == 200
    fetched = response.json()
    assert fetched["input"] == {"n": "\ud800\x00"}
    assert fetched["task_token"] == engine.token_of(only_task(execution))
    assert checked(execution).tasks.get().worker == "mill 7"

    for name, said in (("heartbeat", {}), ("succeed", {"output": 12})):
        body = {"token": fetched["task_token"], **said}
        assert client().post(url(f"token-{name}"), body, format="json").status_code == 204
    assert output(execution) == 12


def test_what_another_workers_token_says_in_the_input_reaches_the_worker(worker):
    passed_on = {"token.$": "$$.Task.Token"}
    execution = started(machine(Count=call(COUNT, Parameters=passed_on)))

    fetched = fetch(worker).json()

    assert fetched["input"] == {"token": fetched["task_token"]}
    assert fetched["task_token"] == engine.token_of(only_task(execution))


def test_where_there_is_none_the_answer_is_empty(worker):
    started(machine(Count=call(COUNT)))

    for name in ("other", "a b", "%00", "ü"):
        response = fetch(worker, name)
        assert (response.status_code, response.content) == (204, b"")


def test_a_workflows_groups_narrow_what_is_fetched(worker):
    execution = started(machine(Count=call(COUNT)))
    person("boss", groups=("mills",))
    execution.workflow.operate_groups.set(person("x", groups=("mills",)).groups.all())

    assert fetch(worker).status_code == 204


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"worker_name": 7}, "/worker_name"),
        ({"worker_name": "x" * 81}, "/worker_name"),
        ({"wait_seconds": -1}, "/wait_seconds"),
        ({"wait_seconds": 61}, "/wait_seconds"),
        ({"wait_seconds": "long"}, "/wait_seconds"),
        ({"wait_seconds": None}, "/wait_seconds"),
        ({"wait": 1}, "/wait"),
    ],
)
def test_a_wrong_request_fetches_nothing(worker, body, pointer):
    execution = started(machine(Count=call(COUNT)))

    response = fetch(worker, **body)

    assert problem(response, 400, "invalid_request")["errors"][0]["pointer"] == pointer
    assert checked(execution).tasks.get().status == "QUEUED"


def test_a_request_waits_no_longer_than_the_site_allows(worker, settings):
    settings.WORKFLOWS = {"ACTIVITY_WAIT_SECONDS": 0.3}
    begun = time.monotonic()

    assert fetch(worker, wait_seconds=60).status_code == 204

    assert 0.3 <= time.monotonic() - begun < 5


@pytest.mark.django_db(transaction=True)
def test_a_request_that_waits_gets_what_comes_even_where_requests_are_transactions(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    worker = client(person("mill", "work_activities"))

    def begin():
        time.sleep(0.1)
        return started(machine(Count=call(COUNT)), {"n": 1})

    execution, response = at_once(begin, lambda: fetch(worker, wait_seconds=5))

    assert response.json()["input"] == {"n": 1}
    assert checked(execution).tasks.get().status == "RUNNING"


def test_a_site_may_close_the_tokens_endpoints(worker, settings):
    settings.WORKFLOWS = {"ANSWER_BY_TOKEN": False}
    execution = started(machine(Ask=call("callback")))
    token = engine.token_of(only_task(execution))

    for name in ("succeed", "fail", "heartbeat"):
        response = client().post(url(f"token-{name}"), {"token": token}, format="json")
        problem(response, 404, "not_found")

    assert checked(execution).is_running


# -- children ------------------------------------------------------------------------------


def test_the_executions_that_one_started_are_listed_by_it(api):
    started(machine(Rest=WAIT), name="other")
    child = started(machine(Rest=WAIT)).workflow
    resource = "arn:aws:states:::states:startExecution.sync"
    execution = started(machine(Go=call(resource, Parameters={"StateMachineArn": child.name})))
    drain()

    (listed,) = api.get(url("executions"), {"parent": str(execution.pk)}).json()["results"]
    shown = api.get(url("execution", listed["id"])).json()

    assert (shown["parent"], shown["parent_task"]) == (str(execution.pk), 3)
    own = api.get(url("execution", execution.pk)).json()
    assert (own["parent"], own["parent_task"]) == (None, None)
    response = api.get(url("executions"), {"parent": "1"})
    problem(response, 400, "invalid_request")


# -- redrive -------------------------------------------------------------------------------


def failed():
    branches = [machine(Fine={"Type": "Pass"}), machine(Pay=call("decline"), Ship=call("echo"))]
    execution = started(machine(Both={"Type": "Parallel", "Branches": branches}))
    drain()
    return checked(execution)


def test_a_failed_one_goes_on_and_says_before_what_would_run_again(api):
    execution = failed()

    preview = api.get(url("redrive", execution.pk)).json()
    response = api.post(
        url("commands", execution.pk), {"command": "redrive", "reason": "paid"}, format="json"
    )

    again = [{"state": "Pay", "path": ["Both", 1]}]
    assert preview == {"is_redrivable": True, "states": again, "state_count": 1}
    assert response.status_code == 200
    assert response.json()["status"] == "RUNNING"
    assert [event["type"] for event in response.json()["events"]] == [
        "ExecutionRedriven",
        "TaskStarted",
    ]
    assert response.json()["events"][0]["origin"]["reason"] == "paid"
    assert checked(execution).current_states == "Pay"


@pytest.mark.parametrize("state", [WAIT, {"Type": "Succeed"}])
def test_one_that_runs_or_succeeded_is_not_redriven(api, state):
    execution = started(machine(Only=state))

    preview = api.get(url("redrive", execution.pk)).json()
    response = api.post(url("commands", execution.pk), {"command": "redrive"}, format="json")

    assert preview == {"is_redrivable": False, "states": [], "state_count": 0}
    body = problem(response, 409, "not_redrivable")
    assert body["execution"]["status"] == execution.status
    assert checked(execution).seq == execution.seq


def test_of_very_many_states_the_first_are_shown_and_all_counted(api):
    fan = {"Type": "Map", "ItemProcessor": machine(Work=call("later"))}
    execution = started(machine(Fan=fan), list(range(120)))
    send(execution, asl.Stop())

    preview = api.get(url("redrive", execution.pk)).json()

    assert (len(preview["states"]), preview["state_count"]) == (100, 120)


# -- history -------------------------------------------------------------------------------


def history(api, execution, **query):
    response = api.get(url("history", execution.pk), query)
    assert response.status_code == 200, response.content
    return response.json()


def test_the_history_is_that_of_aws(api):
    execution = started(machine(Work=call("echo"), Done={"Type": "Succeed"}), {"n": 1})
    drain()

    shown = history(api, execution)

    assert shown["next"] is None
    assert shown["results"] == asl.history(execution.machine, engine.log(execution.pk))
    assert [event["type"] for event in shown["results"]][:4] == [
        *("ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted"),
    ]


def test_the_history_comes_page_by_page(api):
    execution = started(machine(Work=call("echo"), Done={"Type": "Succeed"}))
    drain()
    whole = history(api, execution)["results"]

    pages, query = [], {"limit": 3}
    while True:
        page = history(api, execution, **query)
        pages += page["results"]
        if page["next"] is None:
            break
        query = {"limit": 3, "after": page["results"][-1]["id"]}
        assert f"after={query['after']}" in page["next"]

    assert pages == whole
    assert history(api, execution, after=len(whole))["results"] == []
    problem(api.get(url("history", execution.pk), {"after": -1}), 400, "invalid_request")


def test_what_an_approval_asks_is_hidden_in_the_history_too(api):
    person("boss")
    execution = started(machine(Sign=approval(Users=["boss"], Title="Sign, please")))
    anyone = client(person("root", "view_execution", "decide_any_approval"))

    assert "Sign, please" not in json.dumps(history(api, execution))
    assert "Sign, please" in json.dumps(history(anyone, execution))


def test_an_empty_body_is_fine_for_a_worker(worker):
    started(machine(Count=call(COUNT)))

    assert post(worker, url("activity-task", "count"), "{}").status_code == 200
