"""The tests' site with a real cluster, which soon misses a worker and soon ends a task."""

from tests.settings import *  # noqa: F403
from tests.settings import Q_CLUSTER

WORKFLOWS = {"LEASE_SECONDS": 3, "REDELIVER_SECONDS": 3, "MAX_DELIVERIES": 2}
Q_CLUSTER = {**Q_CLUSTER, "timeout": 4, "retry": 20}
