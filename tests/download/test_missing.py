"""A machine without data: what is missing and how to get it, on one screen."""

import json

import pytest
from typer.testing import CliRunner

from havir_lib import cli
from havir_lib.download import manifest, missing_items, missing_report, open_profile
from havir_lib.download.terms import FORM, TERMS
from havir_lib.errors import ConfigError

runner = CliRunner()


@pytest.fixture(autouse=True)
def _empty_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def _on_one_screen(text, folder):
    lines = text.replace(str(folder), "FOLDER").splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 120
    return text


def test_paper_without_anything(tmp_path):
    text = _on_one_screen(missing_report(open_profile("paper")), tmp_path)
    assert "Profile 'paper' cannot run yet: 212 required files are not on this machine." in text
    assert "148  37 each of subj01, subj02, subj05, subj07; first betas_session01.hdf5" in text
    for kind in ("diffusion model", "CLIP", "metric networks", "captions", "stimulus images"):
        assert f": {kind}" in text
    for step in (TERMS, FORM, "havir download --profile paper --data DIR", "HF_HOME", "TORCH_HOME"):
        assert step in text
    assert "./run_all.sh --profile paper --data DIR" in text


def test_only_what_is_missing_is_listed(tmp_path):
    config = open_profile("paper", {"data.n_sessions": 3}, tmp_path)
    for item in manifest(config, tmp_path):
        if "subj05" not in item.path.parts and item.group != "weights":
            item.path.parent.mkdir(parents=True, exist_ok=True)
            item.path.touch()
    (tmp_path / "nsddata_stimuli/stimuli/nsd/annotations/captions_val2017.json").unlink()
    text = missing_report(config)
    assert "subj01" not in text
    assert "nsddata_stimuli/stimuli/nsd/annotations/captions_val2017.json" in text
    assert "captions_train2017" not in text
    betas = next(line for line in text.splitlines() if "nsd: betas" in line)
    assert betas.split()[2] == "3"
    assert betas.endswith("betas_session01.hdf5, ...")
    assert f"--data {tmp_path}" in text


def test_files_that_are_not_required_stop_nothing(tmp_path):
    weights = {"weights.diffusion": "mini", "weights.clip": "mini", "weights.clip_pretrained": None}
    config = open_profile("paper", {**weights, "evaluation.metrics": ["PixCorr"]}, tmp_path)
    for item in manifest(config, tmp_path):
        if item.required:
            item.path.parent.mkdir(parents=True, exist_ok=True)
            item.path.touch()
    assert missing_report(config) is None
    assert [item for item in manifest(config, tmp_path) if item.here() is None]


def test_data_with_fewer_sessions_and_captions_of_their_own(tmp_path):
    """As a simulated tree in NSD's layout, given as the data folder."""
    few = {"data.n_sessions": None, "data.captions": None}
    config = open_profile("paper", few, tmp_path)
    what = ["nsd", "coco"]
    assert sum(item.kind == "betas" for item in missing_items(config, what=what)) == 160
    for item in manifest(config, tmp_path, what=what):
        later = item.kind == "betas" and not item.name.endswith("session01.hdf5")
        if item.required and item.kind != "captions" and not later:
            item.path.parent.mkdir(parents=True, exist_ok=True)
            item.path.touch()
    missing = [item.path.name for item in missing_items(config, what=what) if item.required]
    assert missing == ["captions_train2017.json", "captions_val2017.json"]
    own = tmp_path / "nsddata_stimuli/stimuli/nsd/annotations/captions_own.json"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.touch()
    assert [item for item in missing_items(config, what=what) if item.required] == []


def test_the_demo_lacks_nothing():
    assert missing_report(open_profile("demo")) is None


def test_other_mistakes_are_still_errors():
    with pytest.raises(ConfigError, match="unknown key"):
        open_profile("paper", {"data.sesions": 1})
    with pytest.raises(ConfigError, match="no configuration"):
        open_profile("papre")


def test_run_stops_with_the_report_before_anything_starts(tmp_path):
    result = runner.invoke(cli.app, ["run", "--profile", "paper"])
    assert result.exit_code == 1
    assert "cannot run yet" in _on_one_screen(result.output, tmp_path)


def test_dry_run_of_the_command(settings, tmp_path):
    del settings["data.root"]
    arguments = ["--dry-run", "--profile", "paper", "--endpoint-url"]
    arguments += [settings.pop("download.endpoint_url"), "--overrides", json.dumps(settings)]
    result = runner.invoke(cli.app, ["download", *arguments])
    assert result.exit_code == 0, result.output
    text = _on_one_screen(result.output, tmp_path)
    assert "Not on this machine, 273 files:" in text
    assert "To fetch: " in text
    assert TERMS in text


def test_the_command_fetches_for_one_subject(settings, tmp_path):
    small = {"data.n_sessions": 1, "data.subjects": ["subj01", "subj05"]}
    arguments = ["--data", str(tmp_path / "here"), "--subjects", "subj05", "--what", "nsd,coco"]
    arguments += ["--accept-terms", "--overrides", json.dumps(settings | small)]
    result = runner.invoke(cli.app, ["download", *arguments])
    assert result.exit_code == 0, result.output
    assert "files are here; compared: " in result.output
    betas = [path.name for path in (tmp_path / "here").rglob("betas_session*")]
    assert betas == ["betas_session01.hdf5"]
    again = runner.invoke(cli.app, ["download", *arguments, "--offline"])
    assert again.exit_code == 0, again.output
    assert runner.invoke(cli.app, ["download", "--offline", "--data", "nowhere"]).exit_code == 1


def test_nobody_to_ask_means_no_acceptance(settings, tmp_path):
    arguments = ["--data", str(tmp_path / "here"), "--what", "nsd", "--subjects", "subj01"]
    small = {"data.n_sessions": 1, "data.subjects": ["subj01", "subj05"]}
    arguments += ["--overrides", json.dumps(settings | small)]
    result = runner.invoke(cli.app, ["download", *arguments])
    assert result.exit_code == 1
    assert "--accept-terms" in str(result.exception)
