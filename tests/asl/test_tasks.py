"""Tasks: what is asked, when it times out, what its answer becomes."""

import pytest

from django_workflows import asl
from tests.asl.running import Run, machine, pass_, task, wait


def test_a_task_asks_with_its_effective_input():
    run = Run(
        machine(task(InputPath="$.order", Parameters={"id.$": "$.id", "kind": "book"})),
        {"order": {"id": 7}},
    )
    [asked] = run.tasks
    assert asked.resource == "work"
    assert asked.input == {"id": 7, "kind": "book"}


def test_the_result_is_selected_then_put_into_the_raw_input_then_filtered():
    run = Run(
        machine(
            task(
                InputPath="$.order",
                ResultSelector={"sum.$": "$.total"},
                ResultPath="$.paid",
                OutputPath="$.paid",
            )
        ),
        {"order": {}},
    )
    assert run.complete(output={"total": 12, "noise": 1}).output == {"sum": 12}


def test_result_path_null_drops_the_result_and_output_path_null_everything():
    dropped = Run(machine(task(ResultPath=None)), {"a": 1}).complete(output=2)
    assert dropped.output == {"a": 1}
    emptied = Run(machine(task(OutputPath=None)), {"a": 1}).complete(output=2)
    assert emptied.output == {}


def test_result_path_without_a_place_fails_the_state_catchably():
    catch = [{"ErrorEquals": ["States.ResultPathMatchFailure"], "Next": "Rescue"}]
    run = Run(machine(task(ResultPath="$.x", Catch=catch), pass_("Rescue")), "a text")
    run.complete(output=1)
    assert run.path == ["S1", "Rescue"]


@pytest.mark.parametrize("field", ["TimeoutSeconds", "TimeoutSecondsPath"])
def test_a_task_times_out_after_timeout_seconds(field):
    run = Run(
        machine(task(**{field: 60 if field == "TimeoutSeconds" else "$.limit"})), {"limit": 60}
    )
    assert run.due_in == 60
    run.wake(after=59)
    assert run.status is asl.Status.RUNNING
    run.wake(after=1)
    assert run.status is asl.Status.FAILED
    assert run.error == ("States.Timeout", None)


def test_a_missed_heartbeat_times_out_and_a_heartbeat_starts_the_clock_anew():
    run = Run(machine(task(TimeoutSeconds=100, HeartbeatSeconds=10)))
    for _ in range(3):
        run.wake(after=9)
        run.send(asl.Heartbeat(task=3))
        assert run.due_in == 10
    run.wake(after=10)
    assert run.error == ("States.Timeout", None)
    assert run.events(asl.TaskTimedOut)[0].heartbeat


def test_heartbeats_do_not_extend_the_timeout():
    run = Run(machine(task(TimeoutSeconds=20, HeartbeatSeconds=15)))
    run.wake(after=14).send(asl.Heartbeat(task=3))
    assert run.due_in == 6
    run.wake(after=6)
    assert run.status is asl.Status.FAILED
    assert not run.events(asl.TaskTimedOut)[0].heartbeat


@pytest.mark.parametrize("pattern", ["States.HeartbeatTimeout", "States.Timeout", "States.ALL"])
def test_a_missed_heartbeat_goes_by_two_names(pattern):
    catch = [{"ErrorEquals": [pattern], "Next": "Late"}]
    run = Run(machine(task(HeartbeatSeconds=10, Catch=catch), pass_("Late")))
    run.wake(after=10)
    assert run.path == ["S1", "Late"]


def test_an_ordinary_timeout_is_no_heartbeat_timeout():
    catch = [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Late"}]
    run = Run(machine(task(TimeoutSeconds=10, Catch=catch), pass_("Late")))
    run.wake(after=10)
    assert run.status is asl.Status.FAILED


@pytest.mark.parametrize("value", [0, -1, 1.5, "soon", True, None, 100_000_000])
def test_a_timeout_by_path_that_is_no_positive_integer_fails_the_execution(value):
    run = Run(machine(task(TimeoutSecondsPath="$.limit")), {"limit": value})
    assert run.error[0] == "States.Runtime"
    assert "TimeoutSecondsPath" in run.error[1]


def test_a_result_over_the_limit_fails_the_task_and_can_be_caught():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Smaller", "ResultPath": "$.error"}]
    run = Run(machine(task(Catch=catch), pass_("Smaller")))
    run.complete(output="x" * 262_143)  # with its two quotation marks one byte too many
    assert run.path == ["S1", "Smaller"]
    assert run.output["error"]["Error"] == "States.DataLimitExceeded"


def test_a_result_at_the_limit_passes_and_letters_count_by_their_utf8_bytes():
    assert Run(machine(task())).complete(output="x" * 262_142).status is asl.Status.SUCCEEDED
    letters = "ж" * 131_071  # two bytes each
    assert Run(machine(task())).complete(output=letters).status is asl.Status.SUCCEEDED
    assert Run(machine(task())).complete(output=letters + "ж").status is asl.Status.FAILED


def test_an_output_over_the_limit_fails_the_execution_and_nothing_catches_it():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Rescue"}]
    run = Run(machine(task(ResultPath="$.b", Catch=catch), pass_("Rescue")), {"a": "x" * 200_000})
    run.complete(output="y" * 200_000)
    assert run.status is asl.Status.FAILED
    assert run.error[0] == "States.DataLimitExceeded"


def test_the_machines_own_timeout_ends_the_execution_whatever_it_does():
    run = Run(
        machine(
            task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "R"}]), pass_("R"), TimeoutSeconds=5
        )
    )
    assert run.due_in == 5
    run.wake(after=5)
    assert run.status is asl.Status.TIMED_OUT


def test_of_two_due_moments_the_earlier_comes_first():
    # The wait was over before the execution's time was: it went on, and then timed out.
    run = Run(machine(wait(4), wait(4, "Second"), TimeoutSeconds=5))
    run.wake(after=60)
    assert run.path == ["S1", "Second"]
    assert run.status is asl.Status.TIMED_OUT


def test_a_task_token_is_genuine_for_its_own_task_alone():
    run = Run(machine(task(Resource="ship.waitForTaskToken", Parameters={"t.$": "$$.Task.Token"})))
    token = run.tasks[0].input["t"]
    assert token == asl.task_token(run.execution, 3)
    assert asl.is_token_of(run.execution, token)
    assert asl.read_token(token) == (token.split(".")[1], 3)
    other = Run(machine(task()), seed="another seed")
    assert not asl.is_token_of(other.execution, token)
    for forged in (token[:-1], token + "A", token.replace(".3.", ".4."), "", "wft.a.b.c", "ж"):
        assert not asl.is_token_of(run.execution, forged)


def test_a_retried_task_gets_another_token():
    definition = machine(
        task(
            Resource="ship.waitForTaskToken",
            Parameters={"t.$": "$$.Task.Token"},
            Retry=[{"ErrorEquals": ["States.ALL"]}],
        )
    )
    run = Run(definition)
    first = run.tasks[0].input["t"]
    run.fail().wake(after=1)
    assert run.tasks[0].input["t"] != first


def test_all_attempts_of_one_visit_share_its_number_and_count_up():
    run = Run(machine(task(Retry=[{"ErrorEquals": ["States.ALL"]}])))
    run.fail().wake(after=1).fail().wake(after=2)
    started = run.events(asl.TaskStarted)
    assert [one.visit for one in started] == [2, 2, 2]
    assert [one.retry_count for one in started] == [0, 1, 2]


ACTIVITY = "arn:aws:states:eu-west-1:123456789012:activity:pack"


def test_an_activitys_heartbeat_clock_starts_when_a_worker_takes_it():
    run = Run(machine(task(Resource=ACTIVITY, TimeoutSeconds=100, HeartbeatSeconds=10)))
    assert run.due_in == 100
    run.wake(after=50).send(asl.TakeTask(task=3, worker="packer 7"))
    assert run.due_in == 10
    run.wake(after=10)
    assert run.events(asl.TaskTimedOut)[0].heartbeat


def test_an_activity_is_taken_once():
    run = Run(machine(task(Resource=ACTIVITY))).send(asl.TakeTask(task=3))
    with pytest.raises(asl.NotPending, match="task 3 was taken already"):
        run.send(asl.TakeTask(task=3))
    assert run.complete(output="packed").output == "packed"


def test_a_task_that_is_handed_out_is_not_taken():
    with pytest.raises(asl.NotPending, match="taken already"):
        Run(machine(task())).send(asl.TakeTask(task=3))
