//! One pod on its node.

use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_capacity::time::Time;

use super::{Output, Status, Timer, draw, times};
use crate::node::correlator::Correlator;
use crate::node::pod::{Network, PodView};

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No sandbox yet.
    Created,
    /// No sandbox: CNI ADD failed, and will be tried again.
    Waiting,
    /// Sandbox and address are there, containers start.
    Starting(Ipv4Addr),
    /// Containers run.
    Running(Ipv4Addr),
    /// Containers stop; the address is kept until they have.
    Stopping(Option<Ipv4Addr>),
    /// Succeeded or refused: nothing is held any more.
    Ended,
}

#[derive(Clone, Debug)]
pub(super) struct Managed {
    pub(super) view: PodView,
    pub(super) stage: Stage,
    pub(super) failed_adds: u32,
    pub(super) last_message: String,
    sandbox_events: Correlator,
    network_events: Correlator,
}

impl Managed {
    pub(super) fn new(view: PodView, now: Time) -> Managed {
        Managed {
            view,
            stage: Stage::Created,
            failed_adds: 0,
            last_message: String::new(),
            sandbox_events: Correlator::new(now),
            network_events: Correlator::new(now),
        }
    }

    pub(super) const fn ended(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    pub(super) const fn wants_sandbox(&self) -> bool {
        matches!(self.stage, Stage::Created | Stage::Waiting)
    }

    pub(super) const fn ip(&self) -> Option<Ipv4Addr> {
        match self.stage {
            Stage::Starting(ip) | Stage::Running(ip) | Stage::Stopping(Some(ip)) => Some(ip),
            Stage::Created | Stage::Waiting | Stage::Stopping(None) | Stage::Ended => None,
        }
    }

    /// Admission failed for want of a pod slot (k/k `pkg/kubelet/lifecycle/predicate.go`, InsufficientResourceError).
    pub(super) fn reject(&mut self, used: u32, max_pods: u32, now: Time, out: &mut Vec<Output>) {
        let message =
            format!("Node didn't have enough resource: pods, requested: 1, used: {used}, capacity: {max_pods}");
        self.stage = Stage::Ended;
        out.push(Output::Status(self.view.clone(), Status::Rejected("OutOfpods", message.clone())));
        if let Some(record) = Correlator::new(now).observe(message, now) {
            out.push(Output::Event(self.view.clone(), "OutOfpods", record));
        }
    }

    pub(super) fn network_not_ready(&mut self, now: Time, out: &mut Vec<Output>) {
        let message = "network is not ready: container runtime network not ready: NetworkReady=false \
                       reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized";
        if let Some(record) = self.network_events.observe(message.to_owned(), now) {
            out.push(Output::Event(self.view.clone(), "NetworkNotReady", record));
        }
    }

    /// The runtime names the sandbox in its message, so that every attempt's text differs.
    pub(super) fn add_failed(
        &mut self,
        error: &str,
        now: Time,
        random: &mut dyn FnMut() -> f64,
        out: &mut Vec<Output>,
    ) {
        self.stage = Stage::Waiting;
        self.failed_adds += 1;
        let sandbox = sandbox_id(random);
        self.last_message = format!(
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \
             \"{sandbox}\": plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): {error}"
        );
        if let Some(record) = self.sandbox_events.observe(self.last_message.clone(), now) {
            out.push(Output::Event(self.view.clone(), "FailedCreatePodSandBox", record));
        }
    }

    pub(super) fn started(&mut self, out: &mut Vec<Output>) {
        let Stage::Starting(ip) = self.stage else { return };
        self.stage = Stage::Running(ip);
        out.push(Output::Status(self.view.clone(), Status::Running(ip)));
        if let Some(run_for) = self.view.run_for {
            out.push(Output::After(run_for, Timer::Completed(self.view.uid.clone())));
        }
    }

    /// A sandbox without containers to run is removed, which is what frees the address.
    pub(super) fn completed(&mut self, out: &mut Vec<Output>) {
        let Stage::Running(ip) = self.stage else { return };
        self.stage = Stage::Ended;
        self.cni_del(out);
        out.push(Output::Status(self.view.clone(), Status::Succeeded(ip)));
    }

    /// Tells the containers to stop, once; a pod without any is gone at once.
    pub(super) fn stop(&mut self, grace: Duration, random: &mut dyn FnMut() -> f64, out: &mut Vec<Output>) {
        let time = match self.stage {
            Stage::Stopping(_) => return,
            Stage::Created | Stage::Waiting | Stage::Ended => Duration::ZERO,
            Stage::Starting(_) | Stage::Running(_) => draw(times::STOP, random).min(grace),
        };
        if !self.ended() {
            self.stage = Stage::Stopping(self.ip());
        }
        out.push(Output::After(time, Timer::Stopped(self.view.uid.clone())));
    }

    /// The last step: kubelet deletes the object only after CNI DEL.
    pub(super) fn stopped(self, out: &mut Vec<Output>) {
        if let Stage::Stopping(Some(_)) = self.stage {
            self.cni_del(out);
        }
        out.push(Output::Remove(self.view));
    }

    fn cni_del(&self, out: &mut Vec<Output>) {
        if self.view.network != Network::Host {
            out.push(Output::Del(self.view.uid.clone(), self.view.network));
        }
    }
}

/// containerd's sandbox IDs are 64 hex digits.
fn sandbox_id(random: &mut dyn FnMut() -> f64) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number from 0 to 15")]
    let mut digit = || char::from(DIGITS[((random() * 16.0) as usize).min(15)]);
    (0..64).map(|_| digit()).collect()
}
