//! The cluster of the field report under the real control plane: it grows from 10 pods to 100 and shrinks back. Needs the binaries of
//! `load-tests/control-plane/build.sh`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headroom_advisor::config::{Config, Mode, Observe, Reachability, ScaleIn, Scaling};
use headroom_lab::scenario::Scenario;
use headroom_load_tests::cluster::Cluster;
use headroom_load_tests::eventually::eventually;
use headroom_load_tests::replicas::{counts, replicate};

/// Two m5.large have addresses for 54 pods.
const NODES: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/23 }]
ec2Quotas: { reads: { burst: 500, perSec: 100 }, writes: { burst: 500, perSec: 100 } }
cni: { env: { IP_COOLDOWN_PERIOD: '2' } }
nodeGroups: [{ name: workers, instanceType: m5.large, min: 2, max: 5, desired: 2, subnets: [a], maxPods: 110 }]
";
/// Far more than it takes, and reached only when the test fails.
const WITHIN: Duration = Duration::from_secs(240);

fn config(cluster_name: String) -> Config {
    let scale_in = ScaleIn {
        utilisation_percent: 60,
        unneeded_secs: 10,
        min_age_secs: 10,
        after_scale_out_secs: 0,
        cool_down_secs: 5,
        max_share_percent: 100,
        ..ScaleIn::default()
    };
    Config {
        cluster_name,
        observe: Observe { subnets_secs: 5, enis_secs: 5, instances_secs: 5, groups_secs: 5, ..Observe::default() },
        reachability: Reachability { period_secs: 5, passes: 2, ..Reachability::default() },
        scaling: Scaling {
            mode: Mode::Act,
            period_secs: 5,
            group_tag: "eks:cluster-name".to_owned(),
            with_cluster_autoscaler: true,
            scale_in,
            ..Scaling::default()
        },
        ..Config::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_grows_for_a_hundred_pods_and_shrinks_back_without_losing_one() {
    if headroom_load_tests::control_plane::skip() {
        return;
    }
    let scenario = Scenario::parse("nodes.yaml", NODES).unwrap();
    let advisor = config(scenario.cluster_name.clone());
    let started = Cluster::start_observed(scenario, Default::default(), advisor).await;
    let cluster = started.unwrap_or_else(|error| panic!("{error:#}"));
    let wanted = Arc::new(AtomicUsize::new(10));
    let controller = tokio::spawn(replicate(cluster.client.clone(), "default-scheduler", Arc::clone(&wanted)));
    let settled = async |what: &str, pods: usize, nodes: std::ops::RangeInclusive<usize>| {
        wanted.store(pods, Ordering::Relaxed);
        eventually(what, WITHIN, async || {
            let lost = cluster.kubelets.report().totals.lost;
            assert_eq!(lost, 0, "pods ended with their node");
            let [with_ip, all, there, held] = counts(&cluster.client).await.unwrap();
            let done = with_ip == pods && all == pods && nodes.contains(&there) && held == 0;
            if done {
                Ok(())
            } else {
                Err(format!("{with_ip} of {all} pods have an IP, {there} nodes, {held} cordoned"))
            }
        })
        .await;
    };
    settled("10 pods run on 2 nodes", 10, 2..=2).await;
    settled("100 pods run on more nodes", 100, 4..=5).await;
    settled("10 pods run on 2 nodes again", 10, 2..=2).await;
    controller.abort();
    assert_eq!(cluster.kubelets.refused_writes(), 0, "writes that the API server refused");
    cluster.stop().await.unwrap();
}
