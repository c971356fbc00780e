"""One day in the life of a small cluster, as API calls: the same against the lab and against moto."""

import datetime
import time

TRUST = "arn:aws:iam::123456789012:role/headroom"


class Recorder:
    """Keeps the answer of every call that is to be compared."""

    def __init__(self, clients):
        self.clients = clients
        self.answers = {}

    def call(self, service, operation, **arguments):
        answer = getattr(self.clients[service], operation)(**arguments)
        self.answers[f"{service}.{operation}"] = answer
        return answer


def until(check, seconds=10):
    """Repeats `check` until it gives something true."""
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {check.__doc__ or check.__name__}")
        time.sleep(0.02)


def day(clients, world):
    """Makes all calls; gives their answers by `service.operation`."""
    recorder = Recorder(clients)
    enis(recorder, world)
    network(recorder, world)
    groups(recorder, world)
    identity(recorder)
    metrics(recorder)
    return recorder.answers


def enis(recorder, world):
    ec2 = recorder.clients["ec2"]
    subnet = world["subnets"][0]
    tags = [{"Key": "node.k8s.amazonaws.com/instance_id", "Value": "i-1"}]
    instance = recorder.call(
        "ec2",
        "run_instances",
        ImageId=world.get("image", "ami-12345678"),
        InstanceType="c5.large",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"][0]["InstanceId"]

    def running():
        """the instance runs"""
        found = recorder.call("ec2", "describe_instances", InstanceIds=[instance])
        return found["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"

    until(running)
    created = recorder.call(
        "ec2",
        "create_network_interface",
        SubnetId=subnet,
        Description=f"aws-K8S-{instance}",
        SecondaryPrivateIpAddressCount=2,
        TagSpecifications=[{"ResourceType": "network-interface", "Tags": tags}],
    )["NetworkInterface"]
    eni = created["NetworkInterfaceId"]
    assigned = recorder.call(
        "ec2", "assign_private_ip_addresses", NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=2
    )
    attachment = recorder.call(
        "ec2", "attach_network_interface", NetworkInterfaceId=eni, InstanceId=instance, DeviceIndex=1
    )["AttachmentId"]
    recorder.call(
        "ec2",
        "modify_network_interface_attribute",
        NetworkInterfaceId=eni,
        Attachment={"AttachmentId": attachment, "DeleteOnTermination": True},
    )
    recorder.call("ec2", "create_tags", Resources=[eni], Tags=[{"Key": "cluster.k8s.amazonaws.com/name", "Value": "a"}])
    of_instance = [{"Name": "attachment.instance-id", "Values": [instance]}]
    recorder.call("ec2", "describe_network_interfaces", Filters=of_instance)
    ip = assigned["AssignedPrivateIpAddresses"][0]["PrivateIpAddress"]
    recorder.call("ec2", "unassign_private_ip_addresses", NetworkInterfaceId=eni, PrivateIpAddresses=[ip])
    recorder.call("ec2", "detach_network_interface", AttachmentId=attachment)

    def detached():
        """the ENI is detached"""
        found = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])
        return found["NetworkInterfaces"][0]["Status"] == "available"

    until(detached)
    recorder.call("ec2", "delete_network_interface", NetworkInterfaceId=eni)
    recorder.call("ec2", "terminate_instances", InstanceIds=[instance])


def network(recorder, world):
    subnet = world["subnets"][1]
    in_vpc = [{"Name": "vpc-id", "Values": [world["vpc"]]}]
    recorder.call("ec2", "describe_subnets", Filters=in_vpc)
    recorder.call("ec2", "describe_vpcs", VpcIds=[world["vpc"]])
    recorder.call("ec2", "describe_security_groups", Filters=in_vpc)
    recorder.call("ec2", "describe_vpc_endpoints", Filters=in_vpc)
    recorder.call("ec2", "describe_instance_types", InstanceTypes=["c5.large"])
    recorder.call(
        "ec2", "create_subnet_cidr_reservation", SubnetId=subnet, Cidr=world["reservation"], ReservationType="prefix"
    )
    recorder.call("ec2", "get_subnet_cidr_reservations", SubnetId=subnet)


def groups(recorder, world):
    autoscaling, name = recorder.clients["autoscaling"], world["group"]
    recorder.call("autoscaling", "set_desired_capacity", AutoScalingGroupName=name, DesiredCapacity=2)

    def members():
        """two members are in service"""
        group = recorder.call("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name])
        found = group["AutoScalingGroups"][0]["Instances"]
        serving = [one["InstanceId"] for one in found if one["LifecycleState"] == "InService"]
        return serving if len(serving) == 2 else None

    ids = until(members)
    recorder.call("autoscaling", "describe_auto_scaling_instances", InstanceIds=ids)
    recorder.call(
        "autoscaling", "set_instance_protection", AutoScalingGroupName=name, InstanceIds=ids, ProtectedFromScaleIn=True
    )
    recorder.call("autoscaling", "suspend_processes", AutoScalingGroupName=name, ScalingProcesses=["AZRebalance"])
    group = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    recorder.answers["autoscaling.describe_auto_scaling_groups"] = group
    recorder.call("autoscaling", "resume_processes", AutoScalingGroupName=name)
    recorder.call(
        "autoscaling",
        "put_lifecycle_hook",
        AutoScalingGroupName=name,
        LifecycleHookName="drain",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
        HeartbeatTimeout=60,
        DefaultResult="CONTINUE",
    )
    recorder.call("autoscaling", "describe_lifecycle_hooks", AutoScalingGroupName=name)
    recorder.call(
        "autoscaling",
        "terminate_instance_in_auto_scaling_group",
        InstanceId=ids[0],
        ShouldDecrementDesiredCapacity=True,
    )
    recorder.call("autoscaling", "describe_scaling_activities", AutoScalingGroupName=name)


def identity(recorder):
    recorder.call("sts", "get_caller_identity")
    recorder.call(
        "sts", "assume_role_with_web_identity", RoleArn=TRUST, RoleSessionName="lab", WebIdentityToken="a.b.c"
    )


def metrics(recorder):
    dimensions = [{"Name": "Subnet", "Value": "a"}]
    data = [
        {"MetricName": "FreeIps", "Dimensions": dimensions, "Value": 7.0},
        {"MetricName": "FreeIps", "Dimensions": dimensions, "Values": [1.0, 2.0], "Counts": [3.0, 1.0]},
    ]
    recorder.call("cloudwatch", "put_metric_data", Namespace="Headroom", MetricData=data)
    recorder.call("cloudwatch", "list_metrics", Namespace="Headroom")
    now = datetime.datetime.now(datetime.timezone.utc)
    # The lab's clock runs fast.
    window = {"StartTime": now - datetime.timedelta(hours=1), "EndTime": now + datetime.timedelta(hours=3)}
    metric = {"Namespace": "Headroom", "MetricName": "FreeIps", "Dimensions": dimensions}
    query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    recorder.call("cloudwatch", "get_metric_data", MetricDataQueries=[query], **window)
    recorder.call("cloudwatch", "get_metric_statistics", Period=60, Statistics=["Sum"], **metric, **window)
