"""The handlers that the tests' definitions name."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import Any

from django_workflows.handlers import PENDING, TaskContext, TaskError, task

#: What was called with what, in order; a test that looks at it clears it first.
calls: list[tuple[str, Any]] = []
contexts: list[TaskContext] = []
#: How often `flaky` was called with each key.
_tries: Counter[str] = Counter()


def forget() -> None:
    calls.clear()
    contexts.clear()
    _tries.clear()


@task("echo")
def echo(input):
    calls.append(("echo", input))
    return input


@task("look")
def look(input, context):
    contexts.append(context)
    return {"key": context.idempotency_key, "attempt": context.attempt_key}


@task("later")
def later(input, context):
    contexts.append(context)
    return PENDING


@task("decline")
def decline(input):
    raise TaskError("Declined", "the card has expired")


@task("divide")
def divide(input):
    return 1 / input["by"]


@task("flaky")
def flaky(input, context):
    """Fails as often as the input says, and then succeeds."""
    contexts.append(context)
    _tries[context.idempotency_key] += 1
    if _tries[context.idempotency_key] <= input["failures"]:
        raise ConnectionError("no answer")
    return _tries[context.idempotency_key]


@task("nonsense")
def nonsense(input):
    return {"when": object()}


@task("not_a_number")
def not_a_number(input):
    return {"rate": float("nan")}


@task("leave")
def leave(input):
    raise SystemExit("I am going")


@task("never")
def never(input):
    """Never returns; the queue's timeout strikes."""
    from django_q.exceptions import TimeoutException

    raise TimeoutException("Task exceeded maximum timeout value (30 seconds)")


@task("sleep")
def sleep(input):
    time.sleep(input["seconds"])
    return input


@task("beat")
def beat(input, context):
    contexts.append(context)
    context.heartbeat()
    return "alive"


@task("huge")
def huge(input):
    return "x" * 300_000


@task("arn:aws:states:::sqs:*")
def queue(input, context):
    calls.append((context.resource, input))
    return {"MessageId": "1"}


@task("record")
def record(input, context):
    """Leaves a line in a file, for tests whose handlers run in other processes."""
    with open(os.environ["RECORD_CALLS_IN"], "a") as calls_of_all:
        calls_of_all.write(f"{context.attempt_key}\n")
    time.sleep(0.01)
    return input


@task("hang")
def hang(input):
    while True:
        time.sleep(60)


@task("crash")
def crash(input):
    """Takes its worker with it."""
    os.kill(os.getpid(), signal.SIGKILL)
