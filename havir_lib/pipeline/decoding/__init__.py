"""Steps 03 to 05: targets, trained decoders, and what every method predicts for the test images."""

from havir_lib.pipeline.decoding.methods import (
    METHODS,
    Method,
    method_names,
    nearest_training_images,
    predictions,
)
from havir_lib.pipeline.decoding.networks import HAVIR, Branch, Design, history, trained
from havir_lib.pipeline.decoding.shared import flat, targets, test_targets, weights_digest
from havir_lib.pipeline.decoding.summaries import (
    latent_correlation,
    methods_table,
    token_retrieval,
)
from havir_lib.pipeline.decoding.templates import why_not as why_no_templates

__all__ = [
    "HAVIR",
    "METHODS",
    "Branch",
    "Design",
    "Method",
    "flat",
    "history",
    "latent_correlation",
    "method_names",
    "methods_table",
    "nearest_training_images",
    "predictions",
    "targets",
    "test_targets",
    "token_retrieval",
    "trained",
    "weights_digest",
    "why_no_templates",
]
