"""One simulated run of the smallest profile, shared by the tests of the steps."""

import pytest

from havir_lib.pipeline import open_run

OVERRIDES = {
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


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Two subjects, 2 sessions of 75 trials; networks of 32 hidden units, 2 epochs."""
    workspace = tmp_path_factory.mktemp("run")
    return open_run("smoke", {**OVERRIDES, "workspace": str(workspace)})
