"""Notebook 09: importance of each voxel, its null, and the truth where it is known."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pandas as pd

from havir_lib.data.subject import Subject, average_repeats
from havir_lib.data.surface import SIDES, write_side
from havir_lib.interpretation import (
    activation_pattern_norm,
    roi_summary,
    save_volume,
    scaled_weight_norm,
    seed_reliability,
    spatial_blocks,
    spearman_interval,
    weight_norm,
)
from havir_lib.io import load_arrays
from havir_lib.models import build_embedding
from havir_lib.models.build import Model
from havir_lib.pages.brain_maps import brain_map, without_places
from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.pages.regions import regions_with_role
from havir_lib.pages.summaries import bootstrap_of
from havir_lib.plots.interpretation import (
    figure_agreement,
    figure_importance,
    figure_importance_subjects,
)
from havir_lib.plots.rois import BrainMap
from havir_lib.run import Run
from havir_lib.run.networks import fitted
from havir_lib.training import BRANCHES, load_model, predict
from havir_lib.training.branches import Branch
from havir_lib.training.state import BEST

N_NULL = 20
N_SEEDS = 3
MAPS = {
    "norm": "weight norm (the paper's)",
    "scaled": "weight norm × voxel SD",
    "pattern": "activation pattern (Haufe)",
}


@dataclass(frozen=True, eq=False)
class Importance:
    """Maps of one subject and branch, over the voxels of that branch.

    Attributes
    ----------
    maps : dict
        Key of :data:`MAPS` → ndarray (V,).
    null : ndarray, shape (N_NULL, V)
        The paper's map of networks with fresh random weights: what it shows before any training.
    voxels : ndarray of bool
        Which of the subject's voxels these are.
    """

    maps: dict[str, np.ndarray]
    null: np.ndarray
    voxels: np.ndarray


def importance(run: Run, name: str, branch: Branch) -> Importance:
    """Importance of every voxel of a subject's branch, by three measures."""
    model, subject = run.model(name, branch), run.subject(name)
    maps = _maps(run, subject, branch, model)
    return Importance(maps, untrained_norms(model), getattr(subject, branch))


def untrained_norms(model: Model, n: int = N_NULL) -> np.ndarray:
    """Weight norms (n, V) of first layers like the model's, with fresh random weights."""
    fresh = (build_embedding(model.architecture, seed=1 + seed) for seed in range(n))
    return np.stack([weight_norm(first_weight(embedding)) for embedding in fresh])


def _maps(run: Run, subject: Subject, branch: Branch, model: Model) -> dict[str, np.ndarray]:
    voxels = getattr(subject, branch)
    betas, _, _ = average_repeats(subject.train_betas[:, voxels], subject.train_images)
    return run.remember("importance", importance_maps, model, betas, how={"device": run.device})


def importance_maps(model: Model, betas: np.ndarray, device="cpu") -> dict[str, np.ndarray]:
    """The maps of a trained branch, each (V,), by keys of :data:`MAPS`.

    Parameters
    ----------
    model : Model
    betas : ndarray, (n_images, V)
        Mean betas of training images.
    """
    weight = first_weight(model.embed)
    return {
        "norm": weight_norm(weight),
        "scaled": scaled_weight_norm(weight, betas.std(axis=0)),
        "pattern": activation_pattern_norm(betas, predict(model, betas, device), device),
    }


def first_weight(embedding) -> np.ndarray:
    """Weights of the linear layer of a voxel embedding, (hidden, V)."""
    return embedding[0].weight.detach().cpu().numpy()


def by_region(run: Run, name: str, branch: Branch) -> pd.DataFrame:
    """The paper's map summarised per region, with the range of the null."""
    found, subject = importance(run, name, branch), run.subject(name)
    names = [roi for roi in regions_of(run, name, branch) if subject.rois[roi][found.voxels].any()]
    rois = subject.rois[found.voxels].reset_index(drop=True)
    return roi_summary(found.maps["norm"], rois, names=names, null=found.null)


def regions_of(run: Run, name: str, branch: Branch) -> list[str]:
    """Labelled regions that feed a branch."""
    regions = regions_with_role(run, name)
    return list(regions.loc[regions["role"] == branch, "roi"])


def importance_volume(run: Run, name: str, branch: Branch) -> BrainMap:
    """The paper's map over the subject's anatomy; also written, in the subject's own space."""
    found = importance(run, name, branch)
    shown = brain_map(run, name, found.maps["norm"], found.voxels)
    _write_map(run, name, f"{name}_{branch}_weight_norm", shown)
    return shown


def _write_map(run: Run, name: str, title: str, shown: BrainMap) -> None:
    """As NIfTI, or of vertices as GIFTI, a file per hemisphere."""
    folder, surface = run.workspace.root / "maps", run.subject(name).anatomy.surface
    if surface is None:
        save_volume(nib.Nifti1Image(shown.volume, shown.affine), folder / f"{title}.nii.gz")
        return
    found = surface.map(shown.volume)
    for side, values in zip(SIDES, (found.left, found.right), strict=True):
        write_side(folder / f"{title}_hemi-{side}.shape.gii", values)


@figure
def figure5(run: Run) -> Drawn | str:
    """Figure 5: importance maps of the base subject."""
    name = run.base_subject
    if lost := without_places(run, [name]):
        return lost
    maps = {branch: importance_volume(run, name, branch) for branch in BRANCHES}
    summaries = {branch: by_region(run, name, branch) for branch in BRANCHES}
    caption = (
        f"Weight norm of each voxel in {name}: A structural branch, B semantic branch. Right: "
        "mean, quartiles and 5th to 95th percentile over the voxels of a region (how many, in "
        "brackets); null: 95 % of a region's means in untrained networks."
    )
    made_from = {branch: item.volume for branch, item in maps.items()}
    return Drawn(figure_importance(maps, summaries, name), caption, made_from)


@figure
def figure6(run: Run) -> Drawn | str:
    """Figure 6: importance maps of the other subjects."""
    others = run.others
    if not others:
        return "There are no other subjects, whose maps Figure 6 would show."
    if lost := without_places(run, others):
        return lost
    maps = {
        name: {branch: importance_volume(run, name, branch) for branch in BRANCHES}
        for name in others
    }
    caption = "Weight norms of the transferred networks, each in its subject's own space."
    made_from = {
        f"{name} {branch}": item.volume
        for name, pair in maps.items()
        for branch, item in pair.items()
    }
    return Drawn(figure_importance_subjects(maps), caption, made_from)


def agreement(run: Run) -> pd.DataFrame:
    """Rank correlation of each map with the truth, per subject and branch.

    The truth is the variance that the simulation put into a voxel as signal, relative to all its
    variance; where the data are measured there is none, and the maps are compared with the noise
    ceiling instead (column ``truth`` says which).

    Returns
    -------
    DataFrame
        Columns subject, role, map, truth, rho, low, high, n.
    """
    rows = []
    for name in run.subjects:
        kind, truth = truth_of(run, name)
        for branch in BRANCHES:
            found = importance(run, name, branch)
            blocks = spatial_blocks(run.subject(name).ijk[found.voxels])
            for key, label in MAPS.items():
                values = found.maps[key], truth[found.voxels]
                interval = spearman_interval(*values, blocks=blocks, **bootstrap_of(run))
                named = {"subject": name, "role": branch, "map": label, "truth": kind}
                rows.append(named | interval)
    return pd.DataFrame(rows)


def truth_of(run: Run, name: str) -> tuple[str, np.ndarray]:
    """What is known about each voxel's signal, in the order of the subject's voxels."""
    subject = run.subject(name)
    file = run.data_root / "truth" / f"{name}.npz"
    if not file.is_file():
        return "noise ceiling (ncsnr)", subject.ncsnr
    known = load_arrays(file)
    share = known["signal_sd"] ** 2 / (known["signal_sd"] ** 2 + known["noise_sd"] ** 2)
    volume = np.full(subject.shape, np.nan)
    volume[tuple(known["ijk"].T)] = share
    return "simulated signal variance", volume[tuple(subject.ijk.T)]


@table
def validity_table(run: Run) -> Table:
    """How well each kind of importance map agrees with the truth, or with the noise ceiling."""
    frame = agreement(run)
    caption = f"Spearman correlation of voxel importance with the {frame['truth'].iloc[0]}."
    return Table(frame, caption)


@figure
def validity(run: Run) -> Drawn:
    """Which kind of map finds the voxels that truly carry signal."""
    frame = agreement(run)
    percent = 100 * run.config.evaluation.confidence
    caption = (
        f"Agreement of each kind of map with the {frame['truth'].iloc[0]}: rank correlation over "
        f"voxels; lines: {percent:.0f} % bootstrap intervals over voxels."
    )
    return Drawn(figure_agreement(frame), caption, {"agreement": frame})


def seed_stability(run: Run) -> pd.DataFrame:
    """Rank correlation between maps of the base subject's networks trained from several seeds.

    Trains both branches :data:`N_SEEDS` - 1 times more. A map that changes with the seed says
    something about the training, not about the brain.

    Returns
    -------
    DataFrame
        Columns subject, role, map, rho (mean over pairs of seeds), low, high (range over pairs),
        n_seeds.
    """
    name = run.base_subject
    subject, target = run.subject(name), run.targets(name)
    rows = []
    for branch in BRANCHES:
        made = [importance(run, name, branch).maps]
        for seed in range(run.config.seed + 1, run.config.seed + N_SEEDS):
            reseeded = run.config.model_copy(update={"seed": seed})
            folder = fitted(run, subject, target, branch, reseeded)
            made.append(_maps(run, subject, branch, load_model(folder.path / BEST)))
        for key, label in MAPS.items():
            rho = seed_reliability(np.stack([maps[key] for maps in made]))["rho"]
            rows.append((name, branch, label, rho.mean(), rho.min(), rho.max(), N_SEEDS))
    columns = ["subject", "role", "map", "rho", "low", "high", "n_seeds"]
    return pd.DataFrame(rows, columns=columns)


@table
def stability(run: Run) -> Table:
    """Whether maps of voxel importance survive another seed (trains networks of its own)."""
    caption = "Rank correlation of voxel importance between networks trained from several seeds."
    note = "Mean over pairs of seeds; low and high are the range over pairs. Base subject."
    return Table(seed_stability(run), caption, note)
