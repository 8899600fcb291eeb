"""The note that travels with every simulated tree: that it is simulated, and how."""

from __future__ import annotations

import yaml

from havir_lib.config import Config
from havir_lib.simulation.experiment import Experiment
from havir_lib.simulation.regions import ROI_SETS, Part
from havir_lib.simulation.tables import COCO_OFFSET

_TEXT = """\
# SIMULATED DATA

Nothing in this folder was measured. No participant, scanner or photograph is behind it: the
pictures are drawn by a program and the responses are computed from them. Never report numbers from
it as results about brains.

The folder follows the layout of the Natural Scenes Dataset (Allen et al. 2022), so that the same
code reads both.

## What differs from NSD

- Images: {n_images} rows in `nsd_stim_info_merged.csv`, not 73,000; every row exists. The column
  `shared1000` marks the {n_shared} images that all subjects see. `cocoId` is nsdId + {offset},
  which is no id of COCO; `captions_*.json` hold captions of the drawn scenes.
- Experiment: {n_sessions} sessions of {trials} trials per subject; every image {repeats} times. One
  ordering for all subjects, as in NSD. `subjectim` has NSD's 8 rows; those of subjects that are not
  simulated are 0.
- Grids: coarse, and without the front of the brain (below); the outermost voxels hold no brain.
  Affines map voxels to MNI mm up to each subject's displacement. Folder names keep NSD's
  `func1pt8mm`.
- Betas: only voxels that some region mask (own or template) names have data; all others are 0. NSD
  has each session as HDF5 and as NIfTI; here `simulation.betas_format` chooses one: {betas_format}.
- Behaviour: nobody pressed a button; `responses.tsv` has NaN and MISSINGDATA 1.
- `ncsnr.nii.gz` is estimated from the data by NSD's procedure; the true one is in `truth/`.
- Not NSD's: `truth/`, `scene_info.csv`, `roi_template/` (the same regions drawn on the template,
  without the subject's displacement), `simulation.json`, this note.

Not written, though NSD has it:

{not_written}

## How responses are made

- Early areas (V1-hV4): Gaussian receptive fields on a log-polar map over signed luminance, two
  colour-opponent maps and contrast energy at 3 scales and 4 orientations; random signed weights.
- Localiser areas: linear in the scene's attributes (categories by visible area, setting, light,
  counts), 60 % of the tuning by the area's preference, the rest random. No network is asked.
- Other visual cortex: half of each.
- Crosstalk {crosstalk}: that share of each area's signal variance is of the other kind.
- Noise: set so that the median noise ceiling (3 repeats) per group is {noise_ceiling}. A share
  {noise_correlation} of its variance is spontaneous activity that looks like responses to random
  images and is common to all voxels; the rest is white. Session drifts: offsets with SD {drift} of
  the noise SD, gains with SD {gain}.
- Transforms to MNI152 and fsaverage5 (`ppdata/*/transforms/`, `freesurfer/`): the true ones, by
  which each subject's anatomy was made.

## Parameters

```yaml
{parameters}```

## Region table

Set and label names and numbers are NSD's; which HCP-MMP1 areas stand for them is our choice.

| set | number | label | areas |
|---|---|---|---|
{regions}
"""


NOT_WRITTEN = {
    "nsddata/ppdata/*/*/prf_*.nii.gz": "population receptive fields",
    "nsddata/ppdata/*/*/floc_*.nii.gz": "the functional localiser's t values",
    "nsddata/ppdata/*/*/roi/*Kastner2015.nii.gz": "a probabilistic atlas of visual areas",
    "nsddata/ppdata/*/*/roi/*HCP_MMP1.nii.gz": "the HCP-MMP1 atlas",
    "nsddata/ppdata/*/*/roi/*corticalsulc.nii.gz": "sulci; also `MTL` and `thalamus`",
    "nsddata/ppdata/*/anat/*": "anatomy at its own resolution",
    "nsddata/ppdata/*/func1mm/*": "the 1 mm grid",
    "nsddata/ppdata/*/transforms/*anat*": "transforms from and to anatomical spaces; and MNI to "
    "func1pt8, surface to surface but white to fsaverage",
    "nsddata/freesurfer/*/surf/*": "surfaces and surface atlases, fsaverage's among them",
    "nsddata_betas/ppdata/*/fsaverage/*": "betas on surfaces",
    "nsddata_betas/ppdata/*/*/betas_assumehrf/*": "other estimates of the betas, R2 and mean betas",
    "nsddata_stimuli/stimuli/nsd/annotations/instances_*.json": "COCO's outlines of objects (and "
    "`person_keypoints`): nsd_access would fetch COCO's, whose ids name none of these pictures",
    "nsddata_timeseries/*": "time series, physiology, eye tracking",
}
"""Files of NSD that a simulated tree lacks, by pattern."""


def description(config: Config, design: Experiment) -> str:
    """The content of ``SIMULATED.md``."""
    settings = config.simulation
    return _TEXT.format(
        n_images=len(design.scene_seeds),
        n_shared=design.n_shared,
        offset=COCO_OFFSET,
        n_sessions=design.n_sessions,
        trials=design.trials_per_session,
        repeats=settings.repeats,
        crosstalk=settings.crosstalk,
        noise_ceiling=", ".join(f"{k} {v:g} %" for k, v in settings.noise_ceiling.items()),
        noise_correlation=settings.noise_correlation,
        drift=settings.session_drift,
        gain=settings.session_gain,
        parameters=yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False),
        regions=region_table(),
        betas_format=settings.betas_format,
        not_written="\n".join(f"- `{files}`: {what}" for files, what in NOT_WRITTEN.items()),
    )


def region_table() -> str:
    """Which areas make up each label, as rows of a Markdown table."""
    rows = []
    for roi_set, labels in ROI_SETS.items():
        for number, (name, parts) in enumerate(labels.items(), start=1):
            areas = "; ".join(map(_part_text, parts))
            rows.append(f"| {roi_set} | {number} | {name} | {areas} |")
    return "\n".join(rows)


def _part_text(part: Part) -> str:
    words = [", ".join(part.areas)]
    if part.half:
        words.append(part.half)
    if len(part.sides) == 1:
        words.append("left" if part.sides[0] < 0 else "right")
    for axis, (low, high) in (("distance from midline", part.x), ("y", part.y), ("z", part.z)):
        if low > -99 or high < 99:
            words.append(f"{axis} {_bounds(low, high)} mm")
    return " ".join(words)


def _bounds(low: float, high: float) -> str:
    if low <= -99:
        return f"< {high:g}"
    return f">= {low:g}" if high >= 99 else f"{low:g} to {high:g}"
