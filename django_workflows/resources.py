"""What the resource of a Task asks for: a handler, a person, or an answer from outside.

==================================  ===========================================
``approval``                        people decide, in their inbox
``callback``                        nobody is called; the token is awaited
``...:activity:NAME``               a worker outside fetches it, and answers it
``NAME.waitForTaskToken``           the handler of NAME is called, and what it
                                    returns is dropped; the token is awaited
``...startExecution.sync``          a handler starts an execution; its end is
                                    awaited
everything else                     a handler's result is awaited
==================================  ===========================================
"""

from __future__ import annotations

import re
from enum import StrEnum

APPROVAL = "approval"
CALLBACK = "callback"
TOKEN_SUFFIX = ".waitForTaskToken"  # noqa: S105

_ACTIVITY = ":activity:"
_SYNC = re.compile(r"arn:[a-z-]+:states:[^:]*:[^:]*:states:startExecution\.sync(?::2)?")


class Kind(StrEnum):
    HANDLER = "handler"
    CALLBACK = "callback"
    ACTIVITY = "activity"
    APPROVAL = "approval"


def kind(resource: str) -> Kind:
    """Who answers a task of this resource."""
    if base(resource) == APPROVAL:
        return Kind.APPROVAL
    if _ACTIVITY in resource:
        return Kind.ACTIVITY
    if not calls_handler(resource) or awaits_token(resource):
        return Kind.CALLBACK
    return Kind.HANDLER


def base(resource: str) -> str:
    """*resource* without ``.waitForTaskToken``."""
    return resource.removesuffix(TOKEN_SUFFIX)


def awaits_token(resource: str) -> bool:
    """Whether the handler's return value is not the result."""
    return resource.endswith(TOKEN_SUFFIX)


def awaits_execution(resource: str) -> bool:
    """Whether the end of the execution that the handler starts is the result."""
    return _SYNC.fullmatch(resource) is not None


def calls_handler(resource: str) -> bool:
    """Whether a worker has to do anything at all."""
    return base(resource) not in (APPROVAL, CALLBACK) and _ACTIVITY not in resource


def activity(resource: str) -> str:
    """The name of the activity; "" where it is none."""
    return resource.partition(_ACTIVITY)[2]
