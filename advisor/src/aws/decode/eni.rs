//! `DescribeNetworkInterfaces`.

use std::net::Ipv4Addr;
use std::sync::Arc;

use headroom_capacity::ids::EniId;
use headroom_capacity::subnet::Cidr;
use memchr::memchr;

use super::{Listing, date, each_tag, flag, need};
use crate::aws::xml::{Malformed, Xml};
use crate::inventory::{Attachment, Eni, EniKind, EniTags, InstanceId};

/// What ipamd begins an ENI's description with (CNI `pkg/awsutils`, `eniDescriptionPrefix`).
const DESCRIPTION: &str = "aws-K8S-";
/// The cluster's name on an ENI of the CNI (CNI `pkg/awsutils`, `eniClusterTagKey`).
pub(in crate::aws) const CLUSTER_TAG: &str = "cluster.k8s.amazonaws.com/name";
/// When the CNI made it (the same, `eniCreatedAtTagKey`).
pub(in crate::aws) const CREATED_AT_TAG: &str = "node.k8s.amazonaws.com/createdAt";
/// `true` on one that the CNI must leave alone (CNI `pkg/ipamd`, `eniNoManageTagKey`).
pub(in crate::aws) const NO_MANAGE_TAG: &str = "node.k8s.amazonaws.com/no_manage";

/// Reads a page.
pub(in crate::aws) fn enis(body: &[u8]) -> Listing<Eni> {
    Xml::page(body, "networkInterfaceSet", |xml| eni(xml).map(Some))
}

#[derive(Default)]
struct Row {
    id: Option<EniId>,
    subnet: Option<Arc<str>>,
    available: bool,
    kind: Option<EniKind>,
    primary_ip: Option<Ipv4Addr>,
    secondary_ips: Vec<Ipv4Addr>,
    prefixes: Vec<Cidr>,
    attachment: Option<Attachment>,
    requester_managed: bool,
    described_for: Option<InstanceId>,
    tags: EniTags,
}

impl Row {
    fn take(&mut self, ip: Ipv4Addr, primary: bool) {
        if primary {
            self.primary_ip = Some(ip);
        } else {
            self.secondary_ips.push(ip);
        }
    }
}

fn eni(xml: &mut Xml<'_>) -> Result<Eni, Malformed> {
    let mut row = Row::default();
    xml.each(|xml, name| {
        match name {
            "networkInterfaceId" => row.id = Some(EniId::from(&*xml.text()?)),
            "subnetId" => row.subnet = Some(Arc::from(&*xml.text()?)),
            "status" => row.available = xml.text()? == "available",
            "interfaceType" => row.kind = Some(kind(&xml.text()?)),
            "description" => {
                row.described_for = xml.text()?.strip_prefix(DESCRIPTION).map(InstanceId::from);
            }
            "requesterManaged" => row.requester_managed = flag(xml, "requesterManaged")?,
            "privateIpAddressesSet" => match xml.inside("</privateIpAddressesSet>", plain_addresses)? {
                Some(addresses) => addresses.into_iter().for_each(|(ip, primary)| row.take(ip, primary)),
                None => xml.items(|xml| address(xml, &mut row))?,
            },
            "groupSet" => xml.skip_to("</groupSet>")?,
            "ipv4PrefixSet" => row.prefixes = xml.list(prefix)?,
            "attachment" => row.attachment = Some(attachment(xml)?),
            "tagSet" => row.tags = tags(xml)?,
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    Ok(Eni {
        id: need(row.id, "networkInterfaceId")?,
        subnet: need(row.subnet, "subnetId")?.into(),
        available: row.available,
        kind: need(row.kind, "interfaceType")?,
        primary_ip: row.primary_ip,
        secondary_ips: row.secondary_ips,
        prefixes: row.prefixes,
        attachment: row.attachment,
        requester_managed: row.requester_managed,
        described_for: row.described_for,
        tags: row.tags,
    })
}

/// `interfaceType` (EC2 API reference, `NetworkInterface`). An `efa` has addresses like any other, an `efa-only` has none.
fn kind(interface_type: &str) -> EniKind {
    match interface_type {
        "interface" | "efa" => EniKind::Interface,
        "trunk" => EniKind::Trunk,
        "branch" => EniKind::Branch,
        "efa-only" => EniKind::EfaOnly,
        _ => EniKind::Service,
    }
}

fn address(xml: &mut Xml<'_>, row: &mut Row) -> Result<(), Malformed> {
    let (mut ip, mut primary) = (None, false);
    xml.each(|xml, name| {
        match name {
            "privateIpAddress" => ip = Some(xml.value("privateIpAddress")?),
            "primary" => primary = flag(xml, "primary")?,
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    row.take(need(ip, "privateIpAddress")?, primary);
    Ok(())
}

/// The addresses of a `privateIpAddressesSet` and whether each is the primary one, where its XML is nothing but tags and text: three
/// quarters of an answer are these, and a step for each tag is most of what reading one costs. `None` for anything else.
fn plain_addresses(mut rest: &[u8]) -> Option<Vec<(Ipv4Addr, bool)>> {
    let (mut addresses, mut ip, mut primary, mut inside) = (Vec::new(), None, false, false);
    while let Some(at) = memchr(b'<', rest) {
        let (name, after) = rest.split_at_checked(at + 1)?.1.split_at_checked(memchr(b'>', rest.get(at + 1..)?)?)?;
        rest = after.get(1..)?;
        let text = rest.get(..memchr(b'<', rest).unwrap_or(0))?;
        match name {
            b"item" if !inside => inside = true,
            b"/item" if inside => {
                addresses.push((ip.take()?, std::mem::take(&mut primary)));
                inside = false;
            }
            b"privateIpAddress" => ip = Some(str::from_utf8(text).ok()?.parse().ok()?),
            b"primary" => primary = str::from_utf8(text).ok()?.parse().ok()?,
            b"item" | b"/item" => return None,
            _ if name.strip_prefix(b"/").unwrap_or(name).iter().all(u8::is_ascii_alphanumeric) => {}
            _ => return None,
        }
    }
    (!inside).then_some(addresses)
}

fn prefix(xml: &mut Xml<'_>) -> Result<Cidr, Malformed> {
    let mut found = None;
    xml.each(|xml, name| {
        match name {
            "ipv4Prefix" => found = Some(xml.value("ipv4Prefix")?),
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    need(found, "ipv4Prefix")
}

fn attachment(xml: &mut Xml<'_>) -> Result<Attachment, Malformed> {
    let mut attachment = Attachment { instance: None, device_index: 0, network_card: 0 };
    let mut device_index = None;
    xml.each(|xml, name| {
        match name {
            "instanceId" => attachment.instance = Some(&*xml.text()?).filter(|id| !id.is_empty()).map(InstanceId::from),
            "deviceIndex" => device_index = Some(xml.value("deviceIndex")?),
            "networkCardIndex" => attachment.network_card = xml.value("networkCardIndex")?,
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    attachment.device_index = need(device_index, "attachment.deviceIndex")?;
    Ok(attachment)
}

fn tags(xml: &mut Xml<'_>) -> Result<EniTags, Malformed> {
    let mut tags = EniTags::default();
    each_tag(xml, |key, value| {
        match key {
            "node.k8s.amazonaws.com/instance_id" => tags.instance = Some(InstanceId::from(&*value)),
            CREATED_AT_TAG => tags.created_at = date(&value),
            CLUSTER_TAG => tags.cluster = Some(Arc::from(&*value)),
            "eks:eni:owner" => tags.eks_owner = Some(Arc::from(&*value)),
            NO_MANAGE_TAG => tags.no_manage = value == "true",
            "vpcresources.k8s.aws/trunk-eni-id" => tags.trunk = Some(EniId::from(&*value)),
            _ => {}
        }
        Ok(())
    })?;
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use headroom_capacity::time::Time;

    use super::*;

    /// In EC2's own layout, with what it says of associations, groups and IPv6 beside.
    const IPAMD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<DescribeNetworkInterfacesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">
    <requestId>0b8b</requestId>
    <networkInterfaceSet>
        <item>
            <networkInterfaceId>eni-1</networkInterfaceId>
            <subnetId>subnet-1</subnetId>
            <description>aws-K8S-i-1</description>
            <requesterManaged>false</requesterManaged>
            <status>in-use</status>
            <privateIpAddress>10.0.0.5</privateIpAddress>
            <groupSet><item><groupId>sg-1</groupId></item></groupSet>
            <attachment>
                <attachmentId>eni-attach-1</attachmentId>
                <instanceId>i-1</instanceId>
                <deviceIndex>1</deviceIndex>
                <networkCardIndex>0</networkCardIndex>
                <status>attached</status>
            </attachment>
            <tagSet>
                <item><key>node.k8s.amazonaws.com/instance_id</key><value>i-1</value></item>
                <item><key>node.k8s.amazonaws.com/createdAt</key><value>2026-03-01T10:00:00Z</value></item>
                <item><key>cluster.k8s.amazonaws.com/name</key><value>a &amp; b</value></item>
                <item><key>node.k8s.amazonaws.com/no_manage</key><value>true</value></item>
                <item><key>Name</key><value/></item>
            </tagSet>
            <privateIpAddressesSet>
                <item><privateIpAddress>10.0.0.5</privateIpAddress><primary>true</primary>
                    <association><publicIp>198.51.100.1</publicIp></association></item>
                <item><privateIpAddress>10.0.0.6</privateIpAddress><primary>false</primary></item>
            </privateIpAddressesSet>
            <ipv6AddressesSet><item><ipv6Address>2001:db8::1</ipv6Address></item></ipv6AddressesSet>
            <ipv4PrefixSet><item><ipv4Prefix>10.0.0.16/28</ipv4Prefix></item></ipv4PrefixSet>
            <interfaceType>interface</interfaceType>
        </item>
    </networkInterfaceSet>
    <nextToken>t</nextToken>
</DescribeNetworkInterfacesResponse>";

    #[test]
    fn an_eni_of_ipamd() {
        let page = enis(IPAMD.as_bytes()).unwrap();
        let eni = Eni {
            id: EniId::from("eni-1"),
            subnet: "subnet-1".into(),
            available: false,
            kind: EniKind::Interface,
            primary_ip: Some(Ipv4Addr::new(10, 0, 0, 5)),
            secondary_ips: vec![Ipv4Addr::new(10, 0, 0, 6)],
            prefixes: vec![Cidr::parse("10.0.0.16/28").unwrap()],
            attachment: Some(Attachment { instance: Some("i-1".into()), device_index: 1, network_card: 0 }),
            requester_managed: false,
            described_for: Some("i-1".into()),
            tags: EniTags {
                instance: Some("i-1".into()),
                created_at: Some(Time::from_secs(1_772_359_200)),
                cluster: Some("a & b".into()),
                eks_owner: None,
                no_manage: true,
                trunk: None,
            },
        };
        assert_eq!(page, crate::aws::xml::Page { rows: vec![eni], next: Some("t".to_owned()) });
    }

    #[test]
    fn plain_addresses_are_read_as_any_others() {
        let plain = enis(IPAMD.as_bytes()).unwrap();
        assert!(
            plain_addresses(b"<item><privateIpAddress>10.0.0.5</privateIpAddress><primary>true</primary></item>")
                .is_some()
        );
        // Each of these is beyond it, and the answer is the same.
        for (from, to) in [
            ("<privateIpAddressesSet>", "<privateIpAddressesSet><!-- a <item> -->"),
            ("<primary>true</primary>", "<primary >true</primary>"),
            ("<primary>true</primary>", "<primary>tru&#101;</primary>"),
            ("<association>", "<association><tags><item><key>a</key></item></tags>"),
            ("<association>", "<association><nothing/>"),
        ] {
            let body = IPAMD.replacen(from, to, 1);
            assert_ne!(body, IPAMD);
            assert_eq!(enis(body.as_bytes()).unwrap(), plain, "{to}");
        }
        for inside in
            ["<item><primary>true</primary></item>", "<item>", "</item>", "<item", "<item><privateIpAddress>x</item>"]
        {
            assert_eq!(plain_addresses(inside.as_bytes()), None, "{inside}");
        }
        assert_eq!(plain_addresses(b" \n "), Some(vec![]));
    }

    fn one(inside: &str) -> Result<Eni, Malformed> {
        let body = format!("<R><networkInterfaceSet><item>{inside}</item></networkInterfaceSet></R>");
        enis(body.as_bytes()).map(|mut page| page.rows.remove(0))
    }

    #[test]
    fn the_enis_of_others_and_of_ipv6_only_subnets() {
        let base = "<networkInterfaceId>eni-1</networkInterfaceId><subnetId>subnet-1</subnetId>";
        let service = one(&format!(
            "{base}<interfaceType>network_load_balancer</interfaceType><requesterManaged>true</requesterManaged>\
             <attachment><instanceOwnerId>amazon-elb</instanceOwnerId><deviceIndex>1</deviceIndex></attachment>"
        ));
        let service = service.unwrap();
        assert_eq!((service.kind, service.requester_managed, service.primary_ip), (EniKind::Service, true, None));
        assert_eq!(service.attachment, Some(Attachment { instance: None, device_index: 1, network_card: 0 }));
        let branch = one(&format!(
            "{base}<status>in-use</status><interfaceType>branch</interfaceType><tagSet><item>\
             <key>vpcresources.k8s.aws/trunk-eni-id</key><value>eni-9</value></item><item>\
             <key>node.k8s.amazonaws.com/createdAt</key><value>soon</value></item></tagSet>"
        ));
        let branch = branch.unwrap();
        assert_eq!(
            (branch.kind, branch.tags.trunk, branch.tags.created_at),
            (EniKind::Branch, Some("eni-9".into()), None)
        );
    }

    #[test]
    fn a_row_without_what_decides_is_an_error() {
        assert_eq!(one("<subnetId>s</subnetId>"), Err(Malformed::Missing("networkInterfaceId")));
        let address =
            "<privateIpAddressesSet><item><privateIpAddress>10.0.0</privateIpAddress></item></privateIpAddressesSet>";
        let value = Malformed::Value { name: "privateIpAddress", text: "10.0.0".to_owned() };
        assert_eq!(one(address), Err(value));
    }
}
