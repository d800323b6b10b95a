from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from smolvla_ros.model.checkpoint import load_checkpoint, save_checkpoint
from smolvla_ros.training.preparation import Preparation
from smolvla_ros.training.samples import ArraySamples, batches
from smolvla_ros.training.trainer import Trainer
from training_support import MakeTrainer, made_checkpoint


def test_low_rank_changes_are_saved_as_peft_does_and_merge_to_what_was_trained(
    make_trainer: MakeTrainer, samples: ArraySamples, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    save_checkpoint(made_checkpoint(), base)
    settings = {"train": "lora", "lora_rank": 4, "lora_alpha": 8.0, "learning_rate": 1e-2}
    checkpoint = load_checkpoint(base)
    before = {name: value.clone() for name, value in checkpoint.model.state_dict().items()}
    run = make_trainer(steps=3, given={"checkpoint": checkpoint}, **settings).run()
    folder = run / "pretrained_model"
    tensors = load_file(folder / "adapter_model.safetensors")
    key = "base_model.model.model.vlm_with_expert.lm_expert.layers.0.self_attn.q_proj.lora_A.weight"
    assert tensors[key].shape == (4, 24)
    assert len(tensors) == 2 * (2 * 3 + 5)
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base)
    assert not (folder / "model.safetensors").exists()

    batch = Preparation(checkpoint, torch.device("cpu"))(next(batches(samples, [[0, 1]], 0)))
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 6, 32)).astype(np.float32))
    trained = checkpoint.model.predict_action_chunk(batch, noise)
    merged = load_checkpoint(folder).model
    torch.testing.assert_close(merged.predict_action_chunk(batch, noise), trained, rtol=0, atol=1e-5)
    plain = load_checkpoint(base).model
    assert (plain.predict_action_chunk(batch, noise) - trained).abs().max() > 1e-3
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_low_rank_runs_are_resumed_on_their_base(make_trainer: MakeTrainer, tmp_path: Path) -> None:
    base = tmp_path / "base"
    save_checkpoint(made_checkpoint(), base)

    def file(run: Path) -> dict[str, torch.Tensor]:
        return load_file(run / "pretrained_model" / "adapter_model.safetensors")

    def trainer(name: str) -> Trainer:
        return make_trainer(name, given={"checkpoint": load_checkpoint(base)}, train="lora", save_every=2)

    def stop(done: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    whole = file(trainer("whole").run())
    with pytest.raises(KeyboardInterrupt):
        trainer("cut").run(after_step=stop)
    resumed = file(trainer("cut").run(resume=True))
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        torch.testing.assert_close(value, resumed[name], rtol=0, atol=0)
