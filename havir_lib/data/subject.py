"""One participant as the rest of the library sees it, whatever data set it came from.

Shape words: V voxels that have a role, (X, Y, Z) the voxel grid. Nothing here is specific to NSD:
sessions may differ in length, images in repeats, grids in shape.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from havir_lib.cache.content import frozen
from havir_lib.data.anatomy import Anatomy
from havir_lib.data.nifti import Grid
from havir_lib.data.split import check_split, first_sessions
from havir_lib.data.zscore import WHAT_IT_SEES, Zscore, apply_statistics, statistics_of
from havir_lib.noise_ceiling import noise_ceiling

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Subject:
    """Voxels, trials and regions of one participant.

    Attributes
    ----------
    name : str
    trials : DataFrame
        All trials: session (1-based), trial (0-based in session), image (0-based id), repeat,
        is_shared, is_test, is_train (trained on; False for the later sessions of a one-hour
        subject).
    ijk : ndarray of int, (V, 3)
        Voxel indices into the grid; the order of every voxel axis below.
    shape : tuple of int
        Grid (X, Y, Z).
    affine : ndarray, (4, 4)
        Voxel indices to mm.
    rois : DataFrame, V rows
        One boolean column per ROI: labels such as ``V1v`` and whole sets such as ``floc-faces``.
    ncsnr : ndarray, (V,)
        The data set's noise ceiling signal-to-noise ratio, for reports (it has seen test images).
    structural, semantic : ndarray of bool, (V,)
        Disjoint; every voxel is in one.
    train_betas : ndarray, (n_train_trials, V) float32
        One row per trial, z-scored.
    train_images, train_sessions : ndarray of int, (n_train_trials,)
    test_betas : ndarray, (n_test, V) float32
        One row per image: mean over its repeats, z-scored before averaging.
    test_images, test_repeats : ndarray of int, (n_test,)
        Rising ids; number of trials averaged.
    betas : ndarray, (n_trials, V)
        All trials as stored; times `unit` they are % signal change (NSD). Memory-mapped.
    unit : float
    role_counts : DataFrame
        Columns role, roi, n_voxels; how the roles were filled, overlap included.
    roi_counts : DataFrame
        Columns roi_set, roi, n_voxels (as drawn), n_used (with a role).
    labels : dict of str to dict of str to int
        ROI set → name of a label → its integer in the set's volume.
    anatomy : Anatomy
        What lies behind maps, and the ways to standard spaces.
    """

    name: str
    trials: pd.DataFrame
    ijk: np.ndarray
    shape: tuple[int, int, int]
    affine: np.ndarray
    rois: pd.DataFrame
    ncsnr: np.ndarray
    structural: np.ndarray
    semantic: np.ndarray
    train_betas: np.ndarray
    train_images: np.ndarray
    train_sessions: np.ndarray
    test_betas: np.ndarray
    test_images: np.ndarray
    test_repeats: np.ndarray
    betas: np.ndarray
    unit: float
    zscore: Zscore
    role_counts: pd.DataFrame
    roi_counts: pd.DataFrame
    labels: dict[str, dict[str, int]]
    anatomy: Anatomy

    @property
    def n_voxels(self) -> int:
        """V."""
        return len(self.ijk)

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        return Grid(self.shape, self.affine)

    @property
    def has_places(self) -> bool:
        """Whether the voxels lie in a volume; else the grid is a row of them, or of vertices."""
        return tuple(self.shape[1:]) != (1, 1)

    @property
    def content(self) -> list:
        """Everything that a model trained on this subject depends on."""
        used = self.trials[["session", "image", "is_test", "is_train"]].to_numpy(dtype=np.int64)
        voxels = [self.ijk, self.structural, self.semantic]
        return [self.name, self.zscore, self.unit, used, *voxels, self.betas]

    def hours(self, n_sessions: int) -> Subject:
        """The same subject with only its first sessions (one hour each) to train on.

        Test betas keep all sessions. Z-scoring uses nothing but the training trials of the first
        `n_sessions`: each of these sessions its own, later ones (test trials only) their average.
        The voxels stay as they are.
        """
        return with_training(self, first_sessions(self.trials, n_sessions))

    def volume(self, values: np.ndarray, fill: float = np.nan) -> np.ndarray:
        """Put one value per voxel, ``(V,)``, back into the grid (X, Y, Z)."""
        values = np.asarray(values)
        result = np.full(self.shape, fill, dtype=np.result_type(values, type(fill)))
        result[tuple(self.ijk.T)] = values
        return result


def normalised(
    betas: np.ndarray,
    trials: pd.DataFrame,
    is_train: np.ndarray,
    unit: float,
    zscore: Zscore,
) -> dict[str, np.ndarray]:
    """Train and test arrays of a subject, from all its trials.

    Parameters
    ----------
    betas : ndarray, (n_trials, V)
        As stored.
    trials : DataFrame
        Columns session, image, is_test.
    is_train : ndarray of bool, (n_trials,)
        Trials to train on; with ``"session"``, the only ones that z-scoring looks at.
    unit : float
        Factor to % signal change, for ``zscore="none"``.
    zscore : {"session", "session_all", "none"}

    Returns
    -------
    dict
        The fields train_betas, train_images, train_sessions, test_betas, test_images,
        test_repeats of :class:`Subject`.

    Raises
    ------
    SplitError
        If an image is in both training and test, or one of them is empty.
    """
    sessions, images = trials["session"].to_numpy(), trials["image"].to_numpy()
    is_test = trials["is_test"].to_numpy()
    check_split(images[is_train], images[is_test])
    train, test = np.flatnonzero(is_train), np.flatnonzero(is_test)
    if zscore == "none":
        train_betas = np.multiply(betas[train], unit, dtype=np.float32)
        test_trials = np.multiply(betas[test], unit, dtype=np.float32)
    else:
        statistics = statistics_of(zscore, betas, sessions, is_train)
        train_betas = apply_statistics(betas, sessions, statistics, train)
        test_trials = apply_statistics(betas, sessions, statistics, test)
    test_betas, test_images, test_repeats = average_repeats(test_trials, images[test])
    return {
        "train_betas": train_betas,
        "train_images": images[is_train],
        "train_sessions": sessions[is_train],
        "test_betas": test_betas,
        "test_images": test_images,
        "test_repeats": test_repeats,
    }


def average_repeats(
    betas: np.ndarray, images: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over the trials of each image.

    Parameters
    ----------
    betas : ndarray, (n_trials, V)
    images : ndarray of int, (n_trials,)

    Returns
    -------
    betas : ndarray, (n_images, V)
    images : ndarray, (n_images,)
        Rising.
    repeats : ndarray of int, (n_images,)
        Trials averaged.
    """
    unique, first, repeats = np.unique(np.sort(images), return_index=True, return_counts=True)
    order = np.argsort(images, kind="stable")
    sums = np.add.reduceat(betas[order], first, axis=0)
    return sums / repeats[:, None].astype(betas.dtype), unique, repeats


def with_training(subject: Subject, is_train: np.ndarray) -> Subject:
    """The subject with other training trials, z-scored by these alone."""
    arrays = normalised(subject.betas, subject.trials, is_train, subject.unit, subject.zscore)
    return frozen(replace(subject, trials=subject.trials.assign(is_train=is_train), **arrays))


def with_zscore(subject: Subject, zscore: Zscore) -> Subject:
    """The subject with the same trials, z-scored in another way."""
    return with_training(replace(subject, zscore=zscore), subject.trials["is_train"].to_numpy())


def describe(subject: Subject) -> str:
    """Log the labelled shapes of a subject, and return them as text."""
    s = subject
    ceiling = np.nanmedian(noise_ceiling(s.ncsnr, s.test_repeats))
    lines = [
        f"{s.name}: grid (X, Y, Z) = {s.shape}, {s.trials['session'].nunique()} sessions",
        f"train_betas (n_train_trials, n_voxels) = {s.train_betas.shape} from "
        f"{len(np.unique(s.train_images))} images, {len(np.unique(s.train_sessions))} sessions",
        f"test_betas (n_test_images, n_voxels) = {s.test_betas.shape}, "
        f"{s.test_repeats.mean():.2f} repeats on average",
        f"z-scored: {WHAT_IT_SEES[s.zscore]}",
        f"voxels: {s.structural.sum()} structural, {s.semantic.sum()} semantic; "
        f"median noise ceiling of the test means {ceiling:.1f} % of variance",
    ]
    text = "\n".join(lines)
    log.info(text)
    return text


def roi_table(subjects: list[Subject]) -> pd.DataFrame:
    """Sizes and signal quality of all ROIs of some subjects, one row per subject and ROI.

    Returns
    -------
    DataFrame
        Columns subject, roi_set, roi, n_voxels (as drawn), n_used (with a role), n_structural,
        n_semantic, noise_ceiling (median over the used voxels, % of variance for the test means).
    """
    return pd.concat([_roi_rows(subject) for subject in subjects], ignore_index=True)


def _roi_rows(subject: Subject) -> pd.DataFrame:
    table = subject.roi_counts.copy()
    inside = subject.rois[table["roi"]].to_numpy()  # (V, n_rois)
    ceiling = noise_ceiling(subject.ncsnr, subject.test_repeats)
    table.insert(0, "subject", subject.name)
    table["n_structural"] = (inside & subject.structural[:, None]).sum(axis=0)
    table["n_semantic"] = (inside & subject.semantic[:, None]).sum(axis=0)
    table["noise_ceiling"] = [np.nanmedian(ceiling[m]) if m.any() else np.nan for m in inside.T]
    return table
