#!/usr/bin/env bash
# Runs a lab with two advisors and an extender for five minutes, scrapes them, prints what each panel of the dashboard has, and
# draws all panels.
# usage: deploy/dashboards/picture.sh [FILE [SAMPLES]]
#   FILE     the picture, default docs/dashboard.svg
#   SAMPLES  where to keep what was scraped; `panels -read SAMPLES` draws it again without the lab
# HEADROOM_BIN is a folder with headroom-lab, headroom-advisor and headroom-extender; without it they are built. Needs Go 1.26 and,
# the first time, modules from GOPROXY. Everything listens on loopback and is stopped at the end.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
picture=$(realpath -m "${1:-$root/docs/dashboard.svg}")
samples=${2:+$(realpath -m "$2")}
bin=${HEADROOM_BIN:-}
if [[ -z $bin ]]; then
  echo "picture: building the lab, the advisor and the extender" >&2
  (cd "$root" && cargo build --locked --bin headroom-lab --bin headroom-advisor --bin headroom-extender)
  bin=$(cd "$root" && realpath -m "${CARGO_TARGET_DIR:-target}")/debug
fi
bin=$(realpath "$bin")

scratch=$(mktemp -d)
pids=()
stop() {
  status=$?
  # What runs last goes first, so that nothing looks for the lab when it is gone.
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill "${pids[i]}" 2>/dev/null || continue
    wait "${pids[i]}" 2>/dev/null || true
  done
  if ((status != 0 && status != 130)); then
    tail -n 5 "$scratch"/*.log >&2 || true
  fi
  rm -rf "$scratch"
}
trap stop EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND...: in the background, its output in NAME.log
start() {
  local name=$1
  shift
  "$@" >"$scratch/$name.log" 2>&1 &
  pids+=($!)
}
# wait_for FILE PATTERN: until the file has it
wait_for() {
  for _ in {1..300}; do
    if grep -qs "$2" "$1"; then return; fi
    sleep 0.1
  done
  echo "picture: no '$2' in $(basename "$1") after 30 s" >&2
  exit 1
}
# address KEY FILE: out of what --ready-file writes
address() {
  wait_for "$2" "$1"
  sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p' "$2"
}

(cd "$here/../prometheus/panels" && go build -o "$scratch/" . ./bind)

# The programs tell Unix times by the machine's clock, and the dashboard holds them against time(). A lab that runs faster makes
# objects that are not born yet by that clock, so this one runs at rate 1.
start lab "$bin/headroom-lab" run "$here/picture.yaml" --speed 1 --kubeconfig-out "$scratch/kubeconfig"
wait_for "$scratch/lab.log" 'AWS_ACCESS_KEY_ID'
export AWS_ENDPOINT_URL AWS_REGION=us-west-2 AWS_ACCESS_KEY_ID=lab AWS_SECRET_ACCESS_KEY=lab AWS_EC2_METADATA_DISABLED=true
AWS_ENDPOINT_URL=$(sed -n 's/^export AWS_ENDPOINT_URL=//p' "$scratch/lab.log")
api=$(sed -n 's/^# Kubernetes //p' "$scratch/lab.log")

# Everything more often than by default, and less patience: five minutes have to do.
cat >"$scratch/advisor.yaml" <<'YAML'
cluster_name: headroom-lab
observe: { subnets_secs: 5, enis_secs: 10, instances_secs: 10, groups_secs: 10, topology_secs: 60 }
forecast: { period_secs: 60 }
reachability: { period_secs: 5 }
cloudwatch: { enabled: true }
scaling:
  mode: act
  period_secs: 5
  group_tag: eks:cluster-name
  with_cluster_autoscaler: true
  scale_in: { unneeded_secs: 20, min_age_secs: 60, after_scale_out_secs: 30, cool_down_secs: 10, max_share_percent: 50 }
YAML
for i in 1 2; do
  start "advisor-$i" "$bin/headroom-advisor" run --config "$scratch/advisor.yaml" --kubeconfig "$scratch/kubeconfig" \
    --admin-listen 127.0.0.1:0 --grpc-listen 127.0.0.1:0 --ready-file "$scratch/advisor-$i.json"
done
advisors=()
feeds=()
for i in 1 2; do
  admin=$(address admin_addr "$scratch/advisor-$i.json")
  feed=$(address grpc_addr "$scratch/advisor-$i.json")
  advisors+=(-target "headroom-advisor=$admin")
  feeds+=("http://$feed")
done
printf 'feed: { endpoint: ["%s", "%s"] }\n' "${feeds[@]}" >"$scratch/extender.yaml"
start extender "$bin/headroom-extender" serve --config "$scratch/extender.yaml" --kubeconfig "$scratch/kubeconfig" \
  --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --ready-file "$scratch/extender.json"
extender=$(address addr "$scratch/extender.json")
admin=$(address admin_addr "$scratch/extender.json")
start bind "$scratch/bind" -api "$api" -extender "$extender"

echo "picture: scraping for five minutes" >&2
# Waited for, not in the foreground: bash would keep a signal until it ends.
"$scratch/panels" -dashboard "$here/headroom.json" -picture "$picture" -cluster headroom-lab -every 5s -for 5m \
  "${advisors[@]}" -target "headroom-extender=$admin" ${samples:+-record "$samples"} &
pids+=($!)
wait $!
