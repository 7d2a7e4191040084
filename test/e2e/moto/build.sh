#!/usr/bin/env bash
# Makes the Python environment of the EC2 and SSM stand-in, once, and prints the path of its interpreter.
#
# It lies outside the tree, under ${COOPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper}/moto/<key>; the key is a hash
# of requirements.txt and the Python version. Progress goes to standard error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

key=$({ cat requirements.txt; python3 --version; } | sha256sum | cut -c1-16)
cache=${COOPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper}/moto
venv=$cache/$key
mkdir -p "$cache"

exec 9>"$cache/$key.lock" # test files run side by side
flock 9
if [ ! -e "$venv/complete" ]; then
  echo 'moto/build.sh: installing moto into a Python environment (about half a minute, once)' >&2
  rm -rf "$venv"
  python3 -m venv "$venv" >&2 || {
    echo 'moto/build.sh: Python cannot make a virtual environment; on Debian install python3-venv' >&2
    exit 3
  }
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt >&2
  touch "$venv/complete"
fi
echo "$venv/bin/python"
