#!/usr/bin/env bash
# cargo-deny, built once into $HEADROOM_CACHE: licences, layer bans, sources. Advisories are checked where their database
# can be fetched.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
root="${HEADROOM_CACHE:-$HOME/.cache/headroom}/tools"
deny="$root/bin/cargo-deny"
if [ "$("$deny" --version 2>/dev/null)" != "cargo-deny $version" ]; then
    echo "deny: building cargo-deny $version into $root (a few minutes, once)"
    cargo install cargo-deny --locked --version "$version" --root "$root"
fi
"$deny" check bans licenses sources
if "$deny" fetch db >/dev/null 2>&1; then
    "$deny" check advisories
else
    echo "deny: advisories skipped: the advisory database could not be fetched"
fi
