#!/usr/bin/env bash
# Prints the path of checkov, which is kept in a Python environment of its own outside the tree. It brings its policies
# with it: nothing is asked of any server when it runs.
set -euo pipefail

package=checkov==3.3.30
key=$({ echo "$package"; python3 --version; } | sha256sum | cut -c1-16)
cache=${COOPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper}/checkov
venv=$cache/$key
mkdir -p "$cache"
exec 9>"$cache/$key.lock"
flock 9
if [ ! -e "$venv/complete" ]; then
  echo 'checkov.sh: installing checkov (two minutes, once)' >&2
  rm -rf "$venv"
  python3 -m venv "$venv" >&2
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$package" >&2
  touch "$venv/complete"
fi
echo "$venv/bin/checkov"
