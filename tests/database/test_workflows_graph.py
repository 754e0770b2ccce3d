"""manage.py workflows_graph: names, files, versions, formats, and what is wrong."""

import io
import json
from xml.etree import ElementTree

import pytest
from django.core.management import CommandError, call_command

from tests.workflows import call, machine, published

pytestmark = pytest.mark.django_db

FIRST = machine(Charge=call("charge"))
SECOND = machine(Charge=call("charge"), Ship=call("ship"))


def drawn(*arguments, **options):
    out, err = io.StringIO(), io.StringIO()
    call_command("workflows_graph", *arguments, stdout=out, stderr=err, **options)
    assert err.getvalue() == ""
    return out.getvalue()


@pytest.fixture
def order():
    workflow = published(FIRST)
    workflow.publish(SECOND)
    return workflow


@pytest.fixture
def file(tmp_path):
    def write(source, name="order.asl.json"):
        path = tmp_path / name
        path.write_text(source if isinstance(source, str) else json.dumps(source))
        return str(path)

    return write


def test_a_workflow_is_drawn_by_its_name_in_its_current_version(order):
    svg = drawn("order")

    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert ">Ship</text>" in svg
    assert "<style>" in svg


def test_an_older_version_is_drawn_by_its_number(order):
    assert "Ship" not in drawn("order", "--version", "1")
    assert "Ship" in drawn("order", "--version=2")


def test_a_file_is_drawn_without_being_published(file):
    assert ">Charge</text>" in drawn(file(FIRST))


@pytest.mark.parametrize(
    ("form", "begin"),
    [("mermaid", "flowchart TD"), ("dot", "digraph"), ("json", "{"), ("outline", "- Charge")],
)
def test_each_format_is_drawn(order, form, begin):
    text = drawn("order", f"--format={form}")

    assert text.startswith(begin)
    assert "Ship" in text
    assert text.endswith("\n")


def test_the_json_is_json(order):
    assert [node["name"] for node in json.loads(drawn("order", "--format=json"))["nodes"]] == [
        "Charge",
        "Ship",
    ]


def test_the_picture_goes_into_a_file_where_one_is_named(order, tmp_path):
    path = tmp_path / "order.svg"

    assert drawn("order", "--output", str(path)) == ""

    ElementTree.fromstring(path.read_text(encoding="utf-8"))


def test_problems_are_told_as_a_compiler_tells_them(file):
    path = file('{"StartAt": "A",\n "States": {"A": {"Type": "Pass", "Next": "B"}}}')
    err = io.StringIO()

    with pytest.raises(CommandError, match=r"order\.asl\.json: \d error") as raised:
        call_command("workflows_graph", path, stderr=err)

    assert raised.value.returncode == 1
    first = err.getvalue().splitlines()[0]
    assert first.startswith(f"{path}:2:")
    assert ": error: /States/A/Next: " in first
    assert first.endswith(" [MISSING_TRANSITION_TARGET]")


def test_a_file_that_is_no_json_is_refused(file):
    err = io.StringIO()

    with pytest.raises(CommandError, match="1 error"):
        call_command("workflows_graph", file("{"), stderr=err)

    assert ":1:" in err.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "neither a file nor a workflow named 'nothing'"),
        (["order", "--version=9"], "'order' has no version 9"),
        (["order", "--output=/nowhere/at/all.svg"], "/nowhere/at/all.svg: No such file"),
    ],
)
def test_what_cannot_be_done_is_said(order, arguments, message):
    with pytest.raises(CommandError, match=message):
        drawn(*arguments)


def test_a_workflow_without_a_version_cannot_be_drawn(order):
    order.definitions.all().delete()

    with pytest.raises(CommandError, match="has no published version"):
        drawn("order")


def test_a_file_has_no_versions(file):
    with pytest.raises(CommandError, match="A file has no versions"):
        drawn(file(FIRST), "--version=1")
