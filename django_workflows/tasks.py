"""What a worker does with a task: claim it, call its handler, bring the answer back.

Rule 1: a row is claimed by compare-and-swap before the site's code runs, so of
many deliveries one works; the claim is a lease, renewed while the handler runs,
so that the death of a worker is noticed and its slowness is not.
Rule 2: handlers run outside of transactions.
Rule 3: nothing is raised to the queue. Late and double answers are refused by the
engine, noted, and forgotten.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection
from django.db.models import F
from django.utils import timezone
from django_q.exceptions import TimeoutException

from django_workflows import actors, asl, conf, engine, handlers, mapruns, models
from django_workflows.asl import values
from django_workflows.handlers import PENDING, TaskContext, TaskError, UnknownResource

logger = logging.getLogger(__name__)

WORKER = actors.system("worker")

#: The Error Name for what a handler returns and is not JSON data. Not States.Runtime,
#: which no Catcher sees: here the workflow can still do something.
INVALID_RESULT = "InvalidResult"

#: How long a worker goes on trying to store an answer that the database does not take.
_PATIENCE_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A task that this worker has claimed, and the event that asks for it."""

    task: models.Task
    event: asl.TaskStarted


@dataclass(slots=True, kw_only=True)
class _Drive:
    """How long this worker goes on with one execution: a moment of `time.monotonic`."""

    until: float

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self.until

    def stop(self) -> None:
        self.until = 0.0


def run(task_id: int) -> None:
    """Do the task of this row, unless it is done or another worker is at it.

    The worker then goes on with the same execution: the handler's task that
    follows is claimed in the transaction that stores the answer, and done at once,
    until DRIVE_SECONDS are over. Entry point of the queue; raises nothing.
    """
    drive = _Drive(until=time.monotonic() + conf.current().drive_seconds)
    with _quietly(f"task row {task_id}"):
        held = claim(task_id)
        while held is not None:
            held = _work(held, drive)


def drive_map_run(run_id: str) -> None:
    """Look after this run of a distributed Map, and do the task that comes of it.

    Entry point of the queue; raises nothing.
    """
    drive = _Drive(until=time.monotonic() + conf.current().drive_seconds)
    with _quietly(f"Map run {run_id}"):
        held = _next(_drive_map_run(UUID(run_id), drive), drive)
        while held is not None:
            held = _work(held, drive)


@contextmanager
def _quietly(what: str) -> Iterator[None]:
    """Raise nothing: what was not stored is done again, by whoever gets it next."""
    try:
        yield
    except TimeoutException:
        # Between two handlers: what is claimed comes back when its lease runs out.
        logger.warning("%s: the queue's time for it ran out", what)
    except Exception:
        logger.exception("%s: no answer could be stored; it will come again", what)


def claim(task_id: int) -> Held | None:
    """The task, now this worker's for a while; None where it is not to be had."""
    claimed = models.Task.objects.filter(pk=task_id, status=models.Task.Status.QUEUED).update(
        status=models.Task.Status.RUNNING,
        worker=worker_name(),
        deliveries=F("deliveries") + 1,
        due_at=timezone.now() + _lease(),
    )
    task = models.Task.objects.filter(pk=task_id).first() if claimed else None
    if task is None:
        return None
    event = models.Event.objects.get(execution=task.execution_id, seq=task.seq).read()
    assert isinstance(event, asl.TaskStarted)
    return Held(task=task, event=event)


def worker_name() -> str:
    """Who this is: another name for each thread of each process that ever was."""
    if getattr(_this, "pid", None) != os.getpid():
        _this.pid = os.getpid()
        _this.name = f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(4)}"
    name: str = _this.name
    return name


_this = threading.local()


def _lease() -> timedelta:
    return timedelta(seconds=conf.current().lease_seconds)


def _work(held: Held, drive: _Drive) -> Held | None:
    """Do the task and answer it; the next one to do, already claimed, if there is one."""
    with _leases.keep(held.task):
        command = _command(held, drive)
        if command is not None:
            return _answer(held.task, command, drive)
    mine = models.Task.objects.filter(
        pk=held.task.pk, status=models.Task.Status.RUNNING, worker=held.task.worker
    )
    mine.update(status=models.Task.Status.PENDING, worker="", due_at=None)
    return None


def _command(held: Held, drive: _Drive) -> asl.CompleteTask | asl.FailTask | None:
    """The answer, found out by calling the handler; None to leave it to the token."""
    event = held.event
    try:
        error, cause = None, None
        try:
            result = _result(held)
        except UnknownResource as unknown:
            error, cause = "States.Runtime", str(unknown)
        except TimeoutException:
            raise
        except (Exception, SystemExit) as raised:
            # A handler that calls exit() ends its task, not the worker.
            if not isinstance(raised, TaskError):
                # Retry and Catch are there for it: a line, and the trace for who looks.
                what = f"{type(raised).__name__}: {raised}"
                logger.warning("task %s: its handler raised %.500s", _name(held.task), what)
                logger.info("task %s: its trace", _name(held.task), exc_info=True)
            error, cause = handlers.error_of(raised, event.resource)
        else:
            if result is PENDING:
                return None
            try:
                values.check(result, what="result")
                values.dumps(result)
                return asl.CompleteTask(task=event.seq, output=result)
            except asl.InvalidValue as invalid:
                error = INVALID_RESULT
                cause = f"The handler of {event.resource!r} returned no JSON data: {invalid}"
    except TimeoutException as timeout:
        logger.warning("task %s: its handler took too long", _name(held.task))
        drive.stop()
        error = "States.Timeout"
        cause = f"The handler of {event.resource!r} was stopped by the queue: {timeout}"
    return asl.FailTask(task=event.seq, error=error, cause=cause)


def _result(held: Held) -> Any:
    """What the handler returns. Raises what it raises, and UnknownResource."""
    event, task = held.event, held.task
    context = TaskContext(
        execution_id=task.execution_id,
        task=event.seq,
        state=event.state,
        resource=event.resource,
        attempt=event.retry_count,
        visit=event.visit,
        _token=lambda: engine.token_of(task),
        _beat=lambda: _beat(task),
    )
    return handlers.resolve(event.resource, event.input).run(context)


def _beat(task: models.Task) -> None:
    engine.send(task.execution_id, asl.Heartbeat(task=task.seq), actor=WORKER)


def _answer(
    task: models.Task, command: asl.CompleteTask | asl.FailTask, drive: _Drive
) -> Held | None:
    give_up = time.monotonic() + _PATIENCE_SECONDS
    pause = 0.1
    while True:
        wish = engine.Claim(worker=worker_name(), lease=_lease()) if drive.goes_on else None
        try:
            sent = engine.send(task.execution_id, command, actor=WORKER, claim=wish)
        except asl.CommandRejected as refusal:
            logger.info("task %s: its answer came too late: %s", _name(task), refusal)
            return None
        except models.Execution.DoesNotExist:
            logger.info("task %s: its execution was deleted", _name(task))
            return None
        except TimeoutException:
            # The alarm rings once, and the queue's guard waits three more seconds.
            drive.stop()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > give_up:
                raise
            logger.warning("task %s: its answer is not stored yet", _name(task), exc_info=True)
            connection.close()
            time.sleep(pause)
            pause = min(pause * 2, 2.0)
        else:
            if wish is None:
                # What follows was asked of the queue.
                return None
            return _next(sent, drive)


def _next(sent: engine.Sent | None, drive: _Drive) -> Held | None:
    """What this worker does next: the same execution's task, or its Map run's."""
    while sent is not None and sent.claimed is None:
        run_id = sent.execution.map_run_id
        if run_id is None or sent.state.is_running:
            return None
        sent = _drive_map_run(run_id, drive)
    if sent is None or (task := sent.claimed) is None:
        return None
    for event in sent.events:
        if isinstance(event, asl.TaskStarted) and event.seq == task.seq:
            return Held(task=task, event=event)
    return None


def _drive_map_run(run_id: UUID, drive: _Drive) -> engine.Sent | None:
    return mapruns.drive(run_id, mapruns.Worker(name=worker_name(), until=drive.until))


def _name(task: models.Task) -> str:
    return f"{task.execution_id}:{task.seq}"


class _Leases:
    """The claims that this process holds, and one thread that renews them all.

    The thread ends when it finds nothing to renew; the next claim starts another.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew: after a fork a process has its parent's memory, but not its threads."""
        self._lock = threading.Lock()
        self._held: dict[int, str] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def keep(self, task: models.Task) -> Iterator[None]:
        """Keep the claim on *task* while the block runs, however long that takes."""
        with self._lock:
            self._held[task.pk] = task.worker
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._renew, name="leases of tasks", daemon=True
                )
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(task.pk, None)

    def _renew(self) -> None:
        while True:
            # At most a second, so that it ends soon once there is nothing to do.
            time.sleep(min(_lease().total_seconds() / 3, 1.0))
            with self._lock:
                held = dict(self._held)
                if not held:
                    self._thread = None
                    return
            try:
                for key, worker in held.items():
                    models.Task.objects.filter(
                        pk=key, status=models.Task.Status.RUNNING, worker=worker
                    ).update(due_at=timezone.now() + _lease())
            except Exception:
                logger.warning("leases could not be renewed", exc_info=True)
            finally:
                connection.close()


_leases = _Leases()
os.register_at_fork(after_in_child=_leases.reset)
