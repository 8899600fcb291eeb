"""The training loop: learning, resuming with the same bytes, best and last weights, errors."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from havir_lib import config
from havir_lib.errors import HavirError, WeightsError
from havir_lib.models import SemanticExtractor, semantic_loss
from havir_lib.models.build import seeded
from havir_lib.training.checkpoint import load_model, read_description
from havir_lib.training.data import make_training_set, split_images
from havir_lib.training.loop import train, validate

SETTINGS = config.SemanticSettings(hidden=16, n_blocks=1)
FIT = config.Fit(epochs=4, batch_size=8, learning_rate=3e-3, validation_fraction=0.2)
WEIGHTS = config.Losses(temperature=0.1)


class Interrupted(Exception):
    """Stands for a crash."""


def make_data(n=40, n_voxels=11):
    rng = np.random.default_rng(1)
    hidden = rng.standard_normal((n, 4))
    betas = np.repeat(hidden @ rng.standard_normal((4, n_voxels)), 3, axis=0)
    betas += rng.standard_normal(betas.shape)
    image = (hidden @ rng.standard_normal((4, 56))).reshape(n, 1, 7, 8)
    text = (hidden @ rng.standard_normal((4, 72))).reshape(n, 1, 9, 8).repeat(2, axis=1)
    text = text + 0.1 * rng.standard_normal(text.shape)
    arrays = [image.astype("float32"), text.astype("float32")]
    return make_training_set(betas, np.repeat(np.arange(n), 3), arrays, np.arange(n))


def make_model(n_voxels=11):
    with seeded(2):
        return SemanticExtractor(n_voxels, (7, 8), (9, 8), SETTINGS)


def run(folder, stop=None, fit=FIT, model=None, **options):
    """Train; with `stop`, break off in that step (counted from where this call starts)."""
    steps = 0

    def loss(prediction, targets):
        nonlocal steps
        steps += torch.is_grad_enabled()
        if steps == stop:
            raise Interrupted
        return semantic_loss(prediction, targets, WEIGHTS)

    return train(folder, model or make_model(), make_data(), loss, fit, seed=3, **options)


FILES = ("best.safetensors", "last.safetensors", "history.csv")


def contents(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def test_loss_falls_and_history_has_a_row_per_epoch(tmp_path):
    history = run(tmp_path)
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["val_loss"].iloc[-1] < history["val_loss"].iloc[0]
    assert {"train_image_mse", "val_text_softclip", "learning_rate"} <= set(history.columns)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "history.csv"), history)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(FILES)


def test_interrupted_anywhere_ends_with_the_same_bytes(tmp_path):
    run(tmp_path / "whole", checkpoint_seconds=1e9)
    for stop in (2, 6, 3):  # inside an epoch, across its end, and again
        with pytest.raises(Interrupted):
            run(tmp_path / "parts", stop=stop, checkpoint_seconds=0)
        assert (tmp_path / "parts" / "resume.safetensors").is_file()
    run(tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert not (tmp_path / "parts" / "resume.safetensors").exists()


def test_work_since_the_last_checkpoint_is_done_again_alike(tmp_path):
    run(tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", stop=5, checkpoint_seconds=0)
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", stop=4, checkpoint_seconds=1e9)  # writes nothing
    run(tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
import test_loop
from pathlib import Path
save = test_loop.train.__globals__["TrainingState"].save
def save_and_die(state):
    save(state)
    if state.step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
test_loop.train.__globals__["TrainingState"].save = save_and_die
test_loop.run(Path(sys.argv[1]), checkpoint_seconds=0)
"""


def test_killed_process_continues_with_the_same_bytes(tmp_path):
    here = str(__import__("pathlib").Path(__file__).parent)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), here]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == -9, finished.stderr
    run(tmp_path / "killed")
    run(tmp_path / "whole")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_result_does_not_depend_on_the_state_of_global_generators(tmp_path):
    run(tmp_path / "one")
    torch.manual_seed(77)
    before = torch.get_rng_state()
    run(tmp_path / "two")
    assert torch.equal(torch.get_rng_state(), before)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_bfloat16_learns_nearly_the_same(tmp_path):
    exact = run(tmp_path / "exact")
    rough = run(tmp_path / "rough", precision="bf16")
    assert (rough["val_loss"] != exact["val_loss"]).all()
    np.testing.assert_allclose(rough["val_loss"], exact["val_loss"], rtol=0.02)


def test_finished_run_returns_at_once_with_its_weights(tmp_path):
    history = run(tmp_path)
    model = make_model()
    again = run(tmp_path, stop=1, model=model)  # would raise in its first step
    pd.testing.assert_frame_equal(again, history)
    last = load_model(tmp_path / "last.safetensors").state_dict()
    assert all(torch.equal(last[name], x) for name, x in model.state_dict().items())


def test_best_is_the_epoch_with_the_lowest_validation_loss(tmp_path):
    fit = FIT.model_copy(update={"epochs": 12, "learning_rate": 0.3})  # too high: it goes up again
    history = run(tmp_path, fit=fit)
    description = read_description(tmp_path / "best.safetensors")
    assert description["epoch"] == history["val_loss"].idxmin() + 1 < 12
    data = make_data()
    _, held_out = split_images(len(data), 0.2, seed=3)

    def loss(p, t):
        return semantic_loss(p, t, WEIGHTS)

    found = validate(load_model(tmp_path / "best.safetensors"), data, held_out, loss, 8)
    assert found["loss"] == pytest.approx(history["val_loss"].min(), rel=1e-5)


def test_held_out_images_are_never_trained_on(tmp_path, monkeypatch):
    seen = set()
    data = make_data()
    draw = type(data).draw

    def spy(self, images, mix):
        seen.update(images.tolist())
        return draw(self, images, mix)

    monkeypatch.setattr(type(data), "draw", spy)
    run(tmp_path)
    fitted, _ = split_images(40, 0.2, seed=3)
    assert seen == set(fitted.tolist())


def test_frozen_parameters_stay(tmp_path):
    model = make_model()
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name.startswith("embed.")
    before = {name: x.clone() for name, x in model.state_dict().items()}
    run(tmp_path, model=model)
    changed = {n for n, x in model.state_dict().items() if not torch.equal(x, before[n])}
    assert changed == {name for name in before if name.startswith("embed.")}


@pytest.mark.parametrize("name", ["resume.safetensors", "last.safetensors"])
def test_folder_of_another_architecture_is_refused(tmp_path, name):
    if name == "resume.safetensors":
        with pytest.raises(Interrupted):
            run(tmp_path, stop=3, checkpoint_seconds=0)
    else:
        run(tmp_path)
    with seeded(2):
        other = SemanticExtractor(11, (7, 8), (9, 8), config.SemanticSettings(hidden=24))
    with pytest.raises(WeightsError, match=rf"{name} was made with another architecture"):
        run(tmp_path, model=other)


def test_folder_of_other_settings_is_refused(tmp_path):
    run(tmp_path)
    with pytest.raises(WeightsError, match="another settings"):
        run(tmp_path, fit=FIT.model_copy(update={"epochs": 5}))


def test_divergence_is_an_error(tmp_path):
    def loss(prediction, targets):
        terms = semantic_loss(prediction, targets, WEIGHTS)
        return {**terms, "loss": terms["loss"] * float("nan")}

    with pytest.raises(HavirError, match=r"diverged in epoch 1.*training\.semantic\.learning_rate"):
        train(tmp_path, make_model(), make_data(), loss, FIT)
