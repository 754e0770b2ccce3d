"""The only writer of executions: takes a command to one, once and in order.

Rule 1: every change goes through `start` or `send`, under the execution's lock and
in one transaction: events, columns, tasks. Rejected means nothing was written.
Rule 2: whoever it is that asks, `permissions.authorize` is asked first.
Rule 3: nothing of the world is touched before the commit; then signals tell of it.
"""

from __future__ import annotations

import dataclasses
import json
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, assert_never

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import Min
from django.utils import timezone

from django_workflows import (
    actors,
    approvals,
    asl,
    children,
    conf,
    models,
    projection,
    resources,
    signals,
)
from django_workflows.actors import Actor
from django_workflows.approvals import Approval, InvalidApproval
from django_workflows.asl import values
from django_workflows.asl.codec import decode_execution, encode_execution
from django_workflows.asl.face import NO_INPUT
from django_workflows.asl.values import JSON
from django_workflows.models import storable
from django_workflows.permissions import Action, authorize


class ExecutionAlreadyExists(asl.CommandRejected):
    """An execution of this workflow has this name already, and another input."""


class NotPublished(asl.CommandRejected):
    """The workflow has no version that could be started."""


class InvalidToken(asl.CommandRejected):
    """A text is no task token, or not one that we gave."""


class CorruptLog(asl.WorkflowError):
    """The stored events of an execution have a gap, or are not those its row counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A worker's wish to do the next task itself."""

    worker: str
    lease: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a command brought about."""

    #: The row as it is now.
    execution: models.Execution
    #: The execution that it stands for.
    state: asl.Execution
    #: The new events.
    events: tuple[asl.AnyEvent, ...]
    #: The open tasks that they began.
    tasks: tuple[models.Task, ...] = ()
    #: The one of those that the sender's Claim got.
    claimed: models.Task | None = None


# -- reading -----------------------------------------------------------------------------


def load(execution_id: uuid.UUID) -> asl.Execution:
    """The execution as it is: its latest snapshot and the events since.

    Raises models.Execution.DoesNotExist where there is none.
    """
    snapshot = models.Snapshot.objects.filter(execution=execution_id).first()
    state = asl.Execution() if snapshot is None else decode_execution(json.loads(snapshot.state))
    return _followed(execution_id, state)


def log(execution_id: uuid.UUID) -> list[asl.AnyEvent]:
    """All its events, from the first. They hold secrets; see `models.Event.public_fields`."""
    rows = models.Event.objects.filter(execution=execution_id).order_by("seq")
    return [row.read() for row in rows.iterator()]


def _followed(execution_id: uuid.UUID, state: asl.Execution) -> asl.Execution:
    """*state*, and what has happened since."""
    tail = models.Event.objects.filter(execution=execution_id, seq__gt=state.seq).order_by("seq")
    try:
        state = asl.fold((row.read() for row in tail), state)
    except ValueError as error:
        raise CorruptLog(f"execution {execution_id}: {error}") from error
    if not state.seq:
        raise models.Execution.DoesNotExist(f"there is no execution {execution_id}")
    return state


def _beginning(execution_id: uuid.UUID) -> asl.Execution:
    """The execution after its first event: enough for who it is, and for its tokens."""
    first = models.Event.objects.filter(execution=execution_id, seq=1).first()
    if first is None:
        raise models.Execution.DoesNotExist(f"there is no execution {execution_id}")
    return asl.fold([first.read()])


class _Memory:
    """The executions that this process changed last, so as not to read them again.

    A Map of ten thousand iterations is large to read for each answer. What is kept
    was committed, is read by nobody else, and is brought up to date by the events
    that others have added since.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[uuid.UUID, tuple[asl.Execution, datetime]] = OrderedDict()

    def recall(self, row: models.Execution) -> asl.Execution | None:
        """The execution that *row* stands for, or an earlier state of it."""
        with self._lock:
            state, updated_at = self._kept.get(row.pk, (None, None))
        # A database that was set back, under a process that goes on.
        if state is None or state.seq > row.seq:
            return None
        if state.seq == row.seq and updated_at != row.updated_at:
            return None
        return state

    def keep(self, row: models.Execution, state: asl.Execution) -> None:
        # A copy: asking a shared one for its next moment would tidy its heap of timers.
        kept = state.copy(), row.updated_at
        with self._lock:
            self._kept.pop(row.pk, None)
            if state.is_running:
                self._kept[row.pk] = kept
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


_memory = _Memory(32)


def _recalled(row: models.Execution) -> asl.Execution:
    """The execution that the locked *row* stands for."""
    state = _memory.recall(row)
    if state is None:
        return load(row.pk)
    return state if state.seq == row.seq else _followed(row.pk, state)


# -- starting ----------------------------------------------------------------------------


def start(
    workflow: models.Workflow,
    input: JSON = NO_INPUT,
    *,
    actor: Actor,
    name: str | None = None,
    context: Mapping[str, JSON] | None = None,
    definition: models.Definition | None = None,
    parent: models.Task | None = None,
    at: datetime | None = None,
) -> models.Execution:
    """Begin an execution of *workflow*: of its current version, or of *definition*.

    ``name`` makes it safe to ask twice: a second start with an equal input returns
    the execution there is, running or ended. ``context`` joins the Context Object.
    ``parent`` is the task that asks for it; see `nesting`.

    Raises NotAllowed; NotPublished; ExecutionAlreadyExists where the name was used
    with another input; asl.InvalidValue where the input is not JSON data or too
    large, or the name is none.
    """
    authorize(actor, Action.START, workflow=workflow)
    values.check(input, what="input")
    if name is not None and not (isinstance(name, str) and models.is_name(name)):
        raise asl.InvalidValue(f"name: {models.NAME_RULE}; found {name!r:.100}")
    with transaction.atomic():
        if name is not None and (existing := _existing(workflow, name)) is not None:
            return _same(existing, input)
        current = models.Workflow.objects.select_related("current").get(pk=workflow.pk)
        definition = definition or current.current
        if definition is None:
            raise NotPublished(f"the workflow {workflow} has no version yet")
        at = at or timezone.now()
        key = uuid.uuid4()
        row = models.Execution(
            id=key,
            workflow=current,
            definition=definition,
            name=name or str(key),
            input=input,
            started_at=at,
            updated_at=at,
            started_by=actor.user if actor.kind is actors.Kind.USER else None,
            parent_id=None if parent is None else parent.execution_id,
            parent_task=None if parent is None else parent.seq,
            seq=0,
        )
        answer = asl.start(
            definition.machine,
            _context(row, context),
            input,
            at=at,
            origin=actor.origin,
            limits=conf.current().limits,
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            # Another one was faster.
            existing = _existing(workflow, row.name)
            if existing is None:
                raise
            return _same(existing, input)
        signal = partial(signals.execution_started.send_robust, models.Execution, execution=row)
        transaction.on_commit(signal, robust=True)
        _Step(row, asl.Execution(), at=at).write(answer)
        return row


def start_child(
    row: models.Execution,
    context: Mapping[str, JSON],
    *,
    actor: Actor,
    claim: Claim | None = None,
) -> Sent:
    """Begin the child *row* of a Map run, which the caller has locked and looks after.

    Raises children.MapRunIsFull; the caller's transaction must then not commit.
    """
    authorize(actor, Action.START, workflow=row.workflow)
    with transaction.atomic():
        at = timezone.now()
        answer = asl.start(
            row.machine,
            _context(row, context),
            row.input,
            at=at,
            origin=actor.origin,
            limits=conf.current().limits,
        )
        signal = partial(signals.execution_started.send_robust, models.Execution, execution=row)
        transaction.on_commit(signal, robust=True)
        return _Step(row, asl.Execution(), at=at, claim=claim, tends_run=True).write(answer)


def _existing(workflow: models.Workflow, name: str) -> models.Execution | None:
    return models.Execution.objects.filter(workflow=workflow, name=name).first()


def _same(existing: models.Execution, input: JSON) -> models.Execution:
    if not values.equal(existing.input, input):
        raise ExecutionAlreadyExists(
            f"the workflow {existing.workflow} has an execution {existing.name!r} already,"
            " with another input"
        )
    return existing


def _context(row: models.Execution, given: Mapping[str, JSON] | None) -> dict[str, JSON]:
    """What the starter gave for the Context Object, with who the execution is."""
    context = dict(given or {})
    own: dict[str, dict[str, JSON]] = {
        "Execution": {"Id": str(row.pk), "Name": row.name},
        "StateMachine": {
            "Id": f"{row.workflow.name}:{row.definition.version}",
            "Name": row.workflow.name,
        },
    }
    for member, identity in own.items():
        more = context.get(member)
        context[member] = {**(more if isinstance(more, dict) else {}), **identity}
    return context


# -- commands ----------------------------------------------------------------------------


def send(
    execution_id: uuid.UUID,
    command: asl.AnyCommand,
    *,
    actor: Actor,
    at: datetime | None = None,
    claim: Claim | None = None,
    tends_run: bool = False,
    skip_locked: bool = False,
) -> Sent:
    """Take *command* to the execution, and store what follows.

    ``at`` is now by default; it is never earlier than the last event. With
    ``claim``, the first task that a handler is to do next is the sender's. With
    ``tends_run``, or ``claim``, the sender looks after the Map run of a child that
    ends; otherwise a worker is asked to. With ``skip_locked`` an execution that
    another is at counts as none.

    Raises asl.CommandRejected (NotAllowed, NotPending, ExecutionEnded, NotRedrivable)
    and asl.InvalidValue, with nothing written; models.Execution.DoesNotExist.
    """
    with transaction.atomic():
        row = _locked(execution_id, skip_locked=skip_locked)
        number = getattr(command, "task", None)
        task = None
        # The engine's own answers are not judged by what the task is.
        if number is not None and actor.kind is not actors.Kind.SYSTEM:
            task = row.tasks.filter(seq=number).first()
        authorize(actor, _action(command), execution=row, task=task)
        children.refuse(row, command)
        return _obey(row, command, actor, at=at, claim=claim, tends_run=tends_run)


def wake(execution_id: uuid.UUID, *, at: datetime, actor: Actor) -> Sent | None:
    """Let happen what was due by *at*; None where nothing was, or another is at it."""
    with transaction.atomic():
        authorize(actor, Action.WAKE)
        try:
            row = _locked(execution_id, skip_locked=True)
        except models.Execution.DoesNotExist:
            return None
        if row.wake_at is None or row.wake_at > at:
            return None
        return _obey(row, asl.Wake(at=at), actor, at=at)


def decide_approval(
    task: models.Task,
    decision: str,
    comment: str = "",
    *,
    actor: Actor,
    at: datetime | None = None,
) -> Sent:
    """Answer the approval *task*: its result is who decided what, when and why.

    Raises NotAllowed; asl.NotPending where someone was faster, or it is not asked
    any more; asl.InvalidValue where *decision* is none of its decisions.
    """
    with transaction.atomic():
        row = _locked(task.execution_id)
        asked = row.tasks.filter(pk=task.pk, kind=models.Task.Kind.APPROVAL).first()
        if asked is None:
            raise asl.NotPending(
                f"task {task.seq} is not pending: it was decided, or is no longer asked"
            )
        authorize(actor, Action.DECIDE, execution=row, task=asked)
        if decision not in asked.decisions:
            raise asl.InvalidValue(
                f"decision: expected one of {', '.join(asked.decisions)}, found {decision!r:.100}"
            )
        at = _moment(row, at)
        result = {
            "decision": decision,
            "by": actor.origin.by,
            "comment": comment,
            "at": values.format_timestamp(at, timespec="milliseconds"),
        }
        command = asl.CompleteTask(task=asked.seq, output=result)
        return _obey(row, command, actor.because(comment or actor.reason), at=at)


def complete_by_token(token: str, output: JSON, *, at: datetime | None = None) -> Sent:
    """Complete the task that *token* was given for; whoever holds it may.

    Raises InvalidToken where it is none, or not ours; asl.NotPending where it was
    used already or the task ended otherwise; asl.InvalidValue; NotAllowed for an
    approval, which only people decide.
    """
    return _by_token(token, lambda task: asl.CompleteTask(task=task, output=output), at)


def fail_by_token(
    token: str, error: str | None = None, cause: str | None = None, *, at: datetime | None = None
) -> Sent:
    """Fail the task that *token* was given for. Raises as `complete_by_token` does."""
    return _by_token(token, lambda task: asl.FailTask(task=task, error=error, cause=cause), at)


def heartbeat_by_token(token: str, *, at: datetime | None = None) -> Sent:
    """Say that the task's work goes on. Raises as `complete_by_token` does."""
    return _by_token(token, lambda task: asl.Heartbeat(task=task), at)


def token_of(task: models.Task) -> str:
    """The token that answers *task*: a secret, for whoever is to answer it."""
    return asl.task_token(_beginning(task.execution_id), task.seq)


def _by_token(token: str, command: Callable[[int], asl.AnyCommand], at: datetime | None) -> Sent:
    claim = asl.read_token(token) if isinstance(token, str) else None
    if claim is None:
        raise InvalidToken("this is no task token: one reads wft.<execution>.<task>.<proof>")
    place, number = claim
    forged = InvalidToken("this task token was not given by this site")
    try:
        execution_id = uuid.UUID(place)
        # Before anything is locked: who only guesses must not keep others waiting.
        genuine = asl.is_token_of(_beginning(execution_id), token)
    except (ValueError, models.Execution.DoesNotExist):
        raise forged from None
    if not genuine:
        raise forged
    try:
        return send(execution_id, command(number), actor=actors.BEARER, at=at)
    except asl.ExecutionEnded as error:
        raise asl.NotPending(f"task {number} is not pending: {error}") from None


def _action(command: asl.AnyCommand) -> Action:
    match command:
        case asl.CompleteTask():
            return Action.COMPLETE_TASK
        case asl.FailTask():
            return Action.FAIL_TASK
        case asl.TakeTask():
            return Action.WORK_ACTIVITIES
        case asl.Heartbeat():
            return Action.HEARTBEAT
        case asl.FinishWaiting():
            return Action.FINISH_WAITING
        case asl.Stop():
            return Action.STOP
        case asl.Redrive():
            return Action.REDRIVE
        case asl.Wake():
            return Action.WAKE
        case _:
            assert_never(command)


def _locked(execution_id: uuid.UUID, *, skip_locked: bool = False) -> models.Execution:
    rows = models.Execution.objects.select_related("workflow", "definition")
    # The definition is parsed once in a process; its text is seldom needed.
    rows = rows.defer("input", "output", "definition__source", "workflow__description")
    return models.lock(rows.filter(pk=execution_id), skip_locked=skip_locked)


def _moment(row: models.Execution, at: datetime | None) -> datetime:
    """Now, or the last event's moment where that machine's clock is ahead of ours."""
    return max(at or timezone.now(), row.updated_at)


def _obey(
    row: models.Execution,
    command: asl.AnyCommand,
    actor: Actor,
    *,
    at: datetime | None,
    claim: Claim | None = None,
    tends_run: bool = False,
) -> Sent:
    state = _recalled(row)
    if state.seq != row.seq:
        raise CorruptLog(f"execution {row.pk}: {row.seq} events are counted, {state.seq} stored")
    at = _moment(row, at)
    command = dataclasses.replace(command, origin=actor.origin)
    if isinstance(command, asl.Wake):
        command = dataclasses.replace(command, at=at)
    answer = asl.resume(row.machine, state, command, at=at, limits=conf.current().limits)
    return _Step(row, state, at=at, claim=claim, tends_run=tends_run).write(answer)


def rebuild(execution_id: uuid.UUID) -> models.Execution:
    """Make the columns, the open tasks and the snapshot anew, from the events alone.

    For after a repair of the database. A task that was pending by its handler's
    own wish is called again, with the same keys.
    """
    with transaction.atomic():
        row = _locked(execution_id)
        events = log(execution_id)
        state = asl.fold(events)
        models.Snapshot.objects.filter(execution=row).delete()
        row.tasks.exclude(seq__in=list(state.tasks)).delete()
        known = set(row.tasks.values_list("seq", flat=True))
        step = _Step(row, asl.Execution(), at=timezone.now())
        missing = [
            event
            for event in events
            if isinstance(event, asl.TaskStarted)
            and event.seq in state.tasks
            and event.seq not in known
        ]
        for event in missing:
            if resources.kind(event.resource) is resources.Kind.APPROVAL:
                step.approvals[event.seq] = approvals.read(event.input, state=event.state)
        tasks = step.open_tasks(state, missing)
        step.mark_taken(events)
        models.Execution.objects.filter(pk=row.pk).update(**projection.of_log(events))
        step.announce(state, (), tasks)
        return models.Execution.objects.get(pk=row.pk)


# -- writing -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Step:
    """One command's consequences on their way into the database."""

    row: models.Execution
    before: asl.Execution
    at: datetime = field(kw_only=True)
    claim: Claim | None = field(default=None, kw_only=True)
    #: Whether the sender looks after the Map run of a child that ends.
    tends_run: bool = field(default=False, kw_only=True)
    approvals: dict[int, Approval] = field(default_factory=dict, init=False)
    #: The Map runs that a worker is to look after.
    runs: list[uuid.UUID] = field(default_factory=list, init=False)
    #: Executions that a task waited for which ended without them.
    left: list[uuid.UUID] = field(default_factory=list, init=False)

    def write(self, answer: asl.Answer) -> Sent:
        row = self.row
        state, events = self._ask_people(answer)
        if not events:
            return Sent(execution=row, state=state, events=())
        models.Event.objects.bulk_create([models.Event.of(row.pk, event) for event in events])
        self._close_tasks(state, events)
        tasks = self.open_tasks(state, events)
        self.mark_taken(events)
        claimed = next((task for task in tasks if task.worker), None)
        self._keep_snapshot(state)
        self._update_row(state, events, tasks)
        self.announce(state, events, tasks)
        return Sent(execution=row, state=state, events=events, tasks=tuple(tasks), claimed=claimed)

    def _ask_people(self, answer: asl.Answer) -> tuple[asl.Execution, tuple[asl.AnyEvent, ...]]:
        """Read the approvals that began; one that can't be asked fails at once."""
        state, events = answer.execution, list(answer.events)
        seen = 0
        while seen < len(events):
            event = events[seen]
            seen += 1
            if (
                not isinstance(event, asl.TaskStarted)
                or resources.kind(event.resource) is not resources.Kind.APPROVAL
                or event.seq not in state.tasks
            ):
                continue
            try:
                approval = approvals.read(event.input, state=event.state)
                _check_candidates(approval)
            except InvalidApproval as error:
                failing = asl.fail_task(
                    event, error.name, error.cause, asl.Origin(channel="engine")
                )
                machine, limits = self.row.machine, conf.current().limits
                following = asl.resume(machine, state, failing, at=self.at, limits=limits)
                state = following.execution
                events.extend(following.events)
            else:
                self.approvals[event.seq] = approval
        return state, tuple(events)

    def _close_tasks(self, state: asl.Execution, events: Sequence[asl.AnyEvent]) -> None:
        ended = [task for task in self.before.tasks if task not in state.tasks]
        if not ended:
            return
        self.runs += children.close_runs(self.row, self.before, ended, events, at=self.at)
        self._leave_children(ended)
        asked = any(
            resources.kind(self._resource_before(task)) is resources.Kind.APPROVAL for task in ended
        )
        if not state.tasks:
            _delete_tasks(self.row.tasks.all(), asked=asked)
            return
        for some in _chunks(ended):
            _delete_tasks(self.row.tasks.filter(seq__in=some), asked=asked)

    def _leave_children(self, ended: Sequence[int]) -> None:
        """Note of executions for which *ended* tasks waited that nobody does any more."""
        waited = [task for task in ended if resources.awaits_execution(self._resource_before(task))]
        if not waited:
            return
        rows = self.row.children.filter(parent_task__in=waited, ended_at=None)
        self.left = list(rows.values_list("pk", flat=True))
        rows.filter(pk__in=self.left).update(parent_due_at=later(self.at))

    def _resource_before(self, task: int) -> str:
        """The resource of a task that was open before the command."""
        path = self.before.tasks[task]
        name = self.before.branches[path].state
        assert name is not None
        state = self.row.machine.at(path).states[name]
        return str(getattr(state, "resource", ""))

    def open_tasks(self, state: asl.Execution, events: Sequence[asl.AnyEvent]) -> list[models.Task]:
        began = [
            event
            for event in events
            if isinstance(event, asl.TaskStarted) and event.seq in state.tasks
        ]
        if not began:
            return []
        tasks = [projection.task_row(self.row, event) for event in began]
        claim = self.claim
        for task in tasks:
            if (approval := self.approvals.get(task.seq)) is not None:
                task.title = storable(approval.title, 200)
                task.instructions = storable(approval.instructions)
                task.decisions = list(approval.decisions)
            if _is_for_queue(task):
                if claim is None:
                    task.offers = 1
                    task.offered_at = self.at
                    task.due_at = redelivery_at(1, self.at)
                else:
                    task.status = models.Task.Status.RUNNING
                    task.worker = claim.worker
                    task.deliveries = 1
                    task.due_at = self.at + claim.lease
                    claim = None
        models.Task.objects.bulk_create(tasks)
        models.TaskCandidate.objects.bulk_create(
            [
                models.TaskCandidate(task=task, kind=kind, name=name)
                for task in tasks
                if (approval := self.approvals.get(task.seq)) is not None
                for kind, names in (
                    (models.TaskCandidate.Kind.USER, approval.users),
                    (models.TaskCandidate.Kind.GROUP, approval.groups),
                )
                for name in _candidate_names(names)
            ]
        )
        self.runs += children.open_runs(self.row, state, began, at=self.at)
        return tasks

    def mark_taken(self, events: Sequence[asl.AnyEvent]) -> None:
        """Note which activities' tasks workers have fetched."""
        for event in events:
            if isinstance(event, asl.TaskTaken):
                self.row.tasks.filter(seq=event.task).update(
                    status=models.Task.Status.RUNNING, worker=storable(event.worker or "", 200)
                )

    def _update_row(
        self,
        state: asl.Execution,
        events: Sequence[asl.AnyEvent],
        tasks: Sequence[models.Task],
    ) -> None:
        row, read_at = self.row, self.before.seq
        began = {event.seq: event.at for event in events if isinstance(event, asl.SideEffect)}

        def wait_began(wait: int) -> datetime:
            return began.get(wait) or _moment_of(row.pk, wait)

        changed = {
            **projection.columns(
                state,
                oldest_task=_oldest_tasks(row, state, tasks),
                wait_began=wait_began,
            ),
            "updated_at": self.at,
            "retry_count": row.retry_count + projection.retries(events),
            **children.columns(row, state),
        }
        if row.parent_id is not None and state.is_running != self.before.is_running:
            changed["parent_due_at"] = None if state.is_running else later(self.at)
        rows = models.Execution.objects.filter(pk=row.pk, seq=read_at)
        if rows.update(**changed) != 1:
            raise CorruptLog(f"execution {row.pk} changed under its lock, after event {read_at}")
        was = row.map_state
        for name, value in changed.items():
            setattr(row, name, value)
        if row.map_run_id is not None:
            children.count(row, was, at=self.at)
            tended = self.tends_run or self.claim is not None
            if not state.is_running and not tended and children.wants_work(row.map_run_id):
                self.runs.append(row.map_run_id)

    def _keep_snapshot(self, state: asl.Execution) -> None:
        # A large one is written more seldom: reading the tail then costs no more than it.
        every = max(conf.current().snapshot_every, len(state.branches))
        if state.seq // every == self.before.seq // every:
            return
        fresh = {"seq": state.seq, "state": values.dumps(encode_execution(state))}
        if not models.Snapshot.objects.filter(execution=self.row.pk).update(**fresh):
            models.Snapshot.objects.create(execution=self.row, **fresh)

    def announce(
        self,
        state: asl.Execution,
        events: tuple[asl.AnyEvent, ...],
        tasks: Sequence[models.Task],
    ) -> None:
        row = self.row
        queued = [task.pk for task in tasks if _is_for_queue(task)]
        runs = list(dict.fromkeys(self.runs))
        asked = [task for task in tasks if task.kind == models.Task.Kind.APPROVAL]

        def announce() -> None:
            _memory.keep(row, state)
            send = partial(_send_signal, execution=row)
            if events:
                send(signals.events_recorded, events=events)
            if queued:
                send(signals.tasks_requested, task_ids=queued)
            if runs:
                send(signals.map_runs_requested, run_ids=runs)
            for task in asked:
                send(signals.approval_requested, task=task)
            if self.left:
                send(signals.children_left, child_ids=self.left)
            if not state.is_running:
                send(signals.execution_ended)

        transaction.on_commit(announce, robust=True)


def _is_for_queue(task: models.Task) -> bool:
    """Whether one of our workers is to take it, and not one outside."""
    is_queued = task.status == models.Task.Status.QUEUED
    return is_queued and task.kind != models.Task.Kind.ACTIVITY


def later(at: datetime) -> datetime:
    """When the clock does what was to be done right after *at*, if it was not."""
    return at + timedelta(seconds=conf.current().redeliver_seconds)


def redelivery_at(offers: int, at: datetime) -> datetime:
    """When the queue is told again of a task it was told of *offers* times: ever later."""
    return at + timedelta(seconds=conf.current().redeliver_seconds * 2 ** min(offers - 1, 10))


def _send_signal(signal: Any, **arguments: Any) -> None:
    signal.send_robust(models.Execution, **arguments)


def _check_candidates(approval: Approval) -> None:
    """Raises InvalidApproval where nobody who may decide is known."""
    users = get_user_model()
    by_name = {f"{users.USERNAME_FIELD}__in": _candidate_names(approval.users)}
    if approval.users and users._default_manager.filter(**by_name).exists():
        return
    groups = Group.objects.filter(name__in=_candidate_names(approval.groups))
    if approval.groups and groups.exists():
        return
    named = [f"user {name!r}" for name in approval.users]
    named += [f"group {name!r}" for name in approval.groups]
    raise InvalidApproval(
        approvals.UNKNOWN_CANDIDATE, f"nobody could decide: there is no {' and no '.join(named)}"
    )


def _candidate_names(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(storable(name, 255) for name in names))


def _delete_tasks(rows: models.models.QuerySet[models.Task], *, asked: bool) -> None:
    """Delete *rows*; ``asked`` says that approvals, which have candidates, may be among them."""
    if asked:
        rows.delete()
    else:
        # One statement: nothing else refers to a task.
        rows._raw_delete(rows.db)


def _oldest_tasks(
    row: models.Execution, state: asl.Execution, began: Sequence[models.Task]
) -> dict[str, datetime]:
    """The moment of the oldest open task of each kind, where *began* are the newest."""
    if len(began) == len(state.tasks):
        return {task.kind: task.created_at for task in reversed(began)}
    found = row.tasks.order_by().values_list("kind").annotate(since=Min("created_at"))
    return dict(found)


def _moment_of(execution_id: uuid.UUID, seq: int) -> datetime:
    events = models.Event.objects.filter(execution=execution_id, seq=seq)
    return events.values_list("at", flat=True).get()


def _chunks(numbers: Sequence[int], size: int = 500) -> list[Sequence[int]]:
    return [numbers[begin : begin + size] for begin in range(0, len(numbers), size)]
