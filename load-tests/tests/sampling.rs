//! Pods find the few nodes that have IPs left, though kube-scheduler asks about a sample at a time. Needs the binaries of
//! `load-tests/control-plane/build.sh`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;
use std::time::Duration;

use headroom_extender::Options;
use headroom_extender::config::Config;
use headroom_load_tests::pods::peer::{ready, scheduler_config};
use headroom_load_tests::pods::sampling::{Arrivals, Free, arrive, cluster, fill, join};
use tokio::sync::oneshot;

const NODES: usize = 600;
/// Of 600 nodes less than 100, so kube-scheduler looks at 100 at a time, the least it does (k/k `pkg/scheduler/schedule_one.go`,
/// `minFeasibleNodesToFind`): the 30 nodes with IPs are in one or two of six samples.
const PERCENTAGE: u8 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_find_the_nodes_that_are_not_full() {
    if headroom_load_tests::control_plane::skip() {
        return;
    }
    let mut control_plane = cluster().await.unwrap();
    let client = control_plane.client.clone();
    fill(&client, NODES, Free::Contiguous).await.unwrap();
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = Options {
        config: Config::default(),
        kubeconfig: Some(control_plane.kubeconfig().to_owned()),
        context: None,
        listen: any_port,
        admin_listen: any_port,
        grpc_listen: None,
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let extender = headroom_extender::run(options, async { drop(stopped.await) }).await.unwrap();
    while let Err(error) = ready(extender.admin_addr).await {
        eprintln!("the extender is not ready: {error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    control_plane
        .start_scheduler(&scheduler_config(Some(&format!("http://{}/v1", extender.addr)), false, PERCENTAGE))
        .await
        .unwrap();
    join(&client, NODES).await.unwrap();
    let arrivals =
        Arrivals { lone: 4, lone_within: Duration::from_secs(30), burst: 40, burst_within: Duration::from_secs(60) };
    let outcome = arrive(&client, arrivals).await.unwrap();
    println!("{outcome:?}");
    assert!(outcome.lone_secs.iter().all(Option::is_some), "{outcome:?}");
    assert_eq!(outcome.burst_bound, outcome.burst, "{outcome:?}");
    assert_eq!(outcome.overbooked, 0, "{outcome:?}");
    drop(control_plane);
    stop.send(()).unwrap();
    extender.wait().await.unwrap();
}
