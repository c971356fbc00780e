//! The answers, page by page, in the layout of EC2 and Auto Scaling: every field that they send, whether it is read or not.

mod eni;
mod instance;
mod writer;

use std::net::Ipv4Addr;

use bytes::Bytes;

use self::eni::eni;
use self::instance::{group, instance};
use self::writer::{Api, Writer};
use super::{CLUSTER, ID, SUBNET_LEN, Size, base, subnet_id, zone};

/// Rows on a page, as the advisor asks for them and EC2 gives them.
const PAGE: u32 = 1000;
const OWNER: &str = "123456789012";
const SINCE: &str = "2026-11-01T10:00:00.000Z";

/// The pages that an operation answers with; `None` for one that is not served.
#[must_use]
pub fn pages(size: Size, operation: &str) -> Option<Vec<Bytes>> {
    let none = |_: &mut Writer, _| {};
    Some(match operation {
        "DescribeSubnets" => listing(operation, "subnetSet", size.subnets, |xml, n| subnet(xml, size, n)),
        "DescribeNetworkInterfaces" => listing(operation, "networkInterfaceSet", size.enis, |xml, n| eni(xml, size, n)),
        "DescribeInstances" => listing(operation, "reservationSet", size.nodes, |xml, n| instance(xml, size, n)),
        "DescribeVpcs" => listing(operation, "vpcSet", 1, |xml, _| vpc(xml)),
        "DescribeVpcEndpoints" => listing(operation, "vpcEndpointSet", 0, none),
        "DescribeInstanceTypes" => listing(operation, "instanceTypeSet", 0, none),
        "GetSubnetCidrReservations" => listing(operation, "subnetIpv4CidrReservationSet", 0, none),
        "DescribeAutoScalingGroups" => vec![groups(size)],
        _ => return None,
    })
}

fn listing(operation: &str, set: &str, rows: u32, row: impl Fn(&mut Writer, u32)) -> Vec<Bytes> {
    let pages = rows.div_ceil(PAGE).max(1);
    let page = |page: u32| {
        let mut xml = Writer::new(Api::Ec2);
        xml.within(&format!("{operation}Response"), |xml| {
            xml.put("requestId", "0b8bd8a2-5a6b-4b4e-9a0e-example0001");
            xml.within(set, |xml| {
                for n in page * PAGE..rows.min((page + 1) * PAGE) {
                    xml.item(|xml| row(xml, n));
                }
            });
            if page + 1 < pages {
                xml.put("nextToken", page + 1);
            }
        });
        Bytes::from(xml.text)
    };
    (0..pages).map(page).collect()
}

fn cluster_tag() -> String {
    format!("kubernetes.io/cluster/{CLUSTER}")
}

fn vpc(xml: &mut Writer) {
    xml.put("vpcId", ID);
    xml.within("cidrBlockAssociationSet", |xml| {
        xml.item(|xml| {
            xml.put("cidrBlock", "10.0.0.0/16");
            xml.within("cidrBlockState", |xml| xml.put("state", "associated"));
        });
    });
}

fn subnet(xml: &mut Writer, size: Size, n: u32) {
    let of_subnet = (0..size.enis).filter(|eni| size.subnet_of(size.node_of(*eni)) == n);
    let held: u32 = of_subnet.map(|_| 1 + size.pod_ips_per_eni()).sum();
    xml.put("subnetId", subnet_id(n));
    xml.put("vpcId", ID);
    xml.put("ownerId", OWNER);
    xml.put("state", "available");
    xml.put("cidrBlock", format!("{}/20", Ipv4Addr::from(base(n))));
    xml.put("availableIpAddressCount", SUBNET_LEN - 5 - held);
    xml.put("availabilityZone", zone(n));
    xml.put("mapPublicIpOnLaunch", false);
    xml.tags(&[("Name", "shop-private"), (&cluster_tag(), "shared"), ("kubernetes.io/role/internal-elb", "1")]);
}

fn groups(size: Size) -> Bytes {
    let mut xml = Writer::new(Api::AutoScaling);
    xml.within("DescribeAutoScalingGroupsResponse", |xml| {
        xml.within("DescribeAutoScalingGroupsResult", |xml| {
            xml.within("AutoScalingGroups", |xml| (0..size.groups()).for_each(|n| xml.item(|xml| group(xml, size, n))));
        });
    });
    Bytes::from(xml.text)
}
