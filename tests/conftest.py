"""Fixtures every test can use."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from hypothesis import settings

from tests.faults import report
from tests.faults.report import tried  # noqa: F401  (a fixture)

settings.register_profile("havir", deadline=None)  # a busy machine is not a wrong result
settings.load_profile("havir")


LONGEST = "test_run_smoke.py"
SMALL = {
    "simulation.trials_per_session": 75,
    "evaluation.metrics": ["PixCorr", "SSIM", "MiniCLIP"],
    "evaluation.n_bootstrap": 100,
    "comparison": {
        "full": True,
        "pooled_voxels": 16,
        "sweep_images": 3,
        "strengths": [0.3, 1.0],
        "n_clusters": 2,
        "crosstalk": [0.0],
    },
    "ridge.alphas": [0, 6, 3],
    "ridge.folds": 2,
    "diffusion.steps": 2,
}
"""The smallest run that has every page."""


def pytest_addoption(parser):
    report.add_option(parser)
    parser.addoption("--slow", action="store_true", help="run tests that take minutes, too")


def pytest_configure(config):
    report.configure(config)
    config.addinivalue_line("markers", "slow: takes minutes; runs with --slow")


def pytest_collection_modifyitems(config, items):
    """The longest file first: one process runs it while the other does everything else."""
    report.select(config, items)
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)
    items.sort(key=lambda item: item.path.name != LONGEST)


@pytest.fixture
def rng() -> np.random.Generator:
    """The one source of random numbers in tests."""
    return np.random.default_rng(20251003)


@pytest.fixture(autouse=True)
def _seed_torch():
    torch.manual_seed(20251003)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Two subjects, 2 sessions of 75 trials; networks of 32 hidden units, 2 epochs."""
    from havir_lib import open_run

    return open_run("smoke", {**SMALL, "workspace": str(tmp_path_factory.mktemp("run"))})
