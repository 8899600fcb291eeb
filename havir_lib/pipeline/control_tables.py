"""Tables of the controls (notebook 10): computed, saved with provenance, returned to be read.

Those that train networks of their own say so; with ``comparison.full`` they are worth their time.
"""

from __future__ import annotations

import pandas as pd

from havir_lib.pipeline import (
    captions,
    ceilings,
    complexity,
    crosstalk,
    interpretability,
    normalisation,
    overlap,
    sweeps,
    transfer,
)
from havir_lib.pipeline import claims as evidence
from havir_lib.pipeline.run import Run
from havir_lib.pipeline.tables import ALPHA, PAIRED_NOTE, save


def transfer_curve(run: Run) -> pd.DataFrame:
    """Quality against hours of data (trains two networks per subject, point and start)."""
    frame = transfer.transfer_curve(run)
    caption = "Held-out quality after some hours of a new subject's data."
    note = "Embedding scores: no images are made. Transfer and scratch keep their own schedules."
    return save(run, frame, "transfer_curve", caption, note)


def sampler_sweeps(run: Run) -> pd.DataFrame:
    """Strength, mixing ratio and guidance scale, one at a time."""
    frame = sweeps.sweeps(run)
    caption = "Scores over settings of the sampler, base subject."
    note = (
        f"{frame['n'].max()} test images drawn at random, which are each other's distractors. "
        "Shows what a setting does; choosing one by it would be choosing on test images."
    )
    return save(run, frame, "sampler_sweeps", caption, note)


def region_ceilings(run: Run) -> pd.DataFrame:
    """What each region tells, relative to what it could tell at best."""
    frame = ceilings.region_ceilings(run)
    caption = "Each region's noise ceiling, decoding score and share of its decoding ceiling."
    note = (
        "noise_ceiling: median % of variance of mean test responses. ceiling: the square root of "
        "the reliability of the decoder's predictions over repeats; relative: score / ceiling, "
        "what the same decoder would reach on noise-free responses."
    )
    return save(run, frame, "region_ceilings", caption, note)


def zscore_difference(run: Run) -> pd.DataFrame:
    """What peers' z-scoring gains by looking at test trials."""
    frame = normalisation.zscore_difference(run)
    caption = "Gain by z-scoring each session with all of its trials, test trials included."
    note = (
        "Ridge regression, subjects trained on one hour. session: statistics of the hour's "
        "training trials; session_all: of all trials of every session, as in published arrays, "
        f"which no decoder of one hour could know. {PAIRED_NOTE}"
    )
    return save(run, frame, "zscore_difference", caption, note)


def train_test_overlap(run: Run) -> pd.DataFrame:
    """How near test images are to training images, and whether scores depend on it."""
    frame = overlap.overlap_summary(run)
    caption = "Semantic overlap of test and training images (CLIP class tokens), base subject."
    return save(run, frame, "train_test_overlap", caption)


def held_out_clusters(run: Run) -> pd.DataFrame:
    """Decoding of images whose semantic cluster was never trained on; networks only in full."""
    frame = overlap.held_out_clusters(run, _held_out_methods(run))
    caption = "Image tokens decoded with and without the test image's own semantic cluster."
    note = (
        f"{run.config.comparison.n_clusters} k-means clusters of training images, each left out in "
        "turn; beside it as many images removed at random. Base subject."
    )
    return save(run, frame, "held_out_clusters", caption, note)


def held_out_differences(run: Run) -> pd.DataFrame:
    """The paired cost of holding a cluster out."""
    frame = overlap.held_out_differences(run, _held_out_methods(run))
    caption = "Loss by holding out the test image's cluster (positive: worse when held out)."
    return save(run, frame, "held_out_differences", caption, PAIRED_NOTE)


def _held_out_methods(run: Run) -> tuple[str, ...]:
    return ("ridge", "HAVIR") if run.config.comparison.full else ("ridge",)


def complexity_strata(run: Run) -> pd.DataFrame:
    """Scores in simple, medium and complex scenes."""
    frame = complexity.complexity_strata(run)
    caption = "Scores by scene complexity (thirds of the test images by edge density)."
    return save(run, frame, "complexity_strata", caption)


def complexity_test(run: Run) -> pd.DataFrame:
    """The paper's claim that HAVIR gains most in complex scenes, tested."""
    frame = complexity.complexity_test(run)
    caption = "Rank correlation of scene complexity with HAVIR's gain over ridge, image by image."
    note = "The claim predicts rho > 0. Permutation test over images, Holm over all rows."
    return save(run, frame, "complexity_test", caption, note)


def image_retrieval(run: Run) -> pd.DataFrame:
    """Retrieval in a gallery of up to 300 test images."""
    frame = captions.image_retrieval(run)
    caption = f"Retrieval by image tokens among {frame['pool'].max()} test images."
    rows = {"rows": ["method", "subject"], "columns": "metric"}
    note = f"Chance: k / {frame['pool'].max()}. Image: find the image by the brain; brain: reverse."
    return save(run, frame, "image_retrieval", caption, note, **rows)


def caption_scores(run: Run) -> pd.DataFrame:
    """Captions predicted from the text head by the nearest training caption."""
    frame = captions.caption_scores(run)
    caption = "Nearest training caption to the predicted text, against the image's own captions."
    note = "Mean cosine of CLIP text tokens, mean training caption removed."
    return save(run, frame, "caption_prediction", caption, note)


def crosstalk_claims(run: Run) -> pd.DataFrame:
    """The main claims under each crosstalk (simulates and trains for each of them)."""
    frame = crosstalk.crosstalk_claims(run)
    caption = "The main claims under different crosstalk of the simulation (positive: as claimed)."
    note = (
        "split: HAVIR against both branches on all voxels (embedding scores). latent: against w/o "
        f"z'. tokens: against only z'. {PAIRED_NOTE}"
    )
    return save(run, frame, "crosstalk_claims", caption, note)


def seed_stability(run: Run) -> pd.DataFrame:
    """Whether maps of voxel importance survive another seed (trains networks of its own)."""
    frame = interpretability.seed_stability(run)
    caption = "Rank correlation of voxel importance between networks trained from several seeds."
    note = "Mean over pairs of seeds; low and high are the range over pairs. Base subject."
    return save(run, frame, "map_stability", caption, note)


def claims(run: Run) -> pd.DataFrame:
    """What the evidence of this run says of each claim."""
    frame = evidence.claims(run)
    caption = "Claims, and what the evidence says of them."
    note = (
        f"for, against: tests with p < {ALPHA:g} after Holm's correction, in and against "
        "the claimed direction (paired by image). holds: some for, none against; contradicted: the "
        "reverse; undecided: none of either, which with few images is no proof of absence."
    )
    return save(run, frame, "claims", caption, note)
