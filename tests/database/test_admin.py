"""What the admin's pages show, what its forms take, and what its buttons do."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_workflows import asl, engine, models
from tests.workflows import (
    SYSTEM,
    approval,
    as_user,
    at_once,
    call,
    checked,
    drain,
    machine,
    only_task,
    output,
    person,
    published,
    started,
)

pytestmark = pytest.mark.django_db

PASS = machine(A={"Type": "Pass"})
WAIT = machine(Rest={"Type": "Wait", "Seconds": 3600})
NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7|add:7 }}"


@pytest.fixture
def root(client, db):
    user = person("root", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


def at(name, *arguments):
    return reverse(f"admin:django_workflows_{name}", args=arguments)


def page_of(execution):
    return at("execution_change", execution.pk)


def text_of(response):
    assert response.status_code == 200, response
    return response.content.decode()


def said(response):
    """The messages of the page that *response* leads to."""
    return [str(message) for message in response.context["messages"]]


def first(execution, kind):
    return next(event for event in engine.log(execution.pk) if isinstance(event, kind))


# -- publishing --------------------------------------------------------------------------


def save(client, workflow=None, **fields):
    current = None if workflow is None else workflow.current
    data = {
        "name": "order" if workflow is None else workflow.name,
        "definition": json.dumps(PASS),
        "based_on": "" if current is None else current.version,
        **fields,
    }
    address = at("workflow_add") if workflow is None else at("workflow_change", workflow.pk)
    return client.post(address, data, follow=True)


def test_saving_a_workflow_publishes_its_definition(client, root):
    response = save(client, description="Orders", note="the first")

    workflow = models.Workflow.objects.get()
    assert (workflow.name, workflow.description) == ("order", "Orders")
    assert (workflow.current.version, workflow.current.note) == (1, "the first")
    assert workflow.current.created_by == root
    assert "Version 1 of order was published." in said(response)
    assert "order v1" in LogEntry.objects.get().get_change_message()


def test_saving_another_content_publishes_the_next_version(client, root):
    workflow = published(PASS)

    save(client, workflow, definition=json.dumps(WAIT))

    workflow.refresh_from_db()
    assert workflow.current.version == 2
    assert json.loads(workflow.current.source) == WAIT
    assert json.loads(workflow.definitions.get(version=1).source) == PASS


def test_saving_the_same_content_publishes_nothing(client, root):
    workflow = published(PASS)

    response = save(client, workflow, definition=json.dumps(PASS, indent=8), description="New")

    workflow.refresh_from_db()
    assert (workflow.definitions.count(), workflow.description) == (1, "New")
    assert not any("published" in message for message in said(response))


def test_lines_that_end_as_browsers_send_them_change_nothing(client, root):
    workflow = published(json.dumps(PASS, indent=2))

    save(client, workflow, definition=json.dumps(PASS, indent=2).replace("\n", "\r\n") + "\r\n")

    assert workflow.definitions.count() == 1


def test_everything_wrong_with_a_definition_is_said_with_its_place(client, root):
    workflow = published(PASS)
    wrong = """{\r
  "StartAt": "A",\r
  "States": {"A": {"Type": "Pass", "Next": "Nowhere", "X": 1}}\r
}"""

    response = save(client, workflow, definition=wrong, description="not kept")

    text = text_of(response)
    assert "2 things are wrong with the definition" in text
    assert "/States/A/Next" in text and "/States/A/X" in text
    assert re.search(r'data-wf-line="3" data-wf-column="\d+"', text)
    assert "&quot;Nowhere&quot;" in text  # The text is kept.
    workflow.refresh_from_db()
    assert (workflow.description, workflow.definitions.count()) == ("", 1)


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ("", "This field is required"),
        ("{", "line 1, column 2"),
        ("[]", "Definition must be a valid JSON object"),
        ('{"StartAt": "A", "StartAt": "B"}', "StartAt"),
        (" " * 2_000_000, "This field is required|1048576|1,048,576"),
        ("[" * 500 + "]" * 500, "deep|object"),
        ("\x00", "Null characters"),
    ],
)
def test_what_is_no_definition_at_all_is_refused(client, root, definition, says):
    response = save(client, definition=definition)

    assert re.search(says, text_of(response))
    assert not models.Workflow.objects.exists()


def test_a_definition_of_two_mebibytes_is_refused(client, root):
    response = save(client, definition=json.dumps({**PASS, "Comment": "x" * 2_000_000}))

    assert "1,048,576" in text_of(response) or "1048576" in text_of(response)
    assert not models.Workflow.objects.exists()


def test_what_looks_like_a_slip_is_published_with_a_warning(client, root):
    slips = {f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(12)}
    slips = {name: {**state, "Parameters": {"v.$": "$nobody"}} for name, state in slips.items()}
    document = {"StartAt": "S0", "States": {**slips, "S12": {"Type": "Succeed"}}}

    response = save(client, definition=json.dumps(document))

    assert models.Workflow.objects.get().current.version == 1
    warnings = [text for text in said(response) if "nobody" in text]
    assert len(warnings) == 10
    assert "/States/S0 (line 1, column" in warnings[0]
    assert "There are 2 more warnings." in said(response)


def test_a_text_that_began_as_an_older_version_is_refused(client, root):
    workflow = published(PASS)
    stale = {"based_on": 1, "definition": json.dumps(machine(B={"Type": "Succeed"}))}
    workflow.publish(WAIT)

    response = save(client, workflow, **stale)

    assert "Meanwhile version 2 was published" in text_of(response)
    assert workflow.definitions.count() == 2


def test_versions_are_listed_with_who_when_and_why(client, root):
    workflow = published(PASS)
    version = workflow.publish(WAIT, by=root, note="rest a while")

    listed = text_of(client.get(at("workflow_change", workflow.pk)))
    source = text_of(client.get(at("definition_change", version.pk)))

    assert "v2" in listed and "v1" in listed and "rest a while" in listed
    assert "3600" in source and "name=" not in source.split("wf-source")[1]


def test_a_workflow_that_never_ran_can_be_deleted(client, root):
    fresh, used = published(PASS, name="fresh"), published(PASS, name="used")
    engine.start(used, actor=SYSTEM)

    gone = client.post(at("workflow_delete", fresh.pk), {"post": "yes"}, follow=True)
    kept = client.post(at("workflow_delete", used.pk), {"post": "yes"})

    assert "deleted successfully" in said(gone)[0]
    assert kept.status_code == 403
    assert list(models.Workflow.objects.values_list("name", flat=True)) == ["used"]


# -- starting ----------------------------------------------------------------------------


def test_a_workflow_is_started_with_input_name_and_reason(client, root):
    workflow = published(PASS)

    response = client.post(
        at("workflow_start", workflow.pk),
        {"input": '{"order": 7}', "name": "seven", "reason": "by hand"},
    )

    execution = models.Execution.objects.get()
    assert response.url == page_of(execution)
    assert (execution.name, execution.started_by, output(execution)) == (
        "seven",
        root,
        {"order": 7},
    )
    assert engine.log(execution.pk)[0].origin == asl.Origin(
        by="root", reason="by hand", channel="admin"
    )
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (root, str(execution.pk))
    assert "by hand" in entry.get_change_message()


@pytest.mark.parametrize(
    ("input", "says"),
    [
        ('{"a": \n nope}', "line 2, column 2"),
        ('{"a":\n NaN}', "Line 2, column 2: NaN is not a JSON number"),
        ('{"a": 1,\n "a": 2}', "Line 2, column 2: the member &#x27;a&#x27; is there twice"),
        ("[1e400]", "Line 1, column 2"),
        ("[" * 200 + "]" * 200, "nests deeper"),
        (json.dumps("x" * 300 * 1024), "307202 bytes; at most 262144"),
        (f"[{'9' * 5000}]", "Line 1, column 2"),
        ("  ", "Not JSON"),
    ],
)
def test_what_is_no_input_is_said_with_its_place_and_kept(client, root, input, says):
    workflow = published(PASS)

    response = client.post(at("workflow_start", workflow.pk), {"input": input})

    assert says in text_of(response)
    assert not models.Execution.objects.exists()


@pytest.mark.parametrize("input", ["", "null", "7", '"\\u0000"', '"\\ud800"', '{"é": "ß\\u202e"}'])
def test_any_json_is_an_input_and_can_be_shown(client, root, input):
    workflow = published(WAIT)

    response = client.post(at("workflow_start", workflow.pk), {"input": input}, follow=True)

    execution = models.Execution.objects.get()
    assert execution.input == ({} if not input else json.loads(input))
    text_of(response)


def test_the_same_name_starts_once(client, root):
    workflow = published(PASS)
    address = at("workflow_start", workflow.pk)
    client.post(address, {"input": "1", "name": "one"})

    again = client.post(address, {"input": "1", "name": "one"}, follow=True)
    other = client.post(address, {"input": "2", "name": "one"})

    assert "It was started before" in said(again)[-1]
    assert "already, with another input" in text_of(other)
    assert models.Execution.objects.count() == LogEntry.objects.count() == 1


def test_a_workflow_without_a_version_can_not_be_started(client, root):
    workflow = models.Workflow.objects.create(name="empty")

    response = client.post(at("workflow_start", workflow.pk), {"input": "{}"})

    assert "has no version yet" in text_of(response)


def test_who_may_start_but_not_look_stays_where_they_are(client):
    client.force_login(person("starter", "start_execution", is_staff=True))
    workflow = published(PASS)

    response = client.post(at("workflow_start", workflow.pk), {"input": "{}"}, follow=True)

    assert "Started order" in said(response)[0]
    assert models.Execution.objects.get().status == "SUCCEEDED"


# -- the list of executions ----------------------------------------------------------------


def test_executions_are_found_by_name_id_status_and_what_they_wait_for(client, root):
    waiting = started(WAIT, name="alpha")
    ended = started(PASS, name="beta")
    list_of = at("execution_changelist")

    def found(query):
        text = text_of(client.get(f"{list_of}?{query}"))
        return [one.name for one in (waiting, ended) if page_of(one) in text]

    assert found("") == ["alpha", "beta"]
    assert found("q=alp") == ["alpha"]
    assert found(f"q={ended.pk}") == ["beta"]
    assert found(f"q={str(ended.pk)[:8]}") == []
    assert found("status__exact=RUNNING") == ["alpha"]
    assert found("waiting_for__exact=timer") == ["alpha"]
    assert found(f"workflow__id__exact={ended.workflow_id}") == ["beta"]


@pytest.mark.parametrize(
    "query", ["input__contains=a", "output__gt=a", "events__payload__contains=a", "tasks__title=a"]
)
def test_what_is_hidden_is_not_found_by_filtering_on_it(client, root, query):
    started(WAIT)

    response = client.get(f"{at('execution_changelist')}?{query}")

    assert response.status_code == 400


def test_a_status_is_a_sign_and_a_word(client, root):
    started(machine(Go=call("decline")))
    drain()

    text = text_of(client.get(at("execution_changelist")))

    assert "wf-status-failed" in text and "✘" in text and "failed" in text


# -- the page of an execution ----------------------------------------------------------------

EVERYTHING = machine(
    All={
        "Type": "Parallel",
        "Branches": [
            machine(Sign=approval(Title="Order 7", Users=["root"])),
            machine(Ship=call("callback", TimeoutSeconds=7200)),
            machine(Work=call("echo")),
            machine(Rest={"Type": "Wait", "Seconds": 3600}),
            machine(
                Pay=call(
                    "decline",
                    Retry=[
                        {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 600, "MaxAttempts": 2}
                    ],
                )
            ),
        ],
    }
)


@pytest.fixture
def everything(root):
    execution = started(EVERYTHING, {"order": 7})
    pay = execution.tasks.get(state="Pay")
    engine.send(
        execution.pk,
        asl.FailTask(task=pay.seq, error="Declined", cause="the card has expired"),
        actor=SYSTEM,
    )
    return checked(execution)


def test_the_page_says_what_is_awaited(client, everything):
    text = text_of(client.get(page_of(everything)))

    for said_so in (
        "Order 7",
        "asks root",
        "times out in 1 h 59 min",
        "in the queue",
        "goes on in 59 min",
        "tried again in 9 min",
        "attempt 2",
        "Declined",
        "the card has expired",
        'class="wf-bar wf-bar-queued wf-bar-open"',
        'class="wf-bar wf-bar-waiting wf-bar-open"',
        'class="wf-bar wf-bar-retry_delay wf-bar-open"',
        'class="wf-bar wf-bar-running wf-bar-failed"',
        "branch 1",
    ):
        assert said_so in text, said_so


def test_a_button_that_does_nothing_says_why(client, everything):
    client.force_login(person("viewer", "view_execution", is_staff=True))
    text = text_of(client.get(page_of(everything)))

    assert text.count("viewer lacks the permission fail_task") == 2
    assert text.count("viewer lacks the permission finish_waiting") == 2
    assert "viewer lacks the permission stop_execution" in text
    assert f'href="{at("execution_stop", everything.pk)}"' not in text


def test_an_ended_execution_waits_for_nothing(client, root):
    execution = started(PASS, {"order": 7})

    text = text_of(client.get(page_of(execution)))

    assert "Nothing: it has ended." in text
    assert "it has succeeded" in text  # Why it can't be redriven.
    assert "Output" in text


def test_secrets_are_nowhere_on_the_page(client, root):
    token_of = {"Token.$": "$$.Task.Token"}
    execution = started(
        machine(
            Ship=call("callback", Parameters=token_of, Credentials={"RoleArn": "arn:secret-role"})
        )
    )
    token = engine.token_of(only_task(execution))
    seed = engine.log(execution.pk)[0].seed
    again = engine.start(execution.workflow, {"their": token}, actor=SYSTEM)
    assert token in json.dumps(again.input)

    for one in (execution, again):
        addresses = [page_of(one)]
        addresses += [at("execution_event", one.pk, seq) for seq in range(1, one.seq + 1)]
        addresses += [at("execution_start_again", one.pk)]
        addresses += [at("execution_complete_task", one.pk, only_task(one).seq)]
        for address in addresses:
            text = text_of(client.get(address))
            assert token not in text and token.split(".")[-1] not in text, address
            assert seed not in text, address
            assert "secret-role" not in text, address
    assert "wft.(hidden)" in text_of(client.get(page_of(again)))


def test_nothing_that_people_or_workflows_say_is_markup(client, root):
    nasty = NASTY
    workflow = models.Workflow.objects.create(name="order", description=nasty)
    document = machine(
        **{
            nasty[:60]: approval(
                Title=nasty, Instructions=nasty, Users=["root"], Decisions=[nasty], Other=nasty
            )
        }
    )
    workflow.publish(document, note=nasty, by=root)
    failed = started(machine(Go=call("callback")))
    engine.send(
        failed.pk,
        asl.FailTask(task=only_task(failed).seq, error=nasty, cause=nasty),
        actor=as_user(root).because(nasty),
    )
    execution = engine.start(workflow, {nasty: nasty}, actor=as_user(root).because(nasty))
    task = only_task(execution)
    client.post(at("execution_finish_waiting", execution.pk, 1), {"reason": nasty})

    for address in (
        at("workflow_changelist"),
        at("workflow_change", workflow.pk),
        at("workflow_start", workflow.pk),
        at("definition_changelist"),
        at("definition_change", workflow.current_id),
        at("execution_changelist"),
        page_of(execution),
        page_of(failed),
        at("execution_history", failed.pk),
        at("execution_event", failed.pk, 1),
        at("execution_complete_task", execution.pk, task.seq),
        at("execution_start_again", execution.pk),
        at("task_changelist"),
        at("task_change", task.pk),
    ):
        text = text_of(client.get(address))
        assert "<script>alert" not in text, address
        assert "<img src=x" not in text, address
        assert "{{ 7" in text or "7|add" not in text, address


def test_pages_have_nothing_inline(client, everything):
    task = everything.tasks.get(state="Sign")
    for address in (
        page_of(everything),
        at("task_change", task.pk),
        at("task_changelist"),
        at("workflow_start", everything.workflow_id),
        at("workflow_change", everything.workflow_id),
        at("execution_changelist"),
        at("execution_stop", everything.pk),
    ):
        text = text_of(client.get(address))
        assert not re.search(
            r"\son\w+=|\sstyle=|<style|javascript:|https?://(?!www\.w3\.org)", text
        )
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)


def test_a_long_history_is_paged_and_the_timeline_drawn_in_parts(client, root, settings):
    loop = {
        "StartAt": "Turn",
        "States": {
            "Turn": {"Type": "Pass", "Next": "More"},
            "More": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.on", "BooleanEquals": True, "Next": "Rest"}],
                "Default": "Done",
            },
            "Done": {"Type": "Succeed"},
            "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Turn"},
        },
    }
    execution = started(loop, {"on": True}, at=datetime(2026, 1, 1, tzinfo=UTC))
    for _turn in range(150):
        state = engine.load(execution.pk)
        engine.send(execution.pk, asl.FinishWaiting(wait=min(state.waits)), actor=SYSTEM)
    execution = models.Execution.objects.get()
    assert execution.seq > 1000

    newest = text_of(client.get(page_of(execution)))
    oldest = text_of(client.get(page_of(execution) + "?timeline=1&after=900"))

    assert "part 2 of 2" in newest and "part 1 of 2" in oldest
    assert f"{execution.seq} events in all" in newest
    assert at("execution_event", execution.pk, 100) in newest
    assert at("execution_event", execution.pk, 101) + '"' not in newest
    assert at("execution_event", execution.pk, 901) in oldest
    for query in ("?timeline=x&after=-3", "?timeline=99&after=999999999999", "?after=2147483647"):
        text_of(client.get(page_of(execution) + query))


def test_large_events_are_drawn_without_being_read_whole(client, root):
    execution = started(
        machine(A={"Type": "Pass"}, Work=call("callback"), B={"Type": "Pass"}), "x" * 200_000
    )
    engine.send(
        execution.pk,
        asl.CompleteTask(task=only_task(execution).seq, output="y" * 200_000),
        actor=as_user(person("ada", "complete_task")).because("z" * 5000),
    )

    text = text_of(client.get(page_of(execution)))

    # Input and output once each; the events are linked.
    assert len(text) < 500_000
    assert "195.3 KiB" in text or "195.4 KiB" in text
    whole = text_of(client.get(at("execution_event", execution.pk, 2)))
    assert "x" * 200_000 in whole


# -- how many queries --------------------------------------------------------------------


def queries_of(client, address):
    client.get(address)  # What is cached is cached now.
    with CaptureQueriesContext(
        connection,
    ) as queries:
        text_of(client.get(address))
    return len(queries)


def test_lists_take_a_fixed_number_of_queries(client):
    permissions = ["view_execution", "view_workflow", "start_execution"]
    client.force_login(person("viewer", *permissions, is_staff=True, groups=("managers",)))
    document = machine(Sign=approval(Groups=["managers"]))
    lists = [
        "workflow_changelist",
        "execution_changelist",
        "task_changelist",
        "definition_changelist",
    ]
    started(document)
    few = {name: queries_of(client, at(name)) for name in lists}
    for _more in range(5):
        started(document)

    assert {name: queries_of(client, at(name)) for name in lists} == few
    assert max(few.values()) <= 10, few


def test_the_page_of_an_execution_takes_a_fixed_number_of_queries(client):
    permissions = ["view_execution", "finish_waiting", "complete_task", "stop_execution"]
    client.force_login(person("viewer", *permissions, is_staff=True, groups=("managers",)))

    def document(branches):
        some = []
        for number in range(branches):
            some += [
                machine(**{f"Sign{number}": approval(Groups=["managers"])}),
                machine(**{f"Other{number}": approval(Users=["viewer"])}),
                machine(**{f"Ship{number}": call("callback")}),
                machine(**{f"Rest{number}": {"Type": "Wait", "Seconds": 60}}),
            ]
        return machine(All={"Type": "Parallel", "Branches": some})

    small, large = started(document(1)), started(document(12))

    few, many = queries_of(client, page_of(small)), queries_of(client, page_of(large))
    assert few == many
    assert few <= 22


# -- buttons -----------------------------------------------------------------------------


def test_a_wait_is_finished_now(client, root):
    execution = started(WAIT)
    wait = first(execution, asl.WaitStarted).seq

    response = client.post(
        at("execution_finish_waiting", execution.pk, wait), {"reason": "in a hurry"}, follow=True
    )

    assert said(response) == ["Finished the wait of Rest."]
    assert checked(execution).status == "SUCCEEDED"
    assert first(execution, asl.WaitFinished).origin == asl.Origin(
        by="root", reason="in a hurry", channel="admin"
    )
    entry = LogEntry.objects.get()
    assert entry.get_change_message() == "Finished the wait of Rest. in a hurry"
    assert "in a hurry" in text_of(client.get(at("execution_history", execution.pk)))


def test_a_retry_is_made_now(client, everything):
    retry = first(everything, asl.RetryScheduled).seq

    client.post(at("execution_finish_waiting", everything.pk, retry))

    assert checked(everything).tasks.filter(state="Pay").exists()


def test_a_task_is_completed_with_a_result(client, root):
    execution = started(machine(Ship=call("callback")))
    address = at("execution_complete_task", execution.pk, only_task(execution).seq)

    wrong = client.post(address, {"result": "{nope"})
    response = client.post(address, {"result": '{"parcel": 9}', "reason": "by phone"}, follow=True)

    assert "line 1, column 2" in text_of(wrong)
    assert said(response) == ["Completed the task of Ship."]
    assert output(execution) == {"parcel": 9}


def test_a_task_is_failed_with_an_error_and_a_cause(client, root):
    execution = started(machine(Ship=call("callback")))
    address = at("execution_fail_task", execution.pk, only_task(execution).seq)

    nameless = client.post(address, {"cause": "why"})
    client.post(address, {"error": "Lost", "cause": "at sea"})

    assert "This field is required" in text_of(nameless)
    execution = checked(execution)
    assert (execution.status, execution.error, execution.cause) == ("FAILED", "Lost", "at sea")


def test_an_execution_is_stopped_and_redriven(client, root):
    execution = started(WAIT)

    client.post(at("execution_stop", execution.pk), {"reason": "enough"})
    stopped = checked(execution)
    client.post(at("execution_redrive", execution.pk), {"reason": "after all"})

    assert (stopped.status, stopped.cause) == ("ABORTED", "enough")
    assert checked(execution).status == "RUNNING"
    text_of(client.get(page_of(execution)))


def test_starting_again_copies_the_input_secrets_and_all(client, root):
    secret = f"wft.{'a' * 8}.3.{'b' * 43}"
    execution = started(PASS, {"token": secret})

    response = client.post(
        at("execution_start_again", execution.pk), {"name": "again", "reason": "once more"}
    )

    fresh = models.Execution.objects.exclude(pk=execution.pk).get()
    assert response.url == page_of(fresh)
    assert (fresh.name, fresh.input) == ("again", {"token": secret})
    taken = client.post(at("execution_start_again", execution.pk), {"name": "again"})
    assert "There is an execution of this name already" in text_of(taken)


@pytest.mark.parametrize("command", ["complete_task", "fail_task", "finish_waiting", "stop"])
def test_who_is_too_late_is_told_and_nothing_is_written(client, root, command):
    document = WAIT if command == "finish_waiting" else machine(Ship=call("callback"))
    execution = started(document)
    number = execution.seq if command != "stop" else None
    address = at(f"execution_{command}", *filter(None, [execution.pk, number]))
    engine.send(execution.pk, asl.Stop(), actor=SYSTEM)
    before = models.Event.objects.count()

    response = client.post(address, {"result": "1", "error": "Oops"}, follow=True)

    assert response.redirect_chain[0][0] == page_of(execution)
    assert said(response)[0].startswith("Nothing was done, somebody may have been faster")
    assert models.Event.objects.count() == before
    assert not LogEntry.objects.exists()


# -- approvals ---------------------------------------------------------------------------


@pytest.fixture
def asked(client):
    """An approval that asks ada and the managers; grace is one of these."""
    people = {
        "ada": person("ada", is_staff=True),
        "grace": person("grace", is_staff=True, groups=("managers",)),
        "eve": person("eve", "view_execution", is_staff=True, groups=("clerks",)),
    }
    execution = started(
        machine(
            Sign=approval(
                Title="Order 7",
                Instructions="Look\ntwice",
                Users=["ada"],
                Groups=["managers"],
                Decisions=["yes", "no"],
                Amount=1200,
            )
        )
    )
    return execution, only_task(execution), people


def decide(client, task, /, **fields):
    data = {"execution": task.execution_id, "task": task.seq, "comment": "", **fields}
    return client.post(at("task_change", task.pk), data, follow=True)


def test_the_inbox_has_what_asks_me(client, asked):
    _execution, task, people = asked

    for name, sees in (("ada", True), ("grace", True), ("eve", False)):
        client.force_login(people[name])
        index = text_of(client.get(reverse("admin:index")))
        inbox = text_of(client.get(at("task_changelist")))
        assert at("task_changelist") in index
        assert ("Order 7" in inbox) == (at("task_change", task.pk) in inbox) == sees


def test_who_is_asked_reads_everything_and_decides_with_a_comment(client, asked):
    execution, task, people = asked
    client.force_login(people["grace"])

    text = text_of(client.get(at("task_change", task.pk)))
    response = decide(client, task, decision="yes", comment="looked twice")

    for part in ("Order 7", "Look<br>twice", "Amount", "1200", "ada, the group managers"):
        assert part in text
    assert 'value="yes"' in text and 'value="no"' in text
    assert page_of(execution) not in text  # Grace may not see executions.
    assert said(response) == ["You decided “yes” on “Order 7”."]
    assert output(execution)["decision"] == "yes"
    assert first(execution, asl.TaskSucceeded).origin == asl.Origin(
        by="grace", reason="looked twice", channel="admin"
    )
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id) == (people["grace"], str(execution.pk))


@pytest.mark.parametrize("decision", ["", "maybe", "yes\x00", "YES"])
def test_only_what_may_be_decided_is(client, asked, decision):
    execution, task, people = asked
    client.force_login(people["ada"])

    response = decide(client, task, decision=decision, comment="kept")

    assert response.status_code == 200
    assert "kept" in text_of(response)
    assert checked(execution).status == "RUNNING"


def test_the_second_is_told_who_decided_what(client, asked):
    execution, task, people = asked
    engine.decide_approval(task, "no", actor=as_user(people["ada"]))
    client.force_login(people["grace"])

    response = decide(client, task, decision="yes")

    assert re.fullmatch(
        r"Your decision was not taken\. ada decided “no” at .+\.", said(response)[0]
    )
    assert output(execution)["decision"] == "no"
    assert not LogEntry.objects.exists()


def test_an_approval_that_ended_otherwise_says_so(client, asked):
    execution, task, people = asked
    engine.send(execution.pk, asl.Stop(), actor=SYSTEM)
    client.force_login(people["grace"])

    assert "is not asked any more" in said(decide(client, task, decision="yes"))[0]


def test_being_too_late_tells_others_nothing(client, asked):
    _execution, task, people = asked
    client.force_login(people["eve"])
    assert decide(client, task, decision="yes").status_code == 404
    engine.decide_approval(task, "no", actor=as_user(people["ada"]))

    for posted in (
        {},
        {"task": 1},
        {"task": 99},
        {"execution": ""},
        {"execution": "nonsense"},
        {"execution": "00000000-0000-4000-8000-000000000000"},
    ):
        response = decide(client, task, decision="yes", **posted)
        assert response.status_code == 404, posted


def test_a_decision_needs_its_own_approval(client, asked):
    """Naming another execution in the form leads nowhere."""
    execution, _task, people = asked
    other = started(machine(Sign=approval(Users=["eve"], Title="Eve's")))
    client.force_login(people["ada"])

    response = decide(client, only_task(other), decision="approve")

    assert response.status_code == 404
    assert checked(other).status == checked(execution).status == "RUNNING"


def test_the_page_hides_an_approval_from_others(client, asked):
    execution, task, people = asked
    client.force_login(people["eve"])

    text = text_of(client.get(page_of(execution)))

    assert "waits for an approval by others" in text
    assert "(hidden)" in text
    for secret in ("Order 7", "twice", "managers", "1200", "grace"):
        assert secret not in text, secret
    # Neither does it show once it is over.
    engine.decide_approval(task, "no", actor=as_user(people["ada"]))
    assert "Order 7" not in text_of(client.get(page_of(execution)))
    client.force_login(person("judge", "view_execution", "decide_any_approval", is_staff=True))
    assert "Order 7" in text_of(client.get(page_of(execution)))


@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_one_counts(client, asked):
    execution, task, people = asked
    clients = []
    for name in ("ada", "grace"):
        one = Client()
        one.force_login(people[name])
        clients.append(one)

    answers = at_once(
        lambda: decide(clients[0], task, decision="yes"),
        lambda: decide(clients[1], task, decision="no"),
    )

    # Their contexts are mixed up: templates tell every client of the process what they render.
    texts = [text_of(answer) for answer in answers]
    won = ["You decided “" in text for text in texts]
    lost = ["Your decision was not taken. " in text and " decided “" in text for text in texts]
    assert sorted(zip(won, lost, strict=True)) == [(False, True), (True, False)]
    checked(execution)
    assert LogEntry.objects.count() == 1


def test_a_deadline_shows(client, root):
    started(
        machine(Sign=call("approval", Parameters={"Users": ["root"]}, TimeoutSeconds=60)),
        at=timezone.now() - timedelta(seconds=10),
    )

    task = models.Task.objects.get()
    assert re.search("in [45][0-9] s", text_of(client.get(at("task_change", task.pk))))
