"""Settings that would lose work, double it or stop it are found at the start."""

import pytest
from django.conf import settings as current
from django.core.checks import run_checks

from django_workflows import conf
from django_workflows.asl.values import MAX_PAYLOAD_BYTES


def ids():
    return [message.id for message in run_checks() if message.id.startswith("django_workflows.")]


def messages():
    return [f"{message.msg} {message.hint}" for message in run_checks()]


def test_the_settings_of_the_tests_are_fine():
    assert ids() == []


@pytest.mark.parametrize(
    ("said", "expected", "message"),
    [
        (["LEASE_SECONDS"], "E001", "WORKFLOWS must be a dict, found list"),
        ({"LEASE_SECOND": 5}, "E002", "Did you mean 'LEASE_SECONDS'?"),
        ({"lease_seconds": 5}, "E002", "Did you mean 'LEASE_SECONDS'?"),
        ({"WXYZ": 5}, "E002", "Known are PAYLOAD_BYTES"),
        ({"LEASE_SECONDS": "30"}, "E003", "must be a positive number, found '30'"),
        ({"LEASE_SECONDS": 0}, "E003", "must be a positive number, found 0"),
        ({"LEASE_SECONDS": True}, "E003", "must be a positive number"),
        ({"MAX_DELIVERIES": 2.5}, "E003", "must be a positive whole number, found 2.5"),
        ({"CLOCK_IN_WORKERS": 1}, "E003", "must be True or False, found 1"),
        ({"BUCKETS": ["sales"]}, "E003", "must be a dict of texts, found ['sales']"),
        ({"BUCKETS": {"sales": 1}}, "E003", "must be a dict of texts"),
        ({"CLUSTER": 7}, "E003", "must be a text or None, found 7"),
    ],
)
def test_a_wrong_setting_is_named(settings, said, expected, message):
    settings.WORKFLOWS = said

    assert ids() == [f"django_workflows.{expected}"]
    assert any(message in shown for shown in messages())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sync": True}, ["E005"]),
        ({"timeout": None}, ["W001"]),
        ({"retry": 30}, ["W002"]),
        ({"retry": 5, "timeout": 3}, ["W003"]),
    ],
)
def test_a_dangerous_queue_is_named(settings, change, expected):
    settings.Q_CLUSTER = {**current.Q_CLUSTER, **change}

    assert ids() == [f"django_workflows.{one}" for one in expected]


def test_without_the_queue_nothing_runs(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django_q"]

    assert "django_workflows.E004" in ids()


def test_every_setting_has_a_default(settings):
    del settings.WORKFLOWS
    assert conf.current() == conf.Settings()

    settings.WORKFLOWS = {"LEASE_SECONDS": 5, "UNKNOWN": 1}
    assert conf.current().lease_seconds == 5
    assert conf.current().limits.payload_bytes == MAX_PAYLOAD_BYTES
