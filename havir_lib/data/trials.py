"""The trial table: which image was shown when.

NSD stores the order of presentation as three nested indices (``nsd_expdesign.mat``):
``masterordering`` (1-based positions in a subject's own list of images, one per trial) and
``subjectim`` (that list, 1-based ids of all 73,000 images). Here an image is always its 0-based
``nsdId``, as in ``nsd_stim_info_merged.csv`` and in the stimulus array.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat

from havir_lib.data.layout import GET_DATA, NsdLayout, subject_number
from havir_lib.data.tables import read_table
from havir_lib.errors import DataError, require_file

STIM_COLUMNS = ("cocoId", "nsdId", "shared1000")


def load_stim_info(layout: NsdLayout) -> pd.DataFrame:
    """Table of all images, one row per image, in order of ``nsdId`` (0-based).

    Raises
    ------
    DataError
        If the file is missing, lacks a column, or its ids do not count from 0.
    """
    path = require_file(layout.stim_info, "Table of stimuli", GET_DATA)
    table = read_table(path)
    table = table.drop(columns=[x for x in table if x.startswith("Unnamed")])  # row numbers
    missing = [column for column in STIM_COLUMNS if column not in table]
    if missing:
        raise DataError(f"{path}: expected the columns {STIM_COLUMNS}, {missing} missing.")
    table = table.sort_values("nsdId", ignore_index=True)
    if not np.array_equal(table["nsdId"], np.arange(len(table))):
        raise DataError(f"{path}: expected nsdId to be 0 to {len(table) - 1}, each once.")
    return table.astype({"shared1000": bool})


def load_trials(layout: NsdLayout, subject: str, session_lengths: dict[int, int]) -> pd.DataFrame:
    """Every trial of some sessions, in order of presentation.

    Parameters
    ----------
    layout : NsdLayout
    subject : str
    session_lengths : dict
        Session (1-based, without gaps) → number of trials in its betas.

    Returns
    -------
    DataFrame
        ``session`` (1-based), ``trial`` (0-based within the session), ``image`` (0-based nsdId),
        ``repeat`` (0 for the first time an image is seen), ``is_shared`` (every subject sees it),
        ``use`` ("test" if so, else "train").

    Raises
    ------
    DataError
        If a file is missing or unreadable, holds fewer trials than the betas, or if
        ``responses.tsv``, where present, disagrees with the experiment design.
    """
    ids, shared = _presentation_order(layout, subject)
    n_trials = sum(session_lengths.values())
    if len(ids) < n_trials:
        raise DataError(
            f"{layout.experiment_design}: {len(ids)} trials per subject, "
            f"but the betas of {subject} hold {n_trials}."
        )
    trials = trial_table(ids[:n_trials], session_lengths)
    trials["is_shared"] = np.isin(trials["image"], shared)
    trials["use"] = np.where(trials["is_shared"], "test", "train")
    _check_images_known(trials, load_stim_info(layout), layout)
    _check_responses(trials, layout.responses(subject))
    return trials


def trial_table(images: np.ndarray, session_lengths: dict[int, int]) -> pd.DataFrame:
    """Number the trials of consecutive sessions, which may differ in length."""
    lengths = list(session_lengths.values())
    trials = pd.DataFrame(
        {
            "session": np.repeat(list(session_lengths), lengths),
            "trial": np.concatenate([np.arange(length) for length in lengths]),
            "image": np.asarray(images, dtype=np.int64),
        }
    )
    trials["repeat"] = trials.groupby("image").cumcount()
    return trials


def _presentation_order(layout: NsdLayout, subject: str) -> tuple[np.ndarray, np.ndarray]:
    """0-based nsdId of each trial the subject was scheduled to see, and of the shared images."""
    path = require_file(layout.experiment_design, "Experiment design", GET_DATA)
    try:
        design = loadmat(path)
        order, subject_images, shared = (
            np.atleast_2d(design[key]).astype(np.int64)
            for key in ("masterordering", "subjectim", "sharedix")
        )
    except KeyError as error:
        raise DataError(f"{path}: expected the variable {error}, which is not there.") from None
    except Exception as error:  # scipy raises many kinds on damaged files
        raise DataError(f"{path}: cannot be read as a MATLAB file ({error}). {GET_DATA}") from None
    number = subject_number(subject)
    if number > len(subject_images):
        raise DataError(f"{path}: holds {len(subject_images)} subjects, {subject} is not there.")
    own, place = subject_images[number - 1], order.ravel()
    if not (place.min(initial=1) >= 1 and place.max(initial=0) <= len(own)):
        raise DataError(
            f"{path}: expected masterordering to count from 1 to at most {len(own)}, the images of "
            f"a subject in subjectim {subject_images.shape}, found {place.min()} to {place.max()}. "
            "Is one of them transposed, or counted from 0?"
        )
    return own[place - 1] - 1, shared.ravel() - 1


def _check_images_known(trials: pd.DataFrame, table: pd.DataFrame, layout: NsdLayout) -> None:
    unknown = sorted(set(trials["image"]) - set(table["nsdId"]))
    if unknown:
        raise DataError(f"{layout.stim_info}: no row for shown images, e.g. nsdId {unknown[:3]}.")
    marked = table["shared1000"].to_numpy()[trials["image"]]
    if not np.array_equal(marked, trials["is_shared"]):
        raise DataError(
            f"{layout.stim_info} and {layout.experiment_design} disagree on which images are "
            f"shared ({int(np.sum(marked != trials['is_shared']))} trials). {GET_DATA}"
        )


def _check_responses(trials: pd.DataFrame, path: Path) -> None:
    """The subject's log must name the same images in the same order, where there is one."""
    if not path.is_file():
        return
    log = read_table(path, "\t")
    if missing := {"SESSION", "73KID"} - set(log):
        raise DataError(f"{path}: expected the columns {sorted(missing)}, found {list(log)}.")
    for session, rows in trials.groupby("session"):
        seen = log.loc[log["SESSION"] == session, "73KID"].to_numpy() - 1  # 73KID counts from 1
        if not np.array_equal(seen, rows["image"]):
            raise DataError(
                f"{path}: session {session} lists {len(seen)} trials, which are not the "
                f"{len(rows)} images of the experiment design and betas. {GET_DATA}"
            )
