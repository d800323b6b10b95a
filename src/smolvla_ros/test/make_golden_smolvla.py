"""Writes data/golden_smolvla.npz and data/public_layout.json with LeRobot's own SmolVLAPolicy.

    PYTHONPATH=<folder of lerobot_smolvla.py> <python of an environment with lerobot 0.6.1> make_golden_smolvla.py

The npz holds, for each twin of model/golden_twins.py, the chunk that LeRobot samples and, where it trains, the loss.
The json holds name, shape and type of every tensor of the published checkpoint.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "model"))

import golden_twins as twins  # noqa: E402
import lerobot_smolvla as peer  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from lerobot.configs import RTCAttentionSchedule  # noqa: E402
from lerobot.policies.rtc.configuration_rtc import RTCConfig  # noqa: E402


def peer_policy(twin: twins.Twin) -> torch.nn.Module:
    """LeRobot's policy with the twin's size and weights."""
    config = {**twins.BASE_CONFIG, **twin.config}
    policy = peer.make_policy(
        cameras=twin.cameras,
        action_dim=twins.ACTION_DIM,
        text={**twins.TEXT, **twin.text},
        vision={**twins.VISION, **twin.vision},
        top=twins.TOP,
        dtype="hub" if twin.published_types else "float32",
        **config,
    )
    policy.config.input_features = {
        name: feature for name, feature in policy.config.input_features.items() if "empty_camera" not in name
    }
    fake, global_image = twins.IMAGE_TOKEN_IDS
    policy.model.global_image_start_token = torch.tensor([fake, global_image])
    policy.model.image_end_token = torch.tensor([fake])
    with torch.no_grad():
        for name, tensor in policy.state_dict().items():
            if twin.published_types:
                assert tensor.dtype == (torch.bfloat16 if twins.is_bfloat16(name) else torch.float32), name
            tensor.copy_(torch.from_numpy(twins.weight(name, tuple(tensor.shape))))
    return policy


def guidance(policy: torch.nn.Module, twin: twins.Twin, guided: twins.Guided) -> dict[str, Any]:
    """Turns LeRobot's real-time chunking on, and returns what the call takes."""
    policy.config.rtc_config = RTCConfig(
        prefix_attention_schedule=RTCAttentionSchedule[guided.schedule.upper()],
        max_guidance_weight=guided.max_weight,
    )
    policy.init_rtc_processor()
    previous = twins.previous_of(twin)
    return {
        "inference_delay": guided.delay,
        "prev_chunk_left_over": None if previous is None else torch.from_numpy(previous),
        "execution_horizon": guided.horizon,
    }


def main() -> None:
    arrays = {}
    for twin in twins.TWINS:
        policy = peer_policy(twin)
        batch = {name: torch.from_numpy(value) for name, value in twins.inputs_of(twin).items()}
        noise, time = batch.pop("noise"), batch.pop("time", None)
        if twin.loss:
            arrays[f"{twin.name}.loss"] = policy.forward(dict(batch), noise=noise, time=time)[0].detach().numpy()
        batch = {name: value for name, value in batch.items() if not name.startswith("action")}
        guided = {} if twin.guided is None else guidance(policy, twin, twin.guided)
        arrays[f"{twin.name}.chunk"] = policy.predict_action_chunk(dict(batch), noise=noise, **guided).numpy()
        print(f"{twin.name}: mean size {np.abs(arrays[f'{twin.name}.chunk']).mean():.3f}")
    np.savez_compressed(HERE / "data" / "golden_smolvla.npz", **arrays)

    layout = {
        name: [str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]
        for name, tensor in peer.make_policy(cameras=1, dtype="hub").state_dict().items()
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(layout.items()))
    (HERE / "data" / "public_layout.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
