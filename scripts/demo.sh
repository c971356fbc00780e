#!/usr/bin/env bash
# Field case R4 on the embedded lab: 116 pods for 112 IPs, without and with Headroom. Arguments go to headroom-demo.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cargo >/dev/null || { echo "demo: cargo not found: install Rust from https://rustup.rs and run this again" >&2; exit 1; }
echo "demo: building headroom-demo (a few minutes on the first run)" >&2
cargo build --locked --bin headroom-demo
exec "${CARGO_TARGET_DIR:-target}/debug/headroom-demo" "$@"
