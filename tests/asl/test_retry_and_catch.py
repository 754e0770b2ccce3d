"""Retry, then Catch, then outward. Source: ASL specification, "Errors"."""

from datetime import timedelta
from random import Random

import pytest

from django_workflows import asl
from django_workflows.asl.definition import Retrier
from django_workflows.asl.retrying import first_match, retry_delay
from tests.asl.running import Run, machine, pass_, task


@pytest.mark.parametrize(
    ("used", "seconds"),
    [(0, 3), (1, 6), (2, 12), (3, 20), (10_000, 20)],  # 24 is cut to MaxDelaySeconds
)
def test_each_retry_waits_longer_up_to_the_maximum(used, seconds):
    retrier = Retrier(
        error_equals=("Busy",), interval_seconds=3, backoff_rate=2.0, max_delay_seconds=20
    )
    assert retry_delay(retrier, used, Random(0)) == timedelta(seconds=seconds)


def test_a_delay_without_maximum_stays_below_a_year():
    retrier = Retrier(error_equals=("Busy",), interval_seconds=99_999_999, backoff_rate=1e300)
    assert retry_delay(retrier, 5, Random(0)) == timedelta(seconds=31_622_400)


def test_full_jitter_draws_between_nothing_and_the_delay():
    retrier = Retrier(error_equals=("Busy",), interval_seconds=8, jitter_strategy="FULL")
    drawn = [retry_delay(retrier, 0, Random(n)).total_seconds() for n in range(200)]
    assert all(0 <= seconds <= 8 for seconds in drawn)
    assert min(drawn) < 1 and max(drawn) > 7


def test_the_jitter_of_an_execution_derives_from_its_seed():
    definition = machine(
        task(
            Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 50, "JitterStrategy": "FULL"}]
        )
    )
    delays = {seed: Run(definition, seed=seed).fail().due_in for seed in "abc"}
    assert len(set(delays.values())) == 3
    assert Run(definition, seed="a").fail().due_in == delays["a"]


def test_the_specifications_example_of_two_retriers():
    # Source: ASL specification, "Retrying after error": ErrorA and ErrorB share one
    # Retrier's attempts, ErrorC has its own.
    retry = [
        {
            "ErrorEquals": ["ErrorA", "ErrorB"],
            "IntervalSeconds": 1,
            "BackoffRate": 2.0,
            "MaxAttempts": 2,
        },
        {"ErrorEquals": ["ErrorC"], "IntervalSeconds": 5},
    ]
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]
    run = Run(machine(task("X", Retry=retry, Catch=catch), pass_("Y"), pass_("Z")))

    for error, delay in [("ErrorA", 1), ("ErrorB", 2), ("ErrorC", 5)]:
        run.fail(error=error)
        assert run.due_in == delay
        run.wake(after=delay)
    run.fail(error="ErrorB")
    assert run.path == ["X", "Z"]


def test_max_attempts_counts_retries_after_the_first_attempt():
    run = Run(machine(task(Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}])))
    run.fail().wake(after=1).fail().wake(after=2).fail()
    assert run.status is asl.Status.FAILED
    assert len(run.events(asl.TaskStarted)) == 3


def test_max_attempts_zero_never_retries():
    retry = [
        {"ErrorEquals": ["Fatal"], "MaxAttempts": 0},
        {"ErrorEquals": ["States.ALL"]},
    ]
    assert Run(machine(task(Retry=retry))).fail(error="Fatal").status is asl.Status.FAILED


def test_retries_start_over_when_the_state_is_entered_again():
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]
    definition = {
        "StartAt": "Work",
        "States": {
            "Work": {"Type": "Task", "Resource": "work", "Retry": retry, "Next": "Again"},
            "Again": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.done", "IsPresent": True, "Next": "End"}],
                "Default": "Work",
            },
            "End": {"Type": "Succeed"},
        },
    }
    run = Run(definition)
    run.fail().wake(after=1).complete(output={})
    run.fail().wake(after=1).complete(output={"done": 1})
    assert run.status is asl.Status.SUCCEEDED


def test_the_timeout_starts_anew_with_each_attempt():
    run = Run(machine(task(TimeoutSeconds=10, Retry=[{"ErrorEquals": ["States.Timeout"]}])))
    run.wake(after=10)
    run.wake(after=1)
    assert run.due_in == 10


@pytest.mark.parametrize(
    ("patterns", "error", "matches"),
    [
        (["Busy"], "Busy", True),
        (["busy"], "Busy", False),  # names are case-sensitive
        (["States.ALL"], "Anything", True),
        (["States.ALL"], None, True),  # a Fail without Error
        (["States.TaskFailed"], "Anything", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.ALL"], "States.Runtime", False),  # never, recorded on AWS
        (["States.Runtime"], "States.Runtime", False),  # not even by its name
        (["States.ALL"], "States.DataLimitExceeded", True),  # a task's result, recorded on AWS
        (["A", "B"], "B", True),
    ],
)
def test_what_error_equals_matches(patterns, error, matches):
    retrier = Retrier(error_equals=tuple(patterns))
    assert (first_match((retrier,), error) is not None) is matches


def test_the_first_matching_catcher_leads_on_with_the_error_output():
    catch = [
        {"ErrorEquals": ["Other"], "Next": "B"},
        {"ErrorEquals": ["Oops"], "Next": "C", "ResultPath": "$.error"},
        {"ErrorEquals": ["States.ALL"], "Next": "B"},
    ]
    run = Run(machine(task("A", Catch=catch), pass_("B"), pass_("C")), {"order": 1})
    run.fail(error="Oops", cause="because")
    assert run.path == ["A", "C"]
    assert run.output == {"order": 1, "error": {"Error": "Oops", "Cause": "because"}}
    [exited] = [e for e in run.events(asl.StateExited) if e.state == "A"]
    assert exited.catcher == 1


def test_a_caught_error_passes_by_the_states_own_output_fields():
    run = Run(
        machine(
            task(
                "A",
                ResultSelector={"x.$": "$.missing"},
                ResultPath="$.result",
                OutputPath="$.result",
                Assign={"v": 1},
                Catch=[{"ErrorEquals": ["States.ALL"], "Next": "B"}],
            ),
            pass_("B"),
        ),
        {"order": 1},
    )
    run.fail(error="E", cause="c")
    assert run.output == {"Error": "E", "Cause": "c"}
    assert not any(event.variables for event in run.events(asl.StateExited))


def test_result_path_null_in_a_catcher_drops_the_error():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "B", "ResultPath": None}]
    assert Run(machine(task("A", Catch=catch), pass_("B")), {"a": 1}).fail().output == {"a": 1}


def test_a_catcher_assigns_from_the_error_output():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "B", "Assign": {"what.$": "$.Error"}}]
    run = Run(machine(task("A", Catch=catch), pass_("B", Parameters={"w.$": "$what"})))
    assert run.fail(error="Busy").output == {"w": "Busy"}


def test_an_error_in_a_catchers_own_assign_fails_the_execution():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "B", "Assign": {"x.$": "$.nothing.here"}}]
    run = Run(machine(task("A", Catch=catch), pass_("B"))).fail()
    assert run.error[0] == "States.Runtime"
    assert "'$.nothing.here'" in run.error[1]


def test_a_missing_path_names_state_event_field_and_input():
    run = Run(machine(pass_("Before"), pass_("Read", Parameters={"v.$": "$.q"})), {"a": 1})
    assert run.error == (
        "States.Runtime",
        "An error occurred while executing the state 'Read' (entered at the event id #4)."
        " The JSONPath '$.q' specified for the field 'v.$' could not be found in the input"
        " '{\"a\":1}'",
    )


def test_runtime_errors_are_neither_retried_nor_caught():
    any_error = {"ErrorEquals": ["States.ALL"]}
    run = Run(
        machine(
            task(
                ResultSelector={"v.$": "$.q"},
                Retry=[any_error],
                Catch=[{**any_error, "Next": "Rescue"}],
            ),
            pass_("Rescue"),
        )
    )
    assert run.complete(output={}).error[0] == "States.Runtime"
