"""Files from elsewhere hold data and nothing else: none of them is run, none leads elsewhere."""

import ast
import json
import pickle
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from havir_lib.diffusion.tensors import read_tensors
from havir_lib.download.coco import extract_captions
from havir_lib.errors import DataError, HavirError, WeightsError
from havir_lib.evaluation import networks
from havir_lib.evaluation.folder import read_picture_folder
from havir_lib.io import load_arrays
from havir_lib.mini.fit import Schedule, fit
from havir_lib.parse import read_yaml
from havir_lib.paths import PROJECT_ROOT

SOURCES = [x for part in ("havir_lib", "benchmarks") for x in PROJECT_ROOT.glob(f"{part}/**/*.py")]
FORBIDDEN = {
    "eval", "exec", "pickle.load", "pickle.loads", "joblib.load", "yaml.unsafe_load",
    "yaml.full_load", "os.system", "os.popen", "shutil.unpack_archive",
    "pd.read_pickle", "torch.jit.load",
}  # fmt: skip


def calls(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}


def unsafe(name, options):
    """Whether a call could run what a file holds, or write where an archive says."""
    return (
        name in FORBIDDEN
        or name.rpartition(".")[2] in ("extractall", "extract_all", "extractfile")
        or (name == "torch.load" and options.get("weights_only") != "True")
        or (name == "np.load" and options.get("allow_pickle", "False") != "False")
        or (name == "yaml.load" and options.get("Loader") != "_Loader")
        or (name == "Image.open" and "formats" not in options)
        or options.get("shell", "False") != "False"
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda x: str(x.relative_to(PROJECT_ROOT)))
def test_no_source_reads_a_file_as_a_program(path):
    assert [name for name, options in calls(path) if unsafe(name, options)] == []


class Evil:
    """Unpickled without restrictions, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def trap(tmp_path):
    place = tmp_path / "it ran"
    pickle.loads(pickle.dumps(Evil(place))).close()
    assert place.exists()  # so it would
    place.unlink()
    yield place
    assert not place.exists()


def test_weights_that_are_programs(tmp_path, trap):
    torch.save({"weight": Evil(trap)}, tmp_path / "diffusion_pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"diffusion_pytorch_model.bin cannot be read"):
        read_tensors(tmp_path, torch.float32)


def test_metric_networks_that_are_programs(tmp_path, trap):
    torch.save({"weight": Evil(trap)}, tmp_path / "network.pth")
    with pytest.raises(WeightsError, match="Cannot read the weights"):
        networks._read(tmp_path / "network.pth", "get it again")


def test_checkpoints_that_are_programs(tmp_path, trap):
    torch.save({"step": Evil(trap)}, tmp_path / "checkpoint.pt")
    model = torch.nn.Linear(2, 2)
    with pytest.raises(pickle.UnpicklingError):
        fit(model, lambda draw: {"loss": model.weight.sum()}, Schedule(1, 1), tmp_path)


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_arrays_of_objects(tmp_path, trap, suffix):
    array = np.array([Evil(trap)], dtype=object)
    path = tmp_path / f"arrays.{suffix}"
    np.savez(path, a=array) if suffix == "npz" else np.save(path, array)
    with pytest.raises(ValueError, match="allow_pickle=False|memory-mapped"):
        load_arrays(path) if suffix == "npz" else np.load(path, mmap_mode="r")


def test_profiles_that_are_programs(tmp_path, trap):
    file = tmp_path / "profile.yaml"
    file.write_text(f"a: !!python/object/apply:builtins.open ['{trap}', 'w']\n")
    with pytest.raises(HavirError, match="not valid YAML"):
        read_yaml(file)


@pytest.mark.parametrize("name", ["../../outside.json", "/tmp/outside.json", "a/../../b.json"])
def test_archives_write_only_what_is_asked_for_and_where(tmp_path, name):
    place = tmp_path / "data" / "inner"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / "a.zip", "w") as archive:
        archive.writestr(name, "{}")
        archive.writestr("annotations/wanted.json", "{}")
    extract_captions(place / "a.zip", {"annotations/wanted.json": place / "wanted.json"})
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert found == {"data/inner/a.zip", "data/inner/wanted.json"}


@pytest.mark.parametrize(
    "content",
    [
        {"weight_map": {"a": "../other/model.bin"}},
        {"weight_map": {"a": "/etc/passwd"}},
        {"weight_map": {"a": 3}},
        {"weight_map": {"a": ""}},
        {"weight_map": {"a": ".."}},
        {"weight_map": {}},
        {"weight_map": ["model.bin"]},
        {},
        [],
    ],
)
def test_an_index_names_files_beside_it(tmp_path, content):
    index = tmp_path / "diffusion_pytorch_model.bin.index.json"
    index.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match="expected weight_map with names of files beside it"):
        read_tensors(tmp_path, torch.float32)


POSTSCRIPT = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
(it ran) (w) file closefile
showpage
%%EOF
"""


@pytest.mark.parametrize("suffix", ["png", "tiff", "bmp"])
def test_pictures_of_formats_that_are_programs(tmp_path, trap, suffix, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"1.{suffix}"
    path.write_bytes(POSTSCRIPT)
    with pytest.raises(DataError, match="cannot be read as an image"):
        read_picture_folder([path])


def test_pictures_of_rare_formats_are_refused_by_content(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "1.png", format="PPM")
    with pytest.raises(DataError, match="cannot be read as an image"):
        read_picture_folder([tmp_path / "1.png"])
