"""Training and test images. The split is by image, never by trial.

Test images are those that every subject sees (NSD's shared images), so subjects can be compared on
the same pictures; an image's repeats all fall on one side.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from havir_lib.errors import SplitError


def split_trials(trials: pd.DataFrame, test_images: Iterable[int] | None = None) -> pd.DataFrame:
    """Mark each trial as test or training by its image.

    Parameters
    ----------
    trials : DataFrame
        At least the columns ``image`` and, without `test_images`, ``use`` ("train", "test" or
        "unused").
    test_images : iterable of int, optional
        A given list instead, e.g. a published generalisation split; all others train.

    Returns
    -------
    DataFrame
        A copy with the boolean columns ``is_test`` and ``is_train``; unused trials are neither.

    Raises
    ------
    SplitError
        If no test image or no training image was seen, or an image is on both sides.
    """
    if test_images is None:
        is_test, is_train = (trials["use"].to_numpy() == use for use in ("test", "train"))
    else:
        is_test = trials["image"].isin(list(test_images)).to_numpy()
        is_train = ~is_test
    check_split(trials["image"][is_train], trials["image"][is_test])
    return trials.assign(is_test=is_test, is_train=is_train)


def check_split(train_images: Iterable[int], test_images: Iterable[int]) -> None:
    """Raise :class:`SplitError` if a side is empty or an image is on both."""
    train, test = np.unique(list(train_images)), np.unique(list(test_images))
    if not len(test):
        raise SplitError(
            "No test images: the subject saw none of them in the sessions used. "
            "Use more sessions (data.n_sessions)."
        )
    if not len(train):
        raise SplitError("No training images: every image seen is a test image.")
    both = np.intersect1d(train, test)
    if len(both):
        raise SplitError(
            f"{len(both)} images are in both training and test, e.g. {both[:3].tolist()}. "
            "Split by image, not by trial."
        )


def first_sessions(trials: pd.DataFrame, n_sessions: int) -> np.ndarray:
    """Which trials may be trained on when only the first sessions are: ``(n_trials,)`` bool.

    Test trials are never among them, whatever their session.

    Raises
    ------
    SplitError
        If fewer sessions than `n_sessions` exist, or none of their images is a training image.
    """
    found = trials["session"].nunique()
    if not 1 <= n_sessions <= found:
        raise SplitError(f"Expected 1 to {found} sessions, found n_sessions={n_sessions}.")
    first = np.unique(trials["session"])[:n_sessions]
    mask = (trials["session"].isin(first) & trials["is_train"]).to_numpy()
    if not mask.any():
        raise SplitError(f"No training images in sessions {first.tolist()}.")
    return mask
