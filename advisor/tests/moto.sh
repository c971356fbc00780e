#!/usr/bin/env bash
# What the advisor reads from moto's EC2 and Auto Scaling, against what boto3 reads there.
set -euo pipefail
cd "$(dirname "$0")"
exec ../../scripts/boto3.sh inventory moto/inventory.py
