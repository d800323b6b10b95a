"""docs/virtual_bus.md: its commands run, and its tables are the program's and the language's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import so100_hardware
from so100_hardware import VirtualBus

PREFIX = Path(so100_hardware.__file__).parents[4]
PROGRAM = PREFIX / "lib/so100_hardware/so100_virtual_bus"
GUIDE = (Path(__file__).parents[3] / "docs/virtual_bus.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def code(language: str, holding: str) -> str:
    (found,) = [block for block in blocks(language) if holding in block]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the guide's program serves, instead of /tmp."""
    (command,) = [block for block in blocks("sh") if block.startswith("so100_virtual_bus")]
    arguments = command.replace("/tmp/", f"{tmp_path}/").split()[1:]
    with subprocess.Popen([str(PROGRAM), *arguments], stdin=subprocess.PIPE) as program:
        deadline = time.monotonic() + 10.0
        while not (tmp_path / "so100").is_symlink():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield tmp_path
        program.terminate()
        assert program.wait(10) == 0
    assert "homing_offset 0" in (tmp_path / "so100.eeprom").read_text()


def test_its_python_runs(folder: Path) -> None:
    for holding in ("import os", "start_ticks=ticks", "virtual.record()"):
        text = code("python", holding).replace("/tmp/", f"{folder}/")
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        if holding == "import os":
            assert done.stdout == "2048\n"


def test_its_fixture_works(tmp_path: Path) -> None:
    file = tmp_path / "test_guide.py"
    file.write_text(code("python", "@pytest.fixture"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_its_cpp_compiles_and_runs(tmp_path: Path) -> None:
    source, program = tmp_path / "guide.cpp", tmp_path / "guide"
    source.write_text(code("cpp", "int main"))
    options = ["-std=c++17", "-Wall", "-Werror", f"-I{PREFIX / 'include'}"]
    library = [str(PREFIX / "lib/libso100_bus.a"), "-lpthread", "-lutil"]
    subprocess.run(["c++", *options, str(source), *library, "-o", str(program)], check=True)
    assert subprocess.run([program], check=False, timeout=10).returncode == 0


def test_its_script_and_every_kind_and_option_in_its_tables_are_the_language_s(virtual: VirtualBus) -> None:
    script = "\n".join(
        line.strip() for line in re.findall(r"^    (.*)$", GUIDE.split("## Faults")[1], re.MULTILINE)[:3]
    )
    assert script.startswith("at 2.0 mute")
    virtual.inject_fault(re.sub(r"^(at \S+ )?", "at 100 ", script, flags=re.MULTILINE))
    cells = re.findall(r"^\| `([^`]+)`", GUIDE.split("## Faults")[1].split("## Records")[0], re.MULTILINE)
    named = {re.sub(r"[ \[]*(\[|[A-Z]).*", "", cell.replace("[N] ", "")) for cell in cells}
    kinds = set(virtual.fault_counters) | {"clear"}
    assert kinds <= {re.sub(r" by$| to$", "", name) for name in named}
    values = {
        "S": "1",
        "P": "0.5",
        "N": "3",
        "C": "70",
        "V": "6",
        "REGISTER": "lock",
        "VALUE": "1",
        "HEX": "ff",
        "KIND": "mute",
    }
    for cell in cells:
        words = re.sub(
            r"\b[A-Z]+\b", lambda m: values[m[0]], cell.replace(" ...", "").replace("[", "").replace("]", "")
        )
        kind_first = any(words.startswith(k.split()[0]) for k in kinds)
        base = "lose packets" if "requests" in words else "foreign bytes"
        virtual.inject_fault(words if kind_first else f"at 100 {base} {words}")


def test_its_options_are_the_program_s() -> None:
    said = subprocess.run([str(PROGRAM), "--help"], capture_output=True, text=True, check=True, timeout=10).stdout
    options = set(re.findall(r"^  (--[\w-]+)", said, re.MULTILINE)) - {"--help"}
    assert options == set(re.findall(r"^\| `(--[\w-]+)", GUIDE, re.MULTILINE))


def test_the_places_that_it_names_exist() -> None:
    root = Path(__file__).parents[3]
    assert (root / "src/smolvla_msgs/srv/InjectFault.srv").is_file()
    for header in re.findall(r"so100_hardware/(\w+\.hpp)", GUIDE):
        assert os.path.isfile(root / "src/so100_hardware/include/so100_hardware" / header)
