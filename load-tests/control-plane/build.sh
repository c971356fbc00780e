#!/usr/bin/env bash
# Builds etcd, kube-apiserver, kube-scheduler and kubectl at the versions of go.mod, for tests against the real thing, and the
# plain extender that benchmarks compare with.
# usage: load-tests/control-plane/build.sh
# Needs Go 1.26 and, the first time, about 1 GiB of modules from GOPROXY.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
bin=${HEADROOM_CACHE:-$HOME/.cache/headroom}/control-plane/$version/bin
ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$version"

build() {
  local name=$1 package=$2 started=$SECONDS made_from sources=()
  if [[ $package == ./* ]]; then sources=("$package"/*.go); fi
  # What a binary was made from; go.sum alone does not tell a change of flags.
  made_from=$({ cat go.mod go.sum "${sources[@]}" && go env GOVERSION && echo "$ldflags"; } | sha256sum | cut -d' ' -f1)
  if [[ -x $bin/$name && -e $bin/$name.made-from && $(<"$bin/$name.made-from") == "$made_from" ]]; then
    echo "$name: up to date"
    return
  fi
  echo "$name: building $package"
  # Renamed into place, so that a build that was cut off leaves nothing that looks done.
  go build -ldflags "$ldflags" -o "$bin/$name.new" "$package"
  mv "$bin/$name.new" "$bin/$name"
  echo "$made_from" >"$bin/$name.made-from"
  echo "$name: built in $((SECONDS - started)) s"
}

mkdir -p "$bin"
echo "control plane $version into $bin (first build 7 to 11 min on 2 cores, 1 min once Go's build cache is warm)"
build etcd go.etcd.io/etcd/server/v3
build kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kubectl k8s.io/kubernetes/cmd/kubectl
build plain-extender ./cmd/plain-extender
