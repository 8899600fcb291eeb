"""How near is each region to what it could tell at best?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from havir_lib.data import noise_ceiling
from havir_lib.data.subject import Subject, average_repeats
from havir_lib.data.zscore import apply_statistics, statistics_of
from havir_lib.evaluation.ceilings import region_ceiling
from havir_lib.evaluation.nearest import flat
from havir_lib.pages.publish import Drawn, Table, figure, table
from havir_lib.pages.regions import regions_with_role
from havir_lib.pages.summaries import bootstrap_of, how_to_read
from havir_lib.plots.controls import figure_intervals
from havir_lib.run import Run
from havir_lib.run.methods import ridge_of
from havir_lib.targets import Targets

MIN_VOXELS = 5
WHAT = {"structural": "latent", "semantic": "image class token"}
"""What is decoded from the regions of each role."""


def region_ceilings(run: Run, names: list[str] | None = None) -> pd.DataFrame:
    """Noise ceiling, decoding score and decoding ceiling of every region, each by its own ridge.

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
    rows = [row for name in names or [run.base_subject] for row in _rows(run, name)]
    return pd.DataFrame(rows)


def _rows(run: Run, name: str) -> list[dict]:
    subject = run.subject(name)
    ceiling = noise_ceiling(subject.ncsnr, subject.test_repeats)
    trials, images = trials_of_test(subject)
    rows = []
    regions = list(regions_with_role(run, name).itertuples())
    for region in tqdm(regions, desc=f"{name}: regions", unit="region"):
        voxels = subject.rois[region.roi].to_numpy() & getattr(subject, region.role)
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
                **_decoded(run, subject, region.role, voxels, trials[:, voxels], images),
            }
        )
    return rows


def _decoded(
    run: Run,
    subject: Subject,
    role: str,
    voxels: np.ndarray,
    trials: np.ndarray,
    images: np.ndarray,
) -> dict[str, float]:
    betas, ids, _ = average_repeats(subject.train_betas[:, voxels], subject.train_images)
    made = run.remember(
        "ceilings",
        ceiling_row,
        betas,
        wanted_of(run.targets(subject.name), ids, role),
        trials,
        images,
        wanted_of(run.test_targets(subject.name), np.unique(images), role),
        ridge_of(run),
        **bootstrap_of(run),
    )
    row = made.iloc[0].to_dict()
    return row | {"n": int(row["n"])}


def ceiling_row(*arguments, **options) -> pd.DataFrame:
    """:func:`havir_lib.evaluation.ceilings.region_ceiling` as a table of one row."""
    return pd.DataFrame([region_ceiling(*arguments, **options)])


def wanted_of(target: Targets, ids: np.ndarray, role: str) -> np.ndarray:
    """Flat latents (n, C h w), or class tokens (n, D), float32."""
    rows = target.rows(ids)
    return flat(target.latents[rows] if role == "structural" else target.image_tokens[rows, 0])


def trials_of_test(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Z-scored betas of every single test trial, (n_test_trials, V), and their images."""
    trials = subject.trials
    rows = np.flatnonzero(trials["is_test"])
    images = trials["image"].to_numpy()[rows]
    if subject.zscore == "none":
        return np.multiply(subject.betas[rows], subject.unit, dtype=np.float32), images
    sessions = trials["session"].to_numpy()
    is_train = trials["is_train"].to_numpy()
    statistics = statistics_of(subject.zscore, subject.betas, sessions, is_train)
    return apply_statistics(subject.betas, sessions, statistics, rows), images


@table
def regions(run: Run) -> Table:
    """What each region tells, relative to what it could tell at best."""
    caption = "Each region's noise ceiling, decoding score and share of its decoding ceiling."
    note = (
        "noise_ceiling: median % of variance of mean test responses. ceiling: the square root of "
        "the reliability of the decoder's predictions over repeats; relative: score / ceiling, "
        "what the same decoder would reach on noise-free responses."
    )
    return Table(region_ceilings(run), caption, note)


@figure
def figure_of_regions(run: Run) -> Drawn:
    """What each region tells, as a share of what it could tell at best."""
    frame = region_ceilings(run)
    shown = frame.assign(
        value=frame["relative"], low=frame["relative_low"], high=frame["relative_high"],
        panel=frame["target"] + " from " + frame["role"] + " voxels",
    )  # fmt: skip
    drawn = figure_intervals(
        shown, panel="panel", row="roi", colour="subject", per_row=2,
        xlabel="Score / ceiling of the same decoder",
    )  # fmt: skip
    caption = "Decoding score of each region relative to its ceiling, per subject. "
    caption += how_to_read(run, frame, "images")
    return Drawn(drawn, caption, {"ceilings": frame})
