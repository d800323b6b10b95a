"""What Rerun shows of a running arm: cameras, joint curves, the coming motion, the instruction, the executor's state.

    log = RerunLog(joint_names, cameras, Path("run.rrd"))      # None: the viewer opens
    log.joints(stamp_s, positions)

rerun-sdk is optional: a wheel of 170 MB, 500 MB installed, that brings its own viewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smolvla_ros.runtime.errors import OperatorError

REQUIREMENT = "rerun-sdk==0.41.0"
APPLICATION = "smolvla"
CLOCK = "robot"
JPEG_QUALITY = 80
CHUNK_COLOUR, MOTION_COLOUR = (51, 128, 255), (255, 140, 25)
WAY_RADIUS_M = 0.002


class RerunMissing(OperatorError):
    """rerun-sdk is not installed."""


class RerunLog:
    """Everything is logged on the timeline `robot`, in s of the robot's clock. Raises RerunMissing."""

    def __init__(self, joint_names: Sequence[str], cameras: Sequence[str], save: Path | None) -> None:
        try:
            import rerun
            import rerun.blueprint
        except ImportError as error:
            raise RerunMissing(f"smolvla view needs Rerun ({error}): pip install {REQUIREMENT}") from error
        self._rerun, self._names = rerun, tuple(joint_names)
        self._stream = rerun.RecordingStream(APPLICATION)
        if save is None:
            self._stream.spawn()
        else:
            save.parent.mkdir(parents=True, exist_ok=True)
            self._stream.save(save)
        self._stream.send_blueprint(_blueprint(rerun.blueprint, self._names, cameras))
        self._stream.log("arm", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)

    def image(self, camera: str, stamp_s: float, image: np.ndarray) -> None:
        """(height, width, 3) uint8 RGB; kept as JPEG."""
        self._at(stamp_s)
        self._stream.log(f"cameras/{camera}", self._rerun.Image(image).compress(jpeg_quality=JPEG_QUALITY))

    def joints(self, stamp_s: float, positions: np.ndarray) -> None:
        """Measured positions (joints,) rad."""
        self._at(stamp_s)
        for name, position in zip(self._names, positions.tolist(), strict=True):
            self._stream.log(f"joints/{name}/measured", self._rerun.Scalars(position))

    def chunk(self, stamps_s: np.ndarray, rows: np.ndarray, way: np.ndarray) -> None:
        """What the policy asks for: rows (rows, joints) rad for stamps_s (rows,), whose finger tips go along way
        (rows, 3) m.
        """
        self._curves("chunk", stamps_s, rows)
        self._at(float(stamps_s[0]))
        self._stream.log("arm/chunk", self._rerun.Points3D(way, colors=CHUNK_COLOUR, radii=WAY_RADIUS_M))

    def motion(self, stamps_s: np.ndarray, rows: np.ndarray, way: np.ndarray) -> None:
        """What was sent to the controller, in the same terms."""
        self._curves("sent", stamps_s, rows)
        self._at(float(stamps_s[0]))
        self._stream.log("arm/motion", self._rerun.LineStrips3D([way], colors=MOTION_COLOUR, radii=WAY_RADIUS_M))

    def state(self, stamp_s: float, mode: str, reason: str, instruction: str, queued_rows: int) -> None:
        """What the executor does, and why it holds."""
        self._at(stamp_s)
        self._stream.log("executor/queue", self._rerun.Scalars(queued_rows))
        told = f"# {instruction or 'no task'}\n\n{mode}" + (f": {reason}" if reason else "")
        self._stream.log("instruction", self._rerun.TextDocument(told, media_type=self._rerun.MediaType.MARKDOWN))

    def close(self) -> None:
        """Everything is written."""
        self._stream.flush()
        self._stream.disconnect()

    def _at(self, stamp_s: float) -> None:
        self._stream.set_time(CLOCK, timestamp=stamp_s)

    def _curves(self, kind: str, stamps_s: np.ndarray, rows: np.ndarray) -> None:
        times = self._rerun.TimeColumn(CLOCK, timestamp=stamps_s)
        for name, curve in zip(self._names, rows.T, strict=True):
            self._stream.send_columns(
                f"joints/{name}/{kind}", indexes=[times], columns=self._rerun.Scalars.columns(scalars=curve)
            )


def _blueprint(b: Any, names: Sequence[str], cameras: Sequence[str]) -> Any:
    """Where each thing is shown."""
    views = [b.Spatial2DView(origin=f"cameras/{camera}", name=camera) for camera in cameras]
    curves = [b.TimeSeriesView(origin=f"joints/{name}", name=name) for name in names]
    left = b.Vertical(b.Spatial3DView(origin="arm", name="coming motion"), b.Horizontal(*views), row_shares=[3, 2])
    right = b.Vertical(
        b.TextDocumentView(origin="instruction", name="instruction"),
        *curves,
        b.TimeSeriesView(origin="executor/queue", name="queue (rows)"),
    )
    return b.Blueprint(b.Horizontal(left, right, column_shares=[3, 2]), collapse_panels=True)
