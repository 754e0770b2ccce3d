"""The Context Object of a state, and the tokens that answer its tasks.

Source: ASL specification, "The Context Object"; AWS, "Accessing execution data
from the Context object".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import datetime
from random import Random
from uuid import UUID

from django_workflows.asl.definition import State, Task
from django_workflows.asl.events import Path
from django_workflows.asl.execution import AwaitingBranches, Execution
from django_workflows.asl.values import JSON, format_timestamp

#: A task token anywhere in a text: for finding one, and for hiding it from readers.
TOKEN = re.compile(r"wft\.([\w.:-]+)\.(\d+)\.([A-Za-z0-9_-]{43})", re.ASCII)


def chance(execution: Execution, seq: int | str) -> Random:
    """The draws that belong to event *seq*: the same at every replay, unguessable outside."""
    return Random(f"{execution.seed}/{seq}")  # noqa: S311 - tokens don't come from here


def execution_id(execution: Execution) -> str:
    """``Execution.Id`` as the starter gave it, else one derived from the seed."""
    given = _object(_object(execution.context).get("Execution")).get("Id")
    return given if isinstance(given, str) else _derived_id(execution)


def _derived_id(execution: Execution) -> str:
    digest = hashlib.sha256(f"id/{execution.seed}".encode()).digest()
    return str(UUID(bytes=digest[:16], version=4))


def task_token(execution: Execution, task: int) -> str:
    """The token that answers *task* from outside: its place and a proof, nothing to store."""
    place = f"{execution_id(execution)}.{task}"
    proof = hmac.digest(execution.seed.encode(), place.encode(), "sha256")
    return f"wft.{place}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"


def gives_token(resource: str) -> bool:
    """Whether a Task may pass its token on: callbacks and activities, and handlers of the
    site's own, which may answer later (``PENDING``) without saying so in the resource."""
    return (
        resource.endswith(".waitForTaskToken")
        or not resource.startswith("arn:")
        or ":activity:" in resource
    )


def read_token(token: str) -> tuple[str, int] | None:
    """The execution id and the task that *token* claims to be for; None where it is no token."""
    match = TOKEN.fullmatch(token)
    return (match[1], int(match[2])) if match and len(match[2]) < 16 else None


def is_token_of(execution: Execution, token: str) -> bool:
    """Whether *token* is genuine for this execution; takes the same time either way."""
    claim = read_token(token)
    if claim is None:
        return False
    return hmac.compare_digest(task_token(execution, claim[1]).encode(), token.encode())


def context_object(
    execution: Execution, path: Path, state: State, *, task: int | None = None
) -> JSON:
    """What ``$$`` stands for while the branch at *path* is in *state*.

    The starter's own members come first, so that they can never pass for the
    engine's. ``task`` is the seq the Task about to start will have: it is given
    only while such a Task builds its arguments.
    """
    branch = execution.branches[path]
    given = _object(execution.context)
    own_id = execution_id(execution)
    entered: dict[str, JSON] = {"Name": state.name}
    if branch.entered_at is not None:
        entered["EnteredTime"] = _moment(branch.entered_at)
    if isinstance(state, Task):
        entered["RetryCount"] = branch.retry_count
    redriven: dict[str, JSON] = {}
    if execution.redriven_at is not None:
        redriven["RedriveTime"] = _moment(execution.redriven_at)
    context: dict[str, JSON] = {
        **given,
        "Execution": {
            "Id": own_id,
            "Name": own_id,
            **_object(given.get("Execution")),
            "Input": execution.input,
            "StartTime": _moment(execution.started_at) if execution.started_at else None,
            "RedriveCount": execution.redrive_count,
            **redriven,
        },
        "State": entered,
        "StateMachine": _object(given.get("StateMachine")),
    }
    item = map_item(execution, path)
    if item is not None:
        context["Map"] = {"Item": item}
    if task is not None:
        context["Task"] = {"Token": task_token(execution, task)}
    return context


def map_item(execution: Execution, path: Path) -> JSON:
    """``Map.Item`` of the nearest iteration around *path*; None outside of every Map."""
    while path:
        parent, index = path[:-2], path[-1]
        fork = execution.branches[parent].doing
        if isinstance(fork, AwaitingBranches) and fork.items is not None:
            return {"Index": index, "Value": fork.items[index]}
        path = parent
    return None


def _object(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def _moment(moment: datetime) -> str:
    return format_timestamp(moment, timespec="milliseconds")
