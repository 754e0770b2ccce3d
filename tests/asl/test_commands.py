"""Which commands apply when, and what the sender hears if they don't."""

import pytest

from django_workflows import asl
from tests.asl.running import Run, machine, pass_, task, wait


def test_a_late_answer_to_a_timed_out_task_is_refused():
    run = Run(machine(task(TimeoutSeconds=60, Catch=[CATCH]), task("After"), After2))
    run.wake(after=61)

    with pytest.raises(asl.NotPending, match=r"task 3 is not pending: .* waits for tasks 7"):
        run.complete(task=3, output="too late")


CATCH = {"ErrorEquals": ["States.ALL"], "Next": "After"}
After2 = pass_("After2")


def test_a_second_answer_to_a_task_is_refused():
    run = Run(machine(task("One"), task("Two"))).complete(output=1)
    with pytest.raises(asl.NotPending, match="task 3 is not pending"):
        run.complete(task=3, output=2)
    with pytest.raises(asl.NotPending, match="task 3 is not pending"):
        run.fail(task=3)


def test_an_answer_to_an_earlier_attempt_is_refused_while_the_next_runs():
    run = Run(machine(task(Retry=[{"ErrorEquals": ["States.ALL"]}])))
    first = run.tasks[0].seq
    run.fail().wake(after=1)
    assert run.tasks[0].seq != first
    with pytest.raises(asl.NotPending):
        run.complete(task=first)
    assert run.complete(output="ok").output == "ok"


@pytest.mark.parametrize(
    "command",
    [
        asl.CompleteTask(task=3, output=1),
        asl.FailTask(task=3),
        asl.Heartbeat(task=3),
        asl.FinishWaiting(wait=3),
        asl.Stop(),
    ],
)
def test_an_ended_execution_takes_no_commands(command):
    run = Run(machine(pass_()))
    with pytest.raises(asl.ExecutionEnded, match="has ended: SUCCEEDED"):
        run.send(command)


def test_saying_the_time_is_always_harmless():
    run = Run(machine(wait(10), pass_()))
    for _ in range(3):
        run.wake(after=3)
        assert run.answer.events == ()
    run.wake(after=1)
    assert run.status is asl.Status.SUCCEEDED
    run.wake(after=1000)
    assert run.answer.events == ()


def test_finish_waiting_ends_a_wait_before_its_time_and_only_once():
    run = Run(machine(wait(1000), wait(1000)))
    [first] = run.execution.waits
    run.finish_waiting()
    with pytest.raises(asl.NotPending, match=f"wait {first} is not pending"):
        run.send(asl.FinishWaiting(wait=first))
    assert run.finish_waiting().status is asl.Status.SUCCEEDED


def test_finish_waiting_cuts_the_delay_of_a_retry_short():
    run = Run(machine(task(Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 3600}])))
    run.fail().finish_waiting()
    assert run.complete(output=7).output == 7


def test_a_wait_is_no_task_and_a_task_no_wait():
    run = Run(machine(task()))
    with pytest.raises(asl.NotPending, match=r"wait 3 is not pending: .* waits for no wait"):
        run.send(asl.FinishWaiting(wait=3))


def test_stop_aborts_and_whatever_was_open_is_closed():
    run = Run(machine(task(TimeoutSeconds=10)))
    run.send(asl.Stop(error="Duplicate", cause="ordered twice"))
    assert run.status is asl.Status.ABORTED
    assert run.error == ("Duplicate", "ordered twice")
    with pytest.raises(asl.ExecutionEnded):
        run.complete(task=3)


def test_a_result_that_is_no_json_is_refused_and_the_task_stays_open():
    run = Run(machine(task()))
    for value in ({1, 2}, float("inf"), {"a": object()}, (1,), {2: 3}):
        with pytest.raises(asl.InvalidValue):
            run.complete(output=value)
    assert run.complete(output="fine").output == "fine"
