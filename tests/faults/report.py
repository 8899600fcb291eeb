"""How many faults of each class were tried, and how many ended clean: ``tests/faults.md``.

A test of a fault is marked with its class, ``@pytest.mark.fault("full disks")``. Clean is what
passes: a sentence that names the file, what was expected, what was found and what to do; nothing
lost, nothing half-written, and the same bytes once it is mended. Slow ones run with ``--faults``,
which also writes the table.
"""

from collections import Counter
from pathlib import Path

import pytest

TABLE = Path(__file__).resolve().parents[1] / "faults.md"
LEAST = {
    "kills and signals": 20,
    "two at once": 6,
    "full disks": 5,
    "users, folders and file systems": 8,
    "cached files": 90,
    "configurations": 100,
    "downloads": 30,
    "odd images": 40,
}
"""Class → how many are to be tried at least."""
HEAD = """# Faults that the tests try

Made by `./run_all.sh test -- --faults`; the quick ones are among the normal tests. Clean: a
sentence that says what was expected, what was found and what to do; nothing lost or half-written;
the same bytes once it is mended.

| fault | tried | clean | not clean |
| --- | ---: | ---: | ---: |
"""


def add_option(parser):
    parser.addoption(
        "--faults", action="store_true", help="run slow tests of faults, too; write tests/faults.md"
    )


def configure(config):
    config.addinivalue_line("markers", "fault(kind, slow=False): the fault that a test tries")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Report(config), "faults")


def select(config, items):
    """Slow ones only if asked for; with ``--faults``, nothing but faults."""
    asked = config.getoption("--faults")
    kept, left = [], []
    for item in items:
        mark = item.get_closest_marker("fault")
        slow = mark is not None and mark.kwargs.get("slow", False)
        (kept if (mark is not None if asked else not slow) else left).append(item)
        if mark is not None:
            assert mark.args[0] in LEAST, f"{item.nodeid}: an unknown class of faults"
            item.user_properties.append(("fault", mark.args[0]))
    config.hook.pytest_deselected(items=left)
    items[:] = kept


class Report:
    """Counts results, also those of xdist's workers."""

    def __init__(self, config):
        self.config, self.tried, self.failed = config, Counter(), Counter()

    def pytest_runtest_logreport(self, report):
        said = dict(report.user_properties)
        if "fault" not in said or (report.when != "call" and not report.failed):
            return
        if not report.skipped:
            self.tried[said["fault"]] += said.get("tried", 1)
            self.failed[said["fault"]] += said.get("tried", 1) if report.failed else 0

    def pytest_sessionfinish(self):
        if self.config.getoption("--faults") and self.tried:
            lines = [
                f"| {kind} | {self.tried[kind]} | {self.tried[kind] - self.failed[kind]} "
                f"| {self.failed[kind]} |\n"
                for kind in LEAST
            ]
            TABLE.write_text(HEAD + "".join(lines), encoding="utf-8")


@pytest.fixture
def tried(request):
    """Call it with how many faults a test has tried, if more than one."""
    return lambda n: request.node.user_properties.append(("tried", n))
