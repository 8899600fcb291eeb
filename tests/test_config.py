"""Profiles load, overrides work, mistakes are explained."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from havir_lib.config import absolute_paths, load_config, wanted_device
from havir_lib.errors import ConfigError
from havir_lib.paths import workspace_of


@pytest.mark.parametrize("profile", ["demo", "smoke"])
def test_simulated_profiles_load(profile):
    config = load_config(profile)
    assert config.profile == profile
    assert config.simulated
    assert set(config.data.subjects) <= set(config.simulation.subjects)


def test_smoke_inherits_from_demo():
    assert load_config("smoke").data.roles == load_config("demo").data.roles


def test_paper_profile_is_not_simulated():
    config = load_config("paper", {"data.root": "somewhere"})
    assert not config.simulated
    assert config.data.subjects == ["subj01", "subj02", "subj05", "subj07"]


def test_streams_are_an_alternative_to_the_papers_regions():
    paper, streams = (load_config(n, {"data.root": "x"}) for n in ("paper", "paper_streams"))
    assert streams.data.roles.structural == ["early"]
    assert streams.data.roles.semantic == ["ventral", "lateral", "parietal"]
    same = {"data": {"roles"}, "profile": True}
    assert streams.model_dump(exclude=same) == paper.model_dump(exclude=same)


def test_paper_profile_without_data_says_what_to_do():
    with pytest.raises(ConfigError, match="--data DIR"):
        load_config("paper")


def test_overrides_replace_nested_values():
    assert load_config("demo", {"diffusion.steps": 7}).diffusion.steps == 7


def test_unknown_key_is_refused_and_a_near_one_suggested():
    with pytest.raises(ConfigError, match=r"data\.rols: unknown key; did you mean 'roles'"):
        load_config("demo", {"data.rols": []})


def test_base_subject_must_be_a_subject():
    with pytest.raises(ConfigError, match="subj09"):
        load_config("demo", {"data.base_subject": "subj09"})


def test_unknown_profile_lists_the_known_ones():
    with pytest.raises(ConfigError, match="demo, laion_fmri, paper, paper_streams, smoke"):
        load_config("dmeo")


def test_yaml_that_is_not_a_mapping(tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_text("- just\n- a list\n")
    with pytest.raises(ConfigError, match=r"broken\.yaml: expected settings"):
        load_config(file)


def test_invalid_yaml_names_the_file(tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_text("a: [1, 2")
    with pytest.raises(ConfigError, match=r"broken\.yaml is not valid YAML"):
        load_config(file)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_strength_is_accepted_only_in_its_range(strength):
    if 0 <= strength <= 1:
        assert load_config("demo", {"diffusion.strength": strength}).diffusion.strength == strength
    else:
        with pytest.raises(ConfigError, match=r"diffusion\.strength"):
            load_config("demo", {"diffusion.strength": strength})


def test_configuration_cannot_change_after_loading():
    config = load_config("demo")
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3


def test_the_environment_names_the_device_where_the_profile_does_not(monkeypatch):
    monkeypatch.setenv("HAVIR_DEVICE", "cpu")
    assert wanted_device() == "cpu"
    assert wanted_device("cuda") == "cuda"
    monkeypatch.setenv("HAVIR_DEVICE", "")
    assert wanted_device() is None


def test_relative_paths_are_meant_from_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    given = {"workspace": "out", "data.root": "nsd #2", "weights.clip": "own", "seed": 3}
    given |= {"weights.diffusion": "shi-labs/versatile-diffusion"}  # a name: nothing is there
    expected = {"workspace": "out", "data.root": "nsd #2", "weights.clip": "own"}
    assert absolute_paths(given) == {key: str(tmp_path / x) for key, x in expected.items()}


@pytest.mark.parametrize("name", ["../../x", "a/b", ".hidden", "", "a b"])
def test_a_profile_whose_name_is_a_path_is_refused(name):
    with pytest.raises(ConfigError, match="profile"):
        load_config("demo", {"profile": name})


def test_changes_are_what_a_profile_does_not_say():
    plain = load_config("demo")
    assert plain.changes == {}
    assert plain.variant == "demo"
    same = load_config("demo", {"diffusion.steps": plain.diffusion.steps, "device": "cpu"})
    assert same.variant == "demo"
    full = load_config("demo", {"comparison.full": True})
    assert full.variant == "demo-full"
    other = load_config("demo", {"diffusion.steps": 9, "resources.threads": 3})
    assert other.changes == {"diffusion.steps": 9}
    assert other.variant == "demo+steps=9"
    both = load_config("demo", {"comparison.full": True, "data.roles.structural": ["V1v", "V1d"]})
    assert both.variant.startswith("demo-full+")
    assert "/" not in both.variant


def test_own_data_in_a_simulated_profile_are_a_change_and_where_they_lie_is_none(tmp_path):
    assert load_config("demo", {"data.root": str(tmp_path)}).changes == {"data": "own"}
    assert load_config("paper", {"data.root": str(tmp_path)}).changes == {}
    simulated = load_config("demo").simulation.model_dump()
    assert "simulation.n_sessions" in load_config("paper", {"simulation": simulated}).changes


@pytest.mark.parametrize("place", [{}, {"workspace": "given"}])
def test_each_variant_has_its_own_outputs_and_all_share_a_cache(place):
    one, other = (
        workspace_of(x.profile, x.workspace, x.variant)
        for x in (load_config("demo", place), load_config("demo", {"diffusion.steps": 9, **place}))
    )
    assert one.figures != other.figures
    assert one.tables != other.tables
    assert one.root != other.root
    assert one.cache == other.cache


IMPOSSIBLE = {
    "data.subjects": [
        [],
        ["subj01", "subj01"],
        ["subj01", "subj99"],
        ["../subj01"],
        [""],
        "subj01",
    ],
    "data.n_sessions": [{"subj1": 2}, 0, -1, {"subj01": 0}, 1.5, "many"],
    "data.roles.structural": [[], ["V1v", "V1v"], None],
    "data.betas_version": ["", "a/b", "../x", None],
    "data.space": ["", "/etc"],
    "comparison.ablation_subjects": [["subj1"], ["subj01", "subj01"]],
    "comparison.curve_subjects": [["subj3"], ["subj02", "subj02"]],
    "comparison.crosstalk_subjects": [["nobody"]],
    "comparison.strengths": [[], [1.1], [-0.1], [0.5, 0.5], [float("nan")]],
    "comparison.mixings": [[], [2], [0.5, 0.5]],
    "comparison.guidance_scales": [[0.5], [float("inf")], []],
    "comparison.crosstalk": [[-1], [1.5], [0.1, 0.1]],
    "comparison.curve_hours": [[0], [-1], [1, 1], []],
    "evaluation.metrics": [[], ["PixCorr", "PixCorr"]],
    "evaluation.confidence": [0, 1, float("nan")],
    "ridge.alphas": [[0, 7], [7, 0, 3], [0, 7, 0], [0, float("inf"), 3], [0, 700, 3]],
    "structural_generator.decoder_channels": [[], [0], [-3]],
    "training.semantic.learning_rate": [0, -1, float("nan"), float("inf")],
    "training.losses.mse": [-1, float("nan")],
    "seed": [-1, 2**63, 1.5, "one"],
    "simulation.seed": [-1],
    "simulation.subjects": [{}],
    "simulation.subjects.subj01.shape": [[0, 1, 1], [1, 2], [-4, 4, 4]],
    "simulation.subjects.subj01.seed": [-1],
    "profile": ["", "a/b", ".hidden"],
    "profile.part": [1],
    "": [1],
    "a..b": [1],
    ".".join("a" * 50): [1],
    "diffusion.steps.more": [1],
}


@pytest.mark.fault("configurations")
@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in IMPOSSIBLE.items() for value in values]
)
def test_impossible_values_are_refused_at_the_start(key, value):
    with pytest.raises(ConfigError) as error:
        load_config("demo", {key: value})
    assert not key or key.split(".")[0] in str(error.value)


def test_a_misspelt_subject_is_named_with_a_near_one():
    with pytest.raises(ConfigError, match=r"n_sessions names 'subj1'.*did you mean 'subj01'"):
        load_config("demo", {"data.n_sessions": {"subj1": 2}})


def test_a_part_of_a_setting_that_was_none():
    config = load_config("demo", {"data.n_sessions.subj01": 2})
    assert config.data.sessions_of("subj01") == 2
    assert config.data.sessions_of("subj02") is None
