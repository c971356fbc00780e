//! Advisors that have a past: their own, or one that somebody else tells.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod backfill;
mod growth;
mod suggested;
mod upper;

use std::net::SocketAddr;
use std::time::Duration;

use headroom_advisor::config::{Config, Observe};
use headroom_advisor::outlook::report::{Report, Row};
use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use headroom_load_tests::eventually::eventually;
use headroom_load_tests::page;

/// Two nodes with 20 addresses each; others hold 150 of the 251.
const SCENARIO: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/24, used: 150 }]
nodeGroups: [{ name: workers, instanceType: m5.large, count: 2, subnets: [a] }]
";
/// A step of the history, in seconds.
const STEP: u64 = 300;
/// Real time for what takes a few seconds on an idle machine.
const WITHIN: Duration = Duration::from_secs(90);

/// Lab seconds in a real one.
async fn lab(rate: f64) -> Lab {
    let scenario = Scenario::parse("forecast.yaml", SCENARIO).unwrap();
    Lab::start(scenario, Options { rate: Some(rate), ..Options::default() }).await.unwrap()
}

fn now_secs(lab: &Lab) -> u64 {
    lab.clock().now().as_secs()
}

/// The ID of its one subnet.
fn subnet(lab: &Lab) -> String {
    lab.vpc().subnets(lab.clock().now()).next().unwrap().id.to_string()
}

fn config() -> Config {
    Config {
        cluster_name: "headroom-lab".to_owned(),
        observe: Observe {
            subnets_secs: 5,
            enis_secs: 10,
            instances_secs: 10,
            groups_secs: 10,
            topology_secs: 60,
            ..Observe::default()
        },
        ..Config::default()
    }
}

/// The forecast, once that of the one subnet is as `enough` wants it; the subnet's row.
async fn forecast(admin: SocketAddr, enough: impl Fn(&Row) -> bool) -> (Report, Row) {
    eventually("there is a forecast", WITHIN, async || {
        let text = page::get(admin, "/forecast?history=true").await.map_err(|error| error.to_string())?;
        let report: Report = serde_json::from_str(&text).unwrap();
        let [row] = &report.subnets[..] else { panic!("{report:?}") };
        if !enough(row) {
            return Err(format!("{row:?}"));
        }
        let row = row.clone();
        Ok((report, row))
    })
    .await
}
