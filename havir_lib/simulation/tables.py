"""The design as files: stimulus table, design file, behaviour; names and numbering are NSD's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import savemat

from havir_lib.io import atomic_write
from havir_lib.simulation.experiment import N_NSD_SUBJECTS, Experiment, number_of_subject

N_RUNS, SLOTS_PER_RUN = 12, 75
COCO_OFFSET = 90_000_000
"""Added to nsdId to give the cocoId: far above COCO's ids, so that no image passes for a photo."""


def stimulus_table(design: Experiment) -> pd.DataFrame:
    """The content of ``nsd_stim_info_merged.csv``, one row per image, in order of nsdId.

    ``subjectN_repR`` is the 1-based trial of that subject's presentation R (0-based); 0 if never.
    """
    n = len(design.scene_seeds)
    ids = np.arange(n)
    shared = np.isin(ids + 1, design.sharedix)
    columns = {
        "cocoId": ids + COCO_OFFSET,
        "cocoSplit": np.where(ids % 4 == 0, "val2017", "train2017"),
        "cropBox": "(0.0, 0.0, 0.0, 0.0)",
        "loss": 0.0,
        "nsdId": ids,
        "flagged": False,
        "BOLD5000": False,
        "shared1000": shared,
    }
    seen = {number: _presentations(design, number) for number in range(1, N_NSD_SUBJECTS + 1)}
    columns |= {f"subject{s}": (trials[:, 0] > 0).astype(int) for s, trials in seen.items()}
    for number, trials in seen.items():
        columns |= {f"subject{number}_rep{r}": trials[:, r] for r in range(trials.shape[1])}
    return pd.DataFrame(columns)


def _presentations(design: Experiment, number: int) -> np.ndarray:
    """1-based trials on which a subject saw each image, (n_all_images, at least 3)."""
    n_images = design.subjectim.shape[1]
    repeats = len(design.masterordering) // n_images
    trials = np.zeros((len(design.scene_seeds), max(3, repeats)), int)
    entries = design.subjectim[number - 1]
    if entries.any():
        order = np.argsort(design.masterordering, kind="stable")
        trials[entries - 1, :repeats] = order.reshape(n_images, repeats) + 1
    return trials


def write_experiment(design: Experiment, folder: Path) -> None:
    """Write ``nsd_stim_info_merged.csv`` and ``nsd_expdesign.mat`` into `folder`."""
    with atomic_write(folder / "nsd_stim_info_merged.csv") as temporary:
        stimulus_table(design).to_csv(temporary)
    content = {
        "masterordering": design.masterordering[None].astype(np.uint16),
        "subjectim": design.subjectim.astype(np.int32),
        "sharedix": design.sharedix[None].astype(np.int32),
        "basiccnt": _basic_counts(design).astype(np.uint16),
        "stimpattern": _stimulus_pattern(design).astype(np.uint8),
    }
    with atomic_write(folder / "nsd_expdesign.mat") as temporary, open(temporary, "wb") as stream:
        savemat(_WithoutDate(stream), content)


class _WithoutDate:
    """A stream that blanks the creation date which MATLAB files carry in their first 116 bytes."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, data) -> int:
        if self._stream.tell() == 0:
            text = b"MATLAB 5.0 MAT-file, simulated experiment design"
            data = text.ljust(116) + bytes(data)[116:]
        return self._stream.write(data)

    def __getattr__(self, name):
        return getattr(self._stream, name)


def _run_lengths(trials_per_session: int) -> np.ndarray:
    """Trials of each run: 63 and 62 in turn for NSD's 750."""
    low, extra = divmod(trials_per_session, N_RUNS)
    lengths = np.full(N_RUNS, low)
    odd_runs_first = np.r_[0:N_RUNS:2, 1:N_RUNS:2]
    lengths[odd_runs_first[:extra]] += 1
    return lengths


def _basic_counts(design: Experiment) -> np.ndarray:
    """(3, n_sessions): images shown at least once, twice, three times by the end of a session."""
    n_images = design.subjectim.shape[1]
    counts = np.zeros((3, design.n_sessions), int)
    for session in range(design.n_sessions):
        shown = design.masterordering[: (session + 1) * design.trials_per_session]
        times = np.bincount(shown - 1, minlength=n_images)
        counts[:, session] = [(times >= p).sum() for p in (1, 2, 3)]
    return counts


def _stimulus_pattern(design: Experiment) -> np.ndarray:
    """(n_sessions, 12, 75): 1 where a 4-s slot of a run shows an image, 0 where it is blank."""
    pattern = np.zeros((N_RUNS, SLOTS_PER_RUN), int)
    for run, length in enumerate(_run_lengths(design.trials_per_session)):
        pattern[run, np.linspace(3, SLOTS_PER_RUN - 5, length).round().astype(int)] = 1
    return np.repeat(pattern[None], design.n_sessions, axis=0)


def responses_table(design: Experiment, subject: str) -> pd.DataFrame:
    """The content of ``responses.tsv``: one row per trial, ids 1-based.

    Nobody pressed a button, so behaviour is missing (``MISSINGDATA`` 1, NaN); whether an image was
    old is known from the order.
    """
    n_trials, per_session = len(design.masterordering), design.trials_per_session
    run_of = np.repeat(np.arange(N_RUNS) + 1, _run_lengths(per_session))
    trial_of = np.concatenate([np.arange(n) + 1 for n in _run_lengths(per_session)])
    entry = pd.Series(design.masterordering)
    trial = pd.Series(np.arange(n_trials))
    last, first = trial.groupby(entry).shift(), trial.groupby(entry).transform("min")
    old = last.notna()
    same_session = last // per_session == trial // per_session
    seconds = 4.0 * np.arange(per_session)
    table = {
        "SUBJECT": number_of_subject(subject),
        "SESSION": design.sessions,
        "RUN": np.tile(run_of, design.n_sessions),
        "TRIAL": np.tile(trial_of, design.n_sessions),
        "73KID": design.subjectim[number_of_subject(subject) - 1][design.masterordering - 1],
        "10KID": design.masterordering,
        "TIME": 7.0 * (design.sessions - 1) + np.tile(seconds, design.n_sessions) / 86400,
        "ISOLD": old.astype(int),
        "ISCORRECT": np.nan,
        "RT": np.nan,
        "CHANGEMIND": np.nan,
        "MEMORYRECENT": trial - last - 1,
        "MEMORYFIRST": (trial - first - 1).where(old),
        "ISOLDCURRENT": (old & same_session).astype(int),
        "ISCORRECTCURRENT": np.nan,
        "TOTAL1": 0,
        "TOTAL2": 0,
        "BUTTON": np.nan,
        "MISSINGDATA": 1,
    }
    return pd.DataFrame(table)


def write_responses(design: Experiment, subject: str, path: Path) -> None:
    """Write a subject's ``responses.tsv``."""
    with atomic_write(path) as temporary:
        responses_table(design, subject).to_csv(temporary, sep="\t", index=False, na_rep="NaN")
