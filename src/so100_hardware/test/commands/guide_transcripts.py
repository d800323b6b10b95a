"""What the commands of docs/so100_command.md print, on virtual arms. Run as a program it writes them into the guide.

python src/so100_hardware/test/commands/guide_transcripts.py
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent))

from scripted_operator import Answer, HandMovedArm, ScriptedConsole
from so100_hardware.arm_file import default_arm_file, load_arm_file
from so100_hardware.cli import main
from so100_hardware.commands import setup_motors, udev
from so100_hardware.workshop.pose_check import POSES
from so100_hardware.workshop.serial_ports import serial_ports, usb_adapter
from usb_tree import usb_tree

from so100_hardware import VirtualBus

GUIDE = Path(__file__).parents[4] / "docs" / "so100_command.md"
BLOCK = re.compile(r"```console\n\$ (?P<command>[^\n]*)\n.*?```", re.DOTALL)
# How far each horn was screwed on from where the general file has it, in ticks.
MOUNTED = (310, -1290, 845, 20, 777, -405)
SWEPT = (0, 1, 2, 3, 5)


@dataclass
class Story:
    """One arm from the box to its first leader. `found` is command line -> what it printed, in order."""

    folder: Path
    names: dict[str, str] = field(default_factory=dict)  # what stands here -> what the guide calls it
    found: dict[str, str] = field(default_factory=dict)

    def play(
        self,
        command: str,
        answers: Sequence[Answer] = (),
        sweep: Sequence[Callable[[], object]] = (),
        live: bool = True,
    ) -> None:
        words = command.split()[1:]
        for here, called in self.names.items():
            words = [here if word == called else word for word in words]
        console = ScriptedConsole(answers, sweep)
        with redirect_stderr(StringIO()) as errors:
            main(words, console)
        lines = [line for line in console.transcript if live or line not in console.live]
        text = "\n".join([*lines, *errors.getvalue().splitlines()])
        for here, called in sorted(self.names.items(), key=lambda name: -len(name[0])):
            text = text.replace(here, called)
        self.found[command] = "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n"


def tell(folder: Path) -> dict[str, str]:
    """Goes to this folder and runs every command of the guide there: command line -> output."""
    story = Story(folder, {str(folder): "~"})
    base = load_arm_file(default_arm_file())
    os.chdir(folder)
    with patch.object(setup_motors, "LISTEN_S", 0.03):
        with VirtualBus([1, 2, 3, 4, 5, 26]) as virtual:
            story.names[virtual.port] = "/dev/ttyACM0"
            for servo_id in (1, 2, 3, 4, 5):
                virtual.inject_fault(f"mute servo {servo_id}")
            story.play("so100 setup-motors --port /dev/ttyACM0 --joint gripper", [""])
            virtual.inject_fault("clear")
            middles = [sum(j.range_ticks) // 2 + m for j, m in zip(base.joints, MOUNTED, strict=True)]
            arm = HandMovedArm(virtual, middles)
            story.play("so100 doctor --port /dev/ttyACM0")
            story.play("so100 doctor --port /dev/ttyACM0 --fix", ["y"])
            ends = [[t + m for t in j.range_ticks] for j, m in zip(base.joints, MOUNTED, strict=True)]
            sweep = [step for i in SWEPT for step in arm.steps(i, *ends[i], middles[i])]
            story.play("so100 calibrate --port /dev/ttyACM0 -o my_arm.json", ["", "y"], sweep)
            story.play("so100 doctor --port /dev/ttyACM0 --calibration my_arm.json")
            story.play("so100 embodiment --calibration my_arm.json -o my_arm.yaml")
            Path("config").symlink_to(GUIDE.parents[1] / "config")
            story.play("so100 embodiment --calibration my_arm.json --base config/so101.yaml -o my_so101.yaml")
            poses = [
                [j.ticks(pose.angle_rad("so100", j)) + m for j, m in zip(base.joints, MOUNTED, strict=True)]
                for pose in POSES
            ]
            held = [lambda to=pose: arm.move(to) for pose in poses]
            story.play("so100 verify --port /dev/ttyACM0 --arm my_arm.yaml", held)
            wrong = Path("my_arm.yaml").read_text().replace("sign: -1", "sign: 1", 1)
            Path("wrong_arm.yaml").write_text(wrong)
            story.play("so100 verify --port /dev/ttyACM0 --arm wrong_arm.yaml", held)
            arm.move(middles)
            with VirtualBus() as leader:
                story.names[leader.port] = "/dev/ttyACM1"
                story.play(
                    "so100 teleop --leader /dev/ttyACM1 --follower /dev/ttyACM0 --follower-arm my_arm.yaml",
                    sweep=[lambda: None] * 50,
                    live=False,
                )
            story.play("so100 convert my_arm.json -o main_follower.json")
        usb_tree(folder, ("ttyACM0", "1a86", "5A46082819"))
        story.names = {str(folder / "dev/ttyACM0"): "/dev/ttyACM0"}
        with (
            patch.object(udev, "serial_ports", lambda: serial_ports(folder)),
            patch.object(udev, "usb_adapter", lambda tty: usb_adapter(tty, folder)),
        ):
            story.play("so100 udev --port /dev/ttyACM0")
    return story.found


def written_into(guide: str, found: dict[str, str]) -> str:
    """The guide with each command's output behind it. Raises KeyError for a command that the story lacks."""
    return BLOCK.sub(lambda m: f"```console\n$ {m['command']}\n{found[m['command']]}```", guide)


if __name__ == "__main__":
    os.environ["COLUMNS"] = "80"
    with tempfile.TemporaryDirectory() as scratch:
        GUIDE.write_text(written_into(GUIDE.read_text(), tell(Path(scratch))))
