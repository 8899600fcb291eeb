"""Training of the two branches, transfer to new subjects, predictions (appendix C)."""

from havir_lib.training.branches import BRANCHES, BranchSettings, branch_settings, train_branch
from havir_lib.training.checkpoint import load_model, save_model
from havir_lib.training.predict import (
    Predictions,
    predict,
    predict_images,
    rescale,
    token_lengths,
)

__all__ = [
    "BRANCHES",
    "BranchSettings",
    "Predictions",
    "branch_settings",
    "load_model",
    "predict",
    "predict_images",
    "rescale",
    "save_model",
    "token_lengths",
    "train_branch",
]
