//! Instance types.

use std::collections::BTreeMap;

use headroom_capacity::instance::{Hypervisor, InstanceLimits, all};
use headroom_capacity::time::Time;

use super::{Answer, show};
use crate::aws::http::filter::{self, Values, one};
use crate::aws::http::page::{EC2_TYPES, page};
use crate::aws::http::params::Params;
use crate::aws::http::xml::{Map, items};
use crate::aws::{ApiError, Size, Vpc};
use crate::node::shape::{self, Name};

pub(super) fn describe(vpc: &mut Vpc, params: &Params, _: Time) -> Answer {
    let wanted = params.list("InstanceType");
    let known = |name: &&str| vpc.limits(name).is_none();
    if let Some(unknown) = wanted.iter().find(|name| known(name)) {
        let message = format!("The following supplied instance types do not exist: [{unknown}]");
        return Err(ApiError::new("InvalidInstanceType", message));
    }
    let filters = filter::ec2(params)?;
    let mut rows: BTreeMap<&str, &InstanceLimits> = all().collect();
    rows.extend(vpc.config().limits.iter().map(|(name, limits)| (name.as_str(), limits)));
    let mut found = Vec::new();
    for (name, limits) in rows.into_iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)) {
        if filter::matches(&filters, |key| type_value(name, limits, key))? {
            found.push((name, limits));
        }
    }
    let (types, next) = page(params, &EC2_TYPES, found, |(name, _)| (*name).to_owned())?;
    let set = items(types.into_iter().map(|(name, limits)| row(vpc, name, limits)));
    Ok(Some(Map::new().put("instanceTypeSet", set).maybe("nextToken", next)))
}

fn hypervisor(limits: &InstanceLimits) -> Option<&'static str> {
    match limits.hypervisor {
        Hypervisor::Nitro => Some("nitro"),
        Hypervisor::Xen => Some("xen"),
        Hypervisor::Unknown => None,
    }
}

fn type_value(name: &str, limits: &InstanceLimits, key: &str) -> Values {
    match key {
        "instance-type" => one(name),
        "bare-metal" => one(limits.bare_metal),
        "hypervisor" => Some(hypervisor(limits).map(str::to_owned).into_iter().collect()),
        "network-info.ipv4-addresses-per-interface" => one(limits.ipv4_per_eni),
        "network-info.maximum-network-cards" => one(limits.network_cards),
        _ => None,
    }
}

/// `MaximumNetworkInterfaces` is the sum over all cards: taking it for what ipamd can use is a mistake that the lab must let people
/// make. The tables know the default card only, so every card has as many here.
fn row(vpc: &Vpc, name: &str, limits: &InstanceLimits) -> Map {
    let card = |index| {
        Map::new()
            .text("networkCardIndex", index)
            .text("networkPerformance", "Up to 10 Gigabit")
            .text("maximumNetworkInterfaces", limits.enis)
    };
    let network = Map::new()
        .text("networkPerformance", "Up to 10 Gigabit")
        .text("maximumNetworkInterfaces", limits.enis.get() * limits.network_cards)
        .text("maximumNetworkCards", limits.network_cards)
        .text("defaultNetworkCardIndex", 0)
        .text("ipv4AddressesPerInterface", limits.ipv4_per_eni)
        .text("ipv6AddressesPerInterface", limits.ipv4_per_eni)
        .text("ipv6Supported", true)
        .text("enaSupport", if limits.supports_prefixes() { "required" } else { "supported" })
        .put("networkCards", items((0..limits.network_cards).map(card)));
    let size = vpc.config().sizes.get(name).copied().or_else(|| size(name));
    let mut map = Map::new()
        .text("instanceType", name)
        .text("currentGeneration", is_current(name, limits))
        .text("bareMetal", limits.bare_metal)
        .text("burstablePerformanceSupported", name.starts_with('t') && Name::parse(name).is_some())
        .text("instanceStorageSupported", Name::parse(name).is_some_and(|name| name.attributes.contains('d')))
        .maybe("hypervisor", hypervisor(limits))
        .put("processorInfo", Map::new().put("supportedArchitectures", show::strings(&[architecture(name)])))
        .put("networkInfo", network);
    if let Some(Size { vcpus, memory_mib }) = size {
        map = map
            .put("vCpuInfo", Map::new().text("defaultVCpus", vcpus))
            .put("memoryInfo", Map::new().text("sizeInMiB", memory_mib));
    }
    match volumes(name, limits) {
        Some((most, kind)) => {
            map.put("ebsInfo", Map::new().text("maximumEbsAttachments", most).text("attachmentLimitType", kind))
        }
        None => map,
    }
}

/// The table knows addresses only; of many types the name says the rest.
fn size(name: &str) -> Option<Size> {
    let shape = shape::of(name)?;
    Some(Size { vcpus: u32::try_from(shape.cpu_milli / 1000).ok()?, memory_mib: shape.memory_bytes >> 20 })
}

/// Families of the fifth and later generations that EC2 does not call current, in `us-east-1` in November 2026.
const FORMER: [&str; 8] = ["c5", "c6gn", "m5", "m6i", "r5", "r6i", "r7g", "r7gd"];

fn is_current(name: &str, limits: &InstanceLimits) -> bool {
    let family = name.split('.').next().unwrap_or_default();
    !FORMER.contains(&family) && (limits.hypervisor != Hypervisor::Xen || family == "t2")
}

fn architecture(name: &str) -> &'static str {
    if shape::is_graviton(name) { "arm64" } else { "x86_64" }
}

/// `MaximumEbsAttachments` and `AttachmentLimitType`, of types whose name says them: ENIs and volumes share 28 places, one of which the
/// first ENI has, up to the sixth generation and Graviton's seventh; later ones have places for volumes alone, by their size (EC2
/// user guide, "Amazon EBS volume limits"). Local disks, `d`, take places too, and bare metal has its own numbers.
fn volumes(name: &str, limits: &InstanceLimits) -> Option<(u32, &'static str)> {
    if limits.hypervisor == Hypervisor::Xen {
        return Some((40, "shared"));
    }
    let vcpus = size(name)?.vcpus;
    let name = Name::parse(name).filter(|name| !name.attributes.contains(['d', 'z']))?;
    if name.generation < 7 || (name.generation == 7 && name.attributes.contains('g')) {
        return Some((27, "shared"));
    }
    let most = match vcpus {
        ..64 => 32,
        64..96 => 48,
        96..128 => 64,
        128..192 => 88,
        192.. => 128,
    };
    Some((most, "dedicated"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> (Option<(u32, &'static str)>, bool, &'static str) {
        let limits = headroom_capacity::instance::lookup(name).unwrap();
        (volumes(name, limits), is_current(name, limits), architecture(name))
    }

    /// As EC2 describes them (moto 5.2.5 has its answers).
    #[test]
    fn types_are_described_as_ec2_does() {
        assert_eq!(of("m5.large"), (Some((27, "shared")), false, "x86_64"));
        assert_eq!(of("m7g.large"), (Some((27, "shared")), true, "arm64"));
        assert_eq!(of("m7i.large"), (Some((32, "dedicated")), true, "x86_64"));
        assert_eq!(of("c8g.24xlarge"), (Some((64, "dedicated")), true, "arm64"));
        assert_eq!(of("m4.large"), (Some((40, "shared")), false, "x86_64"));
        assert_eq!(of("t2.large"), (Some((40, "shared")), true, "x86_64"));
        assert_eq!(of("m7gd.large").0, None);
    }
}
