from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from smolvla_ros.bags.made_bag import make_bag
from smolvla_ros.cli import main
from smolvla_ros.data.demonstration_arrays import DemonstrationArrays
from smolvla_ros.embodiment import load_embodiment
from smolvla_ros.model.checkpoint import load_checkpoint
from smolvla_ros.model.config import ACTION
from smolvla_ros.simulation.tasks import parse
from smolvla_ros.training.demonstration_samples import METRES, PLACES, VISIBLE, DemonstrationSamples
from smolvla_ros.training.errors import TrainingError
from smolvla_ros.training.named_objects import NamedObjects
from smolvla_ros.training.objective import WEIGHT
from smolvla_ros.training.planned_rows import PlannedRows, Together
from smolvla_ros.training.run_folder import RunFolder
from smolvla_ros.training.samples import TASK
from smolvla_ros.training.small_checkpoint import RECIPE, read_small_recipe, train_small

ROBOT = load_embodiment()
CAMERAS, SIDE = 2, 3


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demonstrations")
    assert main(["demos", str(folder), "--episodes", "2", "--seed", "20", "--side", "48", "--every", "15"]) == 0
    return folder


def small(recipe: dict) -> dict:
    """The shipped recipe, made small and short."""
    vision = {**recipe["model"]["vision"], "image_size": 48}
    few = {"steps": 1, "batch_size": 2, "save_every": 0, "compile": False}
    short = {name: {**recipe[name], **few} for name in ("words", "policy", "corrected", "recorded")}
    return {**recipe, "model": {**recipe["model"], "vision": vision}, **short}


def test_the_recipe_makes_a_checkpoint_that_loads_and_tells_how_it_was_made(
    demonstrations: Path, tmp_path: Path
) -> None:
    recipe = small(read_small_recipe(RECIPE))
    finished = train_small(demonstrations, tmp_path, recipe, ROBOT)
    checkpoint = load_checkpoint(finished)
    assert checkpoint.config.chunk_size == 32
    about = json.loads((finished / "recipe.json").read_text())
    assert about["policy"]["seed"] == recipe["policy"]["seed"]
    frames = len(DemonstrationArrays(demonstrations))
    assert about["learned_from"] == [{"made": "demonstrations", "episodes": 2, "frames": frames, "seeds": [20, 21]}]
    assert train_small(demonstrations, tmp_path, recipe, ROBOT) == finished  # nothing is left to do, nothing breaks


def test_corrections_are_made_where_the_policy_comes_to_and_training_goes_on_with_them(
    demonstrations: Path, tmp_path: Path
) -> None:
    recipe = small(read_small_recipe(RECIPE))
    policy = train_small(demonstrations, tmp_path / "run", recipe, ROBOT)
    words = ["--policy", str(policy), "--episodes", "1", "--seed", "20", "--side", "48", "--every", "60"]
    assert main(["demos", str(tmp_path / "corrections"), *words]) == 0
    corrections = DemonstrationArrays(tmp_path / "corrections")
    chunks = corrections.rows(range(len(corrections)), ("state", "actions"))
    assert (np.ptp(chunks["actions"][:, 0], axis=1).max(axis=1) > 5).any()  # the label goes somewhere
    before = load_file(policy / "model.safetensors")
    corrected = train_small(demonstrations, tmp_path / "run", recipe, ROBOT, [tmp_path / "corrections"] * 2)
    assert load_checkpoint(corrected).processors.relative is not None
    after = load_file(corrected / "model.safetensors")
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert RunFolder(tmp_path / "run" / "corrected-2").last
    made = [stage["made"] for stage in json.loads((corrected / "recipe.json").read_text())["learned_from"]]
    assert made == ["demonstrations", "corrections of round 1", "corrections of round 2"]


def test_it_ends_with_what_the_recorder_has_recorded_and_changes_the_expert_alone(
    demonstrations: Path, tmp_path: Path
) -> None:
    recorded = tmp_path / "dataset"
    for number in range(2):
        make_bag(tmp_path / "bags" / str(number), ROBOT, 1.0, jpeg=True)
    assert main(["dataset", "convert", str(tmp_path / "bags"), "--output", str(recorded)]) == 0
    recipe = small(read_small_recipe(RECIPE))
    recipe["recorded"] = {**recipe["recorded"], "validation_share": 0.5}
    before = load_file(train_small(demonstrations, tmp_path, recipe, ROBOT) / "model.safetensors")
    finished = train_small(demonstrations, tmp_path, recipe, ROBOT, recorded=recorded)
    after = load_file(finished / "model.safetensors")
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert any("lm_expert" in name for name in changed)
    assert not any(".vlm." in name for name in changed)
    assert load_checkpoint(finished).noise_scale == 0.0
    about = json.loads((finished / "recipe.json").read_text())
    assert about["learned_from"][-1] == {"made": "recorded episodes", "episodes": 2, "frames": 60}
    assert train_small(demonstrations, tmp_path, recipe, ROBOT, recorded=recorded) == finished


def test_corrections_count_more_than_demonstrations(demonstrations: Path) -> None:
    samples = DemonstrationSamples(DemonstrationArrays(demonstrations, demonstrations), ROBOT, 32)
    weights = samples.sampling_weights(corrections=4.0)
    first, second = np.split(weights, 2)
    np.testing.assert_array_equal(second, 4 * first)


def test_the_shipped_recipe_gives_a_model_of_the_size_promised() -> None:
    from smolvla_ros.model.joint_statistics import untrained_statistics
    from smolvla_ros.model.random_checkpoint import new_checkpoint

    model = read_small_recipe(RECIPE)["model"]
    cameras = {camera.feature: (camera.height, camera.width) for camera in ROBOT.cameras}
    made = new_checkpoint(model, cameras, untrained_statistics(ROBOT), 0, model["policy"]).model
    assert 1e6 < sum(p.numel() for p in made.parameters()) < 3e6  # below 12 MB in float32


def test_the_same_frame_stands_under_two_instructions(demonstrations: Path) -> None:
    samples = DemonstrationSamples(DemonstrationArrays(demonstrations), ROBOT, 32)
    batch = samples.batch([0, 1])
    camera = ROBOT.cameras[0].feature
    np.testing.assert_array_equal(batch[camera][0], batch[camera][1])
    own, other = (parse(text) for text in batch[TASK])
    assert own != other
    assert np.abs(batch[ACTION][0] - batch[ACTION][1]).max() > 1.0
    assert batch[WEIGHT].tolist() == [1, 1]


def test_words_for_binding_name_anything_and_their_chunks_do_not_count(demonstrations: Path) -> None:
    samples = DemonstrationSamples(DemonstrationArrays(demonstrations), ROBOT, 32, any_words=True)
    batch = samples.batch(range(len(samples)))
    assert not batch[WEIGHT].any()
    assert len({parse(text) for text in batch[TASK]}) == 4


def test_places_are_those_of_what_the_words_name(demonstrations: Path) -> None:
    """The picture has the named cube's colour where the sample says that it is."""
    samples = DemonstrationSamples(DemonstrationArrays(demonstrations), ROBOT, 32)
    batch = samples.batch([0, 1])
    for row, text in enumerate(batch[TASK]):
        column, line = batch[PLACES][row, 0, 0] * 48
        red, _, blue = batch[ROBOT.cameras[0].feature][row, int(line) - 12, int(column)].astype(int)
        assert (red > blue) == (parse(text).cube == "red cube")


def test_demonstrations_of_another_robot_are_refused(demonstrations: Path) -> None:
    with pytest.raises(TrainingError, match="chunk_size"):
        DemonstrationSamples(DemonstrationArrays(demonstrations), ROBOT, 51)


def test_the_auxiliary_loss_falls_to_nothing_only_where_the_named_object_is() -> None:
    torch.manual_seed(0)
    auxiliary = NamedObjects(width=8, side=SIDE, weight=1.0)
    hidden = torch.randn(4, CAMERAS * SIDE**2 + 3, 8)
    batch = {
        PLACES: torch.rand(4, CAMERAS, 2, 2),
        VISIBLE: torch.ones(4, CAMERAS, 2, dtype=torch.bool),
        METRES: torch.zeros(4, 5),
    }
    optimizer = torch.optim.Adam([hidden.requires_grad_(), *auxiliary.parameters()], lr=0.03)
    for _ in range(150):
        loss = auxiliary(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool), batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    assert (auxiliary.places(hidden, CAMERAS) - batch[PLACES]).abs().max() < 0.2
    elsewhere = {**batch, PLACES: (batch[PLACES] + 0.5) % 1.0}
    assert auxiliary(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool), elsewhere).min() > 1.0


def test_planned_rows_are_those_of_the_chunk_and_of_samples_that_count() -> None:
    torch.manual_seed(0)
    auxiliary = PlannedRows(width=8, chunk=9, joints=2, weight=1.0)
    hidden, valid = torch.randn(6, 4, 8), torch.ones(6, 4, dtype=torch.bool)
    batch = {ACTION: torch.randn(6, 9, 2), WEIGHT: torch.tensor([1.0, 1, 1, 1, 1, 0])}
    optimizer = torch.optim.Adam(auxiliary.parameters(), lr=0.03)
    for _ in range(200):
        loss = auxiliary(hidden, valid, batch)
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
    assert loss.max() < 0.05
    assert loss[5] == 0
    other = {**batch, ACTION: batch[ACTION].roll(1, dims=0)}
    assert auxiliary(hidden, valid, other)[:5].min() > 0.1


def test_several_auxiliary_losses_are_added() -> None:
    one = PlannedRows(width=8, chunk=9, joints=2)
    hidden, valid, batch = torch.randn(3, 4, 8), torch.ones(3, 4, dtype=torch.bool), {ACTION: torch.randn(3, 9, 2)}
    assert torch.allclose(Together(one, one)(hidden, valid, batch), 2 * one(hidden, valid, batch))


def test_what_is_not_visible_counts_nothing() -> None:
    auxiliary = NamedObjects(width=8, side=SIDE)
    hidden, valid = torch.randn(1, CAMERAS * SIDE**2 + 3, 8), torch.ones(1, CAMERAS * SIDE**2 + 3, dtype=torch.bool)
    losses = [
        auxiliary(
            hidden,
            valid,
            {
                PLACES: torch.full((1, CAMERAS, 2, 2), place),
                VISIBLE: torch.zeros(1, CAMERAS, 2, dtype=torch.bool),
                METRES: torch.zeros(1, 5),
            },
        )
        for place in (0.1, 0.9)
    ]
    assert torch.equal(*losses)
