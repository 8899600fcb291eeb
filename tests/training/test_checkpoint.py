"""Models on disk."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from havir_lib import config
from havir_lib.errors import WeightsError
from havir_lib.models import StructuralGenerator
from havir_lib.training import load_model, save_model
from havir_lib.training.checkpoint import read_description, write_tensors

SETTINGS = config.StructuralSettings(
    hidden=16, n_blocks=1, map_channels=8, map_size=3, decoder_channels=(8, 16)
)


@pytest.fixture
def saved(tmp_path):
    model = StructuralGenerator(11, (5, 6, 6), SETTINGS).eval()
    save_model(tmp_path / "model.safetensors", model, epoch=4)
    return model, tmp_path / "model.safetensors"


def rewrite(path, change, architecture=lambda a: None):
    description, tensors = read_description(path), load_file(path)
    change(tensors)
    architecture(description["architecture"])
    del description["content"]
    write_tensors(path, tensors, description)


def test_round_trip(saved):
    model, path = saved
    betas = torch.randn(3, 11)
    found = load_model(path)
    assert not found.training
    assert found.architecture == model.architecture
    torch.testing.assert_close(found(betas), model(betas))
    assert read_description(path)["epoch"] == 4


def test_equal_models_give_equal_bytes(saved, tmp_path):
    model, path = saved
    save_model(tmp_path / "again.safetensors", model, epoch=4)
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.safetensors, but the file does not exist"):
        load_model(tmp_path / "none.safetensors")


def test_missing_tensor_is_named(saved):
    _, path = saved
    rewrite(path, lambda tensors: tensors.pop("to_map.weight"))
    with pytest.raises(WeightsError, match=r"model\.safetensors .*to_map\.weight.*found none"):
        load_model(path)


def test_tensor_left_over_is_named(saved):
    _, path = saved
    rewrite(path, lambda tensors: tensors.update(extra=torch.zeros(2)))
    with pytest.raises(WeightsError, match=r"extra: expected none, found \(2,\)"):
        load_model(path)


def test_tensors_of_another_architecture_are_refused(saved):
    _, path = saved
    rewrite(path, lambda tensors: None, lambda architecture: architecture.update(n_voxels=12))
    with pytest.raises(
        WeightsError, match=r"embed\.0\.weight: expected \(16, 12\), found \(16, 11\)"
    ):
        load_model(path)


def test_safetensors_from_elsewhere_are_refused(tmp_path):
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other\.safetensors cannot be read"):
        load_model(tmp_path / "other.safetensors")
