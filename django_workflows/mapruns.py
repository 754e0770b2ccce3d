"""The runs of distributed Maps: reads the items, starts the children, joins their results.

Rule 1: `drive` may be called at any time, by anyone, twice and in many places: what
a step does is decided by the rows as they are, and done in one transaction with
their change. So a run goes on from wherever a worker has died.
Rule 2: no transaction is longer than one chunk of children, or one child's step.
Rule 3: the parent is answered once: a second answer is refused by the engine.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import IntegrityError, connections, transaction
from django.db.models import F, Q
from django.utils import timezone

from django_workflows import actors, asl, children, conf, engine, models, signals, storages
from django_workflows.asl import decide, maprun, values
from django_workflows.asl.errors import StateError
from django_workflows.asl.events import TaskStarted
from django_workflows.asl.values import JSON
from django_workflows.models import MapState

logger = logging.getLogger(__name__)

MAP_RUN = actors.system("map run")

#: How many children are stored, stopped or read in one transaction, and how many
#: bytes their inputs may have together before a chunk is stored as it is.
CHUNK = 500
CHUNK_BYTES = 4_194_304

_LONGEST_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who drives, and how long it goes on: a moment of `time.monotonic`."""

    name: str
    until: float

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.until

    @property
    def claim(self) -> engine.Claim | None:
        """The wish to do the next task itself, while it goes on."""
        return engine.Claim(worker=self.name, lease=_lease()) if self.goes_on else None


def drive(run_id: uuid.UUID, worker: Worker) -> engine.Sent | None:
    """Do what can be done for the run now; what is left when the time is over is asked for.

    Returns the step that the worker is to go on with: it has claimed a child's
    task or the parent's next one, or has ended the parent, a child itself.
    """
    run = _run(run_id)
    if run is None:
        return None
    while worker.goes_on:
        if not run.is_running:
            if not _close(run, worker):
                break
            return None
        if run.reviving:
            if not _revive(run, worker):
                break
            _look_again(run)
            continue
        if run.is_over_tolerance:
            return _answer(run, _failure(run, maprun.threshold_exceeded()), worker)
        if run.is_through:
            return _join(run, worker)
        if run.total_items is None and _lease_run(run, worker):
            try:
                is_read = _read(run, worker)
            except StateError as error:
                return _answer(run, _failure(run, error), worker)
            finally:
                _release(run, worker)
            if not is_read:
                break
            _look_again(run)
            continue
        moved, sent = _start(run, worker)
        if sent is not None or not moved:
            return sent
        _look_again(run)
    request(run_id)
    return None


def request(run_id: uuid.UUID) -> None:
    """Have a worker look after the run."""
    signals.map_runs_requested.send_robust(models.Execution, run_ids=[run_id])


def _run(run_id: uuid.UUID) -> models.MapRun | None:
    runs = models.MapRun.objects.select_related(
        "execution", "execution__workflow", "execution__definition"
    )
    return (
        runs.defer("execution__input", "execution__output", "execution__definition__source")
        .filter(pk=run_id)
        .first()
    )


#: What changes while a run is driven.
_MOVING = (
    "status",
    "task",
    "reviving",
    "items_read",
    "total_items",
    "items_failed",
    "pending",
    "running",
    "succeeded",
    "failed",
    "timed_out",
    "aborted",
)


def _look_again(run: models.MapRun) -> None:
    for name, value in zip(
        _MOVING, models.MapRun.objects.values_list(*_MOVING).get(pk=run.pk), strict=True
    ):
        setattr(run, name, value)


def _lease() -> timedelta:
    return timedelta(seconds=conf.current().lease_seconds)


def _lease_run(run: models.MapRun, worker: Worker) -> bool:
    """Be the one that reads or writes for the run; False where another one is."""
    now = timezone.now()
    free = Q(worker="") | Q(lease_until__lte=now)
    return bool(
        models.MapRun.objects.filter(free, pk=run.pk).update(
            worker=worker.name, lease_until=now + _lease()
        )
    )


def _release(run: models.MapRun, worker: Worker) -> None:
    models.MapRun.objects.filter(pk=run.pk, worker=worker.name).update(worker="", lease_until=None)


# -- items -------------------------------------------------------------------------------


class _Lost(Exception):
    """The run ended, or another worker reads its items."""


def _read(run: models.MapRun, worker: Worker) -> bool:
    """Make children of the items; whether all are. It goes on where it was left.

    Raises StateError where a file, a selector or a batch is wrong.
    """
    _look_again(run)
    parent = engine.load(run.execution_id)
    if run.total_items is not None or run.task not in parent.tasks:
        return True
    asked = _asked(run, parent)
    items: Iterable[JSON] = asked.items or ()
    if asked.item_reader is not None:
        items = islice(storages.read(asked.item_reader), asked.item_reader.get("MaxItems"))
    inputs = asked.inputs(islice(items, run.items_read, None), first=run.items_read)
    index = run.total
    helper = False
    try:
        for chunk in _chunks(inputs):
            rows = [_child(run, index + place, input, asked) for place, input in enumerate(chunk)]
            _store(run, rows, worker)
            index += len(rows)
            if not worker.goes_on:
                return False
            if not helper and len(chunk) == CHUNK:
                # While this one reads on, another can begin with what there is.
                helper = True
                request(run.pk)
        models.MapRun.objects.filter(
            pk=run.pk, worker=worker.name, items_read=run.items_read
        ).update(total_items=run.items_read)
    except _Lost:
        logger.info("Map run %s: another worker reads its items, or it has ended", run.pk)
    return True


def _asked(run: models.MapRun, parent: asl.Execution) -> maprun.MapRun:
    event = models.Event.objects.get(execution=run.execution_id, seq=run.task).read()
    assert isinstance(event, TaskStarted)
    jsonata = conf.current().limits.jsonata
    return maprun.map_run(run.execution.machine, parent, event, jsonata=jsonata)


def _chunks(inputs: Iterator[JSON]) -> Iterator[list[JSON]]:
    """The *inputs*, checked, as many together as one transaction is to store."""
    limits = conf.current().limits
    chunk: list[JSON] = []
    size = 0
    for input in inputs:
        try:
            decide.check_input(input, limits)
        except asl.InvalidValue as error:
            raise StateError("States.DataLimitExceeded", f"An item can't be run: {error}") from None
        chunk.append(input)
        size += values.size(input)
        if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _child(run: models.MapRun, index: int, input: JSON, asked: maprun.MapRun) -> models.Execution:
    now = timezone.now()
    # Made of the run and the place: stored twice, it is refused.
    key = uuid.uuid5(run.pk, str(index))
    return models.Execution(
        id=key,
        workflow=run.execution.workflow,
        definition=run.execution.definition,
        processor=run.processor,
        name=str(key),
        status=models.Status.PENDING,
        input=input,
        started_at=now,
        updated_at=now,
        started_by_id=run.execution.started_by_id,
        seq=0,
        map_run=run,
        map_index=index,
        map_state=MapState.WAITING,
        item_count=len(input["Items"]) if asked.is_batched else 1,
    )


def _store(run: models.MapRun, rows: list[models.Execution], worker: Worker) -> None:
    """Raises _Lost, with nothing stored, where that is not this worker's to do."""
    read = run.items_read + sum(row.item_count or 0 for row in rows)
    now = timezone.now()
    try:
        with transaction.atomic():
            models.Execution.objects.bulk_create(rows)
            stored = models.MapRun.objects.filter(
                pk=run.pk,
                worker=worker.name,
                items_read=run.items_read,
                task=run.task,
                status=models.MapRun.Status.RUNNING,
            ).update(
                items_read=read,
                pending=F("pending") + len(rows),
                updated_at=now,
                lease_until=now + _lease(),
            )
            if not stored:
                raise _Lost
    except IntegrityError:
        raise _Lost from None
    run.items_read = read


# -- children ----------------------------------------------------------------------------


def _start(run: models.MapRun, worker: Worker) -> tuple[bool, engine.Sent | None]:
    """Begin as many children as may run; whether there is more to see to at once.

    The last one's task is the worker's own: the others are for all to take.
    """
    most = min(run.max_concurrency or run.pending, conf.current().max_map_concurrency)
    free = min(most - run.running, run.pending)
    for place in range(free):
        if not worker.goes_on:
            return True, None
        sent = _start_next(run, worker.claim if place == free - 1 else None)
        if sent is None:
            return False, None
        if sent.claimed is not None:
            return True, sent
        if not sent.state.is_running:
            # There is room for one more, or one too many has failed.
            return True, None
    return False, None


def _start_next(run: models.MapRun, claim: engine.Claim | None) -> engine.Sent | None:
    """Begin the first child that waits, or go on with it; None where none is to be had."""
    try:
        with transaction.atomic():
            row = _next_waiting(run)
            if row is None:
                return None
            if row.seq:
                return engine.send(
                    row.pk, asl.Redrive(), actor=MAP_RUN, claim=claim, tends_run=True
                )
            return engine.start_child(row, run.context, actor=MAP_RUN, claim=claim)
    except children.MapRunIsFull:
        return None


def _next_waiting(run: models.MapRun) -> models.Execution | None:
    waiting = (
        models.Execution.objects.filter(map_run=run.pk, map_state=MapState.WAITING)
        .defer("output")
        .order_by("map_index")
    )
    features = connections[waiting.db].features
    if features.has_select_for_update:
        waiting = waiting.select_for_update(
            of=("self",) if features.has_select_for_update_of else (),
            skip_locked=features.has_select_for_update_skip_locked,
        )
    else:
        models.lock(models.MapRun.objects.filter(pk=run.pk))
    # The index still leads to those that no longer wait, as long as any transaction
    # may see them so: begin behind the last one that this process found.
    row = (
        waiting.filter(map_index__gt=_found.get((run.pk, run.task), -1)).first() or waiting.first()
    )
    if row is not None:
        if len(_found) >= 1_000:
            _found.clear()
        _found[run.pk, run.task] = row.map_index or 0
        # Nobody has to read these again for each child.
        row.workflow, row.definition = run.execution.workflow, run.execution.definition
    return row


#: By run and task (another after a redrive): the index of the child that this process
#: last found waiting. A hint.
_found: dict[tuple[uuid.UUID, int], int] = {}


# -- ends --------------------------------------------------------------------------------


def _failure(run: models.MapRun, error: StateError) -> asl.FailTask:
    return asl.FailTask(task=run.task, error=error.name, cause=error.cause)


def _answer(
    run: models.MapRun, command: asl.CompleteTask | asl.FailTask, worker: Worker
) -> engine.Sent | None:
    try:
        sent = engine.send(run.execution_id, command, actor=MAP_RUN, claim=worker.claim)
    except asl.CommandRejected as refusal:
        logger.info("Map run %s: its answer came too late: %s", run.pk, refusal)
        return None
    except models.Execution.DoesNotExist:
        return None
    return sent


def _join(run: models.MapRun, worker: Worker) -> engine.Sent | None:
    """Answer the parent with the results."""
    if not _lease_run(run, worker):
        return None
    try:
        parent = engine.load(run.execution_id)
        if run.task not in parent.tasks:
            return None
        output = _results(run, _asked(run, parent), worker)
        return _answer(run, asl.CompleteTask(task=run.task, output=output), worker)
    except StateError as error:
        return _answer(run, _failure(run, error), worker)
    finally:
        _release(run, worker)


def _results(run: models.MapRun, asked: maprun.MapRun, worker: Worker) -> JSON:
    """The Map's result. Raises StateError: States.ResultWriterFailed."""
    writer = asked.result_writer

    def ended(succeeded: bool) -> Iterator[models.Execution]:
        return _ended(run, worker, succeeded=succeeded)

    if writer is not None and writer.get("Resource"):
        output, written = storages.write(run, writer, ended)
        models.MapRun.objects.filter(pk=run.pk).update(results_written=written)
        return output
    config = (writer or {}).get("WriterConfig") or {}
    outputs: list[JSON] = []
    size = 0
    for output in storages.transformed(ended(True), config.get("Transformation", "COMPACT")):
        outputs.append(output)
        size += values.size(output)
        if size > conf.current().payload_bytes:
            # Too large already: the engine says so.
            break
    return outputs


def _ended(run: models.MapRun, worker: Worker, *, succeeded: bool) -> Iterator[models.Execution]:
    """The children that ended so, in the order of their items."""
    rows = models.Execution.objects.filter(map_run=run.pk).order_by("map_index")
    good = Q(status=models.Status.SUCCEEDED)
    rows = rows.filter(good if succeeded else ~good)
    last = -1
    # Pages by key: a cursor would need a transaction as long as the whole.
    while page := list(rows.filter(map_index__gt=last)[:CHUNK]):
        yield from page
        last = page[-1].map_index or 0
        models.MapRun.objects.filter(pk=run.pk, worker=worker.name).update(
            lease_until=timezone.now() + _lease()
        )


def _close(run: models.MapRun, worker: Worker) -> bool:
    """End the children of a run that has ended; whether all have."""
    for step in (_abort_waiting, _stop_running):
        while step(run):
            if not worker.goes_on:
                return False
    models.MapRun.objects.filter(pk=run.pk, pending=0, running=0).exclude(
        status=models.MapRun.Status.RUNNING
    ).update(due_at=None)
    return True


def _moves(rows: Sequence[models.Execution], sign: int) -> dict[str, Any]:
    """How the run's counts change when *rows* are to wait (1), or no longer are (-1)."""
    ended = [models.Status.ABORTED if not row.seq else row.status for row in rows]
    return {
        "pending": F("pending") + sign * len(rows),
        "items_failed": F("items_failed")
        - sign * sum(row.item_count or 0 for row in rows if row.seq),
        **{name: F(name) - sign * ended.count(status) for status, name in _LOST.items()},
    }


class _GoesOn(Exception):
    """The run was redriven meanwhile."""


def _abort_waiting(run: models.MapRun) -> bool:
    """Have some children that did not begin never begin; whether there were any."""
    now = timezone.now()
    try:
        with transaction.atomic():
            rows = models.Execution.objects.filter(map_run=run.pk, map_state=MapState.WAITING)
            some = list(rows.order_by("map_index").only("status", "seq", "item_count")[:CHUNK])
            if not some:
                return False
            waiting = rows.filter(pk__in=[row.pk for row in some])
            # What waited to go on has ended before, and stays as it ended.
            moved = waiting.filter(seq__gt=0).update(map_state=MapState.ENDED)
            moved += waiting.filter(seq=0).update(
                map_state=MapState.ENDED, status=models.Status.ABORTED, updated_at=now, ended_at=now
            )
            if moved != len(some):
                # One of them has just begun.
                transaction.set_rollback(True)
                return True
            _while_ended(run, **_moves(some, -1))
    except _GoesOn:
        return False
    return True


def _stop_running(run: models.MapRun) -> bool:
    """Stop some children; whether there were any."""
    rows = models.Execution.objects.filter(map_run=run.pk, map_state=MapState.RUNNING)
    keys = list(rows.order_by("map_index").values_list("pk", flat=True)[:CHUNK])
    cause = f"The Map run of the state '{run.state}' has ended: {run.status}"
    for key in keys:
        try:
            with transaction.atomic():
                engine.send(key, asl.Stop(cause=cause), actor=MAP_RUN, tends_run=True)
                _while_ended(run)
        except _GoesOn:
            return False
        except asl.CommandRejected:
            logger.info("execution %s ended before its Map run could stop it", key)
    return bool(keys)


def _while_ended(run: models.MapRun, **moved: Any) -> None:
    """Raises _GoesOn, so that nothing is written, where the run does not stay ended."""
    runs = models.MapRun.objects.filter(pk=run.pk, task=run.task)
    if not runs.exclude(status=models.MapRun.Status.RUNNING).update(
        updated_at=timezone.now(), **moved
    ):
        raise _GoesOn


def _revive(run: models.MapRun, worker: Worker) -> bool:
    """Have all children that did not succeed wait again; whether they do."""
    while worker.goes_on:
        with transaction.atomic():
            rows = models.Execution.objects.filter(
                map_run=run.pk, map_state=MapState.ENDED, status__in=list(_LOST)
            ).order_by("map_index")
            some = list(rows.only("status", "seq", "item_count")[:CHUNK])
            if not some:
                models.MapRun.objects.filter(pk=run.pk, task=run.task).update(reviving=False)
                return True
            ended = models.Execution.objects.filter(
                pk__in=[row.pk for row in some], map_state=MapState.ENDED
            )
            revived = ended.filter(seq=0).update(
                map_state=MapState.WAITING, status=models.Status.PENDING, ended_at=None
            )
            revived += ended.filter(seq__gt=0).update(map_state=MapState.WAITING)
            moved = models.MapRun.objects.filter(
                pk=run.pk, task=run.task, status=models.MapRun.Status.RUNNING
            ).update(**_moves(some, 1))
            if revived != len(some) or not moved:
                # Another worker is at it, or the run has ended once more.
                transaction.set_rollback(True)
                return False
    return False


_LOST = {
    models.Status.FAILED: "failed",
    models.Status.TIMED_OUT: "timed_out",
    models.Status.ABORTED: "aborted",
}


# -- time --------------------------------------------------------------------------------


def look_after(run: models.MapRun, now: datetime) -> bool:
    """Have a worker see to a run that is due, unless it moves on; ever later, as it stands.

    Whether the queue was told of it.
    """
    redeliver = timedelta(seconds=conf.current().redeliver_seconds)
    still = now - run.updated_at
    pause = max(redeliver, min(still, _LONGEST_PAUSE))
    looked = models.MapRun.objects.filter(pk=run.pk, due_at=run.due_at).update(due_at=now + pause)
    if not looked or still < redeliver:
        return False
    request(run.pk)
    return True
