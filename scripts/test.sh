#!/usr/bin/env bash
# Every test: the workspace's, those beside the real kube-scheduler among them; the capacity model against the CNI's own Go
# packages; the lab against boto3 and moto; the chart against its manifests; what deploy/ ships against promtool and cfn-lint.
# What a test needs beyond Rust, Go and Python is built or installed by package name into $HEADROOM_CACHE
# (default ~/.cache/headroom), which a second run reuses.
set -euo pipefail
cd "$(dirname "$0")/.."
export HEADROOM_CACHE="${HEADROOM_CACHE:-$HOME/.cache/headroom}"
mkdir -p "$HEADROOM_CACHE"
# The same random cases on every run, so that a failure here is a failure there; `cargo test` alone draws new ones each time.
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-1}"

for tool in cargo go python3; do
    command -v "$tool" >/dev/null || { echo "test: $tool not found: install it and run this again" >&2; exit 1; }
done

step() { printf '\n==> %s (%ss since the start)\n' "$*" "$SECONDS"; }

step "the CNI's own packages against the capacity model"
capacity/oracle/check.sh
step "etcd, kube-apiserver and kube-scheduler for the tests that need them"
load-tests/control-plane/build.sh
step "the Go programs of the benchmarks"
(cd load-tests/control-plane && go vet ./cmd/... && go test ./cmd/...)
step "the chart, and the manifests that are made of it"
(cd deploy/render && go vet ./... && go test ./...)
step "what draws the dashboard"
(cd deploy/prometheus/panels && go vet ./... && go test ./...)
step "the workspace's tests"
cargo test --locked --workspace
step "the lab against boto3, with moto as second opinion"
lab/tests/aws_boto3.sh
step "the advisor and boto3 on the same account in moto"
advisor/tests/moto.sh
step "alerts and dashboard against promtool"
deploy/prometheus/check.sh
step "alarms against cfn-lint, IAM policies against AWS's reference"
deploy/check.sh
step "all tests passed"
