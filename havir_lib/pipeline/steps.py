"""Everything a notebook computes, by name, in the order of the notebooks."""

from havir_lib.pipeline.brains import (
    data_root,
    overview,
    role_counts,
    split_summary,
    stimuli,
    subject,
)
from havir_lib.pipeline.decoding import (
    latent_correlation,
    predictions,
    test_targets,
    token_retrieval,
    trained,
)
from havir_lib.pipeline.images import all_scores, reconstructions, scores

__all__ = [
    "all_scores",
    "data_root",
    "latent_correlation",
    "overview",
    "predictions",
    "reconstructions",
    "role_counts",
    "scores",
    "split_summary",
    "stimuli",
    "subject",
    "test_targets",
    "token_retrieval",
    "trained",
]
