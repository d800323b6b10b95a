from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from smolvla_ros.model.checkpoint import load_checkpoint
from smolvla_ros.training.errors import TrainingError
from smolvla_ros.training.samples import ArraySamples
from training_support import COUNT, TASKS, MakeTrainer, made_arrays, made_checkpoint


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "pretrained_model" / "model.safetensors")


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], tolerance: float = 0.0) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=0, atol=tolerance, msg=name)


def test_a_run_lowers_the_loss_and_its_checkpoint_loads(make_trainer: MakeTrainer) -> None:
    run = make_trainer(steps=60, batch_size=10, log_every=10).run()
    points = [json.loads(line) for line in (run.parents[1] / "metrics.jsonl").read_text().splitlines()]
    assert points[-1]["loss"] < 0.8 * points[0]["loss"]
    checkpoint = load_checkpoint(run / "pretrained_model")
    assert checkpoint.config.chunk_size == 6


@pytest.mark.parametrize("extra", [{}, {"ema_decay": 0.9, "noise_draws": 2, "accumulate": 2}])
def test_a_resumed_run_ends_with_the_same_bits(make_trainer: MakeTrainer, extra: dict[str, Any]) -> None:
    whole = make_trainer("whole", steps=5, **extra).run()
    seen = []

    def stop(done: int) -> None:
        seen.append(done)
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_trainer("cut", steps=5, save_every=2, **extra).run(after_step=stop)
    saved = load_checkpoint(whole.parents[2] / "cut" / "checkpoints" / "last" / "pretrained_model")
    trainer = make_trainer("cut", given={"checkpoint": saved}, steps=5, save_every=2, **extra)
    resumed = trainer.run(resume=True, after_step=seen.append)
    assert seen == [1, 2, 3, 3, 4, 5]
    assert_same(weights(whole), weights(resumed))
    for file in ("trained.safetensors", "optimizer_state.safetensors"):
        assert_same(*(load_file(run / "training_state" / file) for run in (whole, resumed)))


@pytest.mark.parametrize(
    "switch",
    [
        {"attention_mode": "self_attn"},
        {"self_attn_every_n_layers": 0},
        {"causal_action_attention_mask": False},
        {"state_to_prefix": False},
        {"objective": "regression"},
        {"num_vlm_layers": 2, "expert_width_multiplier": 0.5},
    ],
)
@pytest.mark.parametrize("train", ["expert", "all"])
def test_each_of_the_papers_switches_learns_and_its_checkpoint_loads(
    make_trainer: MakeTrainer, switch: dict[str, Any], train: str
) -> None:
    made = made_checkpoint(**switch)
    run = make_trainer(given={"checkpoint": made}, steps=25, batch_size=10, train=train, log_every=5).run()
    points = [json.loads(line) for line in (run.parents[1] / "metrics.jsonl").read_text().splitlines()]
    assert points[-1]["loss"] < points[0]["loss"]
    found = load_checkpoint(run / "pretrained_model").config
    assert {name: getattr(found, name) for name in switch} == switch


def test_pieces_of_a_batch_add_up_to_it(make_trainer: MakeTrainer) -> None:
    runs = [make_trainer(f"run{n}", accumulate=n, steps=2, epsilon=1e-3).run() for n in (1, 2, 4)]
    assert_same(weights(runs[0]), weights(runs[1]), 2e-6)
    assert_same(weights(runs[0]), weights(runs[2]), 2e-6)


def test_another_run_is_not_gone_on_with(make_trainer: MakeTrainer) -> None:
    make_trainer(steps=1).run()
    with pytest.raises(TrainingError, match=r"batch_size: expected 4, as the run began, found 8"):
        make_trainer(steps=2, batch_size=8).run(resume=True)
    with pytest.raises(TrainingError, match="expected a new or an empty folder, found files"):
        make_trainer(steps=2).run()


def test_only_the_chosen_parameters_change(make_trainer: MakeTrainer) -> None:
    before = {name: value.clone() for name, value in made_checkpoint().model.state_dict().items()}
    after = weights(make_trainer(train="expert", steps=2).run())
    changed = {name for name, value in before.items() if not torch.equal(after[name], value)}
    backbone = {name for name in before if ".vlm." in name}
    assert changed
    assert not changed & backbone
    assert any("state_proj" in name for name in changed)
    assert any("lm_expert" in name for name in changed)
    all_changed = weights(make_trainer("all", train="all", steps=2).run())
    frozen = {name for name in backbone if torch.equal(all_changed[name], before[name])}
    assert {part for name in frozen for part in ("layers.2.self_attn.k_proj", "vision_model") if part in name} == set()
    assert any("layers.2.mlp" in name for name in frozen)


def test_best_and_newest_checkpoints_stay(make_trainer: MakeTrainer, samples: ArraySamples) -> None:
    trainer = make_trainer(steps=6, save_every=1, keep=1, given={"held_out": samples}, learning_rate=3e-3)
    last = trainer.run()
    folder = last.parent
    found = {path.name for path in folder.iterdir()}
    best = (folder / "best").resolve().name
    assert found == {"last", "best", "000006", best}
    points = [json.loads(line) for line in (folder.parent / "metrics.jsonl").read_text().splitlines()]
    looks = {point["step"]: point["held_out_loss"] for point in points if "held_out_loss" in point}
    assert f"{min(looks, key=lambda step: looks[step]):06d}" == best


def test_a_full_disk_leaves_the_checkpoint_before_whole(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smolvla_ros.training import training_state

    trainer = make_trainer(steps=4, save_every=2)
    real, saved = training_state.write_tensors, []

    def full(path: Path, tensors: Any) -> None:
        saved.append(path)
        if len(saved) > 2:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        real(path, tensors)

    monkeypatch.setattr(training_state, "write_tensors", full)
    with pytest.raises(TrainingError, match=r"No space left on device; .*000002 is whole: free some space"):
        trainer.run()
    monkeypatch.undo()
    whole = make_trainer("other", steps=4).run()
    assert_same(weights(whole), weights(make_trainer(steps=4, save_every=2).run(resume=True)))


def test_a_loss_that_is_not_finite_ends_the_run_with_words(make_trainer: MakeTrainer) -> None:
    arrays = made_arrays()
    arrays["action"][:] = np.inf
    with pytest.raises(TrainingError, match="expected a finite number, found nan"):
        make_trainer(given={"samples": ArraySamples(arrays, TASKS)}, log_every=1).run()


def test_samples_weigh_as_they_say_and_are_drawn_as_often(make_trainer: MakeTrainer) -> None:
    arrays = made_arrays()
    ones = make_trainer("ones", given={"samples": ArraySamples(arrays | {"weight": np.ones(COUNT)}, TASKS)}).run()
    assert_same(weights(ones), weights(make_trainer("plain").run()), 1e-7)
    arrays["action"][1:] = np.nan
    often = np.zeros(COUNT)
    often[0] = 1.0
    make_trainer("often", given={"samples": ArraySamples(arrays, TASKS), "sampling_weights": often}).run()


class Head(torch.nn.Module):
    """Guesses the state's first number from the mean of the prefix."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(32, 1)

    def forward(self, hidden: torch.Tensor, valid: torch.Tensor, batch: Any) -> torch.Tensor:
        mean = (hidden * valid[..., None]).sum(dim=1) / valid.sum(dim=1, keepdim=True)
        return (self.linear(mean)[:, 0] - batch["observation.state"][:, 0]).square()


@pytest.mark.parametrize("train", ["expert", "all"])
def test_an_auxiliary_loss_learns_beside_and_is_no_part_of_the_checkpoint(
    make_trainer: MakeTrainer, train: str
) -> None:
    torch.manual_seed(0)
    head = Head()
    run = make_trainer(steps=40, train=train, log_every=5, given={"auxiliary": head}).run()
    points = [json.loads(line) for line in (run.parents[1] / "metrics.jsonl").read_text().splitlines()]
    assert points[-1]["auxiliary_loss"] < points[0]["auxiliary_loss"]
    assert not any("auxiliary" in name for name in weights(run))
    assert any("auxiliary" in name for name in load_file(run / "training_state" / "trained.safetensors"))


def test_bfloat16_keeps_trained_weights_in_float32(make_trainer: MakeTrainer) -> None:
    exact, rounded = (make_trainer(t, train="expert", dtype=t, steps=2).run() for t in ("float32", "bfloat16"))
    types = {("lm_expert" in name or "_proj" in name.split(".")[1]): t.dtype for name, t in weights(rounded).items()}
    assert types[True] == torch.float32
    assert types[False] == torch.bfloat16
    trained = [load_file(run / "training_state" / "trained.safetensors") for run in (exact, rounded)]
    assert_same(*trained, tolerance=5e-3)
