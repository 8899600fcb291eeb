"""What can be named in a picture: a reader of objects that shares nothing with what drew it.

A linear layer on the last features of EfficientNet-Lite2 (ImageNet), pooled by mean and by maximum,
that tells the main object of the simulated scenes (:mod:`havir_lib.mini.reader` fits it). Neither
its network nor its answers are used to train or choose anything, so a picture that pleases the
small CLIP but shows nothing to anyone else fails here.

Shape words: n pictures, C channels, P places of the last layer, K object categories.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from havir_lib.errors import WeightsError, require_file
from havir_lib.provenance import file_digest

READER = "reader/reader.safetensors"
"""Inside the folder of the small models."""


@dataclass(frozen=True, eq=False)
class ObjectReader:
    """A linear layer on pooled features.

    Attributes
    ----------
    weights : ndarray, (2 C, K)
    bias : ndarray, (K,)
    """

    weights: np.ndarray
    bias: np.ndarray

    @property
    def n_channels(self) -> int:
        """C."""
        return len(self.weights) // 2

    def named(self, features: np.ndarray) -> np.ndarray:
        """Category of the main object, int (n,), from features (n, C * P) as the layer has them."""
        return self.named_by(pooled(features, self.n_channels))

    def named_by(self, features: np.ndarray) -> np.ndarray:
        """:meth:`named` from pooled features (n, 2 C)."""
        return (features @ self.weights + self.bias).argmax(axis=1)


def pooled(features: np.ndarray, n_channels: int) -> np.ndarray:
    """Mean, then maximum, over the places of each channel: (n, C * P) → (n, 2 C)."""
    maps = features.reshape(len(features), n_channels, -1)  # (n, C, P)
    return np.concatenate([maps.mean(axis=2), maps.max(axis=2)], axis=1)


@lru_cache(maxsize=1)
def load_reader(file: Path) -> ObjectReader:
    """Read a reader.

    Raises
    ------
    WeightsError
        If the file is missing or damaged.
    """
    require_file(file, "Reader of objects", "Fit it: havir mini train FOLDER --which reader")
    try:
        arrays = load_file(file)
        return ObjectReader(arrays["weights"].astype("f4"), arrays["bias"].astype("f4"))
    except Exception as error:  # safetensors raises its own kinds on damaged files
        raise WeightsError(f"{file}: cannot be read ({error}).") from None


@dataclass(frozen=True)
class SameObject:
    """Whether a reader names the same main object in a picture and in what was made of it.

    As a metric's ``compare``: ``compare(reals, preds)`` of features (n, C * P) gives 1 or 0 per
    picture, (n,).
    """

    file: Path

    @property
    def content(self) -> str:
        """Hash of the reader."""
        return file_digest(self.file)

    def __call__(self, reals: np.ndarray, preds: np.ndarray, device: str = "cpu") -> np.ndarray:
        """Compare features; `device` is not used."""
        reader = load_reader(self.file)
        return (reader.named(reals) == reader.named(preds)).astype(np.float64)
