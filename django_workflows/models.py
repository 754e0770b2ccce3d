"""What is stored: workflows, their versions, executions, events, open tasks.

Rule 1: events are the truth. They are inserted and never changed; everything an
`Execution` row says but its place in the log, and every `Task` row, follows from
them and can be made anew (`engine.rebuild`).
Rule 2: rows say what is true of them and don't run anything: `engine` alone
writes executions, events and tasks.
Rule 3: payloads are JSON as ASCII text, never the database's own JSON type, which
may refuse ``\\u0000`` and lone surrogates and change the order of members.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import connections, models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_workflows import asl
from django_workflows.asl import maprun, values
from django_workflows.asl.context import TOKEN
from django_workflows.asl.values import JSON

ModelT = TypeVar("ModelT", bound=models.Model)

#: AWS, CreateStateMachine and StartExecution: what a name must not contain.
_NAME = re.compile(
    r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff\U0010ffff]{1,80}"
)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


#: The same, for people.
NAME_RULE = _(
    "use 1 to 80 characters, without spaces, control characters or any of"
    ' < > { } [ ] ? * " # % \\ ^ | ~ ` $ & , ; : /'
)


def is_name(text: str) -> bool:
    """Whether *text* may name a workflow or an execution."""
    return _NAME.fullmatch(text) is not None


validate_name = RegexValidator(re.compile(rf"\A{_NAME.pattern}\Z"), NAME_RULE)


def storable(text: str, length: int | None = None) -> str:
    """*text* as every database's text column takes it: NUL and lone surrogates replaced.

    Only for columns that repeat what an event holds in full.
    """
    if length is not None and len(text) > length:
        text = f"{text[: length - 1]}…"
    return _UNSTORABLE.sub("\ufffd", text)


def lock(queryset: models.QuerySet[ModelT], *, skip_locked: bool = False) -> ModelT:
    """The one row of *queryset*, locked until the end of the transaction.

    SQLite has no row locks: there the transaction begins with a write, and so has
    the only write lock of the database before it reads anything, whether or not
    the site configured IMMEDIATE transactions.

    Raises the model's DoesNotExist; with ``skip_locked``, also where another
    transaction has the row and the database can tell.
    """
    features = connections[queryset.db].features
    if features.has_select_for_update:
        return queryset.select_for_update(
            of=("self",) if features.has_select_for_update_of else (),
            skip_locked=skip_locked and features.has_select_for_update_skip_locked,
        ).get()
    fields = queryset.model._meta.concrete_fields
    column = next(field.name for field in fields if not field.primary_key)
    queryset.update(**{column: F(column)})
    return queryset.get()


if TYPE_CHECKING:
    _Text = models.TextField[Any, Any]
else:
    _Text = models.TextField


class PayloadField(_Text):
    """Any JSON data, stored as ASCII text.

    In a column that may be NULL, None is stored as NULL; in one that may not, as
    ``null``. Saving what is not JSON data raises asl.InvalidValue.
    """

    description = _("JSON data")

    def from_db_value(self, value: str | None, expression: object, connection: object) -> JSON:
        # Not values.loads: what we wrote was checked then.
        return None if value is None else json.loads(value)

    def get_prep_value(self, value: JSON) -> str | None:
        if value is None and self.null:
            return None
        return values.dumps(value)

    def to_python(self, value: JSON) -> JSON:
        return value

    def value_to_string(self, obj: models.Model) -> JSON:
        return self.value_from_object(obj)


class Workflow(models.Model):
    """A name under which versions of a definition are published and started."""

    name = models.CharField(_("name"), max_length=80, unique=True, validators=[validate_name])
    description = models.TextField(_("description"), blank=True)
    current = models.ForeignKey(
        "Definition",
        verbose_name=_("current version"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    start_groups = models.ManyToManyField(
        "auth.Group",
        verbose_name=_("groups that may start it"),
        blank=True,
        related_name="+",
        help_text=_("Leave empty for everyone who may start executions."),
    )
    operate_groups = models.ManyToManyField(
        "auth.Group",
        verbose_name=_("groups that may steer it"),
        blank=True,
        related_name="+",
        help_text=_("Leave empty for everyone with the permission for a command."),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("workflow")
        verbose_name_plural = _("workflows")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @transaction.atomic
    def publish(
        self, source: str | bytes | Mapping[str, JSON], *, by: Any = None, note: str = ""
    ) -> Definition:
        """Make *source* the current version, and return that.

        Content equal to the current version's makes no new one. Executions that
        run keep the version they started with.

        Raises asl.InvalidDefinition, with everything that is wrong with it.
        """
        asl.parse(source)
        text = _source_text(source)
        content_hash = _content_hash(text)
        workflow = lock(type(self).objects.filter(pk=self.pk))
        current = workflow.current
        if current is None or current.content_hash != content_hash:
            last = workflow.definitions.aggregate(last=models.Max("version"))["last"]
            current = Definition.objects.create(
                workflow=workflow,
                version=(last or 0) + 1,
                source=text,
                content_hash=content_hash,
                created_by=by,
                note=note,
            )
            type(self).objects.filter(pk=self.pk).update(current=current)
        self.current = current
        return current


class _Insertable(models.QuerySet[ModelT]):
    """Rows that are made and never changed."""

    def update(self, **kwargs: object) -> NoReturn:
        raise TypeError(f"{self.model._meta.verbose_name_plural} are never changed")

    def bulk_update(self, *args: object, **kwargs: object) -> NoReturn:
        self.update()


class Definition(models.Model):
    """One version of a workflow's definition. It never changes."""

    workflow = models.ForeignKey(
        Workflow,
        verbose_name=_("workflow"),
        on_delete=models.CASCADE,
        related_name="definitions",
    )
    version = models.PositiveIntegerField(_("version"))
    #: The Amazon States Language as it was entered.
    source = models.TextField(_("definition"))
    #: Of the JSON data in ``source``, however it is laid out.
    content_hash = models.CharField(_("content hash"), max_length=64, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    note = models.TextField(_("note"), blank=True)

    objects = _Insertable["Definition"].as_manager()

    class Meta:
        verbose_name = _("version")
        verbose_name_plural = _("versions")
        ordering = ["workflow", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "version"], name="workflows_one_version")
        ]

    def __str__(self) -> str:
        return f"{self.workflow} v{self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A version is never changed: publish the next one")
        super().save(*args, **kwargs)

    @property
    def machine(self) -> asl.StateMachine:
        """What ``source`` says, parsed; each process keeps the last few hundred."""
        return self.processor("")

    def processor(self, pointer: str) -> asl.StateMachine:
        """The machine that each item of the Map at *pointer* runs; "" is the whole one."""
        # The hash is there because a primary key may be given again after a rollback.
        key = (self.pk, self.content_hash)
        machines = _machines.get(key)
        if machines is None:
            machines = asl.parse(self.source).processors()
            if len(_machines) >= 256:
                _machines.pop(next(iter(_machines)), None)
            _machines[key] = machines
        return machines[pointer]


#: By version: its machine and those of its Maps' items, by `Execution.processor`.
_machines: dict[tuple[int, str], Mapping[str, asl.StateMachine]] = {}


def _source_text(source: str | bytes | Mapping[str, JSON]) -> str:
    """*source* as text that every database takes; the JSON data it holds stay the same."""
    if isinstance(source, bytes):
        source = source.decode()
    if not isinstance(source, str):
        source = json.dumps(source, ensure_ascii=False, allow_nan=False, indent=2)
    source = source.removeprefix("\ufeff")
    # Surrogates can only be inside of strings, where JSON has an escape for them.
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", source)


def _content_hash(text: str) -> str:
    canonical = json.dumps(
        json.loads(text), ensure_ascii=True, separators=(",", ":"), sort_keys=True
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


class WaitingFor(models.TextChoices):
    """What an execution waits for; where branches differ, the first of these."""

    APPROVAL = "approval", _("approval")
    CALLBACK = "callback", _("answer from outside")
    TASK = "task", _("task")
    RETRY = "retry", _("retry")
    TIMER = "timer", _("timer")


class Status(models.TextChoices):
    """`asl.Status`, for people, and one more for those that have no event yet."""

    #: A distributed Map's item waits for its turn.
    PENDING = "PENDING", _("pending")
    RUNNING = "RUNNING", _("running")
    SUCCEEDED = "SUCCEEDED", _("succeeded")
    FAILED = "FAILED", _("failed")
    TIMED_OUT = "TIMED_OUT", _("timed out")
    ABORTED = "ABORTED", _("stopped")


class MapState(models.TextChoices):
    """How far a Map run is with one of its children. `children` alone changes it."""

    #: To be started, or after a redrive to go on.
    WAITING = "WAITING", _("waiting")
    RUNNING = "RUNNING", _("running")
    ENDED = "ENDED", _("ended")


class Execution(models.Model):
    """One run of a workflow, or of a distributed Map's processor for one item.

    All but ``seq`` and what concerns its parent or Map run repeats what its events say.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workflow = models.ForeignKey(
        Workflow, verbose_name=_("workflow"), on_delete=models.PROTECT, related_name="executions"
    )
    #: The version it started with, for ever.
    definition = models.ForeignKey(
        Definition, verbose_name=_("version"), on_delete=models.PROTECT, related_name="executions"
    )
    name = models.CharField(_("name"), max_length=80)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.RUNNING
    )
    input = PayloadField(_("input"))
    #: None until it has succeeded.
    output = PayloadField(_("output"), null=True)
    error = models.CharField(_("error"), max_length=256, blank=True)
    cause = models.TextField(_("cause"), blank=True)
    started_at = models.DateTimeField(_("started"))
    #: The moment of its last event.
    updated_at = models.DateTimeField(_("last event"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("started by"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    #: The execution that started it by one of its tasks, and that task's seq.
    parent = models.ForeignKey(
        "self",
        verbose_name=_("parent"),
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="children",
    )
    parent_task = models.PositiveIntegerField(_("parent's task"), null=True, editable=False)
    #: When the clock looks after what it and its parent owe each other: see `nesting`.
    parent_due_at = models.DateTimeField(null=True, editable=False)
    #: The number of its last event: how many there are.
    seq = models.PositiveIntegerField(_("events"))
    #: When the clock is to send the next Wake; NULL for never.
    wake_at = models.DateTimeField(_("wakes"), null=True)
    #: The names of the states that wait for the world, for lists.
    current_states = models.CharField(_("current states"), max_length=200, blank=True)
    waiting_for = models.CharField(
        _("waiting for"), max_length=16, choices=WaitingFor.choices, blank=True
    )
    #: How long the oldest of the things in ``waiting_for`` has been awaited.
    waiting_since = models.DateTimeField(_("waiting since"), null=True)
    retry_count = models.PositiveIntegerField(_("retries"), default=0)
    #: Of a distributed Map's item or batch: the run, its place in that, how many items
    #: it holds, the Map's pointer in the definition, and how far the run is with it.
    map_run = models.ForeignKey(
        "MapRun",
        verbose_name=_("Map run"),
        on_delete=models.CASCADE,
        null=True,
        editable=False,
        related_name="children",
        db_index=False,
    )
    map_index = models.PositiveIntegerField(_("index"), null=True, editable=False)
    item_count = models.PositiveIntegerField(_("items"), null=True, editable=False)
    processor = models.TextField(_("processor"), blank=True, editable=False)
    map_state = models.CharField(max_length=8, choices=MapState.choices, blank=True, editable=False)

    class Meta:
        verbose_name = _("execution")
        verbose_name_plural = _("executions")
        ordering = ["-started_at", "id"]
        permissions = [
            ("start_execution", _("Can start executions")),
            ("stop_execution", _("Can stop executions")),
            ("redrive_execution", _("Can go on with executions that failed")),
            ("finish_waiting", _("Can end an execution's wait")),
            ("complete_task", _("Can complete an execution's task")),
            ("fail_task", _("Can fail an execution's task")),
            ("work_activities", _("Can fetch the tasks of activities")),
            ("decide_any_approval", _("Can see and decide every approval")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "name"], name="workflows_one_name"),
            models.UniqueConstraint(fields=["map_run", "map_index"], name="workflows_one_item"),
        ]
        indexes = [
            models.Index(
                fields=["parent_due_at"],
                name="workflows_parent_due_at",
                condition=Q(parent_due_at__isnull=False),
            ),
            models.Index(fields=["-started_at", "id"], name="workflows_started"),
            models.Index(fields=["status", "-started_at"], name="workflows_status"),
            models.Index(
                fields=["wake_at"], name="workflows_wake_at", condition=Q(wake_at__isnull=False)
            ),
            models.Index(
                fields=["map_run", "map_state", "map_index"],
                name="workflows_map_state",
                condition=Q(map_run__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {self.name}"

    @property
    def is_running(self) -> bool:
        return self.status == Status.RUNNING

    @property
    def machine(self) -> asl.StateMachine:
        """What it executes: the version's machine, or the processor of one of its Maps."""
        return self.definition.processor(self.processor)


class MapRun(models.Model):
    """The run of a distributed Map: what it was told, and how far its children are.

    Made with the TaskStarted that asks for it. The counts of children are moved in
    the transactions that move the children; see `children`.
    """

    class Status(models.TextChoices):
        RUNNING = "RUNNING", _("running")
        SUCCEEDED = "SUCCEEDED", _("succeeded")
        FAILED = "FAILED", _("failed")
        ABORTED = "ABORTED", _("stopped")

    id = models.UUIDField(primary_key=True, editable=False)
    execution = models.ForeignKey(
        Execution, verbose_name=_("execution"), on_delete=models.CASCADE, related_name="map_runs"
    )
    #: The seq of the TaskStarted that it answers; after a redrive, of the next one.
    task = models.PositiveIntegerField(_("task"))
    #: The seq of the StateEntered; the same after a redrive.
    visit = models.PositiveIntegerField(_("visit"))
    state = models.CharField(_("state"), max_length=200)
    label = models.CharField(_("label"), max_length=80, blank=True)
    #: A JSON array as text, as in `Event`.
    path = models.TextField(_("path"), default="[]")
    #: The Map's pointer in the definition.
    processor = models.TextField(_("processor"))
    #: What joins the children's Context Object.
    context = PayloadField(_("context"), default=dict)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.RUNNING
    )
    #: 0 is no limit of its own; the setting MAX_MAP_CONCURRENCY limits it then.
    max_concurrency = models.PositiveIntegerField(_("concurrency"), default=0)
    tolerated_failure_count = models.PositiveIntegerField(_("tolerated failures"), null=True)
    tolerated_failure_percentage = models.FloatField(_("tolerated percentage"), null=True)
    redrive_count = models.PositiveIntegerField(_("redrives"), default=0)
    #: After a redrive, until the children that did not succeed wait again.
    reviving = models.BooleanField(default=False)

    #: How many items became children so far, and how many there are; NULL while they are read.
    items_read = models.PositiveIntegerField(_("items read"), default=0)
    total_items = models.PositiveIntegerField(_("items"), null=True)
    #: How many items are in children that did not end well.
    items_failed = models.PositiveIntegerField(_("items that failed"), default=0)
    #: How many children are at what.
    pending = models.PositiveIntegerField(_("pending"), default=0)
    running = models.PositiveIntegerField(_("running"), default=0)
    succeeded = models.PositiveIntegerField(_("succeeded"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    timed_out = models.PositiveIntegerField(_("timed out"), default=0)
    aborted = models.PositiveIntegerField(_("stopped"), default=0)
    results_written = models.PositiveIntegerField(_("results written"), default=0)

    started_at = models.DateTimeField(_("started"))
    #: When a child moved last.
    updated_at = models.DateTimeField(_("last progress"))
    ended_at = models.DateTimeField(_("ended"), null=True)
    #: The worker that reads items or writes results, and until when it may be silent.
    worker = models.CharField(_("worker"), max_length=200, blank=True)
    lease_until = models.DateTimeField(_("lease"), null=True)
    #: When the clock looks after it; NULL for never.
    due_at = models.DateTimeField(_("due"), null=True)

    class Meta:
        verbose_name = _("Map run")
        verbose_name_plural = _("Map runs")
        ordering = ["-started_at", "id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["execution", "task"], name="workflows_one_map_run")
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="workflows_run_due_at", condition=Q(due_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.pk}"

    @property
    def is_running(self) -> bool:
        return self.status == self.Status.RUNNING

    @property
    def arn(self) -> str:
        """What ``MapRunArn`` says."""
        return f"mapRun:{self.execution.workflow.name}/{self.label or self.state}:{self.pk}"

    @property
    def total(self) -> int:
        """How many children are stored."""
        ended = self.succeeded + self.failed + self.timed_out + self.aborted
        return self.pending + self.running + ended

    @property
    def is_through(self) -> bool:
        """Whether all items were read and all children have ended."""
        return self.total_items is not None and not self.pending and not self.running

    @property
    def is_over_tolerance(self) -> bool:
        """Whether more items failed than may."""
        # While items are read, a percentage is exceeded only if it can't be otherwise.
        total = sys.maxsize if self.total_items is None else self.total_items
        return maprun.is_over_tolerance(
            self.tolerated_failure_count,
            self.tolerated_failure_percentage,
            failed=self.items_failed,
            total=total,
        )


class Snapshot(models.Model):
    """An execution folded up to its event ``seq``: what a command begins to read at.

    A table of its own, so that no list loads one by mistake and no step rewrites it.
    """

    execution = models.OneToOneField(
        Execution, on_delete=models.CASCADE, primary_key=True, related_name="snapshot"
    )
    seq = models.PositiveIntegerField()
    state = models.TextField()

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.execution_id} at event {self.seq}"


class _EventQuerySet(_Insertable["Event"]):
    def delete(self) -> NoReturn:
        raise TypeError("Events are never deleted, except with their whole execution")


class Event(models.Model):
    """What has happened. A database trigger refuses every UPDATE of this table."""

    execution = models.ForeignKey(
        Execution, verbose_name=_("execution"), on_delete=models.CASCADE, related_name="events"
    )
    seq = models.PositiveIntegerField(_("number"))
    type = models.CharField(_("type"), max_length=32)
    at = models.DateTimeField(_("moment"))
    #: A JSON array as text: where in the execution. See `asl.events.Path`.
    path = models.TextField(_("path"), default="[]")
    #: The remaining fields, as JSON text.
    payload = models.TextField(_("fields"), default="{}")

    objects = _EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["execution", "seq"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["execution", "seq"], name="workflows_one_event")
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("events are never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Events are never deleted, except with their whole execution")

    @classmethod
    def of(cls, execution_id: uuid.UUID, event: asl.AnyEvent) -> Event:
        """The row for *event*, not yet saved."""
        fields = asl.encode(event)
        return cls(
            execution_id=execution_id,
            seq=fields.pop("seq"),
            type=fields.pop("type"),
            at=event.at,
            path=values.dumps(fields.pop("path", [])),
            payload=values.dumps({name: fields[name] for name in fields if name != "at"}),
        )

    def read(self) -> asl.AnyEvent:
        """The event that this row stores. It holds secrets: see `public_fields`."""
        return asl.decode(
            {
                **json.loads(self.payload),
                "seq": self.seq,
                "type": self.type,
                "at": values.format_timestamp(self.at),
                "path": json.loads(self.path),
            }
        )

    @property
    def public_fields(self) -> dict[str, JSON]:
        """The fields that people may see: no seed, no credentials, no task's token."""
        fields = json.loads(TOKEN.sub(HIDDEN_TOKEN, self.payload))
        return {name: fields[name] for name in fields if name not in ("seed", "credentials")}


#: What stands where a task's token was.
HIDDEN_TOKEN = "wft.(hidden)"  # noqa: S105


def without_tokens(value: JSON) -> JSON:
    """*value* as people may see it: whoever holds a task's token can answer the task."""
    text = values.dumps(value)
    hidden = TOKEN.sub(HIDDEN_TOKEN, text)
    return value if hidden == text else json.loads(hidden)


#: How much of an activity's name counts. AWS: 80.
MAX_ACTIVITY = 200


class Task(models.Model):
    """An open task of an execution; the row goes when the task ends.

    For a handler it is what the queue is told of and the lease of the worker that
    is at it; for an approval, an entry of the inbox of those named in
    ``candidates``.
    """

    class Kind(models.TextChoices):
        HANDLER = "handler", _("handler")
        MAP_RUN = "map_run", _("Map run")
        CALLBACK = "callback", _("answer from outside")
        ACTIVITY = "activity", _("worker outside")
        APPROVAL = "approval", _("approval")

    class Status(models.TextChoices):
        #: A worker is to take it.
        QUEUED = "QUEUED", _("queued")
        #: A worker is at it.
        RUNNING = "RUNNING", _("running")
        #: The answer comes from outside, or from a person.
        PENDING = "PENDING", _("pending")

    execution = models.ForeignKey(
        Execution, verbose_name=_("execution"), on_delete=models.CASCADE, related_name="tasks"
    )
    #: The seq of its TaskStarted: what names the task in commands.
    seq = models.PositiveIntegerField(_("task"))
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices)
    resource = models.TextField(_("resource"))
    state = models.CharField(_("state"), max_length=200)
    #: The name under which workers outside ask for it.
    activity = models.CharField(_("activity"), max_length=MAX_ACTIVITY, blank=True)
    #: A JSON array as text, as in `Event`.
    path = models.TextField(_("path"), default="[]")
    title = models.CharField(_("title"), max_length=200, blank=True)
    instructions = models.TextField(_("instructions"), blank=True)
    #: What an approval may be decided to be: a list of texts.
    decisions = PayloadField(_("decisions"), default=list)
    created_at = models.DateTimeField(_("since"))
    #: When it fails with States.Timeout; NULL for never.
    deadline = models.DateTimeField(_("deadline"), null=True)

    #: How often, and when last, the queue was told of it.
    offers = models.PositiveIntegerField(_("offers"), default=0)
    offered_at = models.DateTimeField(_("offered"), null=True)
    #: How often a worker has taken it.
    deliveries = models.PositiveIntegerField(_("deliveries"), default=0)
    #: The worker that has it, while RUNNING.
    worker = models.CharField(_("worker"), max_length=200, blank=True)
    #: When the clock looks after it: QUEUED is offered again, RUNNING taken away
    #: from its worker, whose lease has then run out.
    due_at = models.DateTimeField(_("due"), null=True)

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("my approvals")
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["execution", "seq"], name="workflows_one_task")
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="workflows_due_at", condition=Q(due_at__isnull=False)
            ),
            models.Index(fields=["kind", "created_at"], name="workflows_task_kind"),
            models.Index(
                fields=["activity", "created_at"],
                name="workflows_activity",
                condition=Q(kind="activity", status="QUEUED"),
            ),
        ]

    def __str__(self) -> str:
        return self.title or f"{self.state} ({self.resource})"


class TaskCandidate(models.Model):
    """A user or a group that may decide an approval, by name."""

    class Kind(models.TextChoices):
        USER = "user", _("user")
        GROUP = "group", _("group")

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="candidates")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=255)

    class Meta:
        verbose_name = _("candidate")
        verbose_name_plural = _("candidates")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["task", "kind", "name"], name="workflows_one_candidate")
        ]
        indexes = [models.Index(fields=["kind", "name"], name="workflows_candidate")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
