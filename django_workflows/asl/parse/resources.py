"""Which texts may stand as a Resource.

A resource is the name of a handler, so nearly any text is one: ``charge_card``,
a Lambda function's ARN, ``arn:aws:states:::sqs:sendMessage``. Refused is what can
only be a slip: a blank in it, or a Step Functions integration that AWS does not
have though it has the service.

Source: AWS Step Functions developer guide, "Integrating services".
"""

from __future__ import annotations

import re
from typing import Final

from django_workflows.asl.parse.report import listed, shown

#: The actions of the services with an integration of their own ("optimized").
_ACTIONS: Final[dict[str, frozenset[str]]] = {
    service: frozenset(actions.split())
    for service, actions in {
        "apigateway": "invoke",
        "athena": "startQueryExecution stopQueryExecution getQueryExecution getQueryResults",
        "batch": "submitJob",
        "bedrock": "invokeModel createModelCustomizationJob",
        "codebuild": "startBuild stopBuild batchDeleteBuilds batchGetReports startBuildBatch"
        " stopBuildBatch retryBuildBatch deleteBuildBatch",
        "databrew": "startJobRun",
        "dynamodb": "getItem putItem updateItem deleteItem",
        "ecs": "runTask",
        "events": "putEvents",
        "glue": "startJobRun",
        "http": "invoke",
        "lambda": "invoke",
        "mediaconvert": "createJob",
        "sns": "publish",
        "sqs": "sendMessage",
        "states": "startExecution",
    }.items()
}
#: What may follow the action: how long the task lasts.
_PATTERNS: Final = frozenset({"", "sync", "sync:2", "waitForTaskToken"})

_INTEGRATION: Final = re.compile(r"arn:aws[a-z-]*:states:[^:]*:[^:]*:(?P<what>.*)", re.DOTALL)
_ACTIVITY: Final = re.compile(r"arn:[^:]+:states:[^:]+:[^:]+:activity:.+", re.DOTALL)
_TASK: Final = re.compile(
    r"(?:aws-sdk:)?(?P<service>[A-Za-z0-9-]+):(?P<action>[A-Za-z0-9]+)(?:\.(?P<pattern>.*))?",
    re.DOTALL,
)


def problem_with(resource: str) -> str | None:
    """What is wrong with *resource*; None where it may be used."""
    if not resource:
        return "Value cannot be empty"
    if not resource.isprintable() or " " in resource:
        return (
            f"The resource provided {shown(resource)} is not recognized. The name of a resource has"
            " no blanks and no control characters"
        )
    integration = _INTEGRATION.fullmatch(resource)
    # A template's placeholder may stand for anything.
    if integration is None or "${" in resource or _ACTIVITY.fullmatch(resource):
        return None
    why = _why_unknown(integration["what"])
    if why is None:
        return None
    return (
        f"The resource provided {resource[:200]} is not recognized. The value is not a valid"
        f" resource ARN, or the resource is not available in this region. {why}"
    )


def _why_unknown(integration: str) -> str | None:
    task = _TASK.fullmatch(integration)
    if task is None:
        return "Expected a service and an action, such as 'sqs:sendMessage'"
    if (task["pattern"] or "") not in _PATTERNS:
        return "After the action can follow '.sync', '.sync:2' or '.waitForTaskToken'"
    if integration.startswith("aws-sdk:"):
        return None
    actions = _ACTIONS.get(task["service"])
    if actions is None or task["action"] in actions:
        return None
    return f"{task['service']} has {listed(sorted(actions), 'and')}"


def problem_in_express(resource: str) -> str | None:
    """What an EXPRESS machine has against *resource*; None where it may be used.

    Source: AWS's answers to CreateStateMachine.
    """
    if _ACTIVITY.fullmatch(resource):
        return "Express state machine does not support Activity ARN"
    if not _INTEGRATION.fullmatch(resource):
        return None
    for pattern in (".sync", ".waitForTaskToken"):
        if resource.removesuffix(":2").endswith(pattern):
            return f"Express state machine does not support '{pattern}' service integration"
    return None
