//! What the advisor reads of an account, as JSON with EC2's names: for a comparison with what another client reads there.
//!
//! usage: `inventory <endpoint of every AWS API> <cluster>`

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use aws_credential_types::Credentials;
use headroom_advisor::aws::{Connection, Observer};
use headroom_advisor::config::Config;
use headroom_advisor::inventory::{Eni, Inventory, Offer};
use headroom_capacity::binding::EbsLimit;
use headroom_capacity::time::Time;
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let endpoint = args.next().context("usage: inventory <endpoint> <cluster>")?;
    let mut config = Config { cluster_name: args.next().context("no cluster")?, ..Config::default() };
    config.aws.region = Some("us-west-2".to_owned());
    let connection =
        Connection::at(&config.aws, &endpoint, Credentials::new("AKID", "secret", None, None, "test")).await?;
    let now = Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH)?;
    let round = Observer::new(connection, &config, fastrand::Rng::new()).round(now, &Default::default()).await;
    let errors: Vec<String> = round.errors.iter().map(ToString::to_string).collect();
    println!("{}", json!({ "errors": errors, "inventory": inventory(&round.inventory) }));
    Ok(())
}

fn inventory(inventory: &Inventory) -> Value {
    let subnets = inventory.subnets.values().map(|subnet| {
        json!({
            "SubnetId": subnet.id.to_string(),
            "VpcId": &*subnet.vpc,
            "AvailabilityZone": &*subnet.az,
            "CidrBlock": subnet.cidr.to_string(),
            "AvailableIpAddressCount": subnet.available_ips.get(),
            "Tags": subnet.tags,
        })
    });
    let instances = inventory.instances.values().map(|instance| {
        json!({
            "InstanceId": instance.id.as_str(),
            "InstanceType": &*instance.instance_type,
            "SubnetId": instance.subnet.as_ref().map(ToString::to_string),
            "PrivateDnsName": &*instance.private_dns,
            "LaunchTime": instance.launched_at.as_secs(),
            "Group": instance.group.as_deref(),
            "OfCluster": instance.of_cluster,
        })
    });
    let groups = inventory.groups.values().map(|group| {
        let members = group.members.iter();
        let mut members: Vec<_> = members.map(|member| json!([member.instance.as_str(), &*member.lifecycle])).collect();
        members.sort_by_key(Value::to_string);
        json!({
            "AutoScalingGroupName": &*group.name,
            "MinSize": group.min,
            "MaxSize": group.max,
            "DesiredCapacity": group.desired,
            "Subnets": group.subnets.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "Members": members,
        })
    });
    let endpoints = inventory.endpoints.iter().map(|endpoint| {
        json!({
            "VpcEndpointId": &*endpoint.id,
            "ServiceName": &*endpoint.service,
            "Available": endpoint.available,
            "Interface": endpoint.interface,
            "PrivateDnsEnabled": endpoint.private_dns,
        })
    });
    json!({
        "vpc": inventory.vpc.as_deref(),
        "vpc_cidrs": inventory.vpc_cidrs.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "subnets": subnets.collect::<Vec<_>>(),
        "enis": inventory.enis.iter().map(eni).collect::<Vec<_>>(),
        "instances": instances.collect::<Vec<_>>(),
        "groups": groups.collect::<Vec<_>>(),
        "endpoints": endpoints.collect::<Vec<_>>(),
        "offers": inventory.offers.iter().map(|(name, of)| offer(name, of)).collect::<Vec<_>>(),
    })
}

fn offer(name: &str, offer: &Offer) -> Value {
    let shape = offer.shape.map(|shape| {
        let ebs = shape.ebs.map(|limit| match limit {
            EbsLimit::Shared(most) => json!([most, "shared"]),
            EbsLimit::Dedicated(most) => json!([most, "dedicated"]),
        });
        json!([shape.vcpus, shape.memory_mib, shape.architecture.label(), ebs])
    });
    json!({
        "InstanceType": name,
        "Limits": [offer.limits.enis.get(), offer.limits.ipv4_per_eni, offer.limits.network_cards],
        "Shape": shape,
        "Current": offer.current,
        "Burstable": offer.burstable,
        "LocalDisks": offer.local_disks,
        "Accelerated": offer.accelerated,
    })
}

fn eni(eni: &Eni) -> Value {
    let mut secondary: Vec<String> = eni.secondary_ips.iter().map(ToString::to_string).collect();
    secondary.sort();
    let attachment = eni.attachment.as_ref();
    json!({
        "NetworkInterfaceId": eni.id.to_string(),
        "SubnetId": eni.subnet.to_string(),
        "Available": eni.available,
        "PrimaryIp": eni.primary_ip.map(|ip| ip.to_string()),
        "SecondaryIps": secondary,
        "Prefixes": eni.prefixes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "Instance": attachment.and_then(|attachment| attachment.instance.as_ref()).map(ToString::to_string),
        "DeviceIndex": attachment.map(|attachment| attachment.device_index),
    })
}
