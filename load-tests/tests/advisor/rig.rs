//! A lab, what is asked of an advisor on it, and what the lab's CloudWatch was told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::MutexGuard;
use std::time::Duration;

use headroom_advisor::config::{Aws, CloudWatch, Config, LeaderElection, Observe};
use headroom_capacity::time::Time;
use headroom_lab::aws::{Datum, Samples, Vpc};
use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use headroom_load_tests::advisor::{Advisor, Place};
use headroom_load_tests::eventually::eventually;
use headroom_load_tests::page::get;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// Lab seconds per real second.
const RATE: f64 = 30.0;
/// Lab seconds from one publication to the next.
pub(crate) const PERIOD: Duration = Duration::from_secs(20);
/// Real time for what takes a few seconds on an idle machine.
const WITHIN: Duration = Duration::from_secs(60);

/// Two nodes that stay as they are.
const QUIET: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets:
  - { name: a, az: us-west-2a, cidr: 10.0.0.0/24 }
  - { name: b, az: us-west-2b, cidr: 10.0.1.0/24 }
nodeGroups: [{ name: workers, instanceType: t3.small, count: 2, subnets: [a, b] }]
";

pub(crate) struct Rig {
    pub(crate) lab: Lab,
    pub(crate) kube: kube::Client,
}

impl Rig {
    pub(crate) async fn quiet() -> Rig {
        Rig::start(Scenario::parse("quiet.yaml", QUIET).unwrap()).await
    }

    pub(crate) async fn start(scenario: Scenario) -> Rig {
        let lab = Lab::start(scenario, Options { rate: Some(RATE), ..Options::default() }).await.unwrap();
        let kubeconfig = Kubeconfig::read_from(lab.kubeconfig()).unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Rig { lab, kube: kube::Client::try_from(config).unwrap() }
    }

    pub(crate) async fn advisor(&self, config: Config) -> Advisor {
        Advisor::start(Place::lab(&self.lab), config).await.unwrap()
    }

    pub(crate) fn now(&self) -> Time {
        self.lab.clock().now()
    }

    pub(crate) fn vpc(&self) -> MutexGuard<'_, Vpc> {
        self.lab.vpc()
    }

    /// Waits until every node is ready and nothing is on its way.
    pub(crate) async fn nodes_ready(&self, count: usize) {
        until("the lab's nodes are ready", async || {
            let ready = self.lab.report().nodes.iter().filter(|node| node.ready && node.ips_total.get() > 0).count();
            if ready == count { Ok(()) } else { Err(format!("{ready} are")) }
        })
        .await;
    }

    /// Every point of a metric, oldest first.
    pub(crate) fn points(&self, name: &str) -> Vec<Datum> {
        self.vpc().metrics().data().filter(|(_, datum)| datum.name == name).map(|(_, datum)| datum.clone()).collect()
    }

    /// The periods in which there was a heartbeat, in the order of arrival.
    pub(crate) fn heartbeats(&self) -> Vec<u64> {
        self.points("AdvisorHeartbeat").iter().map(|datum| period(datum.at)).collect()
    }

    pub(crate) async fn heartbeat_after(&self, at: Time) {
        until("there is a heartbeat", async || {
            let last = self.points("AdvisorHeartbeat").last().map(|datum| datum.at);
            if last > Some(at) { Ok(()) } else { Err(format!("{last:?} is the last, not after {at:?}")) }
        })
        .await;
    }
}

/// The number of the period that `at` is in.
pub(crate) fn period(at: Time) -> u64 {
    at.as_millis() / u64::try_from(PERIOD.as_millis()).unwrap()
}

/// The one value of a datum.
pub(crate) fn value(datum: &Datum) -> f64 {
    let Samples::Values(values) = &datum.samples else { panic!("{datum:?}") };
    let [(value, 1.0)] = values[..] else { panic!("{datum:?}") };
    value
}

/// Shorter than a configuration file may say: a test lasts for minutes of the lab's time.
pub(crate) fn config() -> Config {
    Config {
        cluster_name: "headroom-lab".to_owned(),
        aws: Aws { max_attempts: 1, attempt_timeout_ms: 1000, call_timeout_ms: 1000, ..Aws::default() },
        observe: Observe {
            subnets_secs: 5,
            enis_secs: 10,
            instances_secs: 10,
            groups_secs: 10,
            topology_secs: 60,
            ..Observe::default()
        },
        cloudwatch: CloudWatch { enabled: true, period_secs: PERIOD.as_secs(), ..CloudWatch::default() },
        leader_election: LeaderElection { lease_secs: 5, ..LeaderElection::default() },
        ..Config::default()
    }
}

pub(crate) async fn until<T>(what: &str, check: impl AsyncFnMut() -> Result<T, String>) -> T {
    eventually(what, WITHIN, check).await
}

/// What `/readyz` says that is missing, if anything is.
pub(crate) async fn readyz(admin: SocketAddr) -> Result<(), String> {
    get(admin, "/readyz").await.map(drop).map_err(|error| error.to_string())
}

pub(crate) async fn ready(admin: SocketAddr) {
    until("the advisor is ready", async || readyz(admin).await).await;
}

/// One reading of `/metrics`.
pub(crate) struct Page(BTreeMap<String, f64>);

impl Page {
    pub(crate) async fn of(admin: SocketAddr) -> Page {
        let text = get(admin, "/metrics").await.unwrap();
        let series = text.lines().filter_map(|line| line.strip_prefix("headroom_advisor_")?.rsplit_once(' '));
        Page(series.map(|(series, value)| (series.to_owned(), value.parse().unwrap())).collect())
    }

    /// The value of a series, which is named without the prefix of all of them.
    pub(crate) fn get(&self, series: &str) -> f64 {
        *self.0.get(series).unwrap_or_else(|| panic!("no {series} in {:?}", self.0.keys()))
    }

    /// Calls of an operation that ended so.
    pub(crate) fn calls(&self, operation: &str, outcome: &str) -> f64 {
        self.get(&format!("aws_requests_total{{operation=\"{operation}\",outcome=\"{outcome}\"}}"))
    }
}

pub(crate) async fn leads(admin: SocketAddr) -> bool {
    Page::of(admin).await.get("leader") == 1.0
}

pub(crate) async fn begins_to_lead(admin: SocketAddr) {
    until("it leads", async || if leads(admin).await { Ok(()) } else { Err("it does not".to_owned()) }).await;
}
