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
from havir_lib.pages import ablations, comparison, complexity
from havir_lib.pages.publish import Table, table
from havir_lib.pages.reconstructions import SHUFFLED
from havir_lib.pages.summaries import ALPHA, compared
from havir_lib.run import Run


@dataclass(frozen=True)
class Claim:
    """One claim and the comparisons that could refute it.

    Attributes
    ----------
    text : str
        The claim, in words.
    whose : {"paper", "control"}
        Whether the paper makes it or a reader would ask for it.
    comparisons : callable
        ``comparisons(run)`` gives paired comparisons, one row per test with columns difference,
        p_holm, n and n_subjects. Several claims may read the same.
    evidence : callable
        ``evidence(comparisons)`` gives those rows that speak of this claim, difference positive
        where it is as claimed; none if this run has no such evidence.
    """

    text: str
    whose: str
    comparisons: Callable[[Run], pd.DataFrame]
    evidence: Callable[[pd.DataFrame], pd.DataFrame]


def claims(run: Run) -> pd.DataFrame:
    """Every claim for which this run has evidence.

    Returns
    -------
    DataFrame
        Columns claim, whose, tests (how many: metrics, and measures of complexity), for, against
        (those significant, in and against the claimed direction), verdict, n, n_subjects.
    """
    made = {compare: compare(run) for compare in {claim.comparisons for claim in CLAIMS}}
    rows = []
    for claim in CLAIMS:
        found = claim.evidence(made[claim.comparisons])
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


def _with_shuffled(run: Run) -> pd.DataFrame:
    return compared(run, run.all_scores(SHUFFLED), SHUFFLED[0], SHUFFLED[1:])


def _with_baselines(run: Run) -> pd.DataFrame:
    return comparison.paired_to_all(run)


def _with_parts_removed(run: Run) -> pd.DataFrame:
    return ablations.paired_to_full(run)


def _over_complexity(run: Run) -> pd.DataFrame:
    return complexity.complexity_test(run).rename(columns={"rho": "difference"})


def _all_rows(paired: pd.DataFrame) -> pd.DataFrame:
    return paired


def _beats(paired: pd.DataFrame, baseline: str) -> pd.DataFrame:
    return paired[paired["baseline"] == baseline]


def _falls_without(paired: pd.DataFrame, configuration: str, layout: bool) -> pd.DataFrame:
    of_layout = np.array([METRICS[name].of_pixels for name in paired["metric"]])
    paired = paired[(paired["configuration"] == configuration) & (of_layout == layout)]
    return paired.assign(difference=-paired["difference"])


def _claim_over(baseline: str, text: str, whose: str) -> Claim:
    """A claim that HAVIR beats a baseline."""
    return Claim(text, whose, _with_baselines, partial(_beats, baseline=baseline))


def _claim_of_need(configuration: str, layout: bool, text: str) -> Claim:
    """The paper's claim that scores fall in a configuration that lacks a part."""
    rows = partial(_falls_without, configuration=configuration, layout=layout)
    return Claim(text, "paper", _with_parts_removed, rows)


CLAIMS = (
    Claim("Reconstructions depend on the brain: better than from shuffled voxels", "control",
          _with_shuffled, _all_rows),
    _claim_of_need("w/o z'", True, "The latent carries the layout: pixel scores fall without it"),
    _claim_of_need("only z'", False,
                   "The tokens carry the meaning: scores of networks fall without them"),
    _claim_of_need("w/o e_img", False, "Image tokens add to text tokens"),
    _claim_of_need("w/o e_cap", False, "Text tokens add to image tokens"),
    _claim_over("all voxels", "Divided voxels beat all voxels for both branches", "paper"),
    _claim_over("swapped roles", "The division is the right way round: it beats swapped roles",
                "control"),
    _claim_over("template masks", "Individual masks beat template masks", "paper"),
    _claim_over("ridge", "Networks beat ridge regression to the same targets", "control"),
    _claim_over("in the style of MindBridge", "HAVIR beats a design in the style of MindBridge",
                "paper"),
    _claim_over("in the style of MindEye", "HAVIR beats a design in the style of MindEye", "paper"),
    _claim_over("nearest training image", "Drawing beats looking up the nearest training image",
                "control"),
    Claim("HAVIR gains most (over ridge) in complex scenes", "paper", _over_complexity, _all_rows),
)  # fmt: skip


@table
def table_of_claims(run: Run) -> Table:
    """What the evidence of this run says of each claim."""
    note = (
        f"for, against: tests with p < {ALPHA:g} after Holm's correction, in and against "
        "the claimed direction (paired by image). holds: some for, none against; contradicted: the "
        "reverse; undecided: none of either, which with few images is no proof of absence."
    )
    return Table(claims(run), "Claims, and what the evidence says of them.", note)
