"""Reading and writing Versatile Diffusion's hub layout."""

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from havir_lib.diffusion import (
    build_dual_unet,
    load_diffusion,
    load_dual_unet,
    save_dual_unet,
)
from havir_lib.errors import WeightsError
from havir_lib.targets.vae import load_vae

TENSORS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def copy(hub, tmp_path):
    """A copy of the hub folder that a test may damage."""
    return shutil.copytree(hub, tmp_path / "copy")


@torch.no_grad()
def predict(folder, inputs):
    sample, image, text = inputs
    return load_dual_unet(folder)(sample, 7, image, text, 0.4)


def edit(folder, change):
    """Rewrite a component's tensors."""
    tensors = load_file(folder / TENSORS)
    change(tensors)
    save_file(tensors, folder / TENSORS)


def as_bin(folder):
    torch.save(load_file(folder / TENSORS), folder / "diffusion_pytorch_model.bin")
    (folder / TENSORS).unlink()


def as_shards(folder):
    tensors = load_file(folder / TENSORS)
    names = sorted(tensors)
    parts = {"part-1.safetensors": names[::2], "part-2.safetensors": names[1::2]}
    for file, own in parts.items():
        save_file({name: tensors[name] for name in own}, folder / file)
    index = {"weight_map": {name: file for file, own in parts.items() for name in own}}
    (folder / f"{TENSORS}.index.json").write_text(json.dumps(index))
    (folder / TENSORS).unlink()


def only_attentions(folder):
    def drop(tensors):
        for name in [name for name in tensors if ".attentions." not in name]:
            del tensors[name]

    edit(folder, drop)


@pytest.mark.parametrize("form", [as_bin, as_shards, only_attentions])
def test_other_forms_of_the_same_text_unet_load_alike(hub, copy, inputs, form):
    form(copy / "text_unet")
    assert torch.equal(predict(copy, inputs), predict(hub, inputs))


def test_text_unet_matters(hub, copy, inputs):
    edit(copy / "text_unet", lambda tensors: [x.mul_(1.5) for x in tensors.values()])
    assert not torch.allclose(predict(copy, inputs), predict(hub, inputs), atol=1e-3)


@pytest.mark.parametrize("form", [as_bin, as_shards])
def test_other_forms_of_the_same_image_unet_load_alike(hub, copy, inputs, form):
    form(copy / "image_unet")
    assert torch.equal(predict(copy, inputs), predict(hub, inputs))


BLOCK = "up_blocks.1.attentions.1"
QUERY = f"{BLOCK}.transformer_blocks.0.attn1.to_q.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop(QUERY), "attn1.to_q.weight is missing"),
        (lambda tensors: tensors.update({QUERY: torch.zeros(3, 4)}), r"has shape \(3, 4\)"),
        (
            lambda tensors: tensors.update({f"{BLOCK}.extra": torch.zeros(1)}),
            "extra is unexpected",
        ),
    ],
)
@pytest.mark.parametrize("component", ["image_unet", "text_unet"])
def test_tensors_that_do_not_fit_are_named(copy, component, change, message):
    edit(copy / component, change)
    with pytest.raises(WeightsError, match=message) as caught:
        load_dual_unet(copy)
    assert str(copy / component) in str(caught.value)


def test_a_text_unet_without_one_block_is_refused(copy):
    def drop(tensors):
        for name in [name for name in tensors if name.startswith(BLOCK)]:
            del tensors[name]

    edit(copy / "text_unet", drop)
    with pytest.raises(WeightsError, match=f"no tensors of {BLOCK}"):
        load_dual_unet(copy)


@pytest.mark.parametrize(
    "file",
    [
        f"image_unet/{TENSORS}",
        "image_unet/config.json",
        f"text_unet/{TENSORS}",
        "text_unet/config.json",
        f"vae/{TENSORS}",
        "vae/config.json",
        "scheduler/scheduler_config.json",
    ],
)
def test_a_missing_file_is_named(copy, file):
    (copy / file).unlink()
    with pytest.raises(WeightsError) as caught:
        load_diffusion(copy)
    assert str((copy / file).parent) in str(caught.value)


def test_a_missing_shard_is_named(copy):
    as_shards(copy / "image_unet")
    (copy / "image_unet" / "part-2.safetensors").unlink()
    with pytest.raises(WeightsError, match="part-2.safetensors"):
        load_dual_unet(copy)


@pytest.mark.parametrize("component", ["image_unet", "text_unet", "vae"])
def test_a_truncated_file_is_named(copy, component):
    path = copy / component / TENSORS
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=f"{component}.*(cannot be read|could not be loaded)"):
        load_diffusion(copy)


def test_a_bin_file_with_code_in_it_is_refused(copy):
    (copy / "vae" / TENSORS).unlink()
    torch.save({"weight": print}, copy / "vae" / "diffusion_pytorch_model.bin")
    with pytest.raises(WeightsError, match="could not be loaded"):
        load_vae(copy)


def test_unets_with_different_heads_are_refused(copy):
    path = copy / "text_unet" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "attention_head_dim": 4}))
    with pytest.raises(WeightsError, match="attention_head_dim = 4, but image_unet has 2"):
        load_dual_unet(copy)


def test_vae_with_the_hubs_old_names_equals_diffusers(copy, inputs):
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def rename(tensors):
        for name in list(tensors):
            for new_part, old_part in old.items():
                if f"attentions.0.{new_part}." in name:
                    tensors[name.replace(new_part, old_part)] = tensors.pop(name)

    edit(copy / "vae", rename)
    assert any("query" in name for name in load_file(copy / "vae" / TENSORS))
    with torch.no_grad():
        expected = AutoencoderKL.from_pretrained(copy / "vae").decode(inputs[0]).sample
        torch.testing.assert_close(load_vae(copy).decode(inputs[0]).sample, expected)


def test_saved_model_loads_to_equal_outputs(tmp_path, hub, inputs):
    torch.manual_seed(3)
    model = build_dual_unet(load_dual_unet(hub).config, text_cross_attention_dim=12).half().float()
    save_dual_unet(model.eval(), tmp_path)
    sample, image, text = inputs
    with torch.no_grad():
        expected = model(sample, 7, image, text, 0.4)
    assert torch.equal(predict(tmp_path, inputs), expected)


def test_saved_files_are_half_precision_and_hold_what_they_should(tmp_path, hub, inputs):
    save_dual_unet(load_dual_unet(hub), tmp_path)
    image, text = (load_file(tmp_path / name / TENSORS) for name in ("image_unet", "text_unet"))
    assert {x.dtype for x in (*image.values(), *text.values())} == {torch.float16}
    assert set(image) == set(load_file(hub / "image_unet" / TENSORS))
    whole = load_file(hub / "text_unet" / TENSORS)
    assert set(text) == {name for name in whole if ".attentions." in name}
    np.testing.assert_array_equal(text[QUERY].numpy(), whole[QUERY].half().numpy())


def test_saved_image_unet_is_one_that_diffusers_reads(tmp_path, hub, inputs):
    sample, image, _ = inputs
    save_dual_unet(load_dual_unet(hub), tmp_path)
    plain = UNet2DConditionModel.from_pretrained(tmp_path / "image_unet")
    with torch.no_grad():
        expected = load_dual_unet(tmp_path)(sample, 7, image, None)
        torch.testing.assert_close(plain(sample, 7, image).sample, expected)


def test_saved_text_config_names_stock_blocks(tmp_path, hub):
    save_dual_unet(load_dual_unet(hub), tmp_path)
    own = json.loads((tmp_path / "text_unet" / "config.json").read_text())
    stock = json.loads((hub / "text_unet" / "config.json").read_text())
    for key in ("_class_name", "down_block_types", "mid_block_type", "up_block_types"):
        assert own[key] == stock[key]
