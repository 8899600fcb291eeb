"""The paper's figures and their companions: gathered from cached results, drawn, saved, shown.

Every function returns the path of the PNG it wrote, so a notebook shows exactly what was saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from IPython.display import Image, Markdown

from havir_lib.data import noise_ceiling as ceiling_of
from havir_lib.data.layout import ANATOMY, layout_of
from havir_lib.data.rois import read_volume
from havir_lib.data.spaces import native_space
from havir_lib.evaluation.correlation import paired_correlation
from havir_lib.evaluation.preparation import resized
from havir_lib.evaluation.published import load_published
from havir_lib.interpretation import save_volume, to_volume
from havir_lib.pipeline import brains, decoding, images, interpretability, tables
from havir_lib.pipeline.run import Run
from havir_lib.plots import (
    figure_ablations,
    figure_contact_sheet,
    figure_gallery,
    figure_methods,
    figure_reconstructions,
    save_figure,
)
from havir_lib.plots.comparison import figure_published, figure_scores, figure_shuffled
from havir_lib.plots.framework import FrameworkPictures, figure_framework, role_slice
from havir_lib.plots.interpretation import (
    figure_agreement,
    figure_importance,
    figure_importance_subjects,
)
from havir_lib.plots.rois import (
    ROLE_CODES,
    BrainMap,
    figure_noise_ceiling,
    figure_roi_definitions,
    figure_roles,
    figure_voxel_counts,
)
from havir_lib.plots.training import figure_training

PICTURES_AT_ONCE = 64
THUMBNAIL = 32
"""Pixels; fine enough to tell where things are."""
MAKES = {
    "fig1_framework": "framework",
    "roi_maps": "roi_maps",
    "noise_ceiling": "noise_ceiling",
    "recovery_check": "recovery_check",
    "fig2_reconstructions": "reconstructions",
    "fig3_comparison": "comparison",
    "fig4_ablations": "ablations",
    "fig5_interpretability_base": "interpretability_base",
    "fig6_interpretability_others": "interpretability_others",
}
"""Figure → the function here that makes it."""


def save(run: Run, figure, name: str, caption: str, *made_from: object) -> Path:
    """Write a figure with its provenance, `made_from` hashed; returns the PNG."""
    record = tables.provenance(run, **{f"input_{n}": item for n, item in enumerate(made_from)})
    return save_figure(figure, run.workspace.figures, name, record, run.simulated, caption=caption)


def example_stimuli(run: Run) -> Path:
    """A contact sheet of test stimuli."""
    store = brains.stimuli(run)
    ids = brains.subject(run, run.base_subject).test_images[:16]
    pictures = store.images(ids)
    figure = figure_contact_sheet(pictures, per_row=8)
    return save(run, figure, "stimuli", "Stimuli of the test set.", pictures)


def framework(run: Run) -> Path:
    """Figure 1: the method's stations, with pictures made from one stimulus's true targets."""
    name = run.base_subject
    truth = brains.test_images(run, name)
    row = int(random_rows(run, len(truth), 1)[0])
    made = images.reconstructions(run, name, "true targets").images[row]
    latent = images.reconstructions(run, name, "true targets", "only z'").images[row]
    maps = role_volume(run, name)
    shown = brains.stimuli(run).captions(brains.subject(run, name).test_images[[row]])[0][0]
    pictures = FrameworkPictures(
        brain=role_slice(maps.background, maps.volume),
        stimulus=truth[row],
        latent=latent,
        reconstruction=made,
        caption=shown,
    )
    caption = "HAVIR: two sets of voxels, two decoders, one diffusion model."
    figure = figure_framework(pictures)
    return save(run, figure, "fig1_framework", caption, truth[row], latent, made)


def roi_maps(run: Run) -> Path:
    """Where structural and semantic voxels lie in each subject's own brain."""
    maps = {name: role_volume(run, name) for name in run.subjects}
    caption = "Structural and semantic voxels of each subject, in its own space."
    caption += without_anatomy(run, run.subjects)
    volumes = [item.volume for item in maps.values()]
    return save(run, figure_roles(maps), "roi_maps", caption, volumes)


def role_volume(run: Run, name: str) -> BrainMap:
    """1 at a subject's structural and 2 at its semantic voxels, over its anatomy."""
    brain = brains.subject(run, name)
    codes = sum(getattr(brain, role) * code for role, code in ROLE_CODES.items())
    return brain_map(run, name, codes.astype("f4"))


def brain_map(run: Run, name: str, values: np.ndarray, voxels=slice(None)) -> BrainMap:
    """One value per voxel of a subject as a volume over its own anatomy."""
    brain = brains.subject(run, name)
    image = to_volume(values, brain.ijk[voxels], brain.shape, brain.affine)
    space = native_space(name, run.config.data.space)
    behind = background(run, name, brain.shape)
    return BrainMap(image.get_fdata(dtype=np.float32), brain.affine, space, behind)


def background(run: Run, name: str, shape: tuple[int, int, int]) -> np.ndarray:
    """The subject's anatomy, or, where there is none, 1 inside its brain and 0 outside."""
    layout = layout_of(run.config, brains.data_root(run))
    if layout.lacks(name, ANATOMY):
        signal = read_volume(layout.ncsnr(name), f"Noise ceiling of {name}", shape).values
        return (np.nan_to_num(signal) > 0).astype(np.float32)
    return read_volume(layout.anatomy(name), f"Anatomy of {name}", shape).values


def without_anatomy(run: Run, names: Sequence[str]) -> str:
    """A sentence about subjects whose anatomy is not there; empty if all have it."""
    layout = layout_of(run.config, brains.data_root(run))
    lost = {name: files[0].name for name in names if (files := layout.lacks(name, ANATOMY))}
    if not lost:
        return ""
    files = ", ".join(f"{file} of {name}" for name, file in lost.items())
    return f" Drawn over the brain's outline instead of its anatomy, for lack of {files}."


def show(made: Path | str) -> Image | Markdown:
    """A figure in a notebook; or the sentence that says why there is none."""
    return Image(str(made)) if isinstance(made, Path) else Markdown(made)


def roi_definitions(run: Run) -> Path:
    """Every region that feeds a branch, in the base subject's own brain."""
    name = run.base_subject
    brain, roles = brains.subject(run, name), run.config.data.roles
    regions = pd.DataFrame(
        [(roi, role) for role in ROLE_CODES for roi in getattr(roles, role)],
        columns=["roi", "role"],
    )
    codes = np.zeros(brain.n_voxels, "f4")
    for code, row in list(enumerate(regions.itertuples(), start=1))[::-1]:  # the first named wins
        codes[brain.rois[row.roi].to_numpy() & getattr(brain, row.role)] = code
    figure = figure_roi_definitions(brain_map(run, name, codes), regions, name)
    caption = f"Regions of interest of {name}; where sets of a role overlap, the first one shows."
    return save(run, figure, "roi_definitions", caption, codes)


def voxel_counts(run: Run) -> Path:
    """Voxels of each region and subject, as used by the branches."""
    counts = brains.voxel_counts(run)
    figure = figure_voxel_counts(counts)
    return save(run, figure, "voxel_counts", "Voxels per region and subject.", counts.to_csv())


def noise_ceiling(run: Run) -> Path:
    """Noise ceiling of each region's voxels."""
    rows = []
    for name in run.subjects:
        brain = brains.subject(run, name)
        ceiling = ceiling_of(brain.ncsnr, brain.test_repeats)
        for row in brains.regions_with_role(run, name).itertuples():
            inside = brain.rois[row.roi].to_numpy() & getattr(brain, row.role)
            rows.append(
                pd.DataFrame(
                    {
                        "subject": name,
                        "role": row.role,
                        "roi": row.roi,
                        "noise_ceiling": ceiling[inside],
                    }
                )
            )
    voxels = pd.concat(rows, ignore_index=True)
    caption = "Share of the variance of mean test responses that could be explained at best."
    figure = figure_noise_ceiling(voxels)
    return save(run, figure, "noise_ceiling", caption, voxels["noise_ceiling"].to_numpy())


def training_curves(run: Run, name: str, branch: decoding.Branch) -> Path:
    """Training and validation loss of one branch over epochs."""
    history = decoding.history(run, name, branch)
    caption = f"Loss of {name}'s {branch} branch; validation is on held-out training images."
    file = f"training_{branch}_{name}"
    return save(run, figure_training(history), file, caption, history.to_csv())


def decoded_latents(run: Run, name: str) -> Path:
    """What the structural branch alone sees: its predicted latents, decoded."""
    only = images.reconstructions(run, name, configuration="only z'").images
    ridge = images.reconstructions(run, name, "ridge", "only z'").images
    true = images.reconstructions(run, name, "true targets", "only z'").images
    rows = random_rows(run, len(only), run.config.figures.n_examples)
    columns = {"true z": true[rows], "HAVIR": only[rows], "ridge": ridge[rows]}
    figure = figure_methods(brains.test_images(run, name)[rows], columns)
    caption = f"Latents predicted from {name}'s structural voxels, decoded without diffusion."
    return save(run, figure, f"decoded_latents_{name}", caption, *columns.values())


def recovery_check(run: Run) -> Path:
    """Stimuli, their VAE round trip, and reconstructions from their true targets."""
    name = run.base_subject
    made = images.reconstructions(run, name, "true targets").images
    decoded = images.reconstructions(run, name, "true targets", "only z'").images
    tokens = images.reconstructions(run, name, "true targets", "w/o z'").images
    rows = random_rows(run, len(made), run.config.figures.n_examples)
    columns = {
        "VAE round trip": decoded[rows],
        "true z and tokens": made[rows],
        "true tokens only": tokens[rows],
    }
    figure = figure_methods(brains.test_images(run, name)[rows], columns)
    caption = "Recovery check: reconstructions from the true targets of randomly drawn test images."
    return save(run, figure, "recovery_check", caption, *columns.values())


def reconstructions(run: Run) -> Path:
    """Figure 2: chosen test images (caption, stimulus, one reconstruction per subject)."""
    rows = chosen_rows(run, run.config.figures.n_examples)
    return _subjects_grid(
        run, rows, "fig2_reconstructions", "chosen: best layout, unlike one another"
    )


def random_reconstructions(run: Run) -> Path:
    """The same for test images drawn at random."""
    n = len(brains.subject(run, run.base_subject).test_images)
    rows = random_rows(run, n, run.config.figures.n_examples)
    return _subjects_grid(run, rows, "reconstructions_random", "drawn at random")


def _subjects_grid(run: Run, rows: np.ndarray, file: str, how: str) -> Path:
    ids = brains.subject(run, run.base_subject).test_images[rows]
    store = brains.stimuli(run)
    columns = {name: _images_of(run, name, ids) for name in run.subjects}
    captions = [five[0] for five in store.captions(ids)]
    figure = figure_reconstructions(captions, store.images(ids), columns)
    caption = f"Reconstructions of test images ({how}), one per subject."
    return save(run, figure, file, caption, *columns.values())


def _images_of(
    run: Run, name: str, ids: np.ndarray, method: str = "HAVIR", configuration: str = "HAVIR"
) -> np.ndarray:
    made = images.reconstructions(run, name, method, configuration)
    return made.images[pd.Index(made.image_ids).get_indexer(ids)]


def gallery(run: Run) -> Path:
    """Random reconstructions of the base subject beside chosen ones, and saying which are which."""
    name, n = run.base_subject, run.config.figures.n_random
    truth, made = brains.test_images(run, name), images.reconstructions(run, name).images
    chosen, drawn = chosen_rows(run, n // 2), random_rows(run, len(made), n)
    sections = {
        f"Chosen: best layout, and unlike one another ({name})": (truth[chosen], made[chosen]),
        f"Drawn at random ({name}, seed {run.config.seed})": (truth[drawn], made[drawn]),
    }
    figure = figure_gallery(sections)
    return save(run, figure, "gallery", "Chosen and random reconstructions.", made)


def comparison(run: Run) -> Path:
    """Figure 3: the same test images, method by method."""
    rows = chosen_rows(run, run.config.figures.n_examples)
    ids = brains.subject(run, run.base_subject).test_images[rows]
    methods = ("HAVIR", "ridge", "nearest training image", "shuffled voxels", "true targets")
    columns = {method: _images_of(run, run.base_subject, ids, method) for method in methods}
    figure = figure_methods(brains.stimuli(run).images(ids), columns)
    caption = f"The same test images of {run.base_subject}, method by method."
    return save(run, figure, "fig3_comparison", caption, *columns.values())


def comparison_scores(run: Run) -> Path:
    """Scores of every method rerun here, per subject and on average."""
    scores = tables.method_scores(run)
    caption = "Scores of all methods on the same data, with bootstrap intervals."
    return save(run, figure_scores(scores), "comparison_scores", caption, scores.to_csv())


def shuffled_control(run: Run) -> Path:
    """Real against shuffled voxels, per metric and subject."""
    scores = tables.method_scores(run, ("HAVIR", "shuffled voxels"))
    caption = "Control: the same networks with real and with shuffled voxels."
    return save(run, figure_shuffled(scores), "control_shuffled_voxels", caption, scores.to_csv())


def published_scores(run: Run) -> Path:
    """Published numbers for NSD, in a figure of their own that is never stamped as simulated."""
    published = load_published()
    record = tables.provenance(run, published=published.to_csv()) | {"data": "measured"}
    caption = "Numbers that papers report for NSD."
    figure = figure_published(published)
    return save_figure(
        figure, run.workspace.figures, "published_scores", record, False, caption=caption
    )


def ablation_scores(run: Run) -> Path:
    """Scores of every ablated configuration."""
    scores = tables.configuration_scores(run)
    caption = "Scores of the full model and its ablated configurations."
    figure = figure_scores(scores, "configuration")
    return save(run, figure, "ablation_scores", caption, scores.to_csv())


def ablations(run: Run) -> Path:
    """Figure 4: the same test images, configuration by configuration."""
    rows = chosen_rows(run, run.config.figures.n_examples)
    name = run.base_subject
    ids = brains.subject(run, name).test_images[rows]
    columns = {
        configuration: _images_of(run, name, ids, configuration=configuration)
        for configuration in images.CONFIGURATIONS
    }
    figure = figure_ablations(brains.stimuli(run).images(ids), columns)
    caption = f"The full model and its ablated configurations ({name})."
    return save(run, figure, "fig4_ablations", caption, *columns.values())


def chosen_rows(run: Run, n: int) -> np.ndarray:
    """Test images of the base subject that show the method at its best, unlike one another.

    They come from the quarter whose layout is reconstructed best. The best is the first; each
    further one is the one that looks least like those before it (mean squared difference).
    """
    name = run.base_subject
    truth = _thumbnails(brains.test_images(run, name))
    made = _thumbnails(images.reconstructions(run, name).images)
    quality = _layout_correlation(truth, made)
    best = np.argsort(-quality, kind="stable")[: max(n, len(quality) // 4)]
    looks = decoding.flat(truth[best])
    chosen, distance = [0], np.inf
    while len(chosen) < min(n, len(best)):
        distance = np.minimum(distance, np.square(looks - looks[chosen[-1]]).mean(axis=1))
        chosen.append(int(np.argmax(distance)))
    return best[chosen]


def _thumbnails(pictures: np.ndarray) -> np.ndarray:
    """Small versions, uint8 array (n, THUMBNAIL, THUMBNAIL, 3); a few at a time in full size."""
    parts = range(0, len(pictures), PICTURES_AT_ONCE)
    return np.concatenate([resized(pictures[i : i + PICTURES_AT_ONCE], THUMBNAIL) for i in parts])


def _layout_correlation(truth: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Correlation of brightness gradients of each pair of pictures (n, size, size, 3): (n,)."""
    gradients = []
    for pictures in (truth, made):
        grey = pictures.mean(axis=-1)
        down, across = np.diff(grey, axis=1), np.diff(grey, axis=2)
        gradients.append(np.concatenate([decoding.flat(down), decoding.flat(across)], axis=1))
    return paired_correlation(*gradients)


def random_rows(run: Run, n_images: int, n: int) -> np.ndarray:
    """Rows drawn at random by the run's seed, in rising order."""
    rng = np.random.default_rng([run.config.seed, 12])
    return np.sort(rng.choice(n_images, min(n, n_images), replace=False))


def interpretability_base(run: Run) -> Path:
    """Figure 5: importance maps of the base subject."""
    name = run.base_subject
    maps = {branch: importance_volume(run, name, branch) for branch in interpretability.BRANCHES}
    summaries = {
        branch: interpretability.by_region(run, name, branch)
        for branch in interpretability.BRANCHES
    }
    figure = figure_importance(maps, summaries, name)
    caption = f"Weight norm of each voxel in {name}: A structural branch, B semantic branch."
    volumes = [item.volume for item in maps.values()]
    return save(run, figure, "fig5_interpretability_base", caption, volumes)


def interpretability_others(run: Run) -> Path:
    """Figure 6: importance maps of the other subjects."""
    others = [name for name in run.subjects if not run.is_base(name)]
    maps = {
        name: {branch: importance_volume(run, name, branch) for branch in interpretability.BRANCHES}
        for name in others
    }
    figure = figure_importance_subjects(maps)
    caption = "Weight norms of the transferred networks, each in its subject's own space."
    volumes = [item.volume for pair in maps.values() for item in pair.values()]
    return save(run, figure, "fig6_interpretability_others", caption, volumes)


def map_validity(run: Run) -> Path:
    """Which kind of map finds the voxels that truly carry signal."""
    frame = interpretability.validity(run)
    caption = "Agreement of each kind of map with the signal that is really there."
    return save(run, figure_agreement(frame), "map_validity", caption, frame.to_csv())


def importance_volume(run: Run, name: str, branch: decoding.Branch) -> BrainMap:
    """The paper's map over the subject's anatomy; also written as NIfTI, in the subject's space."""
    found = interpretability.importance(run, name, branch)
    shown = brain_map(run, name, found.maps["norm"], found.voxels)
    file = run.workspace.root / "maps" / f"{name}_{branch}_weight_norm.nii.gz"
    save_volume(nib.Nifti1Image(shown.volume, shown.affine), file)
    return shown
