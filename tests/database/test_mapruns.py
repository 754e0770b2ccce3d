"""Distributed Maps: children that are executions of their own, and the run that counts them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from django_workflows import mapruns, models, signals, tasks
from tests.testapp import workflow_tasks
from tests.workflows import call, checked, machine, output, started

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: The requests for runs that the queue was told of and no worker has taken.
REQUESTS: list[Any] = []


@pytest.fixture(autouse=True)
def _queue(monkeypatch):
    """A queue that is run by hand; a commit in a test's own transaction counts as one."""
    from django.db import transaction

    workflow_tasks.forget()
    REQUESTS.clear()
    monkeypatch.setattr(mapruns, "CHUNK", 7)
    signals.map_runs_requested.connect(_requested)
    on_commit = transaction.on_commit
    if connection.in_atomic_block:
        monkeypatch.setattr(transaction, "on_commit", lambda deed, **_: deed())
    yield
    monkeypatch.setattr(transaction, "on_commit", on_commit)
    signals.map_runs_requested.disconnect(_requested)


def _requested(*, run_ids, **_):
    REQUESTS.extend(run_ids)


def fan(processor: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A distributed Map over the input, whose items go through *processor*."""
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    inner = processor or machine(Work=call("echo"))
    return {"Type": "Map", "ItemProcessor": {**inner, **config}, **fields}


def drain(most: int = 10_000) -> int:
    """Do all that the queue was told of, in order, as a cluster would; how much that was."""
    done = 0
    while done < most:
        if REQUESTS:
            tasks.drive_map_run(str(REQUESTS.pop(0)))
        elif (
            row := models.Task.objects.filter(status="QUEUED").order_by("pk").first()
        ) is not None:
            tasks.run(row.pk)
        else:
            break
        done += 1
    check_all()
    return done


def check_all() -> None:
    """Everything stored follows from the events, and the runs' counts from their children."""
    for row in models.Execution.objects.all():
        checked(row)
    for run in models.MapRun.objects.all():
        check_counts(run)


def check_counts(run: models.MapRun) -> None:
    run.refresh_from_db()
    children = list(run.children.all())
    by_state = [child.map_state for child in children]
    assert (run.pending, run.running) == (by_state.count("WAITING"), by_state.count("RUNNING"))
    ended = [child for child in children if child.map_state == "ENDED"]
    statuses = [child.status for child in ended]
    assert run.succeeded == statuses.count("SUCCEEDED")
    assert run.failed == statuses.count("FAILED")
    assert run.timed_out == statuses.count("TIMED_OUT")
    assert run.aborted == statuses.count("ABORTED")
    assert run.items_failed == sum(
        child.item_count for child in ended if child.seq and child.status != "SUCCEEDED"
    )
    assert run.items_read == sum(child.item_count for child in children)
    assert all(child.status == "RUNNING" for child in children if child.map_state == "RUNNING")
    assert sorted(child.map_index for child in children) == list(range(run.total))
    if not run.is_running and not REQUESTS:
        assert (run.pending, run.running, run.due_at) == (0, 0, None)


def only_run() -> models.MapRun:
    return models.MapRun.objects.get()


# -- outcomes ----------------------------------------------------------------------------


def test_each_item_is_an_execution_of_its_own():
    execution = started(machine(Fan=fan(), Done={"Type": "Pass"}), [{"n": n} for n in range(20)])

    drain()

    assert output(execution) == [{"n": n} for n in range(20)]
    run = only_run()
    assert (run.status, run.total_items, run.succeeded) == ("SUCCEEDED", 20, 20)
    assert run.ended_at is not None
    children = list(run.children.order_by("map_index"))
    assert [child.input for child in children] == [{"n": n} for n in range(20)]
    assert {child.workflow for child in children} == {execution.workflow}
    assert execution.definition_id == children[0].definition_id
    assert children[0].machine.start_at == "Work"
    # The parent's own history stays small.
    assert checked(execution).seq == 8
