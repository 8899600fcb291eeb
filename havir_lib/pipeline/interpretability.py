"""Step 09: importance of each voxel, its null, and the truth where it is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from havir_lib.data.subject import Subject, average_repeats
from havir_lib.interpretation import (
    LinearMaps,
    activation_pattern_norm,
    compare_with_null,
    permuted_label_maps,
    roi_summary,
    scaled_weight_norm,
    seed_reliability,
    spatial_blocks,
    spearman_interval,
    weight_norm,
)
from havir_lib.io import load_arrays, save_arrays
from havir_lib.models import build_embedding
from havir_lib.models.build import Model
from havir_lib.pipeline import brains
from havir_lib.pipeline.decoding import Branch, targets, trained
from havir_lib.pipeline.decoding.networks import fitted
from havir_lib.pipeline.run import Run
from havir_lib.provenance import source_digest
from havir_lib.training import load_model, predict
from havir_lib.training.state import BEST

N_NULL = 20
N_PERMUTATIONS = 200
N_SEEDS = 3
BRANCHES: tuple[Branch, ...] = ("structural", "semantic")
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


@lru_cache(maxsize=16)
def importance(run: Run, name: str, branch: Branch) -> Importance:
    """Importance of every voxel of a subject's branch, by three measures."""
    model = load_model(trained(run, name, branch) / BEST)
    fresh = (build_embedding(model.architecture, seed=1 + seed) for seed in range(N_NULL))
    null = np.stack([weight_norm(_first_weight(embedding)) for embedding in fresh])
    brain = brains.subject(run, name)
    return Importance(_maps(run, brain, branch, model), null, getattr(brain, branch))


def _maps(run: Run, brain: Subject, branch: Branch, model: Model) -> dict[str, np.ndarray]:
    """The maps of a trained branch, by keys of :data:`MAPS`."""
    voxels = getattr(brain, branch)
    betas, _, _ = average_repeats(brain.train_betas[:, voxels], brain.train_images)
    weight = _first_weight(model.embed)
    return {
        "norm": weight_norm(weight),
        "scaled": scaled_weight_norm(weight, betas.std(axis=0)),
        "pattern": activation_pattern_norm(betas, predict(model, betas, run.device), run.device),
    }


def _first_weight(embedding) -> np.ndarray:
    """Weights of the linear layer of a voxel embedding, (hidden, V)."""
    return embedding[0].weight.detach().cpu().numpy()


def by_region(run: Run, name: str, branch: Branch) -> pd.DataFrame:
    """The paper's map summarised per region, with the range of the null."""
    found, brain = importance(run, name, branch), brains.subject(run, name)
    names = [roi for roi in _regions(run, name, branch) if brain.rois[roi][found.voxels].any()]
    rois = brain.rois[found.voxels].reset_index(drop=True)
    return roi_summary(found.maps["norm"], rois, names=names, null=found.null)


def _regions(run: Run, name: str, branch: Branch) -> list[str]:
    regions = brains.regions_with_role(run, name)
    return list(regions.loc[regions["role"] == branch, "roi"])


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
    brain, target = brains.subject(run, name), targets(run, name)
    rows = []
    for branch in BRANCHES:
        made = [importance(run, name, branch).maps]
        for seed in range(run.config.seed + 1, run.config.seed + N_SEEDS):
            reseeded = run.config.model_copy(update={"seed": seed})
            model = load_model(fitted(run, brain, target, branch, reseeded) / BEST)
            made.append(_maps(run, brain, branch, model))
        for key, label in MAPS.items():
            rho = seed_reliability(np.stack([maps[key] for maps in made]))["rho"]
            rows.append((name, branch, label, rho.mean(), rho.min(), rho.max(), N_SEEDS))
    columns = ["subject", "role", "map", "rho", "low", "high", "n_seeds"]
    return pd.DataFrame(rows, columns=columns)


def permuted_labels(run: Run, name: str, branch: Branch) -> LinearMaps:
    """Covariance of each voxel with the branch's targets, and under permuted labels.

    Of latents for the structural branch and of image tokens for the semantic one. The networks are
    not trained again (that would cost :data:`N_PERMUTATIONS` trainings); see
    :mod:`havir_lib.interpretation.permutation` for what the null is of.
    """
    brain, target = brains.subject(run, name), targets(run, name)
    betas, ids, _ = average_repeats(
        brain.train_betas[:, getattr(brain, branch)], brain.train_images
    )
    recipe = {
        "betas": betas,
        "images": ids,
        "targets": target.key,
        "branch": branch,
        "n_permutations": N_PERMUTATIONS,
        "seed": run.config.seed,
        "source": source_digest("interpretation"),
    }

    def build(folder: Path) -> None:
        wanted = target.latents if branch == "structural" else target.image_tokens
        made = permuted_label_maps(
            betas, wanted[target.rows(ids)], n_permutations=N_PERMUTATIONS, seed=run.config.seed
        )
        save_arrays(folder / "maps.npz", observed=made.observed, null=made.null)

    return LinearMaps(**load_arrays(run.cached("permuted_labels", recipe, build) / "maps.npz"))


def permuted_label_summary(run: Run) -> pd.DataFrame:
    """Covariance of voxels with the targets per region, against permuted labels.

    Returns
    -------
    DataFrame
        Columns of :func:`havir_lib.interpretation.roi_summary` after subject and role, and
        share_above: the share of a region's voxels with p <= 0.05 against their own null.
    """
    parts = []
    for name in run.subjects:
        brain = brains.subject(run, name)
        for branch in BRANCHES:
            found = permuted_labels(run, name, branch)
            rois = brain.rois[getattr(brain, branch)].reset_index(drop=True)
            names = [roi for roi in _regions(run, name, branch) if rois[roi].any()]
            table = roi_summary(found.observed, rois, names=names, null=found.null)
            p = compare_with_null(found.observed, found.null, pool=False)["p"]
            table["share_above"] = [float((p[rois[roi]] <= 0.05).mean()) for roi in table["roi"]]
            parts.append(table.assign(subject=name, role=branch))
    frame = pd.concat(parts, ignore_index=True)
    return frame[["subject", "role", *frame.columns.drop(["subject", "role"])]]


@lru_cache(maxsize=4)
def validity(run: Run) -> pd.DataFrame:
    """Rank correlation of each map with the truth, per subject and branch.

    The truth is the variance that the simulation put into a voxel as signal, relative to all its
    variance; where the data are measured there is none, and the maps are compared with the noise
    ceiling instead (column ``truth`` says which).

    Returns
    -------
    DataFrame
        Columns subject, role, map, truth, rho, low, high, n.
    """
    settings = run.config.evaluation
    rows = []
    for name in run.subjects:
        brain = brains.subject(run, name)
        kind, truth = _truth(run, name)
        for branch in BRANCHES:
            found = importance(run, name, branch)
            blocks = spatial_blocks(brain.ijk[found.voxels])
            for key, label in MAPS.items():
                interval = spearman_interval(
                    found.maps[key],
                    truth[found.voxels],
                    blocks=blocks,
                    n_bootstrap=settings.n_bootstrap,
                    confidence=settings.confidence,
                    seed=run.config.seed,
                )
                rows.append(
                    {"subject": name, "role": branch, "map": label, "truth": kind, **interval}
                )
    return pd.DataFrame(rows)


def _truth(run: Run, name: str) -> tuple[str, np.ndarray]:
    """What is known about each voxel's signal, in the order of the subject's voxels."""
    brain = brains.subject(run, name)
    file = brains.data_root(run) / "truth" / f"{name}.npz"
    if not file.is_file():
        return "noise ceiling (ncsnr)", brain.ncsnr
    known = load_arrays(file)
    share = known["signal_sd"] ** 2 / (known["signal_sd"] ** 2 + known["noise_sd"] ** 2)
    volume = np.full(brain.shape, np.nan)
    volume[tuple(known["ijk"].T)] = share
    return "simulated signal variance", volume[tuple(brain.ijk.T)]
