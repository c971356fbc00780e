#!/usr/bin/env bash
# Measures Headroom beside its peers and writes reports.
# usage: scripts/bench.sh calls|pods|burst|observe|expander|forecast|schedules [DIR]
#   calls  one call, beside a plain Go extender and a byte-splicing floor: 5 minutes once it is built
#   pods   pods/s, placement and a cluster that is 95 % full, under the real kube-scheduler: 25 minutes
#   burst  10,000 pods for 9,600 IPs on 1,000 nodes, under the real kube-scheduler: 8 minutes; prints its table
#   observe  a round of the advisor over 5,000 nodes and 30,000 ENIs: a minute; prints its tables
#   expander  an answer to Cluster Autoscaler with 5,000 pods in 50 groups, and the whole call: a minute; prints its table
#   forecast  forecasts and alerts on the lab's traces, beside what is used without Headroom: 3 minutes
#   schedules  1,000 random schedules of faults and kills while an advisor scales in: 20 minutes on 2 cores; prints its table
#   DIR    where the report goes, default $HEADROOM_CACHE/bench/calls, .../pods or .../forecast; docs/benchmarks has one of each; for
#          schedules the logs of those that fail
# Leave the machine alone meanwhile: everything shares its CPUs. Binaries are built into $HEADROOM_CACHE (default ~/.cache/headroom);
# the first time that takes some minutes more.
set -euo pipefail
cd "$(dirname "$0")/.."
export HEADROOM_CACHE="${HEADROOM_CACHE:-$HOME/.cache/headroom}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HEADROOM_CACHE/bench/target}"
what=${1:-}
case "$what" in
    calls | pods | burst | observe | expander | forecast | schedules) ;;
    *)
        echo "bench: '$what' cannot be measured: run scripts/bench.sh calls, pods, burst, observe, expander, forecast or schedules" >&2
        exit 2
        ;;
esac
out=${2:-$HEADROOM_CACHE/bench/$what}
for tool in cargo go; do
    command -v "$tool" >/dev/null || { echo "bench: $tool not found: install it and run this again" >&2; exit 1; }
done

echo "bench: building the extender and the bench" >&2
cargo build --release --locked -p headroom-extender -p headroom-load-tests --bin headroom-extender --bin headroom-bench
release="$CARGO_TARGET_DIR/release"
bench="$release/headroom-bench"

if [ "$what" = observe ] || [ "$what" = expander ]; then
    exec "$bench" "$what"
fi
if [ "$what" = schedules ]; then
    at_once=$((16 * $(nproc)))
    exec "$bench" schedules --count 1000 --at-once "$((at_once < 64 ? at_once : 64))" --logs "$out"
fi
if [ "$what" = forecast ]; then
    exec "$bench" forecast --out "$out" --command "scripts/bench.sh forecast" --measured "commit $(git describe --always --dirty)"
fi
if [ "$what" = calls ]; then
    echo "bench: building the Go peers" >&2
    bin="$HEADROOM_CACHE/bench/bin"
    mkdir -p "$bin"
    (cd load-tests/control-plane && go build -o "$bin/" ./cmd/serial-driver ./cmd/plain-extender)
    exec "$bench" calls --extender "$release/headroom-extender" \
        --serial-driver "$bin/serial-driver" --plain-extender "$bin/plain-extender" \
        --out "$out" --command "scripts/bench.sh calls" --measured "commit $(git describe --always --dirty)"
fi

load-tests/control-plane/build.sh
if [ "$what" = burst ]; then
    exec "$bench" burst
fi
mkdir -p "$out"
rm -f "$out"/*.json
peers=none,plain,floor,floor:50,headroom
"$bench" throughput --nodes 100 --rounds 2 --peers $peers --out "$out/throughput-100.json"
"$bench" throughput --nodes 1000 --rounds 3 --peers $peers --out "$out/throughput-1000.json"
"$bench" throughput --nodes 5000 --rounds 4 --peers $peers --out "$out/throughput-5000.json"
# The same with longer and shorter answers.
"$bench" throughput --nodes 5000 --rounds 1 --out "$out/throughput-5000-k.json" \
    --peers none,floor:50,headroom:10,headroom:25,headroom:50,headroom:100,headroom:200,headroom:500,headroom+prioritize
"$bench" placement --pods 4000 --rounds 2 --out "$out/placement.json"
"$bench" sampling --out "$out/sampling.json"
exec "$bench" report "$out"
