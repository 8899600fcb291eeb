"""The manifest lists what the loaders read, by NSD's own names."""

from pathlib import Path

import pytest

from havir_lib.data.readers import open_reader
from havir_lib.download import manifest
from havir_lib.download.nsd import LABELS, NSD_SESSIONS
from havir_lib.errors import ConfigError

ROOT = Path("nsd")
BETAS = "nsddata_betas/ppdata/{}/func1pt8mm/betas_fithrf_GLMdenoise_RR/{}"


def _names(config, **choice):
    return [item.name for item in manifest(config, ROOT, what=["nsd"], **choice)]


def test_files_of_one_subject_are_exactly_these(small_paper):
    sets = ["prf-visualrois", "floc-faces", "floc-bodies", "floc-places", "floc-words"]
    listed = ["streams", "prf-eccrois", "nsdgeneral"]
    subject = "nsddata/ppdata/subj05"
    transforms = f"{subject}/transforms"
    expected = {
        "nsddata/experiments/nsd/nsd_expdesign.mat",
        "nsddata/experiments/nsd/nsd_stim_info_merged.csv",
        "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5",
        *(BETAS.format("subj05", f"betas_session0{n}.hdf5") for n in (1, 2)),
        BETAS.format("subj05", "ncsnr.nii.gz"),
        f"{subject}/behav/responses.tsv",
        *(f"{subject}/func1pt8mm/roi/{name}.nii.gz" for name in sets + listed),
        *(f"nsddata/freesurfer/subj05/label/{name}.mgz.ctab" for name in sets + listed[:2]),
        f"{subject}/func1pt8mm/T1_to_func1pt8mm.nii.gz",
        f"{transforms}/func1pt8-to-MNI.nii.gz",
        *(f"{transforms}/{h}.func1pt8-to-layerB{n}.mgz" for h in ("lh", "rh") for n in (1, 2, 3)),
        *(f"{transforms}/{h}.white-to-fsaverage.mgz" for h in ("lh", "rh")),
    }
    names = _names(small_paper(), subjects=["subj05"])
    assert sorted(names) == sorted(expected)


def test_the_loaders_read_what_is_required_and_nothing_that_is_not_listed(small_paper, tmp_path):
    config = small_paper()
    items = manifest(config, tmp_path, what=["nsd"])
    for item in items:
        item.path.parent.mkdir(parents=True, exist_ok=True)
        item.path.touch()
    reader = open_reader(config, tmp_path)
    read = {file for subject in config.data.subjects for file in reader.files(subject)}
    required = {item.path for item in items if item.required}
    assert required <= read <= {item.path for item in items}


def test_required_is_what_the_roles_name(small_paper):
    items = manifest(small_paper(), ROOT, what=["nsd"])
    optional = {item.path.name for item in items if not item.required}
    assert {"streams.nii.gz", "nsdgeneral.nii.gz", "responses.tsv"} <= optional
    assert not {"floc-words.nii.gz", "floc-words.mgz.ctab", "prf-visualrois.nii.gz"} & optional
    roles = {"data.roles.semantic": ["streams", "Kastner2015/hMT"]}
    items = manifest(small_paper(**roles), ROOT, what=["nsd"])
    required = {item.path.name for item in items if item.required}
    assert {"streams.nii.gz", "Kastner2015.nii.gz", "Kastner2015.mgz.ctab"} <= required
    assert "floc-words.nii.gz" not in required


def test_no_more_sessions_than_a_subject_has(small_paper):
    subjects = {"data.subjects": ["subj01", "subj04"]}
    for wanted, expected in ((37, (37, 30)), (None, (40, 30)), ({"subj04": 3}, (40, 3))):
        names = _names(small_paper(**subjects, **{"data.n_sessions": wanted}))
        found = [sum(f"{s}/" in n and "betas_session" in n for n in names) for s in subjects[
            "data.subjects"
        ]]  # fmt: skip
        assert tuple(found) == expected
    assert sum(NSD_SESSIONS.values()) == 284


def test_other_format_and_grid(small_paper):
    config = small_paper(**{"data.betas_format": "nii.gz", "data.space": "func1mm"})
    items = manifest(config, ROOT, ["subj01"], ["nsd"])
    betas = next(item for item in items if item.kind == "betas")
    assert betas.name.endswith("func1mm/betas_fithrf_GLMdenoise_RR/betas_session01.nii.gz")
    assert betas.alternatives[0].name == "betas_session01.hdf5"
    assert any(item.name.endswith("transforms/func1pt0-to-MNI.nii.gz") for item in items)


def test_a_file_in_the_other_format_serves_as_well(small_paper, tmp_path):
    items = manifest(small_paper(), tmp_path, ["subj01"], ["nsd"])
    betas = next(item for item in items if item.kind == "betas")
    other = tmp_path / betas.name.replace(".hdf5", ".nii.gz")
    assert betas.as_found() is betas
    other.parent.mkdir(parents=True)
    other.touch()
    assert betas.here() == other
    assert betas.as_found().path == other
    assert betas.as_found().name == betas.name.replace(".hdf5", ".nii.gz")


def test_captions_and_weights(small_paper):
    config = small_paper()
    captions = manifest(config, ROOT, what=["coco"])
    assert [item.member for item in captions] == [
        "annotations/captions_train2017.json",
        "annotations/captions_val2017.json",
    ]
    assert len({item.fetched for item in captions}) == 1  # one archive
    assert captions[0].path == ROOT / config.data.captions[0]
    weights = manifest(config, ROOT, what=["weights"])
    assert [item.kind for item in weights] == ["diffusion model"] * 10 + ["CLIP", "metric networks"]
    assert not [item for item in weights if "encoder" in item.name]


def test_a_profile_with_simulated_data_needs_nothing(small_paper):
    from havir_lib.config import load_config

    assert manifest(load_config("demo"), ROOT) == []


def test_captions_that_are_not_cocos_only_the_user_has(small_paper):
    config = small_paper(**{"data.captions": ["mine/captions_mine.json"]})
    (item,) = manifest(config, ROOT, what=["coco"])
    assert (item.source, item.path) == ("", ROOT / "mine/captions_mine.json")


@pytest.mark.parametrize(
    ("choice", "message"),
    [({"subjects": ["subj9"]}, "subject 'subj9'"), ({"what": ["nds"]}, "group 'nds'")],
)
def test_unknown_names_are_refused(small_paper, choice, message):
    with pytest.raises(ConfigError, match=message):
        manifest(small_paper(), ROOT, **choice)


def test_each_label_is_in_one_set():
    labels = [label for names in LABELS.values() for label in names]
    assert len(labels) == len(set(labels))
