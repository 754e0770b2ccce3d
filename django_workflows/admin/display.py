"""How things are written for people: statuses, lengths of time, places, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_workflows import models
from django_workflows.asl.values import JSON
from django_workflows.models import Status, WaitingFor
from django_workflows.timeline import Kind, Outcome

#: A sign next to each colour: who can't tell colours apart reads the sign.
STATUS_SIGNS: dict[str, str] = {
    "PENDING": "…",
    Status.RUNNING: "▶",
    Status.SUCCEEDED: "✔",
    Status.FAILED: "✘",
    Status.TIMED_OUT: "⧖",
    Status.ABORTED: "■",
}
WAITING_SIGNS = {
    WaitingFor.APPROVAL: "☑",
    WaitingFor.CALLBACK: "↩",
    WaitingFor.TASK: "⚙",
    WaitingFor.RETRY: "↻",
    WaitingFor.TIMER: "◷",
}
OUTCOME_SIGNS = {
    Outcome.OPEN: "▶",
    Outcome.SUCCEEDED: "✔",
    Outcome.FAILED: "✘",
    Outcome.TIMED_OUT: "⧖",
    Outcome.CAUGHT: "⚑",
    Outcome.ABORTED: "■",
}

#: What would change how a text reads (directions, lone surrogates) is escaped in JSON.
_TREACHEROUS = re.compile(
    "[\ud800-\udfff\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\x7f-\x9f]"
)


def outcome_word(outcome: Outcome) -> str:
    return {
        Outcome.OPEN: _("running"),
        Outcome.SUCCEEDED: _("succeeded"),
        Outcome.FAILED: _("failed"),
        Outcome.TIMED_OUT: _("timed out"),
        Outcome.CAUGHT: _("failed and caught"),
        Outcome.ABORTED: _("stopped"),
    }[outcome]


def kind_word(kind: Kind) -> str:
    return {
        Kind.QUEUED: _("queued"),
        Kind.RUNNING: _("running"),
        Kind.WAITING: _("waiting"),
        Kind.RETRY_DELAY: _("delay before a retry"),
        Kind.BRANCHES: _("branches at work"),
    }[kind]


def status_mark(status: str) -> SafeString:
    """The status by colour, sign and word."""
    known = Status(status)
    return _mark(f"wf-status-{known.lower()}", STATUS_SIGNS.get(known, "•"), str(known.label))


def waiting_mark(waiting_for: str) -> SafeString | str:
    if not waiting_for:
        return ""
    known = WaitingFor(waiting_for)
    return _mark(f"wf-waiting-{known.value}", WAITING_SIGNS[known], str(known.label))


def outcome_mark(outcome: Outcome) -> SafeString:
    return _mark(f"wf-outcome-{outcome}", OUTCOME_SIGNS[outcome], outcome_word(outcome))


def _mark(css: str, sign: str, word: str) -> SafeString:
    return format_html(
        '<span class="wf-mark {}"><span class="wf-sign" aria-hidden="true">{}</span> {}</span>',
        css,
        sign,
        word,
    )


def length(duration: timedelta) -> str:
    """A length of time in its two largest units: "3 h 20 min", "2.4 s", "35 ms"."""
    seconds = max(duration.total_seconds(), 0)
    if seconds < 1:
        return _("%(count)s ms") % {"count": int(seconds * 1000)}
    if seconds < 10:
        return _("%(count)s s") % {"count": number_format(round(seconds, 1))}
    whole = int(seconds)
    minutes, seconds_left = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    parts = [
        (days, _("%(count)s d")),
        (hours_left, _("%(count)s h")),
        (minutes_left, _("%(count)s min")),
        (seconds_left, _("%(count)s s")),
    ]
    first = next(index for index, (count, _unit) in enumerate(parts) if count)
    return " ".join(unit % {"count": count} for count, unit in parts[first : first + 2] if count)


def size(count: int) -> str:
    """A number of bytes, roughly."""
    if count < 1024:
        return ngettext("%(count)s byte", "%(count)s bytes", count) % {"count": count}
    return _("%(count)s KiB") % {"count": number_format(round(count / 1024, 1))}


def place(path: Sequence[str | int]) -> str:
    """Where in an execution, as people count: "Fan [4] / Pay [1]"; "" for the outermost."""
    steps = [f"{path[at]} [{int(path[at + 1]) + 1}]" for at in range(0, len(path), 2)]
    return legible(" / ".join(steps))


def legible(text: str) -> str:
    """*text* with what can't be sent or would mislead written as an escape."""
    return _TREACHEROUS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """JSON data, ready to be shown."""

    text: str
    size: str
    #: Short enough to be shown without being unfolded first.
    is_short: bool


def document(value: JSON) -> Document:
    """*value* as people may see it: indented, without anybody's token."""
    text = pretty(models.without_tokens(value))
    return Document(text=text, size=size(len(text)), is_short=len(text) <= 400)


def pretty(value: Any) -> str:
    return legible(json.dumps(value, ensure_ascii=False, indent=2))


def left(until: datetime, now: datetime) -> str:
    """How far *until* is: in the future, or overdue."""
    if until >= now:
        return _("in %(length)s") % {"length": length(until - now)}
    return _("%(length)s overdue") % {"length": length(now - until)}
