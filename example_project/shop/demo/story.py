"""The timeline of an execution as text."""

from datetime import timedelta

from django.utils import timezone
from django_workflows import engine
from django_workflows.models import Execution
from django_workflows.timeline import Kind, Row, bars

WIDTH = 40
SIGNS = {
    Kind.QUEUED: "·",
    Kind.RUNNING: "#",
    Kind.WAITING: "~",
    Kind.RETRY_DELAY: "-",
    Kind.BRANCHES: "=",
}


def story(execution: Execution) -> str:
    """*execution*, a line for each state and branch, with when and for how long."""
    timeline = bars(engine.log(execution.pk), timezone.now())
    whole = max(timeline.end - timeline.start, timedelta(milliseconds=1))

    def column(moment) -> int:
        return min(int((moment - timeline.start) / whole * WIDTH), WIDTH - 1)

    def line(row: Row) -> str:
        drawn = [" "] * WIDTH
        for segment in row.segments:
            for at in range(column(segment.start), column(segment.end) + 1):
                drawn[at] = SIGNS[segment.kind]
        name = row.state if row.branch is None else f"{row.state} [{row.branch + 1}]"
        name = f"{'  ' * row.depth}{name}"
        length = (row.end - row.start).total_seconds()
        error = f" {row.error}" if row.error else ""
        return f"  {name:36.36} |{''.join(drawn)}| {length:7.3f}s {row.outcome}{error}"

    head = f"{execution}: {execution.get_status_display()} after {whole.total_seconds():.3f} s"
    legend = ", ".join(f"{sign} {kind.replace('_', ' ')}" for kind, sign in SIGNS.items())
    return "\n".join([head, *(line(row) for row in timeline.rows), f"  ({legend})"])
