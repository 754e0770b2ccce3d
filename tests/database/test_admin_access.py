"""Every address of the admin, for everybody: who gets what, and that a GET changes nothing.

The addresses come from the admin's own URL configuration, so that a new one
without a row in the tables fails.
"""

import json

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django.urls import reverse

from django_workflows import asl, engine, models
from tests.workflows import SYSTEM, approval, call, machine, person, published

pytestmark = pytest.mark.django_db

COMMANDS = ("stop_execution", "redrive_execution", "finish_waiting", "complete_task", "fail_task")

#: Who there is: permissions, groups.
PEOPLE = {
    "nobody": ((), ()),
    "viewer": (("view_execution", "view_workflow"), ()),
    "author": (("view_workflow", "add_workflow", "change_workflow", "delete_workflow"), ()),
    "starter": (("start_execution",), ()),
    "operator": (("view_execution", "start_execution", *COMMANDS), ()),
    # Each may do one thing alone.
    "stopper": (("view_execution", "stop_execution"), ()),
    "blind_stopper": (("stop_execution",), ()),
    # Ada is named by the approval; the managers are; the clerks are not.
    "ada": ((), ()),
    "manager": ((), ("managers",)),
    "clerk": ((), ("clerks",)),
    "clerk_operator": (("view_execution", *COMMANDS), ("clerks",)),
    "judge": (("view_execution", "decide_any_approval", "complete_task", "fail_task"), ()),
}
EVERYBODY = ["anonymous", "outsider", *PEOPLE, "root"]

DOCUMENT = machine(
    All={
        "Type": "Parallel",
        "Branches": [
            machine(
                # Put together, so that the definition does not say it.
                Sign=approval(
                    **{
                        "Title.$": "States.Format('sec{}', 'ret title')",
                        "Instructions.$": "States.Format('sec{}', 'ret instructions')",
                        "Users.$": "States.Array(States.Format('a{}', 'da'))",
                        "Groups.$": "States.Array(States.Format('mana{}', 'gers'))",
                        "Amount.$": "States.Format('sec{}', 'ret amount')",
                    }
                )
            ),
            machine(Ship=call("callback")),
            machine(Rest={"Type": "Wait", "Seconds": 3600}),
        ],
    }
)


@pytest.fixture
def people(db):
    found = {"anonymous": None, "outsider": person("outsider", groups=("managers",))}
    for name, (permissions, groups) in PEOPLE.items():
        found[name] = person(name, *permissions, groups=groups, is_staff=True)
    found["root"] = person("root", is_staff=True, is_superuser=True)
    return found


@pytest.fixture
def execution(people):
    workflow = published(DOCUMENT)
    return engine.start(workflow, {}, actor=SYSTEM, name="one")


@pytest.fixture
def as_(client, people):
    def sign_in(name):
        client.logout()
        if people[name] is not None:
            client.force_login(people[name])
        return client

    return sign_in


def numbers(execution):
    """The approval, the callback and the wait."""
    tasks = {task.state: task for task in execution.tasks.all()}
    wait = next(
        event.seq for event in engine.log(execution.pk) if isinstance(event, asl.WaitStarted)
    )
    return tasks["Sign"], tasks["Ship"], wait


def addresses(execution):
    """Every address of ours, by name; those about the approval by names of their own."""
    sign, ship, wait = numbers(execution)
    workflow = execution.workflow
    of_workflow, of_execution = (workflow.pk,), (execution.pk,)
    arguments = {
        "workflow_changelist": (),
        "workflow_add": (),
        "workflow_change": of_workflow,
        "workflow_history": of_workflow,
        "workflow_delete": of_workflow,
        "workflow_start": of_workflow,
        "definition_changelist": (),
        "definition_add": (),
        "definition_change": (workflow.current_id,),
        "definition_history": (workflow.current_id,),
        "definition_delete": (workflow.current_id,),
        "execution_changelist": (),
        "execution_add": (),
        "execution_change": of_execution,
        "execution_history": of_execution,
        "execution_delete": of_execution,
        "execution_event": (execution.pk, 1),
        "execution_stop": of_execution,
        "execution_redrive": of_execution,
        "execution_start_again": of_execution,
        "execution_finish_waiting": (execution.pk, wait),
        "execution_complete_task": (execution.pk, ship.seq),
        "execution_fail_task": (execution.pk, ship.seq),
        "task_changelist": (),
        "task_change": (sign.pk,),
    }
    found = {
        name: reverse(f"admin:django_workflows_{name}", args=args)
        for name, args in arguments.items()
    }
    for command in ("complete_task", "fail_task"):
        found[f"{command} of the approval"] = reverse(
            f"admin:django_workflows_execution_{command}", args=(execution.pk, sign.seq)
        )
    return found


#: Answers to a GET; whoever is not named gets the row's first.
LOGIN = 302
GETS = {
    "workflow_changelist": (403, {200: "viewer author starter operator root"}),
    "workflow_add": (403, {200: "author root"}),
    "workflow_change": (403, {200: "viewer author starter operator root"}),
    "workflow_history": (403, {200: "viewer author starter operator root"}),
    # It has run, so nobody may delete it.
    "workflow_delete": (403, {}),
    "workflow_start": (403, {200: "starter operator root"}),
    "definition_changelist": (403, {200: "viewer author root"}),
    "definition_add": (403, {}),
    "definition_change": (403, {200: "viewer author root"}),
    "definition_history": (403, {200: "viewer author root"}),
    "definition_delete": (403, {}),
    "execution_changelist": (403, {200: "viewer operator stopper clerk_operator judge root"}),
    "execution_add": (403, {}),
    "execution_change": (403, {200: "viewer operator stopper clerk_operator judge root"}),
    "execution_history": (403, {200: "viewer operator stopper clerk_operator judge root"}),
    "execution_delete": (403, {}),
    "execution_event": (403, {200: "viewer operator stopper clerk_operator judge root"}),
    "execution_stop": (403, {200: "operator stopper clerk_operator root"}),
    "execution_redrive": (403, {200: "operator clerk_operator root"}),
    "execution_start_again": (403, {200: "operator root"}),
    "execution_finish_waiting": (403, {200: "operator clerk_operator root"}),
    "execution_complete_task": (403, {200: "operator clerk_operator judge root"}),
    "execution_fail_task": (403, {200: "operator clerk_operator judge root"}),
    "task_changelist": (200, {}),
    "task_change": (404, {200: "ada manager judge root"}),
    # Who may see executions gets no further than "not found".
    "complete_task of the approval": (
        403,
        {200: "judge root", 404: "viewer operator stopper clerk_operator"},
    ),
    "fail_task of the approval": (
        403,
        {200: "judge root", 404: "viewer operator stopper clerk_operator"},
    ),
}

#: Answers to a POST that would be right, where they are others than to a GET.
POSTS = {
    "workflow_changelist": None,
    "workflow_add": (403, {302: "author root"}),
    "workflow_change": (403, {302: "author root"}),
    "workflow_history": None,
    "workflow_start": (403, {302: "starter operator root"}),
    "definition_changelist": None,
    "definition_change": (403, {}),
    "definition_history": None,
    "execution_changelist": None,
    "execution_change": (403, {405: "viewer operator stopper clerk_operator judge root"}),
    "execution_history": None,
    "execution_event": None,
    "execution_stop": (403, {302: "operator stopper clerk_operator root"}),
    # It runs: a message says that nothing was done.
    "execution_redrive": (403, {302: "operator clerk_operator root"}),
    "execution_start_again": (403, {302: "operator root"}),
    "execution_finish_waiting": (403, {302: "operator clerk_operator root"}),
    "execution_complete_task": (403, {302: "operator clerk_operator judge root"}),
    "execution_fail_task": (403, {302: "operator clerk_operator judge root"}),
    "task_changelist": None,
    "task_change": (404, {302: "ada manager judge root"}),
    "complete_task of the approval": (
        403,
        {302: "judge root", 404: "viewer operator stopper clerk_operator"},
    ),
    "fail_task of the approval": (
        403,
        {302: "judge root", 404: "viewer operator stopper clerk_operator"},
    ),
}

BODIES = {
    "workflow_add": {"name": "fresh", "definition": json.dumps(machine(A={"Type": "Pass"}))},
    "workflow_change": {"name": "order", "definition": json.dumps(machine(A={"Type": "Pass"}))},
    "workflow_delete": {"post": "yes"},
    "definition_delete": {"post": "yes"},
    "execution_delete": {"post": "yes"},
    "workflow_start": {"input": '{"a": 1}'},
    "execution_complete_task": {"result": "1"},
    "complete_task of the approval": {"result": "1"},
    "execution_fail_task": {"error": "Oops"},
    "fail_task of the approval": {"error": "Oops"},
    "task_change": {"decision": "approve"},
}


def expected(row, name):
    """The status for *name*; None where the login page is."""
    if name in ("anonymous", "outsider"):
        return None
    usual, others = row
    for status, names in others.items():
        if name in names.split():
            return status
    return usual


def stored():
    """All that a command would change, in numbers and texts."""
    return (
        list(models.Execution.objects.order_by("pk").values_list("pk", "seq", "status")),
        models.Event.objects.count(),
        list(models.Task.objects.order_by("pk").values_list("pk", "status", "deliveries")),
        list(models.Workflow.objects.order_by("pk").values_list("name", "current")),
        models.Definition.objects.count(),
        LogEntry.objects.count(),
    )


def test_every_address_is_in_the_tables(execution):
    ours = {
        pattern.name.removeprefix("django_workflows_")
        for model, model_admin in admin.site._registry.items()
        if model._meta.app_label == "django_workflows"
        for pattern in model_admin.get_urls()
        if pattern.name is not None
    }

    assert ours == {name for name in addresses(execution) if " of " not in name}
    assert set(GETS) == set(addresses(execution))
    assert set(POSTS) <= set(GETS)


def test_every_model_that_is_shown_is_ours():
    shown = {model for model in admin.site._registry if model._meta.app_label == "django_workflows"}

    assert shown == {models.Workflow, models.Definition, models.Execution, models.Task}


def redirects_to_login(response):
    return response.status_code == 302 and response.url.startswith(reverse("admin:login"))


@pytest.mark.parametrize("name", EVERYBODY)
def test_who_may_read_what_and_that_reading_changes_nothing(as_, execution, name):
    client = as_(name)
    before = stored()
    answers = {}

    for where, address in addresses(execution).items():
        response = client.get(address)
        answers[where] = None if redirects_to_login(response) else response.status_code

    assert answers == {where: expected(row, name) for where, row in GETS.items()}
    assert stored() == before


@pytest.mark.parametrize("where", GETS)
def test_who_may_do_what(as_, people, execution, where):
    address = addresses(execution)[where]
    row = POSTS.get(where, GETS[where])
    answers = {}
    for name in EVERYBODY:
        client = as_(name)
        before = stored()
        with transaction.atomic():
            response = client.post(address, BODIES.get(where, {}))
            has_changed = stored() != before
            transaction.set_rollback(True)
        assert stored() == before
        answers[name] = None if redirects_to_login(response) else response.status_code
        may = row is not None and expected(row, name) == 302
        assert has_changed == (may and where != "execution_redrive"), (where, name)

    if row is not None:
        assert answers == {name: expected(row, name) for name in EVERYBODY}


@pytest.mark.parametrize("name", sorted(set(EVERYBODY) - {"ada", "manager", "judge", "root"}))
def test_what_an_approval_says_is_nowhere_for_others(as_, execution, name):
    client = as_("root")
    assert secrets_in(client.get(addresses(execution)["execution_change"])) == [
        "secret",
        "group managers",
        "&quot;managers",
        "&quot;ada",
    ]
    client = as_(name)

    for address in addresses(execution).values():
        assert not secrets_in(client.get(address)), address
    for seq in range(1, execution.seq + 1):
        address = reverse("admin:django_workflows_execution_event", args=(execution.pk, seq))
        assert not secrets_in(client.get(address)), address


def secrets_in(response):
    text = response.content.decode()
    return [
        secret
        for secret in ("secret", "group managers", "&quot;managers", "&quot;ada")
        if secret in text
    ]


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "head"])
def test_other_methods_change_nothing(as_, execution, method):
    client = as_("root")
    before = stored()

    for where, address in addresses(execution).items():
        response = getattr(client, method)(address)
        assert response.status_code < 500, where

    assert stored() == before


def test_a_forged_form_is_refused(execution, people):
    client = Client(enforce_csrf_checks=True)
    client.force_login(people["root"])
    before = stored()

    for where, address in addresses(execution).items():
        assert client.post(address, BODIES.get(where, {})).status_code in (403, 405), where

    assert stored() == before


def test_an_inactive_user_is_sent_to_the_login(client, people, execution):
    ada = people["ada"]
    client.force_login(ada)
    ada.is_active = False
    ada.save()

    for address in addresses(execution).values():
        assert redirects_to_login(client.get(address))


@pytest.mark.parametrize("name", ["viewer", "root"])
def test_what_is_not_there_is_not_found(as_, execution, name):
    client = as_(name)
    unknown = "00000000-0000-4000-8000-000000000000"

    for address in (
        f"/admin/django_workflows/execution/{unknown}/change/",
        "/admin/django_workflows/execution/nonsense/change/",
        f"/admin/django_workflows/execution/{unknown}/stop/",
        f"/admin/django_workflows/execution/{unknown}/event/1/",
        f"/admin/django_workflows/execution/{execution.pk}/event/9999/",
        f"/admin/django_workflows/execution/{execution.pk}/complete_task/1/",
        f"/admin/django_workflows/execution/{execution.pk}/finish_waiting/9999/",
        "/admin/django_workflows/task/999/change/",
        f"/admin/django_workflows/task/{'9' * 30}/change/",
        f"/admin/django_workflows/execution/{execution.pk}/event/{'9' * 30}/",
    ):
        assert client.get(address).status_code == 404, address
        assert client.post(address).status_code in (404, 405), address


def test_groups_narrow_the_buttons(as_, execution):
    execution.workflow.operate_groups.add(Group.objects.get(name="clerks"))
    stop = addresses(execution)["execution_stop"]

    assert as_("operator").post(stop).status_code == 403
    assert as_("clerk_operator").post(stop).status_code == 302
