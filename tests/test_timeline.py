"""What a timeline shows of a log: bars, their ends, their order, and never too many."""

from datetime import timedelta

import pytest

from django_workflows import asl, timeline
from django_workflows.timeline import Kind, Outcome
from tests.asl.running import EPOCH, Run, machine, pass_, task, wait


def after(seconds):
    return EPOCH + timedelta(seconds=seconds)


def bars_of(run, **options):
    return timeline.bars(run.log, run.at, **options)


def shape(row):
    return [(bar.kind, bar.outcome, bar.start, bar.end) for bar in row.segments]


def mapping(states=None, **fields):
    inner = states or machine(task("Pay"))
    return {
        "Name": "Each",
        "Type": "Map",
        "ItemProcessor": inner,
        "ToleratedFailurePercentage": 100,
        **fields,
    }


def test_a_task_that_runs_is_a_bar_until_now():
    run = Run(machine(task("Pay")))
    run.at = after(7)

    [row] = bars_of(run).rows

    assert (row.state, row.depth, row.outcome) == ("Pay", 0, Outcome.OPEN)
    assert shape(row) == [(Kind.RUNNING, Outcome.OPEN, after(0), after(7))]


def test_a_task_that_no_worker_has_begun_is_queued():
    run = Run(machine(task("Pay")))

    [row] = bars_of(run, queued={run.tasks[0].seq}).rows

    assert row.segments[0].kind is Kind.QUEUED


@pytest.mark.parametrize(
    "resource", ["approval", "callback", "arn:aws:states:::sqs:sendMessage.waitForTaskToken"]
)
def test_people_and_answers_from_outside_are_waited_for(resource):
    run = Run(machine(task("Ask", Resource=resource)))

    assert bars_of(run).rows[0].segments[0].kind is Kind.WAITING


def test_a_handler_that_is_pending_is_waited_for():
    run = Run(machine(task("Ship")))

    assert bars_of(run, waiting={run.tasks[0].seq}).rows[0].segments[0].kind is Kind.WAITING


def test_a_wait_says_until_when():
    run = Run(machine(wait(60, "Cool down")))
    run.at = after(20)

    [bar] = bars_of(run).rows[0].segments

    assert (bar.kind, bar.until, bar.end) == (Kind.WAITING, after(60), after(20))


def test_each_attempt_and_each_delay_is_a_bar():
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 5, "MaxAttempts": 2}]
    run = Run(machine(task("Pay", Retry=retry), pass_("Done")))
    run.at = after(3)
    run.fail(error="Busy")
    run.wake(after=5)
    run.at = after(10)
    run.complete(output={})

    pay, done = bars_of(run).rows

    assert shape(pay) == [
        (Kind.RUNNING, Outcome.FAILED, after(0), after(3)),
        (Kind.RETRY_DELAY, Outcome.SUCCEEDED, after(3), after(8)),
        (Kind.RUNNING, Outcome.SUCCEEDED, after(8), after(10)),
    ]
    assert [bar.attempt for bar in pay.segments] == [1, 1, 2]
    assert [bar.error for bar in pay.segments] == ["Busy", "Busy", None]
    assert pay.outcome is Outcome.SUCCEEDED
    assert (done.state, done.start, done.end) == ("Done", after(10), after(10))


def test_an_error_that_was_caught_shows_as_that():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Repair"}]
    run = Run(machine(task("Pay", Catch=catch, Next="Repair"), pass_("Repair")))
    run.fail(error="Declined")

    pay, repair = bars_of(run).rows

    assert (pay.outcome, pay.error) == (Outcome.CAUGHT, "Declined")
    assert repair.outcome is Outcome.SUCCEEDED


def test_the_state_that_fails_an_execution_has_failed():
    run = Run(machine(task("Pay")))
    run.fail(error="Declined")

    [row] = bars_of(run).rows

    assert (row.outcome, row.error) == (Outcome.FAILED, "Declined")


def test_what_was_open_when_an_execution_was_stopped_is_aborted():
    run = Run(machine(task("Pay")))
    run.at = after(4)
    run.send(asl.Stop(cause="enough"))
    run.at = after(100)

    drawn = bars_of(run)

    assert drawn.end == after(4)
    assert drawn.rows[0].outcome is Outcome.ABORTED
    assert shape(drawn.rows[0]) == [(Kind.RUNNING, Outcome.ABORTED, after(0), after(4))]


def test_branches_are_indented_below_their_state():
    both = {"Name": "Both", "Type": "Parallel", "Branches": [machine(task("A")), machine(wait())]}
    run = Run(machine(both))

    rows = bars_of(run).rows

    assert [(row.state, row.branch, row.depth) for row in rows] == [
        ("Both", None, 0),
        ("Both", 0, 1),
        ("A", None, 2),
        ("Both", 1, 1),
        ("S1", None, 2),
    ]
    assert rows[0].fork == "Parallel"
    assert rows[0].segments[0].kind is Kind.BRANCHES


def test_branches_that_are_left_behind_are_aborted():
    both = {
        "Name": "Both",
        "Type": "Parallel",
        "Branches": [machine(task("A")), machine(task("B"))],
    }
    run = Run(machine(both))
    run.fail("A")

    outcomes = {(row.state, row.branch): row.outcome for row in bars_of(run).rows}

    assert outcomes[("A", None)] is Outcome.FAILED
    assert outcomes[("B", None)] is Outcome.ABORTED
    assert outcomes[("Both", 1)] is Outcome.ABORTED


def test_many_iterations_become_a_few_rows_failures_first_and_a_count():
    run = Run(machine(mapping()), list(range(30)))
    tasks = run.tasks
    for number in (7, 21):
        run.fail(tasks[number].seq)
    for number in (0, 1, 2, 3):
        run.complete(tasks[number].seq)

    rows = bars_of(run, branches=5).rows

    iterations = [row for row in rows if row.branch is not None]
    assert [(row.branch, row.outcome) for row in iterations] == [
        (7, Outcome.FAILED),
        (21, Outcome.FAILED),
        (4, Outcome.OPEN),
        (5, Outcome.OPEN),
        (6, Outcome.OPEN),
    ]
    crowd = rows[-1]
    assert crowd.counts == {Outcome.OPEN: 21, Outcome.SUCCEEDED: 4}
    assert (crowd.state, crowd.depth) == ("Each", 1)


def test_no_more_rows_come_out_than_asked_for():
    run = Run(machine(*[pass_(f"P{number}") for number in range(20)]))

    drawn = bars_of(run, limit=15)

    assert (len(drawn.rows), drawn.hidden) == (15, 5)


def test_a_retried_fork_keeps_the_branches_of_both_attempts():
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    both = {"Name": "Both", "Type": "Parallel", "Branches": [machine(task("A"))], "Retry": retry}
    run = Run(machine(both))
    run.fail("A")
    run.wake(after=1)

    rows = bars_of(run).rows

    assert [bar.kind for bar in rows[0].segments] == [
        Kind.BRANCHES,
        Kind.RETRY_DELAY,
        Kind.BRANCHES,
    ]
    assert [row.outcome for row in rows if row.state == "A"] == [Outcome.FAILED, Outcome.OPEN]


def test_a_redrive_goes_on_with_the_same_visits():
    both = {
        "Name": "Both",
        "Type": "Parallel",
        "Branches": [machine(task("A")), machine(task("B"))],
    }
    run = Run(machine(both, pass_("Done")))
    run.complete("A")
    run.at = after(2)
    run.fail("B", error="Oops")
    run.at = after(10)
    run.send(asl.Redrive())
    run.at = after(11)
    run.complete("B")

    drawn = bars_of(run)

    assert [(row.state, row.branch, row.outcome) for row in drawn.rows] == [
        ("Both", None, Outcome.SUCCEEDED),
        ("Both", 0, Outcome.SUCCEEDED),
        ("A", None, Outcome.SUCCEEDED),
        ("Both", 1, Outcome.SUCCEEDED),
        ("B", None, Outcome.SUCCEEDED),
        ("Done", None, Outcome.SUCCEEDED),
    ]
    assert shape(drawn.rows[4]) == [
        (Kind.RUNNING, Outcome.FAILED, after(0), after(2)),
        (Kind.RUNNING, Outcome.SUCCEEDED, after(10), after(11)),
    ]
    assert not any(row.cut for row in drawn.rows)


def test_a_stopped_execution_that_is_redriven_goes_on():
    run = Run(machine(task("Pay"), pass_("Done")))
    run.send(asl.Stop())
    run.send(asl.Redrive())

    [pay] = bars_of(run).rows

    assert [bar.outcome for bar in pay.segments] == [Outcome.ABORTED, Outcome.OPEN]


def a_run_with_everything():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "After"}]
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    inner = machine(task("Pay", Retry=retry), wait(1, "Rest"))
    run = Run(
        machine(pass_("First"), mapping(inner, Catch=catch, Next="After"), pass_("After")),
        [1, 2, 3],
    )
    run.fail("Pay", error="Busy")
    run.complete("Pay")
    run.fail("Pay", error="Broken")
    run.wake(after=1)
    run.complete("Pay")
    run.wake(after=1)
    assert not run.execution.is_running
    return run


@pytest.mark.parametrize("length", [1, 3, 8, 50])
def test_any_stretch_of_a_log_can_be_drawn(length):
    run = a_run_with_everything()

    for begin in range(len(run.log)):
        stretch = run.log[begin : begin + length]
        drawn = timeline.bars(stretch, run.at)
        assert drawn.start == stretch[0].at
        for row in drawn.rows:
            assert drawn.start <= row.start <= row.end <= drawn.end
            for bar in row.segments:
                assert row.start <= bar.start <= bar.end <= row.end


def test_what_began_before_the_stretch_begins_with_it():
    run = Run(machine(task("Pay"), pass_("Done")))
    run.at = after(5)
    run.complete()
    stretch = [event for event in run.log if event.at == after(5)]

    pay, done = timeline.bars(stretch, run.at).rows

    assert (pay.state, pay.cut, pay.start) == ("Pay", True, after(5))
    assert (done.state, done.cut) == ("Done", False)


def test_nothing_to_draw_is_an_empty_timeline():
    drawn = timeline.bars([], EPOCH)

    assert (drawn.rows, drawn.start, drawn.end) == ((), EPOCH, EPOCH)
