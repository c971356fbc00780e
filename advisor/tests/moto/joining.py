"""An instance in moto's EC2, IAM and EKS, read by the advisor and by boto3: both must see the same.

usage: joining.py <the example joining>
"""

import json
import logging
import subprocess
import sys
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

from compared import check

CLUSTER = "prod"
TAG = {"Key": f"kubernetes.io/cluster/{CLUSTER}", "Value": "owned"}
USER_DATA = "#!/bin/bash\nexport TOKEN=hunter2\n/etc/eks/bootstrap.sh prod --kubelet-extra-args '--max-pods=17'\n"
ROLE = "arn:aws:iam::123456789012:role/eks-cluster"
TRUST = '{"Version": "2012-10-17", "Statement": []}'


def make_cluster(url, config):
    """Past boto3: moto keeps what it is given here, and boto3 gives nothing that EKS works out by itself."""
    scope = "Credential=AKID/20260101/us-west-2/eks/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}", "Content-Type": "application/json"}
    body = json.dumps({"name": CLUSTER, "version": "1.30", "roleArn": ROLE, "resourcesVpcConfig": config})
    urllib.request.urlopen(urllib.request.Request(f"{url}/clusters", body.encode(), headers)).close()


def make(url, clients):
    """A cluster, and an instance beside it whose role has a path."""
    ec2, iam = clients["ec2"], clients["iam"]
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnets = [
        ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=cidr,
            AvailabilityZone=az,
            TagSpecifications=[{"ResourceType": "subnet", "Tags": [TAG, {"Key": "secret", "Value": "hunter2"}]}],
        )["Subnet"]["SubnetId"]
        for cidr, az in [("10.0.1.0/24", "us-west-2a"), ("10.0.2.0/24", "us-west-2b")]
    ]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[0])
    for service, kind in [("ec2", "Interface"), ("s3", "Gateway")]:
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.us-west-2.{service}", VpcEndpointType=kind)
    group = ec2.create_security_group(GroupName="nodes", Description="nodes", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 10250,
                "ToPort": 10250,
                "IpRanges": [{"CidrIp": "10.0.0.0/16"}],
                "UserIdGroupPairs": [{"GroupId": group}],
            },
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]},
        ],
    )
    iam.create_role(RoleName="NodeRole", Path="/eks/", AssumeRolePolicyDocument=TRUST)
    iam.create_instance_profile(InstanceProfileName="NodeProfile", Path="/eks/")
    iam.add_role_to_instance_profile(InstanceProfileName="NodeProfile", RoleName="NodeRole")
    own = ec2.create_security_group(GroupName="eks-cluster-sg-prod", Description="cluster", VpcId=vpc)["GroupId"]
    config = {"vpcId": vpc, "subnetIds": subnets, "securityGroupIds": [group], "clusterSecurityGroupId": own}
    access = {"endpointPublicAccess": True, "endpointPrivateAccess": False, "publicAccessCidrs": ["203.0.113.0/24"]}
    make_cluster(url, config | access)
    image = ec2.register_image(Name="amazon-eks-node-1.30-v20240807", RootDeviceName="/dev/xvda")["ImageId"]
    return ec2.run_instances(
        ImageId=image,
        InstanceType="m5.large",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnets[0],
        SecurityGroupIds=[group],
        IamInstanceProfile={"Name": "NodeProfile"},
        UserData=USER_DATA,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [TAG, {"Key": "secret", "Value": "hunter2"}]},
        ],
    )["Instances"][0]["InstanceId"]


def cluster_tags(tags):
    return {tag["Key"]: tag["Value"] for tag in tags if tag["Key"].startswith("kubernetes.io/cluster/")}


def rules(permissions):
    return [
        {
            "protocol": one["IpProtocol"],
            "ports": [one["FromPort"], one["ToPort"]] if "FromPort" in one else None,
            "cidrs": [block["CidrIp"] for block in one["IpRanges"]],
            "groups": [pair["GroupId"] for pair in one["UserIdGroupPairs"]],
            "prefix_lists": [],
        }
        for one in permissions
    ]


def security_groups(ec2, ids):
    return [
        {"id": one["GroupId"], "ingress": rules(one["IpPermissions"]), "egress": rules(one["IpPermissionsEgress"])}
        for one in ec2.describe_security_groups(GroupIds=ids)["SecurityGroups"]
    ]


def seen_by_boto3(clients, instance):
    ec2, iam, eks = clients["ec2"], clients["iam"], clients["eks"]
    row = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    subnet = ec2.describe_subnets(SubnetIds=[row["SubnetId"]])["Subnets"][0]
    profile = row["IamInstanceProfile"]["Arn"].split("/")[-1]
    profile = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]
    cluster = eks.describe_cluster(name=CLUSTER)["cluster"]
    vpc_config = cluster["resourcesVpcConfig"]
    tables = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [row["SubnetId"]]}])
    routes = [one for one in tables["RouteTables"][0]["Routes"] if one["DestinationCidrBlock"] == "0.0.0.0/0"]
    dns = {
        name: ec2.describe_vpc_attribute(VpcId=row["VpcId"], Attribute=attribute)[answer]["Value"]
        for name, attribute, answer in [
            ("support", "enableDnsSupport", "EnableDnsSupport"),
            ("hostnames", "enableDnsHostnames", "EnableDnsHostnames"),
        ]
    }
    groups = {one["GroupId"] for one in row["SecurityGroups"]} | set(vpc_config["securityGroupIds"])
    groups |= {vpc_config["clusterSecurityGroupId"]} if vpc_config.get("clusterSecurityGroupId") else set()
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    return {
        "machine": {
            "state": row["State"]["Name"],
            "vpc": row["VpcId"],
            "subnet": row["SubnetId"],
            "private_ip": row["PrivateIpAddress"],
            "public_ip": row.get("PublicIpAddress"),
            "security_groups": [one["GroupId"] for one in row["SecurityGroups"]],
            "profile": row["IamInstanceProfile"]["Arn"],
            "image": row["ImageId"],
            "cluster_tags": cluster_tags(row["Tags"]),
            "metadata": True,
        },
        "image": {"id": row["ImageId"], "name": ec2.describe_images(ImageIds=[row["ImageId"]])["Images"][0]["Name"]},
        "role": profile["Roles"][0]["Arn"],
        "control_plane": {
            "status": cluster["status"],
            "version": cluster["version"],
            "endpoint": cluster["endpoint"],
            "vpc": vpc_config["vpcId"],
            "cluster_security_group": vpc_config.get("clusterSecurityGroupId"),
            "security_groups": vpc_config["securityGroupIds"],
            "public_access": vpc_config["endpointPublicAccess"],
            "public_access_cidrs": vpc_config["publicAccessCidrs"],
            "private_access": vpc_config["endpointPrivateAccess"],
            "authentication_mode": cluster.get("accessConfig", {}).get("authenticationMode", "CONFIG_MAP"),
        },
        "security_groups": security_groups(ec2, sorted(groups)),
        "subnet": {"id": row["SubnetId"], "cluster_tags": cluster_tags(subnet["Tags"])},
        "default_route": {"target": routes[0]["GatewayId"], "blackhole": routes[0]["State"] == "blackhole"},
        "vpc_dns": dns,
        "vpc_endpoints": sorted(one["ServiceName"].split(".us-west-2.")[1] for one in endpoints if usable(one)),
    }


def usable(endpoint):
    private = endpoint["VpcEndpointType"] != "Interface" or endpoint["PrivateDnsEnabled"]
    return endpoint["State"].lower() == "available" and private


def ordered(value):
    if isinstance(value, list):
        return sorted((ordered(one) for one in value), key=lambda one: json.dumps(one, sort_keys=True))
    if isinstance(value, dict):
        return {key: ordered(one) for key, one in value.items()}
    return value


def compare(ours, theirs):
    """The number of parts that differ."""
    ours["machine"].get("read", {}).pop("age_secs", None)
    return sum(
        check(part, ordered(expected), ordered(ours[part].get("read", ours[part]))) for part, expected in theirs.items()
    )


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        keys = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret", "region_name": "us-west-2"}
        clients = {name: boto3.client(name, endpoint_url=url, **keys) for name in ["ec2", "iam", "eks"]}
        instance = make(url, clients)

        def read(cluster, instance):
            run = [sys.argv[1], url, cluster, instance]
            return subprocess.run(run, check=True, capture_output=True, text=True, timeout=120).stdout

        printed, nothing = read(CLUSTER, instance), json.loads(read("other", "i-00000000000000000"))
        theirs = seen_by_boto3(clients, instance)
    finally:
        server.stop()
    ours = json.loads(printed)
    failed = compare(ours, theirs)
    kubelet = {"flags": ["--max-pods"], "max_pods": 17, "labels": []}
    for name, expected, actual in [
        ("user data", kubelet, ours["user_data"]["read"]["bootstraps"][0]["kubelet"]),
        ("no secret", -1, printed.find("hunter2")),
        ("no instance", {"read": None}, nothing["machine"]),
        ("no cluster", {"read": None}, nothing["control_plane"]),
    ]:
        failed += check(name, expected, actual, "expected")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
