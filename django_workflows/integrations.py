"""The services of AWS that are built in: ``states:startExecution``.

``arn:aws:states:::states:startExecution`` starts another workflow of the site and
goes on; with ``.sync`` its task waits for the other's end and gets a description of
that, with Input and Output as JSON texts; with ``.sync:2`` as data; with
``.waitForTaskToken`` it waits for its token, which Input hands on.

What is started is started in the engine's own name, not in that of the user who
started the parent: as on AWS, where a role says so, the definition is trusted, and
whoever may publish one may have it start any workflow of the site. A workflow's
``start_groups`` narrow who may start it by hand.

Source: AWS, "Start a new AWS Step Functions state machine from a running
execution"; texts and shapes as recorded on AWS.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from django_workflows.asl import values
from django_workflows.asl.values import JSON
from django_workflows.handlers import MAX_CAUSE, PENDING, ServiceError, TaskContext, task

if TYPE_CHECKING:
    from django_workflows import asl, models

START_EXECUTION = "arn:aws:states:::states:startExecution"

_MACHINE = re.compile(
    r"(?:arn:[a-z-]+:states:[^:]*:[^:]*:stateMachine:)?(?P<name>[^:]+)(?::(?P<qualifier>[^:]+))?"
)


@task(START_EXECUTION)
def start_execution(input: JSON, context: TaskContext) -> JSON:
    """Start a workflow; the result says which execution that is."""
    child = _start(input, context)
    return {"ExecutionArn": str(child.pk), "StartDate": _milliseconds(child.started_at)}


@task(f"{START_EXECUTION}.sync")
@task(f"{START_EXECUTION}.sync:2")
def start_execution_and_wait(input: JSON, context: TaskContext) -> object:
    """Start a workflow; the task is answered by its end."""
    _start(input, context)
    return PENDING


def _start(input: JSON, context: TaskContext) -> models.Execution:
    from django_workflows import asl, engine, models, nesting

    parameters = input if isinstance(input, dict) else {}
    arn, name = parameters.get("StateMachineArn"), parameters.get("Name")
    if not isinstance(arn, str):
        raise ServiceError(
            "States.Runtime",
            "states:startExecution: Parameters.StateMachineArn: expected the name of a workflow"
            f" or its ARN, found {'nothing' if arn is None else values.compact(arn)[:100]}",
        )
    workflow, definition = _workflow(arn, context)
    if name is not None and not (isinstance(name, str) and models.is_name(name)):
        raise _refused(context, "InvalidName", f"Invalid Name: '{_text(name)}'")
    try:
        return nesting.start(
            context.execution_id,
            context.task,
            workflow,
            _input(parameters.get("Input")),
            name=name,
            definition=definition,
        )
    except nesting.TooDeep as error:
        raise ServiceError("States.Runtime", str(error)) from None
    except engine.NotPublished:
        raise _unknown(context, arn) from None
    except engine.ExecutionAlreadyExists:
        raise _refused(
            context,
            "ExecutionAlreadyExists",
            f"Execution Already Exists: '{workflow.name}:{name}'",
        ) from None
    except asl.InvalidValue as error:
        raise _refused(
            context, "InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'"
        ) from None


def _workflow(arn: str, context: TaskContext) -> tuple[models.Workflow, models.Definition | None]:
    """The workflow, and the version where one is named; an alias is the current one."""
    from django_workflows import models

    match = _MACHINE.fullmatch(arn)
    name, qualifier = (match["name"], match["qualifier"]) if match else (None, None)
    if name is None or not models.is_name(name):
        raise _unknown(context, arn)
    workflow = models.Workflow.objects.filter(name=name).first()
    if workflow is None:
        raise _unknown(context, arn)
    if qualifier is None or not (qualifier.isascii() and qualifier.isdigit()):
        return workflow, None
    version = int(qualifier) if len(qualifier) < 10 else -1
    definition = workflow.definitions.filter(version=version).first()
    if definition is None:
        raise _unknown(context, arn)
    return workflow, definition


def _input(input: JSON) -> JSON:
    """What the child begins with: JSON text is read, other text stays; nothing is ``{}``."""
    if input is None:
        return {}
    if not isinstance(input, str):
        return input
    try:
        return values.loads(input)
    except ValueError:
        return input


def answer(
    child: models.Execution, state: asl.Execution, task: models.Task
) -> asl.CompleteTask | asl.FailTask:
    """The command that answers the ``.sync`` *task* with how *child* ended."""
    from django_workflows import asl

    if state.status is asl.Status.SUCCEEDED:
        texts = not task.resource.endswith(":2")
        return asl.CompleteTask(task=task.seq, output=_description(child, state, texts=texts))
    cause = values.compact(_description(child, state, texts=True))
    if len(cause) > MAX_CAUSE:
        # Without its input, which the child's page shows, so that it stays JSON.
        cause = values.compact(_description(child, state, texts=True, short=True))
    return asl.FailTask(task=task.seq, error="States.TaskFailed", cause=cause)


def _description(
    child: models.Execution, state: asl.Execution, *, texts: bool, short: bool = False
) -> dict[str, JSON]:
    """What AWS's DescribeExecution says, with its members in AWS's order."""

    def payload(value: JSON) -> JSON:
        return values.compact(value) if texts else value

    succeeded = state.status == "SUCCEEDED"
    cause = state.cause
    if short and cause is not None:
        # In JSON a letter may take six; the rest is small.
        cause = cause[: MAX_CAUSE // 8]
    said: dict[str, JSON] = {
        "Cause": cause,
        "Error": state.error,
        "ExecutionArn": str(child.pk),
        "Input": None if short else payload(state.input),
        "InputDetails": {"Included": not short},
        "Name": child.name,
        "Output": payload(state.output) if succeeded else None,
        "OutputDetails": {"Included": True} if succeeded else None,
        "RedriveCount": state.redrive_count,
        "RedriveStatus": "NOT_REDRIVABLE" if succeeded else "REDRIVABLE",
        "RedriveStatusReason": "Execution is SUCCEEDED and cannot be redriven"
        if succeeded
        else None,
        "StartDate": _milliseconds(state.started_at),
        "StateMachineArn": child.workflow.name,
        "Status": str(state.status),
        "StopDate": _milliseconds(state.ended_at),
    }
    # As data, null is what an execution may have got or given.
    kept = () if texts or short else ("Input", "Output")
    return {member: value for member, value in said.items() if value is not None or member in kept}


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)


def _text(value: JSON) -> str:
    text = value if isinstance(value, str) else values.compact(value)
    return text[:100]


def _unknown(context: TaskContext, arn: str) -> ServiceError:
    return _refused(
        context, "StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn[:500]}'"
    )


def _refused(context: TaskContext, code: str, message: str) -> ServiceError:
    """An error of the service, in AWS's words."""
    request = uuid.uuid5(context.execution_id, str(context.task))
    return ServiceError(
        f"StepFunctions.{code}Exception",
        f"{message} (Service: AWSStepFunctions; Status Code: 400; Error Code: {code};"
        f" Request ID: {request}; Proxy: null)",
    )
