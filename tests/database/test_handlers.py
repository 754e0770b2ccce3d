"""A resource finds its handler by name; nothing else in a definition runs code."""

import json
import pickle
import uuid

import pytest

from django_workflows import handlers
from django_workflows.handlers import PENDING, TaskContext, TaskError, UnknownResource, resolve
from tests.testapp import workflow_tasks

EXECUTION = uuid.UUID(int=7)
LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function"
INVOKE = "arn:aws:states:::lambda:invoke"


def context(task=5, visit=2):
    return TaskContext(
        execution_id=EXECUTION,
        task=task,
        state="Work",
        resource="echo",
        attempt=0,
        visit=visit,
        _token=lambda: "secret",
        _beat=lambda: None,
    )


@pytest.fixture
def register():
    """`handlers.task`, forgotten after the test."""
    known = dict(handlers._exact), dict(handlers._prefixes)
    yield lambda name, function: handlers.task(name)(function)
    for registry, before in zip((handlers._exact, handlers._prefixes), known, strict=True):
        registry.clear()
        registry.update(before)


def run(resource, input=None):
    return resolve(resource, input).run(context())


def test_the_apps_workflow_tasks_are_found():
    assert "echo" in handlers.names()


@pytest.mark.parametrize(
    "resource",
    [
        "echo",
        f"{LAMBDA}:echo",
        f"{LAMBDA}:echo:7",
        f"{LAMBDA}:echo:$LATEST",
        f"{LAMBDA}:echo:live",
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:echo",
    ],
)
def test_a_name_and_a_lambdas_arn_find_the_handler(resource):
    assert run(resource, {"n": 1}) == {"n": 1}


@pytest.mark.parametrize(
    "function",
    ["echo", "echo:live", f"{LAMBDA}:echo", f"{LAMBDA}:echo:3", "123456789012:function:echo"],
)
def test_lambda_invoke_finds_it_and_wraps_the_result(function):
    result = run(INVOKE, {"FunctionName": function, "Payload": {"n": 1}})

    assert result["Payload"] == {"n": 1}
    assert (result["StatusCode"], result["ExecutedVersion"]) == (200, "$LATEST")
    assert result["SdkHttpMetadata"]["HttpStatusCode"] == 200
    assert result["SdkResponseMetadata"]["RequestId"]


@pytest.mark.parametrize("input", [{}, None, [], {"FunctionName": 7}, {"FunctionName": None}])
def test_lambda_invoke_without_a_function_says_so(input):
    with pytest.raises(TaskError, match="FunctionName: expected the name of a function"):
        resolve(INVOKE, input)


@pytest.mark.parametrize(
    ("parameters", "received"),
    [
        ({}, {}),
        ({"Payload": None}, {}),
        ({"Payload": "0"}, 0),
        ({"Payload": '"x"'}, "x"),
        ({"Payload": '{"n": null}'}, {"n": None}),
        ({"Payload": [1]}, [1]),
        ({"Payload": False}, False),
    ],
)
def test_lambda_invoke_takes_a_payload_as_data_or_as_json_text(parameters, received):
    assert run(INVOKE, {"FunctionName": "echo", **parameters})["Payload"] == received


def test_a_payload_that_is_no_json_text_is_refused_as_by_lambda():
    with pytest.raises(TaskError, match="Could not parse request body into json") as raised:
        resolve(INVOKE, {"FunctionName": "echo", "Payload": "{'n': 1}"})
    assert raised.value.name == "Lambda.InvalidRequestContentException"


def test_lambda_invoke_as_an_event_has_no_result_and_no_error(caplog):
    workflow_tasks.forget()
    for function in ("echo", "decline"):
        result = run(INVOKE, {"FunctionName": function, "InvocationType": "Event", "Payload": 1})
        assert (result["StatusCode"], result["Payload"]) == (202, "")

    assert workflow_tasks.calls == [("echo", 1)]
    assert "went wrong" in caplog.text


def test_lambda_invoke_as_a_dry_run_calls_nobody():
    workflow_tasks.forget()

    assert run(INVOKE, {"FunctionName": "echo", "InvocationType": "DryRun"})["StatusCode"] == 204
    assert workflow_tasks.calls == []


def test_an_unknown_way_to_invoke_is_refused():
    with pytest.raises(TaskError, match='expected RequestResponse, Event or DryRun, found "Evnt"'):
        resolve(INVOKE, {"FunctionName": "echo", "InvocationType": "Evnt"})


def test_a_handler_can_stand_for_a_family_of_resources(register):
    register("arn:aws:states:::sqs:sendMessage", lambda input: "this one")
    register("arn:aws:states:::sqs:send*", lambda input: "shorter")

    assert run("arn:aws:states:::sqs:sendMessage") == "this one"
    assert run("arn:aws:states:::sqs:sendOther") == "shorter"
    assert run("arn:aws:states:::sqs:list") == {"MessageId": "1"}


def test_services_of_aws_are_found_however_they_are_named(register):
    register("arn:aws:states:::aws-sdk:*", lambda input, context: "any")
    register("arn:aws:states:::aws-sdk:s3:*", lambda input: "s3")
    register("arn:aws:states:::aws-sdk:s3:getObject", lambda input: "the object")
    register("arn:aws:states:::glue:startJobRun.sync", lambda input: "done")
    register("arn:aws:states:::http:invoke", lambda input: "fetched")

    assert run("arn:aws:states:::aws-sdk:ec2:list") == "any"
    assert run("arn:aws:states:::aws-sdk:s3:getObjectAcl") == "s3"
    assert run("arn:aws:states:::aws-sdk:s3:getObject") == "the object"
    assert run("arn:aws-cn:states:::aws-sdk:s3:getObject") == "the object"
    assert run("arn:aws:states:::aws-sdk:s3:getObject.waitForTaskToken") is PENDING
    assert run("arn:aws:states:::glue:startJobRun.sync") == "done"
    assert run("arn:aws:states:::http:invoke") == "fetched"
    # It would not wait for the job's end.
    with pytest.raises(UnknownResource, match=r"did you mean '.*startJobRun\.sync'"):
        resolve("arn:aws:states:::glue:startJobRun", {})


@pytest.mark.parametrize(
    ("resource", "input"),
    [
        ("echo.waitForTaskToken", {"n": 1}),
        (f"{INVOKE}.waitForTaskToken", {"FunctionName": "echo", "Payload": {"n": 1}}),
        ("arn:aws:states:::sqs:sendMessage.waitForTaskToken", {"n": 1}),
    ],
)
def test_with_waitfortasktoken_the_handler_is_called_and_its_result_dropped(resource, input):
    workflow_tasks.forget()

    assert run(resource, input) is PENDING
    assert [called for _, called in workflow_tasks.calls] == [{"n": 1}]


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ("ehco", "no handler is registered for 'ehco' (did you mean 'echo'?)"),
        (f"{LAMBDA}:ecoh", "for the Lambda function 'ecoh' (did you mean 'echo'?)"),
        ("zzzzzzzz", "handlers are registered with @task in an app's workflow_tasks module"),
        ("os.system", "no handler is registered for 'os.system'"),
        ("arn:aws:states:::dynamodb:putItem", "no handler is registered for 'arn:aws:states:::dy"),
        ("", "no handler is registered for ''"),
        ("ehco.waitForTaskToken", "did you mean 'echo'?"),
    ],
)
def test_an_unknown_resource_is_an_error_that_helps(resource, message):
    with pytest.raises(UnknownResource) as raised:
        resolve(resource, {})
    assert message in str(raised.value)


def test_an_unknown_function_of_lambda_invoke_is_an_error_that_can_be_caught():
    with pytest.raises(TaskError, match=r"Function not found: ehco; .*did you mean 'echo'") as e:
        resolve(INVOKE, {"FunctionName": "ehco"})
    assert e.value.name == "Lambda.ResourceNotFoundException"


# -- registering -------------------------------------------------------------------------


def test_the_context_is_given_to_those_who_take_it(register):
    register("one", lambda input: input)
    register("two", lambda input, context: context.task)
    register("defaulted", lambda input, context=None: context.task)
    register("own", lambda input, retries=3: retries)
    register("many", lambda *arguments: len(arguments))

    assert [run(name, 0) for name in ("one", "two", "defaulted", "own", "many")] == [0, 5, 5, 3, 2]


def test_one_name_has_one_handler(register):
    with pytest.raises(ValueError, match=r"'echo' is tests\.testapp\.workflow_tasks\.echo already"):
        register("echo", lambda input: None)

    register("echo", workflow_tasks.echo)


async def coroutine(input):
    return input


@pytest.mark.parametrize(
    "function",
    [lambda: None, lambda a, b, c: None, lambda input, *, key: None, coroutine, "echo"],
    ids=["none", "three", "keyword", "coroutine", "text"],
)
def test_what_can_not_be_called_is_refused_when_it_is_registered(register, function):
    with pytest.raises(TypeError, match="the handler 'odd' must"):
        register("odd", function)


@pytest.mark.parametrize("name", ["", "*", "approval", "callback", "a:activity:b"])
def test_some_names_are_taken(register, name):
    with pytest.raises(ValueError, match="can't be the name of a handler"):
        register(name, lambda input: None)


# -- keys and errors ---------------------------------------------------------------------


def test_keys_tell_visits_and_attempts_apart():
    first, retried, next_visit = context(5, 2), context(9, 2), context(14, 11)

    assert first.idempotency_key == retried.idempotency_key != next_visit.idempotency_key
    assert len({first.attempt_key, retried.attempt_key, next_visit.attempt_key}) == 3


def test_a_context_does_not_show_its_token():
    assert "secret" not in repr(context())
    assert context().token == "secret"


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (ValueError("too much"), ("ValueError", "too much")),
        (TaskError("Declined", "card expired"), ("Declined", "card expired")),
        (TaskError("Declined"), ("Declined", "")),
        (KeyError("id"), ("KeyError", "'id'")),
        (Unspeakable(), ("Unspeakable", "the exception's message can't be shown")),
        (ValueError("x" * 40_000), ("ValueError", "x" * 32_768)),
        (TaskError("E" * 300, "c"), ("E" * 256, "c")),
        (TaskError(None, 5), ("None", "5")),
    ],
)
def test_an_exception_becomes_an_error_and_a_cause(raised, error):
    assert handlers.error_of(raised) == error


def test_the_cause_of_a_lambda_functions_error_is_json():
    raised = ValueError('zu viel für "5"')
    fields = {"errorMessage": 'zu viel für "5"', "errorType": "ValueError", "stackTrace": []}

    for resource in (f"{LAMBDA}:echo", INVOKE, f"{INVOKE}.waitForTaskToken"):
        error, cause = handlers.error_of(raised, resource)
        assert (error, json.loads(cause)) == ("ValueError", fields)
    # As recorded: the function's own text with blanks, and none from lambda:invoke.
    assert handlers.error_of(raised, f"{LAMBDA}:echo")[1].startswith('{"errorMessage": "zu')
    assert handlers.error_of(raised, INVOKE)[1].startswith('{"errorMessage":"zu viel für')
    assert handlers.error_of(raised, "echo") == ("ValueError", 'zu viel für "5"')


@pytest.mark.parametrize("text", ["x" * 40_000, "\U0001f600" * 32_000, '"' * 32_768])
def test_a_long_one_is_cut_and_stays_json(text):
    for resource in (f"{LAMBDA}:echo", INVOKE):
        _, cause = handlers.error_of(ValueError(text), resource)
        assert len(cause) <= 32_768
        assert text.startswith(json.loads(cause)["errorMessage"])


def test_pending_stays_itself():
    assert pickle.loads(pickle.dumps(PENDING)) is PENDING
