"""Whatever is sent to the API: a clear refusal, never a 5xx, nothing half-written."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import signing
from rest_framework.test import APIClient

from django_workflows import conf, engine, models
from django_workflows.api.parsers import max_body_bytes
from tests.api import EVERYTHING, client, post, problem, task_url, url
from tests.workflows import SYSTEM, approval, call, checked, machine, person, published, started

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(db):
    return client(person("ada", *EVERYTHING))


def writes(execution):
    """Every endpoint that takes a body."""
    return [
        url("executions"),
        url("commands", execution.pk),
        task_url("decide", execution, 3),
        url("token-succeed"),
        url("token-fail"),
        url("token-heartbeat"),
    ]


def asking():
    return started(machine(Sign=approval(Users=["ada"])))


# -- what is no JSON -----------------------------------------------------------------------

NO_JSON = {
    "nothing but a brace": "{",
    "a text": "hello",
    "single quotes": "{'a': 1}",
    "a comma too many": '{"a": 1,}',
    "a comment": '{"a": 1} // one',
    "NaN": '{"input": NaN}',
    "Infinity": '{"input": -Infinity}',
    "1e400": '{"input": 1e400}',
    "too many digits": '{"input": ' + "9" * 5_000 + "}",
    "a member twice": '{"input": 1, "input": 2}',
    "a member twice deep inside": '{"input": [{"a": 1, "a": 1}]}',
    "deep": '{"input": ' + "[" * 200 + "]" * 200 + "}",
    "very deep": "[" * 100_000,
    "very deep objects": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "Latin-1": '{"input": "é"}'.encode("latin-1"),
    "UTF-16": '{"input": 1}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"input": 1}',
    "an encoded surrogate": b'{"input": "\xed\xa0\x80"}',
    "a control character": '{"input": "\n"}',
    "a bare NUL": '{"input": "\x00"}',
}


@pytest.mark.parametrize("text", NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_json_is_refused(api, text):
    execution = asking()

    for address in writes(execution):
        problem(post(api, address, text), 400, "invalid_json")

    assert checked(execution).seq == 3
    assert models.Execution.objects.count() == 1


def test_the_place_of_a_mistake_is_told(api):
    body = problem(post(api, url("executions"), '{\n "a": tru\n}'), 400, "invalid_json")

    assert body["detail"] == "not JSON: Expecting value at line 2, column 7"


def test_another_charset_in_the_header_changes_nothing(api):
    published(name="order")

    response = api.post(
        url("executions"),
        '{"workflow": "order", "input": "é"}'.encode(),
        content_type="application/json; charset=bz2_codec",
    )

    assert response.status_code == 201
    assert models.Execution.objects.get().input == "é"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_other_kinds_of_bodies_are_refused(api, content_type):
    execution = asking()

    for address in writes(execution):
        response = api.generic("POST", address, "workflow=order", content_type=content_type)
        problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/xml", "image/png;q=x", "application/json; indent=9", "\x00"],
)
def test_the_answer_is_json_whatever_is_accepted(api, accept):
    response = api.get(url("executions"), HTTP_ACCEPT=accept)

    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"


def test_a_form_that_breaks_off_is_refused_before_its_csrf_token_is_found(db):
    api = APIClient(enforce_csrf_checks=True, raise_request_exception=False)
    api.force_login(person("ada", *EVERYTHING))

    response = api.generic(
        "POST",
        url("executions"),
        "--x\r\nContent-Disposition: form-data",
        content_type="multipart/form-data; boundary=" + "é" * 300,
    )

    assert response.status_code in (400, 403)
    assert response["Content-Type"] == "application/problem+json"


# -- what is too large ---------------------------------------------------------------------


def test_a_body_that_is_too_large_is_not_even_read(api):
    execution = asking()
    text = json.dumps({"workflow": "order", "input": "x" * max_body_bytes()})

    for address in writes(execution):
        problem(post(api, address, text), 413, "body_too_large")

    assert models.Execution.objects.count() == 1


def test_an_input_of_300_kib_is_refused_with_its_size(api):
    published(name="order")
    size = 300 * 1024

    body = problem(
        post(api, url("executions"), json.dumps({"workflow": "order", "input": "x" * (size - 2)})),
        400,
        "invalid_request",
    )

    assert body["errors"] == [
        {
            "pointer": "/input",
            "code": "invalid_value",
            "detail": f"{size} bytes of JSON; at most 262144 are allowed",
        }
    ]
    assert not models.Execution.objects.exists()


def test_the_largest_input_is_taken_however_it_is_written(api):
    workflow = published(name="order")
    value = "ж" * ((conf.current().payload_bytes - 2) // 2)

    for ascii_only in (True, False):
        text = json.dumps({"workflow": workflow.name, "input": value}, ensure_ascii=ascii_only)
        assert post(api, url("executions"), text.encode()).status_code == 201


# -- what is JSON and still wrong ----------------------------------------------------------

WRONG_STARTS = [
    ({}, "/workflow", "required"),
    ([], "", "invalid"),
    ("order", "", "invalid"),
    (None, "", "null"),
    (7, "", "invalid"),
    ({"workflow": None}, "/workflow", "null"),
    ({"workflow": ""}, "/workflow", "blank"),
    ({"workflow": 7}, "/workflow", "invalid"),
    ({"workflow": True}, "/workflow", "invalid"),
    ({"workflow": ["order"]}, "/workflow", "invalid"),
    ({"workflow": " order"}, "/workflow", "unknown_workflow"),
    ({"workflow": "\x00"}, "/workflow", "null_characters_not_allowed"),
    ({"workflow": "\ud800"}, "/workflow", "surrogate_characters_not_allowed"),
    ({"workflow": "x" * 1_000}, "/workflow", "unknown_workflow"),
    ({"workflow": "order", "name": 7}, "/name", "invalid"),
    ({"workflow": "order", "name": ""}, "/name", "blank"),
    ({"workflow": "order", "name": "a b"}, "/name", "invalid_name"),
    ({"workflow": "order", "name": "x" * 81}, "/name", "invalid_name"),
    ({"workflow": "order", "name": "\x00"}, "/name", "invalid_name"),
    ({"workflow": "order", "name": "\ud800"}, "/name", "invalid_name"),
    ({"workflow": "order", "reason": {}}, "/reason", "invalid"),
    ({"workflow": "order", "reason": "x" * 2_001}, "/reason", "max_length"),
    ({"workflow": "order", "inptu": {}}, "/inptu", "unknown_field"),
    ({"workflow": "order", "a/b~c": {}}, "/a~1b~0c", "unknown_field"),
    ({"workflow": "order", "": {}}, "/", "unknown_field"),
    ({"workflow": "order", "\ud800": {}}, "/\ud800", "unknown_field"),
]


@pytest.mark.parametrize(("body", "pointer", "code"), WRONG_STARTS)
def test_a_wrong_start_is_told_where_and_why(api, body, pointer, code):
    published(name="order")

    found = problem(post(api, url("executions"), json.dumps(body)), 400, "invalid_request")

    assert [(error["pointer"], error["code"]) for error in found["errors"]] == [(pointer, code)]
    assert not models.Execution.objects.exists()


def test_all_that_is_wrong_is_told_at_once(api):
    body = {"name": 7, "inptu": 1, "reason": 2}

    found = problem(post(api, url("executions"), json.dumps(body)), 400, "invalid_request")

    assert {error["pointer"] for error in found["errors"]} == {
        *("/workflow", "/name", "/inptu", "/reason"),
    }
    (inptu,) = (error for error in found["errors"] if error["pointer"] == "/inptu")
    assert inptu["detail"] == "There is no such field (did you mean 'input'?)"


WRONG_COMMANDS = [
    ({}, "/command", "required"),
    ([], "", "invalid"),
    (None, "", "invalid"),
    ({"command": None}, "/command", "required"),
    ({"command": "wake"}, "/command", "invalid_choice"),
    ({"command": ["stop"]}, "/command", "invalid_choice"),
    ({"command": {"stop": 1}}, "/command", "invalid_choice"),
    ({"command": "complete_task", "output": 1}, "/task", "required"),
    ({"command": "complete_task", "task": 3}, "/output", "required"),
    ({"command": "complete_task", "task": "3", "output": 1}, "/task", "invalid"),
    ({"command": "complete_task", "task": 3.0, "output": 1}, "/task", "invalid"),
    ({"command": "complete_task", "task": True, "output": 1}, "/task", "invalid"),
    ({"command": "complete_task", "task": None, "output": 1}, "/task", "null"),
    ({"command": "complete_task", "task": [3], "output": 1}, "/task", "invalid"),
    ({"command": "complete_task", "task": 0, "output": 1}, "/task", "min_value"),
    ({"command": "complete_task", "task": -3, "output": 1}, "/task", "min_value"),
    ({"command": "complete_task", "task": 10**300, "output": 1}, "/task", "max_value"),
    ({"command": "complete_task", "task": 3, "output": 1, "error": "x"}, "/error", "unknown_field"),
    ({"command": "fail_task", "task": 3, "error": 7}, "/error", "invalid"),
    ({"command": "fail_task", "task": 3, "error": "x" * 257}, "/error", "max_length"),
    ({"command": "fail_task", "task": 3, "cause": "x" * 32_769}, "/cause", "max_length"),
    ({"command": "heartbeat", "task": 3, "output": 1}, "/output", "unknown_field"),
    ({"command": "finish_waiting", "wait": "3"}, "/wait", "invalid"),
    ({"command": "finish_waiting", "task": 3}, "/task", "unknown_field"),
    ({"command": "stop", "at": "2026-03-01T12:00:00Z"}, "/at", "unknown_field"),
    ({"command": "stop", "origin": {"by": "root"}}, "/origin", "unknown_field"),
]


@pytest.mark.parametrize(("body", "pointer", "code"), WRONG_COMMANDS)
def test_a_wrong_command_is_told_where_and_why(api, body, pointer, code):
    execution = started(machine(Work=call("later")))

    found = problem(
        post(api, url("commands", execution.pk), json.dumps(body)), 400, "invalid_request"
    )

    assert (pointer, code) in [(error["pointer"], error["code"]) for error in found["errors"]]
    assert checked(execution).seq == 3


@pytest.mark.parametrize("number", [2, 4, 17, 2**31 - 1])
def test_a_task_that_never_was_is_not_pending(api, number):
    execution = started(machine(Work=call("later")))

    for body in (
        {"command": "complete_task", "task": number, "output": 1},
        {"command": "finish_waiting", "wait": number},
    ):
        problem(post(api, url("commands", execution.pk), json.dumps(body)), 409, "not_pending")


@pytest.mark.parametrize(
    "text", ["\x00", "\ud800", "a\u2028b", "x" * 2_000, "", None], ids=lambda text: ascii(text)[:9]
)
def test_texts_of_people_and_machines_may_hold_anything(api, text):
    execution = started(machine(Work=call("later", TimeoutSeconds=60)))
    error = text and text[:256]
    body = {"command": "fail_task", "task": 3, "error": error, "cause": text, "reason": text}

    response = post(api, url("commands", execution.pk), json.dumps(body))

    assert response.status_code == 200
    assert response.json()["events"][0].get("cause") == text
    assert checked(execution).status == "FAILED"
    assert api.get(url("execution", execution.pk)).status_code == 200
    assert api.get(url("events", execution.pk)).status_code == 200
    assert api.get(url("executions")).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/decision", "required"),
        ([], "", "invalid"),
        ({"decision": None}, "/decision", "null"),
        ({"decision": True}, "/decision", "invalid"),
        ({"decision": ["approve"]}, "/decision", "invalid"),
        ({"decision": ""}, "/decision", "blank"),
        ({"decision": "\ud800"}, "/decision", "invalid_value"),
        ({"decision": "approve", "comment": 7}, "/comment", "invalid"),
        ({"decision": "approve", "comment": None}, "/comment", "null"),
        ({"decision": "approve", "by": "root"}, "/by", "unknown_field"),
    ],
)
def test_a_wrong_decision_is_told_where_and_why(api, body, pointer, code):
    execution = asking()

    found = problem(
        post(api, task_url("decide", execution, 3), json.dumps(body)), 400, "invalid_request"
    )

    assert (pointer, code) in [(error["pointer"], error["code"]) for error in found["errors"]]
    assert checked(execution).seq == 3


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/token", "required"),
        ([], "", "invalid"),
        ({"token": None}, "/token", "null"),
        ({"token": 7}, "/token", "invalid"),
        ({"token": ["wft"]}, "/token", "invalid"),
        ({"token": "x" * 2_001}, "/token", "max_length"),
        ({"token": "x", "task": 3}, "/task", "unknown_field"),
    ],
)
@pytest.mark.parametrize("how", ["succeed", "fail", "heartbeat"])
def test_a_wrong_answer_by_token_is_told_where_and_why(how, body, pointer, code):
    found = problem(post(client(), url(f"token-{how}"), json.dumps(body)), 400, "invalid_request")

    assert (pointer, code) in [(error["pointer"], error["code"]) for error in found["errors"]]


# -- addresses and queries -----------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "x",
        "7",
        "00000000-0000-0000-0000-000000000000",
        "{00000000-0000-0000-0000-000000000000}",
        "\x00",
        "%ff",
        "é",
        "'; DROP TABLE",
        "9" * 500,
    ],
)
def test_what_names_no_execution_is_not_found(api, key):
    for name in ("execution", "events"):
        problem(api.get(url(name, key)), 404, "not_found")
    problem(post(api, url("commands", key), '{"command": "stop"}'), 404, "not_found")


def test_an_execution_has_one_address(api):
    execution = asking()

    for other in (str(execution.pk).upper(), execution.pk.hex, f"urn:uuid:{execution.pk}"):
        if other != str(execution.pk):
            problem(api.get(url("execution", other)), 404, "not_found")


@pytest.mark.parametrize(
    "suffix", ["", ".", ".x", ".-3", ".03x", ".3.3", ".٣", ".2", ".4", "." + "9" * 30, "\x00.3"]
)
def test_what_names_no_task_is_not_found(api, suffix):
    execution = asking()

    problem(api.get(url("task", f"{execution.pk}{suffix}")), 404, "not_found")
    response = post(api, url("decide", f"{execution.pk}{suffix}"), '{"decision": "approve"}')
    problem(response, 404, "not_found")


WRONG_QUERIES = [
    ("executions", {"limit": "0"}, "limit", "min_value"),
    ("executions", {"limit": "201"}, "limit", "max_value"),
    ("executions", {"limit": "many"}, "limit", "invalid"),
    ("executions", {"limit": "9" * 2_000}, "limit", "max_string_length"),
    ("executions", {"limit": ["1", "2"]}, "limit", "repeated"),
    ("executions", {"status": "running"}, "status", "invalid_choice"),
    ("executions", {"waiting_for": "godot"}, "waiting_for", "invalid_choice"),
    ("executions", {"workflow": "\x00"}, "workflow", "null_characters_not_allowed"),
    ("executions", {"stauts": "FAILED"}, "stauts", "unknown_field"),
    ("executions", {"cursor": "x"}, "cursor", "invalid_cursor"),
    ("executions", {"cursor": "\x00"}, "cursor", "null_characters_not_allowed"),
    ("executions", {"cursor": "x" * 2_000}, "cursor", "max_length"),
    ("events", {"after": "-1"}, "after", "min_value"),
    ("events", {"after": str(2**31)}, "after", "max_value"),
    ("events", {"after": "first"}, "after", "invalid"),
    ("events", {"limit": "501"}, "limit", "max_value"),
    ("events", {"cursor": "x"}, "cursor", "unknown_field"),
    ("tasks", {"limit": "0"}, "limit", "min_value"),
    ("tasks", {"cursor": "e30:x"}, "cursor", "invalid_cursor"),
    ("tasks", {"status": "RUNNING"}, "status", "unknown_field"),
]


@pytest.mark.parametrize(("name", "query", "parameter", "code"), WRONG_QUERIES)
def test_a_wrong_query_is_told_where_and_why(api, name, query, parameter, code):
    execution = asking()
    address = url(name, *([execution.pk] if name == "events" else []))

    found = problem(api.get(address, query), 400, "invalid_request")

    assert [(error["parameter"], error["code"]) for error in found["errors"]] == [(parameter, code)]


def test_a_cursor_that_was_tampered_with_or_is_another_lists_is_refused(api):
    workflow = published(machine(Sign=approval(Users=["ada"])))
    for _ in range(3):
        engine.start(workflow, actor=SYSTEM)
    executions = cursor_of(api, "executions")
    tasks = cursor_of(api, "tasks")
    value, _, signature = executions.rpartition(":")
    ours = signing.Signer(salt="something else").sign_object(["0001-01-01T00:00:00Z", "7"])

    for name, cursor in (
        ("executions", tasks),
        ("tasks", executions),
        ("executions", value),
        ("executions", f"{value[:-1]}:{signature}"),
        ("executions", f"{value}:{signature[:-1]}"),
        ("executions", f"{value}é:{signature}"),
        ("executions", ours),
        ("tasks", ours),
    ):
        found = problem(api.get(url(name), {"cursor": cursor}), 400, "invalid_request")
        assert found["errors"][0]["code"] == "invalid_cursor"


def cursor_of(api, name):
    following = api.get(url(name), {"limit": 1}).json()["next"]
    return parse_qs(urlsplit(following).query)["cursor"][0]
