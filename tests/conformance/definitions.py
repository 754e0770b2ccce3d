"""Definitions that AWS and others accepted or refused, and those of real systems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django_workflows import asl
from django_workflows.asl.errors import InvalidDefinition, Problem
from django_workflows.asl.parse import parse
from tests.conformance.results import Result


def run(folder: Path) -> Iterator[Result]:
    """One Result for every definition below *folder*, in the order of their lists."""
    yield from validation(folder)
    yield from rejections(folder)
    yield from real(folder)
    yield from variable_references(folder)


def validation(folder: Path) -> Iterator[Result]:
    """Same verdict as its oracle; the groups are the oracles."""
    for entry in json.loads((folder / "validation/manifest.json").read_text()):
        text = (folder / "validation" / entry["file"]).read_text()
        problems = _problems(text, entry.get("machine_type") or "STANDARD")
        accepted = not problems
        yield Result(
            "validation",
            entry["oracle"],
            entry["file"],
            accepted is entry["valid"],
            _said(problems) or f"accepted, but refused for: {entry['expected_problem']}",
        )


def real(folder: Path) -> Iterator[Result]:
    """Parses without a problem."""
    for entry in json.loads((folder / "real/manifest.json").read_text()):
        problems = _problems((folder / "real" / entry["file"]).read_text(), "STANDARD")
        yield Result(
            "real",
            entry["repo"].split("/")[0],
            entry["file"],
            not problems,
            _said(problems),
        )


def rejections(folder: Path) -> Iterator[Result]:
    """Same verdict as AWS, and where the message is AWS's, at the same place."""
    for vector in json.loads((folder / "rejections.json").read_text()):
        definition = vector["definition_text"] or vector["definition"]
        problems = _problems(definition, vector["workflow_type"])
        if vector["accepted"]:
            passed = not problems
        else:
            passed = bool(problems) and all(
                any(_is_at(place, problem) for problem in problems) for place in _places(vector)
            )
        expected = json.dumps(vector.get("error") or vector.get("diagnostics"))
        yield Result(
            "rejections",
            vector["group"],
            vector["id"].rpartition("::")[2],
            passed,
            f"expected {expected}\nfound {_said(problems) or 'nothing'}",
        )


def variable_references(folder: Path) -> Iterator[Result]:
    """The same variables of the same states."""
    for vector in json.loads((folder / "variable_references.json").read_text()):
        found = asl.variable_references(parse(vector["definition"]))
        expected = {name: sorted(names) for name, names in vector["variableReferences"].items()}
        yield Result(
            "variable references",
            vector["group"],
            vector["id"].rpartition("::")[2],
            found == expected,
            f"expected {expected}\nfound {found}",
        )


def _problems(definition: Any, machine_type: str) -> tuple[Problem, ...]:
    try:
        parse(definition, type="EXPRESS" if machine_type == "EXPRESS" else "STANDARD")
    except InvalidDefinition as error:
        return error.problems
    return ()


def _places(vector: dict[str, Any]) -> list[str]:
    """Where AWS found the problems, as JSON pointers."""
    found = [one["location"] for one in vector.get("diagnostics", []) if "location" in one]
    error = vector.get("error")
    if error and error["message_is_aws"]:
        found.append(error["message"].rstrip("'").rpartition(" at ")[2])
    return ["" if place == "/" else place for place in found]


def _is_at(place: str, problem: Problem) -> bool:
    # AWS names a template's field, where we name the member inside of it too.
    return f"{problem.pointer}/".startswith(f"{place}/")


def _said(problems: tuple[Problem, ...]) -> str:
    return "\n".join(map(str, problems))
