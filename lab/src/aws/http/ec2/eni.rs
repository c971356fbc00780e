//! ENIs.

use headroom_capacity::ids::EniId;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;

use super::show::{self, private_dns, zone_id};
use super::{Answer, eni_id, subnet_id};
use crate::aws::http::filter::{self, Values, one, tag_values};
use crate::aws::http::page::{EC2, page};
use crate::aws::http::params::Params;
use crate::aws::http::xml::{Map, items};
use crate::aws::{ApiError, Eni, InstanceId, NewEni, Vpc};

pub(super) fn describe(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    let ids: Vec<EniId> = params.list("NetworkInterfaceId").into_iter().map(EniId::from).collect();
    for id in &ids {
        vpc.eni(id)?;
    }
    let filters = filter::ec2(params)?;
    let mut found = Vec::new();
    for eni in vpc.enis().filter(|eni| ids.is_empty() || ids.contains(&eni.id)) {
        if filter::matches(&filters, |name| value(vpc, eni, name))? {
            found.push(eni);
        }
    }
    let (enis, next) = page(params, &EC2, found, |eni| eni.id.to_string())?;
    let set = items(enis.into_iter().map(|eni| show::eni(vpc, eni)));
    Ok(Some(Map::new().put("networkInterfaceSet", set).maybe("nextToken", next)))
}

fn value(vpc: &Vpc, eni: &Eni, name: &str) -> Values {
    let attachment = eni.attachment.as_ref();
    match name {
        "network-interface-id" => one(&eni.id),
        "subnet-id" => one(&eni.subnet),
        "vpc-id" => one(vpc.id()),
        "availability-zone" => one(&eni.az),
        "availability-zone-id" => one(zone_id(&eni.az)),
        "status" => one(eni.status().as_str()),
        "interface-type" => one(eni.interface_type),
        "description" => one(&eni.description),
        "requester-managed" => one(eni.requester_managed),
        "owner-id" => one(&vpc.config().account),
        "private-ip-address" => one(eni.primary_ip),
        "private-dns-name" => one(private_dns(vpc, eni.primary_ip)),
        "addresses.private-ip-address" => {
            let secondaries = eni.secondary_ips.iter().map(ToString::to_string);
            Some(secondaries.chain([eni.primary_ip.to_string()]).collect())
        }
        "group-id" => Some(eni.groups.clone()),
        "attachment.instance-id" => Some(attachment.map(|at| at.instance.to_string()).into_iter().collect()),
        "attachment.attachment-id" => Some(attachment.map(|at| at.id.clone()).into_iter().collect()),
        "attachment.device-index" => Some(attachment.map(|at| at.device_index.to_string()).into_iter().collect()),
        "attachment.status" => Some(attachment.map(|at| at.status.as_str().to_owned()).into_iter().collect()),
        _ => tag_values(&eni.tags, name),
    }
}

/// Parameters of CreateNetworkInterface that ask for what the lab cannot give: an ENI without it would be a wrong answer.
const NOT_SERVED: [&str; 5] = [
    "PrivateIpAddresses.1.PrivateIpAddress",
    "Ipv4Prefix.1.Ipv4Prefix",
    "Ipv6AddressCount",
    "Ipv6Addresses.1.Ipv6Address",
    "Ipv6PrefixCount",
];

pub(super) fn create(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    if let Some(name) = NOT_SERVED.into_iter().find(|name| params.get(name).is_some()) {
        return Err(ApiError::new("UnsupportedOperation", format!("The lab does not serve the parameter {name}")));
    }
    let interface_type = match params.get("InterfaceType").unwrap_or("interface") {
        "interface" => "interface",
        "trunk" => "trunk",
        "branch" => "branch",
        other => return Err(params.malformed("InterfaceType", other)),
    };
    let new = NewEni {
        primary_ip: params.parsed("PrivateIpAddress")?,
        secondary_ips: params.parsed("SecondaryPrivateIpAddressCount")?.unwrap_or(0),
        prefixes: params.parsed("Ipv4PrefixCount")?.unwrap_or(0),
        description: params.get("Description").unwrap_or_default().to_owned(),
        interface_type,
        requester_managed: false,
        groups: params.list("SecurityGroupId").into_iter().map(str::to_owned).collect(),
        tags: params.tags_for("network-interface"),
        subnet: subnet_id(params)?,
    };
    let eni = vpc.create_eni(new, now)?;
    let answer = Map::new().put("networkInterface", show::eni(vpc, &eni));
    Ok(Some(answer.maybe("clientToken", params.get("ClientToken"))))
}

pub(super) fn attach(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let instance = InstanceId::from(params.need("InstanceId")?);
    // Only the default card takes ENIs here: it is the only one that ipamd uses for pods.
    if let Some(card) = params.get("NetworkCardIndex").filter(|card| *card != "0") {
        return Err(params.malformed("NetworkCardIndex", card));
    }
    let id = vpc.attach_eni(&eni_id(params)?, &instance, params.need_parsed("DeviceIndex")?, now)?;
    Ok(Some(Map::new().text("attachmentId", id).text("networkCardIndex", 0)))
}

pub(super) fn detach(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let eni = vpc.eni_of_attachment(params.need("AttachmentId")?)?;
    vpc.detach_eni(&eni, now)?;
    Ok(None)
}

pub(super) fn delete(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    vpc.delete_eni(&eni_id(params)?, now)?;
    Ok(None)
}

pub(super) fn assign(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let id = eni_id(params)?;
    if params.get("PrivateIpAddress.1").or(params.get("Ipv4Prefix.1")).is_some() {
        let message = "The lab assigns addresses by count only";
        return Err(ApiError::new("UnsupportedOperation", message));
    }
    let ips = params.parsed::<u32>("SecondaryPrivateIpAddressCount")?;
    let prefixes = params.parsed::<u32>("Ipv4PrefixCount")?;
    let answer = Map::new().text("networkInterfaceId", &id);
    let answer = match (ips, prefixes) {
        (Some(count), None) => {
            let new = vpc.assign_private_ips(&id, count, now)?;
            let set = items(new.iter().map(|ip| Map::new().text("privateIpAddress", ip)));
            answer.put("assignedPrivateIpAddressesSet", set)
        }
        (None, Some(count)) => {
            let new = vpc.assign_prefixes(&id, count, now)?;
            let set = items(new.iter().map(|prefix| Map::new().text("ipv4Prefix", prefix)));
            answer.put("assignedIpv4PrefixSet", set)
        }
        _ => {
            let message = "Exactly one of SecondaryPrivateIpAddressCount and Ipv4PrefixCount is required";
            return Err(ApiError::new("InvalidParameterCombination", message));
        }
    };
    Ok(Some(answer))
}

pub(super) fn unassign(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let mut blocks = Vec::new();
    for ip in params.list("PrivateIpAddress") {
        let ip = ip.parse().map_err(|_| params.malformed("PrivateIpAddress", ip))?;
        blocks.push(Cidr::single(ip));
    }
    for prefix in params.list("Ipv4Prefix") {
        blocks.push(prefix.parse().map_err(|_| params.malformed("Ipv4Prefix", prefix))?);
    }
    if blocks.is_empty() {
        params.need("PrivateIpAddress.1")?;
    }
    vpc.unassign(&eni_id(params)?, &blocks, now)?;
    Ok(None)
}

pub(super) fn modify(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    let id = eni_id(params)?;
    if let Some(attachment) = params.get("Attachment.AttachmentId") {
        if vpc.eni_of_attachment(attachment)? != id {
            return Err(params.malformed("Attachment.AttachmentId", attachment));
        }
        vpc.set_delete_on_termination(&id, params.need_parsed("Attachment.DeleteOnTermination")?)?;
    }
    let groups: Vec<String> = params.list("SecurityGroupId").into_iter().map(str::to_owned).collect();
    let description = params.get("Description.Value").map(str::to_owned);
    vpc.describe_eni_as(&id, description, (!groups.is_empty()).then_some(groups))?;
    Ok(None)
}
