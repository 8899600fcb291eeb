"""Do trials and pictures belong together? Two questions that the betas themselves can answer.

Repeats of a picture share what it evokes; they do not once trials are out of order. And voxels of
early areas follow a picture's contrast and colour; they do not once every id is off by one, or is
an id of another table.

Shape words: n trials, m pictures, V voxels, F features of a picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from havir_lib.noise_ceiling import zscore_within

Verdict = Literal["agree", "contradict", "cannot tell"]
LEAST_REPEATED, LEAST_PICTURES = 40, 150
"""Pictures shown more than once, and pictures in all, below which neither question is decided."""
SHUFFLES = 200
BLOCKS = 4
"""Contrast and brightness are taken in so many rows and columns of a picture."""


REPEATS = (
    "repeats of a picture share {value:.3f} of the variance [{low:.3f}, {high:.3f}] ({n} pictures, "
    "chance below {chance:.3f}, the noise ceiling says {expected:.3f})"
)
PICTURES = (
    "early voxels follow contrast and colour of the pictures: {value:.3f} of the variance ({n} "
    "pictures, chance below {chance:.3f})"
)
NOT_KNOWN = ", the noise ceiling says nan"
TOO_FEW = "{} are in order: only {} to ask"
OUT_OF_ORDER = (
    "Trials are not in the order of the pictures. Check the order of sessions and runs, blank "
    "trials, and whether trials count from 0 or 1"
)
OTHER_PICTURES = (
    "Image ids are not those of the pictures. Check whether they count from 0 or 1, and of which "
    "table they are (NSD's nsdId, not cocoId or 73KID)"
)
IN_SPITE = "; to go on in spite of it, set data.check_order to 'warn'."


@dataclass(frozen=True)
class Evidence:
    """An answer.

    Attributes
    ----------
    value, low, high : float
        What was measured, and its 95 % interval over pictures; NaN where there is none.
    chance : float
        What 99 % of shuffled labels stay below.
    expected : float
        What it would be if all is right, or NaN if that is not known.
    n : int
        Pictures it was measured on.
    verdict : {"agree", "contradict", "cannot tell"}
    """

    value: float
    low: float
    high: float
    chance: float
    expected: float
    n: int
    verdict: Verdict

    def as_dict(self) -> dict[str, float | int | str | None]:
        """For JSON, which has no NaN."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


def repeats_agree(
    z: np.ndarray, images: np.ndarray, expected: float = np.nan, seed: int = 0
) -> Evidence:
    """Whether repeats of a picture are more alike than trials of different pictures.

    Parameters
    ----------
    z : ndarray (n, V)
        Betas, z-scored within sessions; a sample of voxels will do.
    images : ndarray of int (n,)
        Picture of each trial.
    expected : float
        Mean over voxels of the share of variance that pictures explain, ``s² / (s² + 1)`` for a
        noise ceiling SNR s: the mean product of two repeats if trials are in order.
    seed : int

    Returns
    -------
    Evidence
        Its value is the mean product of two repeats, over pictures and voxels.
    """
    rng = np.random.default_rng(seed)
    first, second = _pairs(images)
    if len(first) < 2:
        nothing = np.nan
        return Evidence(nothing, nothing, nothing, nothing, expected, len(first), "cannot tell")
    one, two = (z[rows].astype(np.float32) for rows in (first, second))
    products = np.einsum("nv,nv->n", one, two) / z.shape[1]
    shuffled = [_mean_product(one, two, rng) for _ in range(SHUFFLES)]
    value, low, high = _interval(products, rng)
    chance = float(np.quantile(shuffled, 0.99))
    verdict = _verdict(low, high, chance, expected, len(first) >= LEAST_REPEATED)
    return Evidence(value, low, high, chance, expected, len(first), verdict)


def _pairs(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second trial of every picture that was shown twice or more."""
    order = np.argsort(images, kind="stable")
    _, start, counts = np.unique(images[order], return_index=True, return_counts=True)
    repeated = start[counts > 1]
    return order[repeated], order[repeated + 1]


def _mean_product(one: np.ndarray, two: np.ndarray, rng: np.random.Generator) -> float:
    shift = int(rng.integers(1, len(one)))  # no picture meets itself
    order = rng.permutation(len(one))
    return float(np.vdot(one[order], two[np.roll(order, shift)]) / one.size)


def _interval(values: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float]:
    drawn = values[rng.integers(0, len(values), (1000, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def _verdict(low: float, high: float, chance: float, expected: float, enough: bool) -> Verdict:
    if low > chance:
        return "agree"
    clear = enough and expected > 3 * max(chance, 1e-3) and high < expected / 2
    return "contradict" if clear else "cannot tell"


def pictures_followed(
    responses: np.ndarray, features: np.ndarray, signal: bool, seed: int = 0
) -> Evidence:
    """Whether voxels follow the pictures' contrast and colour better than shuffled pictures'.

    Parameters
    ----------
    responses : ndarray (m, V)
        Mean response to each picture, of voxels in early areas.
    features : ndarray (m, F)
        Of the same pictures, from :func:`picture_features`.
    signal : bool
        Whether repeats agree. Without a signal nothing can be said.
    seed : int

    Returns
    -------
    Evidence
        Its value is the explained variance of a linear fit, mean over voxels; it is in sample, and
        so is chance.
    """
    rng = np.random.default_rng(seed)
    m = len(responses)
    if m <= features.shape[1] + 2:
        return Evidence(np.nan, np.nan, np.nan, np.nan, np.nan, m, "cannot tell")
    y = responses - responses.mean(axis=0)
    y = (y / np.maximum(np.sqrt((y**2).sum(axis=0)), 1e-12)).astype(np.float32)
    basis, _ = np.linalg.qr(features - features.mean(axis=0))
    orders = np.stack([np.arange(m), *(rng.permutation(m) for _ in range(SHUFFLES))])
    value, *shuffled = np.concatenate(
        [_explained(basis[some], y) for some in np.array_split(orders, 8)]
    ).tolist()
    chance = float(np.quantile(shuffled, 0.99))
    by_chance = value < np.mean(shuffled) + 2 * np.std(shuffled)
    clear = signal and m >= LEAST_PICTURES and by_chance
    verdict: Verdict = (
        "agree" if value > max(shuffled) else "contradict" if clear else "cannot tell"
    )
    return Evidence(value, np.nan, np.nan, chance, np.nan, m, verdict)


def _explained(bases: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Share of the variance of `y` (m, V), float32, that each of `bases` (k, m, F) spans, (k,)."""
    k, m, n_features = bases.shape
    rows = bases.transpose(0, 2, 1).reshape(k * n_features, m).astype(np.float32)
    found = (rows @ y) ** 2  # (k F, V)
    return found.reshape(k, -1).sum(axis=1, dtype=np.float64) / y.shape[1]


def picture_features(pictures: Callable[[np.ndarray], np.ndarray], ids: np.ndarray) -> np.ndarray:
    """Brightness and contrast in 4 x 4 blocks, and colourfulness, of pictures: (m, 33).

    Parameters
    ----------
    pictures : callable
        ``pictures(ids)`` gives uint8 (n, H, W, 3).
    ids : ndarray of int (m,)
    """
    found = [_features(pictures(part)) for part in np.array_split(ids, max(1, len(ids) // 64))]
    return np.concatenate(found)


def _features(images: np.ndarray) -> np.ndarray:
    n, height, width, _ = images.shape
    side = min(height, width) // BLOCKS
    cut = images[:, : side * BLOCKS, : side * BLOCKS].astype(np.float32) / 255
    grey = cut.mean(axis=-1).reshape(n, BLOCKS, side, BLOCKS, side)
    colour = cut.std(axis=-1).mean(axis=(1, 2))
    brightness, contrast = grey.mean(axis=(2, 4)), grey.std(axis=(2, 4))
    return np.column_stack([brightness.reshape(n, -1), contrast.reshape(n, -1), colour])


def ask_both(
    betas: np.ndarray,
    sessions: np.ndarray,
    images: np.ndarray,
    early: np.ndarray,
    ncsnr: np.ndarray,
    pictures: Callable[[np.ndarray], np.ndarray] | None,
    most: int = 600,
) -> dict[str, Evidence]:
    """Both answers for a subject.

    Parameters
    ----------
    betas : ndarray (n, V)
        Of a sample of voxels, in any unit; what is not finite in all trials is left out.
    sessions, images : ndarray of int (n,)
    early : ndarray of bool (V,)
        Voxels of the structural role.
    ncsnr : ndarray (V,)
        Noise ceiling SNR; NaN where it is not known.
    pictures : callable, optional
        ``pictures(ids)`` gives uint8 (n, H, W, 3); without it, only repeats are asked.
    most : int
        Pictures that are looked at, evenly over their ids.
    """
    usable = np.isfinite(betas).all(axis=0)
    z, early, snr = zscore_within(betas[:, usable], sessions), early[usable], ncsnr[usable]
    share = np.square(snr) / (np.square(snr) + 1)
    expected = float(np.nanmean(share)) if np.isfinite(share).any() else np.nan
    repeats = repeats_agree(z, images, expected)
    if pictures is None or not early.any():
        return {"repeats": repeats}
    ids, position = np.unique(images, return_inverse=True)
    chosen = np.linspace(0, len(ids) - 1, min(most, len(ids))).astype(int)
    sums = np.zeros((len(ids), int(early.sum())))
    np.add.at(sums, position, z[:, early])
    means = sums / np.bincount(position)[:, None]
    features = picture_features(pictures, ids[chosen])
    followed = pictures_followed(means[chosen], features, repeats.verdict == "agree")
    return {"repeats": repeats, "pictures": followed}


def sentences(found: dict[str, Evidence]) -> dict[str, tuple[Verdict, str]]:
    """Question → verdict and what to say of it."""
    texts = {"repeats": (REPEATS, OUT_OF_ORDER), "pictures": (PICTURES, OTHER_PICTURES)}
    told = {}
    for name, evidence in found.items():
        text, remedy = texts[name]
        said = _said(text, name, evidence)
        said = f"{said}. {remedy}{IN_SPITE}" if evidence.verdict == "contradict" else said
        told[name] = (evidence.verdict, said)
    return told


def _said(text: str, name: str, evidence: Evidence) -> str:
    if np.isnan(evidence.value):
        return TOO_FEW.format(name, evidence.n)
    return text.format(**asdict(evidence)).replace(NOT_KNOWN, "")
