"""The policy at the robot's border: fits or refuses, radians in and out, the same seed the same chunk."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from smolvla_ros.embodiment import DEFAULT_FILE, Embodiment, load_embodiment
from smolvla_ros.model.checkpoint import EMBODIMENT_FILE, load_checkpoint, save_checkpoint
from smolvla_ros.model.config import STATE
from smolvla_ros.model.errors import CheckpointError
from smolvla_ros.model.inputs import TOKEN_MASK, TOKENS
from smolvla_ros.model.random_checkpoint import random_checkpoint
from smolvla_ros.policies.interface import EmbodimentMismatch, Observation, PolicyRefusal
from smolvla_ros.policies.registry import make_policy
from smolvla_ros.policies.sampler_settings import SamplerSettings
from smolvla_ros.policies.smolvla import SmolVLAPolicy
from smolvla_ros.units import LeRobotUnits

DEGREES_OF_THE_OLD_ZERO = {
    "mean": [1.60, 119.94, 109.77, 56.71, -27.42, 12.00],
    "std": [26.39, 52.41, 49.85, 37.00, 59.36, 19.04],
}


@pytest.fixture(scope="module")
def robot() -> Embodiment:
    return load_embodiment()


@pytest.fixture(scope="module")
def saved(robot: Embodiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    save_checkpoint(random_checkpoint(robot, "tiny", seed=1), folder)
    shutil.copy(DEFAULT_FILE, folder / EMBODIMENT_FILE)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "checkpoint"))


def observation_of(
    robot: Embodiment, seed: int = 0, instruction: str = "put the red cube in the blue box"
) -> Observation:
    random = np.random.default_rng(seed)
    images = {c.name: random.integers(0, 256, (c.height, c.width, 3), dtype=np.uint8) for c in robot.cameras}
    return Observation(0.0, images, robot.home_rad, instruction)


def test_a_chunk_has_the_robots_rate_joints_and_latency_split(saved: Path, robot: Embodiment) -> None:
    policy = make_policy(str(saved), robot)
    assert (policy.name, policy.cameras, policy.needs_objects) == ("smolvla", ("top", "wrist"), False)
    chunk = policy.infer(observation_of(robot))
    assert chunk.positions.shape == (50, 6)
    assert chunk.positions.dtype == np.float64
    assert np.isfinite(chunk.positions).all()
    assert chunk.step_s == pytest.approx(1 / 30)
    assert chunk.denoise_steps == 10
    assert list(chunk.latency_s) == ["preprocess", "encode", "denoise", "postprocess"]
    assert all(seconds >= 0 for seconds in chunk.latency_s.values())


def test_the_chunk_is_the_models_own_in_radians(saved: Path, robot: Embodiment) -> None:
    """Units, normalisation and camera order checked against the model driven by hand."""
    observation = observation_of(robot)
    chunk = SmolVLAPolicy.from_checkpoint(saved, robot, sampler=SamplerSettings(seed=5)).infer(observation)

    checkpoint, units = load_checkpoint(saved), LeRobotUnits(robot)
    stats = load_file(saved / "policy_preprocessor_step_5_normalizer_processor.safetensors")
    state = (torch.tensor(units.from_radians(robot.home_rad)) - stats["observation.state.mean"]) / (
        stats["observation.state.std"] + 1e-8
    )
    tokens, mask = checkpoint.tokenizer(["put the red cube in the blue box\n"])
    batch = {STATE: state.float()[None], TOKENS: tokens, TOKEN_MASK: mask}
    for camera in robot.cameras:
        batch[camera.feature] = torch.from_numpy(observation.images[camera.name] / np.float32(255)).permute(2, 0, 1)[
            None
        ]
    noise = torch.randn(1, 50, 32, generator=torch.Generator().manual_seed(5))
    actions = checkpoint.model.predict_action_chunk(batch, noise)[0]
    degrees = actions * stats["action.std"] + stats["action.mean"]
    np.testing.assert_allclose(chunk.positions, units.to_radians(degrees.double().numpy()), atol=1e-5)


def test_the_same_seed_gives_the_same_chunks_and_reset_starts_over(saved: Path, robot: Embodiment) -> None:
    observation = observation_of(robot)
    policy = SmolVLAPolicy.from_checkpoint(saved, robot, sampler=SamplerSettings(seed=7))
    first, second = policy.infer(observation).positions, policy.infer(observation).positions
    policy.reset()
    np.testing.assert_array_equal(policy.infer(observation).positions, first)
    assert np.abs(second - first).max() > 0.01
    other = SmolVLAPolicy.from_checkpoint(saved, robot, sampler=SamplerSettings(seed=8)).infer(observation).positions
    assert np.abs(other - first).max() > 0.01


def test_without_noise_every_seed_gives_the_same_chunk(saved: Path) -> None:
    robot = load_embodiment()
    observation = observation_of(robot)

    def rows(seed: int, scale: float, source: Path = saved) -> np.ndarray:
        sampler = SamplerSettings(seed=seed, noise_scale=scale)
        return SmolVLAPolicy.from_checkpoint(source, robot, sampler=sampler).infer(observation).positions

    np.testing.assert_array_equal(rows(1, 0.0), rows(2, 0.0))
    assert np.abs(rows(1, 0.5) - rows(2, 0.5)).max() > 1e-3


def test_a_checkpoint_may_say_how_much_noise_it_wants(saved: Path, tmp_path: Path) -> None:
    robot = load_embodiment()
    observation = observation_of(robot)
    quiet = replace(load_checkpoint(saved), noise_scale=0.0)
    save_checkpoint(quiet, tmp_path / "quiet")
    own, asked = (
        SmolVLAPolicy.from_checkpoint(source, robot, sampler=SamplerSettings(noise_scale=scale)).infer(observation)
        for source, scale in ((tmp_path / "quiet", -1.0), (saved, 0.0))
    )
    np.testing.assert_array_equal(own.positions, asked.positions)
    (tmp_path / "quiet" / "sampler.json").write_text('{"noise_scale": 2}')
    with pytest.raises(CheckpointError, match=r"noise_scale: expected a number from 0\.0 to 1\.0, found 2"):
        load_checkpoint(tmp_path / "quiet")


@pytest.mark.parametrize("change", ["instruction", "top", "wrist", "positions"])
def test_everything_observed_matters(saved: Path, robot: Embodiment, change: str) -> None:
    seen, other = observation_of(robot, seed=0), observation_of(robot, seed=1)
    if change == "instruction":
        changed = replace(seen, instruction="put the green cube in the blue box")
    elif change == "positions":
        changed = replace(seen, positions=seen.positions + 0.3)
    else:
        changed = replace(seen, images={**seen.images, change: other.images[change]})
    policy = SmolVLAPolicy.from_checkpoint(saved, robot)
    before = policy.infer(seen).positions
    policy.reset()
    assert np.abs(policy.infer(changed).positions - before).max() > 1e-4


def test_fewer_flow_steps_are_taken_when_asked(saved: Path, robot: Embodiment) -> None:
    assert (
        make_policy(str(saved), robot, sampler=SamplerSettings(num_steps=3)).infer(observation_of(robot)).denoise_steps
        == 3
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"instruction": " "}, "instruction: expected words"),
        ({"positions": np.zeros(5)}, "positions: expected 6 finite angles"),
        ({"positions": np.full(6, np.nan)}, "positions: expected 6 finite angles"),
        ({"images": {}}, "camera 'top': expected an image of \\(height, width, 3\\) uint8 RGB, found none"),
        ({"images": {"top": np.zeros((480, 640), np.uint8)}}, "found shape \\(480, 640\\)"),
        ({"images": {"top": np.zeros((480, 640, 4), np.uint8)}}, "found shape \\(480, 640, 4\\)"),
        ({"images": {"top": np.zeros((480, 640, 3), np.float32)}}, "of float32"),
    ],
)
def test_malformed_observations_are_refused(saved: Path, robot: Embodiment, change: dict, expected: str) -> None:
    policy = SmolVLAPolicy.from_checkpoint(saved, robot)
    with pytest.raises(PolicyRefusal, match=expected):
        policy.infer(replace(observation_of(robot), **change))


def with_camera_features(robot: Embodiment, *features: str) -> Embodiment:
    cameras = tuple(replace(c, feature=f) for c, f in zip(robot.cameras, features, strict=False))
    return replace(robot, cameras=cameras)


def test_a_camera_that_the_robot_lacks_is_named(saved: Path, robot: Embodiment) -> None:
    other = with_camera_features(robot, "observation.images.top", "observation.images.side")
    with pytest.raises(EmbodimentMismatch, match=r"missing observation\.images\.wrist"):
        SmolVLAPolicy.from_checkpoint(saved, other)


def test_cameras_can_be_renamed(saved: Path, robot: Embodiment) -> None:
    other = with_camera_features(robot, "observation.images.side", "observation.images.top")
    renames = {"observation.images.side": "observation.images.wrist"}
    assert SmolVLAPolicy.from_checkpoint(saved, other, rename_map=renames).cameras == ("wrist", "top")
    with pytest.raises(EmbodimentMismatch, match="rename_map: expected features"):
        SmolVLAPolicy.from_checkpoint(saved, robot, rename_map={"observation.images.typo": "observation.images.top"})


def test_a_spare_camera_of_the_checkpoint_may_be_missing_when_it_says_so(saved: Path, robot: Embodiment) -> None:
    checkpoint = load_checkpoint(saved)
    checkpoint.model.config = replace(checkpoint.config, empty_cameras=1)
    policy = SmolVLAPolicy(checkpoint, with_camera_features(robot, "observation.images.top"))
    assert policy.cameras == ("top",)
    assert np.isfinite(policy.infer(observation_of(robot)).positions).all()


def test_a_robot_with_fewer_joints_is_refused(saved: Path, robot: Embodiment) -> None:
    with pytest.raises(EmbodimentMismatch, match=r"observation\.state: expected 5 values"):
        SmolVLAPolicy.from_checkpoint(saved, replace(robot, joints=robot.joints[:5]))


def test_joints_in_another_order_are_refused(saved: Path, robot: Embodiment) -> None:
    with pytest.raises(EmbodimentMismatch, match="joint names: expected gripper, wrist_roll"):
        SmolVLAPolicy.from_checkpoint(saved, replace(robot, joints=robot.joints[::-1]))


def test_another_unit_is_refused(saved: Path, robot: Embodiment) -> None:
    joints = (replace(robot.joints[0], lerobot_unit="range_m100_100"), *robot.joints[1:])
    with pytest.raises(EmbodimentMismatch, match="LeRobot units: expected range_m100_100"):
        SmolVLAPolicy.from_checkpoint(saved, replace(robot, joints=joints))


def change_statistics(folder: Path, values: dict[str, list[float]]) -> None:
    for path in folder.glob("policy_*.safetensors"):
        tensors = load_file(path)
        for name, value in values.items():
            tensors.update({f"{feature}.{name}": torch.tensor(value) for feature in ("action", "observation.state")})
        save_file(tensors, path)


def test_statistics_about_the_old_zero_are_refused(folder: Path, robot: Embodiment) -> None:
    """Data recorded before LeRobot's zero moved: lift and elbow would be driven ninety degrees off."""
    change_statistics(folder, DEGREES_OF_THE_OLD_ZERO)
    with pytest.raises(EmbodimentMismatch, match=r"statistics of shoulder_lift: .* the dataset had another zero"):
        SmolVLAPolicy.from_checkpoint(folder, robot)


def test_statistics_in_radians_are_refused(folder: Path, robot: Embodiment) -> None:
    change_statistics(folder, {"mean": [0.0, 1.7, -1.5, -0.6, 0.0, 0.9], "std": [0.6] * 6})
    with pytest.raises(EmbodimentMismatch, match="look like radians"):
        SmolVLAPolicy.from_checkpoint(folder, robot)


def committed(robot: Embodiment, seen: Observation) -> Observation:
    rows = robot.home_rad + 0.1 * np.sin(np.arange(12) / 4)[:, None]
    return replace(seen, committed=rows, committed_start_s=seen.stamp_s, delay_rows=8)


def test_guided_chunks_go_on_from_the_rows_under_way(saved: Path, robot: Embodiment) -> None:
    seen = committed(robot, observation_of(robot))
    assert seen.committed is not None

    def distance(chunking: str) -> float:
        policy = make_policy(str(saved), robot, sampler=SamplerSettings(real_time_chunking=chunking))
        return float(np.abs(policy.infer(seen).positions[:8] - seen.committed[:8]).mean())

    assert distance("guided") < distance("off") / 4


def test_trained_chunking_begins_with_the_rows_under_way_themselves(saved: Path, robot: Embodiment) -> None:
    checkpoint = load_checkpoint(saved)
    config = replace(checkpoint.config, rtc_training_max_delay=6)
    checkpoint.model.config = checkpoint.model.model.config = config
    seen = committed(robot, observation_of(robot))
    assert seen.committed is not None
    policy = SmolVLAPolicy(checkpoint, robot, sampler=SamplerSettings(real_time_chunking="trained"))
    positions = policy.infer(seen).positions
    np.testing.assert_allclose(positions[:6], seen.committed[:6], atol=1e-5)
    assert np.abs(positions[6:8] - seen.committed[6:8]).max() > 1e-3


def test_a_checkpoint_that_was_not_trained_to_go_on_is_refused_at_once(saved: Path, robot: Embodiment) -> None:
    with pytest.raises(EmbodimentMismatch, match="real_time_chunking: expected off or guided, found trained"):
        make_policy(str(saved), robot, sampler=SamplerSettings(real_time_chunking="trained"))


def test_a_time_limit_cuts_steps_and_not_the_chunk(saved: Path, robot: Embodiment) -> None:
    policy = make_policy(str(saved), robot, sampler=SamplerSettings(num_steps=1000, time_limit_s=0.05))
    chunk = policy.infer(observation_of(robot))
    assert 1 <= chunk.denoise_steps < 1000
    assert np.isfinite(chunk.positions).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_steps": -1}, "num_steps: expected 0 or a whole number above it, found -1"),
        ({"real_time_chunking": "on"}, "real_time_chunking: expected one of off, guided, trained, found 'on'"),
        ({"time_limit_s": float("nan")}, "time_limit_s: expected seconds, 0 for none, found nan"),
    ],
)
def test_sampler_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SamplerSettings(**settings)
