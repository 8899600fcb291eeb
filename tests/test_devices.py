"""What is said about the GPU, or its absence."""

import pytest
import torch

from havir_lib import devices, open_run
from havir_lib.pages.framework import overview


def test_torch_is_quoted_when_it_finds_no_gpu(monkeypatch):
    def too_old():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).")

    monkeypatch.setattr(torch.cuda, "init", too_old)
    assert "too old (found version 11040)" in devices.gpu_problem()


@pytest.mark.parametrize(
    ("cuda", "expected"),
    [
        ("12.8", "driver >= 525; found: 535.104"),
        ("13.2", ">= 580; found: 535.104"),
        (None, "built"),
    ],
)
def test_the_driver_needed_and_found_are_named(monkeypatch, tmp_path, cuda, expected):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 535.104\necho 535.104\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(torch.version, "cuda", cuda)
    assert expected in devices.describe_driver()
    assert "535.104" in devices.describe_driver()


@pytest.mark.parametrize("there", [True, False])
def test_training_is_in_bfloat16_only_where_the_processor_has_it(monkeypatch, there):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": there})
    with devices.mixed_precision("cpu"):
        made = torch.ones(2, 2) @ torch.ones(2, 2)
    assert made.dtype == (torch.bfloat16 if there else torch.float32)


@pytest.mark.parametrize(("there", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_sampling_is_in_bfloat16_only_where_the_processor_has_it(monkeypatch, there, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": there})
    assert devices.precision_on("cpu") == expected
    assert devices.precision_on("cpu", "float16") == "float16"
    run = open_run("smoke", {"diffusion.precision": "auto"})
    assert run.config.diffusion.precision == expected
    assert f"steps, {expected}" in overview(run).loc["sampler", "value"]
