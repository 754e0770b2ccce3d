"""Which variables a definition's states refer to."""

import pytest

from django_workflows.asl import parse, variable_references
from tests.asl.parsing import PASS, SUCCEED, a_map, distributed, machine, one, task

CALL = "States.Format('{} {}', $.a, States.JsonToString($x.y))"


@pytest.mark.parametrize(
    "state",
    [
        {**PASS, "InputPath": "$x"},
        {**PASS, "OutputPath": "$x.a[0]"},
        {**PASS, "Parameters": {"deep": [{"a.$": "$x.b"}]}},
        {**PASS, "Assign": {"y.$": CALL}},
        task(ResultSelector={"a.$": CALL}),
        task(TimeoutSecondsPath="$x"),
        task(HeartbeatSecondsPath="$x"),
        task(Credentials={"RoleArn.$": "$x"}),
        task(Catch=[{"ErrorEquals": ["A"], "Next": "T", "Assign": {"y.$": "$x"}}]),
        {"Type": "Wait", "SecondsPath": "$x", "End": True},
        {"Type": "Wait", "TimestampPath": "$x", "End": True},
        {"Type": "Fail", "ErrorPath": "$x"},
        {"Type": "Fail", "CausePath": CALL},
        {**SUCCEED, "InputPath": "$x"},
        {"Type": "Choice", "Choices": [{"Variable": "$x", "IsNull": True, "Next": "T"}]},
        {
            "Type": "Choice",
            "Choices": [
                {
                    "Not": {"And": [{"Variable": "$.a", "StringEqualsPath": "$x"}]},
                    "Next": "T",
                }
            ],
        },
        a_map(ItemsPath="$x"),
        a_map(ItemSelector={"a.$": "$x"}),
        a_map(MaxConcurrencyPath="$x"),
        a_map(ToleratedFailureCountPath="$x"),
        a_map(ToleratedFailurePercentagePath="$x"),
        distributed(ItemReader={"Resource": "f", "Parameters": {"Key.$": "$x"}}),
        distributed(ItemReader={"Resource": "f", "ReaderConfig": {"MaxItemsPath": "$x"}}),
        distributed(ItemBatcher={"MaxItemsPerBatchPath": "$x"}),
        distributed(ItemBatcher={"MaxItemsPerBatch": 1, "BatchInput": {"a.$": "$x"}}),
        distributed(ResultWriter={"Resource": "f", "Parameters": {"Prefix.$": "$x"}}),
    ],
)
def test_every_field_that_takes_a_path_is_looked_into(state):
    leads_to = {"T": PASS} if "Catch" in state or "Choices" in state else {}

    assert variable_references(parse(one(state, **leads_to))) == {"S": ["x"]}


@pytest.mark.parametrize(
    "state",
    [
        {**PASS, "Result": {"a.$": "$x"}},
        {**PASS, "Parameters": {"a": "$x", "b": "$.x", "c.$": "$.x", "d.$": "$$.x"}},
        {**PASS, "Assign": {"x": 1}},
        {**PASS, "QueryLanguage": "JSONata", "Output": "{% $x %}", "Assign": {"y": "{% $x %}"}},
        {"Type": "Fail", "Error": "$x"},
    ],
)
def test_literals_and_jsonata_are_not(state):
    assert variable_references(parse(one(state))) == {}


def test_the_states_of_inner_machines_have_references_of_their_own():
    inner = machine(Item={**PASS, "InputPath": "$x"})
    branch = machine(Inner=a_map(ItemsPath="$y", ItemProcessor=inner))
    state = {"Type": "Parallel", "Branches": [branch], "InputPath": "$z", "End": True}

    assert variable_references(parse(one(state))) == {"S": ["z"], "Inner": ["y"], "Item": ["x"]}


def test_names_are_sorted_and_said_once():
    state = {**PASS, "Parameters": {"a.$": "$b", "b.$": "States.Array($c, $a, $b.c)"}}

    assert variable_references(parse(one(state))) == {"S": ["a", "b", "c"]}
