#!/usr/bin/env bash
# Compares crate headroom-capacity with the CNI's own code, in the releases that go.mod pins:
#   1. the committed limits table is what cmd/limits writes
#   2. the data store model replays random histories of the CNI's data store, 0 mismatches
# The histories (about 10 MB) are kept under $HEADROOM_CACHE (~/.cache/headroom) until the generator or a module changes.
# HEADROOM_VECTORS_SEED (1) and HEADROOM_VECTORS_HISTORIES (2500, per mode) make other ones.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

seed=${HEADROOM_VECTORS_SEED:-1}
histories=${HEADROOM_VECTORS_HISTORIES:-2500}
cache=${HEADROOM_CACHE:-$HOME/.cache/headroom}/vectors

command -v go >/dev/null || { echo "check.sh: go is not installed; go.mod names the release needed" >&2; exit 1; }

echo "== limits table"
go test ./cmd/limits
go run ./cmd/limits --check

echo "== data store vectors"
inputs() { cat go.mod go.sum internal/quiet/*.go vectors/*.go && go env GOVERSION && echo "$seed $histories"; }
key=$(inputs | sha256sum | cut -c1-16)
file=$cache/$key.txt
if [ -s "$file" ]; then
    echo "vectors: $file is of the same generator, modules and seed: not made again"
else
    echo "vectors: making $histories histories per mode with seed $seed"
    mkdir -p "$cache"
    rm -f "$cache"/*.txt "$cache"/*.new
    go test -count=1 ./vectors -run TestGenerate -args -out "$file.new" -seed "$seed" -histories "$histories"
    mv "$file.new" "$file"
    echo "vectors: $file, $(wc -l <"$file") lines"
fi

echo "== replay"
HEADROOM_VECTORS=$file cargo test --quiet -p headroom-capacity --test vectors --test table -- --nocapture
