"""What both comparisons with moto need of an account."""


def workers(ec2, autoscaling, subnets, **settings):
    """Makes the Auto Scaling group `workers` of c5.large; gives the image that its instances have."""
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    template = {"ImageId": image, "InstanceType": "c5.large"}
    ec2.create_launch_template(LaunchTemplateName="workers", LaunchTemplateData=template)
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="workers",
        LaunchTemplate={"LaunchTemplateName": "workers", "Version": "1"},
        MaxSize=20,
        VPCZoneIdentifier=",".join(subnets),
        **settings,
    )
    return image
