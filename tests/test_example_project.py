"""The example has a site and settings of its own, so it runs in processes of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from socket import create_server
from urllib.request import ProxyHandler, build_opener

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "example_project"


@pytest.fixture
def environment(tmp_path):
    """The environment of a shop that keeps its files in ``tmp_path``."""
    own = {**os.environ, "SHOP_DIRECTORY": str(tmp_path / "var"), "TMPDIR": str(tmp_path)}
    own.pop("DJANGO_SETTINGS_MODULE", None)
    return own


def manage(*arguments):
    return [sys.executable, str(EXAMPLE / "manage.py"), *map(str, arguments)]


def test_the_shops_own_tests_pass(environment):
    done = subprocess.run(manage("test", "shop"), env=environment, cwd=EXAMPLE, capture_output=True)

    assert done.returncode == 0, done.stderr.decode()


def test_the_shops_migrations_are_complete(environment):
    command = manage("makemigrations", "--check", "--dry-run")
    done = subprocess.run(command, env=environment, capture_output=True)

    assert done.returncode == 0, done.stdout.decode()


def test_a_check_passes_and_leaves_nothing_behind(environment, tmp_path):
    """With a few lines: shipped, asked and rejected, and one that is no order."""
    lines = (EXAMPLE / "shop" / "data" / "orders.jsonl").read_bytes().splitlines(keepends=True)
    wanted = re.compile(rb'"order": "A-(1001|1003|1005|9001)"')
    few = tmp_path / "few.jsonl"
    few.write_bytes(b"".join(line for line in lines if wanted.search(line)))

    command = manage("demo", "--check", "--orders", few, "--port", 0)
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60)

    output = done.stdout.decode()
    assert done.returncode == 0, output + done.stderr.decode()
    assert "4 lines: 3 orders started, 0 known already, 1 skipped" in output
    assert re.search(r"order +SUCCEEDED +shipped +2 ", output)
    assert re.search(r"order +SUCCEEDED +cancelled +1 ", output)
    assert not list(tmp_path.glob("shop-check-*"))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_demonstration_serves_until_it_is_told_to_stop(environment, tmp_path, how):
    empty = tmp_path / "none.jsonl"
    empty.write_bytes(b"")
    with create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        demo = subprocess.Popen(
            manage("demo", "--orders", empty, "--port", taken),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said = ""
            for line in demo.stdout:
                said += line
                if "--fresh" in line:
                    break
            assert f"Port {taken} is taken" in said
            address = re.search(r"http://127\.0\.0\.1:\d+/admin/", said)[0]
            with build_opener(ProxyHandler({})).open(address, timeout=20) as page:
                assert "The tea shop" in page.read().decode()

            demo.send_signal(how)
            rest, _ = demo.communicate(timeout=40)
        finally:
            demo.kill()

    assert demo.returncode == 0, said + rest
    assert _processes_of(tmp_path) == []


def _processes_of(directory):
    """The processes that work for a shop in *directory*, after a moment to go."""
    for _ in range(50):
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"SHOP_DIRECTORY={directory}".encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes())
            except OSError:
                continue  # It ended meanwhile, or is not ours.
        if not found:
            break
        time.sleep(0.1)
    return found
