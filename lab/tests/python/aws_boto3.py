"""boto3 against the lab's AWS APIs: AWS's rules, and moto as the second opinion on the shapes of answers.

usage: aws_boto3.py <the example aws_only>
"""

import json
import logging
import pathlib
import subprocess
import sys
import traceback

import boto3
import botocore
import moto
from botocore.config import Config
from moto.server import ThreadedMotoServer

import calls
import moto_group
import rules
from shapes import Allowed, differences

SERVICES = ["ec2", "autoscaling", "sts", "cloudwatch"]
ALLOWED = pathlib.Path(__file__).with_name("differences.txt")


def clients(url):
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)
    arguments = {"endpoint_url": url, "region_name": "us-west-2", "config": config}
    keys = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret"}
    return {service: boto3.client(service, **arguments, **keys) for service in SERVICES}


def moto_world(clients):
    """In moto, what the example makes in the lab."""
    ec2, autoscaling = clients["ec2"], clients["autoscaling"]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = []
    for cidr, az in [("10.0.0.0/24", "us-west-2a"), ("10.0.1.0/24", "us-west-2b")]:
        tags = [{"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": cidr}]}]
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=az, TagSpecifications=tags)
        subnets.append(made["Subnet"]["SubnetId"])
    service = "com.amazonaws.us-west-2.autoscaling"
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=service, VpcEndpointType="Interface", SubnetIds=subnets[:1])
    tags = [{"Key": "team", "Value": "a", "PropagateAtLaunch": True}]
    image = moto_group.workers(ec2, autoscaling, subnets, MinSize=0, DesiredCapacity=1, Tags=tags)
    return {"vpc": vpc, "subnets": subnets, "group": "workers", "image": image}


class Tally:
    """Counts and prints checks."""

    def __init__(self):
        self.passed = self.failed = 0

    def ok(self, text):
        self.passed += 1
        print(f"ok    {text}")

    def fail(self, text):
        self.failed += 1
        print(f"FAIL  {text}")


def check_rules(tally, lab, world):
    for rule in rules.RULES:
        try:
            rule(lab, world)
            tally.ok(f"rule: {rule.__doc__}")
        except Exception:  # whatever it is, the others are still to be checked
            tally.fail(f"rule: {rule.__doc__}\n{traceback.format_exc()}")


def check_shapes(tally, lab, lab_world):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        moto_clients = clients("http://{}:{}".format(*server.get_host_and_port()))
        theirs = calls.day(moto_clients, moto_world(moto_clients) | {"reservation": "10.0.1.16/28"})
    finally:
        server.stop()
    ours = calls.day(lab, lab_world | {"reservation": "10.0.1.16/28"})
    allowed = Allowed(ALLOWED)
    for operation in sorted(ours):
        known, unknown = allowed.split(differences(operation, ours[operation], theirs[operation]))
        if unknown:
            tally.fail(f"shape: {operation}")
            for line in sorted(unknown):
                print(f"      {line}")
        else:
            tally.ok(f"shape: {operation}" + (f", {len(known)} known differences" if known else ""))
    for entry in allowed.stale():
        tally.fail(f"{ALLOWED.name}: '{entry}' is no difference any more, remove it")


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    print(f"boto3 {boto3.__version__}, botocore {botocore.__version__}, moto {moto.__version__}")
    tally = Tally()
    with subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as lab:
        try:
            world = json.loads(lab.stdout.readline())
            print(f"lab at {world['url']}")
            lab_clients = clients(world["url"])
            check_shapes(tally, lab_clients, world)
            check_rules(tally, lab_clients, world)
        finally:
            lab.stdin.close()
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
