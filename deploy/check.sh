#!/usr/bin/env bash
# Holds the CloudFormation template against cfn-lint, the image's recipe against hadolint and the IAM policies against the Service
# Authorization Reference.
# usage: deploy/check.sh
# Needs python3 with venv. Packages are installed by name into $HEADROOM_CACHE/deploy-python (default ~/.cache/headroom/deploy-python)
# unless they are there already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
cache=${HEADROOM_CACHE:-$HOME/.cache/headroom}/deploy-python
stamp=$cache/requirements.txt

if ! cmp -s requirements.txt "$stamp"; then
    echo "installing $(grep -c '^[^#]' requirements.txt) Python packages into $cache"
    rm -rf "$cache"
    python3 -m venv "$cache"
    "$cache/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement requirements.txt
    cp requirements.txt "$stamp"
fi

"$cache/bin/cfn-lint" --include-checks I -- alarms/headroom-alarms.yaml
echo "alarms/headroom-alarms.yaml: cfn-lint has nothing to say"
"$cache/bin/hadolint" image/Dockerfile
echo "image/Dockerfile: hadolint has nothing to say"
exec "$cache/bin/python" iam/check.py
