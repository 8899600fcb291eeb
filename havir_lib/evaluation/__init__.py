"""Scores of reconstructions, one per image, by a declarative table of metrics.

The eight metrics of Table III are rows of :data:`~havir_lib.evaluation.metrics.METRICS`; the demo
uses other rows (networks that need no download) and the same code.

Shape words: n images, F features, H W pixels.
"""

from havir_lib.evaluation.folder import evaluate_folder
from havir_lib.evaluation.metrics import METRICS, Metric, add_metric, get_metrics
from havir_lib.evaluation.scoring import TruthFeatures, score
from havir_lib.evaluation.statistics import compare, summarise

__all__ = [
    "METRICS",
    "Metric",
    "TruthFeatures",
    "add_metric",
    "compare",
    "evaluate_folder",
    "get_metrics",
    "score",
    "summarise",
]
