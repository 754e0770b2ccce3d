import difflib
import json
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from django_workflows import asl, files, models
from django_workflows.asl import values
from django_workflows.asl.values import JSON
from django_workflows.management.commands.workflows_validate import line, opened


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    definition: files.Definition
    #: None where there is no workflow of this name yet.
    workflow: models.Workflow | None

    def __str__(self) -> str:
        if self.workflow is None:
            return f"{self.definition.name}: new, from {self.definition.path}"
        current = self.workflow.current
        was = "without a version" if current is None else f"differs from version {current.version}"
        return f"{self.definition.name}: {was}, from {self.definition.path}"


class Command(BaseCommand):
    help = (
        "Publishes the definitions in the apps' files, workflows/NAME.asl.json and"
        " workflows/NAME.asl.yaml: a new version only where the content has changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "names", nargs="*", metavar="NAME", help="workflows; by default all that have files"
        )
        parser.add_argument("--app", metavar="LABEL", help="only the files of this app")
        parser.add_argument(
            "--check",
            action="store_true",
            help="write nothing; list what would change, and exit with 1 if anything would",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        definitions = self._definitions(options["names"], options["app"])
        self._refuse_errors(definitions)
        changes = [change for one in definitions if (change := _change(one)) is not None]
        if options["check"]:
            for change in changes:
                self.stdout.write(str(change))
            if changes:
                raise CommandError(f"{len(changes)} of {len(definitions)} workflow(s) would change")
        else:
            with transaction.atomic():
                for change in changes:
                    self._publish(change)
        if options["verbosity"] > 0:
            unchanged = len(definitions) - len(changes)
            self.stdout.write(f"{len(changes)} changed, {unchanged} unchanged")

    def _definitions(self, names: list[str], app: str | None) -> list[files.Definition]:
        try:
            definitions = [opened(path) for path in files.of_apps(app)]
        except LookupError as error:
            raise CommandError(str(error)) from None
        by_name: dict[str, files.Definition] = {}
        for one in definitions:
            if one.name in by_name:
                raise CommandError(
                    f"two files define {one.name!r}: {by_name[one.name].path} and {one.path}"
                )
            by_name[one.name] = one
        for name in names:
            if name not in by_name:
                close = difflib.get_close_matches(name, by_name, n=1)
                hint = f" (did you mean {close[0]!r}?)" if close else ""
                raise CommandError(f"no file defines a workflow {name!r}{hint}")
        return [by_name[name] for name in dict.fromkeys(names)] if names else definitions

    def _refuse_errors(self, definitions: list[files.Definition]) -> None:
        """Before anything is written."""
        errors = 0
        for one in definitions:
            if not models.is_name(one.name):
                raise CommandError(
                    f"{one.path}: {one.name!r} can't be a workflow's name: {models.NAME_RULE}"
                )
            for problem in one.check():
                if problem.severity == "ERROR":
                    errors += 1
                    self.stderr.write(line(one.path, problem))
        if errors:
            raise CommandError(f"nothing was published: {errors} error(s) in the definitions")

    def _publish(self, change: _Change) -> None:
        one = change.definition
        comment = _comment(_data(one.source))
        workflow = change.workflow or models.Workflow.objects.create(
            name=one.name, description=comment
        )
        former = "" if workflow.current is None else _comment(_data(workflow.current.source))
        version = workflow.publish(one.source, note=f"workflows_load: {one.path.name}")
        # What people wrote instead of the former Comment is theirs.
        if workflow.description in ("", former) and workflow.description != comment:
            models.Workflow.objects.filter(pk=workflow.pk).update(description=comment)
        self.stdout.write(f"{one.name}: version {version.version}")


def _change(definition: files.Definition) -> _Change | None:
    """What publishing *definition* would change; None for nothing."""
    workflow = (
        models.Workflow.objects.select_related("current").filter(name=definition.name).first()
    )
    current = None if workflow is None else workflow.current
    if current is not None and _canonical(definition.source) == _canonical(current.source):
        return None
    return _Change(definition=definition, workflow=workflow)


def _canonical(source: str | bytes | dict[str, JSON]) -> str:
    return json.dumps(_data(source), sort_keys=True)


def _data(source: str | bytes | dict[str, JSON]) -> JSON:
    try:
        return source if isinstance(source, dict) else values.loads(source)
    except asl.InvalidValue as error:
        raise CommandError(f"a stored definition can't be read: {error}") from None


def _comment(document: JSON) -> str:
    comment = document.get("Comment")
    return comment if isinstance(comment, str) else ""
