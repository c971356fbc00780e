#!/usr/bin/env bash
# boto3 against the lab's AWS APIs, with moto as the second opinion on the shapes of answers.
# Needs python3 with venv. Packages are kept in $HEADROOM_CACHE/python (default ~/.cache/headroom/python).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${HEADROOM_CACHE:-$HOME/.cache/headroom}/python
requirements=$here/python/requirements.txt
stamp=$cache/requirements.txt

if ! cmp -s "$requirements" "$stamp"; then
    echo "installing $(grep -c == "$requirements") Python packages into $cache"
    rm -rf "$cache"
    python3 -m venv "$cache"
    "$cache/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements"
    cp "$requirements" "$stamp"
fi

echo "building the lab's AWS side"
example=$(cd "$here/.." && cargo build --quiet --package headroom-lab --example aws_only --message-format json |
    sed -n 's|.*"executable":"\([^"]*/examples/aws_only[^"]*\)".*|\1|p' | tail -n 1)
exec "$cache/bin/python" "$here/python/aws_boto3.py" "$example"
