//! A lab with a group that has room and one that has none, and advisors on it.

use std::time::Duration;

use headroom_advisor::config::{Config, Expander, Observe, Tls};
use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use headroom_load_tests::advisor::{Advisor, Place};
use headroom_load_tests::authority::Authority;
use headroom_load_tests::eventually::eventually;
use headroom_load_tests::page::get;
use tempfile::TempDir;

use crate::client::Client;

/// Real time for what takes a few seconds on an idle machine.
const WITHIN: Duration = Duration::from_secs(60);

/// A t3.small takes 4 addresses when it starts, and 8 with two pods. Of the small subnet two are free.
const SCENARIO: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets:
  - { name: a, az: us-west-2a, cidr: 10.0.0.0/24 }
  - { name: b, az: us-west-2b, cidr: 10.0.1.0/28, used: 9 }
nodeGroups:
  - { name: roomy, instanceType: t3.small, count: 1, subnets: [a] }
  - { name: empty, instanceType: t3.small, min: 0, max: 5, desired: 0, subnets: [b] }
";

pub(crate) struct Rig {
    pub(crate) lab: Lab,
    dir: TempDir,
}

impl Rig {
    pub(crate) async fn start() -> Rig {
        let scenario = Scenario::parse("expander.yaml", SCENARIO).unwrap();
        let lab = Lab::start(scenario, Options { rate: Some(10.0), ..Options::default() }).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        Authority::new(dir.path()).unwrap().issue("server").unwrap();
        Rig { lab, dir }
    }

    /// One that has books, for Cluster Autoscaler of this version.
    pub(crate) async fn advisor(&self, version: Option<&str>) -> Advisor {
        let file = |name: &str| self.dir.path().join(name);
        let tls = Tls { cert_file: file("server.crt"), key_file: file("server.key"), client_ca_file: None };
        let config = Config {
            cluster_name: "headroom-lab".to_owned(),
            observe: Observe {
                subnets_secs: 5,
                enis_secs: 10,
                instances_secs: 10,
                groups_secs: 10,
                topology_secs: 60,
                ..Observe::default()
            },
            expander: Expander {
                enabled: true,
                cluster_autoscaler_version: version.map(str::to_owned),
                ..Expander::default()
            },
            tls: Some(tls),
            ..Config::default()
        };
        let advisor = Advisor::start(Place::lab(&self.lab), config).await.unwrap();
        let ready = async || get(advisor.admin_addr(), "/readyz").await.map(drop);
        eventually("the advisor is ready", WITHIN, ready).await;
        advisor
    }

    pub(crate) async fn connect(&self, advisor: &Advisor, name: &str) -> std::io::Result<Client> {
        Client::connect(advisor.grpc_addr(), &self.dir.path().join("ca.crt"), name).await
    }

    pub(crate) async fn client(&self, advisor: &Advisor) -> Client {
        self.connect(advisor, "127.0.0.1").await.unwrap()
    }
}

/// Waits until a series has this value; it is named without the prefix of all of them.
pub(crate) async fn until(advisor: &Advisor, series: &str, value: &str) {
    eventually(series, WITHIN, async || {
        let text = get(advisor.admin_addr(), "/metrics").await.unwrap();
        let line = format!("headroom_advisor_{series} {value}");
        if text.lines().any(|found| found == line) { Ok(()) } else { Err(format!("no '{line}' in {text}")) }
    })
    .await;
}
