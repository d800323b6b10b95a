"""What only a C++ program can show: no allocation in the control cycle, and a parser that survives sanitizers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import so100_hardware

PACKAGE = Path(__file__).parents[1]
PREFIX = Path(so100_hardware.__file__).parents[4]  # where colcon installed the library and its headers
SEED = 7


def compile_and_run(tmp_path: Path, name: str, compile_options: list[str | Path], *arguments: str) -> str:
    program = tmp_path / name
    source = PACKAGE / "test/native" / f"{name}.cpp"
    subprocess.run(
        ["c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", source, *compile_options, "-o", program], check=True
    )
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_control_cycle_allocates_nothing_whatever_happens(tmp_path: Path) -> None:
    library = ["-O2", f"-I{PREFIX / 'include'}", PREFIX / "lib/libso100_bus.a", "-lpthread", "-lutil"]
    said = compile_and_run(tmp_path, "cycle_allocations", library)
    assert said.startswith("0 allocations in 300 cycles")


def test_the_packet_parser_survives_whatever_a_broken_line_sends(tmp_path: Path) -> None:
    sanitized = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    options = [*sanitized, f"-I{PACKAGE / 'include'}", PACKAGE / "src/packet.cpp"]
    said = compile_and_run(tmp_path, "fuzz_packet_parser", options, "20000", str(SEED))
    assert int(re.search(r"(\d+) packets found", said)[1]) > 10_000
