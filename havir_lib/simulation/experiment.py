"""Which image is shown when: the design, and the files in which NSD keeps it.

As in NSD, one ordering serves all subjects: each subject has a list of n_images, whose first
n_shared entries are the same for everyone; `masterordering` says which entry (1-based) each trial
shows. Unlike NSD, the stimulus table has only as many rows as there are images.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import savemat

from havir_lib.config import Config
from havir_lib.errors import ConfigError
from havir_lib.io import atomic_write

N_NSD_SUBJECTS = 8
N_RUNS, SLOTS_PER_RUN = 12, 75
FIRST_SCENE = 1_000_000_000
COCO_OFFSET = 90_000_000
"""Added to nsdId to give the cocoId: far above COCO's ids, so that no image passes for a photo."""


@dataclass(frozen=True)
class Design:
    """The experiment of all subjects.

    Attributes
    ----------
    subjects : tuple of str
    n_sessions, trials_per_session, n_shared : int
    masterordering : ndarray (n_trials,)
        1-based entry of the subject's list on each trial; at most n_shared means shared.
    subjectim : ndarray (8, n_images)
        1-based image number of each entry of each subject's list; rows of subjects that are not
        simulated are 0.
    scene_seeds : ndarray (n_all_images,)
        Seed of the scene of each nsdId.
    """

    subjects: tuple[str, ...]
    n_sessions: int
    trials_per_session: int
    n_shared: int
    masterordering: np.ndarray
    subjectim: np.ndarray
    scene_seeds: np.ndarray

    @property
    def sharedix(self) -> np.ndarray:
        """1-based image numbers of the shared images, (n_shared,), ascending."""
        return self.subjectim[subject_number(self.subjects[0]) - 1, : self.n_shared]

    def images_of(self, subject: str) -> np.ndarray:
        """0-based nsdId of each entry of a subject's list, (n_images,)."""
        return self.subjectim[subject_number(subject) - 1] - 1

    @property
    def sessions(self) -> np.ndarray:
        """1-based session of each trial, (n_trials,)."""
        return np.repeat(np.arange(self.n_sessions) + 1, self.trials_per_session)


def subject_number(name: str) -> int:
    """The number in a subject's name: 5 for ``subj05``."""
    match = re.fullmatch(r"subj0([1-8])", name)
    if match is None:
        raise ConfigError(
            f"simulated subjects are called subj01 to subj08, as in NSD; found {name!r}"
        )
    return int(match[1])


def make_design(config: Config) -> Design:
    """Draw the design of the simulated subjects named in ``config.data.subjects``."""
    settings = config.simulation
    missing = [name for name in config.data.subjects if name not in settings.subjects]
    if missing:
        raise ConfigError(
            f"data.subjects asks for {missing}, but simulation.subjects describes only "
            f"{sorted(settings.subjects)}"
        )
    rng = np.random.default_rng([settings.seed, 2])
    n_own = settings.n_images - settings.n_shared
    blocks = [_scene_block(settings.seed, 0, settings.n_shared)]
    blocks += [
        _scene_block(settings.seed, subject_number(name), n_own) for name in config.data.subjects
    ]
    seeds = np.concatenate(blocks)
    # Image numbers are shuffled, so that shared images lie scattered among the others, as in NSD.
    number = rng.permutation(len(seeds)) + 1
    shared = np.sort(number[: settings.n_shared])
    subjectim = np.zeros((N_NSD_SUBJECTS, settings.n_images), np.int32)
    own = np.split(number[settings.n_shared :], len(config.data.subjects))
    for name, numbers in zip(config.data.subjects, own, strict=True):
        subjectim[subject_number(name) - 1] = np.concatenate([shared, numbers])
    by_number = np.empty(len(seeds), np.int64)
    by_number[np.concatenate([shared, number[settings.n_shared :]]) - 1] = seeds
    return Design(
        tuple(config.data.subjects),
        settings.n_sessions,
        settings.trials_per_session,
        settings.n_shared,
        _ordering(settings.n_images, settings.repeats, rng),
        subjectim,
        by_number,
    )


def _scene_block(seed: int, subject: int, count: int) -> np.ndarray:
    """Scene seeds that depend only on the simulation's seed and the subject (0: shared)."""
    return FIRST_SCENE + seed * 10_000_000 + subject * 1_000_000 + np.arange(count)


def _ordering(n_images: int, repeats: int, rng: np.random.Generator) -> np.ndarray:
    """Order of presentations, 1-based: repeats come either soon or anywhere, as in NSD.

    Every presentation gets a time on a circle that stands for the whole experiment: the first one
    anywhere, each repeat near it or anywhere with equal chance; sorting the times gives the order.
    """
    first = rng.uniform(size=(n_images, 1))
    near = first + 0.02 * rng.standard_normal((n_images, repeats))
    anywhere = rng.uniform(size=(n_images, repeats))
    times = np.where(rng.uniform(size=near.shape) < 0.5, near, anywhere) % 1
    order = np.argsort(times.ravel(), kind="stable")
    return (order // repeats + 1).astype(np.int32)


def stimulus_table(design: Design) -> pd.DataFrame:
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


def _presentations(design: Design, number: int) -> np.ndarray:
    """1-based trials on which a subject saw each image, (n_all_images, at least 3)."""
    n_images = design.subjectim.shape[1]
    repeats = len(design.masterordering) // n_images
    trials = np.zeros((len(design.scene_seeds), max(3, repeats)), int)
    entries = design.subjectim[number - 1]
    if entries.any():
        order = np.argsort(design.masterordering, kind="stable")
        trials[entries - 1, :repeats] = order.reshape(n_images, repeats) + 1
    return trials


def write_experiment(design: Design, folder: Path) -> None:
    """Write ``nsd_stim_info_merged.csv`` and ``nsd_expdesign.mat`` into `folder`."""
    with atomic_write(folder / "nsd_stim_info_merged.csv") as temporary:
        stimulus_table(design).to_csv(temporary)
    content = {
        "masterordering": design.masterordering[None].astype(float),
        "subjectim": design.subjectim.astype(float),
        "sharedix": design.sharedix[None].astype(float),
        "basiccnt": _basic_counts(design).astype(float),
        "stimpattern": _stimulus_pattern(design).astype(float),
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
    return np.array([len(part) for part in _alternate(trials_per_session)])


def _alternate(n: int) -> list[range]:
    low, extra = divmod(n, N_RUNS)
    lengths = np.full(N_RUNS, low)
    lengths[np.r_[0:N_RUNS:2, 1:N_RUNS:2][:extra]] += 1
    ends = np.cumsum(lengths)
    return [range(end - length, end) for end, length in zip(ends, lengths, strict=True)]


def _basic_counts(design: Design) -> np.ndarray:
    """(3, n_sessions): images shown at least once, twice, three times by the end of a session."""
    n_images = design.subjectim.shape[1]
    counts = np.zeros((3, design.n_sessions), int)
    for session in range(design.n_sessions):
        shown = design.masterordering[: (session + 1) * design.trials_per_session]
        times = np.bincount(shown - 1, minlength=n_images)
        counts[:, session] = [(times >= p).sum() for p in (1, 2, 3)]
    return counts


def _stimulus_pattern(design: Design) -> np.ndarray:
    """(n_sessions, 12, 75): 1 where a 4-s slot of a run shows an image, 0 where it is blank."""
    pattern = np.zeros((N_RUNS, SLOTS_PER_RUN), int)
    for run, length in enumerate(_run_lengths(design.trials_per_session)):
        pattern[run, np.linspace(3, SLOTS_PER_RUN - 5, length).round().astype(int)] = 1
    return np.repeat(pattern[None], design.n_sessions, axis=0)


def responses_table(design: Design, subject: str) -> pd.DataFrame:
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
        "SUBJECT": subject_number(subject),
        "SESSION": design.sessions,
        "RUN": np.tile(run_of, design.n_sessions),
        "TRIAL": np.tile(trial_of, design.n_sessions),
        "73KID": design.subjectim[subject_number(subject) - 1][design.masterordering - 1],
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


def write_responses(design: Design, subject: str, path: Path) -> None:
    """Write a subject's ``responses.tsv``."""
    with atomic_write(path) as temporary:
        responses_table(design, subject).to_csv(temporary, sep="\t", index=False, na_rep="NaN")
