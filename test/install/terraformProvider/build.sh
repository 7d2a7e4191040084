#!/usr/bin/env bash
# Builds the AWS provider of Terraform from its Go module, once, and prints the path of the program.
#
# Kept are the services that our module uses: their code and schemas are untouched, only the two generated lists of
# services and clients get shorter. The whole provider would take twenty minutes and nine gigabytes of memory.
# The result lies outside the tree, under ${COOPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper}/terraform-provider/<key>;
# the key is a hash of this file and the Go version. Standard output is the path, progress goes to standard error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

module=github.com/hashicorp/terraform-provider-aws
pin=v1.60.1-0.20260602190131-5f2286d6d836 # is provider 6.47.1
sum=h1:haLmsj0WF7e6d2TGbk0fbz5qWdA9f8w9sNpMe6J6WqM=
version=6.47.1
program=terraform-provider-aws_v${version}_x5
services='ec2 iam sqs events eks sts ssm meta'
clients='ec2 iam sqs eventbridge eks sts ssm account kms s3 organizations cloudwatchlogs resourcegroupstaggingapi
elasticloadbalancingv2 autoscaling'

if ! command -v go >/dev/null; then
  echo 'build.sh: there is no go on the PATH; install Go 1.26 or newer' >&2
  exit 3
fi
export GOFLAGS="${GOFLAGS:-$(go env GOFLAGS)} -buildvcs=false"

key=$({ cat build.sh; go version; } | sha256sum | cut -c1-16)
cache=${COOPER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cooper}/terraform-provider
out=$cache/$key
mkdir -p "$cache"

# Leaves only the lines about the packages named; others are dropped from imports, lists and functions.
keep_services() { # file, packages
  awk -v keep=" $2 " '
    match($0, /internal\/service\/[a-z0-9]+"/) { name = substr($0, RSTART + 17, RLENGTH - 18); if (!index(keep, " " name " ")) next }
    match($0, /^\t\t[a-z0-9]+\.ServicePackage/) { name = substr($0, 3); sub(/\..*/, "", name); if (!index(keep, " " name " ")) next }
    { print }' "$1"
}

keep_clients() { # file, packages
  awk -v keep=" $(echo $2) " '
    match($0, /aws-sdk-go-v2\/service\/[a-z0-9]+"/) { name = substr($0, RSTART + 22, RLENGTH - 23); if (!index(keep, " " name " ")) next }
    /^func \(c \*AWSClient\) [A-Za-z0-9]+Client\(ctx context.Context\) \*[a-z0-9]+\.Client \{/ {
      name = $0; sub(/.*\) \*/, "", name); sub(/\..*/, "", name); dropping = !index(keep, " " name " ")
    }
    dropping { if ($0 == "}") dropping = 0; next }
    { print }' "$1"
}

build_provider() {
  local found source=$out.source partial=$out.partial
  found=$(go mod download -json "$module@$pin" | sed -n 's/^\t"\(Dir\|Sum\)": "\(.*\)",\{0,1\}$/\2/p')
  local dir=${found%%$'\n'*} got=${found##*$'\n'}
  if [ "$got" != "$sum" ]; then
    echo "build.sh: $module@$pin has the checksum $got, not $sum" >&2
    exit 1
  fi
  chmod -R u+w "$source" 2>/dev/null || true
  rm -rf "$source" "$partial"
  mkdir -p "$source" "$partial"
  cp -r "$dir"/{go.mod,go.sum,main.go,internal,names,version} "$source"
  chmod -R u+w "$source"
  local packages=internal/provider/sdkv2/service_packages_gen.go list=internal/conns/awsclient_gen.go
  keep_services "$dir/$packages" "$services" >"$source/$packages"
  keep_clients "$dir/$list" "$clients" >"$source/$list"
  echo "build.sh: building the AWS provider $version for Terraform from source (three minutes or more, once)" >&2
  (cd "$source" && go build -trimpath -ldflags '-s -w' -o "$partial/$program" .) >&2
  rm -rf "$source"
  mv -T "$partial" "$out"
}

exec 9>"$cache/$key.lock" # two builds at once would only be slower
flock 9
[ -d "$out" ] || build_provider
echo "$out/$program"
