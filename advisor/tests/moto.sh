#!/usr/bin/env bash
# What the advisor reads from moto's EC2, Auto Scaling, IAM and EKS, against what boto3 reads there.
set -euo pipefail
cd "$(dirname "$0")"
../../scripts/boto3.sh inventory moto/inventory.py
exec ../../scripts/boto3.sh joining moto/joining.py
