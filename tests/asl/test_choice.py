"""Choice: the first rule that is true. Source: ASL specification, "Choice State"."""

import pytest

from django_workflows import asl
from django_workflows.asl.choice import string_matches
from tests.asl.running import Run, machine, pass_


def chosen(rule, input):
    """Whether *rule* is taken for *input*."""
    definition = {
        "StartAt": "Which",
        "States": {
            "Which": {"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No"},
            "Yes": {"Type": "Succeed"},
            "No": {"Type": "Succeed"},
        },
    }
    run = Run(definition, input)
    assert run.status is asl.Status.SUCCEEDED, run.error
    return run.path[-1] == "Yes"


@pytest.mark.parametrize(
    ("operator", "value", "operand", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", 1, "1", False),  # another type is false, never an error
        ("StringLessThan", "A", "AB", True),
        ("StringLessThan", "Z", "a", True),  # by code unit, no folding
        ("StringLessThan", "\uff5e", "\U0001f600", False),  # by UTF-16 unit, as Java orders
        ("StringGreaterThanEquals", "b", "b", True),
        ("NumericEquals", 1, 1.0, True),
        ("NumericEquals", True, 1, False),  # true is no number
        ("NumericLessThan", 2, 10, True),
        ("NumericGreaterThanEquals", 10, 10, True),
        ("NumericGreaterThan", "11", 10, False),
        ("BooleanEquals", True, True, True),
        ("BooleanEquals", 1, True, False),
        ("BooleanEquals", False, False, True),
        ("TimestampEquals", "2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00Z", True),
        ("TimestampLessThan", "2024-01-01T00:00:00.5Z", "2024-01-01T00:00:01Z", True),
        ("TimestampLessThan", "2024-01-01T00:00:00", "2024-01-01T00:00:01Z", False),  # no zone
        ("StringMatches", "log-2024.txt", "log-*.txt", True),
        ("StringMatches", "log-2024.csv", "log-*.txt", False),
        ("IsNull", None, True, True),
        ("IsNull", 0, True, False),
        ("IsNumeric", True, True, False),
        ("IsNumeric", 1.5, True, True),
        ("IsString", None, False, True),  # IsX false is exactly not IsX true
        ("IsBoolean", [], False, True),
        ("IsTimestamp", "2024-01-01T00:00:00Z", True, True),
        ("IsTimestamp", "2024-01-01", True, False),
        ("IsPresent", None, True, True),
        ("IsPresent", None, False, False),
    ],
)
def test_an_operator_compares(operator, value, operand, expected):
    assert chosen({"Variable": "$.v", operator: operand}, {"v": value}) is expected


@pytest.mark.parametrize("family", ["String", "Numeric", "Timestamp"])
@pytest.mark.parametrize(
    ("order", "below", "same", "above"),
    [
        ("Equals", False, True, False),
        ("LessThan", True, False, False),
        ("GreaterThan", False, False, True),
        ("LessThanEquals", True, True, False),
        ("GreaterThanEquals", False, True, True),
    ],
)
def test_literal_and_path_operands_agree(family, order, below, same, above):
    low, middle, high = {
        "String": ("a", "b", "c"),
        "Numeric": (1, 2.5, 3),
        "Timestamp": ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"),
    }[family]
    for value, expected in ((low, below), (middle, same), (high, above)):
        literal = {"Variable": "$.v", f"{family}{order}": middle}
        path = {"Variable": "$.v", f"{family}{order}Path": "$.limit"}
        data = {"v": value, "limit": middle}
        assert chosen(literal, data) is expected
        assert chosen(path, data) is expected


def test_and_or_not_nest_and_stop_at_the_first_that_decides():
    missing = {"Variable": "$.missing", "NumericEquals": 1}  # an error, if it is looked at
    one = {"Variable": "$.v", "NumericEquals": 1}
    other = {"Variable": "$.v", "NumericEquals": 2}
    assert chosen({"And": [one, {"Not": other}]}, {"v": 1})
    assert chosen({"Or": [other, one, missing]}, {"v": 1})
    assert not chosen({"And": [other, missing]}, {"v": 1})


def test_is_present_alone_may_ask_for_what_is_missing():
    assert chosen({"Variable": "$.a.b", "IsPresent": False}, {})
    assert not chosen({"Variable": "$.a.b", "IsPresent": True}, {})
    rule = {"Variable": "$.a.b", "IsNull": True, "Next": "Yes"}
    run = Run(
        {
            "StartAt": "W",
            "States": {"W": {"Type": "Choice", "Choices": [rule]}, "Yes": {"Type": "Succeed"}},
        }
    )
    assert run.error[0] == "States.Runtime"
    assert "Invalid path '$.a.b'" in run.error[1]


def test_no_rule_and_no_default_fails_the_execution():
    rule = {"Variable": "$.v", "NumericEquals": 2, "Next": "Yes"}
    definition = {
        "StartAt": "W",
        "States": {"W": {"Type": "Choice", "Choices": [rule]}, "Yes": {"Type": "Succeed"}},
    }
    run = Run(definition, {"v": 1})
    assert run.error[0] == "States.Runtime"
    assert "'W'" in run.error[1]


def test_the_taken_rules_assign_replaces_the_states():
    def run(value):
        rule = {"Variable": "$.v", "NumericEquals": 1, "Next": "Show", "Assign": {"x": "rule"}}
        return Run(
            {
                "StartAt": "W",
                "States": {
                    "W": {
                        "Type": "Choice",
                        "Choices": [rule],
                        "Default": "Show",
                        "Assign": {"x": "state"},
                    },
                    "Show": {"Type": "Pass", "Parameters": {"x.$": "$x"}, "End": True},
                },
            },
            {"v": value},
        )

    assert run(1).output == {"x": "rule"}
    assert run(2).output == {"x": "state"}


@pytest.mark.parametrize(
    ("subject", "pattern", "expected"),
    [
        ("", "", True),
        ("", "*", True),
        ("abc", "a*c", True),
        ("abcbc", "a*bc", True),
        ("ac", "a*b*c", False),
        ("a*c", "a\\*c", True),
        ("abc", "a\\*c", False),
        ("a\\c", "a\\\\c", True),
        ("a?c", "a?c", True),  # no other wildcard
        ("abc", "a?c", False),
        ("line\nline", "line*line", True),
        ("a" * 5000 + "b", "*a" * 50 + "c", False),  # ends soon
    ],
)
def test_string_matches_knows_stars_and_backslashes(subject, pattern, expected):
    assert string_matches(subject, pattern) is expected


def test_choice_passes_its_input_on_through_its_paths():
    definition = {
        "StartAt": "W",
        "States": {
            "W": {
                "Type": "Choice",
                "InputPath": "$.order",
                "OutputPath": "$.id",
                "Choices": [{"Variable": "$.id", "IsPresent": True, "Next": "End"}],
            },
            "End": {"Type": "Succeed"},
        },
    }
    assert Run(definition, {"order": {"id": 3}}).output == 3


def test_machine_helper_keeps_order():
    assert list(machine(pass_("A"), pass_("B"))["States"]) == ["A", "B"]
