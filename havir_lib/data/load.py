"""``load_subject``: from a tree of files to a :class:`Subject`, extracted once and then cached."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

import havir_lib.data.layout
from havir_lib.cache.content import frozen
from havir_lib.cache.remember import remember_folder
from havir_lib.config import Config, Data
from havir_lib.data.anatomy import anatomy_of
from havir_lib.data.betas import BetasHeader, read_betas, read_header
from havir_lib.data.layout import NsdLayout, layout_of, used_sessions
from havir_lib.data.nifti import Grid, grid_of, indices_in, read_volume
from havir_lib.data.order import Evidence, ask_both, sentences
from havir_lib.data.rois import RoiAtlas
from havir_lib.data.roles import check_not_empty, count_rois, resolve_roles
from havir_lib.data.split import split_trials
from havir_lib.data.stimuli import Stimuli
from havir_lib.data.subject import Subject, normalised
from havir_lib.data.trials import load_trials
from havir_lib.data.zscore import unusable_voxels, zscore_sessions
from havir_lib.errors import DataError
from havir_lib.io import load_arrays, read_json, save_arrays, write_json
from havir_lib.noise_ceiling import estimate_ncsnr
from havir_lib.paths import workspace_of
from havir_lib.provenance import stamp

log = logging.getLogger(__name__)
EXTRACTION_SETTINGS = {
    "betas_version", "space", "roi_folder", "bad_voxels", "roles", "check_order",
}  # fmt: skip
SAMPLE = 2000
"""Voxels that are asked whether trials and pictures belong together."""


def load_subject(
    config: Config, name: str, root: Path | str | None = None, cache: Path | str | None = None
) -> Subject:
    """Read one subject of NSD, or of a simulated tree in its layout.

    Parameters
    ----------
    config : Config
        Section ``data`` says which sessions, regions and normalisation.
    name : str
        E.g. ``subj01``.
    root : Path, optional
        Folder of the tree; default ``data.root``, else the simulated one in the workspace.
    cache : Path, optional
        Cache folder; default the workspace's.

    Raises
    ------
    DataError, ShapeError, SplitError
        If files are missing, damaged or disagree; the message names the file.
    """
    layout = layout_of(config, root)
    sessions = used_sessions(layout, name, config.data.sessions_of(name))
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
        sessions=sessions,
        how={"layout": layout, "data": config.data},
        given={
            "settings": config.data.model_dump(mode="json", include=EXTRACTION_SETTINGS),
            "files": [stamp(path) for path in _input_files(layout, name, sessions)],
        },
        also=(havir_lib.data.layout,),
    )
    return _assemble(made.path, layout, name, config.data)


def _input_files(layout: NsdLayout, name: str, sessions: list[int]) -> Iterable[Path]:
    """Every file the extraction reads; a change in one of them makes the cache stale."""
    files = [layout.stim_info, layout.experiment_design, layout.ncsnr(name), layout.responses(name)]
    files += [layout.betas(name, session) for session in sessions]
    files += [layout.stimuli]
    files += sorted(layout.roi_directory(name).glob("*.nii.gz"))
    for directory in layout.label_directories(name):
        files += sorted(directory.glob("*.mgz.ctab"))
    return [file for file in files if file.is_file()]


def extract(folder: Path, layout: NsdLayout, data: Data, name: str, sessions: list[int]) -> None:
    """Read a subject's voxels and write them, not yet z-scored, into `folder`.

    Parameters
    ----------
    folder : Path
        Gets ``betas.npy`` (n_trials, V), ``voxels.npz``, ``trials.csv``, ``rois.csv`` and counts.
    layout : NsdLayout
    data : Data
    name : str
    sessions : list of int
        1-based.
    """
    header, lengths = _read_headers(layout, name, sessions)
    trials = split_trials(load_trials(layout, name, lengths))
    grid = grid_of_betas(layout, name, header)
    atlas = RoiAtlas(layout, name, grid)
    structural, semantic, role_counts = resolve_roles(atlas, data.roles)
    ijk = np.argwhere(structural | semantic)
    betas, keep, dropped = _read_usable(layout, name, trials, ijk, data, grid)
    ijk = ijk[keep]
    roles = {"structural": structural[tuple(ijk.T)], "semantic": semantic[tuple(ijk.T)]}
    role_counts = _finish_counts(role_counts, dropped, roles)
    check_not_empty(name, roles, role_counts)
    order = order_of(layout, name, betas[:, keep], trials, roles["structural"], ijk, grid)
    refuse_disorder(name, order, data.check_order)

    np.save(folder / "betas.npy", betas[:, keep])
    _save_voxels(folder, layout, name, header, grid, ijk, roles)
    _save_rois(folder, atlas, _roi_names(atlas, data), ijk)
    trials.to_csv(folder / "trials.csv", index=False)
    role_counts.to_csv(folder / "role_counts.csv", index=False)
    write_json(folder / "order.json", {name: found.as_dict() for name, found in order.items()})


def order_of(
    layout: NsdLayout,
    name: str,
    betas: np.ndarray,
    trials: pd.DataFrame,
    early: np.ndarray,
    ijk: np.ndarray,
    grid: Grid,
) -> dict[str, Evidence]:
    """Whether the betas say that trials and pictures belong together.

    Parameters
    ----------
    layout : NsdLayout
    name : str
    betas : ndarray (n_trials, V)
    trials : DataFrame
        Columns session, image.
    early : ndarray of bool (V,)
    ijk : ndarray of int (V, 3)
    grid : Grid
    """
    sample = np.linspace(0, len(ijk) - 1, min(SAMPLE, len(ijk))).astype(int)
    ncsnr = read_volume(layout.ncsnr(name), f"Noise ceiling SNR of {name}", grid).values
    sessions, images = (trials[column].to_numpy() for column in ("session", "image"))
    known = ncsnr[tuple(ijk[sample].T)].astype(float)
    pictures = Stimuli(layout, []).images if layout.stimuli.is_file() else None
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
    layout: NsdLayout,
    name: str,
    header: BetasHeader,
    grid: Grid,
    ijk: np.ndarray,
    roles: dict[str, np.ndarray],
) -> None:
    ncsnr = read_volume(layout.ncsnr(name), f"Noise ceiling SNR of {name}", grid)
    save_arrays(
        folder / "voxels.npz",
        ijk=ijk,
        shape=np.array(grid.shape),
        affine=ncsnr.affine,
        ncsnr=ncsnr.values[tuple(ijk.T)].astype(np.float32),
        unit=np.array(header.unit),
        **roles,
    )


def _save_rois(folder: Path, atlas: RoiAtlas, names: list[str], ijk: np.ndarray) -> None:
    masks = {roi: atlas.mask(roi) for roi in names}
    index = tuple(ijk.T)
    used = np.zeros(atlas.grid.shape, dtype=bool)
    used[index] = True
    table = pd.DataFrame({roi: mask[index] for roi, mask in masks.items()})
    table.to_csv(folder / "rois.csv", index=False)
    count_rois(atlas, masks, used).to_csv(folder / "roi_counts.csv", index=False)
    write_json(folder / "labels.json", atlas.tables)


def _read_headers(
    layout: NsdLayout, name: str, sessions: list[int]
) -> tuple[BetasHeader, dict[int, int]]:
    """Header of the first session, and the number of trials of each; all must be alike."""
    headers = {session: read_header(layout.betas(name, session)) for session in sessions}
    first = headers[sessions[0]]
    for session, header in headers.items():
        indices_in(layout.betas(name, session), header.grid, np.zeros((0, 3)), first.grid)
        if header.dtype != first.dtype:
            raise DataError(
                f"{layout.betas(name, session)}: values are {header.dtype}, "
                f"but session {sessions[0]} has {first.dtype}."
            )
    return first, {session: header.n_trials for session, header in headers.items()}


def grid_of_betas(layout: NsdLayout, name: str, header: BetasHeader) -> Grid:
    """Where a subject's voxels lie: as the betas say, or else the volume beside them.

    Raises
    ------
    DataError, ShapeError
        If that volume is damaged or of another shape.
    """
    if header.affine is not None or not layout.ncsnr(name).is_file():
        return header.grid
    beside = read_volume(layout.ncsnr(name), f"Noise ceiling SNR of {name}", header.grid)
    known = grid_of(layout.ncsnr(name)).affine
    return Grid(header.shape, None if known is None else beside.affine)


def test_images(layout: NsdLayout, name: str, data: Data) -> np.ndarray:
    """Ids of a subject's test images in the sessions used, sorted; no voxel is read.

    Raises
    ------
    DataError
        If there are no betas, which tell how many trials a session has.
    """
    sessions = used_sessions(layout, name, data.sessions_of(name))
    _, lengths = _read_headers(layout, name, sessions)
    trials = split_trials(load_trials(layout, name, lengths))
    return np.unique(trials.loc[trials["is_test"], "image"])


def _read_usable(
    layout: NsdLayout,
    name: str,
    trials: pd.DataFrame,
    ijk: np.ndarray,
    data: Data,
    grid: Grid,
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Betas of all sessions, which voxels to keep, and how many were dropped for what reason."""
    values = []
    not_finite, constant = np.zeros((2, len(ijk)), dtype=bool)
    for session, rows in tqdm(trials.groupby("session"), desc=f"{name}: betas", unit="session"):
        path = layout.betas(name, session)
        values.append(read_betas(path, ijk, grid))
        nan_here, constant_here = unusable_voxels(values[-1], ~rows["is_test"].to_numpy())
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
    is_train = ~trials["is_test"].to_numpy()
    z = zscore_sessions(betas, trials["session"].to_numpy(), is_train)
    return estimate_ncsnr(z[is_train], trials["image"].to_numpy()[is_train])


def _finish_counts(
    counts: pd.DataFrame, dropped: dict[str, int], roles: dict[str, np.ndarray]
) -> pd.DataFrame:
    rows = [("dropped", reason, count) for reason, count in dropped.items()]
    rows += [(role, "used", int(mask.sum())) for role, mask in roles.items()]
    return pd.concat([counts, pd.DataFrame(rows, columns=counts.columns)], ignore_index=True)


def _roi_names(atlas: RoiAtlas, data: Data) -> list[str]:
    """ROIs listed with every subject and those the roles name, each once."""
    names = [*atlas.listed_names(), *data.roles.structural, *data.roles.semantic]
    return list(dict.fromkeys(names))


def _assemble(folder: Path, layout: NsdLayout, name: str, data: Data) -> Subject:
    arrays: dict[str, Any] = load_arrays(folder / "voxels.npz")
    arrays["shape"] = tuple(arrays["shape"].tolist())
    unit = float(arrays.pop("unit"))
    trials = pd.read_csv(folder / "trials.csv")
    trials["is_train"] = ~trials["is_test"]
    betas = np.load(folder / "betas.npy", mmap_mode="r")
    is_train = trials["is_train"].to_numpy()
    subject = Subject(
        name=name,
        trials=trials,
        betas=betas,
        unit=unit,
        zscore=data.zscore,
        rois=pd.read_csv(folder / "rois.csv"),
        labels=read_json(folder / "labels.json"),
        anatomy=anatomy_of(layout, name),
        role_counts=pd.read_csv(folder / "role_counts.csv"),
        roi_counts=pd.read_csv(folder / "roi_counts.csv"),
        **arrays,
        **normalised(betas, trials, is_train, unit, data.zscore),
    )
    return frozen(subject)
