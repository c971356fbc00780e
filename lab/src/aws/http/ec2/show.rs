//! What several answers of EC2 show in the same way.

use std::net::Ipv4Addr;

use crate::aws::http::xml::{Map, Xml, items, tag_set, text};
use crate::aws::{Eni, Vpc, stamp};

/// `usw2-az1` of `us-west-2a`. AWS maps zone names to ids for each account anew; here `a` is 1.
pub(super) fn zone_id(az: &str) -> String {
    let mut parts = az.split('-');
    let area: String = parts.next().unwrap_or_default().chars().take(2).collect();
    let direction: String = parts.next().unwrap_or_default().chars().take(1).collect();
    let last = parts.next().unwrap_or_default();
    let number: String = last.chars().filter(char::is_ascii_digit).collect();
    let letter = last.chars().find(char::is_ascii_lowercase).unwrap_or('a');
    format!("{area}{direction}{number}-az{}", u32::from(letter) - u32::from('a') + 1)
}

pub(super) fn private_dns(vpc: &Vpc, ip: Ipv4Addr) -> String {
    let host = ip.to_string().replace('.', "-");
    match vpc.config().region.as_str() {
        "us-east-1" => format!("ip-{host}.ec2.internal"),
        region => format!("ip-{host}.{region}.compute.internal"),
    }
}

/// `groupSet`.
pub(super) fn groups(vpc: &Vpc, ids: &[String]) -> Xml {
    let name = |id: &String| vpc.security_groups.iter().find(|group| group.id == *id).map(|group| group.name.clone());
    items(ids.iter().map(|id| Map::new().text("groupId", id).maybe("groupName", name(id))))
}

/// `privateIpAddressesSet` of DescribeNetworkInterfaces and DescribeInstances.
fn private_ips(vpc: &Vpc, eni: &Eni) -> Xml {
    let ips = std::iter::once(eni.primary_ip).chain(eni.secondary_ips.iter().copied());
    items(ips.map(|ip| {
        let primary = ip == eni.primary_ip;
        Map::new().text("primary", primary).text("privateIpAddress", ip).text("privateDnsName", private_dns(vpc, ip))
    }))
}

/// `ipv4PrefixSet`.
fn prefixes(eni: &Eni) -> Xml {
    items(eni.prefixes.iter().map(|prefix| Map::new().text("ipv4Prefix", prefix)))
}

fn mac(eni: &Eni) -> String {
    let [a, b, c, d] = eni.primary_ip.octets();
    format!("02:0a:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// The fields that an ENI shows both on its own and below its instance.
pub(super) fn eni_base(vpc: &Vpc, eni: &Eni) -> Map {
    Map::new()
        .text("networkInterfaceId", &eni.id)
        .text("subnetId", &eni.subnet)
        .text("vpcId", vpc.id())
        .text("description", &eni.description)
        .text("ownerId", &vpc.config().account)
        .text("status", eni.status().as_str())
        .text("macAddress", mac(eni))
        .text("privateIpAddress", eni.primary_ip)
        .text("privateDnsName", private_dns(vpc, eni.primary_ip))
        .text("sourceDestCheck", true)
        .text("interfaceType", eni.interface_type)
        .put("groupSet", groups(vpc, &eni.groups))
        .put("privateIpAddressesSet", private_ips(vpc, eni))
        .put("ipv6AddressesSet", items::<Xml>([]))
        .put("ipv4PrefixSet", prefixes(eni))
}

/// `attachment` below an instance, and most of it on an ENI.
pub(super) fn attachment(eni: &Eni) -> Option<Map> {
    let attachment = eni.attachment.as_ref()?;
    let map = Map::new()
        .text("attachmentId", &attachment.id)
        .text("deviceIndex", attachment.device_index)
        .text("networkCardIndex", 0)
        .text("status", attachment.status.as_str())
        .text("attachTime", stamp(attachment.attached_at))
        .text("deleteOnTermination", attachment.delete_on_termination);
    Some(map)
}

pub(super) fn eni(vpc: &Vpc, eni: &Eni) -> Map {
    let map = eni_base(vpc, eni)
        .text("availabilityZone", &eni.az)
        .text("availabilityZoneId", zone_id(&eni.az))
        .text("requesterManaged", eni.requester_managed)
        .text("requesterId", if eni.requester_managed { "amazon-aws" } else { "AROAHEADROOMLABROLE00:lab" })
        .put("tagSet", tag_set(&eni.tags));
    let Some(instance) = eni.attachment.as_ref().map(|attachment| attachment.instance.clone()) else { return map };
    let Some(attachment) = attachment(eni) else { return map };
    map.put("attachment", attachment.text("instanceId", instance).text("instanceOwnerId", &vpc.config().account))
}

pub(super) fn strings<T: std::fmt::Display>(values: &[T]) -> Xml {
    items(values.iter().map(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_ids() {
        assert_eq!(zone_id("us-west-2a"), "usw2-az1");
        assert_eq!(zone_id("ap-southeast-1c"), "aps1-az3");
    }
}
