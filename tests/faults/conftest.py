"""The project on which faults are tried, and the ledger of what was tried."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tabulate import tabulate

from .harness import SEED, SHARE, Project, Server, commands, write_project

Ledger = Callable[[str, str, int], None]
LEDGER = "faults"


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
    """All stages, undisturbed; stays as it is."""
    folder = tmp_path_factory.mktemp("faults") / "project"
    folder.mkdir()
    write_project(folder)
    project = Project(folder, server)
    for command in commands(project.jobs):
        ended = project.fernn(*command)
        assert ended.status == 0, f"{command}: {ended.said}"
    shutil.rmtree(folder / "results/faults/locks", ignore_errors=True)
    return project


@pytest.fixture
def ledger(record_property: Callable[[str, object], None]) -> Ledger:
    """Told of what was tried, once it has held: the promise, the fault, and how often."""

    def note(promise: str, fault: str, tried: int) -> None:
        record_property(LEDGER, [promise, fault, tried])

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was promised, what was tried, and what was lost."""
    tried: Counter[tuple[str, str]] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == LEDGER:
                tried[value[0], value[1]] += value[2]
    if not tried:
        return
    lost = sum("tests/faults" in report.nodeid for report in terminalreporter.getreports("failed"))
    rows = [[promise, fault, number] for (promise, fault), number in sorted(tried.items())]
    table = tabulate([*rows, ["all", "", sum(tried.values())]], ["promise", "fault", "tried"], tablefmt="pipe")
    terminalreporter.section(f"faults: share {SHARE:g}, seed {SEED}, tests that failed: {lost}")
    terminalreporter.write_line(table)
