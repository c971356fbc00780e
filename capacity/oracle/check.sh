#!/usr/bin/env bash
# Compares crate headroom-capacity with the CNI's own code, in the releases that go.mod pins:
#   1. the committed limits table is what cmd/limits writes
#   2. the data store model replays random histories of the CNI's data store, 0 mismatches
# The histories (about 10 MB) are kept under $HEADROOM_CACHE (~/.cache/headroom) until the generator or a module changes.
# HEADROOM_VECTORS_SEED (1) and HEADROOM_VECTORS_HISTORIES (2500 per mode, at least 2000) make other ones.
set -euo pipefail

for tool in go cargo sha256sum; do
    command -v "$tool" >/dev/null || { echo "check.sh: $tool is not installed" >&2; exit 1; }
done

seed=${HEADROOM_VECTORS_SEED:-1}
histories=${HEADROOM_VECTORS_HISTORIES:-2500}
cache=${HEADROOM_CACHE:-$HOME/.cache/headroom}/vectors
# Both test runners change the directory, so that a relative path would not do.
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")"

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
    rm -f "$cache"/*.txt "$cache"/*.new
    go test -count=1 ./vectors -run TestGenerate -args -out "$file.new" -seed "$seed" -histories "$histories"
    mv "$file.new" "$file"
    echo "vectors: $file, $(wc -l <"$file") lines"
fi

echo "== replay"
HEADROOM_VECTORS=$file cargo test --quiet -p headroom-capacity --test vectors --test table -- --nocapture
