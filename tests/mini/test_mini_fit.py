"""The training loop: it learns, and a killed run ends like one that was not."""

import numpy as np
import pytest
import torch
from torch import nn

from havir_lib.errors import WeightsError
from havir_lib.mini.fit import Draw, Schedule, fit, make_optimisers
from havir_lib.mini.muon import orthogonal

SCHEDULE = Schedule(steps=12, batch_size=4, warmup=2, seed=3)


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(7, 8), nn.GELU(), nn.Linear(8, 9))


def make_loss(model: nn.Module):
    def loss(draw: Draw) -> dict[str, torch.Tensor]:
        x = torch.from_numpy(draw.numpy.normal(size=(16, 7))).float()
        noise = 0.01 * torch.randn(16, 9, generator=draw.torch)
        target = torch.cat([x, x[:, :2]], dim=1) + noise
        return {"loss": (model(x) - target).square().mean()}

    return loss


def trained(folder, schedule=SCHEDULE, **options) -> dict[str, torch.Tensor]:
    model = make_model()
    fit(model, make_loss(model), schedule, folder, **options)
    return model.state_dict()


def test_training_lowers_the_loss(tmp_path):
    schedule = Schedule(steps=150, batch_size=4, learning_rate=1e-2, muon_rate=1e-2, warmup=2)
    before = make_model()
    after = make_model()
    after.load_state_dict(trained(tmp_path, schedule))
    held_out = Draw(99, 0)
    first = make_loss(before)(held_out)["loss"]
    assert make_loss(after)(Draw(99, 0))["loss"] < 0.5 * first


def test_a_run_cut_off_and_resumed_ends_with_the_same_weights(tmp_path):
    whole = trained(tmp_path / "whole")
    cut = tmp_path / "cut"
    trained(cut, minutes=0.0)  # one step, then a checkpoint
    assert torch.load(cut / "checkpoint.pt", weights_only=True)["step"] == 1
    resumed = trained(cut)
    for name, weight in whole.items():
        torch.testing.assert_close(resumed[name], weight, rtol=0, atol=0)


def test_resume_false_starts_anew(tmp_path):
    trained(tmp_path)
    model = make_model()
    fit(model, make_loss(model), SCHEDULE, tmp_path, minutes=0.0, resume=False)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 1


def test_the_log_has_a_row_per_checkpoint(tmp_path):
    trained(tmp_path, checkpoint_seconds=0.0)
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert len(rows) == 1 + SCHEDULE.steps
    assert rows[0].startswith("step,")


def test_a_loss_that_explodes_is_reported(tmp_path):
    model = make_model()
    loss = make_loss(model)
    with pytest.raises(WeightsError, match="step 0"):
        fit(model, lambda draw: {"loss": loss(draw)["loss"] * np.nan}, SCHEDULE, tmp_path)


def test_rates_rise_stay_and_fall():
    schedule = Schedule(steps=100, batch_size=1, learning_rate=1.0, muon_rate=2.0, warmup=10)
    assert schedule.rates(0) == pytest.approx((0.2, 0.1))
    assert schedule.rates(50) == (2.0, 1.0)
    assert schedule.rates(99)[1] == pytest.approx(1 / 30)


@pytest.mark.parametrize("shape", [(7, 19), (19, 7), (8, 8)])
def test_muon_directions_are_nearly_orthogonal(rng, shape):
    matrix = torch.from_numpy(rng.normal(size=shape))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    direction = orthogonal(matrix)
    values = torch.linalg.svdvals(direction)
    assert values.min() > 0.3
    assert values.max() < 1.3
    # same singular vectors as the polar factor: the product with it is symmetric
    product = (u @ v).T @ direction
    torch.testing.assert_close(product, product.T, rtol=0, atol=1e-6)


def test_every_parameter_has_exactly_one_optimiser():
    model = nn.ModuleDict({"conv_in": nn.Conv2d(3, 8, 3), "inner": nn.Conv2d(8, 7, 3)})
    muon, adam = make_optimisers(model, SCHEDULE)
    shapes = [tuple(p.shape) for group in muon.param_groups for p in group["params"]]
    assert shapes == [(7, 8, 3, 3)]
    rest = [p for group in adam.param_groups for p in group["params"]]
    assert len(shapes) + len(rest) == len(list(model.parameters()))
