//! Instances.

use headroom_capacity::time::Time;

use super::show::{self, private_dns};
use super::{Answer, instance_ids, subnet_id};
use crate::aws::http::filter::{self, Values, one, tag_values};
use crate::aws::http::page::{EC2, page};
use crate::aws::http::params::Params;
use crate::aws::http::xml::{Map, Xml, items, tag_set};
use crate::aws::{ApiError, Instance, InstanceState, Launch, Vpc, stamp};

pub(super) fn describe(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    let ids = instance_ids(params);
    if !ids.is_empty() && params.get("MaxResults").is_some() {
        let message = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(ApiError::new("InvalidParameterCombination", message));
    }
    for id in &ids {
        vpc.instance(id)?;
    }
    let filters = filter::ec2(params)?;
    let mut found = Vec::new();
    for instance in vpc.instances().filter(|one| ids.is_empty() || ids.contains(&one.id)) {
        if filter::matches(&filters, |name| value(vpc, instance, name))? {
            found.push(instance);
        }
    }
    let (instances, next) = page(params, &EC2, found, |instance| instance.id.to_string())?;
    let set = items(instances.into_iter().map(|one| reservation(vpc, &[one])));
    Ok(Some(Map::new().put("reservationSet", set).maybe("nextToken", next)))
}

fn value(vpc: &Vpc, instance: &Instance, name: &str) -> Values {
    match name {
        "instance-id" => one(&instance.id),
        "instance-type" => one(&instance.instance_type),
        "instance-state-name" => one(instance.state.as_str()),
        "instance-state-code" => one(instance.state.code()),
        "availability-zone" => one(&instance.az),
        "subnet-id" | "network-interface.subnet-id" => one(&instance.subnet),
        "vpc-id" | "network-interface.vpc-id" => one(vpc.id()),
        "private-ip-address" => one(instance.private_ip),
        "private-dns-name" => one(private_dns(vpc, instance.private_ip)),
        "owner-id" => one(&vpc.config().account),
        "network-interface.network-interface-id" => {
            Some(vpc.enis_of(&instance.id).map(|eni| eni.id.to_string()).collect())
        }
        _ => tag_values(&instance.tags, name),
    }
}

/// Instances that were launched by one call; here every one has a reservation of its own, except in RunInstances' answer.
fn reservation(vpc: &Vpc, instances: &[&Instance]) -> Map {
    let first = instances.first().map(|one| one.id.to_string()).unwrap_or_default();
    Map::new()
        .text("reservationId", first.replacen("i-", "r-", 1))
        .text("ownerId", &vpc.config().account)
        .put("groupSet", items::<Xml>([]))
        .put("instancesSet", items(instances.iter().map(|instance| show(vpc, instance))))
}

fn state(state: InstanceState) -> Map {
    Map::new().text("code", state.code()).text("name", state.as_str())
}

fn show(vpc: &Vpc, instance: &Instance) -> Map {
    let here = instance.state != InstanceState::Terminated;
    let placement = Map::new()
        .text("availabilityZone", &instance.az)
        .text("availabilityZoneId", show::zone_id(&instance.az))
        .text("groupName", "")
        .text("tenancy", "default");
    let groups = vpc.eni(&instance.primary_eni).map(|eni| eni.groups.clone()).unwrap_or_default();
    let enis = vpc.enis_of(&instance.id).map(|eni| {
        let map = show::eni_base(vpc, eni);
        match show::attachment(eni) {
            Some(attachment) => map.put("attachment", attachment),
            None => map,
        }
    });
    Map::new()
        .text("instanceId", &instance.id)
        .text("imageId", "ami-00000000000000000")
        .text("instanceType", &instance.instance_type)
        .text("launchTime", stamp(instance.launched_at))
        .text("amiLaunchIndex", 0)
        .text("architecture", "x86_64")
        .text("hypervisor", "xen")
        .text("virtualizationType", "hvm")
        .text("rootDeviceType", "ebs")
        .text("rootDeviceName", "/dev/xvda")
        .text("ebsOptimized", false)
        .text("privateDnsName", private_dns(vpc, instance.private_ip))
        .text("dnsName", "")
        .text("reason", "")
        .text("clientToken", "")
        .maybe("privateIpAddress", here.then_some(instance.private_ip))
        .maybe("subnetId", here.then_some(&instance.subnet))
        .maybe("vpcId", here.then_some(vpc.id()))
        .text("sourceDestCheck", true)
        .put("instanceState", state(instance.state))
        .put("placement", placement)
        .put("monitoring", Map::new().text("state", "disabled"))
        .put("productCodes", items::<Xml>([]))
        .put("blockDeviceMapping", items::<Xml>([]))
        .put("groupSet", show::groups(vpc, &groups))
        .put("tagSet", tag_set(&instance.tags))
        .put("networkInterfaceSet", items(enis))
}

pub(super) fn run(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    let launch = Launch {
        instance_type: params.get("InstanceType").unwrap_or("m1.small").to_owned(),
        subnet: subnet_id(params)?,
        min_count: params.need_parsed("MinCount")?,
        max_count: params.need_parsed("MaxCount")?,
        tags: params.tags_for("instance"),
    };
    let ids = vpc.run_instances(&launch, now)?;
    let instances: Vec<&Instance> = ids.iter().map(|id| vpc.instance(id)).collect::<Result<_, _>>()?;
    Ok(Some(reservation(vpc, &instances)))
}

pub(super) fn terminate(vpc: &mut Vpc, params: &Params, now: Time) -> Answer {
    params.need("InstanceId.1")?;
    let ids = instance_ids(params);
    let mut before = Vec::new();
    for id in &ids {
        before.push(vpc.instance(id)?.state);
    }
    let mut changes = Vec::new();
    for (id, previous) in ids.iter().zip(before) {
        vpc.terminate_instance(id, now)?;
        let current = vpc.instance(id)?.state;
        let change = Map::new().text("instanceId", id).put("currentState", state(current));
        changes.push(change.put("previousState", state(previous)));
    }
    Ok(Some(Map::new().put("instancesSet", items(changes))))
}
