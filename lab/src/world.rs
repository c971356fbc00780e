//! AWS, Kubernetes and the nodes on one clock.
//!
//! [`World::step_to`] makes everything happen that is due, in order; what clients wrote to either API since the last step is
//! seen first. With the same scenario and the same writes at the same times a run repeats itself.
//!
//! ```text
//! Vpc events ─┐                           ┌─> EC2 calls of ipamd, branch ENIs
//! Store log ──┼─> World (queue, agents) ──┤
//! scenario ───┘                           └─> Node, Pod status, Event, CNINode, CSINode objects
//! ```
//! The VPC and the store are shared with the API servers; the world locks one of them at a time and briefly.

mod build;
mod changes;
pub mod driver;
mod ec2;
mod fault;
mod life;
mod pods;
mod proxy;
mod queue;
mod report;
mod workload;

pub use report::{NodeReport, Report, SubnetReport, Totals, WaitingPod};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headroom_capacity::ids::{PodUid, SubnetId};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;

use crate::aws::{Instance, InstanceId, Vpc, VpcEvent};
use crate::kube::Store;
use crate::node::agent::Agent;
use crate::node::kubelet::Timer;
use crate::node::pod::PodView;
use crate::scenario::Scenario;
use proxy::Question;
use queue::Queue;
use tokio::sync::mpsc;
use workload::Running;

/// A VPC, a cluster and its nodes, without a clock of their own.
#[derive(Debug)]
pub struct World {
    scenario: Scenario,
    settings: CniSettings,
    vpc: Arc<Mutex<Vpc>>,
    store: Arc<Mutex<Store>>,
    started: Time,
    now: Time,
    rng: fastrand::Rng,
    queue: Queue<Due>,
    /// Revision of the store up to which changes were seen.
    seen: u64,
    subnets: BTreeMap<String, SubnetId>,
    nodes: BTreeMap<InstanceId, Node>,
    by_name: BTreeMap<String, InstanceId>,
    /// Instances of each node group in the order of launch.
    launched: BTreeMap<String, Vec<InstanceId>>,
    pods: BTreeMap<PodUid, PodView>,
    workloads: Vec<Running>,
    owners: BTreeMap<PodUid, Owner>,
    failed_adds_of_gone_nodes: u64,
    /// Pods that ended with their node.
    lost: u32,
    /// Requests for ipamd's metrics.
    asker: mpsc::Sender<Question>,
    questions: mpsc::Receiver<Question>,
}

/// A registered node.
#[derive(Debug)]
struct Node {
    agent: Agent,
    caller: ec2::Caller,
    /// False once its instance shuts down: nothing happens on it any more.
    alive: bool,
}

/// Whose pod it is.
#[derive(Debug)]
struct Owner {
    /// Index of the workload.
    workload: usize,
    /// Whether another pod was made in its place.
    replaced: bool,
}

/// What is due.
#[derive(Debug)]
enum Due {
    /// An instance's kubelet registers.
    Register(Instance),
    /// aws-node is up on a node.
    AwsNode(InstanceId),
    /// ipamd's loop takes its turn.
    Tick(InstanceId),
    /// EC2 is so far with ipamd's call.
    Ec2(InstanceId, ec2::Step),
    /// A timer of kubelet.
    Kubelet(InstanceId, Timer),
    /// kubelet writes its node's status.
    Heartbeat(InstanceId),
    /// The node monitor misses the kubelet.
    NodeLost(InstanceId),
    /// The cloud controller finds that the instance is gone.
    NodeGone(InstanceId),
    /// A pod of a workload is created.
    Create(usize),
    /// All pods of a workload are deleted.
    DeleteAll(usize),
    /// A fault of the scenario.
    Fault(usize),
    /// Watches are not delayed any more.
    WatchesInTime,
}

impl World {
    /// The VPC, to be shared with the AWS server.
    #[must_use]
    pub fn vpc(&self) -> Arc<Mutex<Vpc>> {
        self.vpc.clone()
    }

    /// The store, to be shared with the Kubernetes server.
    #[must_use]
    pub fn store(&self) -> Arc<Mutex<Store>> {
        self.store.clone()
    }

    /// The time of the last step.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// What runs on each registered instance; on one that is on its way out, its last state.
    pub fn agents(&self) -> impl Iterator<Item = (&InstanceId, &Agent)> {
        self.nodes.iter().map(|(id, node)| (id, &node.agent))
    }

    /// When something is due next, unless a client changes that.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        let vpc = lock(&self.vpc).next_due();
        self.queue.next_due().into_iter().chain(vpc).min()
    }

    /// Makes everything happen that is due by `now`. A `now` before the last one does nothing.
    pub fn step_to(&mut self, now: Time) {
        self.see_changes();
        self.see_vpc();
        while let Some(due) = self.next_due().filter(|due| *due <= now) {
            self.now = self.now.max(due);
            self.see_vpc();
            while let Some((_, due)) = self.queue.pop(self.now) {
                self.handle(due);
                self.see_changes();
            }
        }
        self.now = self.now.max(now);
    }

    fn handle(&mut self, due: Due) {
        match due {
            Due::Register(instance) => self.register(&instance),
            Due::AwsNode(id) => self.start_aws_node(&id),
            Due::Tick(id) => self.tick(&id),
            Due::Ec2(id, step) => self.ec2_step(&id, step),
            Due::Kubelet(id, timer) => self.kubelet(&id, crate::node::kubelet::Input::Due(timer)),
            Due::Heartbeat(id) => self.heartbeat(&id),
            Due::NodeLost(id) => self.node_lost(&id),
            Due::NodeGone(id) => self.node_gone(&id),
            Due::Create(workload) => self.create_pod(workload),
            Due::DeleteAll(workload) => self.delete_all(workload),
            Due::Fault(fault) => self.fault(fault),
            Due::WatchesInTime => lock(&self.store).delay_watches(Duration::ZERO),
        }
    }

    fn see_vpc(&mut self) {
        let events = lock(&self.vpc).advance(self.now);
        for event in events {
            match event {
                VpcEvent::InstanceRunning { instance } => self.instance_running(instance),
                VpcEvent::InstanceShuttingDown { id } => self.instance_shutting_down(&id),
                VpcEvent::InstanceTerminated { id, .. } => self.instance_terminated(&id),
            }
        }
    }
}

/// A panic of another holder left nothing half done that matters here: both sides write in single steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
