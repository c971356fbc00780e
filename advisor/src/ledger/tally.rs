//! What one instance holds, counted while its ENIs go by.

use headroom_capacity::units::IPS_PER_PREFIX;

use super::Owner;
use super::known::Gives;
use super::whose::Role;
use crate::inventory::Eni;

#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// ENIs of all kinds, branch ENIs not among them.
    pub(super) enis: u32,
    /// Those on the default network card.
    pub(super) on_default_card: u32,
    /// Slots taken on the fullest of these.
    pub(super) fullest: u32,
    /// A prefix was seen.
    pub(super) has_prefix: bool,
    pub(super) pod_enis: u32,
    pub(super) unmanaged: u32,
    pub(super) excluded: u32,
    pub(super) branch: u32,
    pub(super) trunk: bool,
    /// Single addresses that pods can get.
    pub(super) singles: u32,
    /// Prefixes that pods can get addresses from.
    pub(super) prefixes: u32,
    pub(super) warm: u32,
    pub(super) assigned: u32,
    pub(super) cooling: u32,
    /// The primary ENI was seen.
    pub(super) has_primary: bool,
    /// Subnet and taken slots of each ENI that takes addresses for pods.
    pub(super) slots: Vec<(usize, u32)>,
}

impl Tally {
    pub(super) fn add_eni(&mut self, eni: &Eni, role: Role, gives: Gives, subnet: Option<usize>) {
        // Leftovers of the other mode take slots too (CNI `GetAllocatableENIs`).
        let taken = u32::try_from(eni.secondary_ips.len() + eni.prefixes.len()).unwrap_or(u32::MAX);
        self.enis += 1;
        self.has_primary |= role.primary;
        self.trunk |= role.trunk;
        if role.on_default_card {
            self.on_default_card += 1;
            self.fullest = self.fullest.max(taken);
            self.has_prefix |= !eni.prefixes.is_empty();
            self.unmanaged += u32::from(!role.managed && !role.trunk);
            self.excluded += u32::from(role.managed && role.excluded && !role.trunk && !role.retired);
        }
        if role.assigns(gives, false) {
            self.singles += u32::try_from(eni.secondary_ips.len()).unwrap_or(u32::MAX);
        }
        if role.assigns(gives, true) {
            self.prefixes += u32::try_from(eni.prefixes.len()).unwrap_or(u32::MAX);
        }
        if role.takes_more() {
            self.pod_enis += 1;
            self.slots.extend(subnet.map(|at| (at, taken)));
        }
    }

    pub(super) fn count(&mut self, owner: Owner, addresses: u32) {
        match owner {
            Owner::Warm => self.warm += addresses,
            Owner::Pod => self.assigned += addresses,
            Owner::Cooling => self.cooling += addresses,
            Owner::NodePrimary | Owner::EniPrimary | Owner::Branch | Owner::Leaked | Owner::Foreign => {}
        }
    }

    pub(super) fn attached(&self) -> u32 {
        self.warm + self.assigned + self.cooling
    }

    /// Addresses that ipamd counts as its pool.
    pub(super) fn pool(&self) -> u32 {
        self.singles + self.prefixes * IPS_PER_PREFIX
    }
}
