"""Equal to LeRobot's SmolVLA: same weights, same noise, chunks within 1e-5. LeRobot 0.6.1 made the golden arrays."""

from __future__ import annotations

import json
from pathlib import Path

import golden_twins as twins
import numpy as np
import pytest
import torch
from smolvla_ros.model.config import SMOLVLM2_500M, SmolVLAConfig
from smolvla_ros.model.inputs import model_inputs
from smolvla_ros.model.smolvla import SmolVLA
from twin_policy import batch_of, guidance_of, policy_of, twin_named

DATA = Path(__file__).parent.parent / "data"
TOLERANCE = 1e-5
BFLOAT16_TOLERANCE = 2e-2  # its own rounding, which differs between processors and lengths; here 1e-5 and 8e-3


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return dict(np.load(DATA / "golden_smolvla.npz", allow_pickle=False))


@pytest.mark.parametrize("twin", twins.TWINS, ids=lambda twin: twin.name)
def test_same_chunk_as_lerobot_for_the_same_noise(twin: twins.Twin, golden: dict[str, np.ndarray]) -> None:
    batch = batch_of(twin)
    chunk = policy_of(twin).predict_action_chunk(batch, batch["noise"], guidance=guidance_of(twin))
    assert chunk.shape == (twin.batch, twins.config_of(twin)["chunk_size"], twins.ACTION_DIM)
    tolerance = BFLOAT16_TOLERANCE if twin.published_types else TOLERANCE
    np.testing.assert_allclose(chunk.numpy(), golden[f"{twin.name}.chunk"], rtol=0, atol=tolerance)


@pytest.mark.parametrize("twin", [twin for twin in twins.TWINS if twin.loss], ids=lambda twin: twin.name)
def test_same_training_loss_as_lerobot(twin: twins.Twin, golden: dict[str, np.ndarray]) -> None:
    batch = batch_of(twin)
    policy = policy_of(twin)
    loss = policy.loss(batch, batch["noise"], batch["time"])
    assert loss.item() == pytest.approx(float(golden[f"{twin.name}.loss"]), abs=TOLERANCE)
    loss.backward()
    without = [name for name, parameter in policy.named_parameters() if parameter.grad is None]
    last = len(policy.model.vlm_with_expert.vlm.model.text_model.layers) - 1
    assert all("text_model.norm" in name or f"text_model.layers.{last}." in name for name in without)


@pytest.mark.parametrize("known", [(True, False, True), (False, True, True), (True, True, True)])
def test_image_tokens_made_elsewhere_are_taken_as_they_are(known: tuple[bool, ...]) -> None:
    twin = twin_named("first_camera_masked")
    model = policy_of(twin).model
    batch = {**batch_of(twin), "observation.images.camera1_padding_mask": torch.tensor([True])}
    inputs = model_inputs(batch, model.config)
    with torch.inference_mode():
        expected = model.remember(inputs)
        tokens = [
            model.embed_images(image) if given else None for image, given in zip(inputs.images, known, strict=True)
        ]
        found = model.remember(inputs, tokens)
    for one, other in zip(expected.layers, found.layers, strict=True):
        torch.testing.assert_close(one, other)


def test_every_golden_array_is_used(golden: dict[str, np.ndarray]) -> None:
    expected = {f"{t.name}.chunk" for t in twins.TWINS} | {f"{t.name}.loss" for t in twins.TWINS if t.loss}
    assert set(golden) == expected


def test_parameter_names_and_shapes_are_the_public_layouts() -> None:
    features = {
        "input_features": {
            "observation.images.camera1": {"type": "VISUAL", "shape": [3, 256, 256]},
            "observation.state": {"type": "STATE", "shape": [6]},
        },
        "output_features": {"action": {"type": "ACTION", "shape": [6]}},
    }
    with torch.device("meta"):
        policy = SmolVLA(SmolVLAConfig.from_json(features, "config.json"), SMOLVLM2_500M)
    ours = {name: list(tensor.shape) for name, tensor in policy.state_dict().items()}
    public = {name: shape for name, (_, shape) in json.loads((DATA / "public_layout.json").read_text()).items()}
    head = public.pop("model.vlm_with_expert.vlm.lm_head.weight")
    assert ours == public
    assert sum(np.prod(shape) for shape in [*public.values(), head]) == 450_046_176
