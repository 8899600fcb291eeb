"""One tiny simulated tree, written once per test run."""

import pytest

from havir_lib.config import Config, load_config
from havir_lib.simulation.tree import write_tree


@pytest.fixture(scope="session")
def tiny_config() -> Config:
    """Two subjects with unequal grids; 2 sessions x 36 trials, 24 images of which 5 are shared."""
    return load_config(
        "smoke",
        {
            "simulation.trials_per_session": 36,
            "simulation.n_shared": 5,
            "simulation.image_size": 64,
            "simulation.subjects": {
                "subj02": {"shape": [22, 19, 17], "voxel_mm": 7.5, "seed": 2},
                "subj05": {"shape": [21, 18, 18], "voxel_mm": 7.8, "seed": 5},
            },
            "data.subjects": ["subj02", "subj05"],
            "data.base_subject": "subj02",
        },
    )


@pytest.fixture(scope="session")
def tiny_tree(tiny_config, tmp_path_factory):
    """Root of the written tree. Read only."""
    root = tmp_path_factory.mktemp("simulated") / "tree"
    write_tree(tiny_config, root)
    return root


@pytest.fixture(scope="session")
def nifti_tree(tiny_config, tmp_path_factory):
    """The same with its betas as NIfTI. Read only."""
    simulation = tiny_config.simulation.model_copy(update={"betas_format": "nii.gz"})
    root = tmp_path_factory.mktemp("simulated_nifti") / "tree"
    write_tree(tiny_config.model_copy(update={"simulation": simulation}), root)
    return root
