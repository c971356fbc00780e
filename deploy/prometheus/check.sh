#!/usr/bin/env bash
# Holds the alerts, their tests and the dashboard's expressions against promtool.
# usage: deploy/prometheus/check.sh
# Needs python3 and what promtool/build.sh needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
promtool=$(promtool/build.sh)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$promtool" check rules --lint-fatal headroom.rules.yaml
"$promtool" test rules headroom.tests.yaml
# promtool reads expressions from rule files only, and JSON is YAML. Grafana puts in the interval.
python3 - ../dashboards/headroom.json >"$scratch/dashboard.yaml" <<'PY'
import json, sys

panels = json.load(open(sys.argv[1]))["panels"]
exprs = [target["expr"] for panel in panels for target in panel.get("targets", [])]
rules = [
    {"record": f"dashboard:expression:{index}", "expr": expr.replace("$__rate_interval", "5m")}
    for index, expr in enumerate(exprs)
]
json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, sys.stdout)
PY
"$promtool" check rules "$scratch/dashboard.yaml"
