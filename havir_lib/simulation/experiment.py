"""Which image is shown when.

As in NSD, one ordering serves all subjects: each subject has a list of n_images, whose first
n_shared entries are the same for everyone; `masterordering` says which entry (1-based) each trial
shows. Unlike NSD, the stimulus table has only as many rows as there are images.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from havir_lib.config import Config
from havir_lib.errors import ConfigError

N_NSD_SUBJECTS = 8
FIRST_SCENE = 1_000_000_000


@dataclass(frozen=True)
class Experiment:
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
        return self.subjectim[number_of_subject(self.subjects[0]) - 1, : self.n_shared]

    def images_of(self, subject: str) -> np.ndarray:
        """0-based nsdId of each entry of a subject's list, (n_images,)."""
        return self.subjectim[number_of_subject(subject) - 1] - 1

    @property
    def sessions(self) -> np.ndarray:
        """1-based session of each trial, (n_trials,)."""
        return np.repeat(np.arange(self.n_sessions) + 1, self.trials_per_session)


def number_of_subject(name: str) -> int:
    """The number in a subject's name: 5 for ``subj05``."""
    match = re.fullmatch(r"subj0([1-8])", name)
    if match is None:
        raise ConfigError(
            f"simulated subjects are called subj01 to subj08, as in NSD; found {name!r}"
        )
    return int(match[1])


def make_design(config: Config) -> Experiment:
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
        _scene_block(settings.seed, number_of_subject(name), n_own) for name in config.data.subjects
    ]
    seeds = np.concatenate(blocks)
    # Image numbers are shuffled, so that shared images lie scattered among the others, as in NSD.
    number = rng.permutation(len(seeds)) + 1
    shared = np.sort(number[: settings.n_shared])
    subjectim = np.zeros((N_NSD_SUBJECTS, settings.n_images), np.int32)
    own = np.split(number[settings.n_shared :], len(config.data.subjects))
    for name, numbers in zip(config.data.subjects, own, strict=True):
        subjectim[number_of_subject(name) - 1] = np.concatenate([shared, numbers])
    by_number = np.empty(len(seeds), np.int64)
    by_number[np.concatenate([shared, number[settings.n_shared :]]) - 1] = seeds
    return Experiment(
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
