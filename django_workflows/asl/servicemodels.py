"""Whether a mocked result is what an AWS service answers, by AWS's own API models.

The models come with botocore, which AWS maintains; it is an optional dependency
(the extra ``aws``) and is used for nothing else. Nothing here calls a service.

Source: AWS, "Mock validation modes" (TestState): only fields that the model has
are looked at, so a mock may hold more than the API says.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django_workflows.asl.values import JSON

_INTEGRATION = re.compile(
    r"arn:aws[a-z-]*:states:[^:]*:[^:]*:(?P<sdk>aws-sdk:)?(?P<service>[A-Za-z0-9-]+)"
    r":(?P<action>[A-Za-z0-9]+)(?:\.(?P<pattern>.+))?"
)

#: Optimized integrations whose service has another name in botocore.
_SERVICES = {"states": "stepfunctions", "elasticmapreduce": "emr"}

#: Optimized integrations that are another API's operation.
_OPERATIONS = {
    ("bedrock", "invokeModel"): ("bedrock-runtime", "InvokeModel"),
    ("elasticmapreduce", "cancelStep"): ("emr", "CancelSteps"),
    ("elasticmapreduce", "createCluster"): ("emr", "RunJobFlow"),
    ("elasticmapreduce", "setClusterTerminationProtection"): ("emr", "SetTerminationProtection"),
    ("elasticmapreduce", "terminateCluster"): ("emr", "TerminateJobFlows"),
}

#: Source: AWS, "Mock validation modes": "not supported for HTTP Task, API Gateway,
#: EKS Call, and EKS RunJob integrations".
_UNCHECKED = {
    ("http", "invoke"),
    ("apigateway", "invoke"),
    ("eks", "call"),
    ("eks", "runJob"),
}

#: What a ``.sync`` integration asks until the job is done: its answer is the result.
_POLLED = {
    ("athena", "startQueryExecution"): "GetQueryExecution",
    ("batch", "submitJob"): "DescribeJobs",
    ("bedrock", "createModelCustomizationJob"): "GetModelCustomizationJob",
    ("codebuild", "startBuild"): "BatchGetBuilds",
    ("codebuild", "startBuildBatch"): "BatchGetBuildBatches",
    ("databrew", "startJobRun"): "DescribeJobRun",
    ("ecs", "runTask"): "DescribeTasks",
    ("elasticmapreduce", "addStep"): "DescribeStep",
    ("elasticmapreduce", "createCluster"): "DescribeCluster",
    ("elasticmapreduce", "terminateCluster"): "DescribeCluster",
    ("emr-containers", "startJobRun"): "DescribeJobRun",
    ("emr-serverless", "startJobRun"): "GetJobRun",
    ("glue", "startJobRun"): "GetJobRun",
    ("mediaconvert", "createJob"): "GetJob",
    ("sagemaker", "createHyperParameterTuningJob"): "DescribeHyperParameterTuningJob",
    ("sagemaker", "createLabelingJob"): "DescribeLabelingJob",
    ("sagemaker", "createProcessingJob"): "DescribeProcessingJob",
    ("sagemaker", "createTrainingJob"): "DescribeTrainingJob",
    ("sagemaker", "createTransformJob"): "DescribeTransformJob",
    ("states", "startExecution"): "DescribeExecution",
}

#: Members that an optimized integration hands on as the JSON they hold.
_PARSED = {
    ("lambda", "invoke", ""): frozenset({"Payload"}),
    ("bedrock", "invokeModel", ""): frozenset({"Body"}),
    ("states", "startExecution", "sync:2"): frozenset({"Input", "Output"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The service's operation whose answer a Task's result is."""

    service: str
    #: As the API spells it: "PutItem".
    name: str
    #: Members of the answer that may be any JSON.
    parsed: frozenset[str] = frozenset()


def operation_of(resource: str) -> Operation | None:
    """The operation that *resource* integrates; None where its result is anybody's to choose.

    That is so for functions by their ARN, activities, callbacks (whoever has the
    token answers) and handlers of one's own.
    """
    match = _INTEGRATION.fullmatch(resource)
    if match is None:
        return None
    service, action, pattern = match["service"], match["action"], match["pattern"] or ""
    capitalized = action[0].upper() + action[1:]
    if pattern == "waitForTaskToken":
        return None
    if match["sdk"]:
        return Operation(service=service, name=capitalized)
    if (service, action) in _UNCHECKED:
        return None
    if pattern in ("sync", "sync:2"):
        polled = _POLLED.get((service, action))
        if polled is None:
            return None
        name, own = _SERVICES.get(service, service), polled
    else:
        name, own = _OPERATIONS.get(
            (service, action), (_SERVICES.get(service, service), capitalized)
        )
    parsed = _PARSED.get((service, action, pattern), frozenset())
    return Operation(service=name, name=own, parsed=parsed)


def are_installed() -> bool:
    """Whether botocore is there to say what services answer."""
    try:
        importlib.import_module("botocore.loaders")
    except ImportError:
        return False
    return True


def problem_with(result: JSON, operation: Operation, *, all_required: bool) -> str | None:
    """What is wrong with *result* as the answer of *operation*, in AWS's words.

    None where nothing is, or where botocore knows no such operation.
    ``all_required`` asks for the fields that the API always gives, too.
    """
    model = _model(operation.service)
    if model is None:
        return None
    name = next((it for it in model.operation_names if it.lower() == operation.name.lower()), None)
    shape = None if name is None else model.operation_model(name).output_shape
    if shape is None:
        return None
    return next(_problems(result, shape, "", operation.parsed, all_required), None)


@lru_cache(maxsize=32)
def _model(service: str) -> Any:
    """botocore's ServiceModel of *service*; None where it has none."""
    loaders = importlib.import_module("botocore.loaders")
    model = importlib.import_module("botocore.model")
    # botocore's own files alone: not what lies in the home directory.
    loader = loaders.Loader(
        extra_search_paths=[loaders.Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
    )
    name = _names(tuple(loader.list_available_services("service-2"))).get(_plain(service))
    if name is None:
        return None
    return model.ServiceModel(loader.load_service_model(name, "service-2"), name)


@lru_cache(maxsize=1)
def _names(available: tuple[str, ...]) -> dict[str, str]:
    """botocore's names by the plain ones: its own, and those of AWS's SDK for Java,
    which aws-sdk resources have ("sfn", "cloudwatchlogs")."""
    utils = importlib.import_module("botocore.utils")
    ids: dict[str, str] = utils.CLIENT_NAME_TO_HYPHENIZED_SERVICE_ID_OVERRIDES
    names = {_plain(service_id): name for name, service_id in ids.items() if name in available}
    return names | {_plain(name): name for name in available}


def _plain(name: str) -> str:
    return name.replace("-", "").lower()


def _problems(
    value: JSON, shape: Any, field: str, parsed: frozenset[str], all_required: bool
) -> Iterator[str]:
    """What is wrong with *value*, the member *field*; *parsed* are names of its own members."""
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return
        if not isinstance(value, dict):
            yield _must_be("an object", field)
            return
        if all_required:
            for required in shape.required_members:
                if not any(name in value for name in _spellings(required)):
                    yield f"Required field '{_spellings(required)[0]}' is missing"
        for member, inner in shape.members.items():
            for name in _spellings(member):
                if name in value and name not in parsed:
                    yield from _problems(value[name], inner, name, frozenset(), all_required)
                    break
    elif kind == "list":
        if not isinstance(value, list):
            yield _must_be("an array", field)
            return
        yield from _size_problems(value, shape, field)
        for item in value:
            yield from _problems(item, shape.member, field, frozenset(), all_required)
    elif kind == "map":
        if not isinstance(value, dict):
            yield _must_be("an object", field)
            return
        for key, item in value.items():
            yield from _problems(item, shape.value, key, frozenset(), all_required)
    elif kind in ("integer", "long", "float", "double"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield _must_be("a number", field)
            return
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None and value < least:
            yield f"Field '{field}' is less than the minimum value"
        if most is not None and value > most:
            yield f"Field '{field}' exceeds the maximum value"
    elif kind == "boolean":
        if not isinstance(value, bool):
            yield _must_be("a boolean", field)
    else:  # texts; moments and bytes are texts in a result, too
        if not isinstance(value, str):
            yield _must_be("a string", field)
            return
        if kind != "timestamp":
            yield from _size_problems(value, shape, field)
        if getattr(shape, "enum", None) and value not in shape.enum:
            yield f"Field '{field}' is not an expected value"


def _must_be(kind: str, field: str) -> str:
    return f"Field '{field}' must be {kind}" if field else f"The result must be {kind}"


def _size_problems(value: str | list[JSON], shape: Any, field: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < least:
        yield f"Field '{field}' is smaller than the minimum length"
    if most is not None and len(value) > most:
        yield f"Field '{field}' exceeds the maximum length"


def _spellings(member: str) -> tuple[str, ...]:
    """How results of Step Functions may spell an API's *member*: "executionArn" is
    ``ExecutionArn``; "DBInstances" is ``DBInstances`` or, as in the SDK for Java,
    ``DbInstances``."""
    capitalized = member[0].upper() + member[1:]
    head = 1
    while (
        head < len(member)
        and member[head].isupper()
        and not (head + 1 < len(member) and member[head + 1].islower())
    ):
        head += 1
    as_in_java = member[0].upper() + member[1:head].lower() + member[head:]
    return (capitalized,) if as_in_java == capitalized else (capitalized, as_in_java)
