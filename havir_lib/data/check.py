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
from havir_lib.data.load import order_of
from havir_lib.data.nifti import Grid
from havir_lib.data.order import sentences
from havir_lib.data.readers import Reader, open_reader
from havir_lib.data.roles import ROLES, resolve_roles
from havir_lib.data.split import split_trials
from havir_lib.data.zscore import unusable_voxels
from havir_lib.errors import HavirError
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
    reader: Reader
    subject: str
    sessions: list[int] = field(default_factory=list)
    grid: Grid | None = None
    roles: dict[str, np.ndarray] = field(default_factory=dict)
    trials: pd.DataFrame | None = None
    ijk: np.ndarray | None = None  # (V, 3), voxels with a role
    sample: np.ndarray | None = None  # which of them have their betas kept
    betas: np.ndarray | None = None  # (n_trials, n_sample)
    ncsnr: np.ndarray | None = None  # (n_sample,)


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
    state = _State(config, open_reader(config, root), subject)
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
    reader, name = state.reader, state.subject
    state.sessions = reader.sessions(name)
    state.grid = reader.grid(name)
    stored = reader.stored(name)
    yield "ok", f"{len(state.sessions)} sessions ({stored})"
    yield "ok", f"grid (X, Y, Z) = {state.grid.describe()}"


def _look_at_regions(state: _State) -> Lines:
    _need(state.grid, "sessions")
    yield from state.reader.look_at_regions(state.subject)


def _look_at_roles(state: _State) -> Lines:
    _need(state.grid, "sessions")
    regions = state.reader.regions(state.subject)
    structural, semantic, counts = resolve_roles(regions, state.config.data.roles)
    state.roles = {"structural": structural, "semantic": semantic}
    shared = counts.loc[counts["role"] == "overlap"].iloc[0]
    for role in ROLES:
        regions = ", ".join(getattr(state.config.data.roles, role))
        yield "ok", f"{role}: {int(state.roles[role].sum())} voxels of {regions}"
    if shared["n_voxels"]:
        yield "note", f"{shared['n_voxels']} voxels claimed by both roles, {shared['roi']}"


def _look_at_trials(state: _State) -> Lines:
    _need(state.sessions, "sessions")
    trials = split_trials(state.reader.trials(state.subject))
    state.trials = trials
    lengths = trials.groupby("session").size().value_counts()
    yield "ok", "sessions x trials: " + " + ".join(f"{n} x {k}" for k, n in lengths.items())
    parts = {use: trials[trials["use"] == use] for use in ("train", "test", "unused")}
    n = {use: rows["image"].nunique() for use, rows in parts.items()}
    unused = f", {n['unused']} unused" if n["unused"] else ""
    yield "ok", f"{len(trials)} trials: {n['train']} training and {n['test']} test images{unused}"
    for use, what in (("train", "training"), ("test", "test")):
        rows = parts[use]
        repeats = rows["image"].value_counts().value_counts().sort_index()
        text = ", ".join(f"{count} shown {n} x" for n, count in repeats.items())
        level = "ok" if len(repeats) == 1 else "note"
        yield level, f"repeats of {what} images: {text}"
    without = sorted(set(trials["session"]) - set(trials.loc[trials["is_train"], "session"]))
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
        values = state.reader.betas(state.subject, session, state.ijk)
        not_finite, constant = unusable_voxels(values, rows["is_train"].to_numpy())
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
    scale = state.reader.unit(state.subject)
    if usable.size:
        spread = np.median(usable.std(axis=0, dtype=float)) * scale
        yield "ok", f"median SD over trials {spread:.2f} % signal change"


def _look_at_ceiling(state: _State) -> Lines:
    _need(state.betas is not None, "betas")
    sessions, images = (state.trials[column].to_numpy() for column in ("session", "image"))
    repeated = len(np.unique(images)) < len(images)
    given = state.reader.ncsnr(state.subject)
    if given is not None:
        state.ncsnr = given[tuple(state.ijk.T)][state.sample].astype(float)
    elif repeated:
        yield "note", "none came with the data; it is estimated from repeats"
        state.ncsnr = estimate_ncsnr(zscore_within(state.betas, sessions), images).astype(float)
    else:
        yield "note", "none: none came with the data, and no image was repeated"
        return
    repeats = state.trials.loc[state.trials["is_test"], "image"].value_counts().to_numpy()
    for role in ROLES:
        inside = state.roles[role][tuple(state.ijk.T)][state.sample]
        median = float(np.nanmedian(noise_ceiling(state.ncsnr[inside], repeats)))
        level: Level = "ok" if median >= LEAST_CEILING else "note"
        yield level, f"{role}: median {median:.1f} % of the variance of mean test responses"
    if given is None:
        return
    if not repeated:
        yield "note", "no image was repeated, so it cannot be compared with the betas"
        return
    own = pd.Series(estimate_ncsnr(zscore_within(state.betas, sessions), images))
    agreement = own.corr(pd.Series(state.ncsnr), method="spearman")
    level = "ok" if agreement >= LEAST_AGREEMENT else "note"
    yield level, f"against our estimate from the betas: rho = {agreement:.2f}"


def _look_at_order(state: _State) -> Lines:
    _need(state.betas is not None, "betas")
    early = state.roles["structural"][tuple(state.ijk.T)][state.sample]
    known = np.full(len(state.sample), np.nan) if state.ncsnr is None else state.ncsnr
    found = order_of(state.reader, state.betas, state.trials, early, known)
    bad: Level = "ERROR" if state.config.data.check_order == "error" else "note"
    levels: dict[str, Level] = {"agree": "ok", "contradict": bad, "cannot tell": "note"}
    for verdict, text in sentences(found).values():
        cannot = "cannot tell whether " if verdict == "cannot tell" else ""
        yield levels[verdict], f"{cannot}{text}"


def _look_at_stimuli(state: _State) -> Lines:
    stimuli = state.reader.stimuli
    yield "ok", f"{len(stimuli.table)} images of {stimuli.image_shape[:2]} pixels"
    _need(state.trials is not None, "trials")
    shown = np.unique(state.trials["image"])
    stimuli.images(shown[:1])
    if not state.config.has_text:
        yield "note", "no captions are read (targets.captions_per_image is 0): image tokens guide"
        return
    captions = stimuli.captions(shown, n=state.config.targets.captions_per_image)
    yield "ok", f"captions of all {len(captions)} images shown"


def _look_at_pictures(state: _State) -> Lines:
    anatomy = state.reader.anatomy(state.subject)
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
