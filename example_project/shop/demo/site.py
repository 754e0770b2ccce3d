"""The shop's processes: a web server in this one, django-q2's cluster as a child.

The cluster's workers run the clock too, so these two are all that a site needs.
"""

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TextIO

from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

HOST = "127.0.0.1"
#: What the cluster says before it logs, and the log of all processes.
CLUSTER_LOG = "cluster.log"
SITE_LOG = "shop.log"
#: The cluster finishes what it has begun; a handler may take as long as this.
PATIENCE_SECONDS = settings.Q_CLUSTER["timeout"] + 5


class SiteError(Exception):
    """The site can't be started, or does not run any more."""


class Site:
    """Runs as long as the ``with`` block does.

    Raises SiteError where another one uses the same directory.
    """

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.wanted_port = port

    def __enter__(self) -> "Site":
        self._lock = _locked(self.directory / "lock")
        # A fork is best made while there are no threads yet.
        self._cluster = _start_cluster(self.directory / CLUSTER_LOG, self._lock)
        try:
            self._server = web_server(self.wanted_port)
        except BaseException:
            self._stop_cluster()
            raise
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=[0.1], name="web server", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._stop_cluster()
        self._lock.close()

    @staticmethod
    def locked(directory: Path):
        """Keep other sites out of *directory* while the ``with`` block runs."""
        return _locked(directory / "lock")

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def check_alive(self) -> None:
        """Raises SiteError where the cluster has ended by itself."""
        code = self._cluster.poll()
        if code is not None:
            raise SiteError(
                f"the cluster has ended with code {code}; {CLUSTER_LOG} and {SITE_LOG} may say why"
            )

    def _stop_cluster(self) -> None:
        self._cluster.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._cluster.wait(PATIENCE_SECONDS)
        # Whoever is left of its processes: they have a group of their own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._cluster.pid, signal.SIGKILL)
        self._cluster.wait()


def _locked(path: Path) -> TextIO:
    """The file *path*, held until this process and its cluster close it, or end in any way."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise SiteError(
            f"a demonstration is running in {path.parent} already, or its cluster was left behind"
        ) from None
    return file


def _start_cluster(log: Path, lock: TextIO) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "qcluster"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C goes to all of a terminal's group; the cluster is stopped in turn.
            start_new_session=True,
            # Where this process is killed, the cluster lives on, and so does the lock.
            pass_fds=[lock.fileno()],
        )


def web_server(port: int) -> ThreadedWSGIServer:
    """The server, on *port* or, where that is taken, on one that is free."""
    try:
        server = ThreadedWSGIServer((HOST, port), WSGIRequestHandler)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        server = ThreadedWSGIServer((HOST, 0), WSGIRequestHandler)
    # Serves the static files too, whatever DEBUG says.
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    return server
