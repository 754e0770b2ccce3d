from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_workflows.management.commands.workflows_start import workflow_named


class Command(BaseCommand):
    help = "Writes a version of a workflow's definition, as it was published."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        # Django's own --version, that of Django, gives way.
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the workflow")
        parser.add_argument("--version", type=int, metavar="N", help="by default the current one")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="where to; by default standard output"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        workflow = workflow_named(options["name"])
        number, output = options["version"], options["output"]
        if number is None:
            definition = workflow.current
        else:
            definition = workflow.definitions.filter(version=number).first()
        if definition is None:
            wanted = "no version yet" if number is None else f"no version {number}"
            raise CommandError(f"the workflow {workflow.name!r} has {wanted}")
        text = definition.source.rstrip("\n") + "\n"
        if output is None:
            self.stdout.write(text, ending="")
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}") from None
        if options["verbosity"] > 0:
            self.stderr.write(f"{workflow.name} version {definition.version} is in {output}")
