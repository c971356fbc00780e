"""An account in moto, read by the advisor and by boto3: both must see the same.

usage: inventory.py <the example inventory>
"""

import json
import logging
import subprocess
import sys

import boto3
from moto.server import ThreadedMotoServer

import moto_group
from compared import check

CLUSTER = "prod"
OWNED = {"Key": f"kubernetes.io/cluster/{CLUSTER}", "Value": "owned"}


def make(ec2, autoscaling):
    """Two subnets of one VPC with nodes of a group, a node of no group, ENIs with addresses, one of them unattached."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="100.64.0.0/16")
    subnets = []
    for cidr, az in [("10.0.0.0/24", "us-west-2a"), ("100.64.0.0/20", "us-west-2b")]:
        tags = [{"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": f"nodes & <{az}>"}, OWNED]}]
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=az, TagSpecifications=tags)
        subnets.append(made["Subnet"]["SubnetId"])
    for service, kind in [("autoscaling", "Interface"), ("s3", "Gateway")]:
        name = f"com.amazonaws.us-west-2.{service}"
        extra = {"SubnetIds": subnets[:1]} if kind == "Interface" else {}
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=name, VpcEndpointType=kind, **extra)
    tags = [OWNED | {"PropagateAtLaunch": True}]
    image = moto_group.workers(ec2, autoscaling, subnets, MinSize=1, DesiredCapacity=4, Tags=tags)
    tags = [{"ResourceType": "instance", "Tags": [OWNED]}]
    single = ec2.run_instances(
        ImageId=image, InstanceType="m5.large", MinCount=1, MaxCount=1, SubnetId=subnets[1], TagSpecifications=tags
    )["Instances"][0]["InstanceId"]
    terminated = ec2.run_instances(
        ImageId=image, InstanceType="m5.large", MinCount=1, MaxCount=1, SubnetId=subnets[1], TagSpecifications=tags
    )["Instances"][0]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[terminated])
    for index, count in [(1, 9), (2, 0)]:
        eni = ec2.create_network_interface(SubnetId=subnets[1], Description="aws-K8S-" + single)
        eni = eni["NetworkInterface"]["NetworkInterfaceId"]
        if count:
            ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=count)
        if index == 1:
            ec2.attach_network_interface(NetworkInterfaceId=eni, InstanceId=single, DeviceIndex=index)
    return vpc


def pages(client, operation, key, **arguments):
    paginator = client.get_paginator(operation)
    return [row for page in paginator.paginate(**arguments) for row in page[key]]


def tags(row):
    return {tag["Key"]: tag["Value"] for tag in row.get("Tags", [])}


def eni(row):
    attachment = row.get("Attachment") or {}
    addresses = row["PrivateIpAddresses"]
    return {
        "NetworkInterfaceId": row["NetworkInterfaceId"],
        "SubnetId": row["SubnetId"],
        "Available": row["Status"] == "available",
        "PrimaryIp": next((one["PrivateIpAddress"] for one in addresses if one["Primary"]), None),
        "SecondaryIps": sorted(one["PrivateIpAddress"] for one in addresses if not one["Primary"]),
        "Prefixes": [one["Ipv4Prefix"] for one in row.get("Ipv4Prefixes", [])],
        "Instance": attachment.get("InstanceId"),
        "DeviceIndex": attachment.get("DeviceIndex"),
    }


def instance(row):
    return {
        "InstanceId": row["InstanceId"],
        "InstanceType": row["InstanceType"],
        "SubnetId": row.get("SubnetId"),
        "PrivateDnsName": row["PrivateDnsName"],
        "LaunchTime": int(row["LaunchTime"].timestamp()),
        "Group": tags(row).get("aws:autoscaling:groupName"),
        "OfCluster": OWNED["Key"] in tags(row),
    }


def group(row):
    members = [[one["InstanceId"], one["LifecycleState"]] for one in row["Instances"]]
    return {
        "AutoScalingGroupName": row["AutoScalingGroupName"],
        "MinSize": row["MinSize"],
        "MaxSize": row["MaxSize"],
        "DesiredCapacity": row["DesiredCapacity"],
        "Subnets": row["VPCZoneIdentifier"].split(","),
        "Members": sorted(members),
    }


def endpoint(row):
    return {
        "VpcEndpointId": row["VpcEndpointId"],
        "ServiceName": row["ServiceName"],
        "Available": row["State"].lower() == "available",
        "Interface": row["VpcEndpointType"] == "Interface",
        "PrivateDnsEnabled": row["PrivateDnsEnabled"],
    }


ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
ACCELERATORS = ["GpuInfo", "NeuronInfo", "InferenceAcceleratorInfo", "FpgaInfo", "MediaAcceleratorInfo"]


def offer(row):
    network = row["NetworkInfo"]
    cards = {card["NetworkCardIndex"]: card["MaximumNetworkInterfaces"] for card in network["NetworkCards"]}
    spoken = [ARCHITECTURES[name] for name in row["ProcessorInfo"]["SupportedArchitectures"] if name in ARCHITECTURES]
    ebs = [row["EbsInfo"]["MaximumEbsAttachments"], row["EbsInfo"]["AttachmentLimitType"]]
    # As the EBS CSI driver counts them.
    ebs = [39, "dedicated"] if row.get("Hypervisor") == "xen" else ebs
    shape = [row["VCpuInfo"]["DefaultVCpus"], row["MemoryInfo"]["SizeInMiB"], spoken[0], ebs] if spoken else None
    return {
        "InstanceType": row["InstanceType"],
        "Limits": [cards[network["DefaultNetworkCardIndex"]], network["Ipv4AddressesPerInterface"], len(cards)],
        "Shape": shape,
        "Current": row["CurrentGeneration"],
        "Burstable": row["BurstablePerformanceSupported"],
        "LocalDisks": row["InstanceStorageSupported"],
        "Accelerated": any(name in row for name in ACCELERATORS),
    }


def seen_by_boto3(ec2, autoscaling, vpc):
    of_vpc = {"Filters": [{"Name": "vpc-id", "Values": [vpc]}]}
    blocks = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"]
    subnet_keys = ["SubnetId", "VpcId", "AvailabilityZone", "CidrBlock", "AvailableIpAddressCount"]
    reservations = pages(ec2, "describe_instances", "Reservations", **of_vpc)
    instances = [row for one in reservations for row in one["Instances"]]
    return {
        "vpc": vpc,
        "vpc_cidrs": [block["CidrBlock"] for block in blocks],
        "subnets": [
            {key: row[key] for key in subnet_keys} | {"Tags": tags(row)}
            for row in pages(ec2, "describe_subnets", "Subnets", **of_vpc)
        ],
        "enis": [eni(row) for row in pages(ec2, "describe_network_interfaces", "NetworkInterfaces", **of_vpc)],
        "instances": [instance(row) for row in instances if row["State"]["Name"] != "terminated"],
        "groups": [group(row) for row in pages(autoscaling, "describe_auto_scaling_groups", "AutoScalingGroups")],
        "endpoints": [endpoint(row) for row in pages(ec2, "describe_vpc_endpoints", "VpcEndpoints", **of_vpc)],
        "offers": [offer(row) for row in pages(ec2, "describe_instance_types", "InstanceTypes")],
    }


def ordered(rows):
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True)) if isinstance(rows, list) else rows


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        keys = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret", "region_name": "us-west-2"}
        ec2, autoscaling = (boto3.client(service, endpoint_url=url, **keys) for service in ["ec2", "autoscaling"])
        vpc = make(ec2, autoscaling)
        printed = subprocess.run([sys.argv[1], url, CLUSTER], check=True, capture_output=True, text=True, timeout=120)
        theirs = seen_by_boto3(ec2, autoscaling, vpc)
    finally:
        server.stop()
    ours = json.loads(printed.stdout)
    failed = 0
    for error in ours["errors"]:
        failed += 1
        print(f"FAIL  {error}")
    for part, expected in theirs.items():
        expected, actual = ordered(expected), ordered(ours["inventory"][part])
        count = len(expected) if isinstance(expected, list) else 1
        failed += check(f"{part}: {count}", expected, actual)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
