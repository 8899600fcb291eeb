"""How much each region could tell at best, and how much of that is decoded.

Two ceilings, which answer different questions. The *noise ceiling* of a voxel is the share of its
variance that images explain (``ncsnr``). The *decoding ceiling* of a region is what its decoder's
predictions would correlate with themselves if the test were repeated: predictions from single
trials of one image differ by noise alone, so their correlation r between repeats, stepped up to k
repeats by Spearman and Brown (k r / (1 + (k - 1) r)), is the reliability of a mean prediction, and
no decoded score can exceed its square root. Score divided by that ceiling is the correlation which
the same decoder would reach on noise-free responses (Spearman's correction for attenuation).
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from havir_lib.data import noise_ceiling
from havir_lib.data.subject import Subject, average_repeats
from havir_lib.data.zscore import apply_statistics, statistics_of
from havir_lib.evaluation.correlation import paired_correlation
from havir_lib.pipeline import brains, decoding
from havir_lib.pipeline.decoding.ridge import fit_decoder
from havir_lib.pipeline.run import Run
from havir_lib.provenance import source_digest
from havir_lib.targets import Targets

MIN_VOXELS = 5
WHAT = {"structural": "latent", "semantic": "image class token"}
"""What is decoded from the regions of each role."""


def region_ceilings(run: Run, names: list[str] | None = None) -> pd.DataFrame:
    """Noise ceiling, decoding score and decoding ceiling of every region.

    Each region is decoded by a ridge regression of its own. Scores are correlations after the mean
    training target is taken off both sides, so that what all images share does not count.

    Parameters
    ----------
    names : list of str, optional
        Subjects; default the base subject.

    Returns
    -------
    DataFrame
        Columns subject, role, roi, n_voxels, noise_ceiling (median over voxels, % of variance of
        mean test responses), target, value (score), low, high, ceiling, relative (value / ceiling),
        relative_low, relative_high, n. Regions under 5 voxels are left out; ceiling and relative
        are nan where predictions do not repeat at all, or no test image was repeated.
    """
    tables = [_cached_table(run, name) for name in names or [run.base_subject]]
    return pd.concat(tables, ignore_index=True)


def _cached_table(run: Run, name: str) -> pd.DataFrame:
    brain, target = brains.subject(run, name), decoding.targets(run, name)
    settings = run.config.evaluation
    recipe = {
        "subject": brain.fingerprint,
        "rois": brain.rois.to_csv(),
        "regions": brains.regions_with_role(run, name).to_csv(),
        "targets": target.key,
        "ridge": run.config.ridge,
        "bootstrap": [settings.n_bootstrap, settings.confidence, run.config.seed],
        "source": source_digest("models", "pipeline/ceilings"),
    }
    done = run.cached("ceilings", recipe, lambda folder: _write(run, name, folder))
    return pd.read_csv(done / "ceilings.csv")


def _write(run: Run, name: str, folder: Path) -> None:
    brain = brains.subject(run, name)
    ceiling = noise_ceiling(brain.ncsnr, brain.test_repeats)
    trials, images = test_trials(brain)
    rows = []
    regions = list(brains.regions_with_role(run, name).itertuples())
    for region in tqdm(regions, desc=f"{name}: regions", unit="region"):
        voxels = brain.rois[region.roi].to_numpy() & getattr(brain, region.role)
        if voxels.sum() < MIN_VOXELS:
            continue
        rows.append(
            {
                "subject": name,
                "role": region.role,
                "roi": region.roi,
                "n_voxels": int(voxels.sum()),
                "noise_ceiling": float(np.nanmedian(ceiling[voxels])),
                "target": WHAT[region.role],
                **_decode(run, name, voxels, region.role, trials[:, voxels], images),
            }
        )
    pd.DataFrame(rows).to_csv(folder / "ceilings.csv", index=False)


def _decode(
    run: Run, name: str, voxels: np.ndarray, role: str, trials: np.ndarray, images: np.ndarray
) -> dict[str, float]:
    brain, target = brains.subject(run, name), decoding.targets(run, name)
    betas, ids, _ = average_repeats(brain.train_betas[:, voxels], brain.train_images)
    wanted = _wanted(target, ids, role)
    mean = wanted.mean(axis=0)
    decoder = fit_decoder(run, betas, wanted)
    single = decoder.predict(trials) - mean
    together, order, repeats = average_repeats(single, images)
    true = _wanted(decoding.test_targets(run, name), order, role) - mean
    value = paired_correlation(together, true)
    settings = run.config.evaluation
    return relative_scores(
        value,
        repeat_correlation(single, images, order),
        float(repeats.mean()),
        settings.n_bootstrap,
        settings.confidence,
        run.config.seed,
    )


def _wanted(target: Targets, ids: np.ndarray, role: str) -> np.ndarray:
    rows = target.rows(ids)
    chosen = target.latents[rows] if role == "structural" else target.image_tokens[rows, 0]
    return decoding.flat(chosen)


def test_trials(brain: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Z-scored betas of every single test trial, (n_test_trials, V), and their images."""
    trials = brain.trials
    rows = np.flatnonzero(trials["is_test"])
    images = trials["image"].to_numpy()[rows]
    if brain.zscore == "none":
        return np.multiply(brain.betas[rows], brain.unit, dtype=np.float32), images
    sessions = trials["session"].to_numpy()
    is_train = trials["is_train"].to_numpy()
    statistics = statistics_of(brain.zscore, brain.betas, sessions, is_train)
    return apply_statistics(brain.betas, sessions, statistics, rows), images


def repeat_correlation(
    predictions: np.ndarray, images: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Mean correlation of predictions from different trials of one image.

    Parameters
    ----------
    predictions : ndarray, (n_trials, F)
    images : ndarray of int, (n_trials,)
    order : ndarray of int, (n_images,)

    Returns
    -------
    ndarray, (n_images,)
        nan for an image seen once.
    """
    result = np.full(len(order), np.nan)
    for row, image in enumerate(order):
        trials = np.flatnonzero(images == image)
        pairs = np.array(list(combinations(trials, 2))).reshape(-1, 2)
        if len(pairs):
            first, second = predictions[pairs[:, 0]], predictions[pairs[:, 1]]
            result[row] = paired_correlation(first, second).mean()
    return result


def relative_scores(
    value: np.ndarray,
    repeated: np.ndarray,
    n_repeats: float,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, float]:
    """Mean score, its ceiling and their ratio, with intervals over images.

    Parameters
    ----------
    value : ndarray, (n_images,)
        Correlation of mean prediction and truth.
    repeated : ndarray, (n_images,)
        From :func:`repeat_correlation`.
    n_repeats : float
        Trials averaged per image.
    """
    rng = np.random.default_rng([seed, len(value)])
    drawn = rng.integers(0, len(value), (n_bootstrap, len(value)))
    tail = [50 * (1 - confidence), 100 - 50 * (1 - confidence)]
    low, high = np.percentile(value[drawn].mean(axis=1), tail)
    ceiling = _ceiling(repeated[None], n_repeats)[0]
    ratios = value[drawn].mean(axis=1) / _ceiling(repeated[drawn], n_repeats)
    known = ratios[np.isfinite(ratios)]
    relative = np.percentile(known, tail) if np.isfinite(ceiling) and len(known) else [np.nan] * 2
    return {
        "value": float(value.mean()),
        "low": float(low),
        "high": float(high),
        "ceiling": float(ceiling),
        "relative": float(value.mean() / ceiling),
        "relative_low": float(relative[0]),
        "relative_high": float(relative[1]),
        "n": len(value),
    }


def _ceiling(repeated: np.ndarray, n_repeats: float) -> np.ndarray:
    """Square root of the stepped-up reliability per row of (m, n); nan if not above 0."""
    known = np.isfinite(repeated)
    totals, sizes = np.where(known, repeated, 0).sum(axis=1), known.sum(axis=1)
    r = np.divide(totals, sizes, out=np.full(len(totals), np.nan), where=sizes > 0)
    reliability = n_repeats * r / (1 + (n_repeats - 1) * r)
    return np.sqrt(np.where(reliability > 0, reliability, np.nan))
