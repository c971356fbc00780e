//! ENIs, on their own and below their instances.

use std::net::Ipv4Addr;

use super::writer::Writer;
use super::{OWNER, SINCE, cluster_tag};
use crate::bench::vpc::{CLUSTER, ID, REGION, Size, instance_id, subnet_id, zone};

pub(super) fn private_dns(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("ip-{a}-{b}-{c}-{d}.{REGION}.compute.internal")
}

pub(super) fn eni(xml: &mut Writer, size: Size, n: u32) {
    let instance = instance_id(size.node_of(n));
    xml.put("availabilityZone", zone(size.subnet_of(size.node_of(n))));
    xml.put("requesterId", format!("AROAEXAMPLEEXAMPLE:{instance}"));
    xml.put("requesterManaged", false);
    xml.within("operator", |xml| xml.put("managed", false));
    eni_base(xml, size, n, &instance);
    xml.tags(&[
        (&cluster_tag(), "owned"),
        ("node.k8s.amazonaws.com/instance_id", &instance),
        ("node.k8s.amazonaws.com/createdAt", "2026-11-01T10:00:00Z"),
        ("cluster.k8s.amazonaws.com/name", CLUSTER),
        ("eks:eni:owner", "amazon-vpc-cni"),
    ]);
}

/// What stands below an instance too.
pub(super) fn eni_base(xml: &mut Writer, size: Size, n: u32, instance: &str) {
    xml.put("networkInterfaceId", format!("eni-{n:017x}"));
    xml.put("subnetId", subnet_id(size.subnet_of(size.node_of(n))));
    xml.put("vpcId", ID);
    xml.put("description", format!("aws-K8S-{instance}"));
    xml.put("ownerId", OWNER);
    xml.put("status", "in-use");
    xml.put("macAddress", "02:0a:00:00:00:01");
    let primary = size.ip(n, size.first_of(n));
    xml.put("privateIpAddress", primary);
    xml.put("privateDnsName", private_dns(primary));
    xml.put("sourceDestCheck", true);
    xml.within("groupSet", |xml| {
        xml.item(|xml| {
            xml.put("groupId", "sg-0123456789abcdef0");
            xml.put("groupName", "eks-cluster-sg-shop-1234567890");
        });
    });
    xml.within("attachment", |xml| {
        xml.put("attachmentId", format!("eni-attach-{n:017x}"));
        xml.put("instanceId", instance);
        xml.put("instanceOwnerId", OWNER);
        xml.put("deviceIndex", n / size.nodes);
        xml.put("networkCardIndex", 0);
        xml.put("status", "attached");
        xml.put("attachTime", SINCE);
        xml.put("deleteOnTermination", true);
    });
    xml.within("privateIpAddressesSet", |xml| {
        for ip in size.singles(n) {
            xml.item(|xml| {
                xml.put("privateIpAddress", ip);
                xml.put("privateDnsName", private_dns(ip));
                xml.put("primary", ip == primary);
            });
        }
    });
    if size.prefixes > 0 {
        xml.within("ipv4PrefixSet", |xml| {
            size.prefixes(n).for_each(|first| xml.item(|xml| xml.put("ipv4Prefix", format!("{first}/28"))));
        });
    }
    xml.within("ipv6AddressesSet", |_| ());
    xml.put("interfaceType", "interface");
}
