//! kubelet as a state machine: admission, sandboxes that need an address, retries, the end of a pod.

mod managed;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_capacity::ids::PodUid;
use headroom_capacity::time::Time;

use super::correlator::Record;
use super::pod::{Network, PodView};
use managed::{Managed, Stage};

/// What happens to kubelet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A pod that is bound to this node was seen, for the first time or changed.
    Seen(PodView),
    /// A pod is no longer in the API.
    Gone(PodUid),
    /// A timer that [`Output::After`] set.
    Due(Timer),
    /// CNI ADD succeeded.
    Added(PodUid, Ipv4Addr),
    /// CNI ADD failed, with the runtime's error.
    AddFailed(PodUid, String),
    /// The CNI plugin is installed, or not yet.
    NetworkReady(bool),
}

/// What kubelet waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Create, or create again, the pod's sandbox.
    Sandbox(PodUid),
    /// Its containers have started.
    Started(PodUid),
    /// Its containers end by themselves.
    Completed(PodUid),
    /// Its containers were told to stop and have.
    Stopped(PodUid),
}

/// What kubelet does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Feed the timer back after that time.
    After(Duration, Timer),
    /// CNI ADD; answer with [`Input::Added`] or [`Input::AddFailed`].
    Add(PodUid, Network),
    /// CNI DEL.
    Del(PodUid, Network),
    /// Write the pod's status.
    Status(PodView, Status),
    /// Write an event on the pod.
    Event(PodView, &'static str, Record),
    /// Delete the pod from the API, its grace period over.
    Remove(PodView),
}

/// A pod's status as kubelet reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Admitted, no sandbox yet.
    ContainerCreating,
    /// Running, with its address.
    Running(Ipv4Addr),
    /// Ended by itself, with the address that it had.
    Succeeded(Ipv4Addr),
    /// Refused at admission: reason and message.
    Rejected(&'static str, String),
}

/// Times that a node takes on an ordinary instance with the image present, each drawn evenly from its range.
mod times {
    use std::ops::Range;

    /// From the binding to the sandbox's CNI ADD, in seconds.
    pub(super) const SANDBOX: Range<f64> = 0.2..0.6;
    /// From CNI ADD to started containers.
    pub(super) const START: Range<f64> = 0.4..1.0;
    /// From SIGTERM to the end, for a program that obeys.
    pub(super) const STOP: Range<f64> = 0.5..1.5;
    /// kubelet's `backOffPeriod` with its `workerBackOffPeriodJitterFactor` (k/k `pkg/kubelet/pod_workers.go`).
    pub(super) const RETRY: Range<f64> = 10.0..15.0;
    /// The same where the network is not ready (`backOffOnTransientErrorPeriod`).
    pub(super) const RETRY_NETWORK: Range<f64> = 1.0..1.5;
}

/// One node's kubelet.
#[derive(Clone, Debug)]
pub struct Kubelet {
    host_ip: Ipv4Addr,
    max_pods: u32,
    network_ready: bool,
    failed_adds: u64,
    pods: BTreeMap<PodUid, Managed>,
}

/// A pod that asked for an address and has none yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// The pod.
    pub pod: &'a PodView,
    /// CNI ADDs that failed.
    pub failed_adds: u32,
    /// The last message.
    pub message: &'a str,
}

impl Kubelet {
    /// A node that has just started, its network not ready.
    #[must_use]
    pub fn new(host_ip: Ipv4Addr, max_pods: u32) -> Kubelet {
        Kubelet { host_ip, max_pods, network_ready: false, failed_adds: 0, pods: BTreeMap::new() }
    }

    /// Applies one input. `random` gives numbers evenly from 0 to 1.
    pub fn apply(&mut self, input: Input, now: Time, random: &mut dyn FnMut() -> f64) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Seen(view) => self.seen(view, now, random, &mut out),
            Input::Gone(uid) => self.gone(&uid, random, &mut out),
            Input::Due(timer) => self.due(timer, now, random, &mut out),
            Input::Added(uid, ip) => self.added(&uid, ip, random, &mut out),
            Input::AddFailed(uid, error) => self.add_failed(&uid, &error, now, random, &mut out),
            Input::NetworkReady(ready) => self.network_ready = ready,
        }
        out
    }

    /// CNI ADDs that failed for want of an address, of all pods so far.
    #[must_use]
    pub const fn failed_adds(&self) -> u64 {
        self.failed_adds
    }

    /// Pods that have not ended, as max-pods counts them.
    #[must_use]
    pub fn active(&self) -> u32 {
        count(self.pods.values().filter(|pod| !pod.ended()))
    }

    /// Active pods that take an address of their own, with it where they have one.
    pub fn addresses(&self) -> impl Iterator<Item = (&PodView, Option<Ipv4Addr>)> {
        let own = self.pods.values().filter(|pod| !pod.ended() && pod.view.network != Network::Host);
        own.map(|pod| (&pod.view, pod.ip()))
    }

    /// Pods whose CNI ADD failed and that have not succeeded since.
    pub fn waiting(&self) -> impl Iterator<Item = Waiting<'_>> {
        let failed = self.pods.values().filter(|pod| matches!(pod.stage, Stage::Waiting));
        failed.map(|pod| Waiting { pod: &pod.view, failed_adds: pod.failed_adds, message: &pod.last_message })
    }

    fn seen(&mut self, view: PodView, now: Time, random: &mut dyn FnMut() -> f64, out: &mut Vec<Output>) {
        if let Some(pod) = self.pods.get_mut(&view.uid) {
            let deleting = view.deleting;
            pod.view = view;
            if let Some(grace) = deleting {
                pod.stop(grace, random, out);
            }
            return;
        }
        if view.ended {
            return;
        }
        if view.deleting.is_some() {
            out.push(Output::Remove(view));
            return;
        }
        let mut pod = Managed::new(view, now);
        let used = self.active();
        if used >= self.max_pods {
            pod.reject(used, self.max_pods, now, out);
        } else {
            out.push(Output::Status(pod.view.clone(), Status::ContainerCreating));
            out.push(Output::After(draw(times::SANDBOX, random), Timer::Sandbox(pod.view.uid.clone())));
        }
        self.pods.insert(pod.view.uid.clone(), pod);
    }

    /// Deleted by force, or by kubelet itself.
    fn gone(&mut self, uid: &PodUid, random: &mut dyn FnMut() -> f64, out: &mut Vec<Output>) {
        if let Some(pod) = self.pods.get_mut(uid) {
            if pod.ended() {
                self.pods.remove(uid);
            } else {
                pod.stop(Duration::ZERO, random, out);
            }
        }
    }

    fn due(&mut self, timer: Timer, now: Time, random: &mut dyn FnMut() -> f64, out: &mut Vec<Output>) {
        match timer {
            Timer::Sandbox(uid) => self.sandbox(&uid, now, random, out),
            Timer::Started(uid) => {
                if let Some(pod) = self.pods.get_mut(&uid) {
                    pod.started(out);
                }
            }
            Timer::Completed(uid) => {
                if let Some(pod) = self.pods.get_mut(&uid) {
                    pod.completed(out);
                }
            }
            Timer::Stopped(uid) => {
                if let Some(pod) = self.pods.remove(&uid) {
                    pod.stopped(out);
                }
            }
        }
    }

    fn sandbox(&mut self, uid: &PodUid, now: Time, random: &mut dyn FnMut() -> f64, out: &mut Vec<Output>) {
        let (ready, host_ip) = (self.network_ready, self.host_ip);
        let Some(pod) = self.pods.get_mut(uid).filter(|pod| pod.wants_sandbox()) else { return };
        match pod.view.network {
            Network::Host => self.added(uid, host_ip, random, out),
            _ if !ready => {
                pod.network_not_ready(now, out);
                out.push(Output::After(draw(times::RETRY_NETWORK, random), Timer::Sandbox(uid.clone())));
            }
            network => out.push(Output::Add(uid.clone(), network)),
        }
    }

    fn added(&mut self, uid: &PodUid, ip: Ipv4Addr, random: &mut dyn FnMut() -> f64, out: &mut Vec<Output>) {
        if let Some(pod) = self.pods.get_mut(uid).filter(|pod| pod.wants_sandbox()) {
            pod.stage = Stage::Starting(ip);
            out.push(Output::After(draw(times::START, random), Timer::Started(uid.clone())));
        }
    }

    fn add_failed(
        &mut self,
        uid: &PodUid,
        error: &str,
        now: Time,
        random: &mut dyn FnMut() -> f64,
        out: &mut Vec<Output>,
    ) {
        self.failed_adds += 1;
        if let Some(pod) = self.pods.get_mut(uid).filter(|pod| pod.wants_sandbox()) {
            pod.add_failed(error, now, random, out);
            out.push(Output::After(draw(times::RETRY, random), Timer::Sandbox(uid.clone())));
        }
    }
}

fn draw(range: std::ops::Range<f64>, random: &mut dyn FnMut() -> f64) -> Duration {
    Duration::from_secs_f64(range.start + (range.end - range.start) * random())
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
