"""The databases under the tests are the ones we mean to test on."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection


def one_value(sql: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


@pytest.mark.django_db
def test_it_is_the_one_that_was_asked_for():
    assert connection.vendor == os.environ.get("TEST_DATABASE", "sqlite")
    if connection.vendor == "sqlite":
        assert one_value("PRAGMA journal_mode") == "wal"
        assert connection.transaction_mode == "IMMEDIATE"


@pytest.mark.django_db(transaction=True)
def test_threads_share_it():
    def count():
        try:
            return Group.objects.count()
        finally:
            connection.close()

    Group.objects.create(name="managers")

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(count).result() == 1


@pytest.mark.django_db(transaction=True)
def test_processes_share_it():
    Group.objects.create(name="managers")

    count = "import django; django.setup()\n"
    count += "from django.contrib.auth.models import Group; print(Group.objects.count())"
    output = subprocess.run(
        [sys.executable, "-c", count],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        cwd=settings.BASE_DIR,
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert output == "1\n"
