"""Payload templates: keys ending in ``.$`` are evaluated, everything else is kept."""

import copy
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_workflows.asl.errors import StateError
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.expressions.template import compile_template
from django_workflows.asl.values import equal

ORDER = {"id": 17, "lines": [{"sku": "tea", "n": 2}, {"sku": "cup", "n": 1}]}


def names(document=ORDER, **more):
    return Names(
        input=document,
        context=lambda: more.get("context"),
        variables=more.get("variables", {}),
        chance=lambda: Random(0),
    )


def compile_(source):
    problems = []
    template = compile_template(source, lambda suffix, message: problems.append((suffix, message)))
    return template, problems


def evaluate(source, **more):
    template, problems = compile_(source)
    assert problems == []
    return template.evaluate(names(**more), "Parameters")


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ({"order.$": "$.id"}, {"order": 17}),
        ({"a": 1, "b.$": "$.id", "c": None}, {"a": 1, "b": 17, "c": None}),
        ({"deep": {"er": [{"sku.$": "$.lines[0].sku"}, 5]}}, {"deep": {"er": [{"sku": "tea"}, 5]}}),
        ([{"n.$": "$.lines[*].n"}, [[]]], [{"n": [2, 1]}, [[]]]),
        ({"text.$": "States.Format('#{}', $.id)"}, {"text": "#17"}),
        ({"a": "$.id", "b": ["$.id"]}, {"a": "$.id", "b": ["$.id"]}),  # no .$, so plain texts
        ({"a.$.b": 1, "$": 2, ".": 3}, {"a.$.b": 1, "$": 2, ".": 3}),
        ({"a.$.$": "$.id"}, {"a.$": 17}),  # one .$ is taken away
        ({}, {}),
        ([], []),
        (None, None),
        ("$.id", "$.id"),
        (1.0, 1.0),
        (True, True),
    ],
)
def test_a_template_yields_its_values(source, value):
    assert equal(evaluate(source), value)


def test_members_keep_their_order():
    assert list(evaluate({"z.$": "$.id", "a": 1, "m.$": "$.id"})) == ["z", "a", "m"]


def test_context_and_variables_are_within_reach():
    value = evaluate(
        {"id.$": "$$.Execution.Id", "who.$": "$user.name"},
        context={"Execution": {"Id": "e1"}},
        variables={"user": {"name": "Ada"}},
    )

    assert value == {"id": "e1", "who": "Ada"}


def test_two_draws_in_one_template_differ():
    value = evaluate({"a.$": "States.UUID()", "b.$": "States.UUID()"})

    assert value["a"] != value["b"]


def test_a_part_without_expressions_is_shared_and_the_rest_is_new():
    source = {"fixed": {"a": [1]}, "list": [{"b": 2}, {"c.$": "$.id"}]}
    template, _ = compile_(source)
    one, other = (template.evaluate(names(), "Parameters") for _ in range(2))

    assert one["fixed"] is source["fixed"]
    assert one["list"][0] is source["list"][0]
    assert one is not other
    assert one["list"] is not other["list"]
    assert compile_(source["fixed"])[0].evaluate(names(), "Parameters") is source["fixed"]


def test_a_missing_path_names_its_key():
    template, _ = compile_({"a": [{"deep.$": "$.q"}]})

    with pytest.raises(StateError) as caught:
        template.evaluate(names({"x": [1, 2]}), "Parameters")

    assert caught.value.name == "States.Runtime"
    assert caught.value.cause == (
        "The JSONPath '$.q' specified for the field 'deep.$' could not be found"
        " in the input '{\"x\":[1,2]}'"
    )


def test_a_template_tells_its_text_and_its_paths():
    template, _ = compile_(
        {
            "ä": 1,
            "b.$": "$.x",
            "c": [{"d.$": "States.Array($v.y, States.MathAdd($$.z, 1))"}, "$.no"],
        }
    )

    assert template.text == (
        '{"ä":1,"b.$":"$.x","c":[{"d.$":"States.Array($v.y, States.MathAdd($$.z, 1))"},"$.no"]}'
    )
    assert [path.text for path in template.paths] == ["$.x", "$v.y", "$$.z"]


@pytest.mark.parametrize(
    ("source", "place", "field", "reason"),
    [
        ({"a.$": "$.x y"}, "/a.$", "a.$", "can't be in a name"),
        ({"a.$": "text"}, "/a.$", "a.$", "expected '(' right after 'text'"),
        ({"a.$": ""}, "/a.$", "a.$", "expected a function"),
        ({"a.$": 5}, "/a.$", "a.$", "expected a string, found 5"),
        ({"a.$": {"b.$": "$"}}, "/a.$", "a.$", 'expected a string, found {"b.$":"$"}'),
        ({"a.$": None}, "/a.$", "a.$", "expected a string, found null"),
        ({"x": [0, {"a/b~c.$": "$["}]}, "/x/1/a~1b~0c.$", "a/b~c.$", "expected a quoted name"),
        ({"a.$": "States.Fromat('x')"}, "/a.$", "a.$", "did you mean States.Format?"),
    ],
)
def test_a_wrong_expression_is_reported_with_its_place(source, place, field, reason):
    template, problems = compile_(source)

    [(suffix, message)] = problems
    assert suffix == place
    assert message.startswith(
        f"The value for the field '{field}' must be a valid JSONPath"
        " or a valid intrinsic function call: "
    )
    assert reason in message
    assert template.paths == ()


def test_a_key_that_is_there_with_and_without_the_dollar_is_reported():
    _, problems = compile_({"o": {"a": 1, "a.$": "$.x"}})

    assert problems == [("/o/a.$", "The field 'a' is there twice: as 'a' and as 'a.$'")]


def test_all_problems_are_reported_at_once():
    _, problems = compile_({"a.$": 1, "b": [{"c.$": "$["}], "d": 1, "d.$": "x"})

    assert [suffix for suffix, _ in problems] == ["/a.$", "/b/0/c.$", "/d.$", "/d.$"]


EXPRESSIONS = st.sampled_from(
    ["$", "$.a", "$.b[0]", "$..a", "$[?(@.a)]", "$$.a", "$v", "States.Array($.a, $.b)",
     "States.JsonToString($)", "States.JsonMerge($, $, false)", "States.ArrayUnique($.a)"]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "$.a"])
DOCUMENTS = st.recursive(
    SCALARS,
    lambda deeper: (
        st.lists(deeper, max_size=3) | st.dictionaries(st.sampled_from("abc"), deeper, max_size=3)
    ),
    max_leaves=8,
)
TEMPLATES = st.recursive(
    SCALARS,
    lambda deeper: (
        st.lists(deeper, max_size=3)
        | st.builds(
            lambda plain, evaluated: {**plain, **{f"{key}.$": e for key, e in evaluated.items()}},
            st.dictionaries(st.sampled_from("abc"), deeper, max_size=3),
            st.dictionaries(st.sampled_from("xyz"), EXPRESSIONS, max_size=2),
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200)
@given(source=TEMPLATES, document=DOCUMENTS)
def test_evaluating_changes_neither_the_template_nor_the_documents(source, document):
    everything = [source, document]
    before = copy.deepcopy(everything)
    template, problems = compile_(source)
    assert problems == []

    values = []
    for _ in range(2):
        here = names(document, context=document, variables={"v": document})
        try:
            values.append(template.evaluate(here, "Parameters"))
        except StateError as error:
            values.append((error.name, error.cause))
    assert repr(values[0]) == repr(values[1])
    assert repr(everything) == repr(before)


@settings(max_examples=200)
@given(
    st.recursive(
        SCALARS | st.text(max_size=8),
        lambda deeper: (
            st.lists(deeper, max_size=3)
            | st.dictionaries(
                st.text(max_size=4) | st.sampled_from(["a", "a.$", "b/.$", ".$"]),
                deeper,
                max_size=3,
            )
        ),
        max_leaves=8,
    )
)
def test_any_json_is_compiled_or_reported(source):
    template, problems = compile_(source)

    if not problems:
        try:
            template.evaluate(names(), "Parameters")
        except StateError as error:
            assert error.name == "States.Runtime"  # noqa: PT017 - a value is right too
    for suffix, message in problems:
        assert suffix.endswith(".$")
        assert message
