//! Two advisors on one cluster: one publishes, both serve.

use std::time::Duration;

use headroom_load_tests::advisor::{Advisor, Place};
use tokio::runtime::{Builder, Runtime};

use crate::rig::{Page, Rig, begins_to_lead, config, leads, ready, until};
use crate::told::told;

/// Where an advisor runs that can be ended as a process is: nothing of it runs any more, and nothing is said.
struct Body(Option<Runtime>);

impl Body {
    async fn start(rig: &Rig) -> (Body, Advisor) {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let started = runtime.spawn(Advisor::start(Place::lab(&rig.lab), config()));
        let body = Body(Some(runtime));
        (body, started.await.unwrap().unwrap())
    }

    async fn kill(mut self) {
        let runtime = self.0.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(5))).await.unwrap();
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // A runtime that is dropped by another panics.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn sent(advisor: &Advisor) -> f64 {
    Page::of(advisor.admin_addr()).await.get("cloudwatch_points_sent_total")
}

/// Publications so far: one a period. That as many as `missing` periods have none is what a change of leaders costs.
fn check_heartbeats(rig: &Rig, missing: u64) {
    let beats = rig.heartbeats();
    assert!(beats.windows(2).all(|pair| pair[0] < pair[1]), "no period twice: {beats:?}");
    let gaps: u64 = beats.windows(2).map(|pair| pair[1] - pair[0] - 1).sum();
    assert!(gaps <= missing, "{beats:?}");
}

/// Where two run, both serve and the first publishes. How the second takes over when `end` has ended the first.
async fn takes_over(end: impl AsyncFnOnce(Body, Advisor), missing: u64) {
    let rig = Rig::quiet().await;
    rig.nodes_ready(2).await;
    let (body, first) = Body::start(&rig).await;
    begins_to_lead(first.admin_addr()).await;
    let second = rig.advisor(config()).await;
    ready(first.admin_addr()).await;
    ready(second.admin_addr()).await;
    until("both tell the same, each in its own epoch", async || {
        let (one, other) = (told(first.grpc_addr()).await, told(second.grpc_addr()).await);
        assert_ne!(one.epoch, other.epoch);
        let same = one.nodes == other.nodes && one.subnets == other.subnets;
        if same && one.nodes.len() == 2 { Ok(()) } else { Err(format!("{one:?} {other:?}")) }
    })
    .await;
    for _ in 0..3 {
        rig.heartbeat_after(rig.now()).await;
    }
    assert!(leads(first.admin_addr()).await && !leads(second.admin_addr()).await);
    assert!(sent(&first).await > 0.0 && sent(&second).await == 0.0);
    check_heartbeats(&rig, 0);

    let epoch = told(second.grpc_addr()).await.epoch;
    end(body, first).await;
    begins_to_lead(second.admin_addr()).await;
    for _ in 0..3 {
        rig.heartbeat_after(rig.now()).await;
    }
    check_heartbeats(&rig, missing);
    assert!(sent(&second).await > 0.0);
    assert_eq!(told(second.grpc_addr()).await.epoch, epoch, "its clients notice nothing");
    second.stop().await.unwrap();
    rig.lab.shutdown().await;
}

/// The Lease is taken within 2 s, three periods of the lab, and the one after is the first that is told of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_stopped_hands_over_at_once() {
    takes_over(async |_body: Body, first: Advisor| first.stop().await.unwrap(), 5).await;
}

/// The Lease lasts for 5 s, eight periods.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_is_followed_when_its_lease_is_over() {
    takes_over(async |body: Body, _first: Advisor| body.kill().await, 20).await;
}
