"""The project on which faults are tried."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import Project, Server, make_template
from .ledger import ledger, tell

__all__ = ["ledger"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They take longer than a quick test may."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One for each process of a parallel session."""
    found = Server()
    yield found
    found.close()


@pytest.fixture(scope="session")
def template(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All stages, undisturbed; never changed."""
    return make_template(Project(tmp_path_factory.mktemp("faults") / "project", server))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was promised, what was tried, and what was lost."""
    tell(terminalreporter)
