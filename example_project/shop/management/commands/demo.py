"""The whole shop with one command."""

import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django_workflows import actors

from shop import opening, people
from shop.demo.browser import UnexpectedAnswer
from shop.demo.check import CheckFailed, check
from shop.demo.site import CLUSTER_LOG, SITE_LOG, Site, SiteError
from shop.orders import import_orders

#: How directories that a check makes for itself are called.
PREFIX = "shop-check-"


class Stopped(BaseException):
    """Ctrl-C, or a signal that means the same."""


class Command(BaseCommand):
    help = "Start the shop: web server, workers and clock, on a database of its own."

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8000, help="8000 by default")
        parser.add_argument(
            "--check",
            action="store_true",
            help="with a fresh database, play a day in the shop, check everything, and end",
        )
        parser.add_argument(
            "--fresh", action="store_true", help="forget what earlier demonstrations left"
        )
        parser.add_argument(
            "--orders", type=Path, default=opening.ORDERS, help="a file of orders, as JSON lines"
        )

    def handle(self, *, port, check, fresh, orders, **options):
        if not orders.is_file():
            raise CommandError(f"{orders}: there is no such file")
        if check and not settings.DIRECTORY.name.startswith(PREFIX):
            _begin_again_in(tempfile.mkdtemp(prefix=PREFIX))
        began = time.monotonic()
        try:
            with _stoppable():
                try:
                    if check:
                        self._check(port, orders)
                    else:
                        self._run(port, orders, fresh)
                except (CheckFailed, UnexpectedAnswer, SiteError) as problem:
                    raise CommandError(str(problem)) from None
        except Stopped:
            self._say("\nStopped.")
            if check:
                raise CommandError("The check was stopped before its end.") from None
        finally:
            if check:
                shutil.rmtree(settings.DIRECTORY, ignore_errors=True)
        if check:
            self._say(f"The demonstration works; the check took {time.monotonic() - began:.0f} s.")

    def _run(self, port, orders, fresh):
        if fresh:
            with Site.locked(settings.DIRECTORY):
                _forget(settings.DIRECTORY)
        self._prepare()
        with Site(settings.DIRECTORY, port) as site:
            self._tell_port(site)
            report = import_orders(orders, actor=actors.system("demo"))
            self._say(self._welcome(site, report))
            connection.close()
            while True:
                site.check_alive()
                time.sleep(0.5)

    def _check(self, port, orders):
        self._prepare()
        try:
            with Site(settings.DIRECTORY, port) as site:
                self._tell_port(site)
                check(site, orders, self._say)
        except (CheckFailed, UnexpectedAnswer, SiteError):
            for name in (CLUSTER_LOG, SITE_LOG):
                self._say(_tail(settings.DIRECTORY / name))
            raise

    def _prepare(self):
        call_command("migrate", verbosity=0, interactive=False)
        opening.load()

    def _tell_port(self, site):
        if site.port != site.wanted_port:
            self._say(f"Port {site.wanted_port} is taken; this is on {site.port}.")

    def _welcome(self, site, report):
        people_lines = [
            f"  {name:8} {people.PASSWORD:10} {what}"
            for name, _, what in [people.ADMIN, *people.PEOPLE]
        ]
        return "\n".join(
            [
                "",
                "The shop is open. Ctrl-C closes it.",
                "",
                f"  Admin  {site.url}/admin/",
                f"  Inbox  {site.url}/admin/django_workflows/task/",
                f"  API    {site.url}/api/executions/",
                "",
                f"  {'user':8} {'password':10}",
                *people_lines,
                "",
                f"Of {report.lines} lines in the order file {len(report.started)} orders were"
                f" started, {len(report.known)} known, {len(report.skipped)} skipped.",
                "Large orders wait in the managers' inbox. Parcels wait for the warehouse:",
                "olga answers its letters, under 'Shipping requests'.",
                "",
                f"Everything is kept in {settings.DIRECTORY}; --fresh begins anew.",
            ]
        )

    def _say(self, text):
        self.stdout.write(text)
        self.stdout.flush()


def _begin_again_in(directory):
    """Run the same command with its files in *directory*: settings are read only once."""
    os.environ["SHOP_DIRECTORY"] = directory
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _forget(directory):
    for name in ["shop.sqlite3", "shop.sqlite3-wal", "shop.sqlite3-shm", SITE_LOG, CLUSTER_LOG]:
        (directory / name).unlink(missing_ok=True)


@contextmanager
def _stoppable():
    """Signals that ask a program to end raise Stopped, once: stopping is not broken off."""
    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

    def stop(number, frame):
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped

    before = {each: signal.signal(each, stop) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _tail(path, lines=30):
    if not path.exists():
        return f"-- {path.name}: nothing was written"
    text = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([f"-- {path.name}, the last lines:", *text[-lines:]])
