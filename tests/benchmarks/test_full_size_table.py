"""What the full-size benchmark makes of what it saw; and that its replica is loadable by name."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from benchmarks.operations import (
    FullCounts,
    Operation,
    Watcher,
    images_and_evaluations,
    notebook_table,
    operation_table,
    training_steps,
)
from benchmarks.replica import CLIP, FULL, TOY, Replica, write_replica
from havir_lib import hub
from havir_lib.config import Fit, Weights, load_config
from havir_lib.diffusion import load_diffusion
from havir_lib.download.weights import weight_items
from havir_lib.evaluation import networks
from havir_lib.io import write_json


def finished(cache, kind, key, recipe):
    folder = cache / kind / key
    folder.mkdir(parents=True)
    write_json(folder / "recipe.json", {**recipe, "files": {}})
    return folder


def reconstruction(n, **switches):
    sampling = {"steps": 20, "strength": "0.85", "strength_convention": "noise"}
    return {"arguments": {"seeds": list(range(n)), "options": sampling | switches}}


def test_evaluations_of_each_configuration():
    assert images_and_evaluations(reconstruction(7)) == (7, 17)
    assert images_and_evaluations(reconstruction(7, use_text=False)) == (7, 17)
    assert images_and_evaluations(reconstruction(7, use_latent=False)) == (7, 20)
    both = {"use_image": False, "use_text": False}
    assert images_and_evaluations(reconstruction(7, **both)) == (7, 0)


def test_loading_evaluating_and_decoding_are_told_apart(tmp_path):
    made = {
        "a": (reconstruction(3), True),
        "b": (reconstruction(5), False),
        "c": (reconstruction(4, use_image=False, use_text=False), True),
        "d": (reconstruction(9, use_latent=False), False),
    }
    load, evaluation, decoding = 30.0, 2.0, 5.0
    operations = []
    for key, (recipe, first) in made.items():
        finished(tmp_path, "reconstructions", key, recipe)
        n, each = images_and_evaluations(recipe)
        seconds = load * first + evaluation * n * each + decoding * n
        operations.append(
            Operation("reconstructions", key, "nb", seconds, 2 * seconds, 10**9, first)
        )
    full = {"UNet evaluations": 1800, "decoded images": 36}
    table = operation_table(operations, tmp_path, full, 2).set_index("what")
    assert table.loc["UNet evaluations", "measured_units"] == 3 * 17 + 5 * 17 + 9 * 20
    assert table.loc["UNet evaluations", "seconds_per_unit"] == pytest.approx(evaluation)
    assert table.loc["UNet evaluations", "full_hours"] == pytest.approx(1.0)
    assert table.loc["UNet evaluations", "cpu_seconds"] == pytest.approx(2 * evaluation * 316)
    assert table.loc["decoded images", "seconds_per_unit"] == pytest.approx(decoding)
    assert table.loc["loads of the diffusion model", "measured_units"] == 2
    assert table.loc["loads of the diffusion model", "seconds"] == pytest.approx(2 * load)


def test_watcher_sees_results_come_into_being(tmp_path):
    watcher = Watcher(tmp_path, "nb03")
    (tmp_path / "latents" / "k1.partial").mkdir(parents=True)
    watcher.look(5, 1.0)
    (tmp_path / "latents" / "k2.partial").mkdir()  # never finished
    watcher.look(8, 3.5)
    (tmp_path / "latents" / "k1.partial").rmdir()
    np.save(finished(tmp_path, "latents", "k1", {}) / "latents.npy", np.zeros((6, 4, 2, 2)))
    watcher.look(90, 7.0)
    (found,) = watcher.operations
    assert (found.kind, found.key, found.step, found.peak) == ("latents", "k1", "nb03", 8)
    assert found.first
    assert found.cpu == 2.5
    table = operation_table([found], tmp_path, {"latents": 12}, 2)
    assert table.loc[0, "measured_units"] == 6
    assert table.loc[0, "seconds_per_unit"] == pytest.approx(2.5 / 2 / 6)
    assert table.loc[0, "full_hours"] == pytest.approx(2.5 / 2 / 6 * 12 / 3600)
    outside = notebook_table(
        [{"step": "nb03", "seconds": 60.0, "cpu": 9.0, "peak": 9e9}], [found], 2
    )
    assert outside.loc[0, "outside_results"] == pytest.approx(60 - found.seconds)


def test_full_counts_are_those_of_the_paper():
    full = FullCounts().of(load_config("paper", {"data.root": "."}))
    assert full["latents"] == full["tokens"] == 9841 + 3 * 750
    assert full["UNet evaluations"] == 982 * ((5 * 17 + 20) * 4 + 17 + 20)
    assert full["decoded images"] == 982 * 35
    assert full["scores"] == 982 * 33
    assert full["trained_semantic"] == 200 * 265 + 3 * 200 * 13


def test_training_steps_leave_out_validation():
    fit = Fit(epochs=3, batch_size=10, learning_rate=1e-3, validation_fraction=0.1)
    assert training_steps(fit, 100) == 3 * 9
    assert training_steps(fit, 5) == 3


def test_full_sizes_are_the_published_ones():
    with torch.device("meta"):
        counts = {
            "image": sum(p.numel() for p in UNet2DConditionModel(**FULL.image_unet).parameters()),
            "vae": sum(p.numel() for p in AutoencoderKL(**FULL.vae).parameters()),
        }
    assert counts == {"image": 859_520_964, "vae": 83_653_863}  # Stable Diffusion 1's


@pytest.fixture(scope="module")
def replica(tmp_path_factory):
    return write_replica(tmp_path_factory.mktemp("replica"), TOY)


def test_replica_is_found_by_the_names_of_the_profile(replica, monkeypatch):
    for name, value in replica.environment.items():
        monkeypatch.setenv(name, value)
    overrides = {"data.root": ".", "weights.hub_cache": str(replica.hub_cache)}
    config = load_config("paper", overrides | replica.overrides)
    lost = [item.path for item in weight_items(config) if item.here() is None]
    assert not lost


def test_replica_loads(replica, monkeypatch):
    model = load_diffusion(replica.diffusion)
    assert model.unet.latent_shape == (4, TOY.side, TOY.side)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(replica.root / "torch" / "hub"))
    networks.load_network.cache_clear()
    found = networks.features(
        networks.load_network("swav_resnet50"), ["avgpool"], torch.rand(1, 3, 64, 64)
    )
    networks.load_network.cache_clear()
    assert found[0].shape == (1, 2048)


def test_replica_of_clip_is_where_open_clip_looks(tmp_path):
    cache = Replica(tmp_path).hub_cache
    weights = Weights(clip=CLIP, clip_pretrained="openai", hub_cache=str(cache))
    repository = hub.clip_repository(weights.clip, weights.clip_pretrained)
    folder = hub.repository_folder(repository, str(cache))
    file = folder / "snapshots" / ("0" * 40) / hub.CLIP_FILES[0]
    file.parent.mkdir(parents=True)
    file.touch()  # writing 1.7 GB is the benchmark's work
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("0" * 40)
    assert hub.clip_file(CLIP, "openai", "main", str(cache)) == file


def test_same_seed_same_weights(replica, tmp_path):
    again = write_replica(tmp_path, TOY)
    name = "vae/diffusion_pytorch_model.bin"
    one, two = (torch.load(r.diffusion / name, weights_only=True) for r in (replica, again))
    assert all(torch.equal(one[key], two[key]) for key in one)
