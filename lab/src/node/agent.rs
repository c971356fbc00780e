//! kubelet and ipamd of one node, put together: CNI ADD and DEL are answered between them at once.

use headroom_capacity::ids::PodUid;
use headroom_capacity::ipamd::{self, Call, Ipamd, PoolStats, Reply};
use headroom_capacity::time::Time;

use super::branch::BranchPool;
use super::correlator::Record;
use super::identity::Identity;
use super::kubelet::{Input, Kubelet, Output, Status, Timer};
use super::metrics::Counters;
use super::object::Readiness;
use super::pod::{Network, PodView};

/// The CNI plugin's word for any ADD that gave no address (CNI `cmd/routed-eni-cni-plugin`).
pub const NO_ADDRESS: &str = "add cmd: failed to assign an IP address to container";
const NO_BACKEND: &str = "add cmd: failed to connect to backend server";

/// What a node wants from the world around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Feed the timer to [`Agent::kubelet`] after that time.
    After(std::time::Duration, Timer),
    /// Make a branch ENI for the pod and feed the outcome to [`Agent::kubelet`].
    BranchAdd(PodUid),
    /// The pod's branch ENI is not needed any more.
    BranchDel(PodUid),
    /// Write the pod's status.
    Status(PodView, Status),
    /// Write an event on the pod.
    Event(PodView, &'static str, Record),
    /// Delete the pod from the API, its grace period over.
    Remove(PodView),
}

/// One node.
#[derive(Debug)]
pub struct Agent {
    /// What stays the same.
    pub identity: Identity,
    /// Branch ENIs.
    pub branch: BranchPool,
    /// What its Ready condition says.
    pub readiness: Readiness,
    /// Whether `spec.unschedulable` is set.
    pub cordoned: bool,
    kubelet: Kubelet,
    ipamd: Option<Ipamd>,
    counters: Counters,
}

impl Agent {
    /// A node that has just registered: kubelet runs, ipamd does not yet.
    #[must_use]
    pub fn new(identity: Identity) -> Agent {
        let kubelet = Kubelet::new(identity.ip, identity.max_pods);
        let branch = BranchPool::new(identity.branch_enis.unwrap_or_default());
        let readiness = Readiness::NetworkNotReady;
        Agent { identity, branch, readiness, cordoned: false, kubelet, ipamd: None, counters: Counters::default() }
    }

    /// aws-node is up.
    pub fn start_ipamd(&mut self, mut ipamd: Ipamd, now: Time) {
        if self.cordoned {
            ipamd.apply(ipamd::Event::Cordoned(true), now, &mut |_| 0);
        }
        self.ipamd = Some(ipamd);
        self.counters = Counters::default();
    }

    /// Whether the CNI plugin can be installed now: under custom networking aws-node waits for the first address
    /// (CNI `handlePreScaling`).
    #[must_use]
    pub fn network_can_start(&self, now: Time) -> bool {
        let Some(ipamd) = &self.ipamd else { return false };
        !ipamd.config().settings.custom_networking || ipamd.stats(now).total.get() > 0
    }

    /// The CNI plugin is installed: the node is ready.
    pub fn network_started(&mut self, now: Time) {
        self.readiness = Readiness::Ready;
        self.kubelet.apply(Input::NetworkReady(true), now, &mut || 0.0);
    }

    /// Something happens to kubelet.
    pub fn kubelet(&mut self, input: Input, now: Time, rng: &mut fastrand::Rng) -> Vec<Act> {
        let mut acts = Vec::new();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for output in self.kubelet.apply(input, now, &mut || rng.f64()) {
                match output {
                    Output::Add(uid, Network::Pool) => inputs.push(self.add(uid, now, rng)),
                    Output::Add(uid, _) => acts.push(Act::BranchAdd(uid)),
                    Output::Del(uid, Network::Pool) => self.del(uid, now, rng),
                    Output::Del(uid, _) => acts.push(Act::BranchDel(uid)),
                    Output::After(time, timer) => acts.push(Act::After(time, timer)),
                    Output::Status(pod, status) => acts.push(Act::Status(pod, status)),
                    Output::Event(pod, reason, record) => acts.push(Act::Event(pod, reason, record)),
                    Output::Remove(pod) => acts.push(Act::Remove(pod)),
                }
            }
        }
        acts
    }

    /// ipamd's loop takes its turn; the EC2 call that it makes, to be answered through [`Agent::reply`].
    pub fn tick(&mut self, now: Time, rng: &mut fastrand::Rng) -> Option<Call> {
        self.ipamd_event(ipamd::Event::Tick, now, rng)
    }

    /// EC2 has answered; the next call, if there is one.
    pub fn reply(&mut self, reply: Reply, now: Time, rng: &mut fastrand::Rng) -> Option<Call> {
        self.counters.replied(&reply);
        self.ipamd_event(ipamd::Event::Reply(reply), now, rng)
    }

    /// `spec.unschedulable` is as given.
    pub fn cordon(&mut self, cordoned: bool, now: Time, rng: &mut fastrand::Rng) {
        if self.cordoned != cordoned {
            self.cordoned = cordoned;
            self.ipamd_event(ipamd::Event::Cordoned(cordoned), now, rng);
        }
    }

    /// Its kubelet.
    #[must_use]
    pub const fn kubelet_state(&self) -> &Kubelet {
        &self.kubelet
    }

    /// Its ipamd, once it runs.
    #[must_use]
    pub const fn ipamd(&self) -> Option<&Ipamd> {
        self.ipamd.as_ref()
    }

    /// Its pool in numbers; empty while ipamd does not run.
    #[must_use]
    pub fn pool(&self, now: Time) -> PoolStats {
        self.ipamd.as_ref().map(|ipamd| ipamd.stats(now)).unwrap_or_default()
    }

    /// The text of ipamd's `/metrics`; `None` while ipamd does not run.
    #[must_use]
    pub fn metrics(&self, now: Time) -> Option<String> {
        self.ipamd.as_ref().map(|ipamd| self.counters.text(ipamd, now))
    }

    fn add(&mut self, uid: PodUid, now: Time, rng: &mut fastrand::Rng) -> Input {
        let Some(ipamd) = &mut self.ipamd else { return Input::AddFailed(uid, NO_BACKEND.to_owned()) };
        let effects = ipamd.apply(ipamd::Event::Add(uid.clone()), now, &mut |n| rng.usize(..n));
        let assigned = effects.into_iter().find_map(|effect| match effect {
            ipamd::Effect::Assigned { pod, ip } => Some(Input::Added(pod, ip)),
            _ => None,
        });
        self.counters.added(assigned.is_some());
        assigned.unwrap_or_else(|| Input::AddFailed(uid, NO_ADDRESS.to_owned()))
    }

    fn del(&mut self, uid: PodUid, now: Time, rng: &mut fastrand::Rng) {
        if let Some(ipamd) = &mut self.ipamd {
            ipamd.apply(ipamd::Event::Del(uid), now, &mut |n| rng.usize(..n));
            self.counters.deleted();
        }
    }

    fn ipamd_event(&mut self, event: ipamd::Event, now: Time, rng: &mut fastrand::Rng) -> Option<Call> {
        let ipamd = self.ipamd.as_mut()?;
        let mut call = None;
        for effect in ipamd.apply(event, now, &mut |n| rng.usize(..n)) {
            match effect {
                ipamd::Effect::Call(wanted) => {
                    self.counters.called(&wanted);
                    call = Some(wanted);
                }
                ipamd::Effect::Log(line) => tracing::debug!(node = %self.identity.name, "{line}"),
                ipamd::Effect::Assigned { .. } | ipamd::Effect::NoAddress(_) | ipamd::Effect::Released { .. } => {}
            }
        }
        call
    }
}
