"""Curves of an episode's numbers as SVG, one small drawing a component."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

WIDTH, HEIGHT, MARGIN = 360, 96, 6
COLOURS = {"observation.state": "#2a78d6", "action": "#d65f2a"}
OTHER_COLOURS = ("#3a8f4d", "#8a4fbf", "#7a7a7a")


def drawing(title: str, unit: str, lines: Mapping[str, np.ndarray], seconds: float) -> str:
    """An `<svg>` of several lines (frames,) over one time axis, with the least and the greatest value beside it."""
    values = np.concatenate([np.asarray(line, dtype=float) for line in lines.values()])
    low, high = float(values.min()), float(values.max())
    paths = "".join(
        f'<polyline points="{_points(np.asarray(line, dtype=float), low, high)}" stroke="{colour_of(name, place)}">'
        f"<title>{escape(name)}</title></polyline>"
        for place, (name, line) in enumerate(lines.items())
    )
    return (
        f'<figure><figcaption>{escape(title)} <span class="unit">{escape(unit)}</span></figcaption>'
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" data-seconds="{seconds:.6f}" preserveAspectRatio="none">'
        f'{paths}<line class="now" x1="{MARGIN}" x2="{MARGIN}" y1="0" y2="{HEIGHT}"/></svg>'
        f'<div class="range"><span>{low:.4g} to {high:.4g}</span><span>{seconds:.1f} s</span></div></figure>'
    )


def colour_of(name: str, place: int) -> str:
    return COLOURS.get(name, OTHER_COLOURS[place % len(OTHER_COLOURS)])


def _points(line: np.ndarray, low: float, high: float) -> str:
    x = np.linspace(MARGIN, WIDTH - MARGIN, len(line)) if len(line) > 1 else np.array([WIDTH / 2])
    y = HEIGHT - MARGIN - (line - low) / max(high - low, 1e-9) * (HEIGHT - 2 * MARGIN)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
