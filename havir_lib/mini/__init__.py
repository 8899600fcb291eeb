"""The small pretrained models that make the demo work offline, and how they were trained."""

from havir_lib.mini.evaluation import evaluate
from havir_lib.mini.sweep import sweep
from havir_lib.mini.training import train, train_all

__all__ = ["evaluate", "sweep", "train", "train_all"]
