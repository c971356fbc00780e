"""AWS's rules as boto3 sees them; moto knows few of them, so only the lab is asked."""

from botocore.exceptions import ClientError

from calls import until


def code(call, **arguments):
    """The error code of a call that must fail."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "no error"


def check(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} instead of {expected!r}")


def limits_of_the_instance_type(clients, world):
    """an ENI takes no more addresses than its instance type allows"""
    ec2 = clients["ec2"]
    eni = ec2.describe_instances(InstanceIds=[_member(clients, world)])["Reservations"][0]["Instances"][0]
    eni = eni["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=9)
    one_more = {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 1}
    check(code(ec2.assign_private_ip_addresses, **one_more), "PrivateIpAddressLimitExceeded")


def prefixes_take_sixteen(clients, world):
    """a prefix takes sixteen addresses of the subnet, aligned"""
    ec2, subnet = clients["ec2"], world["subnets"][1]
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    answer = ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, Ipv4PrefixCount=2)
    prefixes = [prefix["Ipv4Prefix"] for prefix in answer["AssignedIpv4Prefixes"]]
    check([prefix.endswith("/28") for prefix in prefixes], [True, True])
    shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]["Ipv4Prefixes"]
    check([prefix["Ipv4Prefix"] for prefix in shown], prefixes)


def full_subnet(clients, world):
    """a full subnet refuses single addresses and whole prefixes with their own codes"""
    ec2, subnet = clients["ec2"], world["subnets"][2]
    made = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    eni = {"NetworkInterfaceId": made["NetworkInterfaceId"]}
    refused = code(ec2.assign_private_ip_addresses, SecondaryPrivateIpAddressCount=11, **eni)
    check(refused, "InsufficientFreeAddressesInSubnet")
    check(code(ec2.assign_private_ip_addresses, Ipv4PrefixCount=1, **eni), "InsufficientCidrBlocks")


def failed_launch_is_an_activity(clients, world):
    """a group in a full subnet records failed launches"""
    autoscaling, name = clients["autoscaling"], world["cramped_group"]
    autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=20)

    def failure():
        """a launch failed"""
        activities = autoscaling.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
        return next((one for one in activities if one["StatusCode"] == "Failed"), None)

    message = until(failure)["StatusMessage"]
    expected = f"There are not enough free addresses in subnet '{world['subnets'][2]}' to satisfy the requested number of instances."
    check(message, f"{expected} Launching EC2 instance failed.")


def desired_within_bounds(clients, world):
    """desired capacity stays between min and max"""
    arguments = {"AutoScalingGroupName": world["group"], "DesiredCapacity": 21}
    check(code(clients["autoscaling"].set_desired_capacity, **arguments), "ValidationError")


def launch_in_a_subnet(clients, world):
    """LaunchInstances puts instances where the caller says"""
    launched = clients["autoscaling"].launch_instances(
        AutoScalingGroupName=world["group"], RequestedCapacity=1, ClientToken="t", SubnetIds=[world["subnets"][1]]
    )
    check(launched["Instances"][0]["SubnetId"], world["subnets"][1])
    check(launched["Errors"], [])


def pages(clients, world):
    """pages are complete"""
    ec2 = clients["ec2"]
    made = []
    for _ in range(6):
        made.append(ec2.create_network_interface(SubnetId=world["subnets"][0], Description="paged")["NetworkInterface"])
    # Only these: the lab's Auto Scaling groups make and free ENIs meanwhile.
    mine = [{"Name": "description", "Values": ["paged"]}]
    pages = ec2.get_paginator("describe_network_interfaces").paginate(Filters=mine, PaginationConfig={"PageSize": 5})
    pages = [[eni["NetworkInterfaceId"] for eni in page["NetworkInterfaces"]] for page in pages]
    check([len(page) for page in pages], [5, 1])
    check(sorted(sum(pages, [])), sorted(eni["NetworkInterfaceId"] for eni in made))


def unknown_ids(clients, world):
    """unknown ids have a code of their own"""
    ec2 = clients["ec2"]
    check(code(ec2.describe_subnets, SubnetIds=["subnet-1"]), "InvalidSubnetID.NotFound")
    check(code(ec2.delete_network_interface, NetworkInterfaceId="eni-1"), "InvalidNetworkInterfaceID.NotFound")
    check(code(ec2.terminate_instances, InstanceIds=["i-1"]), "InvalidInstanceID.NotFound")


def dry_run(clients, world):
    """a dry run changes nothing and says that it would have worked"""
    arguments = {"SubnetId": world["subnets"][0], "DryRun": True}
    check(code(clients["ec2"].create_network_interface, **arguments), "DryRunOperation")


def metric_limits(clients, world):
    """CloudWatch takes 1000 metrics at a time, not 1001, compressed as boto3 sends them"""
    cloudwatch = clients["cloudwatch"]
    data = [{"MetricName": f"M{number}", "Value": float(number)} for number in range(1001)]
    check(code(cloudwatch.put_metric_data, Namespace="Headroom/Many", MetricData=data), "InvalidParameterValue")
    cloudwatch.put_metric_data(Namespace="Headroom/Many", MetricData=data[:1000])
    listed = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace="Headroom/Many"))
    check([len(page["Metrics"]) for page in listed], [500, 500])


def _member(clients, world):
    """An instance of the cramped group, in service."""

    def member():
        """the cramped group has a member in service"""
        groups = clients["autoscaling"].describe_auto_scaling_groups(AutoScalingGroupNames=[world["cramped_group"]])
        found = groups["AutoScalingGroups"][0]["Instances"]
        return next((one["InstanceId"] for one in found if one["LifecycleState"] == "InService"), None)

    return until(member)


RULES = [
    desired_within_bounds,
    dry_run,
    limits_of_the_instance_type,
    full_subnet,
    failed_launch_is_an_activity,
    launch_in_a_subnet,
    metric_limits,
    pages,
    prefixes_take_sixteen,
    unknown_ids,
]
