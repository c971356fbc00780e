//! A cluster that an advisor scales while things go wrong: the lab, a scheduler, and all that lies between an advisor and AWS.

mod trouble;
mod way;

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, Result};
use headroom_advisor::config::{
    Aws, Config, LeaderElection, Mode as Scale, Observe, Reachability, ScaleIn, ScaleOut, Scaling,
};
use headroom_cluster::drain::MARK;
use headroom_lab::Lab;
use headroom_lab::aws::Fault;
use headroom_lab::net::Mode;
use headroom_lab::scenario::Scenario;
use k8s_openapi::api::core::v1::Node;
use kube::Client;
use kube::api::{Api, ListParams};
use tokio::task::JoinHandle;

use crate::advisor::{Place, lab_clock};
use crate::scheduler;

pub use trouble::{SLOW_DNS, TROUBLES, Trouble};
pub use way::{HOST, Internet, Route};

/// For as long as a fault that is ended by hand may last.
const DAY: Duration = Duration::from_secs(86_400);
/// The lab's name of the group `workers`.
const GROUP: &str = "eks-workers";

/// A lab with one node group `workers`, a scheduler, and the way to its AWS.
pub struct Site {
    /// The lab.
    pub lab: Lab,
    /// What lies before its AWS.
    pub internet: Internet,
    /// A client of its Kubernetes.
    pub client: Client,
    scheduler: JoinHandle<Result<()>>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("lab", &self.lab).finish_non_exhaustive()
    }
}

impl Site {
    /// Starts it, with so many of the lab's seconds in a real one.
    ///
    /// # Errors
    /// When a part of it does not start.
    pub async fn start(scenario: Scenario, rate: f64) -> Result<Site> {
        let lab_options = headroom_lab::Options { rate: Some(rate), ..headroom_lab::Options::default() };
        let lab = Lab::start(scenario, lab_options).await.context("the lab")?;
        let client = headroom_cluster::connect(Some(lab.kubeconfig()), None).await.context("the lab's Kubernetes")?;
        let internet = Internet::before(lab.aws_url()).await.context("the way to the lab's AWS")?;
        let options = scheduler::Options { extender: None, clock: lab.clock().clone() };
        let scheduler = tokio::spawn(scheduler::run(client.clone(), options, std::future::pending()));
        Ok(Site { lab, internet, client, scheduler })
    }

    /// Where an advisor runs that reaches AWS through the [`Internet`].
    ///
    /// # Errors
    /// When the way cannot be made.
    pub fn place(&self) -> Result<Place> {
        let route = self.internet.route();
        Ok(Place {
            aws_url: route.url.clone(),
            way: Some(route.way()?),
            kubeconfig: self.lab.kubeconfig().to_owned(),
            clock: lab_clock(self.lab.clock()),
        })
    }

    /// From now on this is wrong, for `lasts` of the lab's time where it is AWS that is, otherwise until [`Site::end`].
    ///
    /// # Errors
    /// When the gate cannot be changed.
    pub async fn begin_for(&self, trouble: Trouble, lasts: Duration) -> Result<()> {
        let (operation, kind) = match trouble {
            Trouble::Way(mode) => return Ok(self.internet.gate.set(mode).await?),
            Trouble::Certificate => return Ok(self.internet.intercept().await?),
            Trouble::Dns { fault, cut } => {
                self.internet.coredns.set(fault);
                if cut {
                    self.internet.gate.set(Mode::Pass).await?;
                }
                return Ok(());
            }
            Trouble::Api(kind) => (None, kind),
            Trouble::Call(operation, kind) => (Some(operation.to_owned()), kind),
        };
        let from = self.lab.clock().now();
        self.lab.vpc().add_fault(Fault { operation, kind, from, until: from + lasts, every: 1 });
        Ok(())
    }

    /// From now on this is wrong.
    ///
    /// # Errors
    /// When the gate cannot be changed.
    pub async fn begin(&self, trouble: Trouble) -> Result<()> {
        self.begin_for(trouble, DAY).await
    }

    /// It is right again.
    ///
    /// # Errors
    /// When the gate cannot be changed.
    pub async fn end(&self, trouble: Trouble) -> Result<()> {
        match trouble {
            Trouble::Way(_) | Trouble::Certificate => self.internet.gate.set(Mode::Pass).await?,
            Trouble::Dns { .. } => self.internet.coredns.set(headroom_lab::net::DnsFault::None),
            Trouble::Api(_) | Trouble::Call(..) => self.lab.vpc().clear_faults(),
        }
        Ok(())
    }

    /// The group's desired capacity.
    #[must_use]
    pub fn desired(&self) -> u32 {
        self.lab.vpc().group(GROUP).map_or(0, |group| group.desired)
    }

    /// All nodes, and those that are held: cordoned, tainted or marked.
    ///
    /// # Errors
    /// When the lab does not answer.
    pub async fn nodes(&self) -> Result<(usize, Vec<String>)> {
        let nodes = Api::<Node>::all(self.client.clone()).list(&ListParams::default()).await?.items;
        let all = nodes.len();
        let held = nodes.into_iter().filter(is_held).filter_map(|node| node.metadata.name).collect();
        Ok((all, held))
    }

    /// Ends everything.
    pub async fn shutdown(self) {
        self.scheduler.abort();
        self.lab.shutdown().await;
    }
}

/// Whether a scale-in has left its mark on a node, or a part of it.
#[must_use]
pub fn is_held(node: &Node) -> bool {
    let spec = node.spec.as_ref();
    spec.is_some_and(|spec| spec.unschedulable == Some(true))
        || spec.is_some_and(|spec| spec.taints.iter().flatten().any(|taint| taint.key == MARK))
        || node.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(MARK))
}

/// An advisor that removes spare nodes as soon as it may, on a clock that runs ten or twenty times as fast as real time.
#[must_use]
pub fn config() -> Config {
    Config {
        cluster_name: "headroom-lab".to_owned(),
        // Real time, as is that of the probes: on a busy machine a name and a handshake take theirs.
        aws: Aws {
            max_attempts: 1,
            connect_timeout_ms: 1500,
            attempt_timeout_ms: 2500,
            call_timeout_ms: 2500,
            ..Aws::default()
        },
        observe: Observe { subnets_secs: 10, enis_secs: 20, instances_secs: 20, groups_secs: 20, ..Observe::default() },
        reachability: Reachability {
            // Two passes within a minute of the lab's: three or six seconds of real time.
            period_secs: 15,
            passes: 2,
            dns_timeout_ms: 3000,
            slow_dns_ms: 1000,
            resolver_timeout_ms: 3000,
            tcp_timeout_ms: 1000,
            tls_timeout_ms: 1500,
            http_timeout_ms: 1500,
            signed_timeout_ms: 2500,
        },
        leader_election: LeaderElection { lease_secs: 5, ..LeaderElection::default() },
        scaling: Scaling {
            mode: Scale::Act,
            period_secs: 5,
            // The lab's groups bear EKS's tags, and Cluster Autoscaler's with them.
            group_tag: "eks:cluster-name".to_owned(),
            with_cluster_autoscaler: true,
            scale_out: ScaleOut { cool_down_secs: 10, ..ScaleOut::default() },
            scale_in: ScaleIn {
                utilisation_percent: 60,
                unneeded_secs: 60,
                min_age_secs: 60,
                after_scale_out_secs: 0,
                cool_down_secs: 10,
                max_per_hour: 1000,
                // Whatever the rate, a scheduler takes its time to see a taint.
                settle_secs: 40,
                max_share_percent: 100,
                ..ScaleIn::default()
            },
            ..Scaling::default()
        },
        ..Config::default()
    }
}
