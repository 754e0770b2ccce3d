"""Who may call which endpoint of the API."""

import re

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from django_workflows import asl, engine, models
from django_workflows.api import problems, urls
from tests.api import EVERYTHING, client, problem, url
from tests.workflows import approval, as_user, call, checked, machine, only_task, person, started

pytestmark = pytest.mark.django_db

#: Every endpoint with its methods, and what a user without any permission gets.
WITHOUT_PERMISSION = {
    ("executions", "get"): 403,
    ("executions", "post"): 403,
    ("execution", "get"): 404,
    ("events", "get"): 404,
    ("history", "get"): 404,
    ("redrive", "get"): 404,
    ("commands", "post"): 404,
    ("tasks", "get"): 200,  # everyone has an inbox; this one is empty
    ("task", "get"): 404,
    ("decide", "post"): 404,
    ("activity-task", "post"): 403,
    ("token-succeed", "post"): 400,  # a token is all that is asked for, and it is missing
    ("token-fail", "post"): 400,
    ("token-heartbeat", "post"): 400,
}
METHODS = ("get", "post", "put", "patch", "delete")


def address(name, execution):
    arguments = {
        "execution": [execution.pk],
        "events": [execution.pk],
        "history": [execution.pk],
        "redrive": [execution.pk],
        "commands": [execution.pk],
        "activity-task": ["count"],
        "task": [f"{execution.pk}.3"],
        "decide": [f"{execution.pk}.3"],
    }
    return url(name, *arguments.get(name, []))


def waits_for_approval():
    person("boss")
    return started(machine(Sign=approval(Users=["boss"], Title="Sign, please")))


def test_no_endpoint_is_missing_in_the_table_above():
    allowed = {
        (pattern.name, method)
        for pattern in urls.urlpatterns
        for method in METHODS
        if hasattr(pattern.callback.cls, method)
    }

    assert allowed == set(WITHOUT_PERMISSION)


def test_the_reference_lists_every_endpoint_and_every_code():
    reference = (settings.BASE_DIR / "docs/reference/api.md").read_text(encoding="utf-8")
    addresses = {str(pattern.pattern).replace("<str:", "{") for pattern in urls.urlpatterns}

    for address in addresses:
        address = re.sub(r"\{(?!name)\w+>", "{id}", address).replace("{name>", "{name}")
        assert f"{address}`" in reference
    for _, code, _ in problems._REJECTIONS.values():
        assert f"`{code}`" in reference


@pytest.mark.parametrize(("name", "method"), WITHOUT_PERMISSION)
def test_nobody_in_particular_may_do_nothing(name, method):
    execution = waits_for_approval()

    response = getattr(client(), method)(address(name, execution), format="json")

    if name.startswith("token"):
        problem(response, 400, "invalid_request")
    else:
        problem(response, 403, "not_authenticated")
    assert checked(execution).seq == 3


@pytest.mark.parametrize(("name", "method"), WITHOUT_PERMISSION)
def test_who_has_no_permission_may_do_nothing(name, method):
    execution = waits_for_approval()

    response = getattr(client(person("nobody")), method)(address(name, execution), format="json")

    assert response.status_code == WITHOUT_PERMISSION[name, method]
    if response.status_code == 200:
        assert response.json() == {"next": None, "results": []}
    assert checked(execution).seq == 3


@pytest.mark.parametrize("name", {name for name, _ in WITHOUT_PERMISSION})
def test_other_methods_are_refused(name):
    execution = waits_for_approval()
    api = client(person("ada", *EVERYTHING))

    for method in METHODS:
        if (name, method) not in WITHOUT_PERMISSION:
            response = getattr(api, method)(address(name, execution), format="json")
            problem(response, 405, "method_not_allowed")


def test_who_is_not_active_may_do_nothing():
    execution = waits_for_approval()
    api = client(person("gone", *EVERYTHING, is_active=False))

    problem(api.get(address("executions", execution)), 403, "not_allowed")
    problem(api.get(address("execution", execution)), 404, "not_found")


def test_a_session_without_a_csrf_token_may_not_change_anything():
    execution = started(machine(Work=call("later")))
    api = APIClient(enforce_csrf_checks=True)
    api.force_login(person("ada", *EVERYTHING))

    response = api.post(address("commands", execution), {"command": "stop"}, format="json")

    problem(response, 403, "permission_denied")
    assert checked(execution).is_running


STEERING = [
    ({"command": "stop"}, "stop_execution"),
    ({"command": "finish_waiting", "wait": 6}, "finish_waiting"),
    ({"command": "complete_task", "task": 9, "output": 1}, "complete_task"),
    ({"command": "fail_task", "task": 9}, "fail_task"),
    ({"command": "heartbeat", "task": 9}, "complete_task"),
    ({"command": "redrive"}, "redrive_execution"),
]


@pytest.mark.parametrize(("body", "needed"), STEERING)
def test_each_command_needs_its_own_permission(body, needed):
    execution = busy()
    others = [one for one in EVERYTHING if one != needed]
    lacking, having = person("eve", *others), person("ada", "view_execution", needed)

    response = client(lacking).post(address("commands", execution), body, format="json")

    problem(response, 403, "not_allowed")
    assert needed in response.json()["detail"]
    assert checked(execution).seq == 9
    response = client(having).post(address("commands", execution), body, format="json")
    if needed == "redrive_execution":  # it runs: the permission was not what lacked
        problem(response, 409, "not_redrivable")
    else:
        assert response.status_code == 200, response.content


def busy():
    """An execution with the open wait 6 and the open task 9."""
    branches = [machine(Rest={"Type": "Wait", "Seconds": 60}), machine(Work=call("later"))]
    execution = started(machine(Both={"Type": "Parallel", "Branches": branches}))
    state = engine.load(execution.pk)
    assert (list(state.waits), list(state.tasks), state.seq) == ([6], [9], 9)
    return execution


def test_a_command_needs_that_the_execution_is_visible():
    execution = busy()
    blind = person("eve", *(one for one in EVERYTHING if one != "view_execution"))

    response = client(blind).post(
        address("commands", execution), {"command": "stop"}, format="json"
    )

    problem(response, 404, "not_found")
    assert checked(execution).is_running


def test_who_may_start_learns_where_it_is_even_without_seeing_it():
    workflow = started(machine(Work=call("later"))).workflow
    api = client(person("ada", "start_execution"))

    response = api.post(url("executions"), {"workflow": workflow.name}, format="json")

    assert response.status_code == 201
    assert set(response.json()) == {
        *("id", "workflow", "version", "name", "status", "started_at"),
    }
    problem(api.get(response["Location"]), 404, "not_found")


def test_starting_needs_the_permission_and_one_of_the_workflows_groups():
    workflow = started(machine(Work=call("later"))).workflow
    member = person("ada", "start_execution", groups=("sales",))
    workflow.start_groups.set(member.groups.all())
    address = url("executions")

    response = client(person("eve", "start_execution")).post(
        address, {"workflow": workflow.name}, format="json"
    )
    problem(response, 403, "not_allowed")
    response = client(member).post(address, {"workflow": workflow.name}, format="json")
    assert response.status_code == 201
    assert models.Execution.objects.filter(started_by=member).count() == 1


# -- approvals -----------------------------------------------------------------------------


def test_an_approval_exists_only_for_those_it_asks():
    execution = waits_for_approval()
    everything_but = client(person("eve", *EVERYTHING))
    asked = client(person_named("boss"))

    for api, status in ((everything_but, 404), (asked, 200)):
        assert api.get(address("task", execution)).status_code == status
        seen = api.get(address("tasks", execution)).json()["results"]
        assert len(seen) == (status == 200)
    response = everything_but.post(
        address("decide", execution), {"decision": "approve"}, format="json"
    )
    problem(response, 404, "not_found")
    assert checked(execution).seq == 3


def person_named(name):
    return get_user_model().objects.get(username=name)


def test_an_approval_is_not_answered_like_an_ordinary_task():
    execution = waits_for_approval()
    api = client(person("eve", *EVERYTHING))

    for body in (
        {"command": "complete_task", "task": 3, "output": {"decision": "approve"}},
        {"command": "fail_task", "task": 3},
        {"command": "heartbeat", "task": 3},
    ):
        response = api.post(address("commands", execution), body, format="json")
        problem(response, 403, "not_allowed")
    assert checked(execution).seq == 3


def test_what_an_approval_asks_is_hidden_from_other_readers_even_when_it_has_ended():
    execution = waits_for_approval()
    boss = person_named("boss")
    reader = person("eve", *EVERYTHING)
    anyone = person("root", "view_execution", "decide_any_approval")
    boss.user_permissions.set(reader.user_permissions.filter(codename="view_execution"))
    boss = person_named("boss")

    def what(user):
        response = client(user).get(address("events", execution))
        (event,) = (one for one in response.json()["results"] if one["type"] == "TaskStarted")
        return event["input"], event.get("input_hidden", False)

    def shown(user):
        return client(user).get(address("execution", execution)).json()["tasks"]

    shows = ({"Users": ["boss"], "Title": "Sign, please"}, False)
    assert what(reader) == (None, True)
    assert what(boss) == what(anyone) == shows
    assert shown(reader) == []
    assert [task["title"] for task in shown(boss)] == ["Sign, please"]
    assert shown(boss) == shown(anyone)

    engine.decide_approval(only_task(execution), "approve", actor=as_user(boss))
    assert what(reader) == (None, True)
    assert what(boss) == what(anyone) == shows


# -- secrets -------------------------------------------------------------------------------


def test_neither_the_seed_nor_a_token_nor_credentials_leave_the_server():
    document = machine(
        Work=call(
            "callback",
            Parameters={"token.$": "$$.Task.Token"},
            Credentials={"RoleArn": "arn:aws:iam::1:role/secret-role"},
        )
    )
    execution = started(document)
    seed = engine.load(execution.pk).seed
    token = engine.token_of(only_task(execution))
    other = started(machine(Keep={"Type": "Wait", "Seconds": 9}), {"for the child": token})
    api = client(person("ada", *EVERYTHING))

    pages = [
        api.get(address(name, one)).content.decode()
        for one in (execution, other)
        for name in ("executions", "execution", "events", "history")
    ]
    answer = api.post(
        address("commands", execution),
        {"command": "complete_task", "task": 3, "output": {"token": token}},
        format="json",
    )

    for text in (*pages, answer.content.decode()):
        assert seed not in text
        assert token not in text
        assert "secret-role" not in text
    assert "wft.(hidden)" in pages[2]
    assert "wft.(hidden)" in pages[3]
    assert "wft.(hidden)" in pages[5]
    assert engine.load(execution.pk).output == {"token": token}
    assert isinstance(engine.log(execution.pk)[0], asl.ExecutionStarted)
