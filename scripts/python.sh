#!/usr/bin/env bash
# usage: scripts/python.sh NAME REQUIREMENTS: prints the folder of a Python that has the packages of the file REQUIREMENTS. They are installed by name
# into $HEADROOM_CACHE/NAME (default ~/.cache/headroom/NAME) unless they are there already, and what is done is told on standard error.
# Needs python3 with venv.
set -euo pipefail
requirements=$2
cache=${HEADROOM_CACHE:-$HOME/.cache/headroom}/$1
stamp=$cache/requirements.txt

if ! cmp -s "$requirements" "$stamp"; then
    echo "installing $(grep -c '^[^#]' "$requirements") Python packages into $cache" >&2
    rm -rf "$cache"
    python3 -m venv "$cache"
    "$cache/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements" >&2
    cp "$requirements" "$stamp"
fi
echo "$cache/bin"
