"""The real classes of transformers with a small random model: Qwen2.5-VL's code, not its weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from smolvla_ros.data.annotation.captioner import Captioner
from smolvla_ros.data.annotation.prompt import prompt_for
from smolvla_ros.data.errors import DatasetError

from .tiny_qwen import save_tiny_qwen

DARK, BRIGHT = (np.full((64, 96, 3), level, np.uint8) for level in (20, 235))


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny_qwen")
    save_tiny_qwen(folder, ["Pick up the cube"])
    return folder


def test_the_model_gets_each_picture_and_the_papers_question_about_the_task(model_folder: Path) -> None:
    captioner = Captioner(str(model_folder), "cpu")
    inputs = captioner.inputs([DARK, BRIGHT, DARK], "task desc.")
    assert len(inputs["image_grid_thw"]) == 3
    said = captioner._processor.batch_decode(inputs["input_ids"])[0]
    assert prompt_for("task desc") in said
    assert "description: task desc. Generate a very short" in said
    assert said.count("<|vision_start|>") == 3
    values = inputs["pixel_values"].reshape(3, -1)
    assert values[0].mean() == values[2].mean() < 0 < values[1].mean()


def test_answers_are_the_same_each_time(model_folder: Path) -> None:
    captioner = Captioner(str(model_folder), "cpu")
    assert captioner([DARK, BRIGHT], "x") == captioner([DARK, BRIGHT], "x")


def test_what_the_model_computes_depends_on_pictures_and_task(model_folder: Path) -> None:
    captioner = Captioner(str(model_folder), "cpu")
    with torch.inference_mode():
        asked = [([DARK], "x"), ([BRIGHT], "x"), ([DARK], "y")]
        logits = [captioner._model(**captioner.inputs(*each)).logits[0, -1] for each in asked]
    assert not torch.allclose(logits[0], logits[1])
    assert not torch.allclose(logits[0], logits[2])


@pytest.mark.parametrize("contents", [None, '{"model_type": "none such"}'])
def test_what_is_no_vision_language_model_is_told(tmp_path: Path, contents: str | None) -> None:
    if contents:
        (tmp_path / "config.json").write_text(contents)
    with pytest.raises(DatasetError, match="expected a vision-language model of transformers, found"):
        Captioner(str(tmp_path), "cpu")
