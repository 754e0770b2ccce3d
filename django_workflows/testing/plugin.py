"""The pytest plugin: fixtures for workflows in memory and through Django, and coverage.

pytest loads it in every project that has this package installed, so it imports nothing
until a test asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django_workflows.testing.coverage import Coverage
    from django_workflows.testing.site import Workflows

_COVERAGE = pytest.StashKey["Coverage"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("workflows", "workflows in Amazon States Language")
    group.addoption(
        "--workflows-coverage",
        action="store_true",
        help="say at the end which states and transitions no test has reached",
    )


def pytest_configure(config: pytest.Config) -> None:
    plugins = config.pluginmanager
    has_django = plugins.hasplugin("django") or plugins.hasplugin("pytest_django.plugin")
    plugins.register(_ThroughDjango() if has_django else _WithoutDjango(), "workflows fixtures")
    if config.getoption("--workflows-coverage", default=False):
        from django_workflows.testing.coverage import Coverage

        config.stash[_COVERAGE] = coverage = Coverage()
        coverage.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    coverage = config.stash.get(_COVERAGE, None)
    if coverage is not None:
        coverage.stop()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    coverage = config.stash.get(_COVERAGE, None)
    if coverage is None:
        return
    _expect_files(coverage)
    terminalreporter.section("workflows coverage")
    terminalreporter.write_line(coverage.report())


def _expect_files(coverage: Coverage) -> None:
    """Report the definitions in the apps' files too, where no test has run them."""
    apps = sys.modules.get("django.apps")
    if apps is None or not apps.apps.ready:
        return
    from django_workflows import files
    from django_workflows.testing.runs import source_of

    for path in files.of_apps():
        try:
            source = source_of(path)
        except Exception as error:
            coverage.remark(f"{path}: not read: {error}")
        else:
            coverage.expect(source.key, source.name, source.workflow)


@pytest.fixture
def workflow_run() -> Any:
    """`django_workflows.testing.run`: start a definition in memory, on a virtual clock."""
    from django_workflows import testing

    return testing.run


class _ThroughDjango:
    """The fixture ``workflows``, where pytest-django is there."""

    # pytest-django reads off the names of a test's fixtures which databases to make:
    # ``db`` that is asked for later would be the site's own.
    @pytest.fixture
    def workflows(self, db: None) -> Iterator[Workflows]:
        """The site's workflows, without a cluster, on a clock that stands still."""
        from django_workflows.testing.site import Workflows

        with Workflows() as running:
            yield running


class _WithoutDjango:
    @pytest.fixture
    def workflows(self) -> None:
        """The site's workflows: needs pytest-django."""
        pytest.fail("the fixture 'workflows' needs pytest-django", pytrace=False)
