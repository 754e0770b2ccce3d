"""Map: one iteration an item, results in the items' order."""

import pytest

from django_workflows import asl
from django_workflows.asl.maprun import map_run
from tests.asl.running import Run, machine, pass_, task


def map_(processor, **fields):
    return {"Name": "Each", "Type": "Map", "ItemProcessor": processor, **fields}


WORK = machine(task("Work"))


def test_each_item_is_an_iteration_and_results_keep_the_items_order():
    run = Run(machine(map_(WORK)), ["a", "b", "c"])
    assert [one.input for one in run.tasks] == ["a", "b", "c"]
    for one in reversed(run.tasks):
        run.complete(one.seq, output=one.input.upper())
    assert run.output == ["A", "B", "C"]


def test_no_items_give_no_results():
    assert Run(machine(map_(WORK)), []).output == []


def test_items_path_and_item_selector_see_the_effective_input():
    run = Run(
        machine(
            map_(
                machine(pass_("P")),
                InputPath="$.order",
                ItemsPath="$.lines",
                ItemSelector={
                    "customer.$": "$.customer",
                    "line.$": "$$.Map.Item.Value",
                    "number.$": "$$.Map.Item.Index",
                },
            )
        ),
        {"order": {"customer": "ada", "lines": [5, 6]}},
    )
    assert run.output == [
        {"customer": "ada", "line": 5, "number": 0},
        {"customer": "ada", "line": 6, "number": 1},
    ]


def test_the_older_names_iterator_and_parameters_mean_the_same():
    older = {
        "Name": "Each",
        "Type": "Map",
        "Iterator": machine(pass_("P")),
        "Parameters": {"v.$": "$$.Map.Item.Value"},
    }
    assert Run(machine(older), [1]).output == [{"v": 1}]


def test_max_concurrency_bounds_the_iterations_at_work():
    run = Run(machine(map_(WORK, MaxConcurrency=2)), list(range(5)))
    most = 0
    while run.tasks:
        most = max(most, len(run.tasks))
        run.complete(output="done")
    assert most == 2
    assert run.output == ["done"] * 5


def test_max_concurrency_one_is_strictly_in_order():
    run = Run(machine(map_(WORK, MaxConcurrencyPath="$[3]")), ["a", "b", "c", 1])
    seen = []
    while run.tasks:
        [one] = run.tasks
        seen.append(one.input)
        run.complete(output=None)
    assert seen == ["a", "b", "c", 1]


@pytest.mark.parametrize("value", ["{}", '"many"', "1.5", "-1"])
def test_a_max_concurrency_that_is_no_count_fails_the_execution(value):
    import json

    run = Run(
        machine(map_(WORK, MaxConcurrencyPath="$.n", ItemsPath="$.i")),
        {"n": json.loads(value), "i": []},
    )
    assert run.error[0] == "States.Runtime"
    assert "MaxConcurrency" in run.error[1]


def test_the_first_failing_iteration_ends_the_map_with_its_own_error():
    run = Run(machine(map_(WORK)), [1, 2, 3])
    run.fail(run.tasks[1].seq, error="NoStock", cause="gone")
    assert run.error == ("NoStock", "gone")
    assert [event.path for event in run.events(asl.BranchAborted)] == [("Each", 0), ("Each", 2)]


def test_a_retry_of_a_map_runs_all_iterations_again():
    run = Run(machine(map_(WORK, Retry=[{"ErrorEquals": ["States.ALL"]}])), [1, 2])
    run.complete(output="x").fail()
    run.wake(after=1)
    assert [one.input for one in run.tasks] == [1, 2]
    assert run.complete(output="a").complete(output="b").output == ["a", "b"]


TOLERANCES = [
    ({"ToleratedFailureCount": 1}, 1, "SUCCEEDED"),
    ({"ToleratedFailureCount": 1}, 2, "FAILED"),
    ({"ToleratedFailurePercentage": 50}, 2, "SUCCEEDED"),
    ({"ToleratedFailurePercentage": 49.9}, 2, "FAILED"),
    ({"ToleratedFailureCount": 3, "ToleratedFailurePercentage": 25}, 2, "FAILED"),  # either
    ({}, 1, "FAILED"),
]


@pytest.mark.parametrize(("fields", "failures", "status"), TOLERANCES)
def test_so_many_iterations_may_fail(fields, failures, status):
    run = Run(machine(map_(WORK, **fields)), [1, 2, 3, 4])
    for _ in range(failures):
        if run.tasks:
            run.fail(error="Broken")
    while run.tasks:
        run.complete(output="ok")
    assert run.status == status
    if status == "SUCCEEDED":
        assert run.output == ["ok"] * (4 - failures)
    else:
        assert run.error[0] == "Broken"


@pytest.mark.parametrize(("fields", "failures", "status"), TOLERANCES)
def test_so_many_children_of_a_map_run_may_fail(fields, failures, status):
    run = Run(machine(distributed(**fields)), [1, 2, 3, 4])

    def work(item):
        if item <= failures:
            raise asl.StateError("Broken")
        return "ok"

    run.run_map(work)
    assert run.status == status
    if status == "SUCCEEDED":
        assert run.output == ["ok"] * (4 - failures)
    else:
        assert run.error[0] == "States.ExceedToleratedFailureThreshold"


def test_a_map_over_no_array_fails_the_execution():
    run = Run(machine(map_(WORK)), {"no": "array"})
    assert run.error[0] == "States.Runtime"
    assert 'Reference path "$" must point to array.' in run.error[1]


def test_maps_in_maps_see_their_own_item():
    inner = machine(
        {**map_(machine(pass_("P", Parameters={"v.$": "$$.Map.Item.Value"}))), "Name": "Inner"}
    )
    assert Run(machine(map_(inner)), [[1, 2], [3]]).output == [[{"v": 1}, {"v": 2}], [{"v": 3}]]


# -- distributed -------------------------------------------------------------------------


def distributed(**fields):
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    return map_({**machine(pass_("P")), "ProcessorConfig": config}, **fields)


def test_a_distributed_map_asks_the_world_for_its_run():
    run = Run(machine(distributed(MaxConcurrency=5, Label="Nightly")), [1, 2])
    [asked] = run.tasks
    assert (asked.role, asked.resource) == ("map", "states:mapRun")
    assert asked.input == {
        "MaxConcurrency": 5,
        "Label": "Nightly",
        "ExecutionType": "STANDARD",
        "Items": [1, 2],
    }
    assert run.run_map(lambda item: item * 10).output == [10, 20]


def test_the_machine_of_a_child_is_the_processor():
    run = Run(machine(distributed()), [1])
    child = asl.start(map_run(run.workflow, run.execution, run.tasks[0]).processor, {}, 7)
    assert isinstance(child, asl.Succeed)
    assert child.output == 7


def test_a_run_that_failed_is_retried_or_caught_like_a_task():
    catch = [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "Rescue"}]
    retry = [{"ErrorEquals": ["States.ItemReaderFailed"], "MaxAttempts": 1}]
    run = Run(machine(distributed(Retry=retry, Catch=catch), pass_("Rescue")), [1])
    run.fail(error="States.ItemReaderFailed").wake(after=1)
    run.fail(error="States.ExceedToleratedFailureThreshold")
    assert run.path == ["Each", "Rescue"]


def test_the_selector_of_a_run_sees_item_context_variables_and_effective_input():
    run = Run(
        machine(
            pass_(Assign={"v": 9}),
            distributed(
                InputPath="$.order",
                ItemsPath="$.lines",
                ItemSelector={
                    "line.$": "$$.Map.Item.Value",
                    "n.$": "$$.Map.Item.Index",
                    "who.$": "$.customer",
                    "v.$": "$v",
                    "id.$": "States.UUID()",
                },
            ),
        ),
        {"order": {"customer": "ada", "lines": ["a", "b"]}},
    )
    outputs = run.run_map(lambda child: child).output
    ids = [child.pop("id") for child in outputs]
    assert outputs == [
        {"line": "a", "n": 0, "who": "ada", "v": 9},
        {"line": "b", "n": 1, "who": "ada", "v": 9},
    ]
    assert ids[0] != ids[1]


def test_batches_hold_so_many_items_with_the_shared_input():
    run = Run(
        machine(
            distributed(
                ItemsPath="$.i",
                ItemBatcher={"MaxItemsPerBatch": 2, "BatchInput": {"day.$": "$.day"}},
            )
        ),
        {"i": [1, 2, 3], "day": "Monday"},
    )
    assert run.run_map(lambda batch: batch).output == [
        {"BatchInput": {"day": "Monday"}, "Items": [1, 2]},
        {"BatchInput": {"day": "Monday"}, "Items": [3]},
    ]


def test_batches_stay_below_their_bytes():
    definition = machine(distributed(ItemBatcher={"MaxInputBytesPerBatch": 30}))
    run = Run(definition, ["aaaaa", "bbbbb", "ccccc"])
    assert [len(batch["Items"]) for batch in run.run_map(lambda batch: batch).output] == [2, 1]
    with pytest.raises(asl.StateError, match="does not fit"):
        Run(definition, ["x" * 40]).run_map(lambda batch: batch)


def test_the_run_is_told_of_its_reader_and_writer():
    run = Run(
        machine(
            distributed(
                ItemReader={
                    "Resource": "arn:aws:states:::s3:getObject",
                    "Parameters": {"Bucket": "b", "Key.$": "$.key"},
                    "ReaderConfig": {"InputType": "JSON", "MaxItems": 2},
                },
                ResultWriter={
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Parameters": {"Bucket": "b", "Prefix": "jobs"},
                },
                ResultPath="$.done",
            )
        ),
        {"key": "orders.json"},
    )
    [asked] = run.tasks
    assert asked.input == {
        "ExecutionType": "STANDARD",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "Parameters": {"Bucket": "b", "Key": "orders.json"},
            "ReaderConfig": {"InputType": "JSON"},
            "MaxItems": 2,
        },
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": "b", "Prefix": "jobs"},
            "WriterConfig": {},
        },
    }
    assert run.run_map(lambda item: item, items=[1, 2]).output == {
        "key": "orders.json",
        "done": [1, 2],
    }


def test_a_reader_makes_a_map_distributed_even_where_its_mode_does_not_say_so():
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Bucket": "b", "Key": "k"},
    }
    run = Run(machine(map_(WORK, ItemReader=reader)))
    assert run.tasks[0].role == "map"


def test_ten_thousand_items_take_time_in_proportion():
    # Not timed: a quadratic walk would run into the suite's own timeout.
    workflow = asl.parse(machine(map_(machine(pass_("P", Result="p")), ResultPath=None)))
    answer = asl.start(workflow, {}, [0] * 10_000)
    assert isinstance(answer, asl.Succeed)
    assert answer.execution.seq > 40_000


def test_an_error_of_a_runs_selector_names_its_state_like_any_other():
    run = Run(machine(distributed()), [1])
    run.fail(error="States.QueryEvaluationError", cause="The JSONata expression is wrong.")
    assert run.error == (
        "States.QueryEvaluationError",
        "An error occurred while executing the state 'Each' (entered at the event id #2)."
        " The JSONata expression is wrong.",
    )
