"""Which HCP-MMP1 areas stand for which region of interest of NSD.

Set and label names and integers are NSD's. Which cortex they cover is our choice: NSD drew them
from localiser scans, we assign them to the areas that the literature associates with them. As in
NSD, the floc sets overlap: a voxel may be in faces and in bodies.
"""

from __future__ import annotations

from dataclasses import dataclass

from havir_lib.simulation.atlas import AREAS

ANY = (-999.0, 999.0)


@dataclass(frozen=True)
class Part:
    """The voxels of some areas within bounds.

    Attributes
    ----------
    areas
        Short HCP-MMP1 names.
    x, y, z
        Bounds in MNI mm; x is the distance from the midline, so that both sides are alike.
    half
        "dorsal" or "ventral" of the calcarine line, or "" for both.
    sides
        -1 left, 1 right.
    """

    areas: tuple[str, ...]
    x: tuple[float, float] = ANY
    y: tuple[float, float] = ANY
    z: tuple[float, float] = ANY
    half: str = ""
    sides: tuple[int, ...] = (-1, 1)


def _halves(area: str) -> tuple[tuple[Part], tuple[Part]]:
    return (Part((area,), half="ventral"),), (Part((area,), half="dorsal"),)


_V1V, _V1D = _halves("V1")
_V2V, _V2D = _halves("V2")
_V3V, _V3D = _halves("V3")

PRF = {"V1v": _V1V, "V1d": _V1D, "V2v": _V2V, "V2d": _V2D, "V3v": _V3V, "V3d": _V3D}
PRF |= {"hV4": (Part(("V4",)),)}

FACES = {
    "OFA": (Part(("PIT",)), Part(("V4",), x=(33, 99), z=(-99, -8))),
    "FFA-1": (Part(("FFC",), y=(-99, -61)),),
    "FFA-2": (Part(("FFC",), y=(-61, 0)),),
    "mTL-faces": (Part(("TE2p",), y=(-42, 0)),),
    "aTL-faces": (Part(("TF",), y=(-28, 0), x=(36, 99)),),
}
BODIES = {
    "EBA": (Part(("MT", "MST", "V4t", "FST", "LO2")),),
    "FBA-1": (Part(("PH",), z=(-99, -6)), Part(("FFC",), y=(-99, -61), x=(42, 99))),
    "FBA-2": (Part(("FFC",), y=(-61, 0), x=(41, 99)), Part(("TE2p",), y=(-99, -48))),
    "mTL-bodies": (Part(("TE2p",), y=(-48, -36)),),
}
PLACES = {
    "OPA": (Part(("V3CD", "IP0", "V3B", "LO3")),),
    "PPA": (Part(("PHA1", "PHA2", "PHA3", "VMV1", "VMV2")),),
    "RSC": (Part(("ProS", "POS1")), Part(("DVT",), z=(-99, 24))),
}
# Words lean to the left: the right hemisphere takes part with a smaller piece of each area.
WORDS = {
    "OWFA": (
        Part(("V8",), sides=(-1,)),
        Part(("V8",), x=(29, 99), sides=(1,)),
        Part(("PIT",), z=(-99, -12), sides=(-1,)),
    ),
    "VWFA-1": (
        Part(("VVC",), y=(-99, -50), sides=(-1,)),
        Part(("VVC",), y=(-99, -58), sides=(1,)),
        Part(("VMV3",), sides=(-1,)),
    ),
    "VWFA-2": (
        Part(("VVC",), y=(-50, 0), x=(29, 99), sides=(-1,)),
        Part(("VVC",), y=(-47, 0), x=(33, 99), sides=(1,)),
    ),
    "mfs-words": (Part(("VVC",), y=(-50, 0), x=(0, 33)),),
    "mTL-words": (Part(("TE2p",), y=(-50, -38), x=(46, 99), sides=(-1,)),),
}
STREAMS = {
    "early": (Part(("V1", "V2", "V3")),),
    "midventral": (Part(("V4",), z=(-99, 0)), Part(("V8",))),
    "midlateral": (Part(("V4",), z=(0, 99)), Part(("LO1", "LO2", "V4t"))),
    "midparietal": (Part(("V3A", "V3B", "V3CD", "V6")),),
    "ventral": (
        Part(("PIT", "FFC", "VVC", "VMV1", "VMV2", "VMV3", "PHA1", "PHA2", "PHA3", "TE2p", "TF")),
    ),
    "lateral": (Part(("LO3", "MT", "MST", "FST", "PH")),),
    "parietal": (Part(("V6A", "V7", "IPS1", "IP0", "DVT", "POS1", "ProS")),),
}
GENERAL = {"nsdgeneral": (Part(tuple(area for area in AREAS if area != "TF")),)}

ROI_SETS: dict[str, dict[str, tuple[Part, ...]]] = {
    "prf-visualrois": PRF,
    "floc-faces": FACES,
    "floc-bodies": BODIES,
    "floc-places": PLACES,
    "floc-words": WORDS,
    "streams": STREAMS,
    "nsdgeneral": GENERAL,
}
"""Set name to {label name: parts}; labels are numbered 1.. in this order, as NSD numbers them."""


def label_numbers(roi_set: str) -> dict[str, int]:
    """NSD's integers of a set's labels, e.g. ``{"V1v": 1, "V1d": 2, ...}``."""
    return {name: number for number, name in enumerate(ROI_SETS[roi_set], start=1)}
