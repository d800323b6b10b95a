"""What the model is shown: letterbox, normalisation, tokens."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from smolvla_ros.model.letterbox import frame_to_tensor, letterbox
from smolvla_ros.model.normalization import REQUIRED_STATISTICS, make_normalizer
from smolvla_ros.model.random_checkpoint import train_tokenizer
from smolvla_ros.model.tokenizer import InstructionTokenizer


def test_letterbox_keeps_proportions_and_pads_above() -> None:
    boxed = letterbox(torch.ones(1, 3, 480, 640), 512)
    assert boxed.shape == (1, 3, 512, 512)
    assert (boxed[:, :, :128] == 0).all()
    assert (boxed[:, :, 128:] == 1).all()


def test_letterbox_pads_a_tall_image_on_the_left() -> None:
    boxed = letterbox(torch.ones(1, 3, 640, 480), 64)
    assert (boxed[..., :16] == 0).all()
    assert (boxed[..., 16:] == 1).all()


def test_letterbox_passes_its_own_size_through() -> None:
    image = torch.rand(2, 3, 64, 64)
    assert letterbox(image, 64) is image


def test_letterbox_does_not_average_what_it_skips() -> None:
    """Antialiasing would give the mean of the stripes; the published model was trained without."""
    stripes = torch.tensor([0.0, 1.0, 1.0, 0.0]).repeat(16).expand(1, 3, 64, 64)
    assert set(letterbox(stripes, 16).unique().tolist()) == {1.0}


@pytest.mark.parametrize(
    ("height", "width", "side"), [(480, 640, 64), (480, 640, 128), (333, 777, 100), (640, 480, 96)]
)
def test_a_much_smaller_picture_is_torchs_bilinear_one(height: int, width: int, side: int) -> None:
    images = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    ratio = max(height, width) / side
    size = (int(height / ratio), int(width / ratio))
    expected = torch.nn.functional.interpolate(images, size=size, mode="bilinear", align_corners=False)
    boxed = letterbox(images, side)
    torch.testing.assert_close(boxed[..., side - size[0] :, side - size[1] :], expected, rtol=0, atol=2e-5)
    assert boxed.sum() == pytest.approx(expected.sum().item(), rel=1e-4)


def test_frame_to_tensor_scales_and_moves_channels() -> None:
    frame = np.zeros((4, 6, 3), dtype=np.uint8)
    frame[1, 2] = (255, 51, 0)
    tensor = frame_to_tensor(frame[:, ::-1])  # not contiguous, as a flipped camera's is
    assert tensor.shape == (1, 3, 4, 6)
    assert tensor[0, :, 1, 3].tolist() == pytest.approx([1.0, 0.2, 0.0])


def test_a_frame_that_may_not_be_written_is_taken_without_a_warning() -> None:
    frame = np.zeros((4, 6, 3), dtype=np.uint8)
    frame.flags.writeable = False  # as a bag's are
    torch.set_warn_always(True)  # else once in a process
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            frame_to_tensor(frame)
    finally:
        torch.set_warn_always(False)


@pytest.mark.parametrize("mode", ["MEAN_STD", "MIN_MAX", "QUANTILES", "QUANTILE10", "IDENTITY"])
def test_normalisers_are_inverses(mode: str) -> None:
    stats = {name: torch.tensor([1.0, -20.0]) + 7 * i for i, name in enumerate(REQUIRED_STATISTICS[mode])}
    normalizer = make_normalizer(
        mode, "action", 2, {"action": {n: v.abs() * (1 + i) for i, (n, v) in enumerate(stats.items())}}, "file"
    )
    values = torch.tensor([[3.0, 4.0], [-100.0, 0.5]])
    torch.testing.assert_close(normalizer.inverse(normalizer.forward(values)), values, rtol=1e-5, atol=1e-4)


def test_ranges_map_to_minus_one_and_one_and_means_to_zero() -> None:
    low, high = torch.tensor([-10.0]), torch.tensor([30.0])
    by_range = make_normalizer("MIN_MAX", "action", 1, {"action": {"min": low, "max": high}}, "file")
    assert by_range.forward(torch.tensor([[-10.0], [10.0], [30.0]])).flatten().tolist() == [-1.0, 0.0, 1.0]
    by_mean = make_normalizer("MEAN_STD", "action", 1, {"action": {"mean": low, "std": high}}, "file")
    assert by_mean.forward(torch.tensor([[-10.0], [20.0]])).flatten().tolist() == [0.0, 1.0]


def test_tokens_end_with_one_newline_and_are_padded_on_the_right() -> None:
    tokenizer = InstructionTokenizer(train_tokenizer(), {"pad_token": "<|im_end|>"})
    tokens, mask = tokenizer(["put the red cube in the blue box", "go home\n"])
    newline = tokenizer(["\n"])[0][0, 0]
    for row, valid in zip(tokens, mask, strict=True):
        length = int(valid.sum())
        assert valid[:length].all()
        assert row[length - 1] == newline
        assert (row[length:] == 2).all()
    assert (tokens == newline).sum() == 2


@pytest.mark.parametrize("side", ["left", "right"])
def test_long_instructions_are_cut_on_the_side_that_the_tokenizer_says(side: str) -> None:
    tokenizer = InstructionTokenizer(train_tokenizer(), {"truncation_side": side}, max_length=48)
    words = "pick up the red cube and " * 40
    tokens, _ = tokenizer([words])
    whole = InstructionTokenizer(train_tokenizer(), {}, max_length=10_000)([words])[0]
    assert tokens.shape == (1, 48)
    assert torch.equal(tokens, whole[:, -48:] if side == "left" else whole[:, :48])


def test_any_text_is_encoded_without_loss(tmp_path: Path) -> None:
    source = train_tokenizer()
    InstructionTokenizer(source, {}).save(tmp_path)
    reread = InstructionTokenizer.from_folder(tmp_path, 10_000)
    text = "lève le cube 赤い at 3.5 cm\n"
    assert source.decode(reread([text])[0][0].tolist()) == text


def test_special_tokens_have_the_published_order() -> None:
    source = train_tokenizer()
    ids = [source.token_to_id(token) for token in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
    assert ids == [0, 1, 2]
    fake, whole = InstructionTokenizer(source, {}).image_token_ids()
    assert 448 == whole < fake < source.get_vocab_size()
