"""Pictures of workflows: nothing overlaps, nothing is missing, nothing is unescaped."""

import json
import random
import time
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from django_workflows import asl, graph
from django_workflows.graph import EdgeKind, NodeStatus, Status, labels, text
from tests.asl.running import Run, machine, pass_, task, wait
from tests.asl.test_properties import machines

SVG = "{http://www.w3.org/2000/svg}"
patient = tried(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

POLLING = {
    "StartAt": "Submit",
    "States": {
        "Submit": {"Type": "Task", "Resource": "submit", "Next": "Rest"},
        "Rest": {"Type": "Wait", "Seconds": 30, "Next": "Look"},
        "Look": {
            "Type": "Task",
            "Resource": "look",
            "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 5}],
            "Catch": [{"ErrorEquals": ["Gone", "States.Timeout"], "Next": "Give up"}],
            "Next": "Done?",
        },
        "Done?": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.status", "StringEquals": "RUNNING", "Next": "Rest"},
                {"Variable": "$.status", "StringEquals": "LOST", "Next": "Submit"},
            ],
            "Default": "Finished",
        },
        "Finished": {"Type": "Succeed"},
        "Give up": {"Type": "Fail", "Error": "JobFailed"},
    },
}
NESTED = {
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Pay", "States": {"Pay": {"Type": "Pass", "End": True}}},
                {
                    "StartAt": "Each",
                    "States": {
                        "Each": {
                            "Type": "Map",
                            "ItemProcessor": {
                                "StartAt": "Pack",
                                "States": {
                                    "Pack": {"Type": "Task", "Resource": "pack", "Next": "Seal"},
                                    "Seal": {"Type": "Pass", "End": True},
                                },
                            },
                            "End": True,
                        }
                    },
                },
            ],
            "End": True,
        }
    },
}


def laid_out(definition):
    return graph.layout(asl.parse(definition))


def drawn(definition, **options):
    return ElementTree.fromstring(graph.svg(laid_out(definition), **options))


def ways(layout):
    return {(edge.kind, edge.source, edge.target) for edge in layout.edges()}


def states_of(workflow):
    for found in workflow.states.values():
        yield found
        for inner in getattr(found, "branches", ()):
            yield from states_of(inner)
        if hasattr(found, "processor"):
            yield from states_of(found.processor)


def texts(root):
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]


def titles(root):
    return ["".join(element.itertext()) for element in root.iter(f"{SVG}title")]


def wide(count, seed=1):
    """A machine of *count* states that lead here and there."""
    chance = random.Random(seed)
    names = [f"State {number}" for number in range(count)]
    states = {}
    for number, name in enumerate(names[:-1]):
        later = names[number + 1 : number + 12]
        if number % 4 == 3:
            rules = [
                {"Variable": "$.n", "NumericEquals": n, "Next": chance.choice([*later, name])}
                for n in range(3)
            ]
            states[name] = {"Type": "Choice", "Choices": rules, "Default": later[0]}
        else:
            states[name] = {"Type": "Task", "Resource": "work", "Next": later[0]}
            states[name]["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": names[-1]}]
            if number % 7 == 0 and number:
                back = names[max(0, number - chance.randint(1, 9))]
                states[name]["Catch"].insert(0, {"ErrorEquals": ["Again"], "Next": back})
    return {"StartAt": names[0], "States": {**states, names[-1]: {"Type": "Succeed"}}}


# -- what holds for every picture ------------------------------------------------------


def overlap(one, other):
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def is_in(inner, outer, slack=0.2):
    return (
        inner.x >= outer.x - slack
        and inner.y >= outer.y - slack
        and inner.x + inner.width <= outer.x + outer.width + slack
        and inner.y + inner.height <= outer.y + outer.height + slack
    )


def check(definition):
    workflow = asl.parse(definition)
    layout = graph.layout(workflow)

    assert sorted(node.name for node in layout.nodes()) == sorted(
        state.name for state in states_of(workflow)
    )
    expected = {
        (way.kind, way.source, way.target)
        for state in states_of(workflow)
        for way in graph.transitions(state)
    }
    shown = {way for way in ways(layout) if None not in way[1:]}
    assert shown == expected

    for scope in layout.scopes():
        boxes = [*scope.nodes, *(edge.label for edge in scope.edges if edge.label)]
        for one, other in combinations(boxes, 2):
            assert not overlap(one, other), (one, other)
        for box in boxes:
            assert is_in(box, scope), box
        for node in scope.nodes:
            for inner in node.scopes:
                assert is_in(inner, node)
            for one, other in combinations(node.scopes, 2):
                assert not overlap(one, other)
        for edge in scope.edges:
            for x, y in edge.points:
                assert scope.x - 1 <= x <= scope.x + scope.width + 1
                assert scope.y - 1 <= y <= scope.y + scope.height + 1
            check_upright(scope, edge)
    assert graph.layout(workflow) == layout
    root = ElementTree.fromstring(graph.svg(layout, link=lambda name: f"?state={name}"))
    assert not [element for element in root.iter() if "style" in element.attrib]
    return layout


def check_upright(scope, edge):
    """No straight piece runs through a box; bent ones are between layers by construction."""
    for (x0, y0), (x1, y1) in zip(edge.points, edge.points[1:], strict=False):
        for node in scope.nodes:
            left, right = sorted((x0, x1))
            top, bottom = sorted((y0, y1))
            crosses = (
                left < node.x + node.width - 0.5
                and right > node.x + 0.5
                and top < node.y + node.height - 0.5
                and bottom > node.y + 0.5
            )
            assert not crosses, (edge, node)


@given(definition=machines())
@patient
def test_any_machine_is_drawn_whole_and_without_overlaps(definition):
    check(definition)


@pytest.mark.parametrize("count", [2, 9, 40])
@pytest.mark.parametrize("seed", range(4))
def test_any_tangle_of_ways_is_drawn_without_overlaps(count, seed):
    check(wide(count, seed))


@pytest.mark.parametrize("definition", [POLLING, NESTED])
def test_the_examples_are_drawn_whole(definition):
    check(definition)


@pytest.mark.parametrize("name", ["order", "stocktake"])
def test_the_example_projects_workflows_are_drawn(name):
    path = settings.BASE_DIR / "example_project" / "shop" / "workflows" / f"{name}.json"
    check(Path(path).read_text(encoding="utf-8"))


def test_300_states_are_laid_out_in_well_under_a_second():
    workflow = asl.parse(wide(300))

    began = time.process_time()
    graph.layout(workflow)

    assert time.process_time() - began < 5  # about 0.3 on an idle machine


def test_deep_nesting_is_drawn():
    inner = {"StartAt": "S0", "States": {"S0": {"Type": "Pass", "End": True}}}
    for depth in range(1, 20):
        name = f"S{depth}"
        each = {"Type": "Map", "ItemProcessor": inner, "End": True}
        inner = {"StartAt": name, "States": {name: each}}

    check(inner)


# -- ways ------------------------------------------------------------------------------


def test_a_chain_runs_straight_down():
    layout = laid_out(machine(pass_("A"), pass_("B"), pass_("C")))

    middles = {round(node.x + node.width / 2) for node in layout.nodes()}
    assert len(middles) == 1
    assert [node.name for node in sorted(layout.nodes(), key=lambda node: node.y)] == [*"ABC"]
    assert [marker.is_start for marker in layout.root.markers] == [True, False]


def test_each_way_has_its_kind():
    found = ways(laid_out(POLLING))

    assert (EdgeKind.START, None, "Submit") in found
    assert (EdgeKind.NEXT, "Submit", "Rest") in found
    assert (EdgeKind.CHOICE, "Done?", "Rest") in found
    assert (EdgeKind.DEFAULT, "Done?", "Finished") in found
    assert (EdgeKind.CATCH, "Look", "Give up") in found


def test_what_leads_back_is_known_as_that():
    back = {(edge.source, edge.target) for edge in laid_out(POLLING).edges() if edge.is_back}

    assert back == {("Done?", "Rest"), ("Done?", "Submit")}


def test_a_state_that_leads_to_itself_is_drawn():
    layout = check(
        {
            "StartAt": "Try",
            "States": {
                "Try": {
                    "Type": "Task",
                    "Resource": "work",
                    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Try"}],
                    "End": True,
                }
            },
        }
    )

    [loop] = [edge for edge in layout.edges() if edge.kind is EdgeKind.CATCH]
    assert loop.is_back


def test_only_states_with_end_lead_to_the_end():
    found = ways(laid_out(POLLING))

    assert not [way for way in found if way[0] is EdgeKind.END]
    assert (EdgeKind.END, "Both", None) in ways(laid_out(NESTED))


def test_long_ways_to_one_state_share_a_lane():
    states = [task(f"T{number}") for number in range(5)]
    for state in states:
        state["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": "Sorry"}]
    definition = machine(*states)
    definition["States"]["Sorry"] = {"Type": "Fail"}

    layout = check(definition)

    catches = [edge for edge in layout.edges() if edge.kind is EdgeKind.CATCH]
    joining = [edge for edge in catches if edge.joins]
    assert len(joining) >= 2
    for edge in joining:
        assert any(edge.points[-1] in other.points for other in catches if other != edge)
    ends = {(node.x, node.y) for node in layout.nodes() if node.name == "Sorry"}
    [(_, top)] = ends
    assert all(edge.points[-1][1] == top for edge in catches if not edge.joins)


# -- labels ----------------------------------------------------------------------------


def rule(**fields):
    definition = {
        "StartAt": "C",
        "States": {
            "C": {"Type": "Choice", "Choices": [{**fields, "Next": "E"}], "Default": "E"},
            "E": {"Type": "Succeed"},
        },
    }
    return labels.rule(asl.parse(definition).states["C"].choices[0].test)


AMOUNT = {"Variable": "$.total", "NumericGreaterThan": 100}
NEW = {"Variable": "$.new", "BooleanEquals": True}


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        (AMOUNT, "$.total > 100"),
        ({"Variable": "$.a", "NumericLessThanEqualsPath": "$.b"}, "$.a ≤ $.b"),
        ({"Variable": "$.name", "StringEquals": "Ünal"}, '$.name = "Ünal"'),
        ({"Variable": "$.name", "StringMatches": "a*"}, '$.name matches "a*"'),
        (
            {"Variable": "$.at", "TimestampLessThan": "2026-01-01T00:00:00Z"},
            '$.at < "2026-01-01T00:00:00Z"',
        ),
        ({"Variable": "$.x", "IsPresent": True}, "$.x is present"),
        ({"Variable": "$.x", "IsPresent": False}, "$.x is absent"),
        ({"Variable": "$.x", "IsNumeric": False}, "$.x is no number"),
        (NEW, "$.new = true"),
        ({"Not": NEW}, "not $.new = true"),
        ({"And": [AMOUNT, NEW]}, "$.total > 100 and $.new = true"),
        ({"Not": {"Or": [AMOUNT, NEW]}}, "not ($.total > 100 or $.new = true)"),
        (
            {"Or": [AMOUNT, {"And": [NEW, {"Not": AMOUNT}]}]},
            "$.total > 100 or ($.new = true and not $.total > 100)",
        ),
    ],
)
def test_a_rule_reads_like_a_condition(fields, label):
    assert rule(**fields) == label


def test_a_jsonata_condition_stands_without_its_brackets():
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "C",
        "States": {
            "C": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input.n\n  > 1 %}", "Next": "E"}],
            },
            "E": {"Type": "Succeed"},
        },
    }

    assert "$states.input.n > 1" in texts(drawn(definition))


def test_a_long_rule_is_cut_and_whole_in_its_title():
    names = [f"$.a.rather.long.path.to.value{number}" for number in range(9)]
    tests = [{"Variable": name, "IsPresent": True} for name in names]
    definition = {
        "StartAt": "C",
        "States": {
            "C": {"Type": "Choice", "Choices": [{"And": tests, "Next": "E"}]},
            "E": {"Type": "Succeed"},
        },
    }

    root = drawn(definition)

    assert any(line.endswith("…") for line in texts(root))
    assert any(all(name in title for name in names) for title in titles(root))


@pytest.mark.parametrize(
    ("state", "caption"),
    [
        ({"Type": "Task", "Resource": "charge_card"}, "charge_card"),
        ({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage"}, "sqs:sendMessage"),
        ({"Type": "Task", "Resource": "arn:aws:lambda:x:1:function:Pay"}, "Pay"),
        ({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:getObject"}, "s3:getObject"),
        ({"Type": "Wait", "Seconds": 30}, "30 s"),
        ({"Type": "Wait", "SecondsPath": "$.delay"}, "$.delay s"),
        ({"Type": "Wait", "Timestamp": "2026-05-01T12:30:00Z"}, "until 2026-05-01 12:30"),
        ({"Type": "Wait", "TimestampPath": "$.due"}, "until $.due"),
        ({"Type": "Pass"}, ""),
    ],
)
def test_a_caption_says_what_a_state_does(state, caption):
    definition = {"StartAt": "A", "States": {"A": {**state, "End": True}}}

    [node] = laid_out(definition).nodes()

    assert node.caption == caption


# -- text ------------------------------------------------------------------------------


@given(
    name=st.text(max_size=80),
    size=st.sampled_from([11.0, 13.0]),
    limit=st.floats(60, 300),
    lines=st.integers(1, 4),
)
@patient
def test_wrapped_text_keeps_to_its_lines_and_width(name, size, limit, lines):
    done = text.wrapped(name, size, limit, lines)

    assert 1 <= len(done) <= lines
    for line in done:
        assert text.width(line, size) <= limit + 0.01
    if not done[-1].endswith("…"):
        assert "".join(done).replace(" ", "") == text.one_line(name).replace(" ", "")


@pytest.mark.parametrize(
    "name",
    ["漢" * 80, "W" * 80, "i" * 80, "👩‍🚒" * 16, "é" * 40, "شحن" * 20, "word " * 16],
    ids=["wide", "broad", "narrow", "emoji", "accents", "right-to-left", "words"],
)
def test_long_names_stay_inside_of_their_box(name):
    [node] = check({"StartAt": name, "States": {name: {"Type": "Pass", "End": True}}}).nodes()

    assert max(text.width(line, 13) for line in node.lines) < node.width < 260
    assert len(node.lines) <= 3


# -- svg -------------------------------------------------------------------------------

EVIL = "</text><script>alert(1)</script>\"'&<b>"


def test_whatever_a_definition_brings_is_escaped():
    definition = {
        "Comment": EVIL,
        "StartAt": EVIL,
        "States": {
            EVIL: {
                "Type": "Choice",
                "Comment": EVIL,
                "Choices": [{"Variable": "$.a", "StringEquals": EVIL, "Next": "T"}],
                "Default": "T",
            },
            "T": {
                "Type": "Task",
                "Resource": EVIL,
                "Retry": [{"ErrorEquals": [EVIL]}],
                "Catch": [{"ErrorEquals": [EVIL], "Next": EVIL}],
                "End": True,
            },
        },
    }
    layout = laid_out(definition)
    status = {EVIL: NodeStatus(status=Status.FAILED, entered=2, failed=2)}
    options = {
        "link": lambda name: f"?state={name}",
        "title": EVIL,
        "status": status,
        "selected": EVIL,
        "translate": lambda word: word + EVIL,
    }

    plain = graph.svg(layout, **options)
    root = ElementTree.fromstring(plain)

    allowed = {"svg", "g", "a", "title", "path", "rect", "circle", "text"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == allowed
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not {name for name in attributes if name.startswith("on") or name in ("style", "id")}
    assert any(EVIL in title for title in titles(root))
    assert "<script" not in plain


@given(name=st.text(alphabet=st.characters(codec=None), min_size=1, max_size=80))
@patient
def test_any_letters_give_well_formed_xml(name):
    definition = {"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": name, "Cause": name}}}
    definition["States"]["A"]["Comment"] = name
    workflow = asl.parse(definition)

    svg = graph.svg(graph.layout(workflow), title=name, link=lambda _: name)

    ElementTree.fromstring(svg.encode("utf-8"))
    for other in (graph.mermaid(workflow), graph.dot(workflow)):
        other.encode("utf-8")


def test_text_that_turns_the_direction_is_shown_as_what_it_is():
    assert text.fit("a\u202eb\x00") == "a\ufffdb\ufffd"


def test_nothing_inline_in_a_page_and_colours_in_a_file():
    layout = laid_out(POLLING)

    page, file = graph.svg(layout), graph.svg(layout, standalone=True)

    assert "<style" not in page and "style=" not in page
    [style] = ElementTree.fromstring(file).iter(f"{SVG}style")
    assert style.text == graph.stylesheet()
    assert "url(" not in file and "@import" not in file


def test_each_state_is_a_list_item_with_a_link_and_a_title():
    root = drawn(NESTED, link=lambda name: f"?state={name}")

    items = [element for element in root.iter() if element.get("role") == "listitem"]
    assert [item.find(f"{SVG}a").get("href") for item in items] == [
        "?state=Both",
        "?state=Pay",
        "?state=Each",
        "?state=Pack",
        "?state=Seal",
    ]
    parents = {child: parent for parent in root.iter() for child in parent}
    assert all(parents[item].get("role") == "list" for item in items)
    assert items[3].find(f"{SVG}a/{SVG}title").text == "Pack\nTask: pack"


def node_of(root, name):
    for element in root.iter():
        title = element.find(f"{SVG}title")
        if element.get("role") == "listitem" and title.text.split("\n")[0] == name:
            return element
    raise AssertionError(name)


def test_a_status_is_a_class_a_sign_and_words():
    root = drawn(POLLING, status={"Look": NodeStatus(status=Status.WAITING, entered=1, waiting=1)})

    look = node_of(root, "Look")
    assert "wf-graph-is-waiting wf-graph-current" in look.get("class")
    assert [e for e in look.iter() if e.get("class") == "wf-graph-badge"]
    assert look.find(f"{SVG}title").text.endswith("\nwaiting")
    assert "wf-graph-untouched" in node_of(root, "Rest").get("class")


def test_every_status_has_another_sign():
    signs = set()
    for status in Status:
        root = drawn(POLLING, status={"Look": NodeStatus(status=status, entered=1)})
        [badge] = [e for e in root.iter() if e.get("class") == "wf-graph-badge"]
        signs.add(badge.find(f"{SVG}path").get("d"))
    assert len(signs) == len(Status)


@pytest.mark.parametrize(
    ("name", "status", "count"),
    [
        ("Pay", NodeStatus(status=Status.SUCCEEDED, entered=3, succeeded=3), "3×"),
        ("Pay", NodeStatus(status=Status.SUCCEEDED, entered=1, succeeded=1), None),
        ("Each", NodeStatus(status=Status.RUNNING, entered=1, running=1, done=7, total=10), "7/10"),
        ("Pack", NodeStatus(status=Status.RUNNING, entered=10, running=3, succeeded=7), "7/10"),
        ("Pack", NodeStatus(status=Status.SUCCEEDED, entered=10, succeeded=10), "10×"),
        ("Both", NodeStatus(status=Status.RUNNING, entered=1, running=1, done=1, total=2), "1/2"),
        ("Both", NodeStatus(status=Status.SUCCEEDED, entered=1, done=2, total=2), None),
    ],
)
def test_counts_are_shown_where_there_is_more_than_one(name, status, count):
    root = drawn(NESTED, status={name: status})

    shown = [e for e in root.iter() if e.get("class") == "wf-graph-count"]
    assert ["".join(e.itertext()) for e in shown] == ([] if count is None else [count])


def test_retry_is_a_mark_with_its_errors_in_the_title():
    assert "Retry: Busy: 5×" in titles(drawn(POLLING))


def test_catch_is_dashed_and_labelled_with_its_errors():
    root = drawn(POLLING)

    [way] = [e for e in root.iter() if "wf-graph-edge wf-graph-catch" in e.get("class", "")]
    assert way.get("stroke-dasharray")
    assert "Gone, States.Timeout" in texts(root)


# -- what has become of each state -----------------------------------------------------


def status_of(run):
    return graph.statuses(run.workflow, iter(run.log))


def test_a_task_is_running_then_done():
    run = Run(machine(task("Pay"), task("Ship")))
    assert status_of(run) == {"Pay": NodeStatus(status=Status.RUNNING, entered=1, running=1)}

    run.complete(output={})

    assert status_of(run)["Pay"] == NodeStatus(status=Status.SUCCEEDED, entered=1, succeeded=1)
    assert status_of(run)["Ship"].is_current


@pytest.mark.parametrize(
    "state", [wait(60, "A"), task("A", Resource="approval"), task("A", Resource="callback")]
)
def test_waiting_is_told_from_running(state):
    assert status_of(Run(machine(state)))["A"].status is Status.WAITING


def test_a_retry_waits_and_is_counted():
    run = Run(machine(task("Pay", Retry=[{"ErrorEquals": ["Busy"], "IntervalSeconds": 5}])))
    run.fail(error="Busy")
    assert status_of(run)["Pay"] == NodeStatus(
        status=Status.WAITING, entered=1, waiting=1, retries=1
    )

    run.wake(after=5)

    assert status_of(run)["Pay"].status is Status.RUNNING


def test_what_was_caught_is_told_from_what_failed():
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Ship"}]
    run = Run(machine(task("Pay", Catch=catch), task("Ship"))).fail().fail()

    assert status_of(run)["Pay"] == NodeStatus(status=Status.CAUGHT, entered=1, caught=1)
    assert status_of(run)["Ship"] == NodeStatus(status=Status.FAILED, entered=1, failed=1)


def test_what_was_stopped_is_aborted():
    run = Run(machine(task("Pay"))).send(asl.Stop())

    assert status_of(run)["Pay"].status is Status.ABORTED


def test_loops_are_counted():
    run = Run(POLLING)
    run.complete(output={})
    for _ in range(3):
        run.wake(after=30)
        run.complete(output={"status": "RUNNING"})

    found = status_of(run)
    assert (found["Look"].entered, found["Look"].succeeded) == (3, 3)
    assert (found["Rest"].entered, found["Rest"].status) == (4, Status.WAITING)


def mapping(**fields):
    return machine(
        {"Name": "Each", "Type": "Map", "ItemProcessor": machine(task("Pack")), **fields}
    )


def test_a_map_counts_its_iterations_and_a_failure_stands_out():
    run = Run(mapping(ToleratedFailureCount=1), [1, 2, 3])
    first, second, _ = run.tasks
    run.complete(first.seq, output={})
    run.fail(second.seq)

    found = status_of(run)
    assert (found["Each"].status, found["Each"].done, found["Each"].total) == ("running", 2, 3)
    pack = found["Pack"]
    assert (pack.status, pack.entered, pack.failed, pack.running) == (Status.FAILED, 3, 1, 1)

    run.complete(output={})

    assert status_of(run)["Each"].status is Status.SUCCEEDED
    assert status_of(run)["Pack"].status is Status.FAILED


def test_what_is_given_up_with_a_failed_map_is_aborted_and_goes_on_when_redriven():
    run = Run(mapping(), [1, 2, 3])
    run.complete(run.tasks[0].seq, output={})
    run.fail(run.tasks[0].seq)

    found = status_of(run)
    assert found["Each"].status is Status.FAILED
    assert (found["Pack"].failed, found["Pack"].aborted, found["Pack"].succeeded) == (1, 1, 1)

    run.send(asl.Redrive())

    found = status_of(run)
    assert (found["Each"].status, found["Each"].done) == (Status.RUNNING, 1)
    assert (found["Pack"].status, found["Pack"].running, found["Pack"].failed) == ("running", 2, 0)


def test_what_is_given_up_inside_of_what_is_given_up_is_aborted_too():
    each = {"Name": "Each", "Type": "Map", "ItemProcessor": machine(task("Pack"))}
    both = {"Name": "Both", "Type": "Parallel", "Branches": [machine(each), machine(task("Pay"))]}
    both["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": "Undo"}]
    run = Run(machine(both, task("Undo")), [1, 2, 3])
    run.fail("Pay")

    found = status_of(run)
    assert (found["Pack"].aborted, found["Each"].status) == (3, Status.ABORTED)
    assert (found["Pay"].status, found["Both"].status) == (Status.FAILED, Status.CAUGHT)


def test_a_map_that_is_tried_again_forgets_its_failure():
    run = Run(mapping(Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1}]), [1])
    run.fail()
    assert status_of(run)["Pack"].status is Status.FAILED

    run.wake(after=1)
    assert status_of(run)["Pack"].status is Status.RUNNING

    run.complete(output={})
    assert status_of(run)["Pack"].status is Status.SUCCEEDED


@given(definition=machines(), world=st.randoms(use_true_random=False))
@patient
def test_counts_agree_with_the_execution_however_it_went(definition, world):
    run = Run(definition, {"n": 1}, ctx={"items": [1, 2]})
    for _ in range(25):
        if not run.execution.is_running:
            if not run.execution.is_redrivable or world.random() < 0.5:
                break
            run.send(asl.Redrive())
        elif run.tasks and world.random() < 0.8:
            if world.random() < 0.6:
                run.complete(run.tasks[0].seq, output={"n": 1})
            else:
                run.fail(run.tasks[0].seq, error="Busy")
        else:
            run.wake(after=world.choice([1, 5]))

        found = status_of(run)
        for status in found.values():
            kinds = [getattr(status, each) for each in Status]
            assert sum(kinds) == status.entered and min(kinds) >= 0
        entered = [event for event in run.log if isinstance(event, asl.StateEntered)]
        assert sum(status.entered for status in found.values()) == len(entered)
        here = {name for name, status in found.items() if status.is_current}
        standing = graph.statuses(run.workflow, run.execution)
        assert here == {name for name, status in standing.items() if status.is_current}
        if not run.execution.is_running:
            assert not here


@given(definition=machines(), cut=st.integers(0, 40))
@patient
def test_any_stretch_of_a_log_will_do(definition, cut):
    run = Run(definition, {"n": 1}, ctx={"items": [1, 2]})
    while run.tasks and len(run.log) < 60:
        run.complete(run.tasks[0].seq, output={"n": 1})

    graph.statuses(run.workflow, run.log[cut:])


def test_many_iterations_are_counted_each():
    run = Run(mapping(ToleratedFailurePercentage=100), list(range(50)))
    while run.tasks:
        run.fail(run.tasks[0].seq)

    found = status_of(run)

    assert (found["Pack"].failed, found["Each"].done, found["Each"].total) == (50, 50, 50)


# -- other shapes ----------------------------------------------------------------------


def test_an_outline_is_nested_as_the_workflow_is():
    [both] = graph.outline(asl.parse(NESTED))

    assert (both.name, both.type, both.ends) == ("Both", "Parallel", True)
    assert [[entry.name for entry in branch] for branch in both.inside] == [["Pay"], ["Each"]]
    assert [entry.name for entry in both.inside[1][0].inside[0]] == ["Pack", "Seal"]


def test_an_outline_as_text():
    assert graph.outline_text(graph.outline(asl.parse(POLLING))) == (
        "- Submit (Task: submit)\n"
        "    → Rest\n"
        "- Rest (Wait: 30 s)\n"
        "    → Look\n"
        "- Look (Task: look)\n"
        "    → Done?\n"
        "    ! Gone, States.Timeout → Give up\n"
        "- Done? (Choice)\n"
        '    $.status = "RUNNING" → Rest\n'
        '    $.status = "LOST" → Submit\n'
        "    otherwise → Finished\n"
        "- Finished (Succeed)\n"
        "- Give up (Fail: JobFailed)\n"
    )


def test_mermaid():
    assert graph.mermaid(asl.parse(NESTED)) == (
        "flowchart TD\n"
        "  s_start(( )) --> n1\n"
        '  subgraph n1["Both"]\n'
        '    subgraph n1_0[" "]\n'
        "      n1_0_start(( )) --> n2\n"
        '      n2["Pay"]\n'
        "      n2 --> n1_0_end((( )))\n"
        "    end\n"
        '    subgraph n1_1[" "]\n'
        "      n1_1_start(( )) --> n3\n"
        '      subgraph n3["Each"]\n'
        "          n3_0_start(( )) --> n4\n"
        '          n4["Pack"]\n'
        "          n4 --> n5\n"
        '          n5["Seal"]\n'
        "          n5 --> n3_0_end((( )))\n"
        "      end\n"
        "      n3 --> n1_1_end((( )))\n"
        "    end\n"
        "  end\n"
        "  n1 --> s_end((( )))\n"
    )


def test_mermaid_is_not_led_astray_by_names():
    definition = {"StartAt": EVIL, "States": {EVIL: {"Type": "Succeed"}}}

    lines = graph.mermaid(asl.parse(definition)).splitlines()

    assert len(lines) == 3
    assert not set("<>'&|[]{}()") & set(lines[2].split('"')[1])


def test_dot():
    shown = graph.dot(asl.parse(NESTED))

    assert "subgraph cluster_n1 {" in shown
    assert 'label="Each";' in shown
    assert "n4 -> n5;" in shown
    assert "n1 -> s_end [ltail=cluster_n1];" in shown
    assert shown.count("{") == shown.count("}")


def test_dot_escapes_quotation_marks_and_backslashes():
    name = 'a"b\\'

    shown = graph.dot(asl.parse({"StartAt": name, "States": {name: {"Type": "Succeed"}}}))

    assert '[label="a\\"b\\\\", ' in shown


def test_json_has_every_state_and_way():
    found = graph.as_json(laid_out(POLLING))

    assert json.loads(json.dumps(found)) == found
    assert {node["name"] for node in found["nodes"]} == set(POLLING["States"])
    catch = next(edge for edge in found["edges"] if edge["kind"] == "catch")
    assert (catch["source"], catch["target"]) == ("Look", "Give up")
    assert catch["label"]["text"] == "Gone, States.Timeout"
