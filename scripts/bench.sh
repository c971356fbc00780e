#!/usr/bin/env bash
# Measures headroom-extender and writes a report.
# usage: scripts/bench.sh calls [DIR]
#   calls  one call, beside a plain Go extender and a byte-splicing floor: about 3 minutes once it is built
#   DIR    where the report goes, default $HEADROOM_CACHE/bench/calls; docs/benchmarks/calls.md is one
# Binaries are built into $HEADROOM_CACHE (default ~/.cache/headroom); the first time that takes some minutes more.
set -euo pipefail
cd "$(dirname "$0")/.."
export HEADROOM_CACHE="${HEADROOM_CACHE:-$HOME/.cache/headroom}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HEADROOM_CACHE/bench/target}"
what=${1:-}
out=${2:-$HEADROOM_CACHE/bench/calls}
if [ "$what" != calls ]; then
    echo "bench: '$what' cannot be measured: calls can; run scripts/bench.sh calls" >&2
    exit 2
fi
for tool in cargo go; do
    command -v "$tool" >/dev/null || { echo "bench: $tool not found: install it and run this again" >&2; exit 1; }
done

echo "bench: building the extender, the bench and the Go peers" >&2
"${CARGO:-cargo}" build --release --locked -p headroom-extender -p headroom-load-tests --bin headroom-extender --bin headroom-bench
bin="$HEADROOM_CACHE/bench/bin"
mkdir -p "$bin"
(cd load-tests/control-plane && go build -o "$bin/" ./cmd/serial-driver ./cmd/plain-extender)

exec "$CARGO_TARGET_DIR/release/headroom-bench" calls \
    --extender "$CARGO_TARGET_DIR/release/headroom-extender" \
    --serial-driver "$bin/serial-driver" --plain-extender "$bin/plain-extender" \
    --out "$out" --command "scripts/bench.sh calls" --measured "commit $(git describe --always --dirty)"
