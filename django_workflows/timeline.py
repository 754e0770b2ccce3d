"""From events to the bars of a timeline: what ran, waited and was retried, and when.

Rule 1: pure. `now` comes in, and so does what no event tells (which open tasks
nobody has begun yet).
Rule 2: any stretch of a log will do. What began before its first event begins, on
the timeline, with it.
Rule 3: what comes out is bounded: many branches of one Map or Parallel become a
few rows and one that counts the others, and no more than ``limit`` rows come out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from django_workflows import asl, resources
from django_workflows.asl.events import AnyEvent, Path


class Kind(StrEnum):
    """What a stretch of time was spent on."""

    #: A task that no worker has begun.
    QUEUED = "queued"
    RUNNING = "running"
    #: For a person, an answer from outside, or a moment.
    WAITING = "waiting"
    RETRY_DELAY = "retry_delay"
    #: For the branches below.
    BRANCHES = "branches"


class Outcome(StrEnum):
    """How it ended; in the order in which branches deserve to be looked at."""

    FAILED = "failed"
    TIMED_OUT = "timed_out"
    #: Failed, and a Catcher led on.
    CAUGHT = "caught"
    ABORTED = "aborted"
    OPEN = "open"
    SUCCEEDED = "succeeded"


#: Whatever ended so goes on when the execution is redriven.
_REDRIVEN = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.ABORTED)
_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One bar."""

    kind: Kind
    outcome: Outcome
    start: datetime
    #: Its end; for what is still open, the timeline's own.
    end: datetime
    #: The seq of the event that began it.
    seq: int
    #: Which attempt of the state this is, or in a retry's delay was: from 1.
    attempt: int = 1
    error: str | None = None
    #: For a wait or a retry's delay: when it is to end.
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A visit of a state, a branch, or a crowd of branches."""

    path: Path
    #: The state's name; for a branch, and for a crowd, that of its Parallel or Map.
    state: str
    #: How far it is indented: a branch by one more than its state, its states by two.
    depth: int
    #: The seq of the event that began it, or of the first that told of it.
    seq: int
    start: datetime
    end: datetime
    outcome: Outcome
    segments: Sequence[Segment] = ()
    #: Which branch or iteration this is, from 0; None for a state's visit.
    branch: int | None = None
    #: Set for a crowd: how many branches ended in each way.
    counts: Mapping[Outcome, int] | None = None
    #: "Map", "Parallel", ... where this state, or the one around the branch, forks.
    fork: str | None = None
    error: str | None = None
    #: It began before the first event that we have.
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    rows: Sequence[Row]
    start: datetime
    end: datetime
    #: How many rows there would have been beyond the limit.
    hidden: int = 0


def bars(
    log: Iterable[AnyEvent],
    now: datetime,
    *,
    queued: Collection[int] = frozenset(),
    waiting: Collection[int] = frozenset(),
    limit: int = 300,
    branches: int = 10,
) -> Timeline:
    """The timeline of *log*, all of an execution's events or any stretch of them.

    ``queued`` and ``waiting`` are the seqs of open tasks that nobody has begun, and
    that wait for an answer from outside though their resource does not say so.
    ``branches`` is how many of one fork's branches have rows of their own.
    """
    drawing = _Drawing(queued=queued, waiting=waiting)
    for event in log:
        drawing.take(event)
    start = drawing.start or now
    end = drawing.ended_at or max(now, drawing.latest or now)
    rows: list[Row] = []
    hidden = 0
    for row in _rows(drawing.roots, end, branches):
        if len(rows) < limit:
            rows.append(row)
        else:
            hidden += 1
    return Timeline(rows=tuple(rows), start=start, end=max(start, end), hidden=hidden)


# -- taking events ---------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Bar:
    kind: Kind
    start: datetime
    seq: int
    attempt: int = 1
    until: datetime | None = None
    error: str | None = None
    end: datetime | None = None
    outcome: Outcome = Outcome.OPEN

    def close(self, at: datetime, outcome: Outcome, error: str | None = None) -> None:
        if self.end is None:
            self.end, self.outcome = at, outcome
            self.error = error or self.error


@dataclass(slots=True, kw_only=True)
class _Visit:
    path: Path
    state: str
    seq: int
    start: datetime
    cut: bool = False
    end: datetime | None = None
    outcome: Outcome = Outcome.OPEN
    error: str | None = None
    bars: list[_Bar] = field(default_factory=list)
    fork: str | None = None
    branches: list[_Branch] = field(default_factory=list)

    def begin(self, bar: _Bar) -> None:
        self.finish(bar.start, Outcome.SUCCEEDED)
        self.bars.append(bar)

    def finish(self, at: datetime, outcome: Outcome, error: str | None = None) -> None:
        """End the bar that is open, if one is."""
        if self.bars:
            self.bars[-1].close(at, outcome, error)

    def close(self, at: datetime, outcome: Outcome, error: str | None = None) -> None:
        if self.end is not None:
            return
        self.finish(at, outcome, error)
        self.end, self.outcome = at, outcome
        self.error = error or self.error


@dataclass(slots=True, kw_only=True)
class _Branch:
    path: Path
    seq: int
    start: datetime
    cut: bool = False
    end: datetime | None = None
    outcome: Outcome = Outcome.OPEN
    error: str | None = None
    visits: list[_Visit] = field(default_factory=list)


class _Drawing:
    """The visits and branches that the events so far tell of, as a tree."""

    def __init__(self, *, queued: Collection[int], waiting: Collection[int]) -> None:
        self.queued = queued
        self.waiting = waiting
        self.start: datetime | None = None
        self.latest: datetime | None = None
        self.ended_at: datetime | None = None
        self.roots: list[_Visit] = []
        #: The visit that each path is at, and each branch that has not ended.
        self.current: dict[Path, _Visit] = {}
        self.open: dict[Path, _Branch] = {}
        #: The last ones of each path, for a redrive.
        self.last_visit: dict[Path, _Visit] = {}
        self.last_branch: dict[Path, _Branch] = {}

    def take(self, event: AnyEvent) -> None:
        self.start = self.start or event.at
        self.latest = event.at
        at, path = event.at, event.path
        match event:
            case asl.ExecutionStarted():
                pass
            case asl.StateEntered():
                self._enter(path, event.state, event.seq, at)
            case asl.TaskStarted():
                self._visit(path, event.state, event).begin(
                    _Bar(
                        kind=self._kind_of(event),
                        start=at,
                        seq=event.seq,
                        attempt=event.retry_count + 1,
                    )
                )
            case asl.WaitStarted():
                self._visit(path, event.state, event).begin(
                    _Bar(kind=Kind.WAITING, start=at, seq=event.seq, until=event.until)
                )
            case asl.RetryScheduled():
                visit = self._visit(path, event.state, event)
                attempt = visit.bars[-1].attempt if visit.bars else 1
                visit.begin(
                    _Bar(
                        kind=Kind.RETRY_DELAY,
                        start=at,
                        seq=event.seq,
                        attempt=attempt,
                        until=event.until,
                        error=event.error,
                    )
                )
            case asl.ForkStarted():
                visit = self._visit(path, event.state, event)
                visit.fork = event.kind
                attempt = visit.bars[-1].attempt + 1 if visit.bars else 1
                visit.begin(_Bar(kind=Kind.BRANCHES, start=at, seq=event.seq, attempt=attempt))
            case asl.TaskHeartbeat():
                pass
            case asl.TaskSucceeded() | asl.WaitFinished():
                self._finish(path, at, Outcome.SUCCEEDED)
            case asl.TaskFailed():
                self._finish(path, at, Outcome.FAILED, event.error)
            case asl.TaskTimedOut():
                self._finish(path, at, Outcome.TIMED_OUT, event.error)
            case asl.StateFailed():
                visit = self._visit(path, event.state, event)
                if not visit.bars:
                    visit.begin(_Bar(kind=Kind.RUNNING, start=visit.start, seq=visit.seq))
                self._end_branches(visit, at, Outcome.ABORTED)
                visit.finish(at, Outcome.FAILED, event.error)
                visit.error = event.error
            case asl.StateExited():
                visit = self._visit(path, event.state, event)
                self._end_branches(visit, at, Outcome.ABORTED)
                ended_by = Outcome.SUCCEEDED if event.catcher is None else Outcome.CAUGHT
                visit.close(at, ended_by, visit.bars[-1].error if visit.bars else None)
                del self.current[path]
            case asl.BranchStarted():
                self._branch(path, event.seq, at, cut=False)
            case asl.BranchSucceeded():
                self._end_branch(path, at, Outcome.SUCCEEDED)
            case asl.BranchFailed():
                self._end_branch(path, at, Outcome.FAILED, event.error)
            case asl.BranchAborted():
                self._end_branch(path, at, Outcome.ABORTED)
            case asl.TaskTaken():
                pass
            case asl.ExecutionRedriven():
                self.ended_at = None
                self._reopen((), at, event.seq)
            case asl.ExecutionSucceeded():
                self._end(at, Outcome.SUCCEEDED)
            case asl.ExecutionFailed():
                self._end(at, Outcome.FAILED, event.error)
            case asl.ExecutionTimedOut():
                self._end(at, Outcome.TIMED_OUT, event.error)
            case asl.ExecutionAborted():
                self._end(at, Outcome.ABORTED, event.error)
            case _:
                assert_never(event)

    def _kind_of(self, event: asl.TaskStarted) -> Kind:
        if event.seq in self.queued:
            return Kind.QUEUED
        kind = resources.kind(event.resource)
        if event.seq in self.waiting or kind is not resources.Kind.HANDLER:
            return Kind.WAITING
        return Kind.RUNNING

    def _enter(
        self, path: Path, state: str, seq: int, at: datetime, *, cut: bool = False
    ) -> _Visit:
        visit = _Visit(path=path, state=state, seq=seq, start=at, cut=cut)
        self.current[path] = self.last_visit[path] = visit
        self._siblings(path, seq).append(visit)
        return visit

    def _siblings(self, path: Path, seq: int) -> list[_Visit]:
        if not path:
            return self.roots
        branch = self.open.get(path)
        if branch is None:
            branch = self._branch(path, seq, self._begin(), cut=True)
        return branch.visits

    def _visit(self, path: Path, state: str, event: AnyEvent) -> _Visit:
        """The visit that *event* belongs to; where its beginning is cut off, a new one."""
        visit = self.current.get(path)
        if visit is None or visit.state != state:
            visit = self._enter(path, state, event.seq, self._begin(), cut=True)
        return visit

    def _branch(self, path: Path, seq: int, at: datetime, *, cut: bool) -> _Branch:
        outer, state = path[:-2], str(path[-2])
        fork = self.current.get(outer)
        if fork is None or fork.state != state:
            fork = self._enter(outer, state, seq, self._begin(), cut=True)
        branch = _Branch(path=path, seq=seq, start=at, cut=cut)
        fork.branches.append(branch)
        self.open[path] = self.last_branch[path] = branch
        return branch

    def _begin(self) -> datetime:
        assert self.start is not None
        return self.start

    def _finish(self, path: Path, at: datetime, outcome: Outcome, error: str | None = None) -> None:
        visit = self.current.get(path)
        if visit is not None:
            visit.finish(at, outcome, error)

    def _end_branch(
        self, path: Path, at: datetime, outcome: Outcome, error: str | None = None
    ) -> None:
        branch = self.open.pop(path, None)
        if branch is None:
            self._siblings(path, 0)
            branch = self.open.pop(path)
        branch.end, branch.outcome, branch.error = at, outcome, error
        visit = self.current.pop(path, None)
        if visit is not None:
            self._end_branches(visit, at, Outcome.ABORTED)
            visit.close(at, outcome, error)

    def _end_branches(self, visit: _Visit, at: datetime, outcome: Outcome) -> None:
        for branch in visit.branches:
            if branch.end is None:
                self._end_branch(branch.path, at, outcome)

    def _end(self, at: datetime, outcome: Outcome, error: str | None = None) -> None:
        self.ended_at = at
        visit = self.current.pop((), None)
        if visit is None:
            return
        inner = outcome if outcome is Outcome.SUCCEEDED else Outcome.ABORTED
        self._end_branches(visit, at, inner)
        visit.close(at, outcome, error)

    def _reopen(self, path: Path, at: datetime, seq: int) -> None:
        """A redrive goes on with the visit at *path*, and with its branches that failed."""
        visit = self.last_visit.get(path)
        if visit is None or visit.outcome not in _REDRIVEN:
            return
        visit.end, visit.outcome = None, Outcome.OPEN
        self.current[path] = visit
        if visit.fork is not None:
            visit.begin(_Bar(kind=Kind.BRANCHES, start=at, seq=seq))
        for branch in visit.branches:
            if branch.outcome in _REDRIVEN and self.last_branch[branch.path] is branch:
                branch.end, branch.outcome = None, Outcome.OPEN
                self.open[branch.path] = branch
                self._reopen(branch.path, at, seq)


# -- giving rows -----------------------------------------------------------------------


def _rows(visits: Iterable[_Visit], end: datetime, branches: int) -> Iterator[Row]:
    for visit in visits:
        yield _visit_row(visit, end)
        shown = list(visit.branches)
        crowd: list[_Branch] = []
        if len(shown) > branches:
            shown.sort(key=lambda branch: (_RANK[branch.outcome], branch.path[-1]))
            shown, crowd = shown[:branches], shown[branches:]
        for branch in shown:
            yield _branch_row(branch, visit.fork, end)
            yield from _rows(branch.visits, end, branches)
        if crowd:
            yield _crowd_row(visit, crowd, end)


def _visit_row(visit: _Visit, end: datetime) -> Row:
    bars = [_segment(bar, end) for bar in visit.bars]
    if not bars:
        bars = [
            Segment(
                kind=Kind.RUNNING,
                outcome=visit.outcome,
                start=visit.start,
                end=visit.end or end,
                seq=visit.seq,
                error=visit.error,
            )
        ]
    return Row(
        path=visit.path,
        state=visit.state,
        depth=len(visit.path),
        seq=visit.seq,
        start=visit.start,
        end=visit.end or end,
        outcome=visit.outcome,
        segments=tuple(bars),
        fork=visit.fork,
        error=visit.error,
        cut=visit.cut,
    )


def _segment(bar: _Bar, end: datetime) -> Segment:
    return Segment(
        kind=bar.kind,
        outcome=bar.outcome,
        start=bar.start,
        end=bar.end or end,
        seq=bar.seq,
        attempt=bar.attempt,
        error=bar.error,
        until=bar.until,
    )


def _branch_row(branch: _Branch, fork: str | None, end: datetime) -> Row:
    return Row(
        path=branch.path,
        state=str(branch.path[-2]),
        depth=len(branch.path) - 1,
        seq=branch.seq,
        start=branch.start,
        end=branch.end or end,
        outcome=branch.outcome,
        branch=int(branch.path[-1]),
        fork=fork,
        error=branch.error,
        cut=branch.cut,
    )


def _crowd_row(visit: _Visit, crowd: Sequence[_Branch], end: datetime) -> Row:
    counts = Counter(branch.outcome for branch in crowd)
    start = min(branch.start for branch in crowd)
    last = max(branch.end or end for branch in crowd)
    worst = min(counts, key=_RANK.__getitem__)
    return Row(
        path=visit.path,
        state=visit.state,
        depth=len(visit.path) + 1,
        seq=visit.seq,
        start=start,
        end=last,
        outcome=worst,
        segments=(
            Segment(kind=Kind.BRANCHES, outcome=worst, start=start, end=last, seq=visit.seq),
        ),
        counts={outcome: counts[outcome] for outcome in Outcome if outcome in counts},
        fork=visit.fork,
    )
