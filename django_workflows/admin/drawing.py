"""A timeline as the page draws it: places in per cent, words and signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_workflows.admin import display
from django_workflows.timeline import Kind, Outcome, Row, Segment, Timeline

#: The narrowest bar, in per cent of the whole.
_NARROWEST = 0.5
#: A state may be tried again and again: so many of its bars are drawn.
_BARS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    x: str
    width: str
    y: int
    height: int
    css: str
    #: The pattern that tells it apart without its colour; "" for none.
    pattern: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    label: str
    #: Which class indents it.
    indent: int
    mark: SafeString
    length: str
    note: str
    is_branch: bool
    bars: Sequence[Bar]
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    x: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    lines: Sequence[Line]
    ticks: Sequence[Tick]
    hidden: int


_PATTERNS = {
    Kind.QUEUED: "wf-dots",
    Kind.WAITING: "wf-stripes",
    Kind.RETRY_DELAY: "wf-checks",
    Kind.RUNNING: "",
    Kind.BRANCHES: "",
}


def picture(timeline: Timeline) -> Picture:
    start, whole = timeline.start, timeline.end - timeline.start
    return Picture(
        lines=[_line(row, start, whole) for row in timeline.rows],
        ticks=_ticks(start, whole) if timeline.rows else [],
        hidden=timeline.hidden,
    )


def _line(row: Row, start: datetime, whole: timedelta) -> Line:
    bars = [_bar(segment, start, whole) for segment in row.segments[-_BARS:]]
    retries = max((segment.attempt for segment in row.segments), default=1) - 1
    notes = []
    if retries:
        notes.append(_("attempt %(number)s") % {"number": retries + 1})
    if row.error:
        notes.append(display.legible(row.error))
    if row.counts is not None:
        notes = [
            f"{count} {display.OUTCOME_SIGNS[outcome]} {display.outcome_word(outcome)}"
            for outcome, count in row.counts.items()
        ]
    return Line(
        label=_label(row),
        indent=min(row.depth, 10),
        mark=display.outcome_mark(row.outcome),
        length=("≥ " if row.cut else "") + display.length(row.end - row.start),
        note=", ".join(notes),
        is_branch=row.branch is not None or row.counts is not None,
        bars=bars,
        summary="; ".join(bar.title for bar in bars),
    )


def _label(row: Row) -> str:
    if row.counts is not None:
        count = sum(row.counts.values())
        if row.fork == "Parallel":
            return _("%(count)s more branches") % {"count": count}
        return _("%(count)s more iterations") % {"count": count}
    if row.branch is not None:
        if row.fork == "Parallel":
            return _("branch %(number)s") % {"number": row.branch + 1}
        return _("iteration %(number)s") % {"number": row.branch + 1}
    return display.legible(row.state)


def _bar(segment: Segment, start: datetime, whole: timedelta) -> Bar:
    x, width = 0.0, 100.0
    if whole > timedelta():
        x = (segment.start - start) / whole * 100
        width = max((segment.end - segment.start) / whole * 100, _NARROWEST)
        x = min(x, 100 - width)
    return Bar(
        x=f"{x:.2f}%",
        width=f"{width:.2f}%",
        y=7 if segment.kind is Kind.BRANCHES else 2,
        height=4 if segment.kind is Kind.BRANCHES else 14,
        css=f"wf-bar wf-bar-{segment.kind} wf-bar-{segment.outcome}",
        pattern=_PATTERNS[segment.kind],
        title=_bar_title(segment),
    )


def _bar_title(segment: Segment) -> str:
    words = [display.kind_word(segment.kind)]
    if segment.outcome is not Outcome.OPEN and segment.kind is not Kind.RETRY_DELAY:
        words.append(display.outcome_word(segment.outcome))
    if segment.attempt > 1:
        words.append(_("attempt %(number)s") % {"number": segment.attempt})
    if segment.error:
        words.append(display.legible(segment.error))
    words.append(display.length(segment.end - segment.start))
    words.append(_("from %(moment)s") % {"moment": _clock(segment.start)})
    return ", ".join(words)


def _clock(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "TIME_FORMAT")


def _ticks(start: datetime, whole: timedelta) -> list[Tick]:
    """Five marks below the bars: how long after the start."""
    if whole <= timedelta():
        return [Tick(x="0%", anchor="start", text=number_format(0))]
    anchors = ["start", "middle", "middle", "middle", "end"]
    return [
        Tick(
            x=f"{quarter * 25}%",
            anchor=anchor,
            text=number_format(0) if not quarter else display.length(whole * quarter / 4),
        )
        for quarter, anchor in enumerate(anchors)
    ]
