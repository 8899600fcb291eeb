import hashlib

import numpy as np
import pandas as pd
import pytest

from havir_lib.config import load_config
from havir_lib.errors import ConfigError, DataError
from havir_lib.simulation.experiment import make_design
from havir_lib.simulation.stimuli import read_images
from havir_lib.simulation.tables import stimulus_table
from havir_lib.simulation.tree import write_tree


def hashes(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def changed(config, **simulation):
    settings = config.simulation.model_copy(update=simulation)
    return config.model_copy(update={"simulation": settings})


def test_equal_settings_write_equal_bytes(tiny_config, tiny_tree, tmp_path):
    write_tree(tiny_config, tmp_path)
    assert hashes(tmp_path) == hashes(tiny_tree)


def test_interrupted_writing_resumes_to_the_same_bytes(tiny_config, tiny_tree, tmp_path):
    write_tree(tiny_config, tmp_path)
    (tmp_path / "truth/subj05.npz").unlink()
    lost = next(tmp_path.glob("nsddata_betas/ppdata/subj05/**/betas_session02.hdf5"))
    lost.unlink()
    kept = next(tmp_path.glob("nsddata_betas/ppdata/subj05/**/betas_session01.hdf5"))
    before = kept.stat().st_mtime_ns
    stimuli = tmp_path / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"
    drawn = stimuli.stat().st_mtime_ns
    write_tree(tiny_config, tmp_path)
    assert hashes(tmp_path) == hashes(tiny_tree)
    assert kept.stat().st_mtime_ns == before
    assert stimuli.stat().st_mtime_ns == drawn


def test_a_tree_of_other_settings_is_refused(tiny_config, tiny_tree):
    with pytest.raises(DataError, match="other settings"):
        write_tree(changed(tiny_config, crosstalk=0.77), tiny_tree)


def test_without_warp_template_and_own_masks_are_equal(tiny_config, tmp_path):
    write_tree(changed(tiny_config, warp_mm=0.0), tmp_path)
    checked = 0
    for path in tmp_path.glob("nsddata/ppdata/*/func1pt8mm/roi/*.nii.gz"):
        template = path.parent.parent / "roi_template" / path.name
        assert path.read_bytes() == template.read_bytes()
        checked += 1
    assert checked == 3 * 14  # whole, left and right


def test_with_warp_they_differ(tiny_tree):
    folder = tiny_tree / "nsddata/ppdata/subj02/func1pt8mm"
    own = (folder / "roi/prf-visualrois.nii.gz").read_bytes()
    assert own != (folder / "roi_template/prf-visualrois.nii.gz").read_bytes()


def test_the_note_says_simulated_and_states_the_parameters(tiny_tree, tiny_config):
    text = (tiny_tree / "SIMULATED.md").read_text()
    assert text.startswith("# SIMULATED DATA")
    assert f"crosstalk: {tiny_config.simulation.crosstalk}" in text
    assert "| floc-faces | 1 | OFA | PIT;" in text


def test_scene_descriptions_belong_to_their_images(tiny_tree):
    from havir_lib.simulation.scenes import attributes, make_scene

    table = pd.read_csv(tiny_tree / "nsddata/experiments/nsd/scene_info.csv")
    values = np.load(tiny_tree / "truth/attributes.npy")
    assert table["scene_seed"].is_unique
    assert table["scene_seed"].min() >= 1_000_000_000
    for row in table.iloc[[3, 11]].itertuples():
        scene = make_scene(row.scene_seed)
        assert (row.setting, row.light) == (scene.setting, scene.light)
        assert row.complexity == pytest.approx(scene.complexity, abs=1e-6)
        np.testing.assert_array_equal(values[row.nsdId], attributes(scene))


def test_read_images_keeps_the_order_asked_for(tiny_tree):
    forward, back = (read_images(tiny_tree, ids) for ids in ([2, 9], [9, 2]))
    np.testing.assert_array_equal(forward, back[::-1])
    assert (forward[0] != forward[1]).any()


def test_truth_gives_the_share_of_each_kind(tiny_tree, tiny_config):
    with np.load(tiny_tree / "truth/subj02.npz") as truth:
        structural, semantic = truth["structural_variance"], truth["semantic_variance"]
        early, higher = truth["group"] == 1, truth["group"] == 3
        share = semantic / np.maximum(structural + semantic, 1e-12)
        assert not (structural + semantic)[truth["group"] == 0].any()
    crosstalk = tiny_config.simulation.crosstalk
    np.testing.assert_allclose(share[early], crosstalk, rtol=1e-4)
    np.testing.assert_allclose(share[higher], 1 - crosstalk, rtol=1e-4)


def test_a_subject_keeps_its_scenes_whoever_else_takes_part(tiny_config):
    alone = tiny_config.model_copy(
        update={"data": tiny_config.data.model_copy(update={"subjects": ["subj05"]})}
    )
    both, one = make_design(tiny_config), make_design(alone)
    seeds = [set(d.scene_seeds[d.images_of("subj05")]) for d in (both, one)]
    assert seeds[0] == seeds[1]


def test_repeats_come_soon_or_anywhere():
    config = load_config("demo")
    n_shared = config.simulation.n_shared
    design = make_design(config)
    order = np.argsort(design.masterordering, kind="stable").reshape(-1, 3)
    sessions = order // design.trials_per_session
    same = (sessions[:, 0] == sessions[:, 1]) & (sessions[:, 1] == sessions[:, 2])
    assert 0.02 < same.mean() < 0.5
    assert (sessions.max(1) - sessions.min(1) > 3).mean() > 0.2
    table = stimulus_table(design)
    assert table["shared1000"].sum() == n_shared
    # every session shows shared and own images in about their proportion
    shared = design.masterordering <= n_shared
    assert shared.reshape(design.n_sessions, -1).mean(1).min() > 0.01


def test_unknown_subjects_are_refused(tiny_config):
    data = tiny_config.data.model_copy(update={"subjects": ["subj02", "subj07"]})
    with pytest.raises(ConfigError, match="subj07"):
        make_design(tiny_config.model_copy(update={"data": data}))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("simulation.repeats", 7, "do not divide"),
        ("simulation.n_shared", 40, "none would be left"),
        ("simulation.noise_ceiling", {"early": 30, "higher": 20}, "noise_ceiling needs exactly"),
    ],
)
def test_impossible_designs_are_refused(key, value, message):
    with pytest.raises(ConfigError, match=message):
        load_config("smoke", {key: value})
