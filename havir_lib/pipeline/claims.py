"""What the evidence says of each claim: one row per claim, counted from the paired comparisons.

No claim is judged by looking at numbers: the rule is the same for all, and given in `verdict`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from havir_lib.evaluation import METRICS
from havir_lib.pipeline import complexity, images, tables
from havir_lib.pipeline.run import Run
from havir_lib.pipeline.statistics import compared

ALPHA = 0.05
LAYOUT = ("pixel_correlation", "ssim", "ssim_columnwise")
"""Comparisons of pixels; all others compare features of networks."""


@dataclass(frozen=True)
class Claim:
    """One claim and the comparisons that could refute it.

    Attributes
    ----------
    text : str
        The claim, in words.
    whose : {"paper", "control"}
        Whether the paper makes it or a reader would ask for it.
    evidence : callable
        ``evidence(run)`` gives one row per test with columns difference (positive: as claimed),
        p_holm, n and n_subjects; empty if this run has no such evidence.
    """

    text: str
    whose: str
    evidence: Callable[[Run], pd.DataFrame]


def claims(run: Run) -> pd.DataFrame:
    """Every claim for which this run has evidence.

    Returns
    -------
    DataFrame
        Columns claim, whose, tests (how many: metrics, and measures of complexity), for, against
        (those significant, in and against the claimed direction), verdict, n, n_subjects.
    """
    rows = []
    for claim in CLAIMS:
        found = claim.evidence(run)
        found = found[found["p_holm"].notna()]
        if found.empty:
            continue
        sure = found["p_holm"] < ALPHA
        n_for = int((sure & (found["difference"] > 0)).sum())
        n_against = int((sure & (found["difference"] < 0)).sum())
        rows.append(
            {
                "claim": claim.text,
                "whose": claim.whose,
                "tests": len(found),
                "for": n_for,
                "against": n_against,
                "verdict": verdict(n_for, n_against),
                "n": int(found["n"].max()),
                "n_subjects": int(found["n_subjects"].max()),
            }
        )
    return pd.DataFrame(rows)


def verdict(n_for: int, n_against: int) -> str:
    """A claim holds if some test says so and none the opposite, after correction for all tests."""
    if n_for and n_against:
        return "depends on the score"
    if n_for or n_against:
        return "holds" if n_for else "contradicted"
    return "undecided"


def _beats(run: Run, baseline: str) -> pd.DataFrame:
    paired = tables.paired_to_all(run)
    return paired[paired["baseline"] == baseline]


def _beats_shuffled(run: Run) -> pd.DataFrame:
    scores = images.all_scores(run, ("HAVIR", "shuffled voxels"))
    return compared(run, scores, "HAVIR", ["shuffled voxels"])


def _needs(run: Run, configuration: str, layout: bool) -> pd.DataFrame:
    paired = tables.dissociation(run)
    of_layout = [METRICS[name].comparison in LAYOUT for name in paired["metric"]]
    paired = paired[(paired["configuration"] == configuration) & (np.array(of_layout) == layout)]
    return paired.assign(difference=-paired["difference"])


def _complex_scenes(run: Run) -> pd.DataFrame:
    return complexity.complexity_test(run).rename(columns={"rho": "difference"})


CLAIMS = (
    Claim("Reconstructions depend on the brain: better than from shuffled voxels", "control",
          _beats_shuffled),
    Claim("The latent carries the layout: pixel scores fall without it", "paper",
          partial(_needs, configuration="w/o z'", layout=True)),
    Claim("The tokens carry the meaning: scores of networks fall without them", "paper",
          partial(_needs, configuration="only z'", layout=False)),
    Claim("Image tokens add to text tokens", "paper",
          partial(_needs, configuration="w/o e_img", layout=False)),
    Claim("Text tokens add to image tokens", "paper",
          partial(_needs, configuration="w/o e_cap", layout=False)),
    Claim("Divided voxels beat all voxels for both branches", "paper",
          partial(_beats, baseline="all voxels")),
    Claim("The division is the right way round: it beats swapped roles", "control",
          partial(_beats, baseline="swapped roles")),
    Claim("Individual masks beat template masks", "paper",
          partial(_beats, baseline="template masks")),
    Claim("Networks beat ridge regression to the same targets", "control",
          partial(_beats, baseline="ridge")),
    Claim("HAVIR beats a design in the style of MindBridge", "paper",
          partial(_beats, baseline="in the style of MindBridge")),
    Claim("HAVIR beats a design in the style of MindEye", "paper",
          partial(_beats, baseline="in the style of MindEye")),
    Claim("Drawing beats looking up the nearest training image", "control",
          partial(_beats, baseline="nearest training image")),
    Claim("HAVIR gains most (over ridge) in complex scenes", "paper", _complex_scenes),
)  # fmt: skip
