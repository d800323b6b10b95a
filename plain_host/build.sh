#!/usr/bin/env bash
# colcon build of every package of the workspace into the environment at $1, where its python finds them unsourced.
# Does nothing when no source has changed since the last build.
set -euo pipefail
venv=${1:?usage: build.sh ENVIRONMENT}
cd "$(dirname "$0")/.."

exec 9>"$venv/.build.lock"
flock 9
stamp=$venv/.built
if [ -e "$stamp" ] && [ -z "$(find -L src config launch plain_host/build.sh -newer "$stamp" -not -path '*/__pycache__*' -not -path '*/.*cache*' -not -path '*/test/*' \
  -not -path '*/*.egg-info*' -not -path '*/build/*' -print -quit)" ] && [ ! "$venv/.setup" -nt "$stamp" ]; then
  exit 0
fi
pybind11=$("$venv/bin/python" -c 'import pybind11, pathlib; print(pathlib.Path(pybind11.__file__).parent)')
started=$(mktemp -p "$venv" .building.XXXXXX)
trap 'rm -f "$started"' EXIT
export AMENT_PREFIX_PATH=$venv CMAKE_PREFIX_PATH=$venv:$pybind11 COLCON_LOG_PATH=$PWD/log PATH=$venv/bin:$PATH
colcon --log-level error build --base-paths src --merge-install --install-base "$venv" --executor sequential \
  --event-handlers console_cohesion- console_stderr- summary- desktop_notification- status- console_start_end+ \
  --cmake-args -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DPython3_FIND_VIRTUALENV=ONLY --no-warn-unused-cli ||
  { echo "build: failed; the compiler's words are in log/latest_build/*/stdout_stderr.log" >&2; exit 1; }
grep -hoE 'left out: .*' log/latest_build/*/stdout.log 2>/dev/null | sort -u | sed 's/^/build: /' || true
ln -sf ../lib/smolvla_ros/smolvla "$venv/bin/smolvla"
mv "$started" "$stamp"
