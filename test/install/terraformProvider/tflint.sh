#!/usr/bin/env bash
# Builds tflint from its Go module, once, and prints the path of the program. It knows Terraform's own rules; the rules
# about AWS are a plug-in that cannot be had as a module.
set -euo pipefail

pin=github.com/terraform-linters/tflint@v0.64.0
key=$({ echo "$pin"; go version; } | sha256sum | cut -c1-16)
cache=${COOPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper}/tflint
out=$cache/$key
mkdir -p "$cache"
exec 9>"$cache/$key.lock"
flock 9
if [ ! -x "$out/tflint" ]; then
  echo 'tflint.sh: building tflint from source (two minutes, once)' >&2
  export GOFLAGS="${GOFLAGS:-$(go env GOFLAGS)} -buildvcs=false"
  rm -rf "$out"
  (cd "$cache" && GOBIN=$out go install -trimpath -ldflags '-s -w' "$pin") >&2
fi
echo "$out/tflint"
