"""A data set of any reader as a folder of one's own (:mod:`havir_lib.data.readers.bids`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from PIL import Image
from tqdm.auto import tqdm

from havir_lib.data.readers.base import Pictures, Reader
from havir_lib.data.tables import write_table
from havir_lib.errors import DataError
from havir_lib.io import atomic_write, write_json


def export_own(
    reader: Reader,
    folder: Path,
    subjects: Sequence[str],
    n_captions: int = 5,
    uneven: int | None = None,
) -> Path:
    """Write subjects of a data set into a folder of one's own.

    Betas are float32 in % signal change, NaN where there is no signal; one mask per region; no
    transforms. A subject ``subj01`` becomes ``sub-subj01``.

    Parameters
    ----------
    reader : Reader
    folder : Path
        Must not hold a data set yet.
    subjects : sequence of str
    n_captions : int
        0 to write none.
    uneven : int, optional
        Seed by which sessions lose their last trials, up to six in ten, as if scans had been cut
        short: sessions of unequal length, and images with fewer repeats.

    Returns
    -------
    Path
        `folder`.
    """
    folder = Path(folder)
    if (folder / "dataset.json").exists():
        raise DataError(f"{folder}: expected no data set there, found one. Choose another folder.")
    shown = [_cut_short(reader.trials(name), uneven) for name in subjects]
    _write_pictures(reader.stimuli, np.unique(np.concatenate([x["image"] for x in shown])), folder,
                    n_captions)  # fmt: skip
    for name, trials in zip(subjects, shown, strict=True):
        _write_subject(reader, name, trials, folder)
    about = {"unit": "percent", "normalised": reader.normalised, "simulated": reader.simulated}
    write_json(folder / "dataset.json", about)  # last: it marks the rest done
    return folder


def _cut_short(trials: pd.DataFrame, seed: int | None) -> pd.DataFrame:
    """Trials without the last ones of each session."""
    if seed is None:
        return trials
    rng = np.random.default_rng(seed)
    lengths = trials.groupby("session").size()
    kept = {n: rng.integers(-(-2 * length // 5), length + 1) for n, length in lengths.items()}
    return trials[trials["trial"] < trials["session"].map(kept)]


def named(image: int) -> str:
    """Name of an image by its id."""
    return f"image{image:05d}"


def _write_pictures(stimuli: Pictures, ids: np.ndarray, folder: Path, n_captions: int) -> None:
    (folder / "stimuli").mkdir(parents=True, exist_ok=True)
    for image in tqdm(ids.tolist(), "pictures", unit="image"):
        with atomic_write(folder / "stimuli" / f"{named(image)}.png") as temporary:
            Image.fromarray(stimuli.images([image])[0]).save(temporary)
    names = [named(image) for image in ids.tolist()]
    table = pd.DataFrame({"image": names, "file": [f"{name}.png" for name in names]})
    write_table(folder / "stimuli.tsv", table)
    if n_captions:
        texts = stimuli.captions(ids, n_captions)
        rows = [(name, text) for name, five in zip(names, texts, strict=True) for text in five]
        write_table(folder / "captions.tsv", pd.DataFrame(rows, columns=["image", "caption"]))


def _write_subject(reader: Reader, name: str, trials: pd.DataFrame, folder: Path) -> None:
    own = f"sub-{name.removeprefix('sub-')}"
    place, grid = folder / own, reader.grid(name)
    affine = np.eye(4) if grid.affine is None else grid.affine
    regions = reader.regions(name)
    for region in regions.listed_names():
        mask = nib.Nifti1Image(regions.mask(region).astype(np.uint8), affine)
        label = "".join(c for c in region if c.isalnum() or c == "-")
        _save(mask, place / "rois" / f"{own}_label-{label}_mask.nii.gz")
    ncsnr = reader.ncsnr(name)
    inside = np.ones(grid.shape, bool) if ncsnr is None else np.nan_to_num(ncsnr) > 0
    for region in regions.listed_names():
        inside = inside | regions.mask(region)
    if ncsnr is not None:
        _save(nib.Nifti1Image(ncsnr.astype(np.float32), affine), place / f"{own}_ncsnr.nii.gz")
    ijk = np.argwhere(inside)
    for session in tqdm(reader.sessions(name), f"{own}: betas", unit="session"):
        kept = trials.loc[trials["session"] == session, "trial"].to_numpy()
        values = reader.betas(name, session, ijk)[kept] * np.float32(reader.unit(name))
        volume = np.full((*grid.shape, len(values)), np.nan, np.float32)
        volume[tuple(ijk.T)] = values.T
        _save(nib.Nifti1Image(volume, affine),
              place / "betas" / f"{own}_ses-{session:02d}_betas.nii.gz")  # fmt: skip
    table = trials.assign(image=[named(image) for image in trials["image"]])
    write_table(place / f"{own}_trials.tsv", table[["session", "image", "use"]])


def _save(image: nib.Nifti1Image, path: Path) -> None:
    with atomic_write(path) as temporary:
        nib.save(image, temporary)
