"""``load_subject``: from a tree of files to a :class:`Subject`, extracted once and then cached."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from havir_lib.cache.content import frozen
from havir_lib.cache.remember import remember_folder
from havir_lib.cache.store import identity
from havir_lib.config import Config, Data
from havir_lib.data.order import Evidence, ask_both, sentences
from havir_lib.data.pictures import Uncaptioned
from havir_lib.data.readers import Reader, code_of, open_reader
from havir_lib.data.readers.base import Pictures, Regions
from havir_lib.data.redrawn import RedrawnMasks
from havir_lib.data.roles import check_not_empty, count_rois, resolve_roles
from havir_lib.data.split import split_trials
from havir_lib.data.subject import Subject, normalised
from havir_lib.data.zscore import unusable_voxels, zscore_sessions
from havir_lib.errors import DataError
from havir_lib.io import load_arrays, read_json, save_arrays, write_json
from havir_lib.noise_ceiling import estimate_ncsnr, zscore_within
from havir_lib.paths import workspace_of

log = logging.getLogger(__name__)
EXTRACTION_SETTINGS = {
    "betas_version", "space", "roi_folder", "bad_voxels", "roles", "check_order",
}  # fmt: skip
SAMPLE = 2000
"""Voxels that are asked whether trials and pictures belong together."""


def load_subject(
    config: Config,
    name: str,
    root: Path | str | None = None,
    cache: Path | str | None = None,
    masks: RedrawnMasks | None = None,
) -> Subject:
    """Read one subject of a data set, by the reader that the configuration names.

    Parameters
    ----------
    config : Config
        Section ``data`` says which reader, sessions, regions and normalisation.
    name : str
        E.g. ``subj01``.
    root : Path, optional
        Folder of the data; default ``data.root``, else the simulated one in the workspace.
    cache : Path, optional
        Cache folder; default the workspace's.
    masks : RedrawnMasks, optional
        Regions instead of the data set's own.

    Raises
    ------
    DataError, ShapeError, SplitError
        If files are missing, damaged or disagree; the message names the file.
    """
    reader = open_reader(config, root)
    store = (
        Path(cache)
        if cache
        else workspace_of(config.profile, config.workspace, config.variant).cache
    )
    made = remember_folder(
        store,
        "subjects",
        extract,
        name=name,
        sessions=reader.sessions(name),
        how={"reader": reader, "data": config.data, "masks": masks},
        given={
            "settings": config.data.model_dump(mode="json", include=EXTRACTION_SETTINGS),
            "files": [identity(path) for path in reader.files(name)],
            "masks": masks and identity(masks.path),
        },
        also=code_of(reader),
    )
    return _assemble(made.path, reader, name, config.data)


def load_stimuli(config: Config, root: Path | str | None = None) -> Pictures:
    """Pictures and captions of the data set that a configuration reads.

    Parameters
    ----------
    config : Config
        ``data.captions`` are paths relative to the root. Without text, every caption is empty.
    root : Path, optional
        Folder of the data instead of the configuration's.
    """
    found = open_reader(config, root).stimuli
    return found if config.has_text else Uncaptioned(found)


def extract(
    folder: Path,
    reader: Reader,
    data: Data,
    name: str,
    sessions: list[int],
    masks: RedrawnMasks | None = None,
) -> None:
    """Read a subject's voxels and write them, not yet z-scored, into `folder`.

    Parameters
    ----------
    folder : Path
        Gets ``betas.npy`` (n_trials, V), ``voxels.npz``, ``trials.csv``, ``rois.csv``, counts, and
        ``order.json``.
    reader : Reader
    data : Data
    name : str
    sessions : list of int
        As the reader gives them.
    masks : RedrawnMasks, optional
        Instead of the reader's regions.
    """
    trials = split_trials(reader.trials(name))
    regions = masks or reader.regions(name)
    structural, semantic, role_counts = resolve_roles(regions, data.roles)
    ijk = np.argwhere(structural | semantic)
    betas, keep, dropped = _read_usable(reader, name, trials, ijk, data)
    ijk = ijk[keep]
    roles = {"structural": structural[tuple(ijk.T)], "semantic": semantic[tuple(ijk.T)]}
    role_counts = _finish_counts(role_counts, dropped, roles)
    check_not_empty(name, roles, role_counts)
    ncsnr = ncsnr_of(reader, name, betas[:, keep], trials, ijk)
    order = order_of(reader, betas[:, keep], trials, roles["structural"], ncsnr)
    refuse_disorder(name, order, data.check_order)

    np.save(folder / "betas.npy", betas[:, keep])
    _save_voxels(folder, reader, name, ijk, ncsnr, roles)
    _save_rois(folder, regions, _roi_names(regions, data), ijk)
    trials.to_csv(folder / "trials.csv", index=False)
    role_counts.to_csv(folder / "role_counts.csv", index=False)
    write_json(folder / "order.json", {name: found.as_dict() for name, found in order.items()})


def ncsnr_of(
    reader: Reader, name: str, betas: np.ndarray, trials: pd.DataFrame, ijk: np.ndarray
) -> np.ndarray:
    """Noise ceiling SNR (V,) float32: the data's own, else from repeats; NaN if there are none.

    Parameters
    ----------
    reader : Reader
    name : str
    betas : ndarray (n_trials, V)
    trials : DataFrame
        Columns session, image.
    ijk : ndarray of int (V, 3)
    """
    given = reader.ncsnr(name)
    if given is not None:
        return given[tuple(ijk.T)].astype(np.float32)
    images = trials["image"].to_numpy()
    if len(np.unique(images)) == len(images):
        log.warning("%s: no noise ceiling: none came with the data, no image was repeated", name)
        return np.full(len(ijk), np.nan, np.float32)
    log.info("%s: noise ceiling estimated from repeats, none came with the data", name)
    return estimate_ncsnr(zscore_within(betas, trials["session"].to_numpy()), images)


def order_of(
    reader: Reader,
    betas: np.ndarray,
    trials: pd.DataFrame,
    early: np.ndarray,
    ncsnr: np.ndarray,
) -> dict[str, Evidence]:
    """Whether the betas say that trials and pictures belong together.

    Parameters
    ----------
    reader : Reader
    betas : ndarray (n_trials, V)
    trials : DataFrame
        Columns session, image.
    early : ndarray of bool (V,)
    ncsnr : ndarray (V,)
    """
    n = betas.shape[1]
    sample = np.linspace(0, n - 1, min(SAMPLE, n)).astype(int)
    sessions, images = (trials[column].to_numpy() for column in ("session", "image"))
    known = ncsnr[sample].astype(float)
    pictures = reader.pictures()
    return ask_both(betas[:, sample], sessions, images, early[sample], known, pictures)


def refuse_disorder(name: str, found: dict[str, Evidence], how: str) -> None:
    """Raise :class:`DataError`, or warn, where the betas contradict their trials or pictures."""
    for verdict, text in sentences(found).values():
        if verdict != "contradict":
            log.debug("%s: %s", name, text)
        elif how == "error":
            raise DataError(f"{name}: {text}")
        else:
            log.warning("%s: %s", name, text)


def _save_voxels(
    folder: Path,
    reader: Reader,
    name: str,
    ijk: np.ndarray,
    ncsnr: np.ndarray,
    roles: dict[str, np.ndarray],
) -> None:
    grid = reader.grid(name)
    save_arrays(
        folder / "voxels.npz",
        ijk=ijk,
        shape=np.array(grid.shape),
        affine=np.eye(4) if grid.affine is None else grid.affine,
        ncsnr=ncsnr,
        unit=np.array(reader.unit(name)),
        **roles,
    )


def _save_rois(folder: Path, regions: Regions, names: list[str], ijk: np.ndarray) -> None:
    masks = {roi: regions.mask(roi) for roi in names}
    index = tuple(ijk.T)
    used = np.zeros(regions.grid.shape, dtype=bool)
    used[index] = True
    table = pd.DataFrame({roi: mask[index] for roi, mask in masks.items()})
    table.to_csv(folder / "rois.csv", index=False)
    count_rois(regions, masks, used).to_csv(folder / "roi_counts.csv", index=False)
    write_json(folder / "labels.json", {name: dict(x) for name, x in regions.tables.items()})


def ids_of_test_images(config: Config, name: str, root: Path | str | None = None) -> np.ndarray:
    """Ids of a subject's test images in the sessions used, sorted; no voxel is read.

    Raises
    ------
    DataError
        If there are no betas, which tell how many trials a session has.
    """
    trials = split_trials(open_reader(config, root).trials(name))
    return np.unique(trials.loc[trials["is_test"], "image"])


def _read_usable(
    reader: Reader, name: str, trials: pd.DataFrame, ijk: np.ndarray, data: Data
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Betas of all sessions, which voxels to keep, and how many were dropped for what reason."""
    values = []
    not_finite, constant = np.zeros((2, len(ijk)), dtype=bool)
    for session, rows in tqdm(trials.groupby("session"), desc=f"{name}: betas", unit="session"):
        path = reader.betas_file(name, session)
        values.append(reader.betas(name, session, ijk))
        nan_here, constant_here = unusable_voxels(values[-1], rows["is_train"].to_numpy())
        if data.bad_voxels == "error":
            _raise_if_any(path, ijk, nan_here, "NaN or infinite")
            _raise_if_any(path, ijk, constant_here, "constant over all training trials")
        not_finite |= nan_here
        constant |= constant_here
    betas = np.concatenate(values)
    keep = ~(not_finite | constant)
    weak = np.zeros_like(keep)
    if data.roles.min_ncsnr > 0:
        weak[keep] = _training_ncsnr(betas[:, keep], trials) < data.roles.min_ncsnr
    dropped = {
        "NaN or infinite": int(not_finite.sum()),
        "constant in a session": int((constant & ~not_finite).sum()),
        f"ncsnr below {data.roles.min_ncsnr:g}": int(weak.sum()),
    }
    if not keep.all() or weak.any():
        log.warning("%s: dropped %s of %d voxels", name, dropped, len(ijk))
    return betas, keep & ~weak, dropped


def _raise_if_any(path: Path, ijk: np.ndarray, bad: np.ndarray, what: str) -> None:
    if bad.any():
        raise DataError(
            f"{path}: {int(bad.sum())} of {len(bad)} voxels with a role are {what}, "
            f"e.g. (i, j, k) = {tuple(ijk[bad][0].tolist())}. "
            "Set data.bad_voxels to 'drop' to leave them out, with a count."
        )


def _training_ncsnr(betas: np.ndarray, trials: pd.DataFrame) -> np.ndarray:
    """Noise ceiling SNR without test images, because voxels are chosen by it."""
    is_train = trials["is_train"].to_numpy()
    z = zscore_sessions(betas, trials["session"].to_numpy(), is_train)
    return estimate_ncsnr(z[is_train], trials["image"].to_numpy()[is_train])


def _finish_counts(
    counts: pd.DataFrame, dropped: dict[str, int], roles: dict[str, np.ndarray]
) -> pd.DataFrame:
    rows = [("dropped", reason, count) for reason, count in dropped.items()]
    rows += [(role, "used", int(mask.sum())) for role, mask in roles.items()]
    return pd.concat([counts, pd.DataFrame(rows, columns=counts.columns)], ignore_index=True)


def _roi_names(regions: Regions, data: Data) -> list[str]:
    """ROIs listed with every subject and those the roles name, each once."""
    names = [*regions.listed_names(), *data.roles.structural, *data.roles.semantic]
    return list(dict.fromkeys(names))


def _assemble(folder: Path, reader: Reader, name: str, data: Data) -> Subject:
    arrays: dict[str, Any] = load_arrays(folder / "voxels.npz")
    arrays["shape"] = tuple(arrays["shape"].tolist())
    unit = float(arrays.pop("unit"))
    trials = pd.read_csv(folder / "trials.csv")
    betas = np.load(folder / "betas.npy", mmap_mode="r")
    # What was scaled over all sessions is scaled by session as if it had not been; all else, once.
    zscore = data.zscore if reader.normalised in ("none", "training") else "none"
    is_train = trials["is_train"].to_numpy()
    subject = Subject(
        name=name,
        trials=trials,
        betas=betas,
        unit=unit,
        zscore=zscore,
        rois=pd.read_csv(folder / "rois.csv"),
        labels=read_json(folder / "labels.json"),
        anatomy=reader.anatomy(name),
        role_counts=pd.read_csv(folder / "role_counts.csv"),
        roi_counts=pd.read_csv(folder / "roi_counts.csv"),
        **arrays,
        **normalised(betas, trials, is_train, unit, zscore),
    )
    return frozen(subject)
