//! Instances, and the groups that they are of.

use super::eni::{eni_base, private_dns};
use super::writer::Writer;
use super::{OWNER, SINCE, cluster_tag};
use crate::bench::vpc::{CLUSTER, ID, INSTANCE_TYPE, PER_GROUP, Size, instance_id, subnet_id, zone};

/// Each instance in a reservation of its own, and with all of its ENIs: there is no way to ask for less.
pub(super) fn instance(xml: &mut Writer, size: Size, n: u32) {
    let id = instance_id(n);
    xml.put("reservationId", format!("r-{n:017x}"));
    xml.put("ownerId", OWNER);
    xml.within("groupSet", |_| ());
    xml.within("instancesSet", |xml| {
        xml.item(|xml| {
            instance_base(xml, size, n, &id);
            xml.within("networkInterfaceSet", |xml| {
                for eni in size.enis_of(n) {
                    xml.item(|xml| eni_base(xml, size, eni, &id));
                }
            });
            let node = format!("{CLUSTER}-workers-{}-Node", n / PER_GROUP);
            xml.tags(&[
                (&cluster_tag(), "owned"),
                ("Name", &node),
                ("eks:cluster-name", CLUSTER),
                ("eks:nodegroup-name", "workers"),
                ("k8s.io/cluster-autoscaler/enabled", "true"),
                ("aws:autoscaling:groupName", &group_name(n / PER_GROUP)),
                ("aws:ec2launchtemplate:id", "lt-0123456789abcdef0"),
                ("aws:ec2launchtemplate:version", "3"),
            ]);
        });
    });
}

fn instance_base(xml: &mut Writer, size: Size, n: u32, id: &str) {
    let primary = size.ip(n, size.first_of(n));
    xml.put("instanceId", id);
    xml.put("imageId", "ami-0a1b2c3d4e5f60718");
    xml.within("instanceState", |xml| {
        xml.put("code", 16);
        xml.put("name", "running");
    });
    xml.put("privateDnsName", private_dns(primary));
    xml.put("amiLaunchIndex", 0);
    xml.put("instanceType", INSTANCE_TYPE);
    xml.put("launchTime", SINCE);
    xml.within("placement", |xml| {
        xml.put("availabilityZone", zone(size.subnet_of(n)));
        xml.put("tenancy", "default");
    });
    xml.within("monitoring", |xml| xml.put("state", "disabled"));
    xml.put("subnetId", subnet_id(size.subnet_of(n)));
    xml.put("vpcId", ID);
    xml.put("privateIpAddress", primary);
    xml.put("architecture", "x86_64");
    xml.put("rootDeviceType", "ebs");
    xml.put("rootDeviceName", "/dev/xvda");
    xml.within("blockDeviceMapping", |xml| {
        xml.item(|xml| {
            xml.put("deviceName", "/dev/xvda");
            xml.within("ebs", |xml| {
                xml.put("volumeId", format!("vol-{n:017x}"));
                xml.put("status", "attached");
                xml.put("attachTime", SINCE);
                xml.put("deleteOnTermination", true);
            });
        });
    });
    for (name, value) in [("virtualizationType", "hvm"), ("hypervisor", "xen"), ("ebsOptimized", "true")] {
        xml.put(name, value);
    }
    xml.within("metadataOptions", |xml| {
        xml.put("state", "applied");
        xml.put("httpTokens", "required");
        xml.put("httpPutResponseHopLimit", 2);
        xml.put("httpEndpoint", "enabled");
    });
}

fn group_name(n: u32) -> String {
    format!("eks-workers-{n:08x}-5ac9")
}

pub(super) fn group(xml: &mut Writer, size: Size, n: u32) {
    let members = n * PER_GROUP..size.nodes.min((n + 1) * PER_GROUP);
    let subnets: Vec<String> = members.clone().take(3).map(|node| subnet_id(size.subnet_of(node))).collect();
    xml.put("AutoScalingGroupName", group_name(n));
    xml.put("MinSize", 0);
    xml.put("MaxSize", 2 * PER_GROUP);
    xml.put("DesiredCapacity", members.len());
    xml.put("DefaultCooldown", 300);
    xml.put("HealthCheckType", "EC2");
    xml.put("HealthCheckGracePeriod", 15);
    xml.put("CreatedTime", SINCE);
    xml.put("VPCZoneIdentifier", subnets.join(","));
    xml.within("Instances", |xml| {
        for node in members {
            xml.item(|xml| {
                xml.put("InstanceId", instance_id(node));
                xml.put("InstanceType", INSTANCE_TYPE);
                xml.put("AvailabilityZone", zone(size.subnet_of(node)));
                xml.put("LifecycleState", "InService");
                xml.put("HealthStatus", "Healthy");
                xml.within("LaunchTemplate", |xml| {
                    xml.put("LaunchTemplateId", "lt-0123456789abcdef0");
                    xml.put("LaunchTemplateName", "eks-workers");
                    xml.put("Version", 3);
                });
                xml.put("ProtectedFromScaleIn", false);
            });
        }
    });
    xml.within("Tags", |xml| {
        xml.item(|xml| {
            xml.put("ResourceId", group_name(n));
            xml.put("ResourceType", "auto-scaling-group");
            xml.put("Key", cluster_tag());
            xml.put("Value", "owned");
            xml.put("PropagateAtLaunch", true);
        });
    });
}
