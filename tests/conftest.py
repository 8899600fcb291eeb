"""Fixtures every test can use."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from hypothesis import settings

settings.register_profile("havir", deadline=None)  # a busy machine is not a wrong result
settings.load_profile("havir")


LONGEST = "test_run_smoke.py"


def pytest_collection_modifyitems(items):
    """The longest file first: one process runs it while the other does everything else."""
    items.sort(key=lambda item: item.path.name != LONGEST)


@pytest.fixture
def rng() -> np.random.Generator:
    """The one source of random numbers in tests."""
    return np.random.default_rng(20251003)


@pytest.fixture(autouse=True)
def _seed_torch():
    torch.manual_seed(20251003)
