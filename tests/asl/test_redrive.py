"""Redrive: an execution that did not end well goes on from where it was.

Source: AWS, "Restarting state machine executions with redrive".
"""

import pytest

from django_workflows import asl
from tests.asl.running import Run, machine, pass_, task, wait
from tests.asl.test_map import map_
from tests.asl.test_parallel import parallel


def test_a_failed_state_runs_again_with_its_first_input_and_all_its_retries():
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]
    run = Run(machine(task("A"), task("B", Retry=retry)))
    run.complete(output={"n": 1}).fail().wake(after=1).fail()
    assert run.status is asl.Status.FAILED

    run.send(asl.Redrive())
    assert [one.input for one in run.tasks] == [{"n": 1}]
    assert run.tasks[0].retry_count == 0
    run.fail().wake(after=1)
    assert run.complete(output="done").output == "done"
    assert run.path == ["A", "B"]  # neither was entered again


def test_finished_branches_keep_their_results():
    inner = machine({**parallel(machine(task("C")), machine(task("D"))), "Name": "Inner"})
    run = Run(machine(parallel(machine(task("A")), machine(task("B")), inner)))
    run.complete("A", output="a").complete("C", output="c").fail("D", error="Oops")
    assert run.status is asl.Status.FAILED
    assert set(run.execution.unfinished()) == {
        (("Both", 1), "B"),
        (("Both", 2, "Inner", 1), "D"),
    }

    run.send(asl.Redrive())
    assert {one.state for one in run.tasks} == {"B", "D"}
    run.complete("B", output="b").complete("D", output="d")
    assert run.output == ["a", "b", ["c", "d"]]


def test_failed_iterations_run_again_and_others_not():
    run = Run(machine(map_(machine(task("Work")), MaxConcurrency=2)), [1, 2, 3, 4])
    run.complete(output="one")
    run.fail(run.tasks[0].seq)
    run.send(asl.Redrive())
    done = []
    while run.tasks:
        done.append(run.tasks[0].input)
        run.complete(output="again")
    assert sorted(done) == [2, 3, 4]
    assert run.output == ["one", "again", "again", "again"]


@pytest.mark.parametrize("end", ["stop", "time out"])
def test_what_was_open_when_it_was_stopped_is_begun_anew(end):
    run = Run(machine(parallel(machine(task("A")), machine(wait(10, "W"))), TimeoutSeconds=5))
    if end == "stop":
        run.wake(after=3).send(asl.Stop())
    else:
        run.wake(after=5)
    assert run.execution.wake_at is None
    run.send(asl.Redrive())
    assert run.due_in == 5  # the machine's time starts anew
    run.complete("A", output="a")
    [entered] = run.execution.waits
    assert run.execution.is_running
    run.send(asl.FinishWaiting(wait=entered))
    assert run.output == ["a", {}]


def test_a_fail_state_fails_again():
    run = Run(machine(pass_("A"), {"Name": "F", "Type": "Fail", "Error": "E"}))
    run.send(asl.Redrive())
    assert run.error == ("E", None)
    assert run.execution.redrive_count == 1


def test_the_context_object_tells_of_redrives():
    run = Run(machine(task("A", Parameters={"e.$": "$$.Execution"})))
    assert run.tasks[0].input["e"]["RedriveCount"] == 0
    run.fail()
    run.at = run.at.replace(year=2027)
    run.send(asl.Redrive())
    assert run.tasks[0].input["e"]["RedriveCount"] == 1
    assert run.tasks[0].input["e"]["RedriveTime"] == "2027-01-01T00:00:00.000Z"


def test_only_what_did_not_end_well_is_redriven():
    run = Run(machine(task("A")))
    with pytest.raises(asl.NotRedrivable, match="RUNNING"):
        run.send(asl.Redrive())
    run.complete()
    with pytest.raises(asl.NotRedrivable, match="SUCCEEDED"):
        run.send(asl.Redrive())
    assert list(run.execution.unfinished()) == []


def test_answers_to_what_was_open_before_are_refused():
    run = Run(machine(parallel(machine(task("A")), machine(task("B")))))
    first = run.tasks[1].seq
    run.fail("A").send(asl.Redrive())
    with pytest.raises(asl.NotPending):
        run.complete(first)
    run.complete("A").complete("B")
    assert run.status is asl.Status.SUCCEEDED


def test_variables_are_as_they_were():
    run = Run(machine(pass_(Assign={"v": 7}), task("T", Parameters={"v.$": "$v"})))
    run.fail().send(asl.Redrive())
    assert run.tasks[0].input == {"v": 7}
