//! Whose an ENI is, and what it is to its instance.

use headroom_capacity::budget::NodeKind;

use super::known::{Gives, Known};
use crate::inventory::{Eni, EniKind};
use crate::leaks::{self, LeakReason};

/// Whose an ENI is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// One of the cluster's instances', attached or on its way, by its place in [`Known::members`].
    Member { place: usize, role: Role },
    /// A pod's own, beside the trunk of a member where that is known.
    Branch { place: Option<usize> },
    /// Nobody's any more.
    Leaked { reason: LeakReason, of_cluster: bool },
    /// A Fargate pod's.
    Fargate { place: usize },
    /// Somebody else's.
    Foreign,
}

/// What an ENI is to its instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Role {
    /// Device 0 of the default card.
    pub(super) primary: bool,
    /// Carries branch ENIs.
    pub(super) trunk: bool,
    /// Its addresses are given to pods by whoever does so on this node.
    pub(super) managed: bool,
    /// In a subnet whose addresses no pod gets any more.
    pub(super) excluded: bool,
    /// The primary ENI under custom networking: pods get what it has, and it takes no more.
    pub(super) retired: bool,
    /// On the card that pod ENIs go to.
    pub(super) on_default_card: bool,
}

impl Role {
    /// Whether pods get addresses of its prefixes, or its single secondary addresses.
    pub(super) fn assigns(self, gives: Gives, prefixes: bool) -> bool {
        self.managed && !self.excluded && if prefixes { gives.prefixes } else { gives.singles }
    }

    /// Whether it takes new addresses for pods.
    pub(super) fn takes_more(self) -> bool {
        self.managed && !self.excluded && !self.trunk && !self.retired && self.on_default_card
    }
}

impl Known<'_> {
    pub(super) fn whose(&self, eni: &Eni) -> Whose {
        let instance = eni.attachment.as_ref().and_then(|attachment| attachment.instance.as_ref());
        match (eni.kind, instance) {
            (EniKind::Branch, _) => self.branch(eni),
            (EniKind::Service, _) => self.nobodys(eni),
            (_, Some(instance)) => self
                .place(instance)
                .map_or(Whose::Foreign, |place| Whose::Member { place, role: self.role(eni, place) }),
            (_, None) => self.unattached(eni),
        }
    }

    /// Branch ENIs carry no cluster's name that EC2 could be asked for: one is another cluster's only if its trunk is on an
    /// instance that is not this cluster's.
    fn branch(&self, eni: &Eni) -> Whose {
        match eni.tags.trunk.as_ref().and_then(|trunk| self.trunk(trunk)) {
            Some(None) => Whose::Foreign,
            Some(Some(place)) => Whose::Branch { place: Some(place) },
            None => Whose::Branch { place: None },
        }
    }

    fn unattached(&self, eni: &Eni) -> Whose {
        let place = leaks::made_for(eni, self.policy()).and_then(|instance| self.place(instance));
        let lives = place.is_some_and(|place| self.members()[place].lives());
        if let Some(reason) = leaks::reason(eni, lives, self.policy(), self.now()) {
            let of_cluster = eni.tags.cluster.as_ref() == Some(&self.policy().cluster);
            return Whose::Leaked { reason, of_cluster };
        }
        match place.filter(|_| lives) {
            Some(place) => Whose::Member { place, role: self.role(eni, place) },
            None => self.nobodys(eni),
        }
    }

    /// Fargate gives each pod an ENI of its own, which belongs to AWS.
    fn nobodys(&self, eni: &Eni) -> Whose {
        let place = eni.primary_ip.and_then(|ip| self.fargate(ip));
        place.map_or(Whose::Foreign, |place| Whose::Fargate { place })
    }

    fn role(&self, eni: &Eni, place: usize) -> Role {
        let member = &self.members()[place];
        let settings = self.settings();
        let (device, card) = eni
            .attachment
            .as_ref()
            .map_or((u32::MAX, 0), |attachment| (attachment.device_index, attachment.network_card));
        let on_default_card = card == 0;
        let primary = device == 0 && on_default_card;
        let trunk = eni.kind == EniKind::Trunk;
        let linux = member.kind() == NodeKind::Linux;
        let managed = match member.kind() {
            // The VPC resource controller gives Windows pods addresses of the primary ENI only (`pkg/provider/ip`).
            NodeKind::Windows => primary,
            _ if eni.kind == EniKind::EfaOnly => false,
            // ipamd always manages the primary ENI (CNI `setUnmanagedENIs`), and other cards only with ENABLE_MULTI_NIC.
            NodeKind::Linux => {
                let made = eni.tags.instance.as_ref() == member.id || settings.manage_untagged_enis;
                primary || trunk || (!eni.tags.no_manage && made && (on_default_card || settings.multi_nic))
            }
            NodeKind::Auto | NodeKind::Fargate | NodeKind::Hybrid => true,
        };
        Role {
            primary,
            trunk,
            managed,
            excluded: linux && settings.subnet_discovery && self.is_excluded(&eni.subnet),
            retired: linux && primary && settings.custom_networking,
            on_default_card,
        }
    }
}
