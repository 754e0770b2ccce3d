"""Distributed Maps: children that are executions of their own, and the run that counts them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ
from rest_framework.test import APIClient

from django_workflows import asl, clock, dispatch, engine, mapruns, models, signals, tasks
from tests.testapp import workflow_tasks
from tests.workflows import (
    SYSTEM,
    at_once,
    call,
    checked,
    failure,
    machine,
    output,
    queued,
    send,
    started,
)

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
    assert {child.definition for child in children} == {execution.definition}
    assert children[0].machine.start_at == "Work"
    assert list(models.Execution.objects.filter(map_run__isnull=True)) == [execution]
    # The parent's own history stays small.
    assert checked(execution).seq == 8


def test_no_items_are_no_children():
    execution = started(machine(Fan=fan()), [])
    drain()
    assert output(execution) == []
    assert only_run().total == 0


def test_children_without_tasks_end_as_they_begin():
    execution = started(machine(Fan=fan(machine(Mark={"Type": "Pass", "Result": 1}))), [0] * 30)
    # Who reads the items begins them; it asks another one to begin while it still reads.
    assert drain() <= 2
    assert output(execution) == [1] * 30


def test_an_item_selector_makes_the_inputs():
    selector = {"item.$": "$$.Map.Item.Value", "at.$": "$$.Map.Item.Index", "of.$": "$.name"}
    execution = started(
        machine(Fan=fan(ItemsPath="$.items", ItemSelector=selector)),
        {"name": "list", "items": ["a"] * 15},
    )
    drain()
    assert output(execution) == [{"item": "a", "at": n, "of": "list"} for n in range(15)]


def test_what_the_starter_gave_for_the_context_reaches_the_children():
    processor = machine(
        Mark={"Type": "Pass", "Parameters": {"who.$": "$$.tenant", "id.$": "$$.Execution.Id"}}
    )
    execution = started(machine(Fan=fan(processor)), [1], context={"tenant": "acme"})
    drain()
    child = only_run().children.get()
    assert output(execution) == [{"who": "acme", "id": str(child.pk)}]


def test_batches_are_children_and_items_are_counted():
    batcher = {"MaxItemsPerBatch": 4, "BatchInput": {"of": "all"}}
    execution = started(machine(Fan=fan(ItemBatcher=batcher)), list(range(10)))
    drain()
    assert output(execution) == [
        {"BatchInput": {"of": "all"}, "Items": items}
        for items in ([0, 1, 2, 3], [4, 5, 6, 7], [8, 9])
    ]
    run = only_run()
    assert (run.total, run.total_items, run.items_read) == (3, 10, 10)


def test_a_failure_fails_the_map_and_ends_the_other_children():
    picky = machine(
        Look={
            "Type": "Choice",
            "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "Bad"}],
            "Default": "Wait",
        },
        Bad={"Type": "Fail", "Error": "Odd", "Cause": "it is two"},
        Wait=call("callback", End=True),
    )
    execution = started(machine(Fan=fan(picky, MaxConcurrency=3)), list(range(20)))

    drain()

    assert failure(execution) == (
        "States.ExceedToleratedFailureThreshold",
        "The specified tolerated failure threshold was exceeded",
    )
    run = only_run()
    assert (run.status, run.failed, run.aborted) == ("FAILED", 1, 19)
    stopped = run.children.filter(status="ABORTED", seq__gt=0)
    assert {child.cause for child in stopped} == {
        "The Map run of the state 'Fan' has ended: FAILED"
    }
    assert stopped.count() == 2
    assert run.children.filter(status="ABORTED", seq=0, ended_at__isnull=False).count() == 17
    assert not models.Task.objects.exists()


DIVIDE = machine(Work=call("divide"))


@pytest.mark.parametrize(
    ("tolerance", "succeeds"),
    [
        ({"ToleratedFailureCount": 2}, True),
        ({"ToleratedFailureCount": 1}, False),
        ({"ToleratedFailurePercentage": 20}, True),
        ({"ToleratedFailurePercentage": 19.9}, False),
        ({"ToleratedFailureCount": 2, "ToleratedFailurePercentage": 10}, False),
        ({"ToleratedFailurePercentage": 0}, False),
        ({}, False),
    ],
)
def test_as_many_items_may_fail_as_are_tolerated(tolerance, succeeds):
    items = [{"by": 0 if n in (3, 7) else n} for n in range(1, 11)]
    execution = started(machine(Fan=fan(DIVIDE, **tolerance)), items)

    drain()

    if succeeds:
        assert output(execution) == [1 / n for n in range(1, 11) if n not in (3, 7)]
    else:
        assert failure(execution)[0] == "States.ExceedToleratedFailureThreshold"


def test_of_batches_that_fail_the_items_count():
    processor = machine(Bad={"Type": "Fail"})
    fields = {"ItemBatcher": {"MaxItemsPerBatch": 3}, "ToleratedFailureCount": 5}
    execution = started(machine(Fan=fan(processor, MaxConcurrency=1, **fields)), list(range(9)))
    drain()
    assert failure(execution)[0] == "States.ExceedToleratedFailureThreshold"
    assert (only_run().failed, only_run().items_failed) == (2, 6)


def test_an_item_selector_that_fails_fails_the_map():
    selector = {"x.$": "$$.Map.Item.Value.x"}
    document = machine(Fan=fan(ItemSelector=selector))
    execution = started(document, [{"x": 1}] * 10 + [{}])
    drain()
    error, cause = failure(execution)
    assert error == "States.Runtime"
    assert "$$.Map.Item.Value.x" in cause


def test_an_item_that_is_too_large_fails_the_map(settings):
    settings.WORKFLOWS = {"PAYLOAD_BYTES": 200}
    selector = {"x.$": "States.Format('{}{}', $$.Map.Item.Value, $$.Map.Item.Value)"}
    execution = started(machine(Fan=fan(ItemSelector=selector)), ["x" * 120])
    drain()
    assert failure(execution)[0] == "States.DataLimitExceeded"


def test_results_that_are_too_large_fail_the_map(settings):
    settings.WORKFLOWS = {"PAYLOAD_BYTES": 200}
    processor = machine(Mark={"Type": "Pass", "Result": "x" * 50})
    execution = started(machine(Fan=fan(processor)), [1] * 10)
    drain()
    assert failure(execution)[0] == "States.DataLimitExceeded"


def test_a_map_that_failed_can_be_caught():
    document = machine(
        Fan=fan(
            machine(Bad={"Type": "Fail"}),
            Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Done"}],
        ),
        Done={"Type": "Pass", "Result": "caught"},
    )
    execution = started(document, [1])
    drain()
    assert output(execution) == "caught"


def test_a_retry_begins_a_new_run_with_all_items():
    document = machine(
        Fan=fan(
            machine(Work=call("flaky")),
            ItemSelector={"failures": 0},
            Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}],
        )
    )
    execution = started(document, [1, 2])
    models.Task.objects.get(kind="map_run")
    send(execution, asl.FailTask(task=3, error="Odd"))
    drain()
    clock.tick(timezone.now() + timedelta(seconds=5))
    drain()
    assert output(execution) == [1, 1]
    assert sorted(models.MapRun.objects.values_list("status", "total_items", "succeeded")) == [
        ("FAILED", None, 0),
        ("SUCCEEDED", 2, 2),
    ]


def test_a_map_in_a_map():
    document = machine(Fan=fan(machine(Inner=fan(machine(Work=call("echo"))))))
    items = [[1, 2, 3], [], [4]]
    execution = started(document, items)

    drain()

    assert output(execution) == items
    assert models.MapRun.objects.count() == 4
    inner = models.Execution.objects.get(input=3, map_run__isnull=False)
    assert inner.machine.start_at == "Work"
    assert inner.map_run.execution.map_run.execution == execution


# -- how many at a time ------------------------------------------------------------------


def test_no_more_children_run_than_may():
    document = machine(Fan=fan(machine(Ask=call("callback")), MaxConcurrency=3))
    execution = started(document, list(range(8)))
    drain()

    finished = 0
    while finished < 8:
        run = only_run()
        assert run.running == min(3, 8 - finished)
        child = run.children.filter(map_state="RUNNING").order_by("map_index").first()
        assert child.map_index == finished
        send(child, asl.CompleteTask(task=3, output=finished))
        drain()
        finished += 1

    assert output(execution) == list(range(8))


def test_a_setting_limits_maps_that_have_no_limit(settings):
    settings.WORKFLOWS = {"MAX_MAP_CONCURRENCY": 2}
    started(machine(Fan=fan(machine(Ask=call("callback")))), list(range(5)))
    drain()
    assert (only_run().running, only_run().pending) == (2, 3)


@pytest.mark.django_db(transaction=True)
def test_many_workers_start_no_more_than_may():
    document = machine(Fan=fan(machine(Ask=call("callback")), MaxConcurrency=5))
    started(document, list(range(12)))
    worker = mapruns.Worker(name="here", until=float("inf"))
    run = only_run()
    REQUESTS.clear()

    results = at_once(*[lambda: mapruns.drive(run.pk, worker)] * 4)

    assert results == [None] * 4
    check_all()
    # Whoever has met others has left the rest to them, or to the clock.
    assert only_run().running <= 5
    mapruns.drive(run.pk, worker)
    assert only_run().running == 5


@pytest.mark.django_db(transaction=True)
def test_many_workers_finish_a_run_once():
    execution = started(machine(Fan=fan(MaxConcurrency=4)), list(range(30)))
    REQUESTS.clear()
    run = only_run()

    def work():
        tasks.drive_map_run(str(run.pk))
        while (row := queued().order_by("?").first()) is not None:
            tasks.run(row.pk)

    assert at_once(work, work, work) == [None] * 3
    drain()
    later = timezone.now()
    while checked(execution).is_running:
        later += timedelta(minutes=1)
        clock.tick(later)
        drain()

    assert output(execution) == list(range(30))
    assert len(workflow_tasks.calls) == 30


# -- ends from outside -------------------------------------------------------------------


def waiting_run(**fields: Any) -> models.Execution:
    """A run of five items, two at a time, that wait for an answer."""
    document = machine(Fan=fan(machine(Ask=call("callback")), MaxConcurrency=2), **fields)
    execution = started(document, list(range(5)))
    drain()
    return execution


def test_stopping_the_parent_ends_its_children():
    execution = waiting_run()

    send(execution, asl.Stop(error="Enough"))
    assert (only_run().status, only_run().aborted) == ("ABORTED", 0)
    drain()

    run = only_run()
    assert (run.status, run.aborted, run.due_at) == ("ABORTED", 5, None)
    assert not models.Task.objects.exists()
    late = run.children.filter(seq__gt=0).first()
    with pytest.raises(asl.ExecutionEnded):
        engine.send(late.pk, asl.CompleteTask(task=3, output=1), actor=SYSTEM)


def test_the_parents_timeout_ends_its_children():
    document = machine(Fan=fan(machine(Ask=call("callback"))))
    execution = started({**document, "TimeoutSeconds": 60}, [1, 2])
    drain()
    clock.tick(timezone.now() + timedelta(seconds=61))
    drain()
    assert checked(execution).status == "TIMED_OUT"
    assert (only_run().status, only_run().aborted) == ("ABORTED", 2)


def test_a_branch_beside_that_fails_ends_the_children():
    branches = [machine(Fan=fan(machine(Ask=call("callback")))), machine(Other=call("callback"))]
    execution = started(machine(Both={"Type": "Parallel", "Branches": branches}), [1, 2])
    drain()
    other = execution.tasks.get(kind="callback")
    send(execution, asl.FailTask(task=other.seq, error="Odd"))
    drain()
    assert failure(execution)[0] == "Odd"
    assert (only_run().status, only_run().aborted) == ("ABORTED", 2)


def test_an_answer_from_elsewhere_ends_the_children():
    execution = waiting_run()
    send(execution, asl.CompleteTask(task=3, output="enough"))
    drain()
    assert output(execution) == "enough"
    assert (only_run().status, only_run().aborted) == ("SUCCEEDED", 5)


def test_a_child_that_someone_stopped_counts_as_failed():
    waiting_run()
    child = only_run().children.filter(map_state="RUNNING").first()
    send(child, asl.Stop())
    drain()
    assert (only_run().status, only_run().aborted) == ("FAILED", 5)


def test_a_child_that_has_not_begun_takes_no_command():
    waiting_run()
    pending = only_run().children.filter(status="PENDING").first()
    with pytest.raises(asl.NotPending, match="has not begun"):
        engine.send(pending.pk, asl.Stop(), actor=SYSTEM)


def test_a_child_goes_with_its_parent():
    execution = waiting_run()
    execution.delete()
    assert not models.Execution.objects.exists()
    assert not models.MapRun.objects.exists()


# -- redrive -----------------------------------------------------------------------------


def test_after_a_redrive_only_what_did_not_succeed_runs_again():
    document = machine(
        First={"Type": "Pass"},
        Fan=fan(machine(Note=call("echo"), Ask=call("callback")), MaxConcurrency=2, Label="items"),
    )
    execution = started(document, list(range(5)))
    drain()
    answer(0, "zero")
    drain()
    fail(1)
    drain()
    assert failure(execution)[0] == "States.ExceedToleratedFailureThreshold"
    run = only_run()
    assert (run.succeeded, run.failed, run.aborted) == (1, 1, 3)
    assert len(workflow_tasks.calls) == 3

    send(execution, asl.Redrive())
    drain()

    run = only_run()
    assert (run.redrive_count, run.status, run.pending, run.running) == (1, "RUNNING", 2, 2)
    for index in range(1, 5):
        answer(index, f"redriven {index}")
        drain()
    assert output(execution) == ["zero", *(f"redriven {index}" for index in range(1, 5))]
    # Those that had begun went on where they were.
    assert len(workflow_tasks.calls) == 5
    assert (only_run().succeeded, only_run().total, only_run().items_failed) == (5, 5, 0)


def answer(index: int, result: Any) -> None:
    child = only_run().children.get(map_index=index)
    send(child, asl.CompleteTask(task=child.tasks.get().seq, output=result))


def fail(index: int) -> None:
    child = only_run().children.get(map_index=index)
    send(child, asl.FailTask(task=child.tasks.get().seq, error="Odd"))


def test_a_redrive_that_is_stopped_and_redriven_again_loses_nothing():
    execution = waiting_run()
    answer(0, 0)
    drain()
    for _ in range(3):
        send(execution, asl.Stop())
        if _ != 1:
            drain()
        send(execution, asl.Redrive())
        tasks.drive_map_run(str(REQUESTS.pop(0)))
    drain()
    for index in range(1, 5):
        answer(index, index)
        drain()
    assert output(execution) == list(range(5))
    assert only_run().redrive_count == 3


def test_a_redrive_reads_the_items_that_had_not_been_read(monkeypatch):
    execution = started(machine(Fan=fan()), list(range(20)))
    read_one_chunk(monkeypatch)
    assert only_run().items_read == 7
    send(execution, asl.Stop())
    drain()
    assert only_run().aborted == 7

    send(execution, asl.Redrive())
    drain()

    assert output(execution) == list(range(20))


def read_one_chunk(monkeypatch):
    """Have a worker die after it has stored the first children."""
    store = mapruns._store

    def dies(run, rows, worker):
        store(run, rows, worker)
        raise KeyboardInterrupt

    REQUESTS.clear()
    with monkeypatch.context() as patched:
        patched.setattr(mapruns, "_store", dies)
        with pytest.raises(KeyboardInterrupt):
            tasks.drive_map_run(str(only_run().pk))


def test_a_child_alone_is_not_redriven():
    execution = started(machine(Fan=fan(machine(Bad={"Type": "Fail"}))), [1])
    drain()
    assert checked(execution).status == "FAILED"
    with pytest.raises(asl.NotRedrivable, match="execution with the Map"):
        engine.send(only_run().children.get().pk, asl.Redrive(), actor=SYSTEM)


# -- workers that die, messages that get lost --------------------------------------------


def test_a_lost_request_is_made_again_by_the_clock():
    execution = started(machine(Fan=fan()), [1, 2], at=NOW)
    REQUESTS.clear()
    run = only_run()

    moments = []
    for second in range(1, 120):
        if clock.tick(NOW + timedelta(seconds=second)).redelivered:
            moments.append(second)
    assert moments == [10, 20, 40, 80]
    assert [run.pk] * 4 == REQUESTS

    drain()
    assert output(execution) == [1, 2]


def test_a_run_that_moves_on_is_left_alone():
    waiting_run()
    now = timezone.now()
    models.MapRun.objects.update(due_at=now, updated_at=now - timedelta(seconds=1))
    assert clock.tick(now).redelivered == 0
    assert only_run().due_at == now + timedelta(seconds=10)


def test_reading_goes_on_where_a_worker_died(monkeypatch):
    execution = started(machine(Fan=fan(ItemBatcher={"MaxItemsPerBatch": 2})), list(range(41)))
    read_one_chunk(monkeypatch)
    assert (only_run().items_read, only_run().worker) == (14, "")

    tasks.drive_map_run(str(only_run().pk))
    drain()

    found = [item for batch in output(execution) for item in batch["Items"]]
    assert found == list(range(41))
    assert only_run().total == 21


def test_of_two_readers_one_stores_the_children(monkeypatch):
    execution = started(machine(Fan=fan()), list(range(20)))
    run = only_run()
    store, others = mapruns._store, [1]

    def slow(run, rows, worker):
        if others:
            # Its lease has run out, and another one has read on.
            others.pop()
            models.MapRun.objects.filter(pk=run.pk).update(worker="", lease_until=None)
            tasks.drive_map_run(str(run.pk))
        store(run, rows, worker)

    monkeypatch.setattr(mapruns, "_store", slow)
    mapruns.drive(run.pk, mapruns.Worker(name="slow", until=float("inf")))
    drain()

    assert output(execution) == list(range(20))


def test_every_step_may_be_done_twice():
    execution = started(machine(Fan=fan(MaxConcurrency=3)), list(range(10)))
    for _ in range(200):
        if not checked(execution).is_running:
            break
        for request in [*REQUESTS]:
            tasks.drive_map_run(str(request))
            tasks.drive_map_run(str(request))
        REQUESTS.clear()
        if row := queued().first():
            tasks.run(row.pk)
            tasks.run(row.pk)
    check_all()
    assert output(execution) == list(range(10))
    assert len(workflow_tasks.calls) == 10


def test_a_worker_with_little_time_asks_for_more(settings, monkeypatch):
    monkeypatch.setattr(mapruns.Worker, "goes_on", Flicker())
    execution = started(machine(Fan=fan(MaxConcurrency=3)), list(range(20)))
    assert drain() > 10
    assert output(execution) == list(range(20))


class Flicker:
    """True once, then False, and so on."""

    def __init__(self):
        self.count = 0

    def __get__(self, *_):
        self.count += 1
        return self.count % 3 != 0


def test_workers_that_die_between_a_childs_end_and_the_next_lose_no_room(monkeypatch):
    execution = started(machine(Fan=fan(MaxConcurrency=2)), list(range(6)))
    drive, alive = mapruns.drive, [True]

    def once(*arguments):
        return drive(*arguments) if alive and alive.pop() else None

    with monkeypatch.context() as patched:
        patched.setattr(mapruns, "drive", once)
        tasks.drive_map_run(str(REQUESTS.pop(0)))
        while row := queued().first():
            tasks.run(row.pk)
    assert (only_run().running, only_run().pending) == (0, 4)
    REQUESTS.clear()

    clock.tick(timezone.now() + timedelta(seconds=11))
    drain()

    assert output(execution) == list(range(6))


def test_rebuilding_makes_the_run_of_an_open_map_again():
    execution = waiting_run()
    engine.rebuild(execution.pk)
    checked(execution)
    assert only_run().running == 2


def test_the_queue_is_told_of_a_run(caplog, monkeypatch):
    started(machine(Fan=fan()), [1])
    run = only_run()
    told = OrmQ.objects.get()
    assert (told.func(), told.task["args"]) == (dispatch.DRIVE_MAP_RUN, (str(run.pk),))

    def refuses(*_, **__):
        raise ConnectionError("no broker")

    monkeypatch.setattr(dispatch, "async_task", refuses)
    mapruns.request(run.pk)
    assert "the queue could not be told of a Map run; it will be, later" in caplog.text


def test_a_run_that_was_deleted_is_forgotten(caplog):
    tasks.drive_map_run("8a3f7c1e-0000-4000-8000-000000000000")
    assert not caplog.records


# -- cost --------------------------------------------------------------------------------


def test_two_thousand_items_are_run_in_reasonable_time(monkeypatch):
    monkeypatch.setattr(mapruns, "CHUNK", 500)
    processor = machine(Mark={"Type": "Pass", "Result": 1})
    execution = started(machine(Fan=fan(processor)), list(range(2_000)))

    # How long is reasonable, each test's own timeout says.
    while REQUESTS:
        tasks.drive_map_run(str(REQUESTS.pop(0)))

    assert models.Execution.objects.get(pk=execution.pk).output == [1] * 2_000


def test_each_child_costs_a_fixed_number_of_queries(settings):
    settings.WORKFLOWS = {"DRIVE_SECONDS": 600}
    small, large = cost(20), cost(220)
    # A begin and an end, and the one task between them.
    assert (large - small) / 200 < 20


def cost(items: int) -> int:
    """How many statements, savepoints left out, a run of *items* takes."""
    execution = started(machine(Fan=fan(MaxConcurrency=1)), list(range(items)))
    queries: Counter[str] = Counter()

    def count(execute, sql, params, many, context):
        queries[sql.split()[0]] += 1
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        while REQUESTS:
            tasks.drive_map_run(str(REQUESTS.pop(0)))

    assert models.Execution.objects.get(pk=execution.pk).output == list(range(items))
    return queries.total() - queries["SAVEPOINT"] - queries["RELEASE"]


# -- in lists ----------------------------------------------------------------------------


def test_the_items_of_a_run_are_listed_when_asked_for(admin_client):
    execution = waiting_run()
    total = only_run().children.count()
    page = "/admin/django_workflows/execution/"

    plain = admin_client.get(page).context["cl"].queryset
    items = admin_client.get(page, {"items": "only"}).context["cl"].queryset
    assert list(plain) == [execution]
    assert items.count() == total
    for child in only_run().children.all():
        assert admin_client.get(f"{page}{child.pk}/change/").status_code == 200


def test_the_api_lists_the_items_of_the_run_that_is_named(admin_user):
    execution = waiting_run()
    client = APIClient()
    client.force_authenticate(admin_user)

    plain = client.get("/api/executions/").json()["results"]
    items = client.get("/api/executions/", {"map_run": str(only_run().pk)}).json()["results"]
    assert [row["id"] for row in plain] == [str(execution.pk)]
    assert len(items) == only_run().children.count()
    for row in items:
        for address in ("", "events/", "history/", "redrive/"):
            assert client.get(f"/api/executions/{row['id']}/{address}").status_code == 200, address
