"""The 18 intrinsic functions do what AWS's do, and mistakes are found before running."""

import copy
import uuid
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_workflows.asl.errors import StateError
from django_workflows.asl.expressions.intrinsics import (
    Intrinsic,
    IntrinsicSyntaxError,
    compile_expression,
    compile_intrinsic,
)
from django_workflows.asl.expressions.jsonpath import Path, PathSyntaxError
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.values import equal


def names(document=None, *, context=None, variables=None, seed=0):
    return Names(
        input=document,
        context=lambda: context,
        variables=variables or {},
        chance=lambda: Random(seed),
    )


def evaluate(text, document=None, **more):
    return compile_intrinsic(text).evaluate(names(document, **more), "v.$")


def call(function, *arguments):
    """The function's value for any JSON *arguments*, handed in by paths."""
    paths = ", ".join(f"$[{index}]" for index in range(len(arguments)))
    return evaluate(f"States.{function}({paths})", list(arguments))


# -- What the functions yield -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("States.Format('plain')", "plain"),
        ("States.Format('{} and {}', 'a', 'b')", "a and b"),
        ("States.Format('{}{}', 1, -2.50)", "1-2.5"),
        ("States.Format('<{}>', null)", "<null>"),
        ("States.Format('<{}>', true)", "<true>"),
        ("States.Format('\\{{}\\} \\{\\}', 1)", "{1} {}"),
        ("States.Format('it\\'s \\\\ {}', 1)", "it's \\ 1"),
        ("States.Format('{ } {')", "{ } {"),  # no placeholder
        ("States.Format('\n\t{}', 'x')", "\n\tx"),
        ("States.Format('{}', '{}')", "{}"),  # what is put in is not a template
        ("States.Format('{} of {}', 1, States.Format('{}', 2))", "1 of 2"),
    ],
)
def test_format_fills_its_template(text, value):
    assert evaluate(text) == value


def test_format_prints_arrays_and_objects_as_java_does():
    value = {"a": 1, "b": [], "c": {"d": None, "e": "x y"}, "f": [1.5, True, "z"]}

    assert evaluate("States.Format('{}', $)", value) == (
        "{a=1, b=[], c={d=null, e=x y}, f=[1.5, true, z]}"
    )


def test_format_takes_a_template_from_a_path():
    document = {"t": "{}: \\{{}\\} c:\\new", "x": 1, "y": 2}

    assert evaluate("States.Format($.t, $.x, $.y)", document) == "1: {2} c:\\new"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.0, null]}', {"a": [1, 2.0, None]}),
        ('"x"', "x"),
        ("-0", 0),
        ("12", 12),
        ("", None),  # AWS: null, where the specification wants an error
        (" \n", None),
    ],
)
def test_string_to_json(text, value):
    assert equal(call("StringToJson", text), value)


def test_string_to_json_takes_a_literal_with_braces_and_quotes():
    assert evaluate('States.StringToJson(\'{"a": {"b": "it\\\'s"}}\')') == {"a": {"b": "it's"}}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1.0, True, None]}, '{"b":1,"a":[1.0,true,null]}'),  # order kept
        ("say \"hi\"", '"say \\"hi\\""'),
        ("é", '"é"'),
        (None, "null"),
        (5, "5"),
    ],
)  # fmt: skip
def test_json_to_string_is_compact(value, text):
    assert call("JsonToString", value) == text


def test_array():
    assert evaluate("States.Array()") == []
    assert evaluate("States.Array('a', 2, -3.5, null, true, $)", {"x": 1}) == [
        "a", 2, -3.5, None, True, {"x": 1},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("array", "length", "parts"),
    [
        ([1, 2, 3, 4, 5], 2, [[1, 2], [3, 4], [5]]),
        ([1, 2], 9, [[1, 2]]),
        ([], 3, []),
        ([1, 2, 3], 1.5, [[1, 2], [3]]),  # rounded half up
    ],
)
def test_array_partition(array, length, parts):
    assert call("ArrayPartition", array, length) == parts


@pytest.mark.parametrize(
    ("array", "value", "found"),
    [
        ([1, 2, 3], 2, True),
        ([1, 2, 3], 2.0, True),
        ([1, 2, 3], "2", False),
        ([1, 0], True, False),  # Python's True == 1
        ([{"a": [1]}], {"a": [1.0]}, True),
        ([{"a": [1]}], {"a": [True]}, False),
        ([None], None, True),
        ([], None, False),
    ],
)
def test_array_contains_compares_deeply(array, value, found):
    assert call("ArrayContains", array, value) is found


@pytest.mark.parametrize(
    ("first", "last", "step", "numbers"),
    [
        (1, 9, 2, [1, 3, 5, 7, 9]),  # the end is part of it
        (1, 8, 2, [1, 3, 5, 7]),
        (1, 9, 9, [1]),
        (9, 1, -4, [9, 5, 1]),
        (1, 9, -1, []),
        (9, 1, 1, []),
        (1.5, 2.5, 0.5, [2, 3]),
        (1, 1000, 1, list(range(1, 1001))),
    ],
)
def test_array_range(first, last, step, numbers):
    assert call("ArrayRange", first, last, step) == numbers


def test_array_get_item_counts_from_zero():
    assert call("ArrayGetItem", ["a", "b"], 0) == "a"
    assert call("ArrayGetItem", ["a", "b"], 1) == "b"


def test_array_length():
    assert call("ArrayLength", []) == 0
    assert call("ArrayLength", [1, [2, 3]]) == 2


@pytest.mark.parametrize(
    ("array", "unique"),
    [
        ([1, 2, 1.0, 2], [1, 2]),
        ([1, True, "1", None, None], [1, True, "1", None]),
        ([0, False, "", []], [0, False, "", []]),
        ([{"a": 1, "b": 2}, {"b": 2.0, "a": 1}], [{"a": 1, "b": 2}]),
        ([[1], [True], [1]], [[1], [True]]),
        ([{}, []], [{}, []]),
        ([], []),
    ],
)
def test_array_unique_keeps_the_first_of_each(array, unique):
    assert repr(call("ArrayUnique", array)) == repr(unique)


@pytest.mark.parametrize(
    ("plain", "encoded"),
    [("", ""), ("Hello", "SGVsbG8="), ("größe", "Z3LDtsOfZQ=="), ("{}", "e30=")],
)
def test_base64(plain, encoded):
    assert call("Base64Encode", plain) == encoded
    assert call("Base64Decode", encoded) == plain
    assert call("Base64Decode", encoded.rstrip("=")) == plain  # Java's decoder is content


@pytest.mark.parametrize(
    ("data", "algorithm", "digest"),
    [
        ("abc", "MD5", "900150983cd24fb0d6963f7d28e17f72"),
        ("abc", "SHA-1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("abc", "SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("", "MD5", "d41d8cd98f00b204e9800998ecf8427e"),
        # Other data is hashed as its JSON text: {"a":1}
        ({"a": 1}, "MD5", "bb6cb5c68df4652941caf652a366f2d8"),
        (None, "MD5", "37a6259cc0c1dae299a7866489dff0bd"),
    ],
)
def test_hash(data, algorithm, digest):
    assert call("Hash", data, algorithm) == digest


@pytest.mark.parametrize(("algorithm", "length"), [("SHA-384", 96), ("SHA-512", 128)])
def test_long_hashes(algorithm, length):
    assert len(call("Hash", "abc", algorithm)) == length


def test_json_merge_is_shallow_or_deep():
    first = {"a": {"x": 1, "y": 2}, "b": 1, "c": {"z": 1}}
    second = {"a": {"x": 9}, "c": 3, "d": 4}

    assert call("JsonMerge", first, second, False) == {"a": {"x": 9}, "b": 1, "c": 3, "d": 4}
    assert call("JsonMerge", first, second, True) == {
        "a": {"x": 9, "y": 2}, "b": 1, "c": 3, "d": 4,
    }  # fmt: skip
    assert list(call("JsonMerge", {"a": 1, "b": 2}, {"a": 3}, False)) == ["a", "b"]


@pytest.mark.parametrize(
    ("one", "other", "total"),
    [
        (3, 4, 7),
        (3, -4, -1),
        # Each is rounded first, halves up, as Java's Math.round does it.
        (1.49, 1.5, 3),
        (1.4, 1.4, 2),
        (-1.5, 0, -1),
        (-0.5, 0, 0),
        (2.5, 0, 3),
        (-2.51, 0, -3),
        (0.49999999999999994, 0, 0),  # floor(x + 0.5) would be 1
        (2**62, 1, 2**62 + 1),
    ],
)
def test_math_add_rounds_and_adds(one, other, total):
    result = call("MathAdd", one, other)

    assert result == total
    assert isinstance(result, int)


def test_math_random_draws_from_the_moments_chance():
    text = "States.MathRandom(10, 20)"
    draws = {evaluate(text, seed=seed) for seed in range(200)}

    assert draws == set(range(10, 20))  # the end is not drawn
    assert evaluate(text, seed=5) == evaluate(text, seed=5)


def test_math_random_with_a_seed_is_always_the_same():
    draws = {evaluate("States.MathRandom(0, 1000000, 42)", seed=seed) for seed in range(5)}

    assert draws == {639426}  # for ever: recorded executions must not change


def test_math_random_takes_what_it_can_round():
    assert evaluate("States.MathRandom(12.5, 13.4)") == 13
    assert evaluate("States.MathRandom(-3, -3)") == -3


@pytest.mark.parametrize(
    ("text", "delimiters", "pieces"),
    [
        ("1,2,3", ",", ["1", "2", "3"]),
        ("a.b+c,d=e", ".+,=", ["a", "b", "c", "d", "e"]),  # each character splits
        (",,,,", ",", []),  # and empty pieces vanish
        (", , ,", ",", [" ", " "]),
        ("a-b]c^d\\e", "-]^\\", ["a", "b", "c", "d", "e"]),  # no character is special
        ("abc", "", ["abc"]),
        ("", ",", []),
        ("", "", []),
    ],
)
def test_string_split(text, delimiters, pieces):
    assert call("StringSplit", text, delimiters) == pieces


def test_uuids_are_of_version_4_and_follow_from_the_chance():
    text = "States.Array(States.UUID(), States.UUID())"
    one, other = evaluate(text, seed=1)

    assert one != other
    assert str(uuid.UUID(one)) == one
    assert (uuid.UUID(one).version, uuid.UUID(one).variant) == (4, uuid.RFC_4122)
    assert evaluate(text, seed=1) == [one, other]
    assert evaluate(text, seed=2) != [one, other]


def test_arguments_may_be_paths_of_every_kind():
    text = "States.Format('{} {} {} {}', $.a['b c'][0], $$.Execution.Id, $v.x, $.n[?(@.k == x)].v)"

    assert (
        evaluate(
            text,
            {"a": {"b c": [1]}, "n": [{"k": "x", "v": 4}]},
            context={"Execution": {"Id": 2}},
            variables={"v": {"x": 3}},
        )
        == "1 2 3 [4]"
    )


def test_blanks_around_arguments_and_behind_the_call_do_not_matter():
    assert evaluate("States.Array( 1 ,\n2,\t$.a , States.Array( ) )  ", {"a": 3}) == [1, 2, 3, []]


# -- Failures -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "arguments", "problem"),
    [
        ("StringToJson", ["{x"], "argument 1 is not JSON"),
        ("StringToJson", [None], "argument 1 must be a string, but is null"),
        ("StringToJson", ["NaN"], "NaN is not a JSON number"),
        ("StringToJson", ["[" * 200 + "]" * 200], "nests deeper"),
        ("ArrayPartition", [[1], 0], "argument 2 must be 1 or more, but is 0"),
        ("ArrayPartition", ["ab", 1], 'argument 1 must be an array, but is "ab"'),
        ("ArrayContains", [{}, 1], "argument 1 must be an array, but is {}"),
        ("ArrayRange", [1, 2, 0], "the increment, must not be 0"),
        ("ArrayRange", [1, 1001, 1], "the range has 1001 items; at most 1000 may be"),
        ("ArrayRange", [1, 2**62, 1], "at most 1000 may be"),
        ("ArrayRange", [1, "2", 1], 'argument 2 must be a number, but is "2"'),
        ("ArrayGetItem", [[1], 1], "index 1 is out of bounds for an array of length 1"),
        ("ArrayGetItem", [[1], -1], "index -1 is out of bounds"),
        ("ArrayGetItem", [[1], True], "argument 2 must be a number, but is true"),
        ("ArrayLength", [5], "argument 1 must be an array, but is 5"),
        ("Base64Encode", ["x" * 10_001], "argument 1 has 10001 characters"),
        ("Base64Encode", [5], "argument 1 must be a string"),
        ("Base64Decode", ["no base64!"], "argument 1 is not Base64"),
        ("Base64Decode", ["größe"], "argument 1 is not Base64"),
        ("Base64Decode", ["AAAAA"], "argument 1 is not Base64"),
        ("Hash", ["x", "SHA-2"], "argument 2 must be one of MD5, SHA-1, SHA-256"),
        ("Hash", ["x", 1], "argument 2 must be a string, but is 1"),
        ("Hash", ["x" * 10_001, "MD5"], "argument 1 has 10001 characters"),
        ("JsonMerge", [{}, [], False], "argument 2 must be an object, but is []"),
        ("JsonMerge", [{}, {}, 1], "argument 3 must be a boolean, but is 1"),
        ("MathAdd", ["1", 2], 'argument 1 must be a number, but is "1"'),
        ("MathAdd", [1, True], "argument 2 must be a number, but is true"),
        ("MathAdd", [1e300, 1], "argument 1 is out of range: 1e+300"),
        ("MathRandom", [2, 1], "the end, 1, is less than the start, 2"),
        ("StringSplit", ["a,b", 1], "argument 2 must be a string, but is 1"),
        ("Format", [5], "argument 1 must be a string, but is 5"),
        ("Format", ["{} {}", 1], "the template has 2 times {}, but there are 1 arguments"),
        ("Format", ["{}" * 30, *["x" * 10_000] * 30], "grows beyond 262144 characters"),
        ("ArrayLength", ["y" * 500], 'argument 1 must be an array, but is "' + "y" * 78 + "…"),
    ],
)
def test_what_a_function_cannot_do_fails_the_state(function, arguments, problem):
    with pytest.raises(StateError) as caught:
        call(function, *arguments)

    assert caught.value.name == "States.Runtime"
    assert caught.value.cause is not None
    assert caught.value.cause.startswith(f"The function 'States.{function}($[0]")
    assert problem in caught.value.cause


def test_a_missing_argument_names_the_innermost_call_the_path_and_the_document():
    with pytest.raises(StateError) as caught:
        evaluate("States.Array(1, States.MathAdd($.a, $.b))", {"a": 1})

    assert caught.value.name == "States.Runtime"
    assert caught.value.cause == (
        "The function 'States.MathAdd($.a, $.b)' had the following error: The JsonPath argument"
        " for the field '$.b' could not be found in the input '{\"a\":1}'"
    )


# -- What is refused before anything runs --------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected a function such as States.Format(…) (the text ends at character 1)"),
        ("plain text", "expected '(' right after 'plain' (found ' ' at character 6)"),
        (" States.UUID()", "no blank may stand before the function's name"),
        ("States.UUID ()", "expected '(' right after 'States.UUID'"),
        ("States.UUID", "expected '(' right after 'States.UUID' (the text ends at character 12)"),
        ("States.UUID(", "expected a path, a number"),
        ("States.UUID() x", "nothing may follow the function call (found 'x' at character 15)"),
        ("States.UUID())", "nothing may follow the function call"),
        ("States.Frmat('x')", "no function 'States.Frmat' (did you mean States.Format?)"),
        ("States.format('x')", "no function 'States.format' (did you mean States.Format?)"),
        ("Other.Thing()", "there is no function 'Other.Thing' (found 'O' at character 1)"),
        ("States.Array(1 2)", "expected ',' or ')' (found '2' at character 16)"),
        ("States.Array(1,)", "expected a path, a number"),
        ("States.Array(,1)", "expected a path, a number"),
        ("States.Array(01)", "expected a path, a number"),
        ("States.Array(+1)", "expected a path, a number"),
        ("States.Array(1.)", "expected a path, a number"),
        ("States.Array(1e400)", "too large"),
        ('States.Array("x")', "a text in single quotes"),
        ("States.Array(True)", "expected '(' right after 'True'"),
        ("States.Array({})", "expected a path, a number"),
        ("States.Array('x)", 'the quote is never closed (found "\'" at character 14)'),
        ("States.Array('a\\nb')", "only \\', \\{, \\} and \\\\ are escapes"),
        ("States.Array('a\\\"b')", "only \\', \\{, \\} and \\\\ are escapes"),  # AWS too
        ("States.Array('a\\", "only \\', \\{, \\} and \\\\ are escapes"),
        ("States.Array($.a b)", "expected ',' or ')'"),
        ("States.Array($.a..)", "a path can not end with '..' (found ')' at character 19)"),
        ("States.Array($.)", None),
        ("States.Array($1)", "the name of a variable"),
        # How many arguments
        ("States.UUID(1)", "States.UUID takes no arguments, found 1 (at character 1)"),
        ("States.ArrayLength()", "States.ArrayLength takes 1 argument, found 0"),
        ("States.MathAdd(1)", "States.MathAdd takes 2 arguments, found 1"),
        ("States.MathAdd(1, 2, 3)", "States.MathAdd takes 2 arguments, found 3"),
        ("States.MathRandom(1)", "States.MathRandom takes 2 or 3 arguments, found 1"),
        ("States.Format()", "States.Format takes 1 or more arguments, found 0"),
        # Of which kind
        ("States.MathAdd(1, '-1')", 'States.MathAdd: argument 2 must be a number, but is "-1"'),
        ("States.JsonMerge($.a, $.b, 0)", "argument 3 must be a boolean, but is 0"),
        ("States.ArrayLength('x')", "argument 1 must be an array"),
        ("States.StringToJson(null)", "argument 1 must be a string, but is null"),
        ("States.Format(5)", "argument 1 must be a string, but is 5"),
        (
            "States.MathAdd(States.UUID(), 1)",
            "argument 1 of States.MathAdd must be a number, but States.UUID gives a string",
        ),
        ("States.ArrayLength(States.StringToJson('[]'))", None),
        # Format's template
        ("States.Format('{}')", "the template has 1 times {}, but there are 0 arguments"),
        ("States.Format('{ }', 1)", "the template has 0 times {}"),
        ("States.Format('x', 1)", "the template has 0 times {}, but there are 1 arguments"),
        ("States.Format('\\{\\}', 1)", "the template has 0 times {}"),
        # Nesting
        ("States.Array(" * 10 + ")" * 10, None),
        ("States.Array(" * 11 + ")" * 11, "functions nest at most 10 deep"),
    ],
)
def test_mistakes_are_found_when_the_call_is_compiled(text, problem):
    if problem is None:
        assert compile_intrinsic(text).text == text
        return
    with pytest.raises(IntrinsicSyntaxError) as caught:
        compile_intrinsic(text)

    assert problem in str(caught.value)


def test_a_call_tells_its_name_and_its_paths():
    intrinsic = compile_intrinsic(
        "States.Format('{}{}', $.a, States.ArrayGetItem($v.b[*], States.MathAdd($$.C, 1)))"
    )

    assert intrinsic.name == "States.Format"
    assert [path.text for path in intrinsic.paths] == ["$.a", "$v.b[*]", "$$.C"]


def test_an_expression_is_a_path_or_a_call():
    assert isinstance(compile_expression("$.a"), Path)
    assert isinstance(compile_expression("$$"), Path)
    assert isinstance(compile_expression("States.UUID()"), Intrinsic)
    with pytest.raises(PathSyntaxError):
        compile_expression("$.a b")
    with pytest.raises(IntrinsicSyntaxError):
        compile_expression("a")


# -- What holds for all -------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "a", "1", "MD5", "[1]", "e30=", "{}"]),
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda deeper: (
        st.lists(deeper, max_size=4) | st.dictionaries(st.sampled_from("abc"), deeper, max_size=3)
    ),
    max_leaves=8,
)
ARITIES = {
    "Format": (1, 3), "StringToJson": (1, 1), "JsonToString": (1, 1), "Array": (0, 3),
    "ArrayPartition": (2, 2), "ArrayContains": (2, 2), "ArrayRange": (3, 3),
    "ArrayGetItem": (2, 2), "ArrayLength": (1, 1), "ArrayUnique": (1, 1), "Base64Encode": (1, 1),
    "Base64Decode": (1, 1), "Hash": (2, 2), "JsonMerge": (3, 3), "MathRandom": (2, 3),
    "MathAdd": (2, 2), "StringSplit": (2, 2), "UUID": (0, 0),
}  # fmt: skip


@settings(max_examples=300)
@given(st.data())
def test_any_arguments_give_a_value_or_a_state_error_and_stay_as_they_are(data):
    function = data.draw(st.sampled_from(sorted(ARITIES)))
    least, most = ARITIES[function]
    arguments = data.draw(st.lists(DOCUMENTS, min_size=least, max_size=most))
    before = copy.deepcopy(arguments)

    try:
        call(function, *arguments)
    except StateError as error:
        assert error.name == "States.Runtime"  # noqa: PT017 - a value is right too
    assert repr(arguments) == repr(before)


@settings(max_examples=100)
@given(st.lists(DOCUMENTS, max_size=6))
def test_unique_items_are_the_ones_no_earlier_one_equals(items):
    expected = [
        item
        for position, item in enumerate(items)
        if not any(equal(item, earlier) for earlier in items[:position])
    ]

    assert repr(call("ArrayUnique", items)) == repr(expected)


PIECES = st.sampled_from(
    ["States.", "Array", "Format", "UUID", "(", ")", ",", " ", "'", "{}", "\\", "$.a", "$",
     "[?(@.a", "==", "1", "-", ".5", "null", "true", "States.Array(", "States.Format('{}', ",
     "$['x", "]", "\n"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.text(max_size=40) | st.lists(PIECES, max_size=15).map("".join))
def test_garbage_is_refused_and_nothing_worse(text):
    try:
        compile_intrinsic(text)
    except IntrinsicSyntaxError as error:
        assert str(error)  # noqa: PT017 - a call may come out, too


@pytest.mark.parametrize(
    "pattern",
    ["States.Array(", "States.Array('\\'", "States.Array($['\\'", "aaaa", "States.Array(1,"],
)
def test_long_garbage_is_refused_at_once(pattern):
    with pytest.raises(IntrinsicSyntaxError):
        compile_intrinsic(pattern + pattern[-2:] * 100_000)
