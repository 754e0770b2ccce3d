"""The tests' site with a real cluster, which soon misses a worker that was killed."""

from tests.settings import *  # noqa: F403

WORKFLOWS = {"LEASE_SECONDS": 3, "REDELIVER_SECONDS": 3}
