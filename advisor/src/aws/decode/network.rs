//! `DescribeSubnets`, `GetSubnetCidrReservations`, `DescribeVpcs`, `DescribeVpcEndpoints`, `DescribeSecurityGroups`.

use std::sync::Arc;

use headroom_capacity::ids::EniId;
use headroom_capacity::subnet::{Cidr, ReservationKind};
use headroom_capacity::units::Ips;

use super::{Listing, flag, name, need, tags};
use crate::aws::xml::{Malformed, Xml};
use crate::inventory::{Endpoint, Reservation, Subnet, Tags};

/// Reads a page. An IPv6-only subnet has no IPv4 block and is left out.
pub(in crate::aws) fn subnets(body: &[u8]) -> Listing<Subnet> {
    Xml::page(body, "subnetSet", subnet)
}

fn subnet(xml: &mut Xml<'_>) -> Result<Option<Subnet>, Malformed> {
    let (mut id, mut vpc, mut az, mut cidr, mut available, mut tag_set) = (None, None, None, None, None, Tags::new());
    xml.each(|xml, element| {
        match element {
            "subnetId" => id = Some(name(xml)?),
            "vpcId" => vpc = Some(name(xml)?),
            "availabilityZone" => az = Some(name(xml)?),
            "cidrBlock" => cidr = Some(xml.value("cidrBlock")?),
            "availableIpAddressCount" => available = Some(xml.value("availableIpAddressCount")?),
            "tagSet" => tag_set = tags(xml)?,
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    let (id, vpc, az) = (need(id, "subnetId")?, need(vpc, "vpcId")?, need(az, "availabilityZone")?);
    let Some(cidr) = cidr else { return Ok(None) };
    let available_ips = Ips(need(available, "availableIpAddressCount")?);
    Ok(Some(Subnet { id: id.into(), vpc, az, cidr, available_ips, tags: tag_set }))
}

/// Reads a page of one subnet's reservations, IPv4 only.
pub(in crate::aws) fn reservations(body: &[u8]) -> Listing<Reservation> {
    Xml::page(body, "subnetIpv4CidrReservationSet", |xml| {
        let (mut cidr, mut kind) = (None, None);
        xml.each(|xml, element| {
            match element {
                "cidr" => cidr = Some(xml.value("cidr")?),
                "reservationType" => kind = Some(reservation_kind(xml)?),
                _ => xml.skip()?,
            }
            Ok(())
        })?;
        Ok(Some(Reservation { cidr: need(cidr, "cidr")?, kind: need(kind, "reservationType")? }))
    })
}

fn reservation_kind(xml: &mut Xml<'_>) -> Result<ReservationKind, Malformed> {
    match &*xml.text()? {
        "prefix" => Ok(ReservationKind::Prefix),
        "explicit" => Ok(ReservationKind::Explicit),
        other => Err(Malformed::Value { name: "reservationType", text: other.to_owned() }),
    }
}

/// Reads a page: each VPC's associated IPv4 blocks.
pub(in crate::aws) fn vpc_cidrs(body: &[u8]) -> Listing<Vec<Cidr>> {
    Xml::page(body, "vpcSet", |xml| {
        let mut cidrs = Vec::new();
        xml.each(|xml, element| {
            match element {
                "cidrBlockAssociationSet" => cidrs = xml.list(associated)?,
                _ => xml.skip()?,
            }
            Ok(())
        })?;
        Ok(Some(cidrs.into_iter().flatten().collect()))
    })
}

/// A block that is in use, not one that is on its way or was taken away.
fn associated(xml: &mut Xml<'_>) -> Result<Option<Cidr>, Malformed> {
    let (mut cidr, mut associated) = (None, false);
    xml.each(|xml, element| {
        match element {
            "cidrBlock" => cidr = Some(xml.value("cidrBlock")?),
            "cidrBlockState" => xml.each(|xml, element| {
                match element {
                    "state" => associated = xml.text()? == "associated",
                    _ => xml.skip()?,
                }
                Ok(())
            })?,
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    Ok(cidr.filter(|_| associated))
}

/// Reads a page.
pub(in crate::aws) fn endpoints(body: &[u8]) -> Listing<Endpoint> {
    Xml::page(body, "vpcEndpointSet", endpoint)
}

fn endpoint(xml: &mut Xml<'_>) -> Result<Option<Endpoint>, Malformed> {
    let (mut id, mut service, mut enis) = (None, None, Vec::new());
    let (mut available, mut private_dns, mut interface) = (false, false, false);
    xml.each(|xml, element| {
        match element {
            "vpcEndpointId" => id = Some(name(xml)?),
            "serviceName" => service = Some(name(xml)?),
            // Also spelt `Available` (EC2 API reference, `VpcEndpoint`).
            "state" => available = xml.text()?.eq_ignore_ascii_case("available"),
            "privateDnsEnabled" => private_dns = flag(xml, "privateDnsEnabled")?,
            "vpcEndpointType" => interface = xml.text()? == "Interface",
            "networkInterfaceIdSet" => enis = xml.list(|xml| Ok(EniId::from(&*xml.text()?)))?,
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    let (id, service) = (need(id, "vpcEndpointId")?, need(service, "serviceName")?);
    Ok(Some(Endpoint { id, service, available, private_dns, interface, enis }))
}

/// A security group, as far as it matters whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `groupId`.
    pub id: Arc<str>,
    /// `groupName`.
    pub name: Arc<str>,
    /// Its tags.
    pub tags: Tags,
}

/// Reads a page.
pub(in crate::aws) fn security_groups(body: &[u8]) -> Listing<SecurityGroup> {
    Xml::page(body, "securityGroupInfo", |xml| {
        let (mut id, mut group_name, mut tag_set) = (None, None, Tags::new());
        xml.each(|xml, element| {
            match element {
                "groupId" => id = Some(name(xml)?),
                "groupName" => group_name = Some(name(xml)?),
                "tagSet" => tag_set = tags(xml)?,
                _ => xml.skip()?,
            }
            Ok(())
        })?;
        let (id, name) = (need(id, "groupId")?, need(group_name, "groupName")?);
        Ok(Some(SecurityGroup { id, name, tags: tag_set }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_with_an_ipv4_block() {
        let body =
            "<R><subnetSet><item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/24</cidrBlock>
            <availableIpAddressCount>251</availableIpAddressCount><availabilityZone>us-west-2a</availabilityZone>
            <tagSet><item><key>kubernetes.io/role/cni</key><value>0</value></item></tagSet></item>
            <item><subnetId>subnet-6</subnetId><vpcId>vpc-1</vpcId><availabilityZone>us-west-2a</availabilityZone>
            <ipv6Native>true</ipv6Native></item></subnetSet></R>";
        let subnet = Subnet {
            id: "subnet-1".into(),
            vpc: "vpc-1".into(),
            az: "us-west-2a".into(),
            cidr: Cidr::parse("10.0.0.0/24").unwrap(),
            available_ips: Ips(251),
            tags: Tags::from([("kubernetes.io/role/cni".to_owned(), "0".to_owned())]),
        };
        assert_eq!(subnets(body.as_bytes()).unwrap().rows, [subnet]);
    }

    #[test]
    fn reservations_of_ipv4_only() {
        let body =
            "<R><subnetIpv4CidrReservationSet><item><cidr>10.0.0.64/26</cidr><reservationType>prefix</reservationType>
            </item></subnetIpv4CidrReservationSet><subnetIpv6CidrReservationSet><item><cidr>2001:db8::/64</cidr></item>
            </subnetIpv6CidrReservationSet></R>";
        let cidr = Cidr::parse("10.0.0.64/26").unwrap();
        assert_eq!(reservations(body.as_bytes()).unwrap().rows, [Reservation { cidr, kind: ReservationKind::Prefix }]);
    }

    #[test]
    fn blocks_of_a_vpc_that_are_in_use() {
        let body = "<R><vpcSet><item><vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/16</cidrBlock><cidrBlockAssociationSet>
            <item><cidrBlock>10.0.0.0/16</cidrBlock><cidrBlockState><state>associated</state></cidrBlockState></item>
            <item><cidrBlock>10.9.0.0/16</cidrBlock><cidrBlockState><state>disassociated</state></cidrBlockState></item>
            <item><cidrBlock>100.64.0.0/16</cidrBlock><cidrBlockState><state>associated</state></cidrBlockState></item>
            </cidrBlockAssociationSet></item></vpcSet></R>";
        let cidrs = ["10.0.0.0/16", "100.64.0.0/16"].map(|text| Cidr::parse(text).unwrap());
        assert_eq!(vpc_cidrs(body.as_bytes()).unwrap().rows, [cidrs]);
    }

    #[test]
    fn endpoints_with_their_enis() {
        let body = "<R><vpcEndpointSet><item><vpcEndpointId>vpce-1</vpcEndpointId><vpcEndpointType>Interface</vpcEndpointType>
            <serviceName>com.amazonaws.us-west-2.ec2</serviceName><state>Available</state>
            <privateDnsEnabled>true</privateDnsEnabled><networkInterfaceIdSet><item>eni-1</item><item>eni-2</item>
            </networkInterfaceIdSet></item><item><vpcEndpointId>vpce-2</vpcEndpointId><vpcEndpointType>Gateway</vpcEndpointType>
            <serviceName>com.amazonaws.us-west-2.s3</serviceName><state>deleting</state></item></vpcEndpointSet></R>";
        let rows = endpoints(body.as_bytes()).unwrap().rows;
        assert_eq!(rows[0].enis, [EniId::from("eni-1"), EniId::from("eni-2")]);
        assert!(rows[0].available && rows[0].private_dns && rows[0].interface);
        assert!(!rows[1].available && !rows[1].private_dns && !rows[1].interface);
    }
}
