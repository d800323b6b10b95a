from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from smolvla_ros.training.augmentation import augment, move, turn_hue
from training_support import MakeTrainer


def test_pictures_stay_pictures_and_change_by_the_generator_alone() -> None:
    images = torch.rand(16, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    first, again = (augment(images, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.shape == images.shape
    assert first.min() >= 0
    assert first.max() <= 1
    changed = (first != images).flatten(1).any(dim=1)
    assert changed.all()
    assert not torch.equal(first, augment(images, torch.Generator().manual_seed(6)))


@pytest.mark.parametrize("turns", [0.0, 0.05, -0.05, 0.4])
def test_hue_turns_as_the_colour_circle_does(turns: float) -> None:
    random = np.random.default_rng(0)
    colours = random.random((200, 3))
    image = torch.from_numpy(colours.T.reshape(1, 3, 10, 20)).float()
    found = turn_hue(image, torch.full((1, 1, 1), turns)).reshape(3, -1).T.numpy()
    expected = []
    for red, green, blue in colours:
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        expected.append(colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value))
    np.testing.assert_allclose(found, np.array(expected), atol=1e-5)


def test_a_picture_moves_by_its_shift_and_turns_about_its_middle() -> None:
    image = torch.zeros(1, 1, 20, 40)
    image[0, 0, 5, 10] = 1.0
    shifted = move(image, torch.zeros(1), torch.tensor([[0.05, 0.1]]))
    assert torch.nonzero(shifted[0, 0]).tolist() == [[7, 12]]
    image = torch.zeros(1, 1, 21, 41)
    image[0, 0, 10, 30] = 1.0  # ten to the right of the middle
    turned = move(image, torch.tensor([90.0]), torch.zeros(1, 2))
    rows = torch.nonzero(turned[0, 0]).tolist()
    assert rows in ([[20, 20]], [[0, 20]])


def test_pieces_and_resumption_see_the_same_pictures(make_trainer: MakeTrainer) -> None:
    from safetensors.torch import load_file

    runs = [
        make_trainer(f"run{n}", accumulate=n, steps=2, epsilon=1e-3, augment=True).run() / "pretrained_model"
        for n in (1, 2)
    ]
    one, two = (load_file(run / "model.safetensors") for run in runs)
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=0, atol=2e-6)
