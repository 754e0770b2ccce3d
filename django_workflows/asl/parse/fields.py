"""Which fields each object of a definition may have.

Tables, by query language: what JSONata adds and takes away is a matter of rows.
Source: ASL specification, the tables of "State Types" and of each state type.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django_workflows.asl.definition import QueryLanguage
from django_workflows.asl.parse.report import listed

STATE_TYPES: Final = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map")
QUERY_LANGUAGES: Final[tuple[QueryLanguage, ...]] = ("JSONPath", "JSONata")

_ALL = frozenset(STATE_TYPES)
_WORKING = frozenset({"Task", "Parallel", "Map"})
_ASSIGNING = _ALL - {"Succeed", "Fail"}
_TASK = frozenset({"Task"})
_CHOICE = frozenset({"Choice"})
_WAIT = frozenset({"Wait"})
_FAIL = frozenset({"Fail"})
_MAP = frozenset({"Map"})

#: The state types that may have each field, in both query languages.
_IN_BOTH: dict[str, frozenset[str]] = {
    "Type": _ALL,
    "Comment": _ALL,
    "QueryLanguage": _ALL,
    "Next": _ASSIGNING - _CHOICE,
    "End": _ASSIGNING - _CHOICE,
    "Assign": _ASSIGNING,
    "Retry": _WORKING,
    "Catch": _WORKING,
    "Resource": _TASK,
    "Credentials": _TASK,
    "TimeoutSeconds": _TASK,
    "HeartbeatSeconds": _TASK,
    "Choices": _CHOICE,
    "Default": _CHOICE,
    "Seconds": _WAIT,
    "Timestamp": _WAIT,
    "Error": _FAIL,
    "Cause": _FAIL,
    "Branches": frozenset({"Parallel"}),
    "ItemProcessor": _MAP,
    "ItemSelector": _MAP,
    "ItemReader": _MAP,
    "ItemBatcher": _MAP,
    "ResultWriter": _MAP,
    "MaxConcurrency": _MAP,
    "ToleratedFailureCount": _MAP,
    "ToleratedFailurePercentage": _MAP,
    "Label": _MAP,
}

_IN_ONE: dict[QueryLanguage, dict[str, frozenset[str]]] = {
    "JSONPath": {
        "InputPath": _ALL - _FAIL,
        "OutputPath": _ALL - _FAIL,
        "Parameters": _WORKING | {"Pass"},
        "ResultSelector": _WORKING,
        "ResultPath": _WORKING | {"Pass"},
        "Result": frozenset({"Pass"}),
        "TimeoutSecondsPath": _TASK,
        "HeartbeatSecondsPath": _TASK,
        "SecondsPath": _WAIT,
        "TimestampPath": _WAIT,
        "ErrorPath": _FAIL,
        "CausePath": _FAIL,
        "Iterator": _MAP,
        "ItemsPath": _MAP,
        "MaxConcurrencyPath": _MAP,
        "ToleratedFailureCountPath": _MAP,
        "ToleratedFailurePercentagePath": _MAP,
    },
    "JSONata": {
        "Arguments": frozenset({"Task", "Parallel"}),
        "Output": _ALL - _FAIL,
        "Items": _MAP,
    },
}

#: What the other query language uses in place of a field that it has not.
_INSTEAD = {
    "Arguments": "Parameters",
    "Output": "ResultSelector",
    "Items": "ItemsPath",
    "Parameters": "Arguments",
    "ResultSelector": "Output",
    "ResultPath": "Output",
    "OutputPath": "Output",
    "Result": "Output",
    "ItemsPath": "Items",
    "Iterator": "ItemProcessor",
}


def _fields_of(kind: str, language: QueryLanguage) -> frozenset[str]:
    table = _IN_BOTH | _IN_ONE[language]
    return frozenset(name for name, kinds in table.items() if kind in kinds)


STATE_FIELDS: Final = {
    (kind, language): _fields_of(kind, language)
    for kind in STATE_TYPES
    for language in QUERY_LANGUAGES
}

MACHINE_FIELDS: Final = frozenset(
    {"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"}
)
#: AWS takes QueryLanguage in a branch or processor too, though the specification
#: gives it no meaning there.
BRANCH_FIELDS: Final = frozenset({"Comment", "QueryLanguage", "StartAt", "States"})
PROCESSOR_FIELDS: Final = BRANCH_FIELDS | {"ProcessorConfig"}

RETRIER_FIELDS: Final = frozenset(
    {
        "Comment",
        "ErrorEquals",
        "IntervalSeconds",
        "MaxAttempts",
        "BackoffRate",
        "MaxDelaySeconds",
        "JitterStrategy",
    }
)
PROCESSOR_CONFIG_FIELDS: Final = frozenset({"Mode", "ExecutionType"})

ByLanguage = dict[QueryLanguage, frozenset[str]]


def _by_language(
    both: Iterable[str], jsonpath: Iterable[str], jsonata: Iterable[str]
) -> ByLanguage:
    shared = frozenset(both)
    return {"JSONPath": shared.union(jsonpath), "JSONata": shared.union(jsonata)}


CATCHER_FIELDS: Final = _by_language(
    {"Comment", "ErrorEquals", "Next", "Assign"}, {"ResultPath"}, {"Output"}
)
READER_FIELDS: Final = _by_language({"Resource", "ReaderConfig"}, {"Parameters"}, {"Arguments"})
READER_CONFIG_FIELDS: Final = _by_language(
    {
        "InputType",
        "CSVHeaderLocation",
        "CSVHeaders",
        "CSVDelimiter",
        "ItemsPointer",
        "ManifestType",
        "MaxItems",
        "Transformation",
        "VersionId",
        "ExpectedBucketOwner",
    },
    {"MaxItemsPath"},
    {},
)
BATCHER_FIELDS: Final = _by_language(
    {"BatchInput", "MaxItemsPerBatch", "MaxInputBytesPerBatch"},
    {"MaxItemsPerBatchPath", "MaxInputBytesPerBatchPath"},
    {},
)
WRITER_FIELDS: Final = _by_language({"Resource", "WriterConfig"}, {"Parameters"}, {"Arguments"})
WRITER_CONFIG_FIELDS: Final = frozenset({"OutputType", "Transformation"})


def why_not(name: str, kind: str, language: QueryLanguage) -> str:
    """Why a field that exists is not for this state; "" for one that exists nowhere."""
    for other in QUERY_LANGUAGES:
        if other != language and kind in _IN_ONE[other].get(name, ()):
            use = _INSTEAD.get(name, name.removesuffix("Path"))
            if kind == "Map" and name == "Parameters":
                use = "ItemSelector"
            has_it = kind in (_IN_BOTH | _IN_ONE[language]).get(use, ())
            instead = f" (use {use!r})" if has_it else ""
            return f": it belongs to {other}, and this state's query language is {language}" + (
                instead
            )
    kinds = (_IN_BOTH | _IN_ONE[language]).get(name)
    if kinds is None:
        return ""
    having = [state_type for state_type in STATE_TYPES if state_type in kinds]
    return f": {listed(having, 'and')} have it, {kind} has not"
