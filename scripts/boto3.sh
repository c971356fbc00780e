#!/usr/bin/env bash
# usage: scripts/boto3.sh EXAMPLE SCRIPT: builds the workspace's example and gives it to the script, in a Python that has boto3 and
# moto (scripts/python.sh).
set -euo pipefail
example=$1 script=$(realpath "$2")
cd "$(dirname "$0")"
bin=$(./python.sh python requirements.txt)

echo "building the example $example"
built=$(cargo build --quiet --workspace --example "$example" --message-format json |
    sed -n "s|.*\"executable\":\"\([^\"]*/examples/$example[^\"]*\)\".*|\1|p" | tail -n 1)
PYTHONPATH=$PWD exec "$bin/python" "$script" "$built"
