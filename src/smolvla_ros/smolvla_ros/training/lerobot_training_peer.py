"""LeRobot's own training step on one checkpoint. Run by the python of an environment with lerobot 0.6.1.

    python lerobot_training_peer.py CHECKPOINT INPUT.npz OUTPUT.npz [--threads N] [--device cuda] [--gradients]

INPUT holds `images.<feature>` (batch, 3, H, W) float32 in [0, 1], `state` (batch, joints) and `action` (batch, chunk,
joints) in the robot's units, `action_is_pad` (batch, chunk), `task` (batch,), `noise` (steps, batch, chunk, width) and
`time` (steps, batch). Each step takes the same batch with its own noise and times, through LeRobot's update_policy with
LeRobot's optimiser and schedule. OUTPUT gets `losses` and `seconds` (steps,); with --gradients also
`gradient.<name>` of the first step, clipped, and `weight.<name>` at the end. It imports nothing of this project, and
asks no hub.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

sys.path.pop(0)  # this folder, whose names are not meant for LeRobot


def model_peer() -> Any:
    """The model's peer script, loaded by its path, for this project is not installed here."""
    path = Path(__file__).parents[1] / "model" / "lerobot_peer.py"
    spec = importlib.util.spec_from_file_location("lerobot_peer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--gradients", action="store_true")
    options = parser.parse_args()
    options.input, options.output = options.input.resolve(), options.output.resolve()

    import numpy as np
    import torch

    torch.set_num_threads(options.threads)
    peer = model_peer()
    peer.stand_in_for_torchvision()
    policy, pre, _, _ = peer.load(options.checkpoint)
    policy.to(options.device).train()
    arrays = dict(np.load(options.input, allow_pickle=False))
    items = {name: torch.from_numpy(value) for name, value in peer.named(arrays, "images.").items()}
    items |= {"observation.state": torch.from_numpy(arrays["state"]), "action": torch.from_numpy(arrays["action"])}
    batch = pre({**items, "task": arrays["task"].tolist()})
    batch["action_is_pad"] = torch.from_numpy(arrays["action_is_pad"])
    batch = {name: value.to(options.device) if hasattr(value, "to") else value for name, value in batch.items()}
    preset, steps = policy.config.get_optimizer_preset(), len(arrays["time"])
    optimizer = preset.build(policy.get_optim_params())
    scheduler = policy.config.get_scheduler_preset().build(optimizer, steps)
    losses, seconds = [], []
    output: dict[str, Any] = {}
    for k in range(steps):
        noise, times = (torch.from_numpy(arrays[name][k]).to(options.device) for name in ("noise", "time"))
        synchronise(torch, options.device)
        started = time.perf_counter()
        # as lerobot_train.update_policy does, without the launcher
        loss, _ = policy.forward(dict(batch), noise=noise, time=times)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), preset.grad_clip_norm)
        if k == 0 and options.gradients:
            for name, parameter in policy.named_parameters():
                if parameter.grad is not None:
                    output[f"gradient.{name}"] = parameter.grad.cpu().numpy().copy()
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
        losses.append(loss.item())
        synchronise(torch, options.device)
        seconds.append(time.perf_counter() - started)
    if options.gradients:
        output |= {
            f"weight.{name}": p.detach().cpu().numpy() for name, p in policy.named_parameters() if p.requires_grad
        }
    np.savez(options.output, **output, losses=np.array(losses), seconds=np.array(seconds))


def synchronise(torch: Any, device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
