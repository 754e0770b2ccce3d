"""Variables while an execution runs: what sees them, how long, how large they may be."""

import pytest

from django_workflows import asl
from tests.asl.running import Run, machine, pass_, task

LANGUAGES = pytest.mark.parametrize("language", ["JSONPath", "JSONata"])


def says(language, name):
    """A template that yields the variable *name*."""
    return {"v": f"{{% ${name} %}}"} if language == "JSONata" else {"v.$": f"${name}"}


def showing(language, name, **fields):
    """A Pass state whose output is ``{"v": the variable}``."""
    return pass_(
        **{"Output" if language == "JSONata" else "Parameters": says(language, name)}, **fields
    )


def in_language(language, *states):
    return machine(*states, QueryLanguage=language)


@LANGUAGES
def test_a_variable_is_there_in_every_later_state(language):
    run = Run(in_language(language, pass_(Assign={"x": [1]}), pass_(), showing(language, "x")))

    assert run.output == {"v": [1]}


@LANGUAGES
def test_a_branch_sees_those_around_it_and_keeps_its_own_to_itself(language):
    branch = machine(pass_("In", Assign={"inner": 1}), showing(language, "outer", Name="Out"))
    run = Run(
        in_language(
            language,
            pass_(Assign={"outer": 2}),
            {"Type": "Parallel", "Branches": [branch]},
            showing(language, "inner"),
        )
    )

    assert [event.output for event in run.events(asl.BranchSucceeded)] == [{"v": 2}]
    assert run.error[0] in ("States.Runtime", "States.QueryEvaluationError")


@LANGUAGES
def test_branches_with_a_variable_of_one_name_do_not_disturb_each_other(language):
    def branch(index):
        return machine(
            pass_(f"Set{index}", Assign={"x": index}),
            task(f"Wait{index}"),
            showing(language, "x", Name=f"Show{index}"),
        )

    run = Run(in_language(language, {"Type": "Parallel", "Branches": [branch(0), branch(1)]}))
    run.complete("Wait1", output={}).complete("Wait0", output={})

    assert run.output == [{"v": 0}, {"v": 1}]


@LANGUAGES
def test_a_retried_parallel_starts_its_variables_afresh(language):
    branch = machine(showing(language, "x", Name="Show"), task("Work"), pass_("Set"))
    branch["States"]["Set"]["Assign"] = {"y": 1}
    run = Run(
        in_language(
            language,
            pass_(Assign={"x": 1}),
            {
                "Type": "Parallel",
                "Branches": [branch],
                "Retry": [{"ErrorEquals": ["States.ALL"]}],
            },
        )
    )
    run.fail().wake(after=1).complete(output="done")

    assert run.output == ["done"]


@LANGUAGES
def test_one_assign_holds_at_most_256_kib(language):
    half = "x" * 130_000
    fits = {"a": half, "b": half}

    assert Run(in_language(language, pass_(Assign=fits))).status is asl.Status.SUCCEEDED
    run = Run(in_language(language, pass_(Assign={**fits, "c": "x" * 3_000})))
    assert run.error == (
        "States.DataLimitExceeded",
        "The variables assigned by the state 'S1' exceed the maximum number of bytes of one"
        " Assign (262144).",
    )


def test_all_variables_together_hold_at_most_10_mib():
    states = [pass_(Assign={f"v{index}.$": "$$.large"}) for index in range(50)]
    answer = asl.start(asl.parse(machine(*states)), {"large": "x" * 250_000}, {})

    assert isinstance(answer, asl.Fail)
    assert answer.error == "States.DataLimitExceeded"
    assert "With those assigned by the state 'S42'" in answer.cause


def test_the_limits_can_be_chosen():
    workflow = asl.parse(machine(pass_(Assign={"a": "x" * 20}), pass_(Assign={"b": "x" * 20})))

    def end(**limits):
        return asl.start(workflow, {}, {}, limits=asl.Limits(**limits))

    assert isinstance(end(), asl.Succeed)
    assert end(assign_bytes=20).error == "States.DataLimitExceeded"
    assert end(assign_bytes=40, variables_bytes=40).error == "States.DataLimitExceeded"


def test_many_small_variables_cost_little_and_fit():
    states = [pass_(Assign={f"v{index}": index}) for index in range(300)]

    assert isinstance(asl.start(asl.parse(machine(*states)), {}, {}), asl.Succeed)
