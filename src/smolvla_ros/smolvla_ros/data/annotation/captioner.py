"""A vision-language model of transformers that says what is done in a few pictures.

Any that `AutoModelForImageTextToText` loads and whose processor has a chat template.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from smolvla_ros.data.annotation.prompt import prompt_for, sentence_of
from smolvla_ros.data.errors import DatasetError, mismatch

PAPERS_MODEL = "Qwen/Qwen2.5-VL-3B-Instruct"
MOST_TOKENS = 40
REMEDY = "give a folder, or a name on the hub that this host can reach, of a model that answers on images and text"


class Captioner:
    """Holds a model. Answers are the likeliest ones: the same each time."""

    def __init__(self, name: str, device: str = "auto") -> None:
        """name: a folder, or a name on the hub. Raises DatasetError: no transformers, no such model."""
        transformers, torch = _libraries()
        transformers.utils.logging.disable_progress_bar()
        self._torch = torch
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        try:
            self._processor = _processor(transformers, name)
            self._model = transformers.AutoModelForImageTextToText.from_pretrained(name, dtype="auto")
        except (OSError, ValueError, ImportError) as error:
            said = next(line for line in [*str(error).splitlines(), type(error).__name__] if line.strip())
            raise mismatch(f"model {name}", "a vision-language model of transformers", said, REMEDY) from None
        if self._processor.chat_template is None:
            raise mismatch(f"model {name}", "a processor with a chat template", "none", REMEDY)
        self._model = self._model.to(self.device).eval()

    def __call__(self, pictures: Sequence[np.ndarray], task: str) -> str:
        """A short sentence on pictures (height, width, 3) uint8 RGB in order of time; "" where it says nothing."""
        inputs = self.inputs(pictures, task).to(self.device)
        with self._torch.inference_mode():
            answer = self._model.generate(**inputs, max_new_tokens=MOST_TOKENS, do_sample=False)
        asked = inputs["input_ids"].shape[1]
        return sentence_of(self._processor.batch_decode(answer[:, asked:], skip_special_tokens=True)[0])

    def inputs(self, pictures: Sequence[np.ndarray], task: str) -> Any:
        """What the model is given."""
        from PIL import Image

        shown = [{"type": "image", "image": Image.fromarray(picture)} for picture in pictures]
        said = {"type": "text", "text": prompt_for(task)}
        return self._processor.apply_chat_template(
            [{"role": "user", "content": [*shown, said]}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )


def _libraries() -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError as error:
        remedy = "install it: pip install 'smolvla_ros[annotate]'"
        raise DatasetError(f"annotation: expected transformers, found none ({error}); {remedy}") from None
    return transformers, torch


def _processor(transformers: Any, name: str) -> Any:
    """The model's own; where transformers lacks what its videos need, one for images and text alone."""
    try:
        return transformers.AutoProcessor.from_pretrained(name)
    except ImportError:
        return _processor_of_images(transformers, name)


def _processor_of_images(transformers: Any, name: str) -> Any:
    """Videos' processors need torchvision, of a build that fits torch; no video is given here."""
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    whole = PROCESSOR_MAPPING[type(transformers.AutoConfig.from_pretrained(name))]

    class OfImages(whole):  # type: ignore[misc, valid-type]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

    parts = dict.fromkeys(whole.get_attributes())
    tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    parts |= {"tokenizer": tokenizer, "image_processor": transformers.AutoImageProcessor.from_pretrained(name)}
    return OfImages(**parts, chat_template=tokenizer.chat_template)
