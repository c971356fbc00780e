//! Subnets and CIDR reservations.

use headroom_capacity::ids::SubnetId;
use headroom_capacity::subnet::{Cidr, ReservationKind};
use headroom_capacity::time::Time;

use super::show::zone_id;
use super::{Answer, subnet_id};
use crate::aws::http::filter::{self, Values, one, tag_values};
use crate::aws::http::page::{EC2, page};
use crate::aws::http::params::Params;
use crate::aws::http::xml::{Map, Xml, items, tag_set};
use crate::aws::{Reservation, SubnetView, Tags, Vpc};

pub(super) fn describe(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let ids: Vec<SubnetId> = params.list("SubnetId").into_iter().map(SubnetId::from).collect();
    for id in &ids {
        vpc.subnet(id)?;
    }
    let filters = filter::ec2(params)?;
    let mut found = Vec::new();
    for subnet in vpc.subnets(now).filter(|subnet| ids.is_empty() || ids.contains(&subnet.id)) {
        if filter::matches(&filters, |name| value(vpc, &subnet, name))? {
            found.push(subnet);
        }
    }
    let (subnets, next) = page(params, &EC2, found, |subnet| subnet.id.to_string())?;
    let set = items(subnets.iter().map(|subnet| show(vpc, subnet)));
    Ok(Some(Map::new().put("subnetSet", set).maybe("nextToken", next)))
}

fn value(vpc: &Vpc, subnet: &SubnetView, name: &str) -> Values {
    match name {
        "subnet-id" => one(&subnet.id),
        "vpc-id" => one(vpc.id()),
        "availability-zone" | "availabilityZone" => one(&subnet.az),
        "availability-zone-id" | "availabilityZoneId" => one(zone_id(&subnet.az)),
        "available-ip-address-count" => one(subnet.available_ips),
        "cidr" | "cidr-block" | "cidrBlock" => one(subnet.cidr),
        "default-for-az" | "defaultForAz" => one(false),
        "owner-id" => one(&vpc.config().account),
        "state" => one("available"),
        _ => tag_values(&subnet.tags, name),
    }
}

fn show(vpc: &Vpc, subnet: &SubnetView) -> Map {
    let config = vpc.config();
    let names = Map::new()
        .text("hostnameType", "ip-name")
        .text("enableResourceNameDnsARecord", false)
        .text("enableResourceNameDnsAAAARecord", false);
    Map::new()
        .text("subnetId", &subnet.id)
        .text("subnetArn", format!("arn:aws:ec2:{}:{}:subnet/{}", config.region, config.account, subnet.id))
        .text("state", "available")
        .text("ownerId", &config.account)
        .text("vpcId", vpc.id())
        .text("cidrBlock", subnet.cidr)
        .text("availableIpAddressCount", subnet.available_ips)
        .text("availabilityZone", &subnet.az)
        .text("availabilityZoneId", zone_id(&subnet.az))
        .text("defaultForAz", false)
        .text("mapPublicIpOnLaunch", false)
        .text("assignIpv6AddressOnCreation", false)
        .text("mapCustomerOwnedIpOnLaunch", false)
        .text("enableDns64", false)
        .text("ipv6Native", false)
        .put("ipv6CidrBlockAssociationSet", items::<Xml>([]))
        .put("tagSet", tag_set(&subnet.tags))
        .put("privateDnsNameOptionsOnLaunch", names)
}

pub(super) fn reservations(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    let subnet = subnet_id(params)?;
    let set = vpc.reservations(&subnet)?.iter().map(|reservation| show_reservation(vpc, &subnet, reservation));
    let answer = Map::new().put("subnetIpv4CidrReservationSet", items(set));
    Ok(Some(answer.put("subnetIpv6CidrReservationSet", items::<Xml>([]))))
}

pub(super) fn create_reservation(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let subnet = subnet_id(params)?;
    let cidr: Cidr = params.need_parsed("Cidr")?;
    let kind = match params.need("ReservationType")? {
        "prefix" => ReservationKind::Prefix,
        "explicit" => ReservationKind::Explicit,
        other => return Err(params.malformed("ReservationType", other)),
    };
    let reservation = vpc.create_reservation(&subnet, cidr, kind, now)?;
    Ok(Some(Map::new().put("subnetCidrReservation", show_reservation(vpc, &subnet, &reservation))))
}

fn show_reservation(vpc: &Vpc, subnet: &SubnetId, reservation: &Reservation) -> Map {
    let kind = match reservation.kind {
        ReservationKind::Prefix => "prefix",
        ReservationKind::Explicit => "explicit",
    };
    Map::new()
        .text("subnetCidrReservationId", &reservation.id)
        .text("subnetId", subnet)
        .text("cidr", reservation.cidr)
        .text("reservationType", kind)
        .text("ownerId", &vpc.config().account)
        .put("tagSet", tag_set(&Tags::new()))
}
