from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_workflows import asl, files


class Command(BaseCommand):
    help = (
        "Says what is wrong with definitions in files, as a compiler does:"
        " file:line:column: code: message [pointer]."
    )
    # A definition may be checked where the site isn't set up.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "files",
            nargs="*",
            type=Path,
            metavar="FILE",
            help="definitions, in JSON or YAML; by default those of all apps",
        )
        parser.add_argument("--strict", action="store_true", help="take warnings for errors")

    def handle(self, *args: Any, **options: Any) -> None:
        paths: list[Path] = options["files"] or files.of_apps()
        problems = [problem for path in paths for problem in self._report(path)]
        errors = sum(problem.severity == "ERROR" for problem in problems)
        warnings = len(problems) - errors
        if errors or (warnings and options["strict"]):
            raise CommandError(f"{errors} error(s), {warnings} warning(s) in {len(paths)} file(s)")
        if options["verbosity"] > 0:
            self.stderr.write(f"{len(paths)} file(s) checked, {warnings} warning(s)")

    def _report(self, path: Path) -> list[asl.Problem]:
        definition = opened(path)
        problems = definition.check()
        for problem in problems:
            self.stdout.write(line(path, problem))
        return problems


def opened(path: Path) -> files.Definition:
    """The definition at *path*. Raises CommandError where it can't be read."""
    try:
        return files.read(path)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except files.YamlMissing as error:
        raise CommandError(str(error)) from None


def line(path: Path, problem: asl.Problem) -> str:
    """*problem* as a compiler says it."""
    place = f"{path}:{problem.line or 1}:{problem.column or 1}"
    severity = "" if problem.severity == "ERROR" else "warning: "
    return f"{place}: {severity}{problem.code}: {problem.message} [{problem.pointer or '/'}]"
