"""Parallel: branches side by side, joined in their order."""

from django_workflows import asl
from tests.asl.running import Run, machine, pass_, task, wait


def parallel(*branches, **fields):
    return {"Name": "Both", "Type": "Parallel", "Branches": list(branches), **fields}


def test_results_come_in_the_order_of_branches_whoever_answers_first():
    run = Run(machine(parallel(machine(task("A")), machine(task("B")))), {"n": 1})
    assert [one.input for one in run.tasks] == [{"n": 1}, {"n": 1}]
    run.complete("B", output="b").complete("A", output="a")
    assert run.output == ["a", "b"]


def test_a_branch_is_known_by_its_path():
    run = Run(machine(parallel(machine(task("A")), machine(pass_("P"), task("B")))))
    assert {one.state: one.path for one in run.tasks} == {"A": ("Both", 0), "B": ("Both", 1)}


def test_the_result_goes_through_selector_and_result_path():
    run = Run(
        machine(
            parallel(
                machine(pass_("A", Result=1)),
                machine(pass_("B", Result=2)),
                Parameters={"x": 1},
                ResultSelector={"first.$": "$[0]", "second.$": "$[1]"},
                ResultPath="$.both",
            )
        ),
        {"n": 1},
    )
    assert run.output == {"n": 1, "both": {"first": 1, "second": 2}}


def test_the_first_failing_branch_ends_the_others_and_gives_its_own_error():
    run = Run(
        machine(
            parallel(
                machine(task("A")), machine(wait(60, "W")), machine(task("C", TimeoutSeconds=9))
            )
        )
    )
    run.fail("A", error="NoStock", cause="sold out")
    assert run.error == ("NoStock", "sold out")
    assert [event.path for event in run.events(asl.BranchAborted)] == [("Both", 1), ("Both", 2)]


def test_what_was_aborted_takes_no_answer_and_has_no_time_left():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Rescue"}]
    run = Run(
        machine(
            parallel(machine(task("A")), machine(task("B", TimeoutSeconds=5)), Catch=catch),
            task("Rescue"),
        )
    )
    late = next(one for one in run.tasks if one.state == "B")
    run.fail("A")
    assert [one.state for one in run.tasks] == ["Rescue"]
    assert run.due_in is None
    try:
        run.complete(late.seq)
    except asl.NotPending:
        pass
    else:
        raise AssertionError("an aborted branch took an answer")


def test_a_retry_runs_every_branch_again():
    retry = [{"ErrorEquals": ["Oops"], "MaxAttempts": 1}]
    run = Run(machine(parallel(machine(task("A")), machine(task("B")), Retry=retry)))
    run.complete("A", output=1).fail("B")
    assert run.tasks == []
    run.wake(after=1)
    assert [one.state for one in run.tasks] == ["A", "B"]
    run.complete("A", output=3).complete("B", output=4)
    assert run.output == [3, 4]


def test_nested_parallels_join_inside_out():
    inner = machine({**parallel(machine(task("A")), machine(task("B"))), "Name": "Inner"})
    run = Run(machine(parallel(inner, machine(pass_("P", Result="p")))))
    run.complete("B", output="b").complete("A", output="a")
    assert run.output == [["a", "b"], "p"]


def test_an_error_in_an_inner_parallel_aborts_outward_until_somebody_catches_it():
    catch = [{"ErrorEquals": ["Oops"], "Next": "Rescue"}]
    inner = machine({**parallel(machine(task("A")), machine(task("B"))), "Name": "Inner"})
    run = Run(machine(parallel(inner, machine(task("C")), Catch=catch), pass_("Rescue")))
    run.fail("A")
    assert run.path[-1] == "Rescue"
    aborted = [event.path for event in run.events(asl.BranchAborted)]
    assert aborted == [("Both", 0, "Inner", 1), ("Both", 1)]


def test_a_succeed_state_ends_its_own_branch_alone():
    run = Run(machine(parallel(machine({"Name": "S", "Type": "Succeed"}), machine(task("B")))))
    assert run.status is asl.Status.RUNNING
    assert run.complete(output=2).output == [{}, 2]
