from __future__ import annotations

import torch
from smolvla_ros.model.config import VisionConfig
from smolvla_ros.model.vision import PatchEmbeddings


def test_training_in_bfloat16_places_patches_as_inference_in_float32_does() -> None:
    """Twelfths are no bfloat16 numbers: places reckoned in that type are shifted in half of a picture."""
    torch.manual_seed(0)
    embeddings = PatchEmbeddings(VisionConfig(hidden_size=16, num_attention_heads=2, image_size=96, patch_size=8))
    with torch.no_grad():
        embeddings.patch_embedding.weight.zero_()
        embeddings.patch_embedding.bias.zero_()
    images = torch.zeros(1, 3, 96, 96)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        trained = embeddings(images)
    torch.testing.assert_close(trained.float(), embeddings(images))
    torch.testing.assert_close(trained[0].float(), embeddings.position_embedding.weight)


def test_weights_cast_to_bfloat16_keep_patches_in_their_places() -> None:
    embeddings = PatchEmbeddings(VisionConfig(hidden_size=16, num_attention_heads=2, image_size=96, patch_size=8))
    assert torch.equal(embeddings.positions(12, 12, torch.zeros(1, dtype=torch.bfloat16)), torch.arange(144))
