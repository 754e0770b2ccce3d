"""What an execution waits for, as its page says it: each thing with its buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_workflows import asl, models, permissions
from django_workflows.admin import display, history
from django_workflows.models import WaitingFor
from django_workflows.permissions import Action

#: How many of them are listed.
LISTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    label: str
    url: str
    #: Why it can't be pressed; None where it can.
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One thing that an execution waits for."""

    seq: int
    mark: SafeString | str
    state: str
    place: str
    since: datetime
    since_text: str
    #: What an approval asks; for those it asks alone.
    title: str = ""
    resource: str = ""
    #: "queued", "at work", ...; of an approval, whom it asks.
    about: str = ""
    attempt: int = 1
    #: Failed with this before, where a retry is awaited.
    error: str = ""
    cause: str = ""
    until: datetime | None = None
    #: What happens then, and how far that is.
    until_text: str = ""
    buttons: Sequence[Button] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    listed: Sequence[Pending] = ()
    #: How many more there are.
    more: int = 0
    #: Open tasks that nobody has begun, and that wait for the outside: for the timeline.
    queued: frozenset[int] = frozenset()
    waiting: frozenset[int] = frozenset()


@dataclass(slots=True)
class Finder:
    """Looks for what *execution*, as *state* has it, waits for; and for what *user* may do."""

    execution: models.Execution
    state: asl.Execution
    user: Any
    now: datetime
    url: Callable[..., str]
    _refusals: dict[Action, str | None] = field(default_factory=dict, init=False)

    def everything(self) -> Everything:
        state = self.state
        if not state.is_running:
            return Everything()
        seqs = sorted([*state.tasks, *state.waits])
        shown = seqs[:LISTED]
        events = {event.seq: event for event in history.glance(self.execution.pk, shown)}
        rows = self._rows([seq for seq in shown if seq in state.tasks])
        visible = self._visible(rows)
        listed = []
        for seq in shown:
            event = events[seq]
            if isinstance(event, asl.TaskStarted):
                row = rows.get(seq)
                if row is not None:
                    listed.append(self._task(event, row, is_visible=seq in visible))
            elif isinstance(event, (asl.WaitStarted, asl.RetryScheduled)):
                listed.append(self._wait(event))
        return Everything(
            listed=tuple(listed),
            more=len(seqs) - len(shown),
            queued=self._with_status(models.Task.Status.QUEUED),
            waiting=self._with_status(models.Task.Status.PENDING),
        )

    def _rows(self, seqs: Sequence[int]) -> dict[int, models.Task]:
        rows = self.execution.tasks.filter(seq__in=seqs).defer("instructions")
        found = {}
        for row in rows.prefetch_related("candidates"):
            row.execution = self.execution
            found[row.seq] = row
        return found

    def _with_status(self, status: str) -> frozenset[int]:
        """The newest tasks of this status, as many as a timeline may show."""
        tasks = self.execution.tasks.filter(status=status).order_by("-seq")
        return frozenset(tasks.values_list("seq", flat=True)[: history.TIMELINE_EVENTS])

    def _visible(self, rows: dict[int, models.Task]) -> set[int]:
        """Which of these tasks the user may know more of than that they are there."""
        return set(
            permissions.visible_tasks(self.user)
            .filter(pk__in=[row.pk for row in rows.values()])
            .values_list("seq", flat=True)
        )

    def _refusal(self, action: Action) -> str | None:
        if action not in self._refusals:
            self._refusals[action] = permissions.refusal(
                self.user, action, execution=self.execution
            )
        return self._refusals[action]

    def _button(self, label: str, command: str, seq: int, action: Action) -> Button:
        return Button(
            label=label,
            url=self.url(f"execution_{command}", self.execution.pk, seq),
            refusal=self._refusal(action),
        )

    def _since(self, moment: datetime) -> str:
        return _("for %(length)s") % {"length": display.length(self.now - moment)}

    def _wait(self, event: asl.WaitStarted | asl.RetryScheduled) -> Pending:
        buttons = [
            self._button(
                _("Finish this wait now"), "finish_waiting", event.seq, Action.FINISH_WAITING
            )
        ]
        far = display.left(event.until, self.now)
        if isinstance(event, asl.RetryScheduled):
            return Pending(
                seq=event.seq,
                mark=display.waiting_mark(WaitingFor.RETRY),
                state=display.legible(event.state),
                place=display.place(event.path),
                since=event.at,
                since_text=self._since(event.at),
                attempt=self._retries(event) + 1,
                error=display.legible(event.error or ""),
                cause=_shown_cause(event.cause),
                until=event.until,
                until_text=_("tried again %(far)s") % {"far": far},
                buttons=buttons,
            )
        return Pending(
            seq=event.seq,
            mark=display.waiting_mark(WaitingFor.TIMER),
            state=display.legible(event.state),
            place=display.place(event.path),
            since=event.at,
            since_text=self._since(event.at),
            until=event.until,
            until_text=_("goes on %(far)s") % {"far": far},
            buttons=buttons,
        )

    def _retries(self, event: asl.RetryScheduled) -> int:
        branch = self.state.branches.get(event.path)
        return event.attempt if branch is None else branch.retry_count

    def _task(self, event: asl.TaskStarted, row: models.Task, *, is_visible: bool) -> Pending:
        branch = self.state.branches.get(event.path)
        due = None if branch is None else branch.due_at
        due_text = (
            "" if due is None else _("times out %(far)s") % {"far": display.left(due, self.now)}
        )
        is_approval = row.kind == models.Task.Kind.APPROVAL
        mark = display.waiting_mark(
            {
                models.Task.Kind.APPROVAL: WaitingFor.APPROVAL,
                models.Task.Kind.CALLBACK: WaitingFor.CALLBACK,
                models.Task.Kind.ACTIVITY: WaitingFor.CALLBACK,
            }.get(models.Task.Kind(row.kind), WaitingFor.TASK)
        )
        title, about = "", ""
        buttons: list[Button] = []
        if not is_approval:
            about = _about(row)
            buttons = [
                self._button(
                    _("Complete this task"), "complete_task", row.seq, Action.COMPLETE_TASK
                ),
                self._button(_("Fail this task"), "fail_task", row.seq, Action.FAIL_TASK),
            ]
        elif is_visible:
            title = display.legible(row.title)
            about = _("asks %(names)s") % {"names": asked(row)}
            buttons = [
                Button(
                    label=_("Decide"),
                    url=self.url("task_change", row.pk),
                    refusal=permissions.refusal(self.user, Action.DECIDE, task=row),
                )
            ]
        else:
            about = _("waits for an approval by others")
        return Pending(
            seq=row.seq,
            mark=mark,
            state=display.legible(event.state),
            place=display.place(event.path),
            since=event.at,
            since_text=self._since(event.at),
            title=title,
            resource="" if is_approval else display.legible(event.resource),
            about=about,
            attempt=event.retry_count + 1,
            until=due,
            until_text=due_text,
            buttons=buttons,
        )


def asked(task: models.Task) -> str:
    """Whom an approval asks."""
    kinds = models.TaskCandidate.Kind
    people = [one.name for one in task.candidates.all() if one.kind == kinds.USER]
    groups = [
        _("the group %(name)s") % {"name": one.name}
        for one in task.candidates.all()
        if one.kind == kinds.GROUP
    ]
    return display.legible(", ".join(sorted(people) + sorted(groups)))


def _about(row: models.Task) -> str:
    match row.status:
        case models.Task.Status.QUEUED if row.kind == models.Task.Kind.ACTIVITY:
            return _("waits for a worker outside to fetch it")
        case models.Task.Status.QUEUED:
            return _("in the queue")
        case models.Task.Status.RUNNING:
            text = _("a worker is at it")
        case _:
            text = _("the answer comes from outside")
    if row.deliveries > 1:
        text += " " + _("(given to a worker %(count)s times)") % {"count": row.deliveries}
    return text


def _shown_cause(cause: str | None) -> str:
    text = display.legible(models.without_tokens(cause or ""))
    return text if len(text) <= 1000 else f"{text[:999]}…"
