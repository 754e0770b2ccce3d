import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_workflows import asl, graph, models

FORMATS = ("svg", "mermaid", "dot", "json", "outline")


class Command(BaseCommand):
    help = "Draws a workflow, or a definition in a file."
    # A file can be drawn without a site that is in order.
    requires_system_checks = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's own --version gives way to ours.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "workflow", metavar="NAME|FILE", help="a workflow's name; a file goes first"
        )
        parser.add_argument("--format", choices=FORMATS, default="svg", help="default: svg")
        parser.add_argument(
            "--version",
            type=int,
            metavar="N",
            help="which version of the workflow; the current one where left out",
        )
        parser.add_argument("--output", metavar="FILE", help="default: standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["workflow"]
        machine = self._machine(name, options["version"])
        drawn = _drawn(machine, options["format"], Path(name).name)
        if options["output"] is None:
            self.stdout.write(drawn, ending="")
            return
        try:
            Path(options["output"]).write_text(drawn, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['output']}: {error.strerror}") from None

    def _machine(self, name: str, version: int | None) -> asl.StateMachine:
        if Path(name).is_file():
            if version is not None:
                raise CommandError("A file has no versions: leave --version out")
            return self._read(name)
        workflow = models.Workflow.objects.filter(name=name).first()
        if workflow is None:
            raise CommandError(f"There is neither a file nor a workflow named {name!r}")
        if version is not None:
            definition = workflow.definitions.filter(version=version).first()
        else:
            definition = workflow.current
        if definition is None:
            which = "published version" if version is None else f"version {version}"
            raise CommandError(f"The workflow {name!r} has no {which}")
        return definition.machine

    def _read(self, name: str) -> asl.StateMachine:
        """The machine that the file *name* describes; what is wrong with it is printed."""
        try:
            source = Path(name).read_bytes()
        except OSError as error:
            raise CommandError(f"{name}: {error.strerror}") from None
        problems = asl.check(source)
        for problem in problems:
            self.stderr.write(_told(name, problem))
        errors = sum(problem.severity == "ERROR" for problem in problems)
        if errors:
            raise CommandError(f"{name}: {errors} {'error' if errors == 1 else 'errors'}")
        return asl.parse(source)


def _told(name: str, problem: asl.Problem) -> str:
    """*problem* as a compiler says it, so that editors find the place."""
    place = name if problem.line is None else f"{name}:{problem.line}:{problem.column}"
    where = f"{problem.pointer}: " if problem.pointer else ""
    return f"{place}: {problem.severity.lower()}: {where}{problem.message} [{problem.code}]"


def _drawn(machine: asl.StateMachine, form: str, title: str) -> str:
    match form:
        case "svg":
            return graph.svg(graph.layout(machine), title=title, standalone=True)
        case "mermaid":
            return graph.mermaid(machine)
        case "dot":
            return graph.dot(machine)
        case "outline":
            return graph.outline_text(graph.outline(machine))
        case _:
            # In ASCII: a definition may hold what no encoding can.
            return json.dumps(graph.as_json(graph.layout(machine)), indent=2) + "\n"
