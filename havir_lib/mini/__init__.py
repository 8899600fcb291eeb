"""The small pretrained models that make the demo work offline, and how they were trained."""

from havir_lib.mini.evaluation import evaluate_models
from havir_lib.mini.sweep import guidance_sweep
from havir_lib.mini.training import train_all, train_mini

__all__ = ["evaluate_models", "guidance_sweep", "train_mini", "train_all"]
