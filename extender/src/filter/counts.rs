//! What the nodes of one request offered, counted by verdict and reason.

use headroom_capacity::verdict::Reason;

use super::Room;

/// Nodes by verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// With an IP at once.
    pub now: u32,
    /// With an IP within seconds.
    pub soon: u32,
    /// Not limited by addresses.
    pub open: u32,
    unknown: [u32; Reason::ALL.len()],
    never: [u32; Reason::ALL.len()],
}

impl Counts {
    /// Takes in one node.
    pub fn add(&mut self, room: Room) {
        *match room {
            Room::Now { .. } => &mut self.now,
            Room::Soon { .. } => &mut self.soon,
            Room::Unproven { .. } => &mut self.unknown[Reason::UnknownSubnet as usize],
            Room::Open(None) => &mut self.open,
            Room::Open(Some(reason)) => &mut self.unknown[reason as usize],
            Room::Closed(reason) => &mut self.never[reason as usize],
        } += 1;
    }

    /// Takes in so many nodes that are not offered.
    pub fn closed(&mut self, reason: Reason, nodes: usize) {
        self.never[reason as usize] += u32::try_from(nodes).unwrap_or(u32::MAX);
    }

    /// Nodes that were passed for want of knowledge, by reason.
    pub fn unknown(&self) -> impl Iterator<Item = (Reason, u32)> {
        Reason::ALL.into_iter().zip(self.unknown).filter(|(_, nodes)| *nodes > 0)
    }

    /// Nodes that were not offered, by reason.
    pub fn never(&self) -> impl Iterator<Item = (Reason, u32)> {
        Reason::ALL.into_iter().zip(self.never).filter(|(_, nodes)| *nodes > 0)
    }

    /// Nodes of which a policy decided for this want of knowledge.
    #[must_use]
    pub fn by_policy(&self, reason: Reason) -> u32 {
        self.unknown[reason as usize] + self.never[reason as usize]
    }
}
