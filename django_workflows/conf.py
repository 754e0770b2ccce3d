"""The setting ``WORKFLOWS``: a dict, of which every member has a default."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from django_workflows import asl
from django_workflows.asl import values
from django_workflows.asl.expressions.names import JsonataLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The members of ``WORKFLOWS``, in lower case here and in upper case there."""

    #: How large an input, an output or a result may be, in bytes. AWS: 262,144.
    payload_bytes: int = values.MAX_PAYLOAD_BYTES
    #: How many events an execution may have. AWS: 25,000.
    history_events: int = asl.Limits().history_events
    #: How long one JSONata expression may take.
    jsonata_seconds: float = JsonataLimits().timeout_seconds
    #: How deep it may nest, and how long its arrays and texts (in bytes) may be. These
    #: are AWS's limits, as measured.
    jsonata_depth: int = JsonataLimits().depth
    jsonata_array_length: int = JsonataLimits().array_length
    jsonata_string_length: int = JsonataLimits().string_length
    #: After how many events an execution is stored as a whole again.
    snapshot_every: int = 50
    #: How long a worker may be silent before its task is given to another.
    lease_seconds: float = 30
    #: How often a task is given to a worker before it fails with Task.DeliveryFailed.
    max_deliveries: int = 5
    #: How long a task may lie in the queue before the queue is told again; doubled each time.
    redeliver_seconds: float = 10
    #: How long a worker goes on with one execution before the queue has its next task.
    drive_seconds: float = 2
    #: The longest the clock sleeps.
    clock_tick_seconds: float = 0.25
    #: How many executions and tasks the clock looks after in one go.
    clock_batch: int = 200
    #: Whether django-q2's workers run the clock; else ``manage.py workflows_clock`` has to.
    clock_in_workers: bool = True
    #: How many children of one distributed Map run at a time at most. AWS: 10,000.
    max_map_concurrency: int = 1_000
    #: Which of Django's STORAGES holds what definitions call a bucket, by its name; a
    #: bucket that is not here is the storage of that name, or a folder of the default one.
    buckets: Mapping[str, str] = field(default_factory=dict)
    #: How long at most a worker's request for an activity's task is kept waiting.
    activity_wait_seconds: float = 5
    #: Whether whoever has a task's token may answer the task through the API.
    answer_by_token: bool = True
    #: How many executions may run that were each started by a task of the one before.
    max_nesting: int = 20
    #: The django-q2 cluster whose queue gets the tasks; None for the default one.
    cluster: str | None = None

    @property
    def limits(self) -> asl.Limits:
        """What the interpreter is told of them."""
        return asl.Limits(
            payload_bytes=self.payload_bytes,
            history_events=self.history_events,
            jsonata=JsonataLimits(
                timeout_seconds=self.jsonata_seconds,
                depth=self.jsonata_depth,
                array_length=self.jsonata_array_length,
                string_length=self.jsonata_string_length,
            ),
        )


#: The members' names, as they stand in the site's settings.
KEYS = {field.name.upper(): field.name for field in dataclasses.fields(Settings)}


def given() -> Mapping[str, Any]:
    """What the site says; an empty mapping where that is nothing, or no dict."""
    said = getattr(settings, "WORKFLOWS", {})
    return said if isinstance(said, Mapping) else {}


def current() -> Settings:
    """The settings as they are now; what is unknown is left to the system check."""
    return Settings(**{KEYS[key]: value for key, value in given().items() if key in KEYS})
