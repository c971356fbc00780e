//! One run: a lab, a scheduler on it, the advisor and the extender if asked for, until the figures stand still.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use headroom_advisor::config::{Config as AdvisorConfig, Observe, Scaling};
use headroom_capacity::floor::STEP;
use headroom_capacity::time::Time;
use headroom_extender::config::{Config, Feed, Policy, Pool};
use headroom_lab::Lab;
use headroom_lab::scenario::Scenario;
use headroom_lab::world::Report;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, ResourceExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::settle::Settle;
use super::{Mode, Outcome};
use crate::advisor::{Advisor, Place};
use crate::page::get;
use crate::scheduler;

/// How often the figures are looked at, in real time.
const POLL: Duration = Duration::from_millis(250);
/// The series is there from the first word of the advisor on.
const OBSERVED: &str = "headroom_extender_feed_observed_timestamp_seconds";
/// The advisor reads AWS once before; in real time.
const TOLD_WITHIN: Duration = Duration::from_secs(60);
/// Lab seconds from one reading of AWS to the next: a run lasts a few minutes of the lab's time.
const OBSERVE: Observe = Observe {
    subnets_secs: 5,
    enis_secs: 10,
    instances_secs: 10,
    groups_secs: 10,
    topology_secs: 60,
    offers_secs: 86_400,
};

/// How a demo runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Lab seconds per real second.
    pub rate: f64,
    /// The extender's policy.
    pub policy: Policy,
    /// Whether the advisor tells the extender what EC2 shows; without it, the extender goes by Kubernetes alone.
    pub advisor: bool,
    /// What that advisor does to the node groups; `None` for nothing.
    pub scaling: Option<Scaling>,
    /// Lab time after which a run ends even if its figures still move.
    pub time_limit: Duration,
}

/// A lab with its scheduler, extender and advisor, still running.
pub struct Running {
    lab: Lab,
    mode: Mode,
    client: Client,
    advisor: Option<Advisor>,
    extender: Option<Extender>,
    stop_scheduler: oneshot::Sender<()>,
    scheduler: JoinHandle<Result<()>>,
    settle: Settle<Figures>,
    deadline: Time,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("mode", &self.mode).field("lab", &self.lab).finish_non_exhaustive()
    }
}

struct Extender {
    handle: headroom_extender::Handle,
    stop: oneshot::Sender<()>,
}

impl Extender {
    fn url(&self) -> String {
        format!("http://{}/v1", self.handle.addr)
    }
}

/// Starts everything; nothing is shared between two runs.
///
/// # Errors
/// When the lab, the advisor or the extender does not come up.
pub async fn start(scenario: Scenario, mode: Mode, options: &Options) -> Result<Running> {
    let quiet_from = last_change(&scenario);
    let cluster = scenario.cluster_name.clone();
    let lab_options = headroom_lab::Options { rate: Some(options.rate), ..headroom_lab::Options::default() };
    let lab = Lab::start(scenario, lab_options).await.context("failed to start the lab")?;
    let client = client(&lab).await?;
    let advisor = match mode {
        Mode::Headroom if options.advisor => {
            let scaling = options.scaling.clone().unwrap_or_default();
            let config = AdvisorConfig { cluster_name: cluster, observe: OBSERVE, scaling, ..Default::default() };
            Some(Advisor::start(Place::lab(&lab), config).await?)
        }
        _ => None,
    };
    let extender = match mode {
        Mode::Plain => None,
        Mode::Headroom => Some(start_extender(&lab, advisor.as_ref(), options).await?),
    };
    let (stop_scheduler, stopped) = oneshot::channel();
    let scheduler_options =
        scheduler::Options { extender: extender.as_ref().map(Extender::url), clock: lab.clock().clone() };
    let scheduler = tokio::spawn(scheduler::run(client.clone(), scheduler_options, dropped(stopped)));
    let settle = Settle::new(lab.clock().now() + quiet_from);
    let deadline = lab.clock().now() + options.time_limit;
    Ok(Running { lab, mode, client, advisor, extender, stop_scheduler, scheduler, settle, deadline })
}

/// What must stand still: bound, with IP, unbound; and per node ENIs, IPs attached and assigned. Retries of hanging pods go on for
/// ever and are not in it.
type Figures = ([u32; 3], Vec<[u32; 3]>);

fn figures(report: &Report) -> Figures {
    let totals = [report.totals.bound, report.totals.with_ip, report.totals.unbound];
    let nodes = report.nodes.iter();
    let nodes = nodes.map(|node| [node.enis_attached.get(), node.ips_total.get(), node.ips_assigned.get()]);
    (totals, nodes.collect())
}

/// When, counted from the start, the scenario has done all that it does by itself.
fn last_change(scenario: &Scenario) -> Duration {
    let workloads = scenario.workloads.iter().chain(&scenario.system_pods);
    let workloads = workloads.map(|workload| {
        let created = workload.at.0 + workload.over.0;
        created.max(workload.delete_at.map_or(Duration::ZERO, |at| at.0))
    });
    workloads.chain(scenario.faults.iter().map(|fault| fault.at().0)).max().unwrap_or_default()
}

async fn client(lab: &Lab) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(lab.kubeconfig()).context("the lab's kubeconfig")?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// The extender's clock is real, while ipamd in the lab runs on the lab's: a step of its growth takes less.
async fn start_extender(lab: &Lab, advisor: Option<&Advisor>, options: &Options) -> Result<Extender> {
    let step_ms = u64::try_from(lab.clock().real(STEP).as_millis()).unwrap_or(u64::MAX);
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let feed = Feed {
        endpoint: advisor.map(|advisor| format!("http://{}", advisor.grpc_addr())).into_iter().collect(),
        ..Feed::default()
    };
    let options = headroom_extender::Options {
        config: Config { policy: options.policy, pool: Pool { step_ms }, feed, ..Config::default() },
        kubeconfig: Some(lab.kubeconfig().to_owned()),
        context: None,
        listen: any_port,
        admin_listen: any_port,
        grpc_listen: None,
    };
    let (stop, stopped) = oneshot::channel();
    let handle = headroom_extender::run(options, dropped(stopped)).await.context("failed to start the extender")?;
    if advisor.is_some() {
        told(handle.admin_addr).await.context("the advisor's feed")?;
    }
    Ok(Extender { handle, stop })
}

/// Waits for what the advisor tells first: the demo shows the two together, not how the extender does before.
async fn told(extender: SocketAddr) -> Result<()> {
    let told = async {
        while !get(extender, "/metrics").await.is_ok_and(|page| page.lines().any(|line| line.starts_with(OBSERVED))) {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::time::timeout(TOLD_WITHIN, told).await.context("nothing came in time")
}

/// Resolves when the sender is dropped: whoever forgets to stop a task stops it all the same.
async fn dropped(stopped: oneshot::Receiver<()>) {
    stopped.await.ok();
}

impl Running {
    /// Waits a moment; gives the lab's state, and the outcome once the figures stand still or the time is up.
    ///
    /// # Errors
    /// When the scheduler ended by itself.
    pub async fn progress(&mut self) -> Result<(Report, Option<Outcome>)> {
        tokio::time::sleep(POLL).await;
        if self.scheduler.is_finished() {
            (&mut self.scheduler).await.context("the scheduler panicked")??;
            anyhow::bail!("the scheduler ended before the demo did");
        }
        let report = self.lab.report();
        let settled = self.settle.settled(figures(&report), self.lab.clock().now());
        let over = settled || self.lab.clock().now() >= self.deadline;
        let outcome = if over { Some(self.outcome(report.clone(), settled).await?) } else { None };
        Ok((report, outcome))
    }

    async fn outcome(&self, report: Report, settled: bool) -> Result<Outcome> {
        let reasons = self.reasons().await?;
        Ok(Outcome { mode: self.mode, report, reasons, settled })
    }

    /// The PodScheduled messages of the pods that are not bound.
    async fn reasons(&self) -> Result<Vec<(String, usize)>> {
        let unbound = ListParams::default().fields("spec.nodeName=");
        let pods =
            Api::<Pod>::all(self.client.clone()).list(&unbound).await.context("failed to list the waiting pods")?;
        let mut histogram = BTreeMap::<String, usize>::new();
        for pod in pods {
            let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
            let scheduled = conditions.into_iter().find(|condition| condition.type_ == "PodScheduled");
            let message = scheduled.and_then(|condition| condition.message.clone());
            let message = message.unwrap_or_else(|| format!("{} not tried yet", pod.name_any()));
            *histogram.entry(message).or_default() += 1;
        }
        Ok(histogram.into_iter().collect())
    }

    /// Who filters.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The running lab.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The advisor's admin pages, where it runs.
    #[must_use]
    pub fn advisor_url(&self) -> Option<String> {
        self.advisor.as_ref().map(|advisor| format!("http://{}", advisor.admin_addr()))
    }

    /// The extender's URL prefix, where it runs.
    #[must_use]
    pub fn extender_url(&self) -> Option<String> {
        self.extender.as_ref().map(Extender::url)
    }

    /// Stops the scheduler, the extender, the advisor and the lab, in this order, and waits for each.
    ///
    /// # Errors
    /// When one of them failed on the way.
    pub async fn shutdown(self) -> Result<()> {
        drop(self.stop_scheduler);
        self.scheduler.await.context("the scheduler panicked")??;
        if let Some(extender) = self.extender {
            drop(extender.stop);
            extender.handle.wait().await.context("the extender did not stop cleanly")?;
        }
        if let Some(advisor) = self.advisor {
            advisor.stop().await?;
        }
        self.lab.shutdown().await;
        Ok(())
    }
}
