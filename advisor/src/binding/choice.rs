//! Which types are worth comparing for a group at all.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::inventory::Offer;

/// What a group runs, as far as it says what else its pods may run on.
#[derive(Clone, Debug)]
pub(super) struct Choice<'a> {
    families: BTreeSet<&'a str>,
    /// Values of the label `kubernetes.io/arch`; `None` where that of a node is not known.
    architectures: Option<BTreeSet<&'a str>>,
    /// From half as many vCPUs as its smallest nodes have to four times as many as its largest; `None` where none is known.
    vcpus: Option<RangeInclusive<u32>>,
    /// One of its types has an accelerator or is bare metal, which its pods probably need.
    special: bool,
    burstable: bool,
    local_disks: bool,
}

impl<'a> Choice<'a> {
    /// Of a group that runs these types on nodes of these architectures.
    pub(super) fn new(
        runs: &BTreeSet<&'a str>,
        architectures: impl Iterator<Item = Option<&'a str>>,
        offers: &BTreeMap<Arc<str>, Offer>,
    ) -> Choice<'a> {
        let known: Vec<&Offer> = runs.iter().filter_map(|name| offers.get(*name)).collect();
        let sizes = || known.iter().filter_map(|offer| offer.shape).map(|shape| shape.vcpus);
        Choice {
            families: runs.iter().map(|name| family(name)).collect(),
            architectures: architectures.collect(),
            vcpus: sizes().min().zip(sizes().max()).map(|(least, most)| least / 2..=most.saturating_mul(4)),
            special: known.iter().any(|offer| is_special(offer)),
            burstable: known.iter().any(|offer| offer.burstable),
            local_disks: known.iter().any(|offer| offer.local_disks),
        }
    }

    /// Whether the group runs a type of this one's family.
    pub(super) fn has_family_of(&self, name: &str) -> bool {
        self.families.contains(family(name))
    }

    /// Whether the group could as well run the type `name`, of which EC2 says `offer`. One that is `seen` runs elsewhere in the cluster:
    /// neither its age nor its size is a reason against it.
    pub(super) fn allows(&self, name: &str, offer: Option<&Offer>, architecture: Option<&str>, seen: bool) -> bool {
        let speaks = match (&self.architectures, architecture) {
            (Some(group), Some(one)) => group.contains(one),
            _ => seen,
        };
        let own = self.has_family_of(name);
        let Some(offer) = offer else { return speaks && seen };
        let more = (offer.burstable && !self.burstable) || (offer.local_disks && !self.local_disks);
        let alike = own || !(self.special || is_special(offer) || more);
        let size = || {
            let (vcpus, range) = (offer.shape.map(|shape| shape.vcpus), self.vcpus.as_ref());
            vcpus.zip(range).is_some_and(|(vcpus, range)| range.contains(&vcpus))
        };
        speaks && alike && (seen || ((offer.current || own) && !offer.limits.bare_metal && size()))
    }
}

fn is_special(offer: &Offer) -> bool {
    offer.accelerated || offer.limits.bare_metal
}

/// `m7i-flex` of `m7i-flex.large`.
pub(super) fn family(instance_type: &str) -> &str {
    instance_type.split('.').next().unwrap_or_default()
}

/// 7 of `m7i-flex.large`: the number behind the letters of its class. 0 where there is none.
pub(super) fn generation(instance_type: &str) -> u32 {
    let digits = family(instance_type).trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use headroom_capacity::binding::{Architecture, TypeShape};
    use headroom_capacity::instance::lookup;

    use super::*;

    fn offer(vcpus: u32) -> Offer {
        let shape = TypeShape { vcpus, memory_mib: 8192, architecture: Architecture::Amd64, ebs: None };
        let limits = *lookup("m5.large").unwrap();
        Offer { limits, shape: Some(shape), current: true, burstable: false, local_disks: false, accelerated: false }
    }

    fn allows(choice: &Choice<'_>, name: &str, offer: Offer) -> bool {
        choice.allows(name, Some(&offer), Some("amd64"), false)
    }

    #[test]
    fn names_say_family_and_generation() {
        assert_eq!((family("m7i-flex.large"), generation("m7i-flex.large")), ("m7i-flex", 7));
        assert_eq!((generation("u-6tb1.metal"), generation("c10g.large"), generation("odd")), (6, 10, 0));
    }

    #[test]
    fn a_group_of_plain_nodes_is_offered_plain_ones_of_about_its_size() {
        let offers = BTreeMap::from([("m5.xlarge".into(), offer(4))]);
        let choice = Choice::new(&BTreeSet::from(["m5.xlarge"]), [Some("amd64")].into_iter(), &offers);
        assert!([2, 4, 16].iter().all(|vcpus| allows(&choice, "m8i.x", offer(*vcpus))));
        assert!(![1, 32].iter().any(|vcpus| allows(&choice, "m8i.x", offer(*vcpus))));
        assert!(!allows(&choice, "g6.xlarge", Offer { accelerated: true, ..offer(4) }));
        assert!(!allows(&choice, "t3.xlarge", Offer { burstable: true, ..offer(4) }));
        assert!(!allows(&choice, "i8g.xlarge", Offer { local_disks: true, ..offer(4) }));
        assert!(!allows(&choice, "c5.xlarge", Offer { current: false, ..offer(4) }));
        assert!(allows(&choice, "m5.2xlarge", Offer { current: false, ..offer(8) }), "its own family");
        let metal = Offer { limits: *lookup("m5.metal").unwrap(), ..offer(4) };
        assert!(!allows(&choice, "m5.metal", metal) && !allows(&choice, "m8i.metal", metal));
        assert!(!choice.allows("m8g.xlarge", Some(&offer(4)), Some("arm64"), false));
        assert!(choice.allows("c5.18xlarge", Some(&Offer { current: false, ..offer(72) }), Some("amd64"), true));
    }

    #[test]
    fn a_group_of_special_nodes_is_offered_its_own_family() {
        let gpu = |vcpus| Offer { accelerated: true, ..offer(vcpus) };
        let offers = BTreeMap::from([("g6.xlarge".into(), gpu(4))]);
        let choice = Choice::new(&BTreeSet::from(["g6.xlarge"]), [Some("amd64")].into_iter(), &offers);
        assert!(allows(&choice, "g6.2xlarge", gpu(8)));
        assert!(!allows(&choice, "g7.xlarge", gpu(4)) && !allows(&choice, "m8i.xlarge", offer(4)));
    }

    #[test]
    fn nothing_new_is_offered_to_a_group_of_which_ec2_has_told_nothing() {
        let choice = Choice::new(&BTreeSet::from(["m5.xlarge"]), [Some("amd64")].into_iter(), &BTreeMap::new());
        assert!(!allows(&choice, "m8i.xlarge", offer(4)));
        assert!(choice.allows("c5.xlarge", None, None, true), "but what the cluster runs");
        let offers = BTreeMap::from([("m5.xlarge".into(), offer(4))]);
        let mute = Choice::new(&BTreeSet::from(["m5.xlarge"]), [None].into_iter(), &offers);
        assert!(!allows(&mute, "m8i.xlarge", offer(4)), "nobody has told the machine language");
    }
}
