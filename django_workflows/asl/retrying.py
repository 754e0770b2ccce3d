"""Which Retrier or Catcher an error meets, and how long a retry waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Protocol, TypeVar

from django_workflows.asl.definition import Retrier


class _Handler(Protocol):
    @property
    def error_equals(self) -> tuple[str, ...]: ...


HandlerT = TypeVar("HandlerT", bound=_Handler)


def first_match(
    handlers: Sequence[HandlerT], error: str | None, *, heartbeat: bool = False
) -> tuple[int, HandlerT] | None:
    """The first of *handlers* that takes *error*, with its index; None where none does.

    ``heartbeat`` says that the error is a missed heartbeat, which goes by two names.
    """
    # Recorded on AWS: States.Runtime is never retried or caught, not even by its name.
    if error == "States.Runtime":
        return None
    for index, handler in enumerate(handlers):
        if any(_matches(pattern, error, heartbeat) for pattern in handler.error_equals):
            return index, handler
    return None


def _matches(pattern: str, error: str | None, heartbeat: bool) -> bool:
    if pattern == error or pattern == "States.ALL":
        return True
    if pattern == "States.TaskFailed":
        # AWS: "matches any known error name except for States.Timeout".
        return error != "States.Timeout" and error is not None
    return heartbeat and pattern == "States.HeartbeatTimeout"


def retry_delay(retrier: Retrier, used: int, chance: Random) -> timedelta:
    """How long to wait before the next retry.

    ``used`` counts the retries this retrier has granted since the state was
    entered: the first wait is ``interval_seconds`` itself.

    Source: ASL specification, "Retrying after error".
    """
    ceiling = retrier.max_delay_seconds if retrier.max_delay_seconds is not None else LONGEST
    try:
        seconds = min(retrier.interval_seconds * retrier.backoff_rate**used, ceiling)
    except OverflowError:
        seconds = ceiling
    if retrier.jitter_strategy == "FULL":
        seconds = chance.uniform(0, seconds)
    return timedelta(seconds=seconds)


#: The longest retry delay in seconds, a year: MaxDelaySeconds' own maximum on AWS.
LONGEST = 31_622_400
