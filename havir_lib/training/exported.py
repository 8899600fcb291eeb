"""A trained subject in a folder of its own: to share, to start others from, to reconstruct with.

::

    model.json                what it is, and of what data
    structural.safetensors    Structural Generator
    semantic.safetensors      Semantic Extractor
    voxels.npz                which voxels each sees, where they lie, and their usual mean and SD

Nothing in it says what was measured in any trial.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from havir_lib.data.nifti import Grid
from havir_lib.data.surface import Surface
from havir_lib.errors import DataError
from havir_lib.io import load_arrays, read_json, save_arrays, write_json
from havir_lib.models.build import Model
from havir_lib.training.branches import BRANCHES, Branch
from havir_lib.training.checkpoint import load_model, save_model

ABOUT, VOXELS, FORMAT = "model.json", "voxels.npz", 2
HOW = "`havir export` writes such a folder."


@dataclass(frozen=True, eq=False)
class Exported:
    """Two trained branches and what is needed to give them betas.

    Attributes
    ----------
    models : dict
        Branch → network.
    voxels : dict
        Branch → indices into the grid, int (V_branch, 3), in the order the network sees them.
    grid : Grid
    surface : Surface or None
        If the grid is that of vertices.
    mean, deviation : dict
        Branch → (V_branch,): of an average session's training trials, in % signal change.
    lengths : tuple of ndarray, (Ti,) and (Tt,)
        Mean lengths of true tokens, see :func:`havir_lib.training.rescale`.
    about : dict
        subject, simulated, zscore, weights (settings and content), diffusion (settings).
    """

    models: dict[Branch, Model]
    voxels: dict[Branch, np.ndarray]
    grid: Grid
    surface: Surface | None
    mean: dict[Branch, np.ndarray]
    deviation: dict[Branch, np.ndarray]
    lengths: tuple[np.ndarray, np.ndarray]
    about: dict[str, Any]


def save_exported(folder: Path, made: Exported) -> None:
    """Write a trained subject; the description last, so that it marks the rest done.

    Raises
    ------
    DataError
        If `folder` holds one already.
    """
    if (folder / ABOUT).exists():
        raise DataError(f"{folder}: expected no model there, found one. Choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"lengths_image": made.lengths[0], "lengths_text": made.lengths[1]}
    for branch in BRANCHES:
        save_model(folder / f"{branch}.safetensors", made.models[branch])
        arrays |= {f"{branch}_{part}": getattr(made, part)[branch]
                   for part in ("voxels", "mean", "deviation")}  # fmt: skip
    if made.grid.affine is not None:
        arrays["affine"] = made.grid.affine
    save_arrays(folder / VOXELS, shape=np.array(made.grid.shape), **arrays)
    surface = made.surface and asdict(made.surface)
    write_json(folder / ABOUT, {**made.about, "format": FORMAT, "surface": surface})


def read_about(folder: Path) -> dict[str, Any]:
    """The description of an exported model.

    Raises
    ------
    DataError
        If there is none, or it is of another format.
    """
    path = Path(folder) / ABOUT
    if not path.is_file():
        raise DataError(f"{path}: expected an exported model, found none. {HOW}")
    about = read_json(path)
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise DataError(f"{path}: expected an exported model of format {FORMAT}. {HOW}")
    return about


def load_branch(folder: Path, branch: Branch) -> Model:
    """One network of an exported model."""
    read_about(folder)
    return load_model(Path(folder) / f"{branch}.safetensors")


def load_exported(folder: Path) -> Exported:
    """Read what :func:`save_exported` wrote.

    Raises
    ------
    DataError, WeightsError
        If a file is missing, damaged, or does not belong to the others.
    """
    folder, about = Path(folder), read_about(folder)
    try:
        arrays = load_arrays(folder / VOXELS)
        parts = {
            part: {branch: arrays[f"{branch}_{part}"] for branch in BRANCHES}
            for part in ("voxels", "mean", "deviation")
        }
        grid = Grid(tuple(arrays["shape"].tolist()), arrays.get("affine"))
        lengths = (arrays["lengths_image"], arrays["lengths_text"])
        surface = about["surface"] and Surface(**about["surface"])
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{folder / VOXELS}: cannot be read ({error}). {HOW}") from None
    models = {branch: load_branch(folder, branch) for branch in BRANCHES}
    for branch, model in models.items():
        if model.n_voxels != len(parts["voxels"][branch]):
            raise DataError(
                f"{folder / VOXELS}: expected {model.n_voxels} {branch} voxels, as its network "
                f"has, found {len(parts['voxels'][branch])}. {HOW}"
            )
    return Exported(models, **parts, grid=grid, surface=surface, lengths=lengths, about=about)
