//! One turn of the loop, and how it goes on when EC2 has answered.

use super::grow::{Asking, Creating, Describing};
use super::shrink::Returning;
use super::{Call, DECREASE_INTERVAL, Effect, Ipamd, NewEni, Reply};
use crate::ids::EniId;
use crate::subnet::Cidr;
use crate::time::Time;

/// The arguments of [`Ipamd::apply`] on their way down, and what comes of them.
pub(super) struct Cx<'a> {
    pub(super) now: Time,
    pub(super) choose: &'a mut dyn FnMut(usize) -> usize,
    pub(super) effects: Vec<Effect>,
}

impl Cx<'_> {
    pub(super) fn log(&mut self, line: impl Into<String>) {
        self.effects.push(Effect::Log(line.into()));
    }

    pub(super) fn call(&mut self, call: Call) {
        self.effects.push(Effect::Call(call));
    }

    /// The order in which a Go map might be walked.
    pub(super) fn shuffle<T>(&mut self, mut items: Vec<T>) -> Vec<T> {
        let mut shuffled = Vec::with_capacity(items.len());
        while let Some(last) = items.len().checked_sub(1) {
            let at = (self.choose)(last + 1).min(last);
            shuffled.push(items.remove(at));
        }
        shuffled
    }
}

/// A turn that waits for EC2.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    scope: Scope,
    step: Step,
}

/// What the turn decided at its start and still needs at its end.
#[derive(Clone, Copy, Debug)]
struct Scope {
    may_spare_eni: bool,
    decreased: bool,
}

/// The call in flight and what follows from its answer.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Addresses for an attached ENI.
    Ask(Asking),
    /// Subnets, to choose one for a new ENI.
    Describe(Describing),
    /// A new ENI.
    Create(Creating),
    /// Blocks given back.
    Return(Returning),
    /// An ENI given back, which the data store has forgotten already.
    Free(NewEni),
}

impl Ipamd {
    /// CNI `updateIPPoolIfRequired`, after the reconcile that ended the turn before.
    pub(super) fn tick(&mut self, cx: &mut Cx<'_>) {
        if self.busy() {
            return;
        }
        self.reconcile(cx.now);
        if self.config.settings.provisioning_disabled {
            return;
        }
        let pool = self.pool(cx.now);
        let mut scope = Scope { may_spare_eni: self.rules.may_spare_eni(&pool), decreased: false };
        let step = if self.rules.is_low(pool.total, pool.assigned) {
            self.increase(cx)
        } else if self.rules.over(&pool) > 0 && !self.skips_decrease(cx) {
            scope.decreased = true;
            self.decrease(cx)
        } else {
            None
        };
        match step {
            Some(step) => self.turn = Some(Turn { scope, step }),
            None => self.end_turn(scope, cx),
        }
    }

    pub(super) fn reply(&mut self, reply: Reply, cx: &mut Cx<'_>) {
        let Some(Turn { scope, step }) = self.turn.take() else { return };
        let next = match step {
            Step::Ask(asking) => self.asked(asking, reply, cx),
            Step::Describe(describing) => self.described(describing, reply, cx),
            Step::Create(creating) => self.created(creating, reply, cx),
            Step::Return(returning) => self.returned(returning, reply, cx),
            Step::Free(eni) => {
                self.freed(eni, reply, cx);
                self.close(scope, cx.now);
                return;
            }
        };
        match next {
            Some(step) => self.turn = Some(Turn { scope, step }),
            None => self.end_turn(scope, cx),
        }
    }

    /// The pool is done; one ENI may be superfluous, by what the pool held when the turn began.
    fn end_turn(&mut self, scope: Scope, cx: &mut Cx<'_>) {
        match self.free_eni(scope.may_spare_eni, cx) {
            Some(step) => self.turn = Some(Turn { scope, step }),
            None => self.close(scope, cx.now),
        }
    }

    fn close(&mut self, scope: Scope, now: Time) {
        if scope.decreased {
            self.decreased_at = Some(now);
            self.acted_at = Some(now);
        }
    }

    /// CNI `shouldSkipDataStorePoolDecrease`.
    fn skips_decrease(&self, cx: &mut Cx<'_>) -> bool {
        let Some(since) = self.decreased_at.map(|at| cx.now.since(at)) else { return false };
        let skips = since <= DECREASE_INTERVAL;
        if skips {
            cx.log(format!(
                "Skipping decrease Datastore pool because time since last {since:?} <= {DECREASE_INTERVAL:?}"
            ));
        }
        skips
    }

    /// Whether a cordoned node's pool is left alone.
    pub(super) fn is_frozen(&self) -> bool {
        self.cordoned && !self.config.settings.manage_enis_non_schedulable
    }

    /// Blocks that EC2 says are on `eni`; those known already stay as they are.
    pub(super) fn add_blocks(&mut self, eni: &EniId, blocks: Vec<Cidr>) {
        for block in blocks {
            // The only refusals are "known already", and an ENI that was removed meanwhile: ipamd goes on in both cases.
            drop(self.store.add_cidr(eni, block));
        }
    }
}
