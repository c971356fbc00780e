//! An advisor that probes while it does everything else.

use std::time::Duration;

use headroom_advisor::config::Config;
use headroom_lab::aws::{Fault, FaultKind};
use headroom_lab::scenario::Scenario;
use headroom_lab::{Lab, Options};
use headroom_load_tests::advisor::{Advisor, Place};
use headroom_load_tests::eventually::eventually;
use headroom_shell::page;
use serde_json::Value;

const SCENARIO: &str = "vpc: { cidr: 10.0.0.0/16 }
clock: { rate: 60 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/24 }]
nodeGroups: [{ name: workers, instanceType: c5.large, count: 1, subnets: [a] }]
";

/// The value of a stage's series.
async fn up(advisor: &Advisor, endpoint: &str, stage: &str) -> Option<String> {
    let text = page::get(advisor.admin_addr(), "/metrics").await.unwrap();
    let series = format!("headroom_advisor_endpoint_up{{endpoint=\"{endpoint}\",stage=\"{stage}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&series)).map(str::to_owned)
}

async fn becomes(advisor: &Advisor, endpoint: &str, stage: &str, want: &str) {
    let what = format!("{stage} of {endpoint} is {want}");
    let check = async || {
        let seen = up(advisor, endpoint, stage).await;
        if seen.as_deref() == Some(want) { Ok(()) } else { Err(format!("{seen:?}")) }
    };
    eventually(&what, Duration::from_secs(60), check).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_and_the_page_tell_what_the_probes_find() {
    let lab = Lab::start(Scenario::parse("probe.yaml", SCENARIO).unwrap(), Options::default()).await.unwrap();
    let config = Config { cluster_name: "headroom-lab".to_owned(), ..Config::default() };
    let advisor = Advisor::start(Place::lab(&lab), config).await.unwrap();
    for endpoint in ["autoscaling", "ec2", "sts"] {
        becomes(&advisor, endpoint, "signed_read", "1").await;
    }
    assert_eq!(up(&advisor, "monitoring", "tcp").await, None, "CloudWatch is not used");
    let from = lab.clock().now();
    let until = from + Duration::from_secs(24 * 3600);
    let operation = Some("DescribeAutoScalingGroups".to_owned());
    lab.vpc().add_fault(Fault { operation, kind: FaultKind::EndpointPolicy, from, until, every: 1 });
    becomes(&advisor, "autoscaling", "endpoint_policy", "0").await;
    assert_eq!(up(&advisor, "ec2", "endpoint_policy").await.as_deref(), Some("1"));
    let page: Value = serde_json::from_str(&page::get(advisor.admin_addr(), "/reachability").await.unwrap()).unwrap();
    assert_eq!(page[0]["diagnosis"]["cause"], "endpoint_policy");
    advisor.stop().await.unwrap();
}
