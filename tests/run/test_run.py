"""Full-size networks do not slip onto a CPU."""

import os
import shutil

import pytest
import torch

from havir_lib.config import load_config
from havir_lib.errors import ConfigError
from havir_lib.names import check_names
from havir_lib.run import open_run
from havir_lib.simulation import MARKER
from tests.conftest import SMALL


@pytest.fixture
def without_gpu(monkeypatch):
    """A machine on which torch finds no GPU, whatever this one has."""
    monkeypatch.delenv("HAVIR_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def open_paper(tmp_path, **overrides):
    return open_run("paper", {"data.root": str(tmp_path), **overrides})


def test_full_size_networks_need_a_gpu(without_gpu, tmp_path):
    run = open_paper(tmp_path)
    with pytest.raises(ConfigError, match=r"(?s)shi-labs.*full-size.*torch says.*device: cpu"):
        run.device  # noqa: B018


def test_or_somebody_who_asks_for_the_cpu(without_gpu, tmp_path, monkeypatch):
    assert open_paper(tmp_path, device="cpu").device.type == "cpu"
    monkeypatch.setenv("HAVIR_DEVICE", "cpu")
    assert open_paper(tmp_path).device.type == "cpu"


def test_small_networks_run_anywhere(without_gpu):
    assert open_run("smoke").device.type == "cpu"


def photographs(tmp_path, run, **settings):
    """A configuration whose data carry no mark of simulation."""
    root = tmp_path / "nsd"
    shutil.copytree(run.data_root, root, copy_function=os.link)
    (root / MARKER).unlink()
    return {**SMALL, "data.root": str(root), "workspace": str(tmp_path / "w"), **settings}


def test_small_models_are_not_for_photographs(run, tmp_path):
    settings = photographs(tmp_path, run)
    for ask in (lambda: open_run("smoke", settings).device,
                lambda: check_names(load_config("smoke", settings))):  # fmt: skip
        with pytest.raises(ConfigError, match="rendered scenes.*(?s:.*)small_for_photographs"):
            ask()


def test_or_for_somebody_who_asks_for_it(run, tmp_path):
    settings = photographs(tmp_path, run, **{"weights.small_for_photographs": True})
    check_names(load_config("smoke", settings))
    assert not open_run("smoke", settings).simulated
    assert open_run("smoke", settings).device


def test_a_local_copy_is_as_large_as_its_files(without_gpu, tmp_path):
    weights = tmp_path / "copy" / "image_unet" / "diffusion_pytorch_model.bin"
    weights.parent.mkdir(parents=True)
    with weights.open("wb") as file:
        file.truncate(2 * 10**9)  # a hole: no disk is used
    run = open_paper(tmp_path, **{"weights.diffusion": str(tmp_path / "copy")})
    with pytest.raises(ConfigError, match="no GPU"):
        run.device  # noqa: B018
    with weights.open("wb") as file:
        file.truncate(10**6)
    run = open_paper(tmp_path, **{"weights.diffusion": str(tmp_path / "copy")})
    assert run.device.type == "cpu"
