#!/usr/bin/env bash
# Pods through the real kube-scheduler, with and without an extender beside it: throughput, placement, and 95 % of the nodes full.
# usage: scripts/bench-pods.sh [OUT_DIR]    writes OUT_DIR/report.md with its plots (default target/bench/pods); about 20 minutes
# Leave the machine alone meanwhile: everything shares its CPUs.
set -euo pipefail
cd "$(dirname "$0")/.."
export HEADROOM_CACHE="${HEADROOM_CACHE:-$HOME/.cache/headroom}"
target=${CARGO_TARGET_DIR:-target}
out=${1:-$target/bench/pods}
for tool in cargo go; do
    command -v "$tool" >/dev/null || { echo "bench: $tool not found: install it and run this again" >&2; exit 1; }
done
mkdir -p "$out"
rm -f "$out"/*.json

load-tests/control-plane/build.sh
cargo build --locked --release --bin headroom-extender --bin headroom-pods
pods=$target/release/headroom-pods
"$pods" throughput --nodes 100 --rounds 2 --out "$out/throughput-100.json"
"$pods" throughput --nodes 1000 --rounds 2 --out "$out/throughput-1000.json"
"$pods" throughput --nodes 5000 --rounds 3 --out "$out/throughput-5000.json"
# The same with longer and shorter answers.
"$pods" throughput --nodes 5000 --rounds 1 --out "$out/throughput-5000-k.json" \
    --peers none,floor:50,headroom:10,headroom:25,headroom:50,headroom:100,headroom:200,headroom:500,headroom+prioritize
"$pods" placement --pods 4000 --rounds 2 --out "$out/placement.json"
"$pods" sampling --out "$out/sampling.json"
"$pods" report "$out"
