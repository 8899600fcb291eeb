"""Which voxels a decoder uses, and how far its weights can be trusted to say so (section IV-E).

The paper maps the L2 norm of each voxel's weights in the first layer. That norm also depends on the
voxel's scale, on noise and on weight decay (Haufe et al. 2014), so this package puts beside it maps
that correct for scale, a null distribution, stability across seeds and, in simulations, the truth.

Shape words: V voxels, H hidden units, n images, T outputs, R null models, S seeds.
"""

from havir_lib.interpretation.patterns import (
    activation_pattern,
    activation_pattern_norm,
    gradient_times_input,
    haufe_pattern,
    pattern_norm,
)
from havir_lib.interpretation.permutation import LinearMaps, permuted_label_maps
from havir_lib.interpretation.statistics import (
    compare_with_null,
    null_band,
    roi_summary,
    seed_reliability,
    spatial_blocks,
    spearman_interval,
)
from havir_lib.interpretation.volumes import save_volume, to_volume
from havir_lib.interpretation.weights import scaled_weight_norm, weight_norm

__all__ = [
    "LinearMaps",
    "activation_pattern",
    "activation_pattern_norm",
    "compare_with_null",
    "gradient_times_input",
    "haufe_pattern",
    "null_band",
    "pattern_norm",
    "permuted_label_maps",
    "roi_summary",
    "save_volume",
    "scaled_weight_norm",
    "seed_reliability",
    "spatial_blocks",
    "spearman_interval",
    "to_volume",
    "weight_norm",
]
