"""Items from files and results into files, through Django's storages."""

from __future__ import annotations

import gzip
import json
from typing import Any
from uuid import UUID

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage, storages

from django_workflows import models
from django_workflows import storages as ours
from django_workflows.asl import StateError
from tests.database.test_mapruns import _queue, drain, fan, only_run
from tests.workflows import call, failure, machine, output, started

__all__ = ["_queue"]

GET = "arn:aws:states:::s3:getObject"
LIST = "arn:aws:states:::s3:listObjectsV2"
PUT = "arn:aws:states:::s3:putObject"
CSV = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}


@pytest.fixture(autouse=True)
def _media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = {
        **settings.STORAGES,
        "reports": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "reports"},
        },
    }


def store(name: str, data: str | bytes, storage: Any = default_storage) -> None:
    storage.save(name, ContentFile(data if isinstance(data, bytes) else data.encode()))


def read(config: dict[str, Any] | None = None, resource: str = GET, **parameters: Any) -> list[Any]:
    reader = {"Resource": resource, "Parameters": parameters, "ReaderConfig": config or {}}
    return list(ours.read(reader))


def refusal(*arguments: Any, **parameters: Any) -> str:
    with pytest.raises(StateError) as raised:
        read(*arguments, **parameters)
    assert raised.value.name == "States.ItemReaderFailed"
    return raised.value.cause


# -- buckets -----------------------------------------------------------------------------


def test_a_bucket_is_a_folder_of_the_default_storage():
    store("sales/2026/jan.csv", "n\n1\n2\n")
    assert read(CSV, Bucket="sales", Key="2026/jan.csv") == [{"n": "1"}, {"n": "2"}]


def test_a_bucket_is_the_storage_of_its_name():
    store("jan.json", "[1, 2]", storages["reports"])
    assert read({"InputType": "JSON"}, Bucket="reports", Key="jan.json") == [1, 2]


def test_a_bucket_is_the_storage_that_the_setting_names(settings):
    settings.WORKFLOWS = {"BUCKETS": {"acme-reports-eu": "reports"}}
    store("jan.json", "[1]", storages["reports"])
    assert read(Bucket="acme-reports-eu", Key="jan.json") == [1]
    settings.WORKFLOWS = {"BUCKETS": {"acme-reports-eu": "nowhere"}}
    assert "'nowhere' can't be used" in refusal(Bucket="acme-reports-eu", Key="jan.json")


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("sales", "../secret.json"),
        ("sales", "a/../../secret.json"),
        ("sales", "/etc/passwd"),
        ("sales", "./secret.json"),
        ("sales", "a//b"),
        ("sales", "..\\secret.json"),
        ("sales", "a\x00b"),
        ("sales", ""),
        ("sales", None),
        ("sales", {"a": 1}),
        ("..", "secret.json"),
        ("", "secret.json"),
        ("a/b", "secret.json"),
        ("/", "secret.json"),
        (None, "secret.json"),
    ],
)
def test_nothing_leads_out_of_a_bucket(bucket, key):
    store("secret.json", "[1]")
    store("sales/open.json", "[1]")
    assert "expected" in refusal(Bucket=bucket, Key=key)


def test_the_storages_own_check_is_there_too(monkeypatch):
    monkeypatch.setattr(ours, "_checked_key", lambda key, what="Key": key)
    store("sales/open.json", "[1]")
    assert refusal(Bucket="sales", Key="../../secret.json") == "The key leads out of its bucket."


def test_the_sites_own_files_are_no_bucket(settings):
    assert ours.bucket("staticfiles").folder == "staticfiles/"


# -- readers -----------------------------------------------------------------------------


def test_what_is_not_there_fails():
    cause = refusal(Bucket="sales", Key="none.json")
    assert cause == "The object 'none.json' was not found in the bucket 'sales'."


def test_a_storage_that_fails_fails_the_reader(monkeypatch):
    def fails(self, name, mode="rb"):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(FileSystemStorage, "open", fails)
    cause = refusal(Bucket="sales", Key="a.json")
    assert cause == "The storage failed: ConnectionError: no route to host"


def test_other_resources_are_no_readers():
    assert "'arn:aws:states:::s3:deleteObject'" in refusal(
        {}, "arn:aws:states:::s3:deleteObject", Bucket="sales", Key="a"
    )


def test_json_lines_and_compressed_files():
    store("sales/a.jsonl", '{"n": 1}\n{"n": 2}\n')
    store("sales/a.csv.gz", gzip.compress(b"n\n1\n"))
    assert read({"InputType": "JSONL"}, Bucket="sales", Key="a.jsonl") == [{"n": 1}, {"n": 2}]
    assert read(CSV, Bucket="sales", Key="a.csv.gz") == [{"n": "1"}]


def test_an_inventory_is_read_with_its_schema():
    store("held/inv/1.csv.gz", gzip.compress(b'"sales","a%20b.txt","3"\n"sales","c.txt","4"\n'))
    manifest = {
        "sourceBucket": "sales",
        "destinationBucket": "arn:aws:s3:::held",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "inv/1.csv.gz", "size": 1}],
    }
    store("held/manifest.json", json.dumps(manifest))
    items = [
        {"Bucket": "sales", "Key": "a%20b.txt", "Size": "3"},
        {"Bucket": "sales", "Key": "c.txt", "Size": "4"},
    ]
    assert read({"InputType": "MANIFEST"}, Bucket="held", Key="manifest.json") == items
    config = {"InputType": "CSV", "ManifestType": "S3_INVENTORY"}
    assert read(config, Bucket="held", Key="manifest.json") == items


def test_a_manifest_that_is_none_fails():
    store("held/manifest.json", '{"fileFormat": "ORC"}')
    assert "not that of an S3 inventory" in refusal(
        {"InputType": "MANIFEST"}, Bucket="held", Key="manifest.json"
    )


def test_athenas_manifest_names_files_to_read():
    store("data/1.csv", "n\n1\n")
    store("data/2.csv", "n\n2\n")
    store("held/m.csv", "s3://data/1.csv\ns3://data/2.csv\n")
    config = {**CSV, "ManifestType": "ATHENA_DATA"}
    assert read(config, Bucket="held", Key="m.csv") == [{"n": "1"}, {"n": "2"}]
    store("held/bad.csv", "s3://../x\n")
    assert "expected a bucket's name" in refusal(config, Bucket="held", Key="bad.csv")


def test_objects_are_listed_in_the_order_of_their_keys():
    for key in ("b.txt", "a/1.txt", "a/2/x.txt", "a.txt", "a-1/z.txt", "c/d.txt"):
        store(f"sales/{key}", "hello")
    found = read({}, LIST, Bucket="sales")
    keys = [item["Key"] for item in found]
    assert keys == ["a-1/z.txt", "a.txt", "a/1.txt", "a/2/x.txt", "b.txt", "c/d.txt"]
    assert keys == sorted(keys)
    assert set(found[0]) == {"Etag", "Key", "LastModified", "Size", "StorageClass"}
    assert (found[0]["Size"], found[0]["StorageClass"]) == (5, "STANDARD")


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("a", ["a-1/z.txt", "a.txt", "a/1.txt"]),
        ("a/", ["a/1.txt"]),
        ("a/1", ["a/1.txt"]),
        ("a/1.txt", ["a/1.txt"]),
        ("none/", []),
    ],
)
def test_only_objects_with_the_prefix_are_listed(prefix, keys):
    for key in ("b.txt", "a/1.txt", "a.txt", "a-1/z.txt"):
        store(f"sales/{key}", "hello")
    assert [item["Key"] for item in read({}, LIST, Bucket="sales", Prefix=prefix)] == keys


def test_a_prefix_leads_nowhere_else():
    assert "Prefix: expected" in refusal({}, LIST, Bucket="sales", Prefix="../")


def test_listed_objects_can_be_read_as_one():
    store("sales/in/1.jsonl", "1\n2\n")
    store("sales/in/2.jsonl", "3\n")
    config = {"InputType": "JSONL", "Transformation": "LOAD_AND_FLATTEN"}
    assert read(config, LIST, Bucket="sales", Prefix="in/") == [1, 2, 3]


# -- writers -----------------------------------------------------------------------------


@pytest.fixture
def _database(db):
    pass


def written(config: dict[str, Any] | None, items: list[Any], **fields: Any) -> tuple[Any, Any]:
    """What a Map with a writer gave, and what it wrote, by name."""
    writer: dict[str, Any] = {
        "Resource": PUT,
        "Parameters": {"Bucket": "reports", "Prefix": "out/"},
    }
    if config is not None:
        writer["WriterConfig"] = config
    execution = started(machine(Fan=fan(ResultWriter=writer, **fields)), items)
    drain()
    result = output(execution)
    run = only_run()
    files = {}
    folder = f"out/{run.pk}"
    for name in storages["reports"].listdir(folder)[1]:
        with storages["reports"].open(f"{folder}/{name}") as file:
            files[name] = file.read().decode()
    return result, files


@pytest.mark.django_db
def test_results_are_written_with_their_executions():
    processor = machine(Work=call("divide"))
    items = [{"by": 1}, {"by": 0}, {"by": 4}]

    result, files = written(None, items, processor=processor, ToleratedFailureCount=1)

    run = only_run()
    assert run.results_written == 3
    folder = f"out/{run.pk}"
    assert result == {
        "MapRunArn": run.arn,
        "ResultWriterDetails": {"Bucket": "reports", "Key": f"{folder}/manifest.json"},
    }
    assert json.loads(files["manifest.json"]) == {
        "DestinationBucket": "reports",
        "MapRunArn": run.arn,
        "ResultFiles": {
            "FAILED": [
                {"Key": f"{folder}/FAILED_0.json", "Size": len(files["FAILED_0.json"])},
            ],
            "PENDING": [],
            "SUCCEEDED": [
                {"Key": f"{folder}/SUCCEEDED_0.json", "Size": len(files["SUCCEEDED_0.json"])},
            ],
        },
    }
    good = json.loads(files["SUCCEEDED_0.json"])
    assert [(one["Input"], one["Output"]) for one in good] == [
        ('{"by":1}', "1.0"),
        ('{"by":4}', "0.25"),
    ]
    assert {one["Status"] for one in good} == {"SUCCEEDED"}
    assert models.Execution.objects.get(pk=UUID(good[0]["ExecutionArn"])).map_index == 0
    [bad] = json.loads(files["FAILED_0.json"])
    assert (bad["Error"], bad["Status"]) == ("ZeroDivisionError", "FAILED")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("config", "name", "text"),
    [
        (
            {"OutputType": "JSON", "Transformation": "COMPACT"},
            "SUCCEEDED_0.json",
            "[[1,2],[],{}]",
        ),
        ({"OutputType": "JSON", "Transformation": "FLATTEN"}, "SUCCEEDED_0.json", "[1,2,{}]"),
        (
            {"OutputType": "JSONL", "Transformation": "COMPACT"},
            "SUCCEEDED_0.jsonl",
            "[1,2]\n[]\n{}\n",
        ),
        ({"OutputType": "JSONL", "Transformation": "FLATTEN"}, "SUCCEEDED_0.jsonl", "1\n2\n{}\n"),
    ],
)
def test_results_are_written_as_the_config_says(config, name, text):
    _, files = written(config, [[1, 2], [], {}])
    assert files[name] == text


@pytest.mark.django_db
def test_without_results_there_is_a_manifest_alone():
    _, files = written(None, [])
    assert list(files) == ["manifest.json"]


@pytest.mark.django_db
def test_a_writer_without_a_place_shapes_the_result():
    writer = {"WriterConfig": {"OutputType": "JSON", "Transformation": "FLATTEN"}}
    execution = started(machine(Fan=fan(ResultWriter=writer)), [[1, 2], [3]])
    drain()
    assert output(execution) == [1, 2, 3]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("parameters", "cause"),
    [
        ({"Bucket": "reports", "Prefix": "../out"}, "Prefix: expected an object's key"),
        ({"Bucket": "../x", "Prefix": "out"}, "Bucket: expected a bucket's name"),
    ],
)
def test_a_writer_that_fails_fails_the_map(parameters, cause):
    writer = {"Resource": PUT, "Parameters": parameters}
    execution = started(machine(Fan=fan(ResultWriter=writer)), [1])
    drain()
    error, found = failure(execution)
    assert error == "States.ResultWriterFailed"
    assert found.startswith(cause)


@pytest.mark.django_db
def test_results_are_written_again_under_the_same_names(monkeypatch):
    write, again = ours.write, [True]

    def twice(*arguments):
        # A worker died before it could answer.
        if again and again.pop():
            write(*arguments)
        return write(*arguments)

    monkeypatch.setattr(ours, "write", twice)
    _, files = written(None, [1, 2])
    assert sorted(files) == ["SUCCEEDED_0.json", "manifest.json"]


# -- from end to end ---------------------------------------------------------------------


@pytest.mark.django_db
def test_a_map_over_a_file_of_rows():
    store("sales/rows.csv", "n,m\n" + "".join(f"{n},x\n" for n in range(40)))
    reader = {
        "Resource": GET,
        "Parameters": {"Bucket.$": "$.bucket", "Key": "rows.csv"},
        "ReaderConfig": {**CSV, "MaxItems": 25},
    }
    document = machine(
        Fan=fan(
            ItemReader=reader,
            # Not looked at where a reader is.
            ItemsPath="$.none",
            ItemSelector={"n.$": "$$.Map.Item.Value.n", "at.$": "$$.Map.Item.Index"},
        )
    )
    execution = started(document, {"bucket": "sales"})

    drain()

    assert output(execution) == [{"n": str(n), "at": n} for n in range(25)]
    assert only_run().total_items == 25


@pytest.mark.django_db
def test_a_reader_that_fails_in_the_middle_ends_what_had_begun():
    store("sales/rows.jsonl", "1\n" * 15 + "nonsense\n")
    reader = {
        "Resource": GET,
        "Parameters": {"Bucket": "sales", "Key": "rows.jsonl"},
        "ReaderConfig": {"InputType": "JSONL"},
    }
    execution = started(machine(Fan=fan(ItemReader=reader)), {})

    drain()

    error, cause = failure(execution)
    assert error == "States.ItemReaderFailed"
    assert cause.startswith("Line 16 of the file can't be read")
    assert (only_run().status, only_run().aborted) == ("FAILED", 14)


@pytest.mark.django_db
def test_a_reader_that_fails_can_be_caught():
    reader = {"Resource": GET, "Parameters": {"Bucket": "sales", "Key": "none"}}
    document = machine(
        Fan=fan(
            ItemReader=reader,
            Catch=[{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "Done"}],
        ),
        Done={"Type": "Pass", "Result": "caught"},
    )
    execution = started(document, {})
    drain()
    assert output(execution) == "caught"
