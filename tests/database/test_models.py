"""Versions and events are made once and never changed."""

import json

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db import models as db_models

from django_workflows import asl, engine, models
from tests.workflows import SYSTEM, at_once, call, drain, machine, person, published, started

pytestmark = pytest.mark.django_db

ECHO = machine(Work=call("echo"))
OTHER = machine(Work=call("look"))


# -- versions ----------------------------------------------------------------------------


def test_publishing_makes_the_next_version_current():
    workflow = models.Workflow.objects.create(name="order")

    first = workflow.publish(ECHO, note="as it began")
    second = workflow.publish(OTHER, by=person("ada"))

    assert (first.version, second.version) == (1, 2)
    assert first.note == "as it began"
    assert second.created_by.username == "ada"
    assert models.Workflow.objects.get().current == workflow.current == second


def test_publishing_the_same_content_again_changes_nothing():
    workflow = models.Workflow.objects.create(name="order")
    first = workflow.publish(json.dumps(ECHO))

    again = workflow.publish(json.dumps(ECHO, indent=8, sort_keys=True))

    assert again == first
    assert workflow.definitions.count() == 1


def test_going_back_to_earlier_content_is_a_version_of_its_own():
    workflow = models.Workflow.objects.create(name="order")

    versions = [workflow.publish(source).version for source in (ECHO, OTHER, ECHO)]

    assert versions == [1, 2, 3]


def test_the_text_is_kept_as_it_was_entered():
    text = json.dumps(ECHO, indent=7)

    assert published(text).current.source == text


def test_a_text_may_hold_what_no_database_column_takes():
    document = machine(Odd={"Type": "Pass", "Result": "\ud800\x00"})

    definition = published(json.dumps(document, ensure_ascii=False)).current

    assert models.Definition.objects.get(pk=definition.pk).machine.states["Odd"].result == (
        "\ud800\x00"
    )


def test_a_definition_may_come_as_bytes_with_a_byte_order_mark():
    source = b"\xef\xbb\xbf" + json.dumps(ECHO).encode()

    assert published(source).current.source == json.dumps(ECHO)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{", "JSON"),
        ({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Nowhere"}}}, "Nowhere"),
        ('{"Comment": ' + "[" * 500 + "]" * 500 + "}", "deeper"),
        ('{"Comment": "' + "x" * 2_097_152 + '"}', "1048576|1,048,576"),
        ('{"StartAt": "A", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}', "StartAt"),
        ('{"StartAt": "A", "States": {"A": {"Type": "Succeed", "Colour": 1}}}', "Colour"),
    ],
    ids=["no JSON", "no such state", "too deep", "too large", "doubled key", "unknown field"],
)
def test_an_invalid_definition_is_refused_and_nothing_is_stored(source, message):
    workflow = published()

    with pytest.raises(asl.InvalidDefinition, match=message):
        workflow.publish(source)

    assert workflow.definitions.count() == 1
    assert models.Workflow.objects.get().current.version == 1


def test_a_version_is_never_changed():
    definition = published().current

    with pytest.raises(TypeError, match="never changed"):
        definition.save()
    with pytest.raises(TypeError, match="never changed"):
        models.Definition.objects.update(source="{}")


@pytest.mark.django_db(transaction=True)
def test_two_who_publish_at_the_same_time_get_two_versions():
    workflow = models.Workflow.objects.create(name="order")

    def publish(source):
        return lambda: models.Workflow.objects.get(pk=workflow.pk).publish(source).version

    versions = at_once(publish(ECHO), publish(OTHER))

    assert sorted(versions) == [1, 2]


@pytest.mark.parametrize("name", ["a b", "a/b", "", "x" * 81, "a\u0007"])
def test_a_workflows_name_follows_awss_rules(name):
    with pytest.raises(ValidationError):
        models.Workflow(name=name).full_clean()


def test_a_workflow_with_executions_stays():
    execution = started()

    with pytest.raises(db_models.ProtectedError):
        execution.workflow.delete()
    with pytest.raises(db_models.ProtectedError):
        execution.definition.delete()

    execution.delete()
    execution.workflow.delete()
    assert not models.Definition.objects.exists()


def test_a_deleted_user_leaves_versions_and_executions_behind():
    ada = person("ada")
    workflow = models.Workflow.objects.create(name="order")
    workflow.publish(ECHO, by=ada)
    execution = engine.start(workflow, actor=SYSTEM)
    models.Execution.objects.update(started_by=ada)

    ada.delete()

    execution.refresh_from_db()
    assert execution.started_by is None
    assert models.Definition.objects.get().created_by is None


# -- events ------------------------------------------------------------------------------


def test_events_are_never_changed_nor_deleted_one_by_one():
    event = started().events.first()

    for deed in (
        event.save,
        event.delete,
        lambda: models.Event.objects.update(type="Other"),
        lambda: models.Event.objects.filter(seq=1).delete(),
        lambda: models.Event.objects.bulk_update([event], ["type"]),
    ):
        with pytest.raises(TypeError, match=r"(?i)events are never"):
            deed()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE django_workflows_event SET payload = '{}'",
        "UPDATE django_workflows_event SET seq = seq + 100",
        "UPDATE django_workflows_event SET seq = seq",
    ],
)
def test_the_database_itself_refuses_to_change_events(sql):
    execution = started()
    before = engine.log(execution.pk)

    with (
        pytest.raises(DatabaseError, match="events are never changed"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)

    assert engine.log(execution.pk) == before


def test_no_two_events_have_one_number():
    event = started().events.first()

    with pytest.raises(IntegrityError), transaction.atomic():
        models.Event(execution=event.execution, seq=event.seq, type="X", at=event.at).save()


def test_deleting_an_execution_deletes_all_of_it(settings):
    settings.WORKFLOWS = {"SNAPSHOT_EVERY": 1}
    person("ada")
    gone = started(machine(Sign=call("approval", Parameters={"Users": ["ada"]})))
    stays = started()

    gone.delete()

    assert set(models.Event.objects.values_list("execution", flat=True)) == {stays.pk}
    assert set(models.Task.objects.values_list("execution", flat=True)) == {stays.pk}
    assert not models.TaskCandidate.objects.exists()
    assert models.Snapshot.objects.count() == 1


def test_executions_can_be_deleted_by_the_dozen():
    for _ in range(3):
        started()
    drain()

    models.Execution.objects.all().delete()

    assert not models.Event.objects.exists()


def test_every_event_reads_as_it_was_written():
    execution = started(machine(A=call("echo"), B={"Type": "Wait", "Seconds": 5}), {"\x00": 1.5})
    drain()

    for row in execution.events.all():
        assert models.Event.of(execution.pk, row.read()).payload == row.payload


def test_people_see_events_without_their_secrets():
    execution = started(
        machine(Ask=call("callback", Parameters={"token.$": "$$.Task.Token", "n": 1}))
    )
    token = engine.token_of(execution.tasks.get())

    seen = json.dumps([row.public_fields for row in execution.events.all()])

    assert token not in seen
    assert engine.load(execution.pk).seed not in seen
    assert models.HIDDEN_TOKEN in seen
    assert models.without_tokens({"link": [f"/answer?{token}"]}) == {
        "link": [f"/answer?{models.HIDDEN_TOKEN}"]
    }


def test_rows_survive_being_dumped_and_loaded():
    execution = started(input={"n": [1, None, "x"]})
    dumped = serializers.serialize("json", [execution])

    (loaded,) = serializers.deserialize("json", dumped)

    assert loaded.object.input == {"n": [1, None, "x"]}
    assert loaded.object.output is None
