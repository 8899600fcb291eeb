"""The two branches of HAVIR, their losses, and the ridge baseline (sections III-A and III-B)."""

from havir_lib.models.build import build, build_embedding, for_new_subject
from havir_lib.models.losses import semantic_loss, structural_loss
from havir_lib.models.ridge import RidgeDecoder, fit_ridge, predict_ridge
from havir_lib.models.semantic_extractor import SemanticExtractor
from havir_lib.models.structural_generator import StructuralGenerator

__all__ = [
    "RidgeDecoder",
    "SemanticExtractor",
    "StructuralGenerator",
    "build",
    "build_embedding",
    "fit_ridge",
    "predict_ridge",
    "for_new_subject",
    "semantic_loss",
    "structural_loss",
]
