"""Single-trial betas of one subject: signal, noise and drift, in NSD's units and files.

NSD stores % signal change times 300 as int16. Its HDF5 files hold, seen from Python, an array of
(trials, Z, Y, X) in which one chunk is one voxel's trials of the session; its NIfTI files hold
(X, Y, Z, trials).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np

from havir_lib.config import Simulation
from havir_lib.io import atomic_write
from havir_lib.simulation.responses import GROUPS, Voxels

SCALE = 300
"""int16 units per % signal change."""
SPREAD = 0.35
"""SD, in log units, of the noise-ceiling SNR across the voxels of a group."""
SIGNAL_SD, BASELINE = 0.8, 1.0
"""Median SD of the signal and mean response over images, % signal change."""
IMAGES_IN_MIND = 4
"""Random images whose responses make up the spontaneous activity of a trial."""


@dataclass(frozen=True)
class Gains:
    """How each of n voxels turns its signal into a measurement; all arrays (n,) float32.

    Attributes
    ----------
    signal_sd, noise_sd
        % signal change; voxels that respond to nothing have signal_sd 0.
    baseline
        Mean response over images, % signal change.
    """

    signal_sd: np.ndarray
    noise_sd: np.ndarray
    baseline: np.ndarray

    @property
    def ncsnr(self) -> np.ndarray:
        """True noise-ceiling SNR: signal SD over noise SD."""
        return self.signal_sd / self.noise_sd


def noise_ceiling_to_snr(percent: float, repeats: int = 3) -> float:
    """The ncsnr x for which ``100 * x**2 / (x**2 + 1 / repeats)`` is `percent` (Allen 2022)."""
    share = percent / 100
    return float(np.sqrt(share / (1 - share) / repeats))


def draw_gains(voxels: Voxels, settings: Simulation, rng: np.random.Generator) -> Gains:
    """Draw each voxel's signal and noise level around the medians of its group."""
    n = len(voxels.group)
    median = [0.0, *(noise_ceiling_to_snr(settings.noise_ceiling[name]) for name in GROUPS[1:])]
    snr = np.array(median)[voxels.group] * np.exp(SPREAD * rng.standard_normal(n))
    signal_sd = SIGNAL_SD * np.exp(0.3 * rng.standard_normal(n))
    # A voxel that sees nothing is as noisy as an average visual one.
    noise_sd = signal_sd / np.where(snr > 0, snr, np.median(snr[snr > 0]))
    visual = voxels.group > 0
    baseline = BASELINE * np.exp(0.3 * rng.standard_normal(n)) * visual
    arrays = (signal_sd * visual, noise_sd, baseline)
    return Gains(*(a.astype(np.float32) for a in arrays))


def session_betas(
    signal: np.ndarray,
    shown: np.ndarray,
    gains: Gains,
    settings: Simulation,
    rng: np.random.Generator,
) -> np.ndarray:
    """Measure one session.

    A share `noise_correlation` of the noise is spontaneous activity, which resembles responses to
    pictures (Kenet et al. 2003): on each trial the mean response to a few random images. All voxels
    take part at once, so that averaging over voxels does not remove it; the rest is white.

    Parameters
    ----------
    signal : ndarray (n_images, n) of float32
        Noise-free response to each image, variance 1 over images (or all 0).
    shown : ndarray (trials,) of int
        Image of each trial, as a row of `signal`.

    Returns
    -------
    ndarray (trials, n) of int16
        % signal change times 300. The session has its own offset and gain per voxel.
    """
    n_trials, n = len(shown), signal.shape[1]
    offset = settings.session_drift * gains.noise_sd * rng.standard_normal(n, np.float32)
    gain = 1 + settings.session_gain * rng.standard_normal(n, np.float32)
    betas = gain * (gains.baseline + gains.signal_sd * signal[shown]) + offset
    share = settings.noise_correlation
    noise = np.float32(np.sqrt(1 - share)) * rng.standard_normal((n_trials, n), np.float32)
    noise += np.float32(np.sqrt(share)) * spontaneous(signal, n_trials, rng)
    betas += gains.noise_sd * noise
    limit = np.iinfo(np.int16)
    return np.clip(np.rint(betas * SCALE), limit.min, limit.max).astype(np.int16)


def spontaneous(signal: np.ndarray, n_trials: int, rng: np.random.Generator) -> np.ndarray:
    """Activity without a picture, (n_trials, n) float32, with the variance of `signal`."""
    rows = rng.integers(len(signal), size=(IMAGES_IN_MIND, n_trials))
    return sum(signal[row] for row in rows) / np.float32(np.sqrt(IMAGES_IN_MIND))


def write_hdf5(path: Path, betas: np.ndarray, ijk: np.ndarray, shape: tuple[int, ...]) -> None:
    """Write a session as NSD's HDF5; only voxels with data take space, all others read as 0.

    Parameters
    ----------
    betas : ndarray (trials, n) of int16
    ijk : ndarray (n, 3)
        Voxel of each column.
    shape : tuple
        Grid (X, Y, Z).
    """
    n_trials = len(betas)
    columns = np.ascontiguousarray(betas.T.astype("<i2"))
    with (
        atomic_write(path) as temporary,
        h5py.File(temporary, "w", libver="earliest", locking=False) as file,
    ):
        dataset = file.create_dataset(
            "betas",
            shape=(n_trials, *shape[::-1]),
            dtype="<i2",
            chunks=(n_trials, 1, 1, 1),
            fillvalue=0,
            track_times=False,
        )
        for (i, j, k), column in zip(ijk.tolist(), columns, strict=True):
            dataset.id.write_direct_chunk((0, k, j, i), column.tobytes())


def write_nifti_betas(
    path: Path, betas: np.ndarray, ijk: np.ndarray, shape: tuple[int, ...], affine: np.ndarray
) -> None:
    """Write a session as NSD's NIfTI, (X, Y, Z, trials); arguments as in :func:`write_hdf5`."""
    volume = np.zeros((*shape, len(betas)), np.int16)
    volume[tuple(ijk.T)] = betas.T
    write_nifti(path, volume, affine)


def write_nifti(path: Path, volume: np.ndarray, affine: np.ndarray) -> None:
    """Write a volume as ``.nii.gz``, in mm; equal arrays give equal bytes."""
    image = nib.Nifti1Image(volume, affine)
    image.header.set_xyzt_units("mm")
    with atomic_write(path) as temporary:
        nib.save(image, temporary)
