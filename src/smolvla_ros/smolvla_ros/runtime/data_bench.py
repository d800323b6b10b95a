"""`smolvla bench data`: recording beside the running simulator, and bags to a dataset.

record: the whole simulated graph and the recorder for RECORD_S seconds; `dropped` counts by the publishers' own
sequence numbers, `realtime_factor` is the slower camera's achieved rate over its nominal one, `recorder_cpu` cores;
`ended` says why, where it was before the RECORD_S were over.
convert: made bags of 640x480 pictures, one process a core; `cpu_realtime_factor` is seconds recorded over seconds of
processor time spent on them, times the cores: what a host reaches that does nothing else.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from smolvla_ros.bags.made_bag import make_bag
from smolvla_ros.bags.reader import open_bag
from smolvla_ros.conversion.bags_to_dataset import commit, convert_bags, look_at, open_or_create
from smolvla_ros.conversion.episode import Conversion
from smolvla_ros.embodiment import Embodiment, load_embodiment
from smolvla_ros.recording.episode_recorder import EndReason
from smolvla_ros.runtime.graph import parse_arguments
from smolvla_ros.runtime.session import Session

SEED = 7
RECORD_S, BAG_S, BAGS = 20.0, 20.0, 4
INSTRUCTION = "put the red cube in the blue box"


def rows(peer: Path | None) -> list[dict[str, Any]]:
    """`peer` is not used: LeRobot neither records nor reads bags."""
    with tempfile.TemporaryDirectory(prefix="bench_data_") as folder:
        return [
            _record(Path(folder), "raw"),
            _record(Path(folder), "compressed"),
            _convert(Path(folder), "raw"),
            _convert(Path(folder), "compressed"),
        ]


def _record(folder: Path, images: str) -> dict[str, Any]:
    arguments = parse_arguments(
        [f"seed:={SEED}", "record:=true", f"record_folder:={folder / images}", f"record_images:={images}"]
    )
    with Session(arguments, folder / f"logs_{images}") as session:
        session.wait_ready(lambda text: None)
        session.operator.stop_listening_to_images()
        pid = session.nodes.pids()["recorder"]
        begun_cpu, begun = _cpu_s(pid), time.monotonic()
        session.operator.begin_recording(INSTRUCTION)
        session.operator.run_task(INSTRUCTION, RECORD_S, False, lambda state: True)
        result = session.operator.end_recording()
        cpu = (_cpu_s(pid) - begun_cpu) / (time.monotonic() - begun)
        rate = min(camera.rate_hz for camera in session.embodiment.cameras)
    with open_bag(Path(result.bag_path)) as bag:
        pictures = [count for topic, count in bag.counts.items() if "image_raw" in topic]
        written = sum(file.stat().st_size for file in Path(result.bag_path).iterdir())
    return {
        "step": "record",
        "images": images,
        "duration_s": round(result.duration, 1),
        "messages": result.messages,
        "dropped": result.dropped,
        "ended": "" if EndReason(result.reason) is EndReason.STOPPED else result.message,
        "realtime_factor": round(min(pictures) / result.duration / rate, 3),
        "recorder_cpu": round(cpu, 3),
        "written_mb_per_s": round(written / 1e6 / result.duration, 1),
    }


def _convert(folder: Path, images: str) -> dict[str, Any]:
    robot = load_embodiment()
    bags = [folder / f"made_{images}" / f"bag_{k}" for k in range(BAGS)]
    for bag in bags:
        make_bag(bag, robot, BAG_S, jpeg=images == "compressed")
    return convert_row(bags, folder / f"dataset_{images}", robot, images)


def convert_row(bags: list[Path], root: Path, robot: Embodiment, images: str) -> dict[str, Any]:
    """Converts bags and says how fast."""
    cores = os.cpu_count() or 1
    begun, begun_cpu = time.monotonic(), _own_cpu_s()
    facts = [look_at(bag) for bag in bags]
    embodiment, info = open_or_create(root, facts, robot.path, None, "h264")
    done = convert_bags(root, facts, embodiment, Conversion(info.fps, 0.15), cores)
    info = commit(root)
    taken_s, cpu_s = time.monotonic() - begun, _own_cpu_s() - begun_cpu
    recorded_s = info.total_frames / info.fps
    return {
        "step": "convert",
        "images": images,
        "duration_s": round(recorded_s, 1),
        "messages": sum(facts_of.messages for facts_of in facts),
        "dropped": sum(bool(outcome.refused) for outcome in done),
        "realtime_factor": round(recorded_s / taken_s, 2),
        "cpu_realtime_factor": round(cores * recorded_s / cpu_s, 2),
    }


def _own_cpu_s() -> float:
    """Of this process and of its children that have ended."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
