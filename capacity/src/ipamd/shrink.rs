//! The pool is high: blocks and ENIs are given back.

use std::collections::VecDeque;

use super::turn::{Cx, Step};
use super::{Call, Ipamd, NewEni, Reply};
use crate::budget::Mode;
use crate::datastore::{Block, WarmTargets};
use crate::ids::EniId;
use crate::subnet::Cidr;
use crate::time::Time;

/// Blocks of `eni` are given back, which the data store has forgotten already.
#[derive(Clone, Debug)]
pub(super) struct Returning {
    eni: EniId,
    blocks: Vec<Cidr>,
    since: Time,
    /// Blocks of the same ENI that take a call of their own: one call gives back either prefixes or addresses.
    then: Vec<Cidr>,
    /// Blocks to give back beyond these.
    over: usize,
    /// ENIs to look at for them.
    rest: VecDeque<EniId>,
}

impl Ipamd {
    /// CNI `decreaseDatastorePool`, `tryUnassignCidrsFromAll`: also on a cordoned node, and cooling addresses do not hold a block.
    pub(super) fn decrease(&mut self, cx: &mut Cx<'_>) -> Option<Step> {
        cx.log("Starting to decrease pool size for network card 0");
        let over = self.rules.over(&self.pool(cx.now));
        let enis = self.store.enis().map(|eni| eni.spec().id.clone()).collect();
        let order = cx.shuffle(enis).into();
        self.give_back(usize::try_from(over).unwrap_or(usize::MAX), order, cx)
    }

    fn give_back(&mut self, over: usize, mut order: VecDeque<EniId>, cx: &mut Cx<'_>) -> Option<Step> {
        if over == 0 {
            return None;
        }
        while let Some(eni) = order.pop_front() {
            let mut blocks = cx.shuffle(self.store.freeable_cidrs(&eni));
            blocks.truncate(over);
            blocks.retain(|block| self.store.remove_cidr(&eni, *block, false).is_ok());
            if blocks.is_empty() {
                continue;
            }
            let over = over - blocks.len();
            let (mut blocks, mut then): (Vec<Cidr>, Vec<Cidr>) = blocks.into_iter().partition(|block| block.len() < 32);
            if blocks.is_empty() {
                std::mem::swap(&mut blocks, &mut then);
            }
            cx.call(Call::Unassign { eni: eni.clone(), blocks: blocks.clone() });
            return Some(Step::Return(Returning { eni, blocks, since: cx.now, then, over, rest: order }));
        }
        None
    }

    pub(super) fn returned(&mut self, returning: Returning, reply: Reply, cx: &mut Cx<'_>) -> Option<Step> {
        let Returning { eni, blocks, since, then, over, rest } = returning;
        if let Reply::Failed(error) = reply {
            cx.log(format!("Failed to deallocate a private IP address {error}"));
            self.orphan_blocks(&eni, blocks, since);
        }
        if !then.is_empty() {
            cx.call(Call::Unassign { eni: eni.clone(), blocks: then.clone() });
            return Some(Step::Return(Returning { eni, blocks: then, since, then: Vec::new(), over, rest }));
        }
        self.give_back(over, rest, cx)
    }

    /// CNI `shouldRemoveExtraENIs`, `tryFreeENI`: one ENI a turn at most.
    pub(super) fn free_eni(&mut self, may_spare: bool, cx: &mut Cx<'_>) -> Option<Step> {
        let settings = &self.config.settings;
        let may_spare = may_spare || (self.rules.mode == Mode::Prefix && self.store.has_freeable_eni());
        if !may_spare {
            return None;
        }
        if self.is_frozen() {
            cx.log("AWS CNI is on a non schedulable node, not detaching any ENIs");
            return None;
        }
        let targets = WarmTargets {
            warm_ip: self.rules.warm_ips,
            minimum_ip: self.rules.minimum_ips,
            warm_prefix: settings.warm_prefix_target,
        };
        let deletable = self.store.deletable_enis(targets, cx.now);
        let id = cx.shuffle(deletable).into_iter().next()?;
        let eni = self.forget_eni(&id)?;
        cx.log(format!("Start freeing ENI {id} from network card 0"));
        cx.call(Call::FreeEni { eni: id });
        Some(Step::Free(eni))
    }

    /// Takes an ENI without pods out of the data store, with all that EC2 has on it.
    fn forget_eni(&mut self, id: &EniId) -> Option<NewEni> {
        let eni = self.store.eni(id)?;
        let spec = eni.spec();
        let mut forgotten = NewEni {
            id: id.clone(),
            subnet: spec.subnet.clone(),
            device_index: spec.device_index,
            blocks: eni.blocks().map(Block::cidr).collect(),
            trunk: spec.trunk,
        };
        self.store.remove_eni(id, false).ok()?;
        forgotten.blocks.extend(self.take_orphan_blocks(id));
        Some(forgotten)
    }

    pub(super) fn freed(&mut self, eni: NewEni, reply: Reply, cx: &mut Cx<'_>) {
        if let Reply::Failed(error) = reply {
            cx.log(format!("Failed to free ENI {}, err: {error}", eni.id));
            self.orphan_eni(eni);
        }
    }
}
