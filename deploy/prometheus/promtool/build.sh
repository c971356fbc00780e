#!/usr/bin/env bash
# Builds promtool at the version of go.mod into $HEADROOM_CACHE (default ~/.cache/headroom) and prints where it is; what is up to
# date is left alone.
# usage: deploy/prometheus/promtool/build.sh
# Needs Go 1.26 and, the first time, modules from GOPROXY.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
package=github.com/prometheus/prometheus
version=$(go list -m -f '{{.Version}}' $package)
bin=${HEADROOM_CACHE:-$HOME/.cache/headroom}/promtool/$version
ldflags="-s -w -X github.com/prometheus/common/version.Version=$version"
# Service discovery and remote write of each cloud are most of promtool and none of what is checked here.
tags=remove_all_sd
made_from=$({ cat go.mod go.sum && go env GOVERSION && echo "$ldflags $tags"; } | sha256sum | cut -d' ' -f1)
if [[ ! -x $bin/promtool || ! -e $bin/made-from || $(<"$bin/made-from") != "$made_from" ]]; then
  echo "promtool $version: building into $bin" >&2
  mkdir -p "$bin"
  # Renamed into place, so that a build that was cut off leaves nothing that looks done.
  go build -tags "$tags" -ldflags "$ldflags" -o "$bin/promtool.new" $package/cmd/promtool
  mv "$bin/promtool.new" "$bin/promtool"
  echo "$made_from" >"$bin/made-from"
  echo "promtool $version: built in $SECONDS s" >&2
fi
echo "$bin/promtool"
