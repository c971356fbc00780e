//! A cluster with a spare node, and an advisor that removes it.

use std::time::Duration;

use headroom_lab::scenario::Scenario;
use headroom_load_tests::eventually::eventually;
use headroom_load_tests::scaling::Site;

/// Lab seconds per real second.
pub(crate) const RATE: f64 = 20.0;
/// Far more than it takes; on a busy machine scale-ins are given back, and after four an hour of the lab's has to pass.
const WITHIN: Duration = Duration::from_secs(360);

/// Four m5.large with two pods each, of which two have room for all.
const SPARE: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/24 }]
nodeGroups: [{ name: workers, instanceType: m5.large, min: 3, max: 6, desired: 4, subnets: [a] }]
workloads: [{ name: web, replicas: 8, replace: true, cpu: 10m, memory: 16Mi }]
";

pub(crate) struct Rig {
    pub(crate) site: Site,
}

impl Rig {
    pub(crate) async fn start() -> Rig {
        Rig { site: Site::start(Scenario::parse("spare.yaml", SPARE).unwrap(), RATE).await.unwrap() }
    }

    /// Names of nodes that are cordoned, tainted or marked.
    pub(crate) async fn held(&self) -> Vec<String> {
        self.site.nodes().await.unwrap().1
    }

    pub(crate) async fn until(&self, what: &str, check: impl AsyncFnMut() -> Result<(), String>) {
        eventually(what, WITHIN, check).await;
        assert_eq!(self.site.lab.report().totals.lost, 0, "pods ended with their node");
    }

    pub(crate) async fn marked(&self) {
        self.until("a scale-in has begun", async || {
            let held = self.held().await;
            if held.is_empty() { Err(format!("desired {}", self.site.desired())) } else { Ok(()) }
        })
        .await;
    }

    /// The spare node is gone, no other with it, and every pod runs.
    pub(crate) async fn shrunk(&self) {
        self.until("the spare node is gone and nothing is left behind", async || {
            let (nodes, held) = self.site.nodes().await.unwrap();
            let (desired, totals) = (self.site.desired(), self.site.lab.report().totals);
            let done = held.is_empty() && desired == 3 && nodes == 3 && totals.with_ip == 8;
            if done { Ok(()) } else { Err(format!("desired {desired}, {nodes} nodes, held {held:?}, {totals:?}")) }
        })
        .await;
    }
}
