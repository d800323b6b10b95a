#!/usr/bin/env bash
# Runs a command in the plain host's environment: plain_host/in_environment.sh smolvla run --help
set -euo pipefail
venv=$(cd "$(dirname "$0")/.." && pwd)/.venv
[ -e "$venv/.built" ] || { echo "not built yet: run make build" >&2; exit 1; }
export PATH=$venv/bin:$PATH AMENT_PREFIX_PATH=$venv
exec "$@"
