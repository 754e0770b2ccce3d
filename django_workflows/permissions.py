"""Who may do what: one function, which every command passes through.

Rule 1: each command has a permission of its own, on the model Execution.
Rule 2: a workflow's groups narrow that; they never widen it.
Rule 3: an approval belongs to the users and groups it names. Nobody else sees it,
decides it, or ends it as if it were an ordinary task, except who has
``decide_any_approval``.
Rule 4: who is not active may do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, assert_never

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet

from django_workflows import actors, asl, models

if TYPE_CHECKING:
    from django_workflows.actors import Actor


class Action(StrEnum):
    VIEW = "view_execution"
    START = "start_execution"
    STOP = "stop_execution"
    REDRIVE = "redrive_execution"
    FINISH_WAITING = "finish_waiting"
    COMPLETE_TASK = "complete_task"
    FAIL_TASK = "fail_task"
    HEARTBEAT = "heartbeat"
    WORK_ACTIVITIES = "work_activities"
    DECIDE = "decide"
    WAKE = "wake"


#: The permission that an action needs, where its name is another.
_PERMISSIONS = {
    Action.HEARTBEAT: "complete_task",
    Action.DECIDE: "decide_any_approval",
}
#: What only the engine itself does.
_INTERNAL = {Action.WAKE}
_ANSWERS = {Action.COMPLETE_TASK, Action.FAIL_TASK, Action.HEARTBEAT}


class NotAllowed(asl.CommandRejected, PermissionDenied):
    """Whoever sent the command may not; the message says what is missing."""


def authorize(
    actor: Actor,
    action: Action,
    *,
    workflow: models.Workflow | None = None,
    execution: models.Execution | None = None,
    task: models.Task | None = None,
) -> None:
    """Raises NotAllowed unless *actor* may do *action* to what is given."""
    match actor.kind:
        case actors.Kind.SYSTEM:
            return
        case actors.Kind.TOKEN:
            why = _why_no_token(action, task)
        case actors.Kind.USER:
            why = refusal(actor.user, action, workflow=workflow, execution=execution, task=task)
        case _:
            assert_never(actor.kind)
    if why is not None:
        raise NotAllowed(why)


def allows(
    user: Any,
    action: Action,
    *,
    workflow: models.Workflow | None = None,
    execution: models.Execution | None = None,
    task: models.Task | None = None,
) -> bool:
    """Whether *user* may do *action*: for showing a button, or not."""
    return refusal(user, action, workflow=workflow, execution=execution, task=task) is None


def refusal(
    user: Any,
    action: Action,
    *,
    workflow: models.Workflow | None = None,
    execution: models.Execution | None = None,
    task: models.Task | None = None,
) -> str | None:
    """Why *user* may not do *action*; None where they may.

    START looks at ``workflow``; all others at ``execution`` (that of ``task``, by
    default). DECIDE, and whatever ends a task, look at ``task`` too.
    """
    if user is None or not user.is_authenticated or not user.is_active:
        return "this needs a user who is signed in and active"
    if action in _INTERNAL:
        return "only the engine itself does this"
    if execution is None and task is not None:
        execution = task.execution
    if workflow is None and execution is not None:
        workflow = execution.workflow
    if action is Action.DECIDE and task is not None and is_candidate(user, task):
        return None
    codename = _PERMISSIONS.get(action, str(action))
    if not user.has_perm(f"django_workflows.{codename}"):
        if action is Action.DECIDE:
            return f"{user.get_username()} is not among those who are asked to decide this"
        return f"{user.get_username()} lacks the permission {codename}"
    if workflow is not None and not _is_in_groups(user, _narrowing(workflow, action)):
        return f"{user.get_username()} is in no group that may do this to {workflow}"
    if (
        action in _ANSWERS
        and task is not None
        and task.kind == models.Task.Kind.APPROVAL
        and not user.has_perm("django_workflows.decide_any_approval")
    ):
        return "an approval is decided by those it asks, or with decide_any_approval"
    return None


def _why_no_token(action: Action, task: models.Task | None) -> str | None:
    if action not in _ANSWERS:
        return "a task's token answers that task and does nothing else"
    if task is not None and task.kind == models.Task.Kind.APPROVAL:
        return "an approval is decided by the people it asks, not by a token"
    return None


def is_candidate(user: Any, task: models.Task) -> bool:
    """Whether the approval *task* names *user*, or a group *user* is in."""
    names = {(candidate.kind, candidate.name) for candidate in task.candidates.all()}
    kinds = models.TaskCandidate.Kind
    return (kinds.USER, user.get_username()) in names or any(
        (kinds.GROUP, group.name) in names for group in _groups(user)
    )


def visible_executions(user: Any) -> QuerySet[models.Execution]:
    """The executions that *user* may see."""
    executions = models.Execution.objects.all()
    return executions if allows(user, Action.VIEW) else executions.none()


def visible_tasks(user: Any) -> QuerySet[models.Task]:
    """The open tasks that *user* may see: of an approval, only who may decide it does."""
    tasks = models.Task.objects.all()
    if not (user.is_authenticated and user.is_active):
        return tasks.none()
    approval = Q(kind=models.Task.Kind.APPROVAL)
    visible = Q(pk__in=_asking(user))
    if user.has_perm("django_workflows.decide_any_approval"):
        visible |= approval & _steerable(user)
    if user.has_perm("django_workflows.view_execution"):
        visible |= ~approval
    return tasks.filter(visible)


def workable_tasks(actor: Actor) -> QuerySet[models.Task]:
    """The activities' open tasks that *actor*, who may fetch any at all, may fetch."""
    tasks = models.Task.objects.filter(kind=models.Task.Kind.ACTIVITY)
    return tasks.filter(_steerable(actor.user)) if actor.kind is actors.Kind.USER else tasks


def inbox(user: Any) -> QuerySet[models.Task]:
    """The open approvals that *user* may decide, the oldest first."""
    return visible_tasks(user).filter(kind=models.Task.Kind.APPROVAL)


def _asking(user: Any) -> QuerySet[models.TaskCandidate, Any]:
    kinds = models.TaskCandidate.Kind
    return models.TaskCandidate.objects.filter(
        Q(kind=kinds.USER, name=user.get_username())
        | Q(kind=kinds.GROUP, name__in=[group.name for group in _groups(user)])
    ).values("task")


def _steerable(user: Any) -> Q:
    """Tasks of workflows whose groups, where it has any, *user* is in one of."""
    if user.is_superuser:
        return Q()
    groups = models.Workflow.operate_groups.through.objects.filter(
        workflow=OuterRef("execution__workflow")
    )
    own = groups.filter(group__in=_groups(user))
    return ~Exists(groups) | Exists(own)


def _narrowing(workflow: models.Workflow, action: Action) -> Iterable[Group]:
    if action is Action.START:
        return workflow.start_groups.all()
    return () if action is Action.VIEW else workflow.operate_groups.all()


def _is_in_groups(user: Any, narrowing: Iterable[Group]) -> bool:
    wanted = {group.pk for group in narrowing}
    return not wanted or user.is_superuser or any(group.pk in wanted for group in _groups(user))


def _groups(user: Any) -> list[Group]:
    """The groups of *user*, read once for each object, as Django does with permissions."""
    known: list[Group] | None = getattr(user, "_workflow_groups", None)
    if known is None:
        known = user._workflow_groups = list(user.groups.all())
    return known
