"""Settings that would lose work, double it or stop it, found when the site starts."""

from __future__ import annotations

import dataclasses
import difflib
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from django_workflows import conf


@register(Tags.compatibility)
def check_settings(**_: Any) -> list[CheckMessage]:
    """E001: WORKFLOWS is no dict; E002: unknown key; E003: a value of the wrong kind."""
    said = getattr(settings, "WORKFLOWS", {})
    if not isinstance(said, dict):
        found = type(said).__name__
        return [Error(f"WORKFLOWS must be a dict, found {found}", id="django_workflows.E001")]
    problems: list[CheckMessage] = []
    defaults = conf.Settings()
    kinds = {field.name: field.type for field in dataclasses.fields(conf.Settings)}
    for key, value in said.items():
        if key not in conf.KEYS:
            close = difflib.get_close_matches(str(key).upper(), conf.KEYS, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(conf.KEYS)}."
            problems.append(
                Error(f"WORKFLOWS[{key!r}] is unknown", hint=hint, id="django_workflows.E002")
            )
            continue
        name = conf.KEYS[key]
        wanted = _wanted(str(kinds[name]), value)
        if wanted is not None:
            problems.append(
                Error(
                    f"WORKFLOWS[{key!r}] must be {wanted}, found {value!r}",
                    hint=f"The default is {getattr(defaults, name)!r}.",
                    id="django_workflows.E003",
                )
            )
    return problems


def _wanted(kind: str, value: object) -> str | None:
    """What *value* should have been; None where it is right."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    match kind:
        case "int":
            return None if is_number and isinstance(value, int) else "a positive whole number"
        case "float":
            return None if is_number else "a positive number"
        case "Mapping[str, str]":
            known = isinstance(value, dict) and all(
                isinstance(text, str) for pair in value.items() for text in pair
            )
            return None if known else "a dict of texts"
        case "bool":
            return None if isinstance(value, bool) else "True or False"
        case _:
            return None if value is None or isinstance(value, str) else "a text or None"


@register(Tags.compatibility)
def check_queue(**_: Any) -> list[CheckMessage]:
    """E004: no django-q2; E005: it runs tasks in the caller; W001-W003: it may lose or double."""
    if not apps.is_installed("django_q"):
        return [
            Error(
                "django_workflows needs django-q2 to run its tasks",
                hint="Add 'django_q' to INSTALLED_APPS.",
                id="django_workflows.E004",
            )
        ]
    queue = getattr(settings, "Q_CLUSTER", {})
    if not isinstance(queue, dict):
        return []
    problems: list[CheckMessage] = []
    if queue.get("sync"):
        problems.append(
            Error(
                "Q_CLUSTER['sync'] runs each task within the one before it, and within"
                " whatever request began it",
                hint="Leave it out. Tests can run the tasks with django_workflows.testing.",
                id="django_workflows.E005",
            )
        )
    timeout, retry = queue.get("timeout"), queue.get("retry", 60)
    if timeout is None:
        problems.append(
            Warning(
                "Q_CLUSTER['timeout'] is not set: a handler that never returns keeps its"
                " worker for ever",
                hint="Set it to more seconds than your slowest handler takes.",
                id="django_workflows.W001",
            )
        )
    elif isinstance(timeout, int | float) and retry <= timeout:
        problems.append(
            Warning(
                f"Q_CLUSTER['retry'] ({retry}) is not larger than Q_CLUSTER['timeout']"
                f" ({timeout}): tasks are delivered again while they run",
                hint="Set retry to the timeout and the time that a task may wait in the queue.",
                id="django_workflows.W002",
            )
        )
    drive = conf.current().drive_seconds
    if isinstance(timeout, int | float) and drive > timeout / 2:
        problems.append(
            Warning(
                f"WORKFLOWS['DRIVE_SECONDS'] ({drive}) leaves a handler less than half of"
                f" Q_CLUSTER['timeout'] ({timeout})",
                hint="The time that a worker goes on with one execution counts too.",
                id="django_workflows.W003",
            )
        )
    return problems
