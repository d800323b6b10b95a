"""Reads a command line as the program would that it is for, without running it.

check("smolvla run hardware_type:=real usb_port:=/dev/ttyACM0")      # raises WrongCommand
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import importlib.util
import io
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml
from fences import ROOT
from smolvla_ros.cli import make_parser as smolvla_parser
from smolvla_ros.nodes import executor, policy, recorder, simulator
from smolvla_ros.runtime.graph import ARGUMENTS, ArgumentError, parse_arguments
from so100_hardware.cli import make_parser as so100_parser

PARAMETERS = {
    node.__name__.rsplit(".", 1)[1]: {p.name for p in node.PARAMETERS}
    for node in (executor, policy, recorder, simulator)
}
NODE_SOURCES = "".join(
    path.read_text()
    for pattern in ("*/*/nodes/*.py", "so100_hardware/src/**/*.cpp")
    for path in sorted((ROOT / "src").glob(pattern))
)
LAUNCH_FILES = {
    path.name: path for pattern in ("launch/*.launch.py", "src/*/launch/*.launch.py") for path in ROOT.glob(pattern)
}
WRAPPERS = ("sudo", "plain_host/in_environment.sh")
TRANSITIONS = ("configure", "activate", "deactivate", "cleanup", "shutdown")


class WrongCommand(AssertionError):
    """The program would not take this line. The message says why."""


def check(line: str) -> None:
    """Each command of the line: those behind `&&`, `;` and pipes too, and those inside `$( )`. Raises WrongCommand."""
    for words in _simple_commands(line):
        while words and (re.fullmatch(r"[A-Z_0-9]+=.*", words[0]) or words[0] in WRAPPERS):
            words = words[1:]
        if words:
            program = words[0]
            if program not in PROGRAMS:
                raise WrongCommand(f"{line}: no reader for '{program}'; there are: {', '.join(sorted(PROGRAMS))}")
            PROGRAMS[program]([word for word in words[1:] if word != "..."])


def _simple_commands(line: str) -> list[list[str]]:
    """The words of each command of the line, without what is written to and read from."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split = True
    found: list[list[str]] = []
    open_commands: list[list[str]] = [[]]
    for token in lexer:
        if token.endswith("(") and set(token) <= set("<("):
            open_commands.append([])
        elif token == ")":
            found.append(open_commands.pop())
            open_commands[-1].append("SUBSTITUTED")
        elif set(token) <= set(";|&"):
            found.append(open_commands[-1])
            open_commands[-1] = []
        elif set(token) <= set("<>"):
            open_commands[-1].append(next(lexer) and "...")
        else:
            open_commands[-1].append(token)
    return [words for words in (*found, *open_commands) if words]


def _parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            return parser.parse_args(words)
        except SystemExit as end:
            if end.code:
                raise WrongCommand(f"{' '.join(words)}: {said.getvalue()}") from None
            return argparse.Namespace()


def _smolvla(words: Sequence[str]) -> None:
    options = _parsed(smolvla_parser(), words)
    _launch_arguments(getattr(options, "arguments", []))


def _launch_arguments(words: Sequence[str]) -> None:
    try:
        parse_arguments(words)
    except ArgumentError as error:
        raise WrongCommand(str(error)) from None


def _so100(words: Sequence[str]) -> None:
    _parsed(so100_parser(), words)


def _make(words: Sequence[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        name, given, _ = word.partition("=")
        pattern = (
            rf"^{name} \?=" if given else rf"^[a-z -]*\b{name}\b[a-z -]*:" if "bench-" not in name else r"^bench-%:"
        )
        if not re.search(pattern, makefile, re.MULTILINE):
            raise WrongCommand(f"make {word}: Makefile has no such target or variable")


def _python(words: Sequence[str]) -> None:
    if words[0] == "-c":
        ast.parse(words[1])
    elif words[:2] in (["-m", "colcon"], ["-m", "venv"], ["-m", "pytest"]):
        _paths_exist(words)
    elif words[0] == "-m":
        spec = importlib.util.find_spec(words[1])
        if spec is None or spec.origin is None:
            raise WrongCommand(f"python -m {words[1]}: no such module")
        package = spec.submodule_search_locations
        _options_are_in(words[2:], *(sorted(Path(package[0]).glob("*.py")) if package else [Path(spec.origin)]))
    else:
        _paths_exist(words)


def _options_are_in(words: Sequence[str], *sources: Path) -> None:
    """Options of programs whose parser stands inside main()."""
    text = "".join(source.read_text() for source in sources)
    for option in (word.split("=")[0] for word in words if word.startswith("--")):
        if option not in re.findall(r"--[a-z][a-z-]*", text):
            raise WrongCommand(f"{option}: not in {', '.join(str(source) for source in sources)}")


def _paths_exist(words: Sequence[str]) -> None:
    """Words that name files of the repository."""
    for word in words:
        if re.match(r"(src|config|docker|plain_host|docs|launch)(/|$)", word) and not (ROOT / word).exists():
            raise WrongCommand(f"{word}: not in the repository")


def _accelerate(words: Sequence[str]) -> None:
    if words[:1] != ["launch"] or "-m" not in words:
        raise WrongCommand(f"accelerate {' '.join(words)}: expected launch ... -m MODULE")
    after = words[words.index("-m") + 1 :]
    if after[0] != "smolvla_ros.cli":
        raise WrongCommand(f"accelerate launch -m {after[0]}: expected smolvla_ros.cli")
    _smolvla(after[1:])


def _ros2(words: Sequence[str]) -> None:
    verb = " ".join(words[: 1 if words[0] in ("launch", "run", "doctor") else 2])
    if verb not in ROS2:
        raise WrongCommand(f"ros2 {verb}: no reader; there are: {', '.join(ROS2)}")
    ROS2[verb](words[len(verb.split()) :])


def _ros2_launch(words: Sequence[str]) -> None:
    package, file, *arguments = words
    if file not in LAUNCH_FILES or package not in ("smolvla_ros", LAUNCH_FILES[file].parts[-3]):
        raise WrongCommand(f"ros2 launch {package} {file}: no such file")
    graph_names = {argument.name for argument in ARGUMENTS}
    sources = "".join(path.read_text() for path in LAUNCH_FILES.values())
    own = {name for name in re.findall(r'LaunchArgument\(\s*"(\w+)"', sources)}
    named = [word for word in arguments if ":=" in word]
    _launch_arguments([word for word in named if word.split(":=")[0] in graph_names])
    for word in arguments:
        if word != "--show-args" and word.split(":=")[0] not in graph_names | own:
            raise WrongCommand(f"ros2 launch {file}: no argument '{word}'")


def _ros2_run(words: Sequence[str]) -> None:
    package, program, *rest = words
    if package in ("image_transport", "camera_calibration", "v4l2_camera", "usb_cam"):
        return  # not ours, and not on every machine that runs this test
    folder = ROOT / "src" / package
    entry_points = (folder / "setup.py").read_text() if (folder / "setup.py").is_file() else ""
    built = "".join(path.read_text() for path in folder.glob("CMakeLists.txt"))
    if f'"{program} = ' not in entry_points and program not in built:
        raise WrongCommand(f"ros2 run {package} {program}: no such program")
    for name in re.findall(r"-p (\w+):=", " ".join(rest)):
        if program in PARAMETERS and name not in PARAMETERS[program] | {"autostart"}:
            raise WrongCommand(f"ros2 run {package} {program}: no parameter '{name}'")


def _interface(words: Sequence[str]) -> None:
    """NAME TYPE [YAML] of `service call`, `action send_goal` and `topic pub`."""
    words = [word for word in words if not word.startswith("-")]
    _named_in_sources(words[:1])
    package, kind, name = words[1].split("/")
    found = getattr(importlib.import_module(f"{package}.{kind}"), name)
    filled = found.Request if kind == "srv" else found.Goal if kind == "action" else found
    for field in yaml.safe_load(words[2]) if len(words) > 2 else ():
        if field not in filled.get_fields_and_field_types():
            raise WrongCommand(f"{words[1]}: no field '{field}'")


def _named_in_sources(words: Sequence[str]) -> None:
    for word in words:
        if word.startswith("/") and word.rsplit("/", 1)[1] not in NODE_SOURCES:
            raise WrongCommand(f"{word}: no node has such a topic, service or action")


def _lifecycle(words: Sequence[str]) -> None:
    node, transition = words[0].rsplit("/", 1)[-1], words[1]
    if node not in PARAMETERS or transition not in TRANSITIONS:
        raise WrongCommand(f"ros2 lifecycle set {' '.join(words)}: no such managed node or transition")


def _parameter(words: Sequence[str]) -> None:
    node, name = words[0].rsplit("/", 1)[-1], words[1]
    if name not in PARAMETERS.get(node, ()):
        raise WrongCommand(f"ros2 param set {' '.join(words)}: no such parameter")


def _anything(words: Sequence[str]) -> None:
    """Programs of others: only what they name of this repository is looked up."""
    _paths_exist(words)


OTHERS = (
    *("apt-get", "cd", "cmake", "colcon", "cp", "docker", "git", "pip", "rosdep", "rviz2", "source", ".", "udevadm"),
    *("usermod", "v4l2-ctl", "xacro", "cat", "mkdir", "sed"),
)
ROS2: dict[str, Callable[[Sequence[str]], None]] = {
    "launch": _ros2_launch,
    "run": _ros2_run,
    "doctor": _anything,
    "service call": _interface,
    "action send_goal": _interface,
    "topic pub": _interface,
    "topic echo": _named_in_sources,
    "topic hz": _named_in_sources,
    "lifecycle set": _lifecycle,
    "param set": _parameter,
    "pkg prefix": _anything,
    "control list_controllers": _anything,
    "bag record": _anything,
    "bag info": _anything,
    "node list": _anything,
}
PROGRAMS: dict[str, Callable[[Sequence[str]], None]] = {
    "smolvla": _smolvla,
    "so100": _so100,
    "so100_virtual_bus": lambda words: _options_are_in(words, ROOT / "docs/virtual_bus.md"),
    "make": _make,
    "python": _python,
    "python3": _python,
    "accelerate": _accelerate,
    "ros2": _ros2,
    **dict.fromkeys(OTHERS, _anything),
}
