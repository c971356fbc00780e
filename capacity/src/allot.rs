//! Who may count on what of subnets that many nodes share.
//!
//! EC2 is read once in a while, and between two readings every node of a subnet may grow: each alone would find room, all together
//! may not. So what a reading shows free is divided once, among all that could take it, and each node goes by its share until the next
//! reading. No order in which pods come and pools grow can then lead to more addresses than are free: the shares of a subnet
//! never add up to more, whoever uses how much of his own, and when. Nothing has to be counted, or agreed on, in between.
//!
//! Shares are handed out as ipamd would take them, in steps: first what has grown since the reading by all that is known, then one
//! step for each node whose pool is low or whose pods wait (their ipamd asks for it anyway), then in rounds one step for everybody until nothing
//! is left or nobody can use more. A new ENI takes its own address and all that ipamd asks for with it, or is not made; so a
//! subnet that is nearly empty gives a few nodes something that they can use, and not everyone something that nobody can.
//!
//! The price: where addresses are scarce, what one node does not use is for another only after the next reading.

use crate::budget::Mode;
use crate::units::{Enis, IPS_PER_PREFIX, Ips, Prefixes};
use crate::verdict::Room;

/// Rounds in which everyone gets one step; the last gives all that is asked for.
const ROUNDS: u32 = 16;

/// What a subnet has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Free {
    /// Addresses that EC2 may choose.
    pub ips: Ips,
    /// Aligned /28 blocks among them.
    pub prefixes: Prefixes,
}

impl Free {
    /// Slots that it can fill on ENIs that are there.
    fn slots(&self, mode: Mode) -> u32 {
        match mode {
            Mode::SecondaryIp => self.ips.get(),
            Mode::Prefix => self.prefixes.get().min(self.ips.get() / IPS_PER_PREFIX),
        }
    }

    /// Takes what so many slots hold, which must be there. Single addresses are taken to come out of broken /28s first.
    fn fill(&mut self, mode: Mode, slots: u32) {
        match mode {
            Mode::SecondaryIp => self.ips = self.ips.saturating_sub(Ips(slots)),
            Mode::Prefix => {
                self.prefixes = self.prefixes.saturating_sub(Prefixes(slots));
                self.ips = self.ips.saturating_sub(Prefixes(slots).ips());
            }
        }
        self.prefixes = self.prefixes.min(Prefixes(self.ips.get() / IPS_PER_PREFIX));
    }

    /// Makes an ENI with so many slots filled, if that fits. Its own address may break a /28, and where one more is not there, it must
    /// have been broken before.
    fn make_eni(&mut self, mode: Mode, slots: u32) -> bool {
        let fits = match mode {
            Mode::SecondaryIp => self.ips.get() > slots,
            Mode::Prefix => {
                let outside = self.ips.saturating_sub(self.prefixes.ips());
                self.prefixes.get() > slots || (self.prefixes.get() == slots && !outside.is_zero())
            }
        };
        if fits {
            self.fill(mode, slots);
            self.ips = self.ips.saturating_sub(Ips(1));
            if mode == Mode::Prefix {
                self.prefixes = self.prefixes.saturating_sub(Prefixes(1));
            }
            self.fill(mode, 0);
        }
        fits
    }
}

/// A node whose pool can grow, as the last reading shows it. Subnets are places in the list that [`allot`] is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grower {
    /// What a slot holds.
    pub mode: Mode,
    /// Slots on one ENI.
    pub slots_per_eni: u32,
    /// Slots that one step of ipamd's asks for.
    pub request: u32,
    /// Free slots on attached ENIs, by subnet.
    pub free_slots: Vec<(usize, u32)>,
    /// ENIs that it may still make.
    pub new_enis: Enis,
    /// Subnets that those may be in, of which ipamd takes the one with most addresses free (CNI `createENI`).
    pub new_eni_subnets: Vec<usize>,
    /// Slots that it can fill at all before it has its ceiling or max-pods addresses.
    pub useful: u32,
    /// Slots that count as filled since the reading.
    pub grown: u32,
    /// Whether its pool is low or pods wait for their address.
    pub urgent: bool,
}

/// What one node may count on until the next reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Slots on attached ENIs that it may fill.
    pub slots: u32,
    /// Slots on each ENI that it may make.
    pub new_enis: Vec<u32>,
    /// Addresses left in the best of its subnets when everyone has his share.
    pub spare: Ips,
}

impl Share {
    /// Slots in all.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.slots + self.new_enis.iter().sum::<u32>()
    }
}

/// Divides what is free among the nodes, a share for each in their order. Taken from `free` is what all shares together can cost,
/// the addresses of the ENIs themselves included, and never more than there was.
#[must_use]
pub fn allot(free: &mut [Free], nodes: &[Grower]) -> Vec<Share> {
    let mut hands: Vec<Hand<'_>> = nodes.iter().map(Hand::new).collect();
    for hand in &mut hands {
        while hand.share.total() < hand.node.grown && hand.take(free) {}
    }
    for hand in hands.iter_mut().filter(|hand| hand.node.urgent) {
        hand.take(free);
    }
    for round in 1..=ROUNDS {
        let mut taken = false;
        for hand in &mut hands {
            taken |= hand.take(free);
            while round == ROUNDS && hand.take(free) {}
        }
        if !taken {
            break;
        }
    }
    hands.into_iter().map(|hand| hand.done(free)).collect()
}

/// A node while shares are handed out.
struct Hand<'a> {
    node: &'a Grower,
    share: Share,
    /// The first of its `free_slots` that may have some, and how many are filled of those.
    at: usize,
    filled: u32,
    /// Where its newest ENI is.
    newest: usize,
}

impl Hand<'_> {
    fn new(node: &Grower) -> Hand<'_> {
        Hand { node, share: Share::default(), at: 0, filled: 0, newest: 0 }
    }

    /// Takes one step, or the part of it that is left: free slots first, as ipamd does, then the newest ENI, then another one.
    fn take(&mut self, free: &mut [Free]) -> bool {
        let Grower { mode, slots_per_eni, .. } = *self.node;
        let want = self.node.request.max(1).min(self.node.useful.saturating_sub(self.share.total()));
        if want == 0 {
            return false;
        }
        while let Some(&(subnet, slots)) = self.node.free_slots.get(self.at) {
            let got = want.min(slots - self.filled).min(free[subnet].slots(mode));
            if got > 0 {
                free[subnet].fill(mode, got);
                self.filled += got;
                self.share.slots += got;
                return true;
            }
            (self.at, self.filled) = (self.at + 1, 0);
        }
        if let Some(last) = self.share.new_enis.last_mut() {
            let got = want.min(slots_per_eni.saturating_sub(*last)).min(free[self.newest].slots(mode));
            if got > 0 {
                free[self.newest].fill(mode, got);
                *last += got;
                return true;
            }
        }
        self.make_eni(free)
    }

    fn make_eni(&mut self, free: &mut [Free]) -> bool {
        let Grower { mode, slots_per_eni, .. } = *self.node;
        if self.share.new_enis.len() >= self.node.new_enis.get() as usize {
            return false;
        }
        let room = |at: usize| (free[at].slots(mode), free[at].ips);
        let subnets = self.node.new_eni_subnets.iter().rev().copied();
        let Some(best) = subnets.max_by_key(|&at| room(at)) else { return false };
        let asked = self.node.request.clamp(1, slots_per_eni.max(1));
        let made = free[best].make_eni(mode, asked);
        if made {
            self.share.new_enis.push(asked);
            self.newest = best;
        }
        made
    }

    fn done(self, free: &[Free]) -> Share {
        let attached = self.node.free_slots.iter().map(|(subnet, _)| *subnet);
        let spare = attached.chain(self.node.new_eni_subnets.iter().copied()).map(|at| free[at].ips).max();
        Share { spare: spare.unwrap_or(Ips::ZERO), ..self.share }
    }
}

/// Where a node's pool stands and may go when it has used a part of its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// ENIs that it has made.
    pub made: Enis,
    /// Free slots on its ENIs.
    pub free_slots: u32,
    /// What it may still take, in the terms of the verdict.
    pub room: Room,
}

impl Share {
    /// When `grown` slots are filled since the reading, in the order in which they were handed out; or so many that were filled then
    /// cannot be relied on any more: ipamd may have given them back, and then the subnet has them.
    #[must_use]
    pub fn ahead(&self, node: &Grower, grown: u32, given_back: u32) -> Ahead {
        let mut free_slots = node.free_slots.iter().map(|(_, slots)| slots).sum::<u32>() + given_back;
        let (mut open, mut left) = (self.slots + given_back, grown);
        let mut new = self.new_enis.iter().copied();
        let mut made = Enis::ZERO;
        loop {
            let filled = left.min(open);
            (open, left) = (open - filled, left - filled);
            free_slots = free_slots.saturating_sub(filled);
            let Some(next) = (left > 0).then(|| new.next()).flatten() else { break };
            made += Enis(1);
            free_slots = free_slots.saturating_add(node.slots_per_eni);
            open = next;
        }
        // Each new ENI takes one more for itself. The verdict takes what goes to attached ENIs off what new ones find.
        let for_new = new.map(|slots| slots + 1).sum::<u32>();
        let for_new = if for_new == 0 { 0 } else { open + for_new };
        let room = match node.mode {
            Mode::SecondaryIp => Room::Known {
                on_attached_ips: Ips(open),
                on_attached_prefixes: Prefixes::ZERO,
                for_new_eni_ips: Ips(for_new),
                for_new_eni_prefixes: Prefixes::ZERO,
            },
            // Addresses only tell whether it is /28s that are missing.
            Mode::Prefix => Room::Known {
                on_attached_ips: Prefixes(open).ips() + self.spare,
                on_attached_prefixes: Prefixes(open),
                for_new_eni_ips: Prefixes(for_new).ips() + self.spare,
                for_new_eni_prefixes: Prefixes(for_new),
            },
        };
        Ahead { made, free_slots, room }
    }
}

#[cfg(test)]
mod tests;
