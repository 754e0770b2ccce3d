"""Definitions are files: checked, published where they changed, written out, started."""

import io
import json
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from django_workflows import asl, engine, files, models
from django_workflows.management.commands import workflows_start
from tests.workflows import SYSTEM, call, drain, machine, published

ORDER = {"Comment": "What becomes of an order.", **machine(Work=call("echo"))}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder ``workflows`` of the one app that has one."""
    folder = tmp_path / "workflows"
    folder.mkdir()
    monkeypatch.setattr(
        "django.apps.apps.get_app_config",
        lambda label: type("Config", (), {"path": str(tmp_path if label == "testapp" else "/")}),
    )
    monkeypatch.setattr(
        "django.apps.apps.get_app_configs",
        lambda: [type("Config", (), {"path": str(tmp_path)})],
    )
    return folder


def write(path: Path, document) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document, indent=2))
    return path


def run(command, *arguments, **options):
    """What the command wrote to its output."""
    output = io.StringIO()
    call_command(command, *map(str, arguments), stdout=output, stderr=io.StringIO(), **options)
    return output.getvalue()


def refused(command, *arguments, **options):
    """The output, and what the command says at its end, which isn't a good one."""
    output, errors = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command(command, *map(str, arguments), stdout=output, stderr=errors, **options)
    assert refusal.value.returncode == 1
    return output.getvalue() + errors.getvalue(), str(refusal.value)


# -- workflows_validate --------------------------------------------------------------------


def test_a_good_definition_has_nothing_said_of_it(tmp_path):
    assert run("workflows_validate", write(tmp_path / "order.asl.json", ORDER)) == ""


def test_problems_are_said_as_a_compiler_does(tmp_path):
    text = '{\n  "StartAt": "A",\n  "States": {\n    "A": {"Type": "Pass", "Next": "B"}\n  }\n}'
    path = write(tmp_path / "order.asl.json", text)

    output, message = refused("workflows_validate", path)

    assert f"{path}:4:35: MISSING_TRANSITION_TARGET: " in output
    assert "[/States/A/Next]" in output
    assert "in 1 file(s)" in message


def test_what_is_no_json_has_a_place_too(tmp_path):
    path = write(tmp_path / "order.asl.json", '{\n  "StartAt" "A"\n}')

    output, _ = refused("workflows_validate", path)

    assert output.startswith(f"{path}:2:13: INVALID_JSON_DESCRIPTION: ")


WARNED = machine(Work=call("echo", Parameters={"a": "$.a"}))


def test_warnings_are_errors_only_where_that_is_asked(tmp_path):
    path = write(tmp_path / "order.asl.json", WARNED)

    output = run("workflows_validate", path)
    assert ": warning: " in output

    assert refused("workflows_validate", "--strict", path) == (
        output,
        "0 error(s), 1 warning(s) in 1 file(s)",
    )


def test_by_default_the_files_of_all_apps_are_checked(folder):
    write(folder / "bad.asl.json", "{}")
    write(folder / "notes.txt", "no definition")

    output, message = refused("workflows_validate")

    assert output.startswith(f"{folder / 'bad.asl.json'}:1:1: ")
    assert message.endswith("in 1 file(s)")


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    assert "No such file" in refused("workflows_validate", tmp_path / "none.asl.json")[1]


# -- YAML ----------------------------------------------------------------------------------

YAML = """\
Comment: An order
StartAt: Work
x-retry: &retry
  - ErrorEquals: [Busy]
States:
  Work:
    Type: Task
    Resource: echo
    Retry: *retry
    Parameters: {until: 2026-01-01, no: no, n: 1, f: 1.5, s: "1", t: !!str 1, e: 1e3,
                 nothing: null, is: true}
    End: true
"""


def test_yaml_is_json_in_another_dress(tmp_path):
    path = write(tmp_path / "order.asl.yaml", YAML.replace("x-retry", "Comment2"))

    state = files.read(path).source["States"]["Work"]

    assert state["Retry"] == [{"ErrorEquals": ["Busy"]}]
    assert state["Parameters"] == {
        "until": "2026-01-01",
        "no": "no",
        "n": 1,
        "f": 1.5,
        "s": "1",
        "t": "1",
        "e": 1000.0,
        "nothing": None,
        "is": True,
    }


def test_problems_in_yaml_have_their_lines(tmp_path):
    text = "StartAt: Work\nStates:\n  Work:\n    Type: Task\n    End: true\n    Next: Other\n"
    path = write(tmp_path / "order.asl.yml", text)

    output, _ = refused("workflows_validate", path)

    assert f"{path}:3:3: " in output  # Resource is missing
    assert "[/States/Work]" in output


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: [1", "1:6", "expected"),
        ("a: 1\na: 2\n", "2:1", "the member 'a' is there twice"),
        ("a: &a\n  b: *a\n", "1:4", "an alias stands inside of what it names"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", "3:3", "merge keys"),
        ("a: !!python/name:os.system x\n", "1:4", "is not JSON"),
        ("a: !Ref x\n", "1:4", "is not JSON"),
        ("a: !Ref [x]\n", "1:4", "is not JSON"),
        ("? [1]\n: 2\n", "1:3", "a member's name must be a text"),
        ("", "1:1", "the file is empty"),
        ("a: 1\n---\nb: 2\n", "", "document"),
        ("a: \x01", "1:1", "this is no YAML"),
    ],
)
def test_what_is_no_yaml_or_no_json_is_said(tmp_path, text, place, message):
    path = write(tmp_path / "order.asl.yaml", text)

    output, _ = refused("workflows_validate", path)

    assert output.startswith(f"{path}:{place}")
    assert message in output


def test_without_pyyaml_yaml_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    path = write(tmp_path / "order.asl.yaml", YAML)

    assert "pip install 'django-asl-workflows[yaml]'" in refused("workflows_validate", path)[1]


# -- workflows_load ------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_file_becomes_a_workflow_and_a_changed_one_its_next_version(folder):
    path = write(folder / "order.asl.json", ORDER)

    assert run("workflows_load") == "order: version 1\n1 changed, 0 unchanged\n"
    workflow = models.Workflow.objects.get(name="order")
    assert workflow.description == "What becomes of an order."
    assert workflow.current.source == path.read_text()

    assert run("workflows_load") == "0 changed, 1 unchanged\n"
    path.write_text(json.dumps(ORDER))
    assert run("workflows_load") == "0 changed, 1 unchanged\n"

    write(path, {**ORDER, "Comment": "Orders.", "TimeoutSeconds": 60})
    assert run("workflows_load") == "order: version 2\n1 changed, 0 unchanged\n"
    workflow.refresh_from_db()
    assert workflow.description == "Orders."
    assert workflow.definitions.count() == 2


@pytest.mark.django_db
def test_a_description_that_people_wrote_stays(folder):
    path = write(folder / "order.asl.json", ORDER)
    run("workflows_load")
    models.Workflow.objects.update(description="Ours")

    write(path, {**ORDER, "Comment": "Orders."})
    run("workflows_load")

    assert models.Workflow.objects.get().description == "Ours"


@pytest.mark.django_db
def test_a_check_lists_what_would_change_and_changes_nothing(folder):
    published(ORDER, name="same")
    published(machine(Other=call("echo")), name="changed")
    for name in ("same", "changed", "fresh"):
        write(folder / f"{name}.asl.json", ORDER)

    output, message = refused("workflows_load", "--check")

    assert output == (
        f"changed: differs from version 1, from {folder / 'changed.asl.json'}\n"
        f"fresh: new, from {folder / 'fresh.asl.json'}\n"
    )
    assert message == "2 of 3 workflow(s) would change"
    assert models.Workflow.objects.count() == models.Definition.objects.count() == 2

    run("workflows_load")
    assert run("workflows_load", "--check") == "0 changed, 3 unchanged\n"


@pytest.mark.django_db
def test_nothing_is_written_where_one_of_the_files_is_bad(folder):
    write(folder / "a.asl.json", ORDER)
    bad = write(folder / "b.asl.json", "{}")

    output, message = refused("workflows_load")

    assert output.startswith(f"{bad}:1:1: SCHEMA_VALIDATION_FAILED: ")
    assert message.startswith("nothing was published: ")
    assert not models.Workflow.objects.exists()


@pytest.mark.django_db
def test_single_workflows_and_single_apps_may_be_loaded(folder):
    write(folder / "a.asl.json", ORDER)
    write(folder / "b.asl.yaml", "StartAt: A\nStates: {A: {Type: Succeed}}\n")

    run("workflows_load", "b", "--app", "testapp")

    assert [one.name for one in models.Workflow.objects.all()] == ["b"]
    assert models.Workflow.objects.get().current.machine.start_at == "A"
    assert run("workflows_load", "--app", "auth") == "0 changed, 0 unchanged\n"


@pytest.mark.django_db
def test_what_is_not_there_is_not_loaded(folder, monkeypatch):
    write(folder / "order.asl.json", ORDER)

    assert refused("workflows_load", "odrer")[1] == (
        "no file defines a workflow 'odrer' (did you mean 'order'?)"
    )
    write(folder / "order.asl.yaml", YAML)
    assert refused("workflows_load")[1].startswith("two files define 'order': ")
    (folder / "order.asl.yaml").rename(folder / "two words.asl.json")
    assert "can't be a workflow's name" in refused("workflows_load")[1]
    monkeypatch.undo()
    assert "No installed app with label 'shop'" in refused("workflows_load", "--app", "shop")[1]


# -- workflows_export ----------------------------------------------------------------------


@pytest.mark.django_db
def test_a_version_is_written_as_it_was_published(tmp_path):
    workflow = published(ORDER)
    workflow.publish('{"StartAt": "Ä",  "States": {"Ä": {"Type": "Succeed"}}}')
    second = workflow.current.source

    assert run("workflows_export", "order") == second + "\n"
    assert json.loads(run("workflows_export", "order", "--version", 1)) == ORDER
    path = tmp_path / "order.asl.json"
    assert run("workflows_export", "order", "--output", path) == ""
    assert path.read_text(encoding="utf-8") == second + "\n"


@pytest.mark.django_db
def test_what_is_not_there_is_not_written(tmp_path):
    published(ORDER)
    models.Workflow.objects.create(name="empty")

    for arguments, message in [
        (["ordr"], "there is no workflow 'ordr' (did you mean 'order'?)"),
        (["order", "--version", 7], "the workflow 'order' has no version 7"),
        (["empty"], "the workflow 'empty' has no version yet"),
        (["order", "--output", tmp_path], f"{tmp_path}: Is a directory"),
    ]:
        assert refused("workflows_export", *arguments)[1] == message


# -- workflows_start -----------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("way", ["text", "file", "standard input"])
def test_an_execution_is_started_by_the_system(way, tmp_path, monkeypatch):
    published(ORDER)
    text = '{"n": 1}'
    given = {"text": text, "file": f"@{write(tmp_path / 'input.json', text)}"}.get(way, "-")
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    output = run("workflows_start", "order", "--input", given, "--name", "first")

    execution = models.Execution.objects.get(name="first")
    assert output == f"{execution.pk}\n"
    assert execution.input == {"n": 1}
    assert engine.log(execution.pk)[0].origin == asl.Origin(channel="command")
    assert run("workflows_start", "order", "--input", text, "--name", "first") == output


@pytest.mark.django_db
def test_the_end_may_be_waited_for(monkeypatch):
    published(machine(Work=call("echo")), name="good")
    published(machine(Work=call("decline")), name="bad")
    monkeypatch.setattr(workflows_start.time, "sleep", lambda seconds: drain())

    assert run("workflows_start", "good", "--input", "[1]", "--wait").endswith("\n[1]\n")
    assert refused("workflows_start", "bad", "--wait")[1] == (
        "FAILED: Declined: the card has expired"
    )


@pytest.mark.django_db
def test_what_cannot_be_started_is_said(tmp_path):
    engine.start(published(ORDER), {}, actor=SYSTEM, name="first")
    models.Workflow.objects.create(name="empty")

    for arguments, message in [
        (["odrer"], "there is no workflow 'odrer' (did you mean 'order'?)"),
        (["empty"], "the workflow empty has no version yet"),
        (["order", "--input", "{"], "--input: "),
        (["order", "--input", "@none.json"], "none.json: No such file or directory"),
        (["order", "--name", "two words"], "name: use 1 to 80 characters"),
        (["order", "--name", "first", "--input", "1"], "another input"),
    ]:
        assert message in refused("workflows_start", *arguments)[1]
    assert models.Execution.objects.count() == 1
