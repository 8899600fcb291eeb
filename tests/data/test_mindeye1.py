"""MindEye1's archives: true repeats alone, each sample once, packed and unpacked alike."""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from havir_lib.config import load_config
from havir_lib.data import load_stimuli, load_subject
from havir_lib.data.check import check_subject, has_errors
from havir_lib.errors import DataError, HavirError
from tests.data.conftest import LENGTHS, N_IMAGES, SHARED
from tests.data.test_mindeye import general  # noqa: F401  (a fixture)
from tests.layouts import add_file, bytes_of

PARTS = ("train", "val", "test")


def packed(values):
    return bytes_of(lambda out: np.save(out, values))


def jpeg(image):
    picture = Image.new("RGB", (24, 24), (image, 2 * image, 90))
    return bytes_of(lambda out: picture.save(out, "JPEG", quality=95))


def zscored(tree, inside):
    """All trials of the first subject (n, V), z-scored in each session by all of its trials."""
    values = tree.betas["subj01"][inside].T.astype(np.float64)
    stops = np.cumsum(LENGTHS)
    for stop, n in zip(stops, LENGTHS, strict=True):
        own = slice(stop - n, stop)
        values[own] = (values[own] - values[own].mean(0)) / values[own].std(0)
    return values[: stops[-1]]


@pytest.fixture
def samples(tree, general):  # noqa: F811
    """Part → key → kind → bytes; repeats are filled up to three rows, as [a, b, a]."""
    z, ids = zscored(tree, general), tree.images["subj01"][: sum(LENGTHS)]
    found = {part: {} for part in PARTS}
    for k, image in enumerate(np.unique(ids)):
        rows = z[ids == image].astype(np.float16)[:3]
        part = "test" if image in SHARED else ("val" if k % 4 == 3 else "train")
        filled = rows[np.arange(3) % len(rows)]
        found[part][f"sample{k:09d}"] = {
            "jpg": jpeg(int(image)), "nsdgeneral.npy": packed(filled),
            "coco73k.npy": packed(np.array([image])),
            "num_uniques.npy": packed(np.array([len(rows)])),
            "wholebrain_3d.npy": packed(np.zeros((3, 2, 2, 2), np.float16)),
            "trial.npy": packed(np.array([k])),
        }  # fmt: skip
    return found


def write_captions(root):
    texts = [[f"image {k}, {j}" for j in range(4)] + [""] for k in range(N_IMAGES)]
    np.save(root / "COCO_73k_annots_curated.npy", np.array(texts))


def write_tars(root, samples, per=3):
    for part, keys in samples.items():
        folder = root / "webdataset_avg_split" / part
        folder.mkdir(parents=True)
        names = list(keys)
        for number in range(-(-len(names) // per)):
            with tarfile.open(folder / f"{part}_subj01_{number}.tar", "w") as archive:
                for key in names[number * per : (number + 1) * per]:
                    for kind, content in keys[key].items():
                        add_file(archive, f"{key}.{kind}", content)
    write_captions(root)


def write_folders(root, samples):
    for part, keys in samples.items():
        folder = root / "webdataset_avg_split" / part / "subj01"
        folder.mkdir(parents=True)
        for key, kinds in keys.items():
            for kind, content in kinds.items():
                if kind not in ("num_uniques.npy", "wholebrain_3d.npy"):  # MindBridge has neither
                    (folder / f"{key}.{kind}").write_bytes(content)
    write_captions(root)


@pytest.fixture
def beside(tree, general, tmp_path):  # noqa: F811
    """An empty folder with NSD's masks in it."""
    root = tmp_path / "mindeye1"
    root.mkdir()
    (root / "nsddata").symlink_to(tree.root / "nsddata")
    return root


def configured(root, **overrides):
    return load_config("smoke", {
        "data.root": str(root), "data.reader": "mindeye1", "workspace": str(root / "w"),
        "data.subjects": ["subj01"], "data.base_subject": "subj01", "data.n_sessions": None,
        "data.roles.structural": ["V1v", "V1d"], "data.roles.semantic": ["floc-faces"],
        "targets.captions_per_image": 4, **overrides,
    })  # fmt: skip


@pytest.mark.parametrize("write", [write_tars, write_folders])
def test_true_repeats_and_only_these(beside, samples, write, tree, make_config):
    write(beside, samples)
    ours = load_subject(configured(beside), "subj01")
    theirs = load_subject(make_config(**{"data.zscore": "session_all"}), "subj01")
    np.testing.assert_array_equal(ours.ijk, theirs.ijk)
    np.testing.assert_array_equal(ours.test_images, theirs.test_images)
    few = np.minimum(theirs.test_repeats, 3)
    np.testing.assert_array_equal(ours.test_repeats, few)
    whole = theirs.test_repeats <= 3  # of more, these files hold three
    np.testing.assert_allclose(ours.test_betas[whole], theirs.test_betas[whole], atol=3e-3)
    assert set(ours.train_images) == set(theirs.train_images)
    assert ours.zscore == "none"
    assert set(ours.trials["session"]) == {1}


def test_packed_and_unpacked_are_the_same_subject(tree, samples, general, tmp_path):  # noqa: F811
    made = []
    for name, write in (("tars", write_tars), ("folders", write_folders)):
        root = tmp_path / name
        root.mkdir()
        (root / "nsddata").symlink_to(tree.root / "nsddata")
        write(root, samples)
        made.append(load_subject(configured(root), "subj01"))
    first, second = (subject.trials[["image", "use"]].to_numpy().tolist() for subject in made)
    assert first == second
    np.testing.assert_array_equal(made[0].betas, made[1].betas)


def test_pictures_and_captions_by_nsd_id(beside, samples):
    write_tars(beside, samples)
    stimuli = load_stimuli(configured(beside))
    shown = stimuli.images([SHARED[0], SHARED[1], SHARED[0]])
    assert shown.shape == (3, 24, 24, 3)
    assert abs(int(shown[0, 0, 0, 0]) - SHARED[0]) < 4
    np.testing.assert_array_equal(shown[0], shown[2])
    assert stimuli.captions([SHARED[1]], 2) == [[f"image {SHARED[1]}, {j}" for j in range(2)]]


def test_the_check(beside, samples):
    write_tars(beside, samples)
    findings = check_subject(configured(beside), "subj01")
    assert not has_errors(findings), [x.text for x in findings if x.level == "ERROR"]
    assert any("sessions are not known" in x.text for x in findings)


def changed(samples, kind, content, part="train"):
    key = next(iter(samples[part]))
    return {**samples, part: {**samples[part], key: {**samples[part][key], kind: content}}}


def without(samples, kind):
    key = next(iter(samples["train"]))
    kept = {k: v for k, v in samples["train"][key].items() if k != kind}
    return {**samples, "train": {**samples["train"], key: kept}}


def first(samples, part, kind):
    return next(iter(samples[part].values()))[kind]


FAULTS = {
    "an image twice": (
        lambda s: changed(s, "coco73k.npy", first(s, "test", "coco73k.npy")), "again"),
    "no picture": (lambda s: without(s, "jpg"), "expected .jpg"),
    "a pickle": (lambda s: changed(s, "coco73k.npy", packed(np.array([{}], object))),
                 "cannot be read"),
    "a cut array": (lambda s: changed(s, "nsdgeneral.npy", b"\x93NUMPY"), "cannot be read"),
    "too many repeats": (lambda s: changed(s, "num_uniques.npy", packed(np.array([9]))),
                         "found num_uniques 9"),
    "no repeats": (lambda s: changed(s, "num_uniques.npy", packed(np.array([-1]))),
                   "found num_uniques -1"),
    "other voxels": (lambda s: changed(s, "nsdgeneral.npy", packed(np.zeros((3, 2), "f2")), "val"),
                     "expected .* voxels"),
    "no test images": (lambda s: {**s, "test": {}}, "test_subj01_0.tar"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named_by_the_check_and_the_run(beside, samples, name):
    harm, said = FAULTS[name]
    write_tars(beside, harm(samples))
    with pytest.raises(HavirError, match=said):
        load_subject(configured(beside), "subj01")
    wrong = [x.text for x in check_subject(configured(beside), "subj01") if x.level == "ERROR"]
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(" | ".join(wrong))


def test_a_damaged_archive(beside, samples):
    write_tars(beside, samples)
    path = beside / "webdataset_avg_split" / "train" / "train_subj01_0.tar"
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match=r"train_subj01_0.tar: (cannot be read|sample)"):
        load_subject(configured(beside), "subj01")


def test_a_damaged_picture(beside, samples):
    write_tars(beside, changed(samples, "jpg", b"\xff\xd8no"))
    image = int(np.load(io.BytesIO(first(samples, "train", "coco73k.npy")))[0])
    with pytest.raises(DataError, match="cannot be read as an image"):
        load_stimuli(configured(beside)).images([image])


def test_sessions_cannot_be_asked_for(beside, samples):
    write_tars(beside, samples)
    with pytest.raises(DataError, match="Set it to null"):
        load_subject(configured(beside, **{"data.n_sessions": 2}), "subj01")
