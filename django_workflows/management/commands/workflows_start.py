import difflib
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_workflows import actors, asl, engine, models
from django_workflows.asl import values
from django_workflows.asl.values import JSON

#: How often --wait looks.
POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = "Starts an execution of a workflow's current version, and prints its id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("workflow", metavar="NAME", help="the workflow")
        parser.add_argument(
            "--input",
            default="{}",
            metavar="JSON",
            help="JSON text, @FILE for a file's, - for that of standard input; {} by default",
        )
        parser.add_argument(
            "--name",
            metavar="N",
            help="the execution's name: a second start with the same is the first's execution",
        )
        parser.add_argument(
            "--wait",
            action="store_true",
            help="wait for its end, print its output; exit with 1 if it does not succeed",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        workflow = workflow_named(options["workflow"])
        actor = actors.system("command")
        input = _input(options["input"])
        try:
            execution = engine.start(workflow, input, actor=actor, name=options["name"])
        except (asl.CommandRejected, asl.InvalidValue) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(str(execution.pk))
        if options["wait"]:
            self.stdout.flush()
            self._wait(execution)

    def _wait(self, execution: models.Execution) -> None:
        try:
            while execution.is_running:
                time.sleep(POLL_SECONDS)
                execution.refresh_from_db()
        except KeyboardInterrupt:
            raise CommandError(f"the execution {execution.pk} goes on; nobody waits") from None
        if execution.status != models.Status.SUCCEEDED:
            why = ": ".join(part for part in (execution.error, execution.cause) if part)
            raise CommandError(f"{execution.status}{f': {why}' if why else ''}")
        self.stdout.write(values.dumps(execution.output))


def workflow_named(name: str) -> models.Workflow:
    """Raises CommandError where there is none."""
    workflow = models.Workflow.objects.select_related("current").filter(name=name).first()
    if workflow is not None:
        return workflow
    names = list(models.Workflow.objects.values_list("name", flat=True))
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise CommandError(f"there is no workflow {name!r}{hint}")


def _input(given: str) -> JSON:
    """The data that *given* stands for. Raises CommandError."""
    place = "--input"
    try:
        if given == "-":
            given, place = sys.stdin.read(), "standard input"
        elif given.startswith("@"):
            place = given[1:]
            given = Path(place).read_text(encoding="utf-8")
        return values.loads(given)
    except OSError as error:
        raise CommandError(f"{place}: {error.strerror}") from None
    except (asl.InvalidValue, UnicodeDecodeError) as error:
        raise CommandError(f"{place}: {error}") from None
