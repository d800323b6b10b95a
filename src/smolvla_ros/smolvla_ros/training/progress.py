"""How a run is going: a bar with the time left on a terminal, a line at each point of the curves elsewhere."""

from __future__ import annotations

import time
from typing import TextIO

from tqdm import tqdm


class TrainingProgress:
    """Of steps from `first` to `last`, on `stream`; silent where there is none."""

    def __init__(self, first: int, last: int, stream: TextIO | None) -> None:
        self._first, self._last, self._stream = first, last, stream
        self._began = time.monotonic()
        terminal = stream is not None and stream.isatty()
        self._bar = tqdm(total=last, initial=first, file=stream, unit="step", disable=not terminal, smoothing=0.05)

    def step(self) -> None:
        self._bar.update()

    def point(self, step: int, loss: float, samples_per_s: float) -> None:
        """At a point of the curves."""
        if not self._bar.disable:
            self._bar.set_postfix_str(f"loss {loss:.4f}, {samples_per_s:.0f} samples/s")
            return
        elapsed = time.monotonic() - self._began
        left = elapsed / max(1, step - self._first) * (self._last - step)
        self.say(f"step {step}/{self._last}  loss {loss:.4f}  {samples_per_s:.1f} samples/s  {_clock(left)} left")

    def say(self, text: str) -> None:
        if self._stream is not None:
            self._bar.write(text, file=self._stream)
            self._stream.flush()

    def close(self) -> None:
        self._bar.close()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
