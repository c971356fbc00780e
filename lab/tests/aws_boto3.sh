#!/usr/bin/env bash
# boto3 against the lab's AWS APIs, with moto as the second opinion on the shapes of answers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=$("$here/../../scripts/python.sh")

echo "building the lab's AWS side"
example=$(cd "$here/.." && cargo build --quiet --workspace --example aws_only --message-format json |
    sed -n 's|.*"executable":"\([^"]*/examples/aws_only[^"]*\)".*|\1|p' | tail -n 1)
exec "$python" "$here/python/aws_boto3.py" "$example"
