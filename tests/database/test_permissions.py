"""Every command passes one function that says who may."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import PermissionDenied

from django_workflows import actors, asl, engine, permissions
from django_workflows.permissions import Action, NotAllowed, allows
from tests.workflows import (
    SYSTEM,
    approval,
    as_user,
    call,
    checked,
    machine,
    only_task,
    person,
    published,
    started,
)

pytestmark = pytest.mark.django_db

WAIT = {"Type": "Wait", "Seconds": 60}
COMMANDS = {
    "stop_execution": (asl.Stop(), WAIT),
    "finish_waiting": (asl.FinishWaiting(wait=3), WAIT),
    "complete_task": (asl.CompleteTask(task=3, output=1), call("echo")),
    "fail_task": (asl.FailTask(task=3, error="No"), call("echo")),
}
ALL = (*COMMANDS, "start_execution", "view_execution", "decide_any_approval")


@pytest.mark.parametrize("codename", COMMANDS)
def test_each_command_has_a_permission_of_its_own(codename):
    command, state = COMMANDS[codename]
    execution = started(machine(Only=state))
    others = person("others", *(set(ALL) - {codename}))

    with pytest.raises(NotAllowed, match=f"others lacks the permission {codename}"):
        engine.send(execution.pk, command, actor=as_user(others))
    assert checked(execution).seq == execution.seq

    engine.send(execution.pk, command, actor=as_user(person("right", codename)))
    assert checked(execution).seq > execution.seq


@pytest.mark.parametrize("codename", [*COMMANDS, "start_execution"])
def test_who_is_not_active_or_not_signed_in_may_do_nothing(codename):
    command, state = COMMANDS.get(codename, (None, WAIT))
    execution = started(machine(Only=state))
    left = person("left", *ALL, is_active=False, is_superuser=True)

    def attempt(actor):
        if command is None:
            engine.start(execution.workflow, actor=actor)
        else:
            engine.send(execution.pk, command, actor=actor)

    for user in (left, AnonymousUser()):
        with pytest.raises(NotAllowed, match="signed in and active"):
            attempt(actors.user(user, channel="test"))
        assert not permissions.visible_executions(user).exists()
        assert not permissions.visible_tasks(user).exists()


def test_starting_needs_its_permission():
    workflow = published()

    with pytest.raises(NotAllowed, match="lacks the permission start_execution"):
        engine.start(workflow, actor=as_user(person("others", *(set(ALL) - {"start_execution"}))))
    assert workflow.executions.count() == 0

    execution = engine.start(workflow, actor=as_user(person("right", "start_execution")))
    assert execution.started_by.username == "right"


def test_a_refusal_is_a_rejection_and_a_permission_denied():
    assert issubclass(NotAllowed, asl.CommandRejected)
    assert issubclass(NotAllowed, PermissionDenied)


def test_groups_narrow_who_may_start():
    workflow = published()
    workflow.start_groups.add(Group.objects.create(name="sales"))
    outside = person("outside", *ALL)
    inside = person("inside", "start_execution", groups=("sales",))
    without = person("without", groups=("sales",))

    with pytest.raises(NotAllowed, match="outside is in no group"):
        engine.start(workflow, actor=as_user(outside))
    with pytest.raises(NotAllowed, match="lacks the permission"):
        engine.start(workflow, actor=as_user(without))
    assert engine.start(workflow, actor=as_user(inside))
    assert engine.start(workflow, actor=as_user(person("root", is_superuser=True)))


@pytest.mark.parametrize("codename", COMMANDS)
def test_groups_narrow_who_may_steer(codename):
    command, state = COMMANDS[codename]
    execution = started(machine(Only=state))
    execution.workflow.operate_groups.add(Group.objects.create(name="operators"))

    with pytest.raises(NotAllowed, match="outside is in no group"):
        engine.send(execution.pk, command, actor=as_user(person("outside", *ALL)))
    inside = person("inside", codename, groups=("operators",))
    engine.send(execution.pk, command, actor=as_user(inside))


def test_the_workflow_that_counts_is_the_executions_own():
    """Not one that a URL names: see rule 5 of USER_PAINS, cross-object URLs."""
    execution = started()
    execution.workflow.operate_groups.add(Group.objects.create(name="operators"))
    user = person("outside", *ALL)

    assert not allows(user, Action.STOP, execution=execution)
    assert allows(user, Action.STOP, execution=started())


def test_nobody_but_the_engine_says_what_time_it_is():
    execution = started(machine(Rest=WAIT))
    root = person("root", is_superuser=True)

    with pytest.raises(NotAllowed, match="only the engine"):
        engine.send(execution.pk, asl.Wake(at=execution.wake_at), actor=as_user(root))


# -- approvals ---------------------------------------------------------------------------


@pytest.fixture
def asked():
    """An execution that asks ada, and the group managers."""
    person("ada")
    person("mo", groups=("managers",))
    return started(machine(Sign=approval(Users=["ada"], Groups=["managers"])))


@pytest.mark.parametrize("name", ["ada", "mo"])
def test_those_who_are_named_may_decide_without_any_permission(asked, name, django_user_model):
    user = django_user_model.objects.get(username=name)
    task = only_task(asked)

    assert list(permissions.inbox(user)) == [task]
    assert allows(user, Action.DECIDE, task=task)
    engine.decide_approval(task, "approve", actor=as_user(user))

    assert checked(asked).output["by"] == name


def test_who_is_not_named_neither_sees_nor_decides_nor_ends_it_otherwise(asked):
    everything_else = set(ALL) - {"decide_any_approval"}
    user = person("eve", *everything_else, groups=("sales",), is_staff=True)
    task = only_task(asked)

    assert not permissions.visible_tasks(user).exists()
    assert not allows(user, Action.DECIDE, task=task)
    with pytest.raises(NotAllowed, match="eve is not among those who are asked"):
        engine.decide_approval(task, "approve", actor=as_user(user))
    for command in (
        asl.CompleteTask(task=task.seq, output={"decision": "approve"}),
        asl.FailTask(task=task.seq),
        asl.Heartbeat(task=task.seq),
    ):
        with pytest.raises(NotAllowed, match="decided by those it asks"):
            engine.send(asked.pk, command, actor=as_user(user))
    assert checked(asked).seq == asked.seq


def test_being_named_gives_no_right_to_end_it_otherwise(asked, django_user_model):
    ada = django_user_model.objects.get(username="ada")

    with pytest.raises(NotAllowed, match="lacks the permission complete_task"):
        engine.send(asked.pk, asl.CompleteTask(task=3, output=1), actor=as_user(ada))


def test_a_namesake_among_groups_is_not_the_user(asked):
    other = person("managers", groups=("ada",))

    assert not permissions.inbox(other).exists()
    assert not allows(other, Action.DECIDE, task=only_task(asked))


def test_with_the_override_permission_all_are_seen_and_decided(asked):
    user = person("boss", "decide_any_approval")

    assert list(permissions.inbox(user)) == [only_task(asked)]
    engine.decide_approval(only_task(asked), "reject", actor=as_user(user))

    assert checked(asked).output["decision"] == "reject"


def test_the_override_is_narrowed_by_the_workflows_groups(asked):
    asked.workflow.operate_groups.add(Group.objects.create(name="operators"))
    outside = person("outside", "decide_any_approval")
    inside = person("inside", "decide_any_approval", groups=("operators",))

    assert not permissions.inbox(outside).exists()
    assert not allows(outside, Action.DECIDE, task=only_task(asked))
    assert list(permissions.inbox(inside)) == [only_task(asked)]
    assert list(permissions.inbox(person("root", is_superuser=True))) == [only_task(asked)]


def test_ending_an_approval_otherwise_needs_both_permissions(asked):
    user = person("boss", "complete_task", "decide_any_approval")

    engine.send(asked.pk, asl.CompleteTask(task=3, output="by hand"), actor=as_user(user))

    assert checked(asked).output == "by hand"


def test_other_tasks_are_seen_with_the_permission_to_view(asked):
    work = only_task(started())
    viewer = person("viewer", "view_execution")

    assert list(permissions.visible_tasks(viewer)) == [work]
    assert permissions.visible_executions(viewer).count() == 2
    assert not permissions.visible_executions(person("nobody")).exists()


def test_what_is_seen_is_what_may_be_decided(asked):
    """The queryset and the function say the same, for every kind of user."""
    person("x")
    execution = started(machine(Sign=approval(Users=["x"])))
    execution.workflow.operate_groups.add(Group.objects.create(name="operators"))
    users = [
        person("u1", "decide_any_approval"),
        person("u2", "decide_any_approval", groups=("operators",)),
        person("u3", groups=("managers", "operators")),
        person("u4", *ALL),
        person("u5", is_superuser=True),
        person("u6", is_superuser=True, is_active=False),
        person("u7"),
    ]
    tasks = [only_task(asked), only_task(execution)]

    for user in users:
        seen = set(permissions.inbox(user))
        assert seen == {task for task in tasks if allows(user, Action.DECIDE, task=task)}


def test_showing_a_list_of_buttons_asks_for_the_groups_once(asked, django_assert_max_num_queries):
    for _ in range(5):
        started(machine(Sign=approval(Groups=["managers"])))
    user = person("m2", groups=("managers",))

    with django_assert_max_num_queries(5):
        rows = permissions.inbox(user).select_related("execution__workflow")
        for task in rows.prefetch_related("candidates"):
            assert allows(user, Action.DECIDE, task=task)


def test_the_system_may_do_all(asked):
    engine.decide_approval(only_task(asked), "approve", actor=SYSTEM)

    assert checked(asked).output["by"] is None
