//! What is still attached though the data store forgot it, because EC2 refused to take it back.
//!
//! ipamd learns of it from the instance metadata (CNI `nodeIPPoolReconcile`); here it is remembered.

use super::{Ipamd, NewEni, RECONCILE_COOLDOWN, RECONCILE_INTERVAL};
use crate::ids::EniId;
use crate::subnet::Cidr;
use crate::time::Time;

/// Attached, but not in the data store.
#[derive(Clone, Debug)]
pub(super) enum Orphan {
    /// A block that was to be given back then.
    Block(EniId, Cidr, Time),
    /// An ENI that was to be given back: it is taken to be attached still, as when the detach fails.
    Eni(NewEni),
}

impl Ipamd {
    /// CNI `nodeIPPoolReconcile`: when the pool was left alone for a minute, and every turn while a trunk is awaited.
    pub(super) fn reconcile(&mut self, now: Time) {
        let settings = &self.config.settings;
        let awaits_trunk = settings.pod_eni && !self.store.enis().any(|eni| eni.spec().trunk);
        let rested = self.acted_at.is_none_or(|at| now.since(at) > RECONCILE_INTERVAL);
        if !rested && !awaits_trunk {
            return;
        }
        self.acted_at = Some(now);
        let due = |orphan: &mut Orphan| match orphan {
            Orphan::Block(.., since) => now.since(*since) >= RECONCILE_COOLDOWN,
            Orphan::Eni(_) => true,
        };
        let due: Vec<Orphan> = self.orphans.extract_if(.., due).collect();
        for orphan in due {
            match orphan {
                Orphan::Block(eni, block, _) => self.add_blocks(&eni, vec![block]),
                Orphan::Eni(eni) => self.add_eni(eni, false, now),
            }
        }
    }

    pub(super) fn orphan_blocks(&mut self, eni: &EniId, blocks: Vec<Cidr>, since: Time) {
        self.orphans.extend(blocks.into_iter().map(|block| Orphan::Block(eni.clone(), block, since)));
    }

    pub(super) fn orphan_eni(&mut self, eni: NewEni) {
        self.orphans.push(Orphan::Eni(eni));
    }

    /// EC2 was asked what is on `eni`: blocks return whatever their age (CNI `addENIsecondaryIPsToDataStore`).
    pub(super) fn restore_blocks(&mut self, eni: &EniId) {
        let blocks = self.take_orphan_blocks(eni);
        self.add_blocks(eni, blocks);
    }

    pub(super) fn take_orphan_blocks(&mut self, eni: &EniId) -> Vec<Cidr> {
        let taken = self.orphans.extract_if(.., |orphan| matches!(orphan, Orphan::Block(owner, ..) if owner == eni));
        let blocks = taken.filter_map(|orphan| match orphan {
            Orphan::Block(_, block, _) => Some(block),
            Orphan::Eni(_) => None,
        });
        blocks.collect()
    }
}
