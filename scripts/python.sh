#!/usr/bin/env bash
# Prints the Python that has boto3 and moto, installed by name into $HEADROOM_CACHE/python (default ~/.cache/headroom/python)
# unless it is there already. Needs python3 with venv.
set -euo pipefail
requirements=$(cd "$(dirname "$0")" && pwd)/requirements.txt
cache=${HEADROOM_CACHE:-$HOME/.cache/headroom}/python
stamp=$cache/requirements.txt

if ! cmp -s "$requirements" "$stamp"; then
    echo "installing $(grep -c == "$requirements") Python packages into $cache" >&2
    rm -rf "$cache"
    python3 -m venv "$cache"
    "$cache/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements" >&2
    cp "$requirements" "$stamp"
fi
echo "$cache/bin/python"
