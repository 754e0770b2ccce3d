"""Retry and Catch: what a state does about errors.

Source: ASL specification, "Errors".
"""

from __future__ import annotations

from typing import Final, Literal, cast

from django_workflows.asl.definition import Catcher, Retrier
from django_workflows.asl.parse.fields import CATCHER_FIELDS, RETRIER_FIELDS
from django_workflows.asl.parse.reading import MAX_SECONDS, Fields
from django_workflows.asl.parse.report import shown

_ALL_ERRORS: Final = "States.ALL"
#: Source: AWS developer guide, "MaxDelaySeconds": a year of 366 days.
_MAX_DELAY_SECONDS: Final = 31_622_400


def retriers(state: Fields) -> tuple[Retrier, ...]:
    """The state's Retry; an empty array is allowed."""
    entries = state.objects("Retry", may_be_empty=True)
    return tuple(_retrier(entry, entry is entries[-1]) for entry in entries)


def _retrier(entry: Fields, is_last: bool) -> Retrier:
    entry.only(RETRIER_FIELDS)
    entry.text("Comment")
    interval = entry.integer("IntervalSeconds", 1, MAX_SECONDS)
    attempts = entry.integer("MaxAttempts", 0, MAX_SECONDS)
    rate = entry.number("BackoffRate", 1.0)
    jitter = entry.choice("JitterStrategy", ("FULL", "NONE"))
    return Retrier(
        error_equals=_error_equals(entry, is_last),
        interval_seconds=1 if interval is None else interval,
        max_attempts=3 if attempts is None else attempts,
        backoff_rate=2.0 if rate is None else rate,
        max_delay_seconds=entry.integer("MaxDelaySeconds", 1, _MAX_DELAY_SECONDS),
        jitter_strategy=cast(Literal["FULL", "NONE"], jitter or "NONE"),
    )


def catchers(state: Fields) -> tuple[Catcher, ...]:
    """The state's Catch; an empty array is allowed."""
    entries = state.objects("Catch", may_be_empty=True)
    return tuple(_catcher(entry, entry is entries[-1]) for entry in entries)


def _catcher(entry: Fields, is_last: bool) -> Catcher:
    entry.only_in(CATCHER_FIELDS)
    entry.text("Comment")
    entry.require("Next")
    return Catcher(
        error_equals=_error_equals(entry, is_last),
        next=entry.text("Next") or "",
        result_path=entry.result_path(),
        assign=entry.template("Assign", must_be_object=True),
        output=entry.template("Output"),
    )


def _error_equals(entry: Fields, is_last: bool) -> tuple[str, ...]:
    entry.require("ErrorEquals")
    names = entry.members.get("ErrorEquals", [_ALL_ERRORS])
    if not isinstance(names, list):
        entry.expected("ErrorEquals", "an array of error names")
        return ()
    if not names:
        entry.wrong("ErrorEquals", "Value cannot be empty")
    for index, name in enumerate(names):
        if not isinstance(name, str):
            entry.report.error(
                f"{entry.at('ErrorEquals')}/{index}",
                f"expected an error's name, found {shown(name)}",
            )
    if _ALL_ERRORS in names and "ErrorEquals" in entry:
        if len(names) > 1:
            entry.wrong(
                "ErrorEquals", f"{_ALL_ERRORS!r} must stand alone: it stands for every error"
            )
        if not is_last:
            entry.wrong(
                "ErrorEquals",
                f"{_ALL_ERRORS!r} must come last: what follows it would never be looked at",
            )
    return tuple(name for name in names if isinstance(name, str))
