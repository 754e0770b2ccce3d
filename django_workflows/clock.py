"""Time: wakes executions whose moment has come, and looks after tasks that got lost.

Rule 1: saying the time twice, or in many places at once, changes nothing: the
engine looks again under the lock, and rows are taken by compare-and-swap.
Rule 2: what is wrong with one execution is noted and keeps no other waiting.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from django_workflows import actors, asl, conf, engine, mapruns, models, nesting, signals

logger = logging.getLogger(__name__)

CLOCK = actors.system("clock")

DELIVERY_FAILED = "Task.DeliveryFailed"

_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What one look at the clock brought about."""

    #: Executions that were woken.
    woken: int = 0
    #: Tasks and Map runs that the queue was told of again.
    redelivered: int = 0
    #: Tasks that failed, having been delivered too often.
    failed: int = 0
    #: Executions whose parents were told of their end, or that nobody waited for any more.
    settled: int = 0
    #: The next moment at which there is something to do, as far as is known.
    next_due: datetime | None = None


def tick(now: datetime | None = None) -> Tick:
    """Do what was due by *now*. Harmless to do too often, and from many places."""
    return Clock().tick(now)


@dataclass(slots=True)
class Clock:
    """A clock remembers what it failed at, so as not to try that every time."""

    #: By what failed: how often, and when (by `time.monotonic`) it is tried again.
    _failures: dict[UUID | int, tuple[int, float]] = field(default_factory=dict)

    def tick(self, now: datetime | None = None) -> Tick:
        """Do what was due by *now*.

        Raises only where the database can't be asked what is due.
        """
        # With no moment given each wake has its own: the last of many comes later.
        moment = partial(_given, now) if now is not None else timezone.now
        now = now or timezone.now()
        batch = conf.current().clock_batch
        skipped = self._skipped()
        executions = models.Execution.objects.filter(wake_at__isnull=False).order_by("wake_at")
        wakes = list(
            executions.exclude(
                pk__in=[key for key in skipped if isinstance(key, UUID)]
            ).values_list("pk", "wake_at")[: batch + 1]
        )
        woken = sum(
            self._tries(key, partial(_wake, key, moment))
            for key, wake_at in wakes[:batch]
            if wake_at is not None and wake_at <= now
        )
        rows = models.Task.objects.filter(due_at__isnull=False).order_by("due_at")
        tasks = list(
            rows.exclude(pk__in=[key for key in skipped if isinstance(key, int)])[: batch + 1]
        )
        redelivered = failed = 0
        for task in tasks[:batch]:
            if task.due_at is None or task.due_at > now:
                continue
            if task.status == models.Task.Status.QUEUED:
                redelivered += self._tries(task.pk, partial(_offer_again, task, now))
            elif task.deliveries < conf.current().max_deliveries:
                redelivered += self._tries(task.pk, partial(_take_away, task, now))
            else:
                failed += self._tries(task.pk, partial(_give_up, task, now))
        runs = models.MapRun.objects.filter(due_at__isnull=False).order_by("due_at")
        map_runs = list(
            runs.exclude(pk__in=[key for key in skipped if isinstance(key, UUID)])[: batch + 1]
        )
        redelivered += sum(
            self._tries(run.pk, partial(mapruns.look_after, run, now))
            for run in map_runs[:batch]
            if run.due_at is not None and run.due_at <= now
        )
        owing = models.Execution.objects.filter(parent_due_at__isnull=False)
        ties = list(
            owing.exclude(pk__in=[key for key in skipped if isinstance(key, UUID)])
            .order_by("parent_due_at")
            .values_list("pk", "parent_due_at")[: batch + 1]
        )
        settled = sum(
            self._tries(key, partial(nesting.look_after, key))
            for key, due_at in ties[:batch]
            if due_at is not None and due_at <= now
        )
        # Sorted: the last ones are either still to come, or more than fitted in.
        moments = [moment for _, moment in [*wakes, *ties]] + [task.due_at for task in tasks]
        moments += [run.due_at for run in map_runs]
        left = [moment for _, moment in [*wakes[batch:], *ties[batch:]]]
        left += [task.due_at for task in tasks[batch:]] + [run.due_at for run in map_runs[batch:]]
        open_moments = [moment for moment in moments if moment is not None and moment > now]
        open_moments += [moment for moment in left if moment is not None]
        return Tick(
            woken=woken,
            redelivered=redelivered,
            failed=failed,
            settled=settled,
            next_due=min(open_moments, default=None),
        )

    def _skipped(self) -> list[UUID | int]:
        now = time.monotonic()
        return [key for key, (_, again_at) in self._failures.items() if again_at > now]

    def _tries(self, key: UUID | int, deed: Callable[[], bool]) -> bool:
        try:
            done = deed()
        except Exception:
            times = self._failures.get(key, (0, 0.0))[0] + 1
            pause = min(2.0**times, _LONGEST_PAUSE)
            self._failures[key] = times, time.monotonic() + pause
            what = "execution" if isinstance(key, UUID) else "task row"
            logger.exception("%s %s: left alone for %d s", what, key, pause)
            return False
        self._failures.pop(key, None)
        return done


def _wake(execution_id: UUID, moment: Callable[[], datetime]) -> bool:
    return engine.wake(execution_id, at=moment(), actor=CLOCK) is not None


def _given(now: datetime) -> datetime:
    return now


def _offer_again(task: models.Task, now: datetime) -> bool:
    """Tell the queue again of a task that no worker has taken."""
    return _offer(task, now, offers=task.offers + 1)


def _take_away(task: models.Task, now: datetime) -> bool:
    """Have another worker do a task whose worker has gone silent."""
    logger.warning("task %s: worker %s has gone silent", task, task.worker)
    return _offer(task, now, offers=1)


def _offer(task: models.Task, now: datetime, *, offers: int) -> bool:
    offered = _as_read(task).update(
        status=models.Task.Status.QUEUED,
        worker="",
        offers=offers,
        offered_at=now,
        due_at=engine.redelivery_at(offers, now),
    )
    if offered:
        signals.tasks_requested.send_robust(
            models.Execution, execution=task.execution, task_ids=[task.pk]
        )
    return bool(offered)


def _give_up(task: models.Task, now: datetime) -> bool:
    """Fail a task whose workers have all gone silent: more of them would not help."""
    lease = timedelta(seconds=conf.current().lease_seconds)
    if not _as_read(task).update(worker="", due_at=now + lease):
        return False
    command = asl.FailTask(
        task=task.seq,
        error=DELIVERY_FAILED,
        cause=f"{task.deliveries} workers took the task of {task.resource!r}"
        " and none of them was heard of again",
    )
    try:
        engine.send(task.execution_id, command, actor=CLOCK, at=now)
    except asl.CommandRejected:
        return False
    return True


def _as_read(task: models.Task) -> Any:
    """The row, if nobody has touched it since it was read."""
    return models.Task.objects.filter(
        pk=task.pk, status=task.status, worker=task.worker, due_at=task.due_at
    )


def run_forever(stop: threading.Event) -> None:
    """Tick until *stop* is set: at every due moment, and at least every CLOCK_TICK_SECONDS."""
    clock = Clock()
    failures = 0
    try:
        while not stop.is_set():
            try:
                done = clock.tick()
            except Exception:
                # The database is away, or not migrated yet.
                failures += 1
                logger.exception("the clock could not look what is due")
                connection.close()
                stop.wait(min(0.25 * 2**failures, 10.0))
            else:
                failures = 0
                stop.wait(_pause(done))
    finally:
        connection.close()


def _pause(done: Tick) -> float:
    longest = conf.current().clock_tick_seconds
    if done.next_due is None:
        return longest
    return min(max((done.next_due - timezone.now()).total_seconds(), 0.0), longest)


class Thread(threading.Thread):
    """The clock, beside whatever else the process does."""

    def __init__(self) -> None:
        super().__init__(name="workflows clock", daemon=True)
        self._over = threading.Event()

    def run(self) -> None:
        run_forever(self._over)

    def stop(self) -> None:
        """Let it end, and wait a moment for that."""
        self._over.set()
        self.join(timeout=2)
