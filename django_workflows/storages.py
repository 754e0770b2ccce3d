"""Where a distributed Map's items are read and its results written: Django's storages.

What a definition calls a bucket is one of the site's STORAGES: the one that the
setting BUCKETS names for it, else the one of the bucket's own name, else the folder
of that name in the default storage. Whether files then lie on a disk or at a
provider's is the storage's affair.

Rule: names in definitions and in data choose among the files of their bucket and
can't lead out of it.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import posixpath
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any, cast

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import File
from django.core.files.storage import Storage, default_storage, storages

from django_workflows import conf, models
from django_workflows.asl import itemreader, values
from django_workflows.asl.errors import StateError
from django_workflows.asl.values import JSON

_READ = re.compile(r"arn:[a-z-]+:states:[^:]*:[^:]*:s3:(?P<action>getObject|listObjectsV2)")
_WRITE = re.compile(r"arn:[a-z-]+:states:[^:]*:[^:]*:s3:putObject")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
#: Storages of the site's that no definition may mean by their own name.
_NOT_BUCKETS = {"staticfiles"}

#: How deep the folders of a storage are listed: a link may lead back to its own folder.
_DEEPEST = 64


class _Unusable(Exception):
    """A bucket or a key that is none; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A storage, and the folder in it that is the bucket: "" or one that ends with "/"."""

    name: str
    storage: Storage
    folder: str

    def path(self, key: str) -> str:
        """The name by which the storage knows the object *key*."""
        return f"{self.folder}{_checked_key(key)}"


def bucket(name: JSON) -> Bucket:
    """The bucket *name*, which need not exist. Raises _Unusable."""
    if not isinstance(name, str) or not _BUCKET.fullmatch(name) or ".." in name:
        raise _Unusable(f"Bucket: expected a bucket's name, found {values.dumps(name)[:100]}")
    alias = conf.current().buckets.get(name)
    if alias is None and name in settings.STORAGES and name not in _NOT_BUCKETS:
        alias = name
    if alias is None:
        return Bucket(name=name, storage=default_storage, folder=f"{name}/")
    try:
        return Bucket(name=name, storage=storages[alias], folder="")
    except Exception as error:
        raise _Unusable(f"Bucket {name!r}: the storage {alias!r} can't be used: {error}") from error


def _checked_key(key: JSON, what: str = "Key") -> str:
    """*key*, if it names something inside of a bucket. Raises _Unusable."""
    parts = key.split("/") if isinstance(key, str) else []
    if (
        not parts
        or {".", "..", ""} & set(parts)
        or any(letter == "\\" or letter < " " or letter == "\x7f" for letter in key)
        or len(key) > 1024
    ):
        raise _Unusable(f"{what}: expected an object's key, found {values.dumps(key)[:100]}")
    return cast(str, key)


# -- reading -----------------------------------------------------------------------------


def read(reader: Mapping[str, JSON]) -> Iterator[JSON]:
    """The items that an evaluated ItemReader reads, one after the other, MaxItems at most.

    Raises StateError: States.ItemReaderFailed, when it comes to the place.
    """
    resource, parameters = reader.get("Resource", ""), reader.get("Parameters")
    config = reader.get("ReaderConfig") or {}
    match = _READ.fullmatch(resource)
    if match is None:
        raise itemreader.failed(
            f"The resource {resource!r} can't be read: expected"
            " arn:aws:states:::s3:getObject or arn:aws:states:::s3:listObjectsV2."
        )
    if not isinstance(parameters, dict):
        raise itemreader.failed("The reader's parameters must be an object.")
    with _failing("States.ItemReaderFailed"):
        if match["action"] == "listObjectsV2":
            yield from _listed(parameters, config)
        elif "ManifestType" in config or config.get("InputType") == "MANIFEST":
            yield from _manifest(parameters, config)
        else:
            place = bucket(parameters.get("Bucket"))
            yield from _file(place, parameters.get("Key"), config)


@contextmanager
def _failing(name: str) -> Iterator[None]:
    """Have whatever goes wrong with a storage fail the Map with the Error Name *name*."""
    try:
        yield
    except (StateError, GeneratorExit):
        raise
    except _Unusable as error:
        raise StateError(name, f"{error}.") from None
    except SuspiciousOperation:
        raise StateError(name, "The key leads out of its bucket.") from None
    except FileNotFoundError:
        raise StateError(name, "The object was not found.") from None
    except Exception as error:
        # Each kind of storage has exceptions of its own.
        raise StateError(name, f"The storage failed: {type(error).__name__}: {error}") from error


def _file(place: Bucket, key: JSON, config: Mapping[str, JSON]) -> Iterator[JSON]:
    """The items in one object, by what ``InputType`` says that it holds."""
    with _opened(place, key) as file:
        yield from itemreader.stream(itemreader.lines(file), config)


@contextmanager
def _opened(place: Bucket, key: JSON) -> Iterator[IO[bytes]]:
    path = place.path(_checked_key(key))
    try:
        opened = place.storage.open(path, "rb")
    except FileNotFoundError:
        raise itemreader.failed(
            f"The object {key!r} was not found in the bucket {place.name!r}."
        ) from None
    with opened as file:
        if path.endswith(".gz"):
            with gzip.GzipFile(fileobj=cast("IO[bytes]", file)) as unpacked:
                yield cast("IO[bytes]", unpacked)
        else:
            yield cast("IO[bytes]", file)


def _manifest(parameters: Mapping[str, JSON], config: Mapping[str, JSON]) -> Iterator[JSON]:
    """The items in the files that a manifest names.

    Source: Amazon S3, "Inventory manifest"; Athena, UNLOAD's manifest: the URI of
    one file a line.
    """
    place, key = bucket(parameters.get("Bucket")), parameters.get("Key")
    if config.get("ManifestType", "S3_INVENTORY") == "ATHENA_DATA":
        files = {**config, "InputType": config.get("InputType", "CSV")}
        with _opened(place, key) as listing:
            for row in csv.reader(itemreader.lines(listing)):
                if row:
                    yield from _file(*_by_uri(row[0]), files)
        return
    with _opened(place, key) as file:
        manifest = values.loads(file.read())
    match manifest:
        case {"fileFormat": "CSV", "fileSchema": str(schema), "files": [*named]}:
            pass
        case _:
            raise itemreader.failed("The manifest is not that of an S3 inventory in CSV.")
    held = str(manifest.get("destinationBucket", "")).rpartition(":")[2]
    source = bucket(held) if held else place
    rows: dict[str, JSON] = {
        "InputType": "CSV",
        "CSVHeaderLocation": "GIVEN",
        "CSVHeaders": [name.strip() for name in schema.split(",")],
    }
    for one in named:
        if not isinstance(one, dict):
            raise itemreader.failed("The manifest's files are not objects.")
        yield from _file(source, one.get("key"), rows)


def _by_uri(uri: str) -> tuple[Bucket, str]:
    match = re.fullmatch(r"s3://([^/]+)/(.+)", uri.strip())
    if match is None:
        raise itemreader.failed(f"The manifest names no object: {uri[:100]!r}.")
    return bucket(match[1]), match[2]


def _listed(parameters: Mapping[str, JSON], config: Mapping[str, JSON]) -> Iterator[JSON]:
    """The objects whose keys begin with Prefix, in the order of their keys."""
    place = bucket(parameters.get("Bucket"))
    prefix = parameters.get("Prefix") or ""
    if prefix:
        _checked_key(prefix.rstrip("/") if isinstance(prefix, str) else prefix, "Prefix")
    flattens = config.get("Transformation") == "LOAD_AND_FLATTEN"
    for key in _keys(place, posixpath.dirname(prefix), prefix, depth=0):
        if flattens:
            yield from _file(place, key, config)
        else:
            yield _object(place, key)


def _keys(place: Bucket, folder: str, prefix: str, *, depth: int) -> Iterator[str]:
    try:
        folders, files = place.storage.listdir(f"{place.folder}{folder}".rstrip("/"))
    except FileNotFoundError:
        return
    base = f"{folder}/" if folder else ""
    # A folder's keys all go on with "/", which is where they belong in the order.
    for name in sorted([*(f"{name}/" for name in folders), *files]):
        key = f"{base}{name}"
        if not name.endswith("/"):
            if key.startswith(prefix):
                yield key
        elif depth < _DEEPEST and (key.startswith(prefix) or prefix.startswith(key)):
            yield from _keys(place, key.rstrip("/"), prefix, depth=depth + 1)


def _object(place: Bucket, key: str) -> JSON:
    path = place.path(key)
    size, modified = place.storage.size(path), place.storage.get_modified_time(path)
    seconds = modified.timestamp()
    tag = hashlib.sha256(f"{path}:{size}:{seconds}".encode()).hexdigest()[:32]
    return {
        "Etag": f'"{tag}"',
        "Key": key,
        "LastModified": int(seconds),
        "Size": size,
        "StorageClass": "STANDARD",
    }


# -- writing -----------------------------------------------------------------------------


def transformed(children: Iterable[models.Execution], transformation: JSON) -> Iterator[JSON]:
    """What a writer writes of *children* that succeeded, as WriterConfig.Transformation says."""
    for child in children:
        match transformation:
            case "COMPACT":
                yield child.output
            case "FLATTEN" if isinstance(child.output, list):
                yield from child.output
            case "FLATTEN":
                yield child.output
            case _:
                yield described(child)


def described(child: models.Execution) -> JSON:
    """A child as AWS describes one in the files of results."""
    found: dict[str, JSON] = {
        "ExecutionArn": str(child.pk),
        "Input": values.compact(child.input),
        "InputDetails": {"Included": True},
        "Name": child.name,
    }
    if child.status == models.Status.SUCCEEDED:
        found["Output"] = values.compact(child.output)
        found["OutputDetails"] = {"Included": True}
    else:
        found |= {"Error": child.error, "Cause": child.cause}
    found["StartDate"] = values.format_timestamp(child.started_at, timespec="milliseconds")
    found["Status"] = child.status
    if child.ended_at is not None:
        found["StopDate"] = values.format_timestamp(child.ended_at, timespec="milliseconds")
    return found


def write(
    run: models.MapRun,
    writer: Mapping[str, JSON],
    children: Callable[[bool], Iterator[models.Execution]],
) -> tuple[JSON, int]:
    """Write the results of *run*; the Map's result, and how many results were written.

    ``children(True)`` gives those that succeeded, in order, ``children(False)`` all
    others. May be done again: the same files are then written anew.

    Raises StateError: States.ResultWriterFailed.
    """
    resource, parameters = writer.get("Resource") or "", writer.get("Parameters")
    config = writer.get("WriterConfig") or {}
    if not _WRITE.fullmatch(resource):
        raise StateError(
            "States.ResultWriterFailed",
            f"The resource {resource!r} can't be written: expected arn:aws:states:::s3:putObject.",
        )
    with _failing("States.ResultWriterFailed"):
        if not isinstance(parameters, dict):
            raise _Unusable("Parameters: expected an object")
        place = bucket(parameters.get("Bucket"))
        prefix = parameters.get("Prefix") or ""
        if prefix:
            prefix = _checked_key(
                prefix.rstrip("/") if isinstance(prefix, str) else prefix, "Prefix"
            )
        folder = f"{prefix}/{run.pk}" if prefix else str(run.pk)
        output_type = config.get("OutputType", "JSON")
        suffix = "jsonl" if output_type == "JSONL" else "json"
        good = transformed(children(True), config.get("Transformation"))
        files: dict[str, list[JSON]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
        written = 0
        for name, results in (
            ("SUCCEEDED", good),
            ("FAILED", (described(child) for child in children(False))),
        ):
            first = next(results, _NOTHING)
            if first is _NOTHING:
                continue
            key, size, count = _put(
                place,
                f"{folder}/{name}_0.{suffix}",
                chain([first], results),
                as_lines=suffix == "jsonl",
            )
            files[name].append({"Key": key, "Size": size})
            written += count
        manifest = {
            "DestinationBucket": place.name,
            "MapRunArn": run.arn,
            "ResultFiles": files,
        }
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(manifest).encode())
            key = _save(place, f"{folder}/manifest.json", file)
    details = {"Bucket": place.name, "Key": key}
    return {"MapRunArn": run.arn, "ResultWriterDetails": details}, written


_NOTHING: Any = object()


def _put(
    place: Bucket, key: str, results: Iterable[JSON], *, as_lines: bool
) -> tuple[str, int, int]:
    """Write *results* as one object; its key, its size, and how many they were."""
    count = 0
    with tempfile.TemporaryFile() as file:
        for result in results:
            if not as_lines:
                file.write(b"," if count else b"[")
            file.write(values.dumps(result).encode())
            if as_lines:
                file.write(b"\n")
            count += 1
        if not as_lines:
            file.write(b"]" if count else b"[]")
        size = file.tell()
        return _save(place, key, file), size, count


def _save(place: Bucket, key: str, file: IO[bytes]) -> str:
    """Save *file* as the object *key*, or under the name that the storage gave it instead."""
    path = place.path(key)
    # A worker may have died after writing it. Storages differ in what saving anew does.
    if place.storage.exists(path):
        place.storage.delete(path)
    file.seek(0)
    saved = place.storage.save(path, File(file)).replace("\\", "/")
    return saved.removeprefix(place.folder)
