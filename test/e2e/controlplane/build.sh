#!/usr/bin/env bash
# Builds the control plane of the end-to-end tests, once, and prints the folder that holds it.
#
#   build.sh          etcd, kube-apiserver, kube-scheduler, kube-controller-manager, kubectl, kwok; and helm if it can
#   build.sh helm     the same, and fails when helm cannot be had
#
# The result lies outside the tree, under ${COOPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper}/controlplane/<key>.
# The key is a hash of everything that goes in: go.mod, go.sum, main.go, this file and the Go version.
# Nothing but Go modules is fetched. Standard output is the folder and nothing else; progress goes to standard error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! command -v go >/dev/null; then
  echo 'build.sh: there is no go on the PATH; install Go 1.26 or newer' >&2
  exit 3
fi
# Whatever flags this machine's Go has by default, the build must not look for a repository to stamp.
export GOFLAGS="${GOFLAGS:-$(go env GOFLAGS)} -buildvcs=false"

key=$({ cat go.mod go.sum main.go build.sh; go version; } | sha256sum | cut -c1-16)
cache=${COOPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper}/controlplane
out=$cache/$key
mkdir -p "$cache"

build_components() {
  local version minor stamp=k8s.io/component-base/version partial=$out.partial
  version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
  minor=$(cut -d. -f2 <<<"$version")
  rm -rf "$partial"
  mkdir -p "$partial"
  echo "build.sh: building Kubernetes $version from source (a few seconds with warm Go caches, up to 10 minutes cold)" >&2
  go build -trimpath -o "$partial/controlplane" \
    -ldflags "-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor" . >&2
  for program in etcd kube-apiserver kube-controller-manager kube-scheduler kubectl kwok; do
    ln -s controlplane "$partial/$program"
  done
  # kwok carries no stages of its own: what a simulated node and pod do lies as a kustomization in its module.
  "$partial/kubectl" kustomize "$(go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage/fast" \
    >"$partial/kwok-stages.yaml"
  mv -T "$partial" "$out"
}

build_helm() {
  go build -trimpath -ldflags '-s -w' -o "$out/helm.partial" helm.sh/helm/v3/cmd/helm >&2 &&
    mv "$out/helm.partial" "$out/helm"
}

exec 9>"$cache/$key.lock" # two builds at once would only be slower
flock 9
[ -x "$out/controlplane" ] || build_components
if [ ! -x "$out/helm" ]; then
  if [ "${1:-}" = helm ]; then
    build_helm
  elif [ ! -e "$out/helm.failed" ]; then
    build_helm || { touch "$out/helm.failed"; echo 'build.sh: helm could not be built; going on without it' >&2; }
  fi
fi
echo "$out"
