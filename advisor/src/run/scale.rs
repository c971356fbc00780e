//! Makes a plan every few seconds, unless the advisor only observes, and, where it leads and acts, has it carried out. Whoever carries it out does so beside this
//! loop, which waits for nobody.

mod drain;
mod evict;
mod grow;
mod look;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::ids::PodUid;
use headroom_capacity::time::Time;
use headroom_cluster::drain::Mark;
use headroom_cluster::{About, Client, Reports};
use headroom_reach::Service;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::core::{Core, Gate};
use super::journal::Keeper;
use crate::aws::Connection;
use crate::cloudwatch::figures::max_age;
use crate::config::Mode;
use crate::inventory::InstanceId;
use crate::ledger::{Known, Policy};
use crate::plan::{
    Ahead, Because, Facts, Findings, Inspected, Reach, Refusal, ScalingPlan, Unneeded, What, drain_budget, inspect,
    may_go_on, plan,
};
use crate::state::ClusterState;

/// From one demand for new credentials to the next, where they are always short.
const RENEW_EVERY: Duration = Duration::from_secs(60);

/// A call of the API server by one who acts is not waited for any longer.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// What those who act have at hand.
pub(super) struct Means {
    pub(super) core: Arc<Core>,
    pub(super) client: Client,
    pub(super) aws: Connection,
    pub(super) journal: Keeper,
    pub(super) reports: Reports,
    pub(super) books: Policy,
    /// What must be reachable to remove a node.
    needed: Vec<Service>,
}

impl Means {
    pub(super) fn new(core: &Arc<Core>, client: &Client, aws: &Connection, instance: &str) -> Means {
        let election = &core.config.leader_election;
        Means {
            core: Arc::clone(core),
            client: client.clone(),
            aws: aws.clone(),
            journal: Keeper::new(client, &election.namespace, &election.name),
            reports: Reports::new(client, "headroom-advisor", instance),
            books: super::books::policy(core),
            needed: needed(std::env::var_os("AWS_WEB_IDENTITY_TOKEN_FILE").is_some()),
        }
    }

    /// Tells people, where `kubectl describe` shows it; that it cannot is no reason not to go on.
    async fn tell(&self, about: About, warning: bool, reason: &str, action: &str, note: &str) {
        let written = self.reports.write(&about, warning, reason, action, note);
        match tokio::time::timeout(CALL_WITHIN, written).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, reason, "an event could not be written"),
            Err(_) => tracing::debug!(reason, "an event could not be written in time"),
        }
    }

    /// The group stands for itself nowhere in Kubernetes.
    fn about_group(&self) -> About {
        let note = self.journal.note();
        About::Note { namespace: note.namespace.clone(), name: note.name.clone() }
    }

    /// Whether AWS can be reached, by the latest probes.
    fn reach(&self, now: Time) -> Reach {
        let (reached, config) = (self.core.reached.load_full(), &self.core.config.reachability);
        let at = Duration::from_millis(now.as_millis());
        let open = |services: &[Service], passes| {
            let open = reached.passes.open(services, at, passes, config.window());
            open.map_err(|not| Because::new(Refusal::EndpointNotReachable, not.to_string()))
        };
        Reach {
            scale_out: open(&[Service::AutoScaling], 1),
            scale_in: open(&self.needed, config.passes),
            credentials: self.aws.credentials_last(),
        }
    }

    /// Whether this advisor may act at this moment; asked before each thing that it does.
    fn may_act(&self) -> bool {
        self.core.config.scaling.mode == Mode::Act && self.core.leads()
    }
}

/// To end an instance and to see that its ENIs are gone; with IRSA credentials come from STS (AWS SDKs' `AWS_WEB_IDENTITY_TOKEN_FILE`).
fn needed(irsa: bool) -> Vec<Service> {
    let sts = irsa.then_some(Service::Sts);
    [Service::AutoScaling, Service::Ec2].into_iter().chain(sts).collect()
}

/// What those who act tell.
enum News {
    Looked(Arc<str>, Result<Inspected, String>),
    JournalRead(u32, anyhow::Result<()>),
    /// With its instance, where that is on its way out.
    Drained(Arc<str>, Option<InstanceId>),
    Grown,
    /// With the pods that nothing would make anew elsewhere.
    Evicted(Vec<PodUid>),
}

/// Does it beside the loop and tells how it ended, `otherwise` where it panicked.
fn beside(tell: &mpsc::Sender<News>, otherwise: News, work: impl Future<Output = News> + Send + 'static) {
    let tell = tell.clone();
    tokio::spawn(async move {
        let over = tokio::spawn(work).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a task of the plan failed");
            otherwise
        });
        tell.send(over).await.ok();
    });
}

/// What is to be known from one plan to the next.
#[derive(Default)]
struct Planner {
    generation: u64,
    unneeded: Unneeded,
    findings: Findings,
    looked: Vec<(Arc<str>, Result<Inspected, String>)>,
    looking: bool,
    /// The term of which the journal was read, or of which that was tried.
    journal_of: Option<u32>,
    tried_journal_of: Option<u32>,
    reading_journal: bool,
    /// The term in which launches of the last leader were taken up.
    resumed_in: Option<u32>,
    draining: Option<Arc<str>>,
    growing: bool,
    evicting: bool,
    unmovable: HashSet<PodUid>,
    /// Instances that are on their way out for good; their nodes are there a while longer.
    gone: BTreeMap<Arc<str>, InstanceId>,
    /// When credentials were asked for anew.
    renewed_at: Option<Time>,
    said: BTreeSet<(&'static str, Arc<str>, Refusal)>,
}

/// Plans for ever.
pub(super) async fn keep_planning(means: Arc<Means>) {
    let core = Arc::clone(&means.core);
    let period = Duration::from_secs(core.config.scaling.period_secs);
    let (tell, mut news) = mpsc::channel(64);
    let mut planner = Planner::default();
    let mut due = core.clock.now();
    loop {
        let now = core.clock.now();
        if now < due {
            tokio::select! {
                // The sender is ours.
                Some(one) = news.recv() => planner.take(one),
                () = core.clock.sleep(due.since(now)) => {}
            }
            continue;
        }
        // However long rounds take, what others tell is heard.
        while let Ok(one) = news.try_recv() {
            planner.take(one);
        }
        core.metrics.planning(now.since(due));
        // A round that was missed is not made up for.
        due = (due + period).max(now);
        planner.round(&means, &tell, now).await;
    }
}

impl Planner {
    fn take(&mut self, news: News) {
        match news {
            News::Looked(node, found) => {
                self.looking = false;
                self.looked.push((node, found));
            }
            News::JournalRead(term, Ok(())) => {
                (self.reading_journal, self.journal_of, self.tried_journal_of) = (false, Some(term), Some(term));
            }
            News::JournalRead(term, Err(error)) => {
                (self.reading_journal, self.tried_journal_of) = (false, Some(term));
                tracing::warn!(error = format!("{error:#}"), "nothing is done until the journal can be read");
            }
            News::Drained(node, instance) => {
                self.draining = None;
                self.gone.extend(instance.map(|instance| (node, instance)));
            }
            News::Grown => self.growing = false,
            News::Evicted(unmovable) => {
                self.evicting = false;
                self.unmovable.extend(unmovable);
            }
        }
    }

    /// Credentials that would end before a drain does are asked for anew ahead of time, so that a node does not wait for it.
    fn renew(&mut self, means: &Means, reach: &Reach, now: Time) {
        let short = reach.credentials.is_some_and(|left| left < drain_budget(&means.core.config.scaling) + RENEW_EVERY);
        if short && self.renewed_at.is_none_or(|at| now.since(at) >= RENEW_EVERY) {
            self.renewed_at = Some(now);
            means.aws.renew_credentials();
        }
    }

    async fn round(&mut self, means: &Arc<Means>, tell: &mpsc::Sender<News>, now: Time) {
        let core = &means.core;
        let books = core.ledger.load_full().zip(core.headroom.load_full());
        let Some((ledger, headroom)) = books else { return };
        let inventory = Arc::clone(&core.inventory.borrow());
        let cluster = core.cluster(now);
        if core.config.scaling.mode == Mode::Observe {
            let marks = marks(&cluster);
            // What was begun in another mode is given back; nothing else is touched.
            if !marks.is_empty() {
                self.act(means, tell, &Arc::default(), &marks);
            }
            return;
        }
        let ahead = ahead(core);
        let reach = means.reach(now);
        self.renew(means, &reach, now);
        let journal = means.journal.get();
        let busy = self.draining.as_ref().map(|node| format!("scale-in of {node}"));
        let looked = std::mem::take(&mut self.looked);
        self.unmovable.retain(|uid| cluster.pods.contains_key(uid));
        let unmovable = self.unmovable.clone();
        let (mut findings, unneeded) = (std::mem::take(&mut self.findings), std::mem::take(&mut self.unneeded));
        self.generation += 1;
        let generation = self.generation;
        let made = {
            let (core, means) = (Arc::clone(core), Arc::clone(means));
            let (inventory, cluster) = (Arc::clone(&inventory), Arc::clone(&cluster));
            move || {
                let known = Known::new(&inventory, &cluster, &means.books, now);
                let none = Findings::default();
                let facts = Facts {
                    now,
                    policy: &core.config.scaling,
                    ledger: &ledger,
                    inventory: &inventory,
                    cluster: &cluster,
                    known: &known,
                    headroom: &headroom,
                    max_age: max_age(&core.config.observe),
                    ahead: &ahead,
                    reach: &reach,
                    autoscaler: core.autoscaler_runs(),
                    journal: &journal,
                    findings: &none,
                    unmovable: &unmovable,
                    busy: busy.as_deref(),
                };
                for (node, found) in looked {
                    let found = match found {
                        Ok(inspected) => inspect(&facts, &node, &inspected),
                        Err(error) => Err(Because::new(Refusal::InspectionFailed, error)),
                    };
                    findings.add(&node, found, now);
                }
                let facts = Facts { findings: &findings, ..facts };
                let (plan, unneeded) = plan(&facts, generation, &unneeded);
                let may = may_go_on(&facts).and_then(|()| match plan.shortage.servable() {
                    0 => Ok(()),
                    pods => Err(Because::new(Refusal::NodesWanted, format!("{pods} pods lack an address"))),
                });
                (plan, may, findings, unneeded)
            }
        };
        // A walk over all nodes and pods.
        let Ok((plan, may, findings, unneeded)) = spawn_blocking(made).await else {
            tracing::error!("the plan could not be made");
            return;
        };
        (self.findings, self.unneeded) = (findings, unneeded);
        core.gate.store(Arc::new(Gate { at: now, may }));
        let plan = Arc::new(plan);
        self.say(means, &plan, &cluster);
        core.metrics.planned(&plan);
        core.plan.store(Some(Arc::clone(&plan)));
        self.act(means, tell, &plan, &marks(&cluster));
    }

    /// What was not refused before is told: in the log, and where this advisor leads as an event.
    fn say(&mut self, means: &Arc<Means>, plan: &ScalingPlan, cluster: &ClusterState) {
        if !plan.is_empty() {
            tracing::info!(plan = %plan.to_string().trim_end().replace('\n', "; "), "plan");
        }
        let said: BTreeSet<_> =
            plan.refused.iter().map(|one| (one.what.label(), Arc::clone(&one.of), one.why.refusal)).collect();
        for refused in &plan.refused {
            let key = (refused.what.label(), Arc::clone(&refused.of), refused.why.refusal);
            if self.said.contains(&key) {
                continue;
            }
            let (what, of, why) = (refused.what.label(), Arc::clone(&refused.of), refused.why.to_string());
            tracing::info!(what, %of, reason = refused.why.refusal.label(), why, "refused");
            if means.core.leads() {
                let about = match (refused.what, refused.why.refusal) {
                    (What::ScaleIn, _) if !of.is_empty() => About::Node(Arc::clone(&of)),
                    (_, Refusal::NoGroupForPod) => about_pod(cluster, &of).unwrap_or_else(|| means.about_group()),
                    _ => means.about_group(),
                };
                let means = Arc::clone(means);
                tokio::spawn(async move {
                    let note = if of.is_empty() { why } else { format!("{of}: {why}") };
                    means.tell(about, false, "ScalingRefused", what, &note).await;
                });
            }
        }
        self.said = said;
    }

    /// Begins what is to be done, beside the loop.
    fn act(
        &mut self,
        means: &Arc<Means>,
        tell: &mpsc::Sender<News>,
        plan: &Arc<ScalingPlan>,
        marks: &[(Arc<str>, Option<Mark>)],
    ) {
        let Some(term) = means.core.term() else {
            if self.journal_of.take().is_some() {
                let means = Arc::clone(means);
                tokio::spawn(async move { means.journal.forget().await });
            }
            self.gone.clear();
            return;
        };
        let wanted = plan.mode == Mode::Act || !marks.is_empty();
        if wanted && self.journal_of != Some(term) && !std::mem::replace(&mut self.reading_journal, true) {
            let failed = News::JournalRead(term, Err(anyhow::anyhow!("it panicked")));
            let means = Arc::clone(means);
            beside(tell, failed, async move { News::JournalRead(term, means.journal.load().await) });
        }
        if let Some(node) = plan.to_inspect.first().filter(|_| !self.looking) {
            self.looking = true;
            look::begin(means, tell, node);
        }
        self.gone.retain(|node, _| marks.iter().any(|(marked, _)| marked == node));
        // What was begun is ended in every mode, once the journal was read or cannot be.
        let left = marks.iter().find(|(node, mark)| {
            let gone =
                self.gone.get(node).is_some_and(|id| mark.as_ref().is_none_or(|mark| mark.instance == id.as_str()));
            self.draining.is_none() && !gone && self.tried_journal_of == Some(term)
        });
        if let Some((node, mark)) = left {
            self.draining = Some(Arc::clone(node));
            let instance = mark.as_ref().map_or("", |mark| &mark.instance);
            drain::begin(means, tell, drain::Target::found(node, instance));
            return;
        }
        if plan.mode != Mode::Act || self.journal_of != Some(term) {
            return;
        }
        if self.resumed_in.replace(term) != Some(term) {
            grow::resume(means);
        }
        if !plan.scale_out.is_empty() && !std::mem::replace(&mut self.growing, true) {
            grow::begin(means, tell, plan);
        }
        if let Some(step) = plan.scale_in.as_ref().filter(|_| self.draining.is_none()) {
            self.draining = Some(Arc::clone(&step.node));
            drain::begin(means, tell, drain::Target::planned(step, plan.generation));
        }
        if !plan.evictions.is_empty() && !std::mem::replace(&mut self.evicting, true) {
            evict::begin(means, tell, plan);
        }
    }
}

fn about_pod(cluster: &ClusterState, name: &Arc<str>) -> Option<About> {
    let (uid, _) = cluster.pods.iter().find(|(_, pod)| pod.name == *name)?;
    Some(About::Pod { name: Arc::clone(name), uid: uid.as_str().into() })
}

/// Nodes that bear a mark.
fn marks(cluster: &ClusterState) -> Vec<(Arc<str>, Option<Mark>)> {
    let marked = cluster.nodes.iter().filter_map(|(name, info)| Some((name, info.node.scale_in.as_deref()?)));
    let mut marks: Vec<_> = marked.map(|(name, text)| (Arc::clone(name), Mark::parse(text))).collect();
    marks.sort_by(|a, b| a.0.cmp(&b.0));
    marks
}

/// Of a group that has been seen for less, nodes are neither added nor kept for pods that may come: it is not known yet what a day
/// brings.
const SEEN_SECS: u64 = 86_400;

/// Pods that each group will have beyond those that it has, by the P90 of the latest forecast.
fn ahead(core: &Core) -> Ahead {
    let lead = core.config.scaling.scale_out.lead_secs;
    let Some(outlook) = core.outlook.load_full().filter(|_| lead > 0) else { return Ahead::new() };
    let known = outlook.groups.iter().filter(|(_, demand)| demand.observed_secs >= SEEN_SECS);
    let more = known.filter_map(|(name, demand)| {
        let point = demand.expected_pods.iter().find(|point| point.horizon_secs >= lead)?;
        let more = point.values[headroom_forecast::quantiles::P90] - f64::from(demand.pods);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between the bounds")]
        let more = more.clamp(0.0, f64::from(u32::MAX)).ceil() as u32;
        Some((Arc::clone(name), more))
    });
    more.collect()
}
