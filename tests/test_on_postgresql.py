"""The tests of tests/database once more, on a PostgreSQL server."""

import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from django.conf import settings

from tests import postgresql


@pytest.mark.timeout(900)
def test_the_database_tests_pass_on_postgresql(tmp_path):
    results = tmp_path / "results.xml"
    # The server is ours, not the other process's: it goes even if that one is killed.
    server = postgresql.start()
    try:
        run = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "tests/database"),
                *("-p", "no:cacheprovider", f"--junitxml={results}"),
            ],
            env={
                **os.environ,
                "TEST_DATABASE": "postgresql",
                "TEST_DATABASE_DIRECTORY": str(postgresql.socket_directory(server)),
            },
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=840,
        )
    finally:
        server.cleanup()

    assert run.returncode == 0, run.stdout
    suite = ElementTree.parse(results).find("testsuite")
    assert int(suite.get("tests")) > 0, run.stdout
    assert int(suite.get("skipped")) == 0, run.stdout
