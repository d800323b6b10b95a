"""Makes the ROS wheels' CMake exports usable in the environment they were installed into.

The exports name folders of the machine that built the wheels (Python's headers, numpy's, a system tinyxml2). Each is
rewritten to this environment's own, or dropped where nothing replaces it. Run after every installation of wheels; a
second run changes nothing. Prints how many files it changed.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

BUILD_PYTHON = re.compile(r"/opt/(?:_internal|python)/[^;\"\s>]*?/include/python3\.\d+")
BUILD_NUMPY = re.compile(r"/opt/(?:_internal|python)/[^;\"\s>]*?/numpy/(?:_core|core)/include")
BUILD_TINYXML2 = re.compile(r";?/usr/lib64/libtinyxml2\.so")
PTH = "ament_prefix.pth"


def rewritten(text: str, python_include: str, numpy_include: str) -> str:
    """The export's text with the build machine's folders replaced."""
    text = BUILD_NUMPY.sub(numpy_include, text)
    text = BUILD_PYTHON.sub(python_include, text)
    return BUILD_TINYXML2.sub("", text)


def fix_exports(prefix: Path) -> int:
    """Rewrites every export below `prefix`; returns the number of files changed."""
    import numpy

    python_include, numpy_include = sysconfig.get_path("include"), numpy.get_include()
    changed = 0
    for path in sorted(prefix.glob("share/*/cmake/*.cmake")):
        before = path.read_text()
        after = rewritten(before, python_include, numpy_include)
        if after != before:
            path.write_text(after)
            changed += 1
    left = [p for p in prefix.glob("share/*/cmake/*.cmake") if "/opt/python" in p.read_text()]
    if left:
        raise SystemExit(f"setup: {left[0]} still names its build machine; this version of the wheels is not known")
    return changed


def name_prefix_by_default(prefix: Path) -> None:
    """A .pth that puts this environment on AMENT_PREFIX_PATH, so that share folders are found without sourcing."""
    line = (
        f"import os; new={str(prefix)!r}; old=os.environ.get('AMENT_PREFIX_PATH',''); "
        "os.environ['AMENT_PREFIX_PATH']=old if new in old.split(':') else ':'.join(filter(None,[new,old]))\n"
    )
    (Path(sysconfig.get_path("purelib")) / PTH).write_text(line)


if __name__ == "__main__":
    environment = Path(sys.prefix)
    print(f"setup: {fix_exports(environment)} CMake exports fitted to {environment}")
    name_prefix_by_default(environment)
