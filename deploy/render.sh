#!/usr/bin/env bash
# Writes deploy/rendered/*/manifests.yaml anew: what Helm makes of deploy/chart with the values beside them.
# usage: deploy/render.sh [--check]
# Needs Go 1.26 and, the first time, about 100 MB of modules from GOPROXY. With --check it writes nothing and fails where a file is out of date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/render"
go run . "$@"
