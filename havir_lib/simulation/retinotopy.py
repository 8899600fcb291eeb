"""Which part of the picture each early voxel looks at.

Each of V1v ... hV4 holds a log-polar map of the opposite half of the visual field (Schwartz 1977):
eccentricity grows from the occipital pole forwards, as log(e + E2); polar angle runs with the
distance from the calcarine line and reverses at each border, so that V1/V2 meet at the vertical
and V2/V3 at the horizontal meridian. Dorsal areas hold the lower, ventral ones the upper field.

Positions are in half-widths of the picture: x to the right and y upwards in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from havir_lib.simulation.anatomy import Anatomy, height_above_calcarine, roi_volume
from havir_lib.simulation.regions import label_numbers

E2 = 0.3
"""Eccentricity at which the cortical magnification has halved."""
MAX_ECCENTRICITY = 1.35
"""A little less than the corners of the picture."""
SCATTER = 0.3
"""SD of a field's random offset from the map, in its own sizes."""
SIZES = {"V1": (0.06, 0.08), "V2": (0.08, 0.12), "V3": (0.10, 0.16), "hV4": (0.14, 0.24)}
"""Area to (size at the fovea, growth with eccentricity); sizes are SDs of Gaussians."""
NEIGHBOURS = 12
"""Voxels of like eccentricity among which polar angle is spread evenly."""


@dataclass(frozen=True)
class Fields:
    """Population receptive fields of n voxels; all arrays (n,), float64, in half-widths."""

    x: np.ndarray
    y: np.ndarray
    size: np.ndarray


def early_fields(anatomy: Anatomy, ijk: np.ndarray, rng: np.random.Generator) -> Fields:
    """Receptive fields of early voxels.

    Parameters
    ----------
    anatomy : Anatomy
        The subject's brain.
    ijk : ndarray (n, 3) of int
        Voxels inside the early areas.
    rng : Generator
        For the scatter around the map.
    """
    at = tuple(ijk.T)
    label = roi_volume(anatomy, "prf-visualrois")[at]
    side, height = anatomy.side[at], height_above_calcarine(anatomy)[at]
    y_mm = anatomy.template_mm[(*at, 1)]
    eccentricity, angle, base, growth = (np.zeros(len(ijk)) for _ in range(4))
    for name, number in label_numbers("prf-visualrois").items():
        for hemisphere in (-1, 1):
            here = np.flatnonzero((label == number) & (side == hemisphere))
            rank = _rank(y_mm[here])
            eccentricity[here] = E2 * ((1 + MAX_ECCENTRICITY / E2) ** rank - 1)
            angle[here] = _angle(name, _local_rank(rank, height[here]))
        base[label == number], growth[label == number] = SIZES[name.rstrip("vd")]
    size = base + growth * eccentricity
    jitter = SCATTER * size * rng.standard_normal((2, len(ijk)))
    x = -side * eccentricity * np.cos(angle) + jitter[0]  # the left hemisphere sees the right
    return Fields(x, eccentricity * np.sin(angle) + jitter[1], size)


def wide_fields(n: int, rng: np.random.Generator) -> Fields:
    """Large fields at random places, as in higher areas."""
    x, y = rng.uniform(-0.7, 0.7, (2, n))
    return Fields(x, y, rng.uniform(0.3, 0.7, n))


def _angle(area: str, rank: np.ndarray) -> np.ndarray:
    """Polar angle (radians, 0 horizontal, up positive) from the rank of height, 0 low to 1 high."""
    quarter = np.pi / 2
    if area == "hV4":  # a whole half-field; its lower end holds the upper field
        return quarter * (1 - 2 * rank)
    dorsal = area.endswith("d")
    distance = rank if dorsal else 1 - rank  # from the calcarine line, 0 near to 1 far
    from_horizontal = 1 - distance if area.startswith("V2") else distance
    return quarter * from_horizontal * (-1 if dorsal else 1)


def _rank(values: np.ndarray) -> np.ndarray:
    """Ranks spread evenly inside (0, 1)."""
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return (order + 0.5) / max(len(values), 1)


def _local_rank(along: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Ranks of `values` among voxels with like `along`, so that no angle is missing anywhere."""
    ranks = np.zeros(len(values))
    n_groups = max(1, round(len(values) / NEIGHBOURS))
    for group in np.array_split(np.argsort(along, kind="stable"), n_groups):
        ranks[group] = _rank(values[group])
    return ranks
