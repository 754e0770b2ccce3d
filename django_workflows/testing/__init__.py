"""Tests of workflows that run in milliseconds: in memory, on a virtual clock.

    from django_workflows import testing

    run = testing.run(definition, {"amount": 70}, tasks={
        "Charge card": [testing.fails("Busy"), testing.succeeds({"charge": 7})],
    })
    run.finish()
    assert run.output == {"charge": 7}

`run`, the mocks and `Coverage` need no Django. The pytest plugin beside them has the
fixtures ``workflow_run`` (this) and ``workflows`` (through the database, with
pytest-django).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django_workflows.testing.awsmocks import mocks_from_aws
    from django_workflows.testing.coverage import Coverage
    from django_workflows.testing.mocks import (
        attempts,
        decides,
        fails,
        pending,
        raises,
        succeeds,
    )
    from django_workflows.testing.runs import EPOCH, Run, run

#: Loaded when asked for: pytest imports this package with the plugin, in projects too
#: that test no workflow today.
_HOMES = {
    "mocks_from_aws": "awsmocks",
    "Coverage": "coverage",
    "attempts": "mocks",
    "decides": "mocks",
    "fails": "mocks",
    "pending": "mocks",
    "raises": "mocks",
    "succeeds": "mocks",
    "EPOCH": "runs",
    "Run": "runs",
    "run": "runs",
}

__all__ = [
    "EPOCH",
    "Coverage",
    "Run",
    "attempts",
    "decides",
    "fails",
    "mocks_from_aws",
    "pending",
    "raises",
    "run",
    "succeeds",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
