"""What can only be said of a whole machine: where its states lead, and what it names."""

import pytest

from django_workflows.asl.parse import check, parse
from tests.asl.parsing import (
    PASS,
    SUCCEED,
    a_map,
    distributed,
    machine,
    one,
    only_problem,
    places,
    problems_of,
    state_of,
    task,
)


def to(target, **fields):
    return {"Type": "Pass", "Next": target, **fields}


def choice(*targets, **fields):
    rules = [{"Variable": "$.a", "NumericEquals": at, "Next": it} for at, it in enumerate(targets)]
    return {"Type": "Choice", "Choices": rules, **fields}


def parallel(*branches, **fields):
    return {"Type": "Parallel", "Branches": list(branches), "End": True, **fields}


# --- Transitions ---


@pytest.mark.parametrize(
    ("definition", "pointer"),
    [
        ({**machine(Ship=PASS), "StartAt": "Shipp"}, "/StartAt"),
        (machine(A=to("Shipp"), Ship=PASS), "/States/A/Next"),
        (machine(A=choice("Ship", "Shipp"), Ship=PASS), "/States/A/Choices/1/Next"),
        (machine(A=choice("Ship", Default="Shipp"), Ship=PASS), "/States/A/Default"),
        (
            machine(A=task(Catch=[{"ErrorEquals": ["E"], "Next": "Shipp"}]), Ship=PASS),
            "/States/A/Catch/0/Next",
        ),
    ],
)
def test_a_transition_to_no_state_is_refused_where_it_stands(definition, pointer):
    problem = only_problem(definition)

    assert problem.code == "MISSING_TRANSITION_TARGET"
    assert problem.pointer == pointer
    assert problem.message == "Missing 'Next' target: 'Shipp' (did you mean 'Ship'?)"


def test_names_are_matched_with_their_case():
    problem = only_problem(machine(A=to("ship"), Ship=PASS))

    assert "did you mean 'Ship'?" in problem.message


@pytest.mark.parametrize(
    ("definition", "pointer", "elsewhere"),
    [
        (
            machine(F=parallel(machine(A=to("G"))), G=PASS),
            "/States/F/Branches/0/States/A/Next",
            "/States/G",
        ),
        (
            machine(F=parallel(machine(A=PASS), Next="A", End=False)),
            "/States/F/Next",
            "/States/F/Branches/0/States/A",
        ),
    ],
)
def test_a_transition_stays_in_its_own_machine(definition, pointer, elsewhere):
    problem = next(one for one in problems_of(definition) if one.pointer == pointer)

    assert problem.code == "MISSING_TRANSITION_TARGET"
    assert f"it is at {elsewhere}, and a transition can't lead into or out of" in problem.message


def test_a_state_that_nothing_leads_to_is_refused():
    found = problems_of(machine(A=PASS, B=to("B2"), B2=to("B")))

    assert [(one.code, one.pointer) for one in found] == [
        ("MISSING_TRANSITION_TARGET", "/States/B"),
        ("MISSING_TRANSITION_TARGET", "/States/B2"),
    ]
    assert found[0].message == "State 'B' is not reachable."


def test_states_may_be_reached_by_any_kind_of_transition():
    definition = machine(
        A=choice("B", Default="C"),
        B=task(Catch=[{"ErrorEquals": ["E"], "Next": "D"}]),
        C=to("A"),
        D=SUCCEED,
    )

    assert list(parse(definition).states) == ["A", "B", "C", "D"]


def test_a_typing_error_is_not_reported_twice():
    # "Ship" is reached as soon as "Shipp" is corrected.
    assert places(machine(A=to("Shipp"), Ship=PASS)) == ["/States/A/Next"]


def test_nothing_is_guessed_of_what_follows_a_state_that_leads_nowhere():
    assert places(machine(A={"Type": "Pass"}, B=PASS)) == ["/States/A"]
    assert places({**machine(A=to("B"), B=PASS), "StartAt": "Zero"}) == ["/StartAt"]
    assert places(machine(A=to("Gone"))) == ["/States/A/Next"]  # which might have ended it


def test_of_a_chain_behind_a_wrong_transition_only_the_first_state_is_reported():
    definition = machine(A=to("Gone"), B=to("C"), C=to("D"), D=PASS)

    assert places(definition) == ["/States/A/Next", "/States/B"]


def test_a_wrong_transition_hides_no_state_that_nothing_leads_to():
    assert places(machine(A=choice("Gone", Default="B"), B=PASS, Ship=PASS)) == [
        "/States/A/Choices/0/Next",
        "/States/Ship",
    ]


@pytest.mark.parametrize(
    "states",
    [
        {"A": to("B"), "B": to("A")},
        {"A": choice("A", Default="A")},
        {"A": {**to("B"), "End": False}, "B": choice("A")},
    ],
)
def test_a_machine_that_cannot_end_is_refused(states):
    problem = only_problem(machine(**states))

    assert (problem.code, problem.pointer) == ("MISSING_END_STATE", "/States")


@pytest.mark.parametrize("last", [PASS, SUCCEED, {"Type": "Fail"}])
def test_a_machine_ends_with_end_succeed_or_fail(last):
    parse(machine(A=choice("A", Default="B"), B=last))


# --- Names ---


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "1 to 80 characters, '' has 0"),
        ("a" * 81, "has 81"),
        ("a\nb", r"no control characters"),
        ("a\x00b", r"'a\x00b'"),
        ("a\ud800", r"'a\ud800'"),
    ],
)
def test_a_name_that_cannot_be_shown_or_stored_is_refused(name, message):
    problem = only_problem({"StartAt": name, "States": {name: PASS}})

    assert problem.code == "INVALID_STATE_NAME"
    assert message in problem.message
    str(problem).encode()  # can be written anywhere


def test_a_name_may_have_80_characters_of_any_script():
    name = "é名🚚 " * 20

    assert list(parse({"StartAt": name, "States": {name: PASS}}).states) == [name]


def test_names_are_unique_in_the_whole_definition():
    problem = only_problem(machine(A=parallel(machine(B=PASS), machine(B=PASS))))

    assert problem.code == "DUPLICATE_STATE_NAME"
    assert problem.pointer == "/States/A/Branches/1/States/B"
    assert "'B' is at /States/A/Branches/0/States/B already" in problem.message


def test_labels_are_unique_in_the_whole_definition():
    first = {**distributed(Label="x"), "Next": "Second"}
    del first["End"]
    second = distributed(Label="x")
    second["ItemProcessor"] = {**second["ItemProcessor"], **machine(Other=PASS)}

    problem = only_problem(machine(First=first, Second=second))

    assert (problem.code, problem.pointer) == ("DUPLICATE_LABEL_NAME", "/States/Second/Label")


# --- Variables ---


@pytest.mark.parametrize("name", ["total", "größe", "名前", "a1_b", "total.$"])
def test_a_variable_is_named_like_an_identifier(name):
    assert state_of({**PASS, "Assign": {name: "$.x"}}).assign is not None


@pytest.mark.parametrize("name", ["", "1st", "_a", "a.b", "a[0]", "a-b", "states", "a" * 81])
@pytest.mark.parametrize("where", ["state", "rule", "catcher"])
def test_other_names_of_variables_are_refused_at_their_place(name, where):
    assign = {name: 1}
    state, pointer = {
        "state": ({**PASS, "Assign": assign}, "/Assign"),
        "rule": (
            {
                "Type": "Choice",
                "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "T", "Assign": assign}],
            },
            "/Choices/0/Assign",
        ),
        "catcher": (
            task(Catch=[{"ErrorEquals": ["E"], "Next": "T", "Assign": assign}]),
            "/Catch/0/Assign",
        ),
    }[where]
    others = {} if where == "state" else {"T": PASS}

    problem = only_problem(one(state, **others))

    assert problem.pointer == f"/States/S{pointer}/{name}"
    assert "can't be a variable's name" in problem.message


@pytest.mark.parametrize(
    "wrap", [lambda inner: parallel(inner), lambda inner: a_map(ItemProcessor=inner)]
)
def test_an_inner_machine_may_not_assign_an_outer_variable(wrap):
    fan = wrap(machine(In={**PASS, "Assign": {"x.$": "$.a"}}))
    inner = "/States/S/Branches/0" if fan["Type"] == "Parallel" else "/States/S/ItemProcessor"

    problem = only_problem(machine(S={**fan, "Assign": {"x": 1}}))

    assert problem.pointer == f"{inner}/States/In/Assign/x.$"
    assert (
        "'x' is assigned outside of this machine already, at /States/S/Assign/x" in problem.message
    )


def test_nor_a_variable_of_a_machine_further_out():
    inner = parallel(machine(In={**PASS, "Assign": {"x": 1}}))
    definition = machine(S=parallel(machine(Middle=inner), Assign={"x": 1}))

    assert places(definition) == [
        "/States/S/Branches/0/States/Middle/Branches/0/States/In/Assign/x"
    ]


def test_siblings_may_assign_the_same_variable():
    branches = [machine(**{f"B{n}": {**PASS, "Assign": {"x": n}}}) for n in range(2)]

    parse(machine(S=parallel(*branches)))


def test_a_distributed_map_has_variables_of_its_own():
    fan = distributed(Assign={"x": 1})
    fan["ItemProcessor"] = {**fan["ItemProcessor"], **machine(In={**PASS, "Assign": {"x": 2}})}

    parse(machine(S=fan))


# --- Warnings ---


@pytest.mark.parametrize(
    ("state", "pointer", "code"),
    [
        (task(Parameters={"a": [{"b": "$.x"}]}), "/Parameters/a/0/b", "NO_DOLLAR"),
        (task(Parameters={"a": "States.Format('{}', $.x)"}), "/Parameters/a", "NO_DOLLAR"),
        ({**PASS, "Assign": {"a": "$$.Execution.Id"}}, "/Assign/a", "NO_DOLLAR"),
        (
            distributed(ItemBatcher={"MaxItemsPerBatch": 1, "BatchInput": {"a": "$.b"}}),
            "/ItemBatcher/BatchInput/a",
            "NO_DOLLAR",
        ),
        ({"Type": "Fail", "Cause": "$.cause"}, "/Cause", "NO_PATH"),
        ({**PASS, "Result": {"a.$": "$.b"}}, "/Result/a.$", "PASS_RESULT_IS_STATIC"),
        ({**PASS, "Result": "$.b"}, "/Result", "PASS_RESULT_IS_STATIC"),
    ],
)
def test_what_is_probably_not_meant_is_a_warning_and_no_refusal(state, pointer, code):
    (problem,) = check(one(state))

    assert (problem.pointer, problem.code) == (f"/States/S{pointer}", code)
    assert problem.severity == "WARNING"
    parse(one(state))


def test_an_operand_that_looks_like_a_path_is_a_warning():
    rule = {"Not": {"Variable": "$.a", "StringEquals": "$.b"}, "Next": "T"}
    (problem,) = check(one({"Type": "Choice", "Choices": [rule]}, T=PASS))

    assert problem.pointer == "/States/S/Choices/0/Not/StringEquals"
    assert problem.code == "NO_PATH"
    assert "'StringEqualsPath'" in problem.message


@pytest.mark.parametrize("text", ["$", "$5.00", "costs $.5", "States.ALL", "$name"])
def test_texts_that_are_no_paths_give_no_warning(text):
    assert check(one(task(Parameters={"a": text}))) == []


def test_a_field_that_should_not_be_there_is_not_looked_into():
    (problem,) = check(one({**PASS, "ResultSelector": {"a": "$.b"}}))

    assert problem.severity == "ERROR"


def test_check_has_all_that_parse_raises_and_the_warnings():
    definition = one(task(TimeoutSeconds=0, Parameters={"a": "$.x"}))

    assert check(definition) == list(problems_of(definition))
    assert [problem.severity for problem in check(definition)] == ["ERROR", "WARNING"]


def test_all_problems_are_said_at_once_in_the_documents_order():
    definition = machine(
        A={"Type": "Task", "TimeoutSeconds": 0, "Next": "Gone"},
        B={"Type": "Wait", "Seconds": "5", "Next": "C"},
        C={"Type": "Fail", "Foo": 1},
    )

    assert places(definition) == [
        "/States/A",
        "/States/A/TimeoutSeconds",
        "/States/A/Next",
        "/States/B",
        "/States/B/Seconds",
        "/States/C/Foo",
    ]
