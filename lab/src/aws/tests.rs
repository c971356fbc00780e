//! AWS's rules, by topic.

mod eni;
mod group;
mod instance;
mod invariants;
mod subnet;

use std::time::Duration;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;

use super::{Config, Eni, InstanceId, Launch, NewEni, NewSubnet, Tags, Vpc};

pub(super) const T0: Time = Time::from_secs(1_000_000);

pub(super) fn at(secs: u64) -> Time {
    T0 + Duration::from_secs(secs)
}

pub(super) fn vpc() -> Vpc {
    Vpc::new(Config::new(7, Cidr::parse("10.0.0.0/16").unwrap()))
}

pub(super) fn subnet(vpc: &mut Vpc, cidr: &str, az: &str) -> SubnetId {
    let new = NewSubnet { cidr: Cidr::parse(cidr).unwrap(), az: az.into(), tags: Tags::new() };
    vpc.create_subnet(new, T0).unwrap()
}

pub(super) fn launch(instance_type: &str, subnet: &SubnetId, count: u32) -> Launch {
    Launch {
        instance_type: instance_type.into(),
        subnet: subnet.clone(),
        min_count: count,
        max_count: count,
        tags: Tags::new(),
    }
}

/// A running instance at `T0` + 10 s.
pub(super) fn running(vpc: &mut Vpc, instance_type: &str, subnet: &SubnetId) -> InstanceId {
    let id = vpc.run_instances(&launch(instance_type, subnet, 1), T0).unwrap().remove(0);
    vpc.advance(at(10));
    id
}

pub(super) fn eni(vpc: &mut Vpc, subnet: &SubnetId, secondary_ips: u32) -> Eni {
    vpc.create_eni(NewEni { secondary_ips, ..NewEni::in_subnet(subnet.clone()) }, at(10)).unwrap()
}

pub(super) fn free(vpc: &Vpc, subnet: &SubnetId) -> u32 {
    vpc.subnet(subnet).unwrap().free_ips().get()
}
