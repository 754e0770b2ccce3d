"""Tells django-q2 of tasks. What it does with them is a hint and nothing more.

It delivers at least once with some brokers, at most once with others, and sometimes
not at all: the truth is in the `models.Task` rows. Of a row that is not taken, the
clock tells the queue again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from multiprocessing import util
from typing import Any
from uuid import UUID

import django_q.signals
from django.db import transaction
from django_q.brokers import get_broker
from django_q.conf import Conf
from django_q.tasks import async_task

from django_workflows import clock, conf, models, signals

logger = logging.getLogger(__name__)

#: A text, so that what is queued names a function and does not contain one.
RUN = "django_workflows.tasks.run"
DRIVE_MAP_RUN = "django_workflows.tasks.drive_map_run"


def connect() -> None:
    """Listen for requested tasks, and for workers that begin."""
    signals.tasks_requested.connect(on_tasks_requested, dispatch_uid="django_workflows")
    signals.map_runs_requested.connect(on_map_runs_requested, dispatch_uid="django_workflows")
    django_q.signals.post_spawn.connect(on_post_spawn, dispatch_uid="django_workflows")


def on_tasks_requested(*, execution: models.Execution, task_ids: Sequence[int], **_: Any) -> None:
    """Put tasks into the queue. What fails is noted, and left to the clock."""
    cluster = conf.current().cluster
    # One transaction for all: django-q2 would reconnect for each one outside of any.
    # Run at once, as with its setting ``sync``, they must not be in one.
    together = nullcontext() if Conf.SYNC else transaction.atomic()
    try:
        broker = get_broker(cluster) if cluster else get_broker()
        with together:
            for task_id in task_ids:
                async_task(
                    RUN,
                    task_id,
                    task_name=f"workflow task {task_id}",
                    group=str(execution.pk),
                    ack_failure=True,
                    save=False,
                    broker=broker,
                    cluster=cluster,
                )
    except Exception:
        logger.exception(
            "execution %s: the queue could not be told of %d task(s); it will be, later",
            execution.pk,
            len(task_ids),
        )


def on_map_runs_requested(*, run_ids: Sequence[UUID], **_: Any) -> None:
    """Put runs of distributed Maps into the queue, as tasks are."""
    cluster = conf.current().cluster
    try:
        broker = get_broker(cluster) if cluster else get_broker()
        for run_id in run_ids:
            async_task(
                DRIVE_MAP_RUN,
                str(run_id),
                task_name=f"Map run {run_id}",
                group=str(run_id),
                ack_failure=True,
                save=False,
                broker=broker,
                cluster=cluster,
            )
    except Exception:
        logger.exception("the queue could not be told of a Map run; it will be, later")


def on_post_spawn(**_: Any) -> None:
    """Run the clock in this worker, if it is to."""
    if not conf.current().clock_in_workers:
        return
    thread = clock.Thread()
    thread.start()
    # In a child process nothing else is called at the end.
    util.Finalize(None, thread.stop, exitpriority=100)
