"""How simulated voxels respond to pictures: tuning, and the signal it gives.

Two kinds of signal exist. *Structural*: early voxels weigh luminance, colour and contrast inside
their receptive field. *Semantic*: higher voxels weigh what the scene contains (its attributes),
with the preferences of their area. Neither ever asks a network, or decoding network features would
be circular. Every voxel carries a share `crosstalk` of the other kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from havir_lib.simulation.anatomy import Anatomy, roi_volume
from havir_lib.simulation.features import MAP_SIDES, N_COLOUR, N_ENERGY, field_weights
from havir_lib.simulation.regions import label_numbers
from havir_lib.simulation.retinotopy import Fields, early_fields, wide_fields
from havir_lib.simulation.scenes.registry import all_categories

FLOC_SETS = ("floc-faces", "floc-bodies", "floc-places", "floc-words")
GROUPS = ("none", "early", "intermediate", "higher")
"""V1-V3; hV4 and visual cortex outside the functional localisers; the localisers' areas."""
CHANNEL_SHARES = np.array(
    [0.4, 0.15, 0.15] + [0.3 / N_ENERGY] * N_ENERGY
)  # luminance, red-green, blue-yellow, contrast energies
PREFERENCE = 0.6
"""Share of a higher voxel's tuning that its area prefers; the rest is random."""
LIKED_FAMILIES = {
    "floc-faces": ("people", "animals"),
    "floc-bodies": ("people", "animals"),
    "floc-places": (),
    "floc-words": ("vehicles", "food", "furniture", "things"),
}


@dataclass(frozen=True)
class Voxels:
    """The n voxels of a subject that have data.

    Attributes
    ----------
    ijk : ndarray (n, 3) of int32
        Index into the subject's grid.
    group : ndarray (n,) of int8
        Index into `GROUPS`; "none" responds to nothing.
    semantic_share : ndarray (n,) of float32
        Share of the signal's variance that is semantic; the rest is structural.
    """

    ijk: np.ndarray
    group: np.ndarray
    semantic_share: np.ndarray

    def in_group(self, *names: str) -> np.ndarray:
        """bool (n,): whether each voxel is in one of the named groups."""
        return np.isin(self.group, [GROUPS.index(name) for name in names])


@dataclass(frozen=True)
class Tuning:
    """Weights of the visual voxels (all but group "none"), in their order.

    Attributes
    ----------
    visual : ndarray (v, N_FEATURES) of float32
        Structural weights, over :func:`havir_lib.simulation.features.visual_features`.
    semantic : ndarray (v, n_attributes) of float32
        Semantic weights, over standardised scene attributes.
    fields : Fields
        Receptive fields behind `visual`.
    """

    visual: np.ndarray
    semantic: np.ndarray
    fields: Fields


def group_voxels(anatomy: Anatomy, data_mask: np.ndarray, crosstalk: float) -> Voxels:
    """Sort the voxels of `data_mask` (bool, X, Y, Z) into groups.

    Visual cortex outside both the retinotopic areas and the localisers is half of each kind.
    """
    at = np.nonzero(data_mask)
    prf = roi_volume(anatomy, "prf-visualrois")[at]
    floc = np.any([roi_volume(anatomy, name)[at] > 0 for name in FLOC_SETS], axis=0)
    general = roi_volume(anatomy, "nsdgeneral")[at] > 0
    hv4 = label_numbers("prf-visualrois")["hV4"]
    early = (prf > 0) & (prf != hv4)
    conditions = [early, prf == hv4, floc, general]
    group = np.select(conditions, [1, 2, 3, 2], default=0).astype(np.int8)
    share = np.select(conditions, [crosstalk, crosstalk, 1 - crosstalk, 0.5], default=0)
    ijk = np.stack(at, axis=1).astype(np.int32)
    return Voxels(ijk, group, share.astype(np.float32))


def draw_tuning(
    anatomy: Anatomy, voxels: Voxels, attribute_names: tuple[str, ...], rng: np.random.Generator
) -> Tuning:
    """Draw the weights of every visual voxel.

    Parameters
    ----------
    attribute_names : tuple of str
        Columns of the scene attributes, "kind:name" or "name".
    """
    visual = voxels.group > 0
    ijk = voxels.ijk[visual]
    retinotopic = roi_volume(anatomy, "prf-visualrois")[tuple(ijk.T)] > 0
    fields = _merge(
        retinotopic,
        early_fields(anatomy, ijk[retinotopic], rng),
        wide_fields(int((~retinotopic).sum()), rng),
    )
    channels = np.sqrt(CHANNEL_SHARES) * rng.standard_normal((len(ijk), N_COLOUR + N_ENERGY))
    semantic = _semantic_weights(anatomy, ijk, attribute_names, rng)
    return Tuning(field_weights(fields, channels), semantic, fields)


def _merge(where: np.ndarray, yes: Fields, no: Fields) -> Fields:
    merged = []
    for a, b in zip(vars(yes).values(), vars(no).values(), strict=True):
        values = np.empty(len(where))
        values[where], values[~where] = a, b
        merged.append(values)
    return Fields(*merged)


def _semantic_weights(
    anatomy: Anatomy, ijk: np.ndarray, names: tuple[str, ...], rng: np.random.Generator
) -> np.ndarray:
    random = _unit(rng.standard_normal((len(ijk), len(names))))
    liked = np.zeros((len(ijk), len(names)), bool)
    for roi_set in FLOC_SETS:
        members = roi_volume(anatomy, roi_set)[tuple(ijk.T)] > 0
        liked |= members[:, None] & liked_attributes(roi_set, names)
    # Preference is for presence, so weights of liked attributes are positive.
    preferred = _unit(np.where(liked, rng.exponential(size=liked.shape), 0))
    share = np.where(liked.any(1, keepdims=True), PREFERENCE, 0)
    weights = np.sqrt(share) * preferred + np.sqrt(1 - share) * random
    return weights.astype(np.float32)


def liked_attributes(roi_set: str, names: tuple[str, ...]) -> np.ndarray:
    """bool (n_attributes,): what the areas of a localiser set prefer."""
    families = {name: category.family for name, category in all_categories().items()}
    liked = []
    for name in names:
        kind, _, what = name.rpartition(":")
        if kind == "area":
            liked.append(families[what] in LIKED_FAMILIES[roi_set])
        elif kind == "count":
            liked.append(what in LIKED_FAMILIES[roi_set])
        else:  # setting, light, indoor, warmth, brightness
            liked.append(roi_set == "floc-places")
    return np.array(liked)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def signals(
    tuning: Tuning, semantic_share: np.ndarray, features: np.ndarray, attributes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Noise-free responses of the visual voxels.

    Parameters
    ----------
    tuning : Tuning
        v voxels.
    semantic_share : ndarray (v,)
        Share of semantic variance.
    features : ndarray (n, N_FEATURES) of float32
        What the images show.
    attributes : ndarray (n, n_attributes) of float32
        What the scenes contain.

    Returns
    -------
    signal : ndarray (n, v) of float32
        Mean 0 and variance 1 over the images. It is the sum of both parts, scaled to variances
        1 - semantic_share and semantic_share; because parts can correlate, the sum is then
        scaled to variance 1.
    part_variance : ndarray (2, v) of float32
        Variances of the structural and the semantic part after that last scaling.
    """
    visual = standardise((features - features.mean(0)) * feature_scale(features) @ tuning.visual.T)
    semantic = standardise(standardise(attributes) @ tuning.semantic.T)
    visual *= np.sqrt(1 - semantic_share)
    semantic *= np.sqrt(semantic_share)
    total = visual + semantic
    scale = 1 / np.maximum(total.std(0), 1e-6)
    part_variance = np.stack([1 - semantic_share, semantic_share]) * scale**2
    return total * scale, part_variance.astype(np.float32)


def feature_scale(features: np.ndarray) -> np.ndarray:
    """One factor per feature that gives each map the mean variance 1, (N_FEATURES,) float32."""
    variance, scale, start = features.var(0), [], 0
    for side in MAP_SIDES:
        mean = float(variance[start : start + side * side].mean())
        scale.append(np.full(side * side, 1 / np.sqrt(max(mean, 1e-12))))
        start += side * side
    return np.concatenate(scale).astype(np.float32)


def standardise(columns: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1 down the rows; constant columns become 0."""
    centred = columns - columns.mean(0)
    return (centred / np.maximum(centred.std(0), 1e-6)).astype(np.float32)
