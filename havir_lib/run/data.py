"""Where the data are: measured ones where the profile says, simulated ones written first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from havir_lib import simulation
from havir_lib.config import Config
from havir_lib.data import Stimuli, Subject, load_stimuli, load_subject
from havir_lib.data.load import ids_of_test_images

if TYPE_CHECKING:
    from havir_lib.run.run import Run


def data_root(run: Run) -> Path:
    """Folder that holds the data in NSD's layout; simulates them first if the profile says so."""
    if not run.config.simulated:
        return Path(run.config.data.root)
    data = run.config.data
    made = run.remember_folder(
        "nsd",
        let_write,
        how={"write": partial(write, run.config)},
        given={
            "simulation": run.config.simulation,
            "subjects": list(data.subjects),
            "folders": [data.space, data.betas_version],
        },
        also=(simulation, write),
    )
    return made.path


def let_write(folder: Path, write: Callable[[Path], None]) -> None:
    """Let simulated subjects be written into `folder`."""
    write(folder)


def write(config: Config, folder: Path) -> None:
    """Write the simulated subjects of a configuration in NSD's layout."""
    from havir_lib.simulation.tree import write_tree  # takes seconds to import

    write_tree(config, folder)


def full_subject(run: Run, name: str) -> Subject:
    """One subject with all its sessions."""
    return load_subject(run.config, name, root=run.data_root, cache=run.workspace.cache)


def hours_of(run: Run, name: str, whole: Subject) -> Subject:
    """The subject with the hours it is trained on: all, or the first ones of transfer."""
    return whole if run.is_base(name) else whole.hours(run.config.training.transfer_sessions)


def test_images_of(run: Run, name: str) -> np.ndarray:
    """Ids of a subject's test images, sorted."""
    return ids_of_test_images(run.config, name, run.data_root)


def stimuli_of(run: Run) -> Stimuli:
    """Images and captions by NSD id."""
    return load_stimuli(run.config, root=run.data_root)


def first_stimuli(run: Run, n: int) -> np.ndarray:
    """Pictures of the base subject's first `n` images, uint8 (n, H, W, 3).

    Those of a simulation are drawn by themselves, before its data are written.
    """
    settings = run.config.simulation
    if settings is None or not run.config.simulated:
        return run.stimuli.images(run.reader.trials(run.base_subject)["image"].unique()[:n])
    from havir_lib.simulation.experiment import make_design
    from havir_lib.simulation.scenes import make_scene, render

    seeds = make_design(run.config).scene_seeds[:n]
    return np.stack([render(make_scene(int(x)).svg, settings.image_size) for x in seeds])
