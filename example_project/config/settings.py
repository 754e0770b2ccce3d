"""The shop's site: what a small site needs to run workflows, and nothing else.

Everything that is written goes into one directory: the database, the secret key
that belongs to it, and the logs. ``SHOP_DIRECTORY`` says where, ``var`` beside
``manage.py`` by default.
"""

import os
import secrets
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
DIRECTORY = Path(os.environ.get("SHOP_DIRECTORY") or BASE_DIR / "var").absolute()
DIRECTORY.mkdir(parents=True, exist_ok=True)


def secret_key(path: Path) -> str:
    """The key in the file *path*, which the first process to ask for it makes.

    Task tokens don't depend on it, but sessions do, and the queue's entries are
    signed with it: it lives as long as the database.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    if not path.exists():
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(50))
        try:
            # Unlike a rename, this leaves alone what another process made meanwhile.
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text()


SECRET_KEY = secret_key(DIRECTORY / "secret_key")
DEBUG = os.environ.get("SHOP_DEBUG") == "1"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_q",
    "django_workflows",
    "shop",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.csp.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
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

# What SQLite needs to serve several processes: readers that don't wait for the
# writer (WAL), transactions that ask for the only write lock when they begin
# instead of failing when they first write (IMMEDIATE), and patience (timeout).
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DIRECTORY / "shop.sqlite3",
        # The cluster asks the database several times a second.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"

Q_CLUSTER = {
    "name": "shop",
    # The queue is in the shop's own database: no service to install, and tasks
    # that were queued survive the cluster.
    "orm": "default",
    "workers": 2,
    # How often the queue is looked at: what a task waits on average is half of it.
    "poll": 0.05,
    "bulk": 2,
    # Little more than the workers: what is taken ahead is delivered twice when
    # the cluster dies.
    "queue_limit": 3,
    "timeout": 30,
    # More than timeout plus the time a task may wait behind others.
    "retry": 90,
    # Workflows keep their own record of results and count their own attempts.
    "save_limit": -1,
    "ack_failures": True,
    "max_attempts": 1,
    "label": "Queue",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {process} {levelname} {name}: {message}", "style": "{"}
    },
    "handlers": {
        "file": {
            "class": "logging.FileHandler",
            "filename": DIRECTORY / "shop.log",
            "encoding": "utf-8",
            "formatter": "line",
            # No file until there is something to write.
            "delay": True,
        }
    },
    "root": {"handlers": ["file"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}
