from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from smolvla_ros.data.feature_statistics import (
    QUANTILES,
    ImageStatistics,
    joined,
    joined_by_feature,
    sampled_frames,
    vector_statistics,
)


@given(st.integers(0, 1000), st.integers(1, 300))
def test_statistics_are_numpys_and_quantiles_within_a_bin(seed: int, frames: int) -> None:
    values = np.random.default_rng(seed).normal(50, 20, (frames, 3)).astype(np.float32)
    found = vector_statistics(values)
    exact = values.astype(np.float64)
    for name in ("min", "max", "mean", "std"):
        np.testing.assert_allclose(found[name], getattr(exact, name)(axis=0), rtol=1e-9, atol=1e-9)
    assert found["count"].tolist() == [frames]
    span = exact.max(axis=0) - exact.min(axis=0)
    for name, share in QUANTILES.items():
        below = (exact <= found[name] + span / 5000 + 1e-6).mean(axis=0)
        above = (exact >= found[name] - span / 5000 - 1e-6).mean(axis=0)
        assert (below >= share - 1e-9).all(), name
        assert (above >= 1 - share - 1e-9).all(), name


def test_a_feature_of_scalars_has_statistics_of_one_number() -> None:
    assert vector_statistics(np.array([1, 2, 3, 6]))["mean"].tolist() == [3.0]


def test_images_are_counted_per_channel_as_a_histogram_of_all_pixels_would_be() -> None:
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (4, 20, 30, 3)).astype(np.uint8)
    made = ImageStatistics()
    for image in images:
        made.add(image)
    found, pixels = made.result(), vector_statistics(images.reshape(-1, 3))
    assert found["count"].tolist() == [4]
    for name in set(found) - {"count"}:
        assert found[name].shape == (3, 1, 1)
        np.testing.assert_allclose(found[name].ravel() * 255, pixels[name], rtol=1e-9, atol=1e-9)


def test_of_large_images_every_fourth_pixel_is_taken_as_lerobot_does() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[::4, ::4] = 255
    made = ImageStatistics()
    made.add(image)
    assert made.result()["min"].ravel().tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(("frames", "samples"), [(1, 1), (40, 40), (300, 100), (1000, 177), (20000, 1681)])
def test_as_many_frames_are_sampled_as_lerobot_samples(frames: int, samples: int) -> None:
    chosen = sampled_frames(frames)
    assert len(chosen) == samples
    assert (chosen[0], chosen[-1]) == (0, frames - 1)
    assert chosen == sorted(chosen)


def test_episodes_joined_are_as_if_counted_together_and_quantiles_are_weighted() -> None:
    random = np.random.default_rng(2)
    parts = [random.normal(m, 1 + m, (n, 2)) for m, n in ((0, 10), (3, 200), (9, 1))]
    found, whole = joined([vector_statistics(part) for part in parts]), vector_statistics(np.concatenate(parts))
    for name in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-12)
    weighted = sum(len(p) * vector_statistics(p)["q50"] for p in parts) / 211
    np.testing.assert_allclose(found["q50"], weighted)


def test_quantiles_are_left_out_where_an_episode_has_none() -> None:
    full = vector_statistics(np.arange(6.0)[:, None])
    old = {name: value for name, value in full.items() if name not in QUANTILES}
    assert set(joined([full, old])) == {"min", "max", "mean", "std", "count"}
    assert set(joined_by_feature([{"action": full}, {"action": full, "new": old}])) == {"action", "new"}
