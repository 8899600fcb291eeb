"""The one index of figures and tables: from it the workflow, the report and the tests read.

To add one: write a function with ``@figure`` or ``@table`` in a file of this folder, call it in a
notebook, and add a line here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["figure", "table"]


@dataclass(frozen=True)
class Page:
    """One figure or table.

    Attributes
    ----------
    kind : {"figure", "table"}
    name : str
        File name without suffix; ``{subject}`` where there is one per subject.
    notebook : str
        The notebook that shows it.
    made_by : str
        ``module.function`` in this folder.
    promised : bool
        Every run of its notebook makes it. Others depend on the data: where they cannot be made,
        a sentence says why.
    """

    kind: Kind
    name: str
    notebook: str
    made_by: str
    promised: bool = True


def pattern_of(name: str) -> str:
    """A regular expression for the names of a page's files, of whatever subject."""
    return re.sub(r"\{\w+\}", r"\\w+", name)


def _of(notebook: str, *rows: tuple) -> list[Page]:
    return [Page(kind, name, notebook, made_by, *rest) for kind, name, made_by, *rest in rows]


PAGES: tuple[Page, ...] = (
    *_of(
        "00_start_here",
        ("figure", "first_look", "framework.first_look"),
        ("figure", "stimuli", "framework.stimuli"),
        ("figure", "fig1_framework", "framework.framework"),
    ),
    *_of(
        "01_roi_definition",
        ("table", "table1_rois", "regions.table1"),
        ("figure", "roi_maps", "regions.role_maps", False),
        ("figure", "roi_definitions", "regions.definitions", False),
        ("figure", "roi_maps_surface", "standard_space.roles_on_surface", False),
    ),
    *_of(
        "02_voxel_counts",
        ("table", "table2_voxel_counts", "voxels.table2"),
        ("figure", "voxel_counts", "voxels.counts"),
        ("figure", "noise_ceiling", "voxels.ceilings"),
    ),
    *_of(
        "03_targets",
        ("figure", "recovery_check", "recovery.pictures"),
        ("table", "recovery_check", "recovery.recovery_table"),
    ),
    *_of(
        "04_structural_generator",
        ("figure", "training_structural_{subject}", "branches.structural_training"),
        ("figure", "decoded_latents_{subject}", "branches.decoded_latents"),
    ),
    *_of(
        "05_semantic_extractor",
        ("figure", "training_semantic_{subject}", "branches.semantic_training"),
    ),
    *_of(
        "06_reconstruction",
        ("figure", "fig2_reconstructions", "reconstructions.figure2"),
        ("figure", "reconstructions_random", "reconstructions.random"),
        ("figure", "gallery", "reconstructions.gallery"),
        ("figure", "control_shuffled_voxels", "reconstructions.shuffled"),
        ("table", "control_shuffled_voxels", "reconstructions.shuffled_table"),
    ),
    *_of(
        "07_sota_comparison",
        ("figure", "published_scores", "comparison.published"),
        ("table", "table3_comparison", "comparison.table3"),
        ("figure", "comparison_scores", "comparison.methods_by_metric"),
        ("figure", "fig3_comparison", "comparison.figure3"),
        ("table", "paired_all", "comparison.paired"),
        ("table", "complexity_strata", "complexity.strata_table"),
        ("table", "complexity_test", "complexity.test"),
        ("table", "image_retrieval", "captions.image_retrieval"),
        ("table", "caption_prediction", "captions.caption_scores", False),
    ),
    *_of(
        "08_ablations",
        ("table", "table4_ablations", "ablations.table4"),
        ("figure", "fig4_ablations", "ablations.figure4"),
        ("figure", "ablation_scores", "ablations.configurations_by_metric"),
        ("table", "ablations_paired", "ablations.dissociation"),
        ("table", "paper_and_here", "ablations.paper_and_here", False),
    ),
    *_of(
        "09_interpretability",
        ("figure", "fig5_interpretability_base", "importance.figure5", False),
        ("figure", "fig6_interpretability_others", "importance.figure6", False),
        ("figure", "importance_standard_space", "standard_space.importance_maps", False),
        ("table", "map_validity", "importance.validity_table"),
        ("figure", "map_validity", "importance.validity"),
    ),
    *_of(
        "10_controls",
        ("figure", "crosstalk_claims", "crosstalk.claims_figure", False),
        ("table", "crosstalk_claims", "crosstalk.claims_table", False),
        ("figure", "transfer_curve", "transfer.curve", False),
        ("table", "transfer_curve", "transfer.curve_table", False),
        ("table", "zscore_difference", "normalisation.difference"),
        ("table", "train_test_overlap", "overlap.nearness"),
        ("figure", "held_out_clusters", "overlap.clusters"),
        ("table", "held_out_clusters", "overlap.clusters_table"),
        ("table", "held_out_differences", "overlap.differences"),
        ("figure", "generalisation", "splits.splits_figure", False),
        ("table", "generalisation", "splits.splits_table", False),
        ("figure", "region_ceilings", "ceilings.figure_of_regions"),
        ("table", "region_ceilings", "ceilings.regions"),
        ("figure", "sampler_sweeps", "sweeps.curves"),
        ("table", "sampler_sweeps", "sweeps.table_of_sweeps"),
        ("table", "permuted_labels", "labels.permuted"),
        ("table", "map_stability", "importance.stability"),
        ("table", "claims", "claims.table_of_claims"),
    ),
)
ALSO = ("10_controls", "11_make_it_yours", "12_your_own_subject")
"""Notebooks that show figures and tables of other notebooks again."""


def page_of(made_by: str) -> Page:
    """The entry of a function."""
    return next(page for page in PAGES if page.made_by == made_by)


def results_of(notebook: str, subject: str | None = None) -> list[tuple[Page, str]]:
    """Figures and tables of a notebook, in order, with their file names without suffix."""
    return [
        (page, page.name.format(subject=subject)) for page in PAGES if page.notebook == notebook
    ]


def promised(notebook: str, kind: Kind, subject: str | None = None) -> list[str]:
    """File names, without suffix, that a notebook leaves behind (for one subject, where it has)."""
    return [
        name for page, name in results_of(notebook, subject) if page.kind == kind and page.promised
    ]
