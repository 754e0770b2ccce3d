"""Executions are started, listed and read through the API."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from django_workflows import asl, engine, models
from tests.api import EVERYTHING, client, post, problem, url
from tests.workflows import (
    SYSTEM,
    as_user,
    at_once,
    call,
    checked,
    machine,
    person,
    published,
    send,
    started,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WAIT = {"Type": "Wait", "Seconds": 60}


@pytest.fixture
def ada(db):
    return person("ada", *EVERYTHING)


@pytest.fixture
def api(ada):
    return client(ada)


def start(api, **body):
    return api.post(url("executions"), body, format="json")


# -- starting ------------------------------------------------------------------------------


def test_a_start_makes_an_execution_and_says_where_it_is(api, ada):
    published(name="order")

    response = start(api, workflow="order", input={"n": 1}, name="order-1", reason="by phone")

    assert response.status_code == 201
    row = checked(models.Execution.objects.get())
    assert response.json() == {
        "id": str(row.pk),
        "workflow": "order",
        "version": 1,
        "name": "order-1",
        "status": "RUNNING",
        "started_at": response.json()["started_at"],
    }
    assert response.json()["started_at"].endswith("Z")
    assert response["Location"] == f"http://testserver{url('execution', row.pk)}"
    assert (row.input, row.started_by) == ({"n": 1}, ada)
    origin = engine.log(row.pk)[0].origin
    assert origin == asl.Origin(by="ada", reason="by phone", channel="api")


def test_a_name_and_an_input_may_be_left_out(api):
    published(name="order")

    first, second = start(api, workflow="order"), start(api, workflow="order", name=None)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    assert checked(first.json()["id"]).input == {}


def test_null_is_an_input(api):
    published(name="order")

    assert checked(start(api, workflow="order", input=None).json()["id"]).input is None


def test_the_same_name_and_input_is_the_same_execution(api):
    published(name="order")
    first = start(api, workflow="order", input={"n": 1, "m": 2}, name="order-1")

    again = start(api, workflow="order", input={"m": 2.0, "n": 1}, name="order-1")
    other = start(api, workflow="order", input={"n": 2}, name="order-1")

    assert (again.status_code, again.json()) == (200, first.json())
    assert again["Location"] == first["Location"]
    assert "with another input" in problem(other, 409, "execution_already_exists")["detail"]
    assert models.Execution.objects.count() == 1


def test_a_workflow_without_a_version_cannot_be_started(api):
    models.Workflow.objects.create(name="empty")

    problem(start(api, workflow="empty"), 409, "not_published")


def test_an_unknown_workflow_is_named(api):
    (error,) = problem(start(api, workflow="ordre"), 400, "invalid_request")["errors"]

    assert error == {
        "pointer": "/workflow",
        "code": "unknown_workflow",
        "detail": "no workflow is named 'ordre'",
    }


@pytest.mark.django_db(transaction=True)
def test_starts_at_the_same_time_with_one_name_make_one_execution():
    published(machine(Rest=WAIT), name="order")
    ada = person("ada", "start_execution")

    responses = at_once(
        *[lambda: start(client(ada), workflow="order", input={"n": 1}, name="order-1")] * 4
    )

    assert sorted(response.status_code for response in responses) == [200, 200, 200, 201]
    assert len({response.json()["id"] for response in responses}) == 1
    checked(models.Execution.objects.get())


# -- lists ---------------------------------------------------------------------------------


@pytest.fixture
def five(db):
    """Five executions, some of which began at the same moment; newest first."""
    workflow = published(machine(Rest=WAIT))
    rows = [
        engine.start(workflow, actor=SYSTEM, name=f"n{index}", at=NOW + timedelta(hours=hour))
        for index, hour in enumerate((0, 1, 1, 1, 2))
    ]
    return sorted(rows, key=lambda row: (-row.started_at.timestamp(), str(row.pk)))


def test_the_newest_are_listed_first_page_by_page(api, five):
    address, seen, pages = url("executions") + "?limit=2", [], 0
    while address:
        page = api.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address, pages = page["next"], pages + 1

    assert seen == [str(row.pk) for row in five]
    assert pages == 3


def test_a_page_does_not_shift_when_executions_are_started_meanwhile(api, five):
    first = api.get(url("executions"), {"limit": 3}).json()
    engine.start(five[0].workflow, actor=SYSTEM)

    second = api.get(first["next"]).json()

    assert [row["id"] for row in second["results"]] == [str(row.pk) for row in five[3:]]


def test_a_row_of_the_list_says_what_is_small(api, ada):
    workflow = published(machine(Pay=call("later"), Rest=WAIT))
    row = engine.start(workflow, {"n": 1}, actor=as_user(ada), name="order-1", at=NOW)

    (found,) = api.get(url("executions")).json()["results"]

    assert found == {
        "id": str(row.pk),
        "workflow": "order",
        "version": 1,
        "name": "order-1",
        "status": "RUNNING",
        "started_at": "2026-03-01T12:00:00.000000Z",
        "updated_at": "2026-03-01T12:00:00.000000Z",
        "ended_at": None,
        "started_by": "ada",
        "error": None,
        "seq": 3,
        "waiting_for": "task",
        "waiting_since": "2026-03-01T12:00:00.000000Z",
        "current_states": "Pay",
        "retry_count": 0,
    }


def test_moments_are_utc_whatever_the_sites_time_zone(api, five, settings):
    settings.TIME_ZONE = "Asia/Kathmandu"

    page = api.get(url("executions")).json()

    assert page["results"][0]["started_at"] == "2026-03-01T14:00:00.000000Z"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, {"rests", "works", "stopped"}),
        ({"status": "RUNNING"}, {"rests", "works"}),
        ({"status": "ABORTED"}, {"stopped"}),
        ({"waiting_for": "timer"}, {"rests"}),
        ({"waiting_for": "task", "status": "RUNNING"}, {"works"}),
        ({"workflow": "resting"}, {"rests"}),
        ({"workflow": "nothing"}, set()),
        ({"status": "FAILED"}, set()),
    ],
)
def test_lists_are_filtered(api, query, names):
    working = published(machine(Work=call("later")), name="working")
    engine.start(published(machine(Rest=WAIT), name="resting"), actor=SYSTEM, name="rests")
    engine.start(working, actor=SYSTEM, name="works")
    send(engine.start(working, actor=SYSTEM, name="stopped"), asl.Stop())

    found = api.get(url("executions"), query).json()["results"]

    assert {row["name"] for row in found} == names


def test_a_filter_stays_in_the_next_link(api, five):
    send(five[1], asl.Stop())

    first = api.get(url("executions"), {"limit": 2, "status": "RUNNING"}).json()
    second = api.get(first["next"]).json()

    seen = [row["id"] for page in (first, second) for row in page["results"]]
    assert seen == [str(row.pk) for row in five if row != five[1]]


# -- one execution -------------------------------------------------------------------------


def test_an_execution_is_shown_with_what_it_waits_for(api):
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 10}]
    branches = [
        machine(Rest=WAIT),
        machine(Work=call("later", TimeoutSeconds=60)),
        machine(Again=call("later", Retry=retry)),
    ]
    execution = started(machine(Both={"Type": "Parallel", "Branches": branches}), {"n": 1}, at=NOW)
    rest, work, again = 6, 9, 12
    execution = send(execution, asl.FailTask(task=again, error="Busy"), at=NOW)

    shown = api.get(url("execution", execution.pk)).json()

    assert (shown["input"], shown["output"], shown["error"]) == ({"n": 1}, None, None)
    assert shown["waits"] == [
        {
            "wait": rest,
            "kind": "timer",
            "state": "Rest",
            "path": ["Both", 0],
            "until": "2026-03-01T12:01:00.000000Z",
        },
        {
            "wait": 14,
            "kind": "retry",
            "state": "Again",
            "path": ["Both", 2],
            "until": "2026-03-01T12:00:10.000000Z",
        },
    ]
    assert shown["tasks"] == [
        {
            "id": f"{execution.pk}.{work}",
            "execution": str(execution.pk),
            "workflow": execution.workflow.name,
            "task": work,
            "kind": "handler",
            "status": "QUEUED",
            "resource": "later",
            "state": "Work",
            "path": ["Both", 1],
            "title": None,
            "instructions": None,
            "decisions": None,
            "started_at": "2026-03-01T12:00:00.000000Z",
            "deadline": "2026-03-01T12:01:00.000000Z",
        }
    ]
    assert (shown["task_count"], shown["wait_count"]) == (1, 2)


def test_an_execution_that_ended_shows_how(api):
    failing = {"Type": "Fail", "Error": "Declined", "Cause": "the card has expired"}
    failed, succeeded = started(machine(No=failing)), started(machine(Yes={"Type": "Succeed"}), [1])

    no = api.get(url("execution", failed.pk)).json()
    yes = api.get(url("execution", succeeded.pk)).json()

    assert (no["status"], no["error"], no["cause"]) == (
        *("FAILED", "Declined", "the card has expired"),
    )
    assert (yes["status"], yes["output"], yes["error"], yes["cause"]) == (
        *("SUCCEEDED", [1], None, None),
    )
    assert yes["ended_at"] is not None
    assert (yes["tasks"], yes["waits"], yes["waiting_for"]) == ([], [], None)


def test_of_very_many_open_tasks_the_first_are_shown_and_all_counted(api):
    each = {
        "Type": "Map",
        "ItemProcessor": machine(Work=call("later")),
    }
    execution = started(machine(Each=each), list(range(103)))

    shown = api.get(url("execution", execution.pk)).json()

    assert (len(shown["tasks"]), shown["task_count"]) == (100, 103)


# -- events --------------------------------------------------------------------------------


def test_events_are_those_of_the_log_in_order(api):
    execution = started(machine(Work=call("later"), Rest=WAIT), {"n": 1})
    send(execution, asl.CompleteTask(task=3, output=["done"]))

    page = api.get(url("events", execution.pk)).json()

    log = asl.encode_log(engine.log(execution.pk))
    for event in log:
        event.pop("seed", None)
        event.setdefault("path", [])
    assert page == {"next": None, "results": log}
    assert page["results"][2]["type"] == "TaskStarted"


def test_events_come_page_by_page_and_go_on_after_the_last(api):
    execution = started(machine(Work=call("later"), Rest=WAIT))

    first = api.get(url("events", execution.pk), {"limit": 2}).json()
    second = api.get(first["next"]).json()
    third = api.get(url("events", execution.pk), {"after": 3}).json()

    assert [event["seq"] for event in first["results"]] == [1, 2]
    assert [event["seq"] for event in second["results"]] == [3]
    assert (second["next"], third) == (None, {"next": None, "results": []})

    send(execution, asl.CompleteTask(task=3, output=None))
    fresh = api.get(url("events", execution.pk), {"after": 3}).json()
    assert [event["seq"] for event in fresh["results"]] == [4, 5, 6, 7]


@pytest.mark.parametrize(
    "payload", ["\x00", "\ud800", "\udc00\ud800", "é𝄞\u2028", {"\x00": "\ud83d"}, 10**400, 1e308]
)
def test_any_json_data_survive_the_way_in_and_out(api, payload):
    published(machine(Work=call("later")), name="order")

    body = {"workflow": "order", "input": [payload]}
    key = post(api, url("executions"), json.dumps(body)).json()["id"]
    command = {"command": "complete_task", "task": 3, "output": {"is": payload}}
    answer = post(api, url("commands", key), json.dumps(command))

    shown = api.get(url("execution", key))
    assert answer.status_code == 200
    assert shown.content.isascii()
    assert (shown.json()["input"], shown.json()["output"]) == ([payload], {"is": payload})
    assert api.get(url("events", key)).json()["results"][0]["input"] == [payload]
    checked(key)


# -- the cost ------------------------------------------------------------------------------


def test_lists_and_details_have_a_fixed_number_of_queries(django_assert_num_queries):
    ada = person("ada", *EVERYTHING, groups=("managers",))
    workflow = published(machine(Work=call("later"), Rest=WAIT))
    row = engine.start(workflow, actor=as_user(ada))

    def counted(name, *args, queries):
        # A user who was just read, as with each request: permissions are read too.
        api = client(type(ada).objects.get(pk=ada.pk))
        with django_assert_num_queries(queries):
            assert api.get(url(name, *args)).status_code == 200

    for _ in range(2):
        counted("executions", queries=PERMISSIONS + 1)
        counted("execution", row.pk, queries=PERMISSIONS + 4)
        counted("events", row.pk, queries=PERMISSIONS + 2)
        for _ in range(5):
            engine.start(workflow, actor=SYSTEM)
    send(row, asl.CompleteTask(task=3, output=None))
    counted("execution", row.pk, queries=PERMISSIONS + 6)
    counted("events", row.pk, queries=PERMISSIONS + 2)


#: What Django reads to know what a user may do: their own permissions, their groups'.
PERMISSIONS = 2
