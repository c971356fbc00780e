#!/usr/bin/env bash
# What the advisor reads from moto's EC2 and Auto Scaling, against what boto3 reads there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/../../scripts/python.sh")

echo "building the advisor's reader"
example=$(cd "$here/.." && cargo build --quiet --workspace --example inventory --message-format json |
    sed -n 's|.*"executable":"\([^"]*/examples/inventory[^"]*\)".*|\1|p' | tail -n 1)
exec "$python" "$here/moto/inventory.py" "$example"
