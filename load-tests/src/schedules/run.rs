//! Carries one schedule out and watches.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use headroom_advisor::config::Config;
use headroom_capacity::time::Time;
use headroom_lab::scenario::Scenario;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, PostParams};
use serde_json::json;

use super::draw::{HORIZON_SECS, Kill, Schedule, Spell, When};
use super::process::{Directions, Process, Program};
use super::seen::Seen;
use crate::scaling::{Site, Trouble};

/// Lab seconds per real second: a machine on which several labs run gets slow, and the deadlines of calls are real.
pub(super) const RATE: f64 = 10.0;
/// From one look to the next, in real time.
const TICK: Duration = Duration::from_millis(50);
/// Within it of the lab's time after the last fault all must be at rest: a termination in doubt takes five minutes at the lab's rate, and an hour
/// may pass until a cluster of four nodes has its share again.
const REST_WITHIN: Duration = Duration::from_secs(6000);
/// How long after a fault began a scale-in may still be begun: passes count for a minute, a probe that was on its way may pass, a plan may be
/// 5 s old, and a call and a busy machine take their time, of which the lab's clock makes ten times as much.
const SLACK: Duration = Duration::from_secs(120);
/// Pods get addresses within it, in real time.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// What there was to see in a schedule that went well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Scale-ins begun.
    pub begun: usize,
    /// Of those, the ones that ended with the node gone.
    pub gone: usize,
    /// Faults.
    pub faults: usize,
    /// Of those, the ones that began while a node was held.
    pub faults_in_the_middle: usize,
    /// Advisors killed.
    pub kills: usize,
    /// Of those, the ones killed while a node was held.
    pub kills_in_the_middle: usize,
    /// From the last fault until all was at rest, on the lab's clock.
    pub rested_after: Duration,
}

/// Carries the schedule out on a lab of its own, with advisors of this configuration that write to `log`.
///
/// # Errors
/// What did not hold, or what could not be started.
pub async fn run(program: &Program, schedule: &Schedule, config: Config, log: &Path) -> Result<Outcome> {
    let site = Site::start(Scenario::parse("schedule.yaml", &schedule.form.scenario())?, RATE).await?;
    let seen = Seen::of(&site.client);
    let done = async {
        prepare(&site, &seen, schedule).await?;
        let mut run = Run::new(&site, &seen, program, schedule, config, log);
        for whom in 0..schedule.advisors {
            run.advisors[whom] = Some(run.start().await?);
        }
        run.through_the_schedule().await?;
        run.come_to_rest().await?;
        Ok(run.outcome)
    };
    let done = done.await;
    drop(seen);
    site.shutdown().await;
    done
}

/// Waits until all pods run, and sets their budget.
async fn prepare(site: &Site, seen: &Seen, schedule: &Schedule) -> Result<()> {
    let form = &schedule.form;
    let budget = json!({
        "metadata": { "name": "web" },
        "spec": { "minAvailable": form.min_available, "selector": { "matchLabels": { "app": "web" } } },
    });
    let budgets = Api::<PodDisruptionBudget>::namespaced(site.client.clone(), "default");
    budgets.create(&PostParams::default(), &serde_json::from_value(budget)?).await?;
    let all_run = async {
        while seen.now().healthy() < form.pods as usize {
            tokio::time::sleep(TICK).await;
        }
    };
    tokio::time::timeout(READY_WITHIN, all_run).await.context("the pods do not run")?;
    seen.now().guard(form.min_available as usize);
    Ok(())
}

/// When AWS could not be reached; still, where there is no end.
#[derive(Clone, Copy, Debug)]
struct Outage {
    from: Time,
    until: Option<Time>,
}

/// A fault that lasts, and which of the outages is its.
struct Lasting {
    spell: Spell,
    ends: Time,
    outage: Option<usize>,
}

struct Run<'a> {
    site: &'a Site,
    seen: &'a Seen,
    program: &'a Program,
    schedule: &'a Schedule,
    log: &'a Path,
    config: Config,
    began: Time,
    advisors: Vec<Option<Process>>,
    to_begin: Vec<Spell>,
    lasting: Vec<Lasting>,
    outages: Vec<Outage>,
    /// Kills whose time is known.
    due: Vec<(Time, Kill)>,
    /// Those that wait for a scale-in.
    armed: Vec<(Duration, Kill)>,
    /// When each advisor that is dead is started again.
    restarts: Vec<(Time, usize)>,
    /// Scale-ins that were looked at.
    judged: usize,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn new(
        site: &'a Site,
        seen: &'a Seen,
        program: &'a Program,
        schedule: &'a Schedule,
        mut config: Config,
        log: &'a Path,
    ) -> Run<'a> {
        let began = site.lab.clock().now();
        config.leader_election.enabled = schedule.elected;
        let mut to_begin = schedule.spells.clone();
        to_begin.reverse();
        let mut run = Run {
            site,
            seen,
            program,
            schedule,
            log,
            config,
            began,
            advisors: (0..schedule.advisors).map(|_| None).collect(),
            to_begin,
            lasting: Vec::new(),
            outages: Vec::new(),
            due: Vec::new(),
            armed: Vec::new(),
            restarts: Vec::new(),
            judged: 0,
            outcome: Outcome::default(),
        };
        for kill in &schedule.kills {
            match kill.when {
                When::At(after) => run.due.push((began + after, *kill)),
                When::Begun(after) => run.armed.push((after, *kill)),
            }
        }
        run
    }

    async fn start(&self) -> Result<Process> {
        Process::start(self.program, &Directions::to(self.site, self.config.clone()), self.log).await
    }

    fn now(&self) -> Time {
        self.site.lab.clock().now()
    }

    /// Until the last fault is over and every advisor runs.
    async fn through_the_schedule(&mut self) -> Result<()> {
        let horizon = self.began + Duration::from_secs(HORIZON_SECS);
        loop {
            let now = self.now();
            self.end_faults(now).await?;
            self.begin_faults(now).await?;
            self.kill_and_restart(now).await?;
            self.look()?;
            let over = self.to_begin.is_empty() && self.lasting.is_empty();
            if now >= horizon && over && self.due.is_empty() && self.restarts.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Until the spare nodes are gone and nothing is left behind.
    async fn come_to_rest(&mut self) -> Result<()> {
        let since = self.now();
        loop {
            self.look()?;
            let restless = self.restless();
            let after = self.now().since(since);
            match restless {
                None => {
                    let gone = self.schedule.form.nodes - self.site.desired();
                    self.outcome = Outcome {
                        begun: self.seen.now().begun.len(),
                        gone: gone as usize,
                        rested_after: after,
                        ..self.outcome
                    };
                    return Ok(());
                }
                Some(why) if after > REST_WITHIN => {
                    bail!("not at rest {} s of the lab's after the last fault: {why}", after.as_secs())
                }
                Some(_) => tokio::time::sleep(TICK).await,
            }
        }
    }

    /// What is not yet as it must be at last.
    fn restless(&self) -> Option<String> {
        let (desired, totals) = (self.site.desired(), self.site.lab.report().totals);
        let seen = self.seen.now();
        let (nodes, held) = (seen.nodes.len(), seen.held());
        let form = &self.schedule.form;
        let at_rest = form.ends_with.contains(&desired)
            && nodes == desired as usize
            && held.is_empty()
            && totals.with_ip == form.pods
            && totals.unbound == 0
            && seen.healthy() == form.pods as usize;
        (!at_rest).then(|| format!("desired capacity {desired}, {nodes} nodes, held {held:?}, {totals:?}"))
    }

    async fn begin_faults(&mut self, now: Time) -> Result<()> {
        while let Some(spell) = self.to_begin.pop_if(|spell| self.began + spell.from <= now) {
            self.site.begin_for(spell.what, spell.lasts).await?;
            self.outcome.faults += 1;
            self.outcome.faults_in_the_middle += usize::from(!self.seen.now().held().is_empty());
            let from = self.now();
            let outage = spell.what.keeps_from_aws().then(|| {
                self.outages.push(Outage { from, until: None });
                self.outages.len() - 1
            });
            self.lasting.push(Lasting { spell, ends: now + spell.lasts, outage });
        }
        Ok(())
    }

    async fn end_faults(&mut self, now: Time) -> Result<()> {
        let over: Vec<Lasting> = self.lasting.extract_if(.., |one| one.ends <= now).collect();
        for Lasting { spell, outage, .. } in over {
            if let Some(outage) = outage {
                self.outages[outage].until = Some(now);
            }
            // AWS's own have their end from the beginning.
            if !matches!(spell.what, Trouble::Api(_) | Trouble::Call(..)) {
                self.site.end(spell.what).await?;
            }
        }
        Ok(())
    }

    async fn kill_and_restart(&mut self, now: Time) -> Result<()> {
        let due: Vec<(Time, Kill)> = self.due.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, kill) in due {
            // It may be dead already.
            let Some(advisor) = self.advisors[kill.whom].take() else { continue };
            advisor.kill().await?;
            self.outcome.kills += 1;
            self.outcome.kills_in_the_middle += usize::from(!self.seen.now().held().is_empty());
            self.restarts.push((now + kill.down, kill.whom));
        }
        let restarts: Vec<(Time, usize)> = self.restarts.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, whom) in restarts {
            self.advisors[whom] = Some(self.start().await?);
        }
        for advisor in self.advisors.iter_mut().flatten() {
            if let Some(status) = advisor.ended()? {
                bail!("an advisor ended by itself: {status}");
            }
        }
        Ok(())
    }

    /// What holds at every moment.
    fn look(&mut self) -> Result<()> {
        let lost = self.site.lab.report().totals.lost;
        ensure!(lost == 0, "{lost} pods ended with their node");
        let (desired, floor) = (self.site.desired(), self.schedule.form.floor);
        ensure!(desired >= floor, "desired capacity {desired}, below {floor}");
        let (broken, begun) = {
            let seen = self.seen.now();
            (seen.broken(), seen.begun.get(self.judged..).unwrap_or_default().to_vec())
        };
        if let Some(healthy) = broken {
            bail!("{healthy} pods are healthy of the {} of their budget", self.schedule.form.min_available);
        }
        for mark in begun {
            self.judged += 1;
            let at = mark.began_at();
            let during = |outage: &&Outage| at > outage.from + SLACK && outage.until.is_none_or(|until| at < until);
            if let Some(outage) = self.outages.iter().find(during) {
                bail!("a scale-in of {} was begun {} s into a fault", mark.instance, at.since(outage.from).as_secs());
            }
            if !self.armed.is_empty() {
                let (after, kill) = self.armed.remove(0);
                self.due.push((at + after, kill));
            }
        }
        Ok(())
    }
}
