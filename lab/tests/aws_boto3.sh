#!/usr/bin/env bash
# boto3 against the lab's AWS APIs, with moto as the second opinion on the shapes of answers.
set -euo pipefail
cd "$(dirname "$0")"
exec ../../scripts/boto3.sh aws_only python/aws_boto3.py
