//! What goes wrong, or what a person does, at the time that the scenario says.

use std::time::Duration;

use serde_json::{Value, json};

use super::build::others_eni;
use super::{Due, World, lock};
use crate::aws::{self, FaultKind, InstanceId};
use crate::kube::Part;
use crate::kube::resource::NODES;
use crate::scenario::{AwsTrouble, Fault};

impl World {
    pub(super) fn fault(&mut self, index: usize) {
        let Some(fault) = self.scenario.faults.get(index).cloned() else { return };
        match fault {
            Fault::TerminateInstance { node_group, index, .. } => self.terminate(&node_group, index),
            Fault::Cordon { node_group, index, .. } => self.set_unschedulable(&node_group, index, true),
            Fault::Uncordon { node_group, index, .. } => self.set_unschedulable(&node_group, index, false),
            Fault::TakeAddresses { subnet, count, .. } => self.take_addresses(&subnet, count),
            Fault::Aws { lasts, operation, how, every, .. } => {
                let (kind, from, until) = (aws_fault(how), self.now, self.now + lasts.0);
                lock(&self.vpc).add_fault(aws::Fault { operation, kind, from, until, every });
            }
            Fault::BreakWatches { .. } => lock(&self.store).break_watches(),
            Fault::Compact { .. } => lock(&self.store).compact(),
            Fault::DelayWatches { lasts, by, .. } => {
                lock(&self.store).delay_watches(by.0);
                self.queue.push(self.now + lasts.0, Due::WatchesInTime);
            }
        }
    }

    fn nth(&self, group: &str, index: u32) -> Option<InstanceId> {
        let id = self.launched.get(group).and_then(|ids| ids.get(index as usize)).cloned();
        if id.is_none() {
            tracing::warn!(group, index, "the fault's node was never launched");
        }
        id
    }

    fn terminate(&mut self, group: &str, index: u32) {
        if let Some(id) = self.nth(group, index)
            && let Err(error) = lock(&self.vpc).terminate_instance(&id, self.now)
        {
            tracing::warn!(%error, "the instance was not terminated");
        }
    }

    fn set_unschedulable(&mut self, group: &str, index: u32, unschedulable: bool) {
        let Some(node) = self.nth(group, index).and_then(|id| self.nodes.get(&id)) else { return };
        let mut store = lock(&self.store);
        let Some(current) = store.get(&NODES, "", &node.agent.identity.name) else { return };
        let mut next = Value::clone(current);
        next["spec"]["unschedulable"] = json!(unschedulable);
        if let Err(error) = store.update(&NODES, next, Part::Main, self.now) {
            tracing::warn!(%error, "the node was not changed");
        }
    }

    fn take_addresses(&mut self, subnet: &str, count: u32) {
        let Some(id) = self.subnets.get(subnet) else { return };
        let mut vpc = lock(&self.vpc);
        let taken = (0..count).take_while(|_| vpc.create_eni(others_eni(id.clone()), self.now).is_ok()).count();
        tracing::debug!(subnet, taken, count, "others took addresses");
    }
}

const fn aws_fault(how: AwsTrouble) -> FaultKind {
    match how {
        AwsTrouble::Throttle => FaultKind::Throttle,
        AwsTrouble::Unavailable => FaultKind::Unavailable,
        AwsTrouble::Drop => FaultKind::Drop,
        AwsTrouble::ExpiredToken => FaultKind::ExpiredToken,
        AwsTrouble::Busy => FaultKind::Busy,
        AwsTrouble::ClockSkew => FaultKind::ClockAhead(Duration::from_secs(20 * 60)),
        AwsTrouble::ShortPages => FaultKind::ShortPages,
    }
}
