#!/usr/bin/env bash
# Holds the CloudFormation template against cfn-lint, the image's recipe against hadolint and the IAM policies against the Service
# Authorization Reference.
# usage: deploy/check.sh
# Needs what scripts/python.sh needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
bin=$(../scripts/python.sh deploy-python requirements.txt)

"$bin/cfn-lint" --include-checks I -- alarms/headroom-alarms.yaml
echo "alarms/headroom-alarms.yaml: cfn-lint has nothing to say"
"$bin/hadolint" image/Dockerfile
echo "image/Dockerfile: hadolint has nothing to say"
exec "$bin/python" iam/check.py
