#!/usr/bin/env bash
# usage: scripts/boto3.sh EXAMPLE SCRIPT: builds the workspace's example and gives it to the script, in a Python that has boto3 and
# moto. Those are installed by name into $HEADROOM_CACHE/python (default ~/.cache/headroom/python) unless they are there already.
# Needs python3 with venv.
set -euo pipefail
example=$1 script=$(realpath "$2")
cd "$(dirname "$0")"
cache=${HEADROOM_CACHE:-$HOME/.cache/headroom}/python
stamp=$cache/requirements.txt

if ! cmp -s requirements.txt "$stamp"; then
    echo "installing $(grep -c == requirements.txt) Python packages into $cache"
    rm -rf "$cache"
    python3 -m venv "$cache"
    "$cache/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement requirements.txt
    cp requirements.txt "$stamp"
fi

echo "building the example $example"
built=$(cargo build --quiet --workspace --example "$example" --message-format json |
    sed -n "s|.*\"executable\":\"\([^\"]*/examples/$example[^\"]*\)\".*|\1|p" | tail -n 1)
PYTHONPATH=$PWD exec "$cache/bin/python" "$script" "$built"
