"""Runs the console blocks of one guide, in order, in one folder.

The folder holds a link to `config`, the guide's titled blocks as files, and what `found_there` puts into it. A command
ends with 0; one that should not says so by `; echo $?`. Commands of `so100` talk to a virtual arm and to an operator
who is played: their output is that of docs/so100_command.md's story.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fences import ROOT, Step, fences, matches, steps

TIME_LIMIT_S = 300.0


class GuideIsWrong(AssertionError):
    """A command failed, or printed what the guide does not show. The message holds both."""


@dataclass(frozen=True)
class Reader:
    """Somebody who types what the guide says. told: commands that are not run here -> their output."""

    folder: Path
    domain: int
    told: Mapping[str, str]

    def go_through(self, page: Path, found_there: Callable[[Path], None] = lambda folder: None) -> int:
        """How many commands there were. Raises GuideIsWrong."""
        (self.folder / "config").symlink_to(ROOT / "config")
        for fence in fences(page):
            if fence.title:
                (self.folder / fence.title).write_text(fence.text)
        found_there(self.folder)
        found = [(console, step) for console in fences(page, "console") for step in steps(console)]
        for console, step in found:
            printed = self.told[step.command] if step.command in self.told else self._run(f"{console}", step)
            if not matches(step.shown, printed.splitlines()):
                sides = "\n".join(["--- the guide shows", *step.shown, "--- it prints", printed])
                raise GuideIsWrong(f"{console}: $ {step.command}\n{sides}")
        return len(found)

    def _run(self, where: str, step: Step) -> str:
        done = subprocess.run(
            ["bash", "-c", step.command],
            cwd=self.folder,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PYTHONPATH": f"{self.folder}:{os.environ.get('PYTHONPATH', '')}",
                "ROS_DOMAIN_ID": str(self.domain),
                "COLUMNS": "120",
                "HF_HUB_OFFLINE": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TIME_LIMIT_S,
        )
        if done.returncode != 0:
            raise GuideIsWrong(f"{where}: $ {step.command}\nended with {done.returncode}:\n{done.stdout}")
        return done.stdout
