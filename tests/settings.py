"""The site that the tests run in, on SQLite or on PostgreSQL.

``TEST_DATABASE`` says which: ``sqlite`` (the default) or ``postgresql``. The
first process makes a directory for the database (a file, or a server's socket)
and names it in ``TEST_DATABASE_DIRECTORY``; processes that a test starts find
the same database there. It goes when the first process ends.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

TEST_DATABASE = os.environ.get("TEST_DATABASE", "sqlite")

match TEST_DATABASE:
    case "sqlite":
        if "TEST_DATABASE_DIRECTORY" not in os.environ:
            directory = tempfile.mkdtemp(prefix="django-workflows-tests-")
            atexit.register(shutil.rmtree, directory, ignore_errors=True)
            os.environ["TEST_DATABASE_DIRECTORY"] = directory
        # A file, because threads and other processes don't share a database in memory.
        name = os.path.join(os.environ["TEST_DATABASE_DIRECTORY"], "tests.sqlite3")
        database = {
            "ENGINE": "django.db.backends.sqlite3",
            "OPTIONS": {
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
            },
        }
    case "postgresql":
        if "TEST_DATABASE_DIRECTORY" not in os.environ:
            from tests import postgresql

            os.environ["TEST_DATABASE_DIRECTORY"] = str(
                postgresql.socket_directory(postgresql.start())
            )
        name = "tests"
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": os.environ["TEST_DATABASE_DIRECTORY"],
            "USER": "postgres",
        }
    case _:
        raise ValueError(f"TEST_DATABASE: expected sqlite or postgresql, found {TEST_DATABASE!r}")

# One name for the database and the tests' database: processes that a test starts
# read these settings and work on what the test sees.
DATABASES = {"default": {**database, "NAME": name, "TEST": {"NAME": name}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "for tests alone"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_q",
    "rest_framework",
    "django_workflows",
    "tests.testapp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

Q_CLUSTER = {
    "name": "tests",
    "orm": "default",
    "workers": 2,
    "timeout": 30,
    # More than timeout plus the time a task may wait behind others.
    "retry": 90,
    # Few tasks are taken ahead, for those are delivered twice when a cluster dies.
    "queue_limit": 3,
    "bulk": 2,
    "poll": 0.05,
    "save_limit": -1,
    "ack_failures": True,
    "max_attempts": 1,
}
