"""Definitions as files: ``workflows/NAME.asl.json`` or ``NAME.asl.yaml`` in an app.

JSON is kept as it was written. YAML (where PyYAML is installed) is read as JSON in
another dress: strings, numbers, ``true``, ``false`` and ``null`` alone, so that
``no`` and ``2026-01-01`` stay texts; anchors and aliases may be used.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django_workflows import asl
from django_workflows.asl.values import JSON

#: The folder of an app that its definitions are in.
FOLDER = "workflows"

JSON_SUFFIX = ".asl.json"
YAML_SUFFIXES = (".asl.yaml", ".asl.yml")
SUFFIXES = (JSON_SUFFIX, *YAML_SUFFIXES)

#: The code of what keeps YAML from being read, as of what keeps JSON from it.
_SYNTAX = "INVALID_JSON_DESCRIPTION"

_INTEGER = re.compile(r"-?(0|[1-9]\d*)")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_WORDS: dict[str, JSON] = {"": None, "~": None, "null": None, "true": True, "false": False}
#: What YAML may take plain JSON for.
_TAGS = {"map", "seq", "str", "int", "float", "bool", "null", "timestamp", "value", "merge"}

#: Where a member stands: line and column, from 1, by its JSON pointer.
Places = Mapping[str, tuple[int, int]]


class YamlMissing(Exception):
    """A YAML file is to be read, and PyYAML is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a file says, not yet checked."""

    path: Path
    #: The workflow's name: the file's, without its suffix.
    name: str
    #: The text of a JSON file, the data of a YAML file.
    source: str | bytes | dict[str, JSON]
    _places: Places = field(default_factory=dict, repr=False)
    #: What kept a YAML file from being read.
    _refused: asl.Problem | None = None

    def check(self) -> list[asl.Problem]:
        """Everything that is wrong with it, as `asl.check` has it, with lines and columns."""
        if self._refused is not None:
            return [self._refused]
        problems = asl.check(self.source)
        if not self._places:
            return problems
        return [self._located(problem) for problem in problems]

    def _located(self, problem: asl.Problem) -> asl.Problem:
        pointer = problem.pointer
        while pointer and pointer not in self._places:
            pointer = pointer.rpartition("/")[0]
        line, column = self._places[pointer]
        return replace(problem, line=line, column=column)


def name_of(path: Path) -> str:
    """The name of the workflow whose definition is at *path*."""
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.stem


def read(path: Path) -> Definition:
    """The definition at *path*. Raises OSError; YamlMissing."""
    if path.suffix in (".yaml", ".yml"):
        return _read_yaml(path)
    return Definition(path=path, name=name_of(path), source=path.read_bytes())


def of_apps(app_label: str | None = None) -> list[Path]:
    """The files of all installed apps, or of one; in the apps' order, then by name.

    Raises LookupError where there is no such app.
    """
    from django.apps import apps

    configs = apps.get_app_configs() if app_label is None else [apps.get_app_config(app_label)]
    return [path for config in configs for path in _in_folder(Path(config.path) / FOLDER)]


def _in_folder(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))


# -- YAML ---------------------------------------------------------------------------------


def _read_yaml(path: Path) -> Definition:
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        raise YamlMissing(
            f"{path}: PyYAML is not installed: pip install 'django-asl-workflows[yaml]'"
        ) from None
    found = Definition(path=path, name=name_of(path), source={})
    reader = _YamlReader(yaml)
    try:
        data = reader.read(path.read_bytes())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        return replace(found, _refused=_refusal(error.problem or "this is no YAML", *place))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return replace(found, _refused=_refusal(f"this is no YAML: {error}", 1, 1))
    return replace(found, source=data, _places=reader.places)


def _refusal(message: str, line: int, column: int) -> asl.Problem:
    return asl.Problem(code=_SYNTAX, pointer="", message=message, line=line, column=column)


class _YamlReader:
    """From YAML's nodes to JSON data, noting where each member stands."""

    def __init__(self, yaml: Any) -> None:
        self._yaml = yaml
        self.places: dict[str, tuple[int, int]] = {}
        self._open: list[Any] = []

    def read(self, text: bytes) -> JSON:
        node = self._yaml.compose(text, Loader=self._yaml.SafeLoader)
        if node is None:
            raise self._error("the file is empty", None)
        return self._value(node, "")

    def _value(self, node: Any, pointer: str) -> JSON:
        yaml = self._yaml
        if any(node is one for one in self._open):
            raise self._error("an alias stands inside of what it names", node)
        mark = node.start_mark
        self.places.setdefault(pointer, (mark.line + 1, mark.column + 1))
        if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
            raise self._error(f"the tag {node.tag!r} is not JSON", node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        self._open.append(node)
        try:
            if isinstance(node, yaml.SequenceNode):
                return [
                    self._value(item, f"{pointer}/{index}") for index, item in enumerate(node.value)
                ]
            return self._object(node, pointer)
        finally:
            self._open.pop()

    def _object(self, node: Any, pointer: str) -> dict[str, JSON]:
        found: dict[str, JSON] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, self._yaml.ScalarNode):
                raise self._error("a member's name must be a text", key_node)
            key = key_node.value
            if key == "<<" and key_node.style is None:
                raise self._error("merge keys (<<) are not JSON; name an alias instead", key_node)
            if key in found:
                raise self._error(f"the member {key!r} is there twice", key_node)
            member = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            mark = key_node.start_mark
            self.places[member] = (mark.line + 1, mark.column + 1)
            found[key] = self._value(value_node, member)
        return found

    def _scalar(self, node: Any) -> JSON:
        text = node.value
        is_word, is_integer = text in _WORDS, _INTEGER.fullmatch(text) is not None
        # YAML itself takes these for other things than texts, unless it is told by "!!str".
        is_told = node.tag.endswith(":str") and (is_word or is_integer)
        if node.style is not None or is_told:
            return text
        if is_word:
            return _WORDS[text]
        if is_integer and len(text) < 300:
            return int(text)
        return float(text) if _NUMBER.fullmatch(text) else text

    def _error(self, message: str, node: Any) -> Exception:
        mark = None if node is None else node.start_mark
        error: Exception = self._yaml.MarkedYAMLError(None, None, message, mark)
        return error
