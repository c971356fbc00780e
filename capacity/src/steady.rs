//! Where the pool comes to rest: closed forms of ipamd's rules on the growing side.

use crate::budget::Ipv4Budget;
use crate::settings::CniSettings;
use crate::units::{Enis, Ips, Prefixes};

/// A node's footprint when its pool has come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Steady {
    /// ENIs that give pod addresses; the primary ENI counts unless custom networking is on.
    pub enis: Enis,
    /// Prefixes attached; none in secondary-IP mode.
    pub prefixes: Prefixes,
    /// Addresses for pods that are attached.
    pub ips_attached: Ips,
    /// Addresses taken in the pods' subnets: `ips_attached` and each ENI's primary address.
    pub subnet_ips: Ips,
    /// Addresses taken in the node's own subnet beside those: the primary ENI's under custom networking.
    pub node_subnet_ips: Ips,
}

/// The footprint of a node on which `pods` pods have been started one after another and hold an address each, the pool
/// settling in between.
#[must_use]
pub fn steady(_settings: &CniSettings, _budget: &Ipv4Budget, _pods: u32) -> Steady {
    unimplemented!("capacity-ipamd")
}
