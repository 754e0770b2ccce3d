"""Paths find what Jayway JsonPath 2.0.0 finds, and ResultPath puts things where they belong."""

import copy
import sys
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_workflows.asl.errors import StateError
from django_workflows.asl.expressions.jsonpath import (
    ROOT,
    Path,
    PathNotFound,
    PathSyntaxError,
    compile_path,
)
from django_workflows.asl.expressions.names import Names
from django_workflows.asl.values import equal

SHELF = {
    "name": "north wall",
    "empty": None,
    "books": [
        {"title": "Emma", "price": 9, "tags": ["novel", "england"]},
        {"title": "Dune", "price": 12.5, "tags": ["novel", "desert"]},
        {"title": "Chess", "price": "7", "lent": {"to": "Ada"}},
        {"title": None, "price": 0, "lent": None},
    ],
    "size": {"width": 80, "height": 200},
    "grid": [[1, 2], [3, 4]],
    "größe": 3,
    "a-b": 4,
    "x:y": 5,
    "$ref": 6,
    "1st": 7,
    "where": 8,
    "": 9,
    "store.book": 10,
    'say \\"hi"': 11,
    "*": 12,
    "it's": 13,
    "back\\": 14,
    "cheap": 9,
}


def names(document=SHELF, *, context=None, variables=None):
    return Names(
        input=document,
        context=lambda: context,
        variables=variables or {},
        chance=lambda: Random(0),
    )


def find(text, document=SHELF):
    return compile_path(text).find(names(document))


def titles(found):
    return [book["title"] for book in found]


# -- Definite paths -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$", SHELF),
        ("$.name", "north wall"),
        ("$['name']", "north wall"),
        ('$["name"]', "north wall"),
        ("$[ 'name' ]", "north wall"),
        ("$.empty", None),
        ("$.books[0].title", "Emma"),
        ("$.books.[0].title", "Emma"),  # a dot before a bracket means nothing
        ("$.['size'].['width']", 80),
        ("$.grid[1][0]", 3),
        ("$.grid[ 1 ][01]", 4),
        ("$.grid[-1]", [3, 4]),  # AWS finds nothing here
        ("$.grid[(@.length-1)]", [3, 4]),  # and this there
        ("$.grid[(@.length - 2)][0]", 1),
        ("$.größe", 3),
        ("$.a-b", 4),
        ("$.x:y", 5),
        ("$.$ref", 6),
        ("$.1st", 7),
        ("$.where", 8),  # a word of jsonpath-ng's
        ("$['']", 9),
        ("$['store.book']", 10),
        ("$.store\\.book", 10),
        ("$.\\na\\me", "north wall"),
        ("$.gr\\u00f6\\u00dfe", 3),
        ("$['say \\\"hi\"']", 11),  # only the own quote is escaped: AWS keeps the backslash
        ("$['*']", 12),
        ("$['it\\'s']", 13),
        ("$['back\\']", 14),  # and this backslash too, since the name ends there
        ("$.size['height','width']", {"height": 200, "width": 80}),
        ("$.size['depth','width']", {"width": 80}),
        ("$.size['depth','colour']", {}),
        ("$.name ", "north wall"),  # a real definition has it
        ("$.", SHELF),  # as other validators have it
    ],
)
def test_a_definite_path_finds_the_value_itself(text, value):
    path = compile_path(text)

    assert path.definite
    assert equal(path.find(names()), value)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("$.no", "No results for path: $['no']"),
        ("$.size.no", "No results for path: $['size']['no']"),
        ("$.no.such.thing", "Missing property in path $['no']"),
        ("$.size.no.such", "Missing property in path $['size']['no']"),
        ("$.no[0]", "Missing property in path $['no']"),
        ("$.no['a','b']", "Missing property in path $['no']"),
        ("$.empty.x", "Property ['x'] not found in path $['empty']"),
        ("$.name.x", "Property ['x'] not found in path $['name']"),
        ("$.books.title", "Property ['title'] not found in path $['books']"),
        ("$.books.length", "Property ['length'] not found in path $['books']"),
        ("$.name['a','b']", "Property ['a', 'b'] not found in path $['name']"),
        ("$.grid[2]", "Index out of bounds when evaluating path $['grid'][2]"),
        ("$.grid[2][0]", "Index out of bounds when evaluating path $['grid'][2]"),
        ("$.grid[-3]", "Index out of bounds when evaluating path $['grid'][-3]"),
        ("$.empty[0]", "The path $['empty'] is null"),
        (
            "$.size[0].x",
            "Filter: [0]['x'] can only be applied to arrays."
            " Current context is: {width=80, height=200}",
        ),
        # Python would give the text's first letter.
        ("$.name[0]", "Filter: [0] can only be applied to arrays. Current context is: north wall"),
    ],
)
def test_a_definite_path_that_finds_nothing_says_where_it_stopped(text, detail):
    with pytest.raises(PathNotFound) as caught:
        find(text)

    assert caught.value.detail == detail
    assert caught.value.path == compile_path(text)
    assert str(caught.value) == f"{text}: {detail}"


@pytest.mark.parametrize("document", [None, True, 5, 1.5, "text", [], {}])
@pytest.mark.parametrize("text", ["$.a", "$[0]", "$['a','b'][0]", "$.a.b", "$[0][0]"])
def test_no_document_is_too_odd_to_miss_in(text, document):
    try:
        path = compile_path(text)
    except PathSyntaxError:
        return  # ['a','b'] only ends a path
    with pytest.raises(PathNotFound):
        path.find(names(document))


# -- Indefinite paths ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$.books[*].title", ["Emma", "Dune", "Chess", None]),
        ("$.size.*", [80, 200]),
        ("$.size[*]", [80, 200]),
        ("$.grid[*][*]", [1, 2, 3, 4]),
        ("$.books[1:].price", [12.5, "7", 0]),
        ("$.books[:1].title", ["Emma"]),
        ("$.books[-1:].price", [0]),
        ("$.books[:-3].price", [9]),
        ("$.books[0:9:2].price", [9, "7"]),  # AWS ignores the third number
        ("$.books[ 1 : 2 ].price", [12.5]),
        ("$.books[0,2].price", [9, "7"]),
        ("$.books[0,9].price", [9]),
        ("$.books[*].lent.to", ["Ada"]),
        ("$.books[*]['title','lent']", [
            {"title": "Emma"}, {"title": "Dune"},
            {"title": "Chess", "lent": {"to": "Ada"}}, {"title": None, "lent": None},
        ]),
        ("$..to", ["Ada"]),
        ("$..tags[0]", ["novel", "novel"]),
        ("$..[0]", [SHELF["books"][0], "novel", "novel", [1, 2], 1, 3]),
        ("$.grid..*", [[1, 2], [3, 4], 1, 2, 3, 4]),
        ("$.grid[*]..*", [1, 2, 3, 4]),
        ("$..['width','height']", [{"width": 80, "height": 200}]),  # both must be there
        ("$.size.no[*]", []),
        ("$.no.such[1:5].thing", []),
        ("$.no.*", []),
        ("$.no..thing", []),
        ("$.name[*]", []),
        ("$.name[0:2]", []),
        ("$.empty[*]", []),
        ("$.books[*][0]", []),
        ("$.books[9:]", []),
        ("$.books[-9:1].price", [9]),
        ("$.books[2:1]", []),
    ],
)  # fmt: skip
def test_an_indefinite_path_finds_a_list(text, value):
    path = compile_path(text)

    assert not path.definite
    assert equal(path.find(names()), value)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("@.price == 9", ["Emma"]),
        ("@.price==9", ["Emma"]),
        ("9 == @.price", ["Emma"]),
        ("@.price == '9'", ["Emma"]),  # a literal takes the kind of the value
        ("@.price == 9.0", ["Emma"]),
        ("@.price == 7", ["Chess"]),
        ("@.price > 1", ["Emma", "Dune", "Chess"]),
        ("10 > @.price", ["Emma", None]),  # "7" is a text, and comes after "10"
        ("@.price >= 9 && @.price < 12.5", ["Emma"]),
        ("@.price != 9", ["Dune", "Chess", None]),
        ("@.price == expensive", []),  # no number equals a word
        ("@.price != expensive", ["Emma", "Dune", "Chess", None]),
        ("@.title == Emma", ["Emma"]),
        ("@.title==Emma", ["Emma"]),
        ("@.title == 'Emma'", ["Emma"]),
        ('@.title == "Emma"', ["Emma"]),
        ("'Emma' == @.title", ["Emma"]),
        ("@.title > 'Dune'", ["Emma"]),
        ("@.title == null", [None]),
        ("null == @.title", [None]),
        ("@.title == 'null'", []),
        ("@.title != null", ["Emma", "Dune", "Chess"]),
        ("@.lent != null", ["Chess"]),  # absent is not unequal
        ("null != @.lent", ["Chess"]),
        ("@.lent == 5", []),
        ("@.lent != 5", [None]),  # null differs; an object can't be compared
        ("@.lent", ["Chess"]),  # null does not count as there
        ("!@.lent", ["Emma", "Dune", None]),
        ("@['lent'].to == Ada", ["Chess"]),
        ("@.tags[1] == desert", ["Dune"]),
        ("@.tags[-1] == desert", ["Dune"]),
        ("@.no", []),
        ("@.no != 1", []),  # nothing is true of what is absent
        ("@.no <= 1", []),
        ("@.no >= 1", []),
        ("@.no < 1", []),
        ("@.no > 1", []),
        ("@", ["Emma", "Dune", "Chess", None]),
        ("@.price == $.cheap", ["Emma"]),  # $ is the document
        ("@.price < $.size.width", ["Emma", "Dune", None]),
        ("@.title == $.cheap", []),
        ("@.title == @.lent", [None]),
        ("@.title != @.lent", []),  # a text and an object can't be compared
        ("$.cheap == 9", ["Emma", "Dune", "Chess", None]),
        ("$.nothing", []),
        ("1 == 1", ["Emma", "Dune", "Chess", None]),
        # && binds tighter than ||
        ("@.title == Emma || @.title == Dune && @.price == 0", ["Emma"]),
        ("(@.title == Emma || @.title == Dune) && @.price > 10", ["Dune"]),
        (" ( ( @.title == Emma ) ) ", ["Emma"]),
        ("!@.lent && (@.price == 0 || @.price == 9)", ["Emma", None]),
    ],
)
def test_a_filter_keeps_the_items_it_is_true_of(condition, found):
    assert titles(find(f"$.books[?({condition})]")) == found


@pytest.mark.parametrize(
    ("text", "document", "value"),
    [
        # An object is tried itself, not its members.
        ("$[?(@.a == 1)]", {"a": 1}, [{"a": 1}]),
        ("$[?(@.a == 1)]", {"x": {"a": 1}}, []),
        ("$.[?(@.a > 0)]", [{"a": 1}, {"a": 0}], [{"a": 1}]),
        ("$[?(@ > 1)]", [1, 2, "3", None], [2, "3"]),
        ("$[?(@.a)][?(@.b)]", [{"a": 1}, {"a": 1, "b": 2}], [{"a": 1, "b": 2}]),
        ("$[?(@.a == 1)].b", [{"a": 1, "b": [2]}, {"a": 1}], [[2]]),
        ("$[?(@.a == 1)]['b','c']", [{"a": 1, "b": 2}], [{"b": 2}]),
        ("$..[?(@.a)]", {"a": {"a": 1}, "b": [{"a": 2}, 3]},
         [{"a": {"a": 1}, "b": [{"a": 2}, 3]}, {"a": 1}, {"a": 2}]),
        ("$.a[?(@.x)]", {}, []),
        ("$.a[?(@.x)]", {"a": "text"}, []),
        # A boolean is no number.
        ("$[?(@ == 1)]", [1, True, 1.0, "1"], [1, 1.0, "1"]),
        ("$[?(@ == true)]", [1, True, "true", False, "yes"], [True, "true"]),
        ("$[?(@ != true)]", [True, False, 1], [False, 1]),
        ("$[?(@.a == @.b)]", [{"a": 1, "b": True}, {"a": 1, "b": 1.0}], [{"a": 1, "b": 1.0}]),
        ("$[?(@.größe == 1)]", [{"größe": 1}], [{"größe": 1}]),
        ("$[?(@['a b'] == ') && (')]", [{"a b": ") && ("}], [{"a b": ") && ("}]),
        ("$[?(@.t == 'it\\'s')]", [{"t": "it's"}], [{"t": "it's"}]),
        ("$[?(@.day == 2024-02-29)]", [{"day": "2024-02-29"}], [{"day": "2024-02-29"}]),
        ("$[?(@.n == 1e3)]", [{"n": 1000}], [{"n": 1000}]),
        ("$[?(@.n < 1e999)]", [{"n": 1000}], []),  # too large for a number, so a text
        # Not the same number, but they are the same as floats.
        ("$[?(@ == 9007199254740993)]", [2**53, 2**53 + 1], [2**53 + 1]),
    ],
)  # fmt: skip
def test_filters_on_documents_of_other_shapes(text, document, value):
    assert equal(find(text, document), value)


def test_a_path_with_too_many_ways_is_stopped():
    document = []
    for _ in range(120):
        document = [document, 0]

    with pytest.raises(StateError, match="reached more than"):
        find("$..*..*..*..*", document)


# -- Context Object and variables ---------------------------------------------------


def test_two_dollars_are_the_context_object():
    here = names({}, context={"Execution": {"Id": "x:1"}, "Tags": [{"a": 1}, {"a": 2}]})

    assert compile_path("$$.Execution.Id").find(here) == "x:1"
    assert compile_path("$$['Tags'][1].a").find(here) == 2
    assert compile_path("$$.Tags[?(@.a == 2)]").find(here) == [{"a": 2}]
    assert compile_path("$$").find(here) is here.context


def test_a_dollar_and_a_name_are_a_variable():
    here = names({}, variables={"order": {"items": [3, 4]}, "prénom_1": "Zoé"})

    assert compile_path("$order.items[1]").find(here) == 4
    assert compile_path("$order['items'][*]").find(here) == [3, 4]
    assert compile_path("$prénom_1").find(here) == "Zoé"


@pytest.mark.parametrize("text", ["$cart", "$cart.a", "$cart[*].a"])
def test_a_variable_without_a_value_is_not_found(text):
    with pytest.raises(PathNotFound, match="The variable \\$cart is not assigned"):
        compile_path(text).find(names({"cart": 1}))


@pytest.mark.parametrize(
    ("text", "root", "variable", "is_reference"),
    [
        ("$", "$", None, True),
        ("$.a['b'][0]", "$", None, True),
        ("$$.a", "$$", None, True),
        ("$v.a", "$v", "v", True),
        ("$.a[-1]", "$", None, True),
        # Source: ASL specification, "Reference Paths", the examples there
        ("$.store\\.book", "$", None, True),
        ("$.\\stor\\e.boo\\k", "$", None, True),
        ("$.foo\\@bar.baz\\[\\[.\\?pretty", "$", None, True),
        ("$.&Ж中.\\uD800\\uDF46", "$", None, True),
        ("$.a@b", "$", None, False),
        ("$.a?", "$", None, False),
        ("$.a:b", "$", None, False),
        ("$.a,b", "$", None, False),
        ("$.a[(@.length-1)]", "$", None, False),
        ("$['a','b']", "$", None, False),
        ("$.a[*]", "$", None, False),
        ("$.*", "$", None, False),
        ("$..a", "$", None, False),
        ("$.a[0,1]", "$", None, False),
        ("$.a[0:1]", "$", None, False),
        ("$.a[?(@.b)]", "$", None, False),
    ],
)
def test_what_a_path_says_of_itself(text, root, variable, is_reference):
    path = compile_path(text)

    assert (path.text, path.root, path.variable) == (text, root, variable)
    assert path.is_reference is is_reference


def test_escapes_of_the_specification_mean_single_characters():
    assert find("$.foo\\@bar.baz\\[\\[.\\?pretty", {"foo@bar": {"baz[[": {"?pretty": 1}}}) == 1
    assert find("$.&Ж中.\\uD800\\uDF46", {"&Ж中": {"\U00010346": 2}}) == 2


def test_paths_are_values():
    assert compile_path("$.a") is compile_path("$.a")
    assert compile_path("$.a") != compile_path("$['a']")
    assert len({compile_path("$.a"), compile_path("$.a"), ROOT}) == 2
    assert str(compile_path("$.a")) == "$.a"
    with pytest.raises(AttributeError):
        ROOT.text = "$.other"


# -- Messages -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "document_in_message"),
    [
        ("$.q", '{"a":"é"}'),
        ("$$.q", '{"Execution":{}}'),
        ("$v.q", '{"w":1}'),
        ("$nothing", '{"v":{"w":1}}'),
    ],
)
def test_a_miss_names_path_field_and_document(text, document_in_message):
    here = names({"a": "é"}, context={"Execution": {}}, variables={"v": {"w": 1}})

    with pytest.raises(StateError) as caught:
        compile_path(text).evaluate(here, "v.$")

    assert caught.value.name == "States.Runtime"
    assert caught.value.cause == (
        f"The JSONPath '{text}' specified for the field 'v.$' could not be found"
        f" in the input '{document_in_message}'"
    )


def test_evaluate_gives_what_find_gives():
    assert compile_path("$.size.width").evaluate(names(), "v.$") == 80
    assert compile_path("$.no[*]").evaluate(names(), "v.$") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a path begins with '$' (the text ends at character 1)"),
        ("a.b", "a path begins with '$' (found 'a' at character 1)"),
        (" $.a", "a path begins with '$'"),
        ("$.a b", "' ' can't be in a name after a dot; write ['…'] (found ' ' at character 4)"),
        ("$. a", "can't be in a name"),
        ("$.a.", "expected a name after '.' (the text ends at character 5)"),
        ("$.a..", "a path can not end with '..'"),
        ("$..", "a path can not end with '..'"),
        ("$.a[", "expected a quoted name, an index, '*' or '?(' after '['"),
        ("$.a[]", "expected a quoted name, an index"),
        ("$.a[b]", "expected a quoted name, an index"),
        ("$.a]", "']' can't be in a name"),
        ("$.a[0]b", "expected '.' or '['"),
        ("$.a[0", "expected ']' (the text ends"),
        ("$['a", 'the quote is never closed (found "\'" at character 3)'),
        ("$['a',]", "expected another quoted name"),
        ("$['a','b'].c", "can only end a path"),
        ("$.a[1:2:0]", "the step of a slice is 1 or more"),
        ("$.a[1:x]", "expected a whole number"),
        ("$.a[12345678901]", "at most 9 digits"),
        ("$.a[1.5]", "expected ']'"),
        ("$.list.length()", "there are no functions in paths"),
        ("$.a*", "'*' can't be in a name"),
        ("$.a\\", "nothing follows the backslash"),
        ("$-a", "expected '.', '[' or the name of a variable"),
        ("$1st.a", "expected '.', '[' or the name of a variable"),
        ("$$a", "expected '.' or '['"),
        ("$$$", "expected '.' or '['"),
        ("$.n + 1", "can't be in a name"),
        ("$.a.`parent`", "'`' can't be in a name"),
        ("$.a where b", "can't be in a name"),
        ("$.a[(@.length)]", "the only calculation in a path"),
        ("$.a[(@.length-0)]", "the only calculation in a path"),
        ("$" + ".a" * 101, "at most 100 steps"),
        ("$." + "a" * 5000, "at most 4096 characters"),
        ("$[?@.a]", "a filter is written [?( … )]"),
        ("$[?()]", "expected a path, a number or a quoted text"),
        ("$[?(@.a ]", "expected '&&', '||' or ')'"),
        ("$[?(@.a)", "expected ']'"),
        ("$[?(@.a == )]", "expected a path, a number or a quoted text"),
        ("$[?(@.a = 1)]", "'=' is no operator"),
        ("$[?(@.a === 1)]", "'===' is no operator"),
        ("$[?(@.a =~ /x/)]", "regular expressions are not supported"),
        ("$[?(@.a == /x/)]", "regular expressions are not supported"),
        ("$[?(@.a in ['x'])]", "expected '&&', '||' or ')'"),
        ("$[?(@.a == 1 and @.b == 2)]", "expected '&&', '||' or ')'"),
        ("$[?(@.a & @.b)]", "expected '&&', '||' or ')'"),
        ("$[?(@.a + 1 == 2)]", "expected '&&', '||' or ')'"),
        ("$[?(@.a == 2*3)]", "expected '&&', '||' or ')'"),
        ("$[?(5)]", "expected ==, !=, <, <=, > or >="),
        ("$[?(!(@.a == 1))]", "'!' stands only before a path"),
        ("$[?(@.a[*] == 1)]", "only names and indices"),
        ("$[?(@..a)]", "only names and indices"),
        ("$[?(@.a[?(@.b)])]", "only names and indices"),
        ("$[?(@.a.`len` == 1)]", "'`' can't be in a name"),
        ("$[?(@.length() > 1)]", "there are no functions"),
        ("$[?(" + "(" * 21 + "@.a" + ")" * 22 + "]", "nest at most 20 deep"),
        ("$[?(@.a == '" + "x" * 1024 + "')]", "at most 1024 characters"),
    ],
)
def test_a_wrong_path_is_refused_with_the_place(text, problem):
    with pytest.raises(PathSyntaxError) as caught:
        compile_path(text)

    assert problem in str(caught.value)


def test_jsonpath_ng_is_loaded_for_filters_only(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("jsonpath_ng")]:
        monkeypatch.delitem(sys.modules, name)

    compile_path("$.loads.nothing[*]").find(names())
    assert "jsonpath_ng" not in sys.modules

    compile_path("$[?(@.loads == it || @.does && !@.so)]")
    assert "jsonpath_ng" in sys.modules


# -- ResultPath ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "document", "result"),
    [
        ("$", {"a": 1}, "R"),
        ("$.r", {"a": 1}, {"a": 1, "r": "R"}),
        ("$.a", {"a": 1, "b": 2}, {"a": "R", "b": 2}),
        ("$.a.b.c", {}, {"a": {"b": {"c": "R"}}}),
        ("$.a.b", {"a": {"x": 1}}, {"a": {"x": 1, "b": "R"}}),
        ("$['a']['b c']", {"a": {}}, {"a": {"b c": "R"}}),
        ("$.a[1]", {"a": [0, 1, 2]}, {"a": [0, "R", 2]}),
        ("$.a[-1]", {"a": [0, 1, 2]}, {"a": [0, 1, "R"]}),
        ("$.a[0].b", {"a": [{"x": 1}]}, {"a": [{"x": 1, "b": "R"}]}),
        ("$[0]", [1], ["R"]),
        # null counts as missing
        ("$.a", None, {"a": "R"}),
        ("$.a.b", {"a": None}, {"a": {"b": "R"}}),
        ("$.a[0].b", {"a": [None]}, {"a": [{"b": "R"}]}),
    ],
)
def test_put_gives_a_document_with_the_value_in_place(text, document, result):
    before = copy.deepcopy(document)

    assert equal(compile_path(text).put(document, "R"), result)
    assert equal(document, before)


def test_put_keeps_the_order_of_members():
    assert list(compile_path("$.b").put({"a": 1, "b": 2, "c": 3}, 0)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "document", "reason"),
    [
        ("$.a", "text", "$ is a string, not an object"),
        ("$.a", 5, "$ is a number, not an object"),
        ("$.a", True, "$ is a boolean, not an object"),
        ("$.a", [1], "$ is an array, not an object"),
        ("$.a.b", {"a": "x"}, "$['a'] is a string, not an object"),
        ("$.a.b.c", {"a": {"b": [1]}}, "$['a']['b'] is an array, not an object"),
        ("$.a[0]", {"a": {"0": 1}}, "$['a'] is an object, not an array"),
        ("$.a[0]", {}, "$['a'] is null or missing, not an array"),
        ("$.a[0]", {"a": "x"}, "$['a'] is a string, not an array"),
        ("$.a[1]", {"a": [1]}, "$['a'] has no item 1"),  # arrays don't grow
        ("$.a[50000000]", {"a": [1]}, "$['a'] has no item 50000000"),
        ("$.a[0].b", {"a": [1]}, "$['a'][0] is a number, not an object"),
    ],
)
def test_put_fails_where_there_is_no_place(text, document, reason):
    with pytest.raises(StateError) as caught:
        compile_path(text).put(document, "R")

    assert caught.value.name == "States.ResultPathMatchFailure"
    assert caught.value.cause is not None
    assert caught.value.cause.startswith(f"Unable to apply ReferencePath {text} to input ")
    assert caught.value.cause.endswith(f": {reason}")


@pytest.mark.parametrize("text", ["$.a[*]", "$..a", "$$.a", "$v", "$['a','b']"])
def test_put_takes_reference_paths_into_the_input_only(text):
    with pytest.raises(ValueError, match="no Reference Path"):
        compile_path(text).put({}, 1)


# -- What holds for all -------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "c", "a b", "it's", "größe", "0", ""])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "a", "1", "null", "true"]),
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(KEYS, deeper, max_size=3),
    max_leaves=12,
)


def quoted(key):
    return "['" + key.replace("'", "\\'") + "']"


NAME_STEPS = KEYS.map(quoted) | st.sampled_from([".a", ".b", ".c"])
DEFINITE_STEPS = NAME_STEPS | st.sampled_from(["[0]", "[1]", "[-1]", "[(@.length-1)]"])
ANY_STEPS = DEFINITE_STEPS | st.sampled_from(
    [
        "[*]", ".*", "..a", "..*", "..[0]", "[0:2]", "[-1:]", "[0,1]", "[?(@.a)]",
        "[?(@.a == 1 || !@.b)]", "[?(@.a != $.b && @.c < 'x')]", "[?(@ >= 1)]", "..[?(@.a)]",
    ]
)  # fmt: skip
REFERENCES = st.lists(NAME_STEPS, max_size=4).map(lambda steps: "$" + "".join(steps))
PATHS = st.lists(ANY_STEPS, max_size=4).map(lambda steps: "$" + "".join(steps))


def outcome(function, *arguments):
    """What *function* gives, or the exception it raises."""
    try:
        return function(*arguments)
    except Exception as error:
        return error


@settings(max_examples=150)
@given(text=PATHS, document=DOCUMENTS)
def test_finding_changes_nothing(text, document):
    before = copy.deepcopy(document)
    path = compile_path(text)

    found = outcome(path.find, names(document))
    assert repr(document) == repr(before)
    assert isinstance(found, list) or path.definite
    assert not isinstance(found, Exception) or isinstance(found, PathNotFound)


@settings(max_examples=150)
@given(text=REFERENCES, document=DOCUMENTS, value=DOCUMENTS)
def test_what_is_put_is_found_there_and_all_else_stays(text, document, value):
    before = copy.deepcopy(document)
    path = compile_path(text)

    after = outcome(path.put, document, value)
    assert repr(document) == repr(before)
    if isinstance(after, Exception):
        assert isinstance(after, StateError)
        assert after.name == "States.ResultPathMatchFailure"
        return
    assert path.find(names(after)) is value
    untouched = object()
    assert repr(without(after, path.keys, untouched)) == repr(
        without(path.put(document, None), path.keys, untouched)
    )
    if isinstance(document, dict) and path.keys:
        others = [key for key in document if key != path.keys[0]]
        assert all(after[key] is document[key] for key in others)  # shared, not copied


def without(document, keys, hole):
    """A copy of *document* with *hole* where *keys* lead."""
    if not keys:
        return hole
    shallow = copy.copy(document)
    shallow[keys[0]] = without(document[keys[0]], keys[1:], hole)
    return shallow


@settings(max_examples=300)
@given(
    st.text(max_size=60)
    | st.text("$@.[]()'\"*?:,-0123 ab=<>!&|\\`~/\t", max_size=60).map(lambda text: "$" + text)
    | st.lists(
        ANY_STEPS | st.sampled_from(["[?(", ")]", "@.a", " == ", "'x'", "&&", "||", "!", "(", "["])
    ).map(lambda parts: "$" + "".join(parts))
)
def test_garbage_is_refused_and_nothing_worse(text):
    assert isinstance(outcome(compile_path, text), (Path, PathSyntaxError))


@pytest.mark.parametrize("size", [1_000, 1_000_000])
@pytest.mark.parametrize("pattern", ["$['\\'", "$[?(!", "$[?((", "$..", "$['a',"])
def test_long_garbage_is_refused_at_once(pattern, size):
    with pytest.raises(PathSyntaxError):
        compile_path(pattern[:2] + pattern[2:] * (size // len(pattern)))
