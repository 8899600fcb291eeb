"""Look through one subject's files before anything is trained: what is there, missing, or odd.

For people who bring a subject of their own, laid out as NSD is (:mod:`havir_lib.data.layout`).
Nothing is written or cached, and one problem does not hide the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from havir_lib.config import Config
from havir_lib.data.anatomy import anatomy_of
from havir_lib.data.betas import BetasHeader, read_betas, read_header
from havir_lib.data.layout import NsdLayout, layout_of, used_sessions
from havir_lib.data.load import grid_of_betas, order_of
from havir_lib.data.nifti import Grid, indices_in, read_volume
from havir_lib.data.order import sentences
from havir_lib.data.rois import RoiAtlas, whole_labels
from havir_lib.data.roles import ROLES, resolve_roles
from havir_lib.data.split import split_trials
from havir_lib.data.stimuli import load_stimuli
from havir_lib.data.trials import load_trials
from havir_lib.data.zscore import unusable_voxels
from havir_lib.errors import DataError, HavirError
from havir_lib.noise_ceiling import estimate_ncsnr, noise_ceiling, zscore_within

Level = Literal["ok", "note", "ERROR"]
SATURATED = np.iinfo(np.int16).max
SAMPLE = 2000
"""Voxels whose betas of all sessions are kept for the noise ceiling; all would take gigabytes."""
LEAST_AGREEMENT = 0.5
"""Rank correlation of the file's noise ceiling with our own estimate below which we remark."""
LEAST_CEILING = 1.0
"""Median noise ceiling (% of variance) of a role below which we remark."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    level : {"ok", "note", "ERROR"}
        A note is odd or missing but no obstacle; an error is.
    topic, text : str
    """

    level: Level
    topic: str
    text: str


@dataclass
class _State:
    """What earlier looks have found; a look that needs what is not there is left out."""

    config: Config
    layout: NsdLayout
    subject: str
    headers: dict[int, BetasHeader] = field(default_factory=dict)
    grid: Grid | None = None
    roles: dict[str, np.ndarray] = field(default_factory=dict)
    trials: pd.DataFrame | None = None
    ijk: np.ndarray | None = None  # (V, 3), voxels with a role
    sample: np.ndarray | None = None  # which of them have their betas kept
    betas: np.ndarray | None = None  # (n_trials, n_sample)


def check_subject(config: Config, subject: str, root: Path | str | None = None) -> list[Finding]:
    """Read everything of a subject and say what was found.

    Parameters
    ----------
    config : Config
        Section ``data`` says which betas, regions and sessions are meant.
    subject : str
        E.g. ``subj01``.
    root : Path, optional
        Folder of the tree; default ``data.root``.

    Returns
    -------
    list of Finding
        In the order of the files' use. Any with the level ``"ERROR"`` would stop a run.
    """
    state = _State(config, layout_of(config, root), subject)
    findings: list[Finding] = []
    for topic, look in LOOKS.items():
        try:
            for level, text in look(state):  # what was said before an error is kept
                findings.append(Finding(level, topic, text))
        except _Unavailable as missing:
            findings.append(Finding("note", topic, f"not looked at: needs {missing}"))
        except HavirError as error:
            findings.append(Finding("ERROR", topic, str(error)))
    return findings


def has_errors(findings: list[Finding]) -> bool:
    """Whether any finding is an error."""
    return any(finding.level == "ERROR" for finding in findings)


class _Unavailable(Exception):
    """A look cannot be taken because an earlier one failed."""


Lines = Iterator[tuple[Level, str]]


def _look_at_sessions(state: _State) -> Lines:
    layout, name = state.layout, state.subject
    sessions = used_sessions(layout, name, state.config.data.sessions_of(name))
    state.headers = {session: read_header(layout.betas(name, session)) for session in sessions}
    formats = Counter("".join(layout.betas(name, s).suffixes) for s in sessions)
    lengths = Counter(header.n_trials for header in state.headers.values())
    types = {header.dtype.name for header in state.headers.values()}
    first = next(iter(state.headers.values()))
    for session, header in state.headers.items():
        indices_in(layout.betas(name, session), header.grid, np.zeros((0, 3)), first.grid)
    if len(types) > 1:
        raise DataError(
            f"{layout.betas_folder(name)}: sessions differ in type: {sorted(types)}. All must be "
            "alike."
        )
    state.grid = grid_of_betas(layout, name, first)
    trials = " + ".join(f"{count} x {n}" for n, count in lengths.items())
    files = ", ".join(f"{count} {suffix}" for suffix, count in formats.items())
    yield "ok", f"{len(sessions)} sessions ({files}), sessions x trials: {trials}"
    yield "ok", f"grid (X, Y, Z) = {state.grid.describe()}, stored as {types.pop()}"


def _look_at_regions(state: _State) -> Lines:
    _need(state.grid, "sessions")
    atlas = RoiAtlas(state.layout, state.subject, state.grid)
    present = [s for s in atlas.tables if state.layout.roi(state.subject, s).is_file()]
    if not present:
        raise DataError(f"No ROI masks in {state.layout.roi_directory(state.subject)}.")
    yield "ok", f"{len(present)} sets: {', '.join(present)}"
    for roi_set in present:
        path = state.layout.roi(state.subject, roi_set)
        if roi_set in atlas.unreadable:
            yield "note", f"{roi_set}: labels cannot be named: {atlas.unreadable[roi_set]}"
            continue
        table = atlas.tables[roi_set]
        values = read_volume(path, f"ROI set {roi_set}", state.grid).values
        labels = np.unique(whole_labels(path, values, table))
        empty = sorted(name for name, value in table.items() if value not in labels)
        unnamed = sorted(int(v) for v in labels if v > 0 and v not in table.values())
        if table and empty:
            yield "note", f"{roi_set}: named but without a voxel: {', '.join(empty)}"
        if table and unnamed:
            yield "note", f"{roi_set}: labels without a name in its table: {unnamed}"
        if not table and len(unnamed) > 1:
            yield "note", f"{roi_set}: {len(unnamed)} labels but no table {roi_set}.mgz.ctab"


def _look_at_roles(state: _State) -> Lines:
    _need(state.grid, "sessions")
    atlas = RoiAtlas(state.layout, state.subject, state.grid)
    structural, semantic, counts = resolve_roles(atlas, state.config.data.roles)
    state.roles = {"structural": structural, "semantic": semantic}
    shared = counts.loc[counts["role"] == "overlap"].iloc[0]
    for role in ROLES:
        regions = ", ".join(getattr(state.config.data.roles, role))
        yield "ok", f"{role}: {int(state.roles[role].sum())} voxels of {regions}"
    if shared["n_voxels"]:
        yield "note", f"{shared['n_voxels']} voxels claimed by both roles, {shared['roi']}"


def _look_at_trials(state: _State) -> Lines:
    _need(state.headers, "sessions")
    lengths = {session: header.n_trials for session, header in state.headers.items()}
    trials = split_trials(load_trials(state.layout, state.subject, lengths))
    state.trials = trials
    images = trials.groupby("is_test")["image"].nunique()
    yield "ok", f"{len(trials)} trials: {images[False]} training and {images[True]} test images"
    for is_test, what in ((False, "training"), (True, "test")):
        rows = trials[trials["is_test"] == is_test]
        repeats = rows["image"].value_counts().value_counts().sort_index()
        text = ", ".join(f"{count} shown {n} x" for n, count in repeats.items())
        level = "ok" if len(repeats) == 1 else "note"
        yield level, f"repeats of {what} images: {text}"
    without = sorted(set(trials["session"]) - set(trials.loc[~trials["is_test"], "session"]))
    if without:
        yield "note", f"sessions without a training image: {without}"


def _look_at_values(state: _State) -> Lines:
    _need(state.roles, "roles")
    _need(state.trials is not None, "trials")
    state.ijk = np.argwhere(state.roles["structural"] | state.roles["semantic"])
    kept = min(SAMPLE, len(state.ijk))
    state.sample = np.linspace(0, len(state.ijk) - 1, kept).astype(int)
    sessions, bad = [], Counter()
    unusable = np.zeros(len(state.ijk), dtype=bool)
    saturated = 0
    for session, rows in state.trials.groupby("session"):
        values = read_betas(state.layout.betas(state.subject, session), state.ijk, state.grid)
        not_finite, constant = unusable_voxels(values, ~rows["is_test"].to_numpy())
        unusable |= not_finite | constant
        bad["NaN or infinite"] = max(bad["NaN or infinite"], int(not_finite.sum()))
        bad["constant"] = max(bad["constant"], int(constant.sum()))
        if values.dtype.kind == "i":
            saturated += int((np.abs(values.astype(np.int32)) >= SATURATED).sum())
        sessions.append(values[:, state.sample])
    state.betas = np.concatenate(sessions)
    if unusable.any():
        worst = ", ".join(f"{n} {what}" for what, n in bad.items() if n)
        text = f"{int(unusable.sum())} of {len(unusable)} voxels unusable (worst session: {worst})"
        drop = state.config.data.bad_voxels == "drop"
        yield ("note", f"{text}; they are dropped") if drop else (
            "ERROR", f"{text}. Set data.bad_voxels to 'drop' to leave them out."
        )  # fmt: skip
    else:
        yield "ok", f"no NaN and no constant voxel among {len(unusable)}"
    if saturated:
        yield "note", f"{saturated} values at the limit of int16 (clipped)"
    usable = state.betas[:, ~unusable[state.sample]]
    scale = next(iter(state.headers.values())).unit
    if usable.size:
        spread = np.median(usable.std(axis=0, dtype=float)) * scale
        yield "ok", f"median SD over trials {spread:.2f} (% signal change if stored as integers)"


def _look_at_ceiling(state: _State) -> Lines:
    _need(state.betas is not None, "betas")
    path = state.layout.ncsnr(state.subject)
    stored = read_volume(path, "Noise ceiling SNR", state.grid).values[tuple(state.ijk.T)]
    repeats = state.trials.loc[state.trials["is_test"], "image"].value_counts().to_numpy()
    for role in ROLES:
        inside = state.roles[role][tuple(state.ijk.T)]
        median = float(np.nanmedian(noise_ceiling(stored[inside], repeats)))
        level = "ok" if median >= LEAST_CEILING else "note"
        yield level, f"{role}: median {median:.1f} % of the variance of mean test responses"
    sessions, images = (state.trials[column].to_numpy() for column in ("session", "image"))
    if len(np.unique(images)) == len(images):
        yield "note", f"no image was repeated, so {path.name} cannot be compared with the betas"
        return
    own = pd.Series(estimate_ncsnr(zscore_within(state.betas, sessions), images))
    agreement = own.corr(pd.Series(stored[state.sample]), method="spearman")
    level = "ok" if agreement >= LEAST_AGREEMENT else "note"
    yield level, f"{path.name} against our estimate from the betas: rho = {agreement:.2f}"


def _look_at_order(state: _State) -> Lines:
    _need(state.betas is not None, "betas")
    early = state.roles["structural"][tuple(state.ijk.T)][state.sample]
    ijk = state.ijk[state.sample]
    found = order_of(state.layout, state.subject, state.betas, state.trials, early, ijk, state.grid)
    bad: Level = "ERROR" if state.config.data.check_order == "error" else "note"
    levels: dict[str, Level] = {"agree": "ok", "contradict": bad, "cannot tell": "note"}
    for verdict, text in sentences(found).values():
        cannot = "cannot tell whether " if verdict == "cannot tell" else ""
        yield levels[verdict], f"{cannot}{text}"


def _look_at_stimuli(state: _State) -> Lines:
    stimuli = load_stimuli(state.config, state.layout.root)
    yield "ok", f"{len(stimuli.table)} images of {stimuli.image_shape[:2]} pixels"
    _need(state.trials is not None, "trials")
    shown = np.unique(state.trials["image"])
    stimuli.images(shown[:1])
    captions = stimuli.captions(shown, n=state.config.targets.captions_per_image)
    yield "ok", f"captions of all {len(captions)} images shown"


def _look_at_pictures(state: _State) -> Lines:
    anatomy = anatomy_of(state.layout, state.subject)
    for what in anatomy.needs:
        missing = [file.name for file in anatomy.lacks(what)]
        text = f"{what}: " + (f"missing {', '.join(missing)}" if missing else "files are there")
        yield ("note" if missing else "ok"), text


LOOKS: dict[str, Callable[[_State], Lines]] = {
    "sessions": _look_at_sessions,
    "regions": _look_at_regions,
    "roles": _look_at_roles,
    "trials": _look_at_trials,
    "betas": _look_at_values,
    "noise ceiling": _look_at_ceiling,
    "stimuli": _look_at_stimuli,
    "order": _look_at_order,
    "pictures": _look_at_pictures,
}
"""Topic → what looks at it, in order."""


def _need(there: object, what: str) -> None:
    if not there:
        raise _Unavailable(what)
