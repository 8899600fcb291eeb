"""Brain data: from NSD's files, or simulated ones in the same layout, to a :class:`Subject`.

``layout`` knows the paths, ``trials`` what was shown when, ``split`` who is test, ``rois`` and
``roles`` which voxels, ``betas`` their responses, ``zscore`` the normalisation, ``noise_ceiling``
what could be explained, ``stimuli`` pictures and captions; ``load`` puts them together.
"""

from havir_lib.data.load import load_stimuli, load_subject
from havir_lib.data.stimuli import Stimuli
from havir_lib.data.subject import Subject, average_repeats, describe, roi_table
from havir_lib.noise_ceiling import noise_ceiling

__all__ = [
    "Stimuli",
    "Subject",
    "average_repeats",
    "describe",
    "load_stimuli",
    "load_subject",
    "noise_ceiling",
    "roi_table",
]
