"""Which episodes an operator means: "0-4,7", or a share of all."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from smolvla_ros.data.errors import mismatch


def episodes_named(text: str, episodes: int) -> list[int]:
    """Of "0-4,7" the numbers, in this order. Raises DatasetError: no such form, no such episode, one named twice."""
    found: list[int] = []
    for item in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", item)
        if not match:
            raise mismatch(f"episodes '{text}'", "numbers and ranges like 0-4,7", f"'{item}'", "name them so")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < episodes:
            raise mismatch(f"episodes '{text}'", f"numbers from 0 to {episodes - 1}", f"'{item}'", "name some of these")
        found += range(first, last + 1)
    twice = sorted({index for index in found if found.count(index) > 1})
    if twice:
        raise mismatch(f"episodes '{text}'", "each episode once", f"{twice} twice", "name them once")
    return found


def split_episodes(wanted: Mapping[str, str], episodes: int, seed: int | None) -> dict[str, list[int]]:
    """Name -> episodes. wanted: shares that sum up to at most 1, or numbers and ranges, for all names alike.

    Shares take the episodes in order, or shuffled by a seed. Raises DatasetError: neither, a split without episodes, an
    episode in two.
    """
    if all("." in text or text == "1" for text in wanted.values()):
        return _by_shares({name: _share(name, text) for name, text in wanted.items()}, episodes, seed)
    if seed is not None:
        raise mismatch("seed", "splits by shares like train=0.8", "splits by episodes", "leave the seed out")
    found = {name: episodes_named(text, episodes) for name, text in wanted.items()}
    every = [index for indices in found.values() for index in indices]
    twice = sorted({index for index in every if every.count(index) > 1})
    if twice:
        raise mismatch("splits", "each episode in one split", f"{twice} in two", "name them once")
    return found


def _share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise mismatch(f"split {name}", "a share above 0, up to 1", f"'{text}'", "give shares like train=0.8 val=0.2")
    return share


def _by_shares(shares: Mapping[str, float], episodes: int, seed: int | None) -> dict[str, list[int]]:
    total = sum(shares.values())
    if total > 1 + 1e-9:
        raise mismatch("splits", "shares that sum up to at most 1", f"{total:g}", "give shares like train=0.8 val=0.2")
    order = np.arange(episodes) if seed is None else np.random.default_rng(seed).permutation(episodes)
    edges = np.round(np.cumsum([0.0, *shares.values()]) * episodes).astype(int)
    found = {name: sorted(order[a:b].tolist()) for name, a, b in zip(shares, edges, edges[1:], strict=False)}
    for name, indices in found.items():
        if not indices:
            remedy = "give it a larger share"
            raise mismatch(f"split {name}", "at least one episode", f"{shares[name]:g} of {episodes}", remedy)
    return found
