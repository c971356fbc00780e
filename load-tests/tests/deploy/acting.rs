//! The variants that act and advise, under the permissions that they ship with, over TLS.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use headroom_load_tests::control_plane::skip;
use headroom_load_tests::eventually::eventually;
use headroom_load_tests::replicas::{counts, replicate};
use serde_json::{Value, json};

use crate::audit::{calls, unused};
use crate::install::Installed;
use crate::manifests::Variant;

/// An m5.large has addresses for 27 pods.
const NODES: &str = "clusterName: prod
vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/23 }]
ec2Quotas: { reads: { burst: 500, perSec: 100 }, writes: { burst: 500, perSec: 100 } }
cni: { env: { IP_COOLDOWN_PERIOD: '2' } }
nodeGroups: [{ name: workers, instanceType: m5.large, min: 2, max: 4, desired: DESIRED, subnets: [a], maxPods: 110 }]
";
/// Far more than it takes, and reached only when the test fails.
const WITHIN: Duration = Duration::from_secs(300);

/// Minutes become seconds; the lab's groups have EKS's tags, and Cluster Autoscaler's with them.
fn hurry(config: &mut Value) {
    let seconds = json!({
        "observe": { "subnets_secs": 5, "enis_secs": 10, "instances_secs": 10, "groups_secs": 10 },
        "reachability": { "period_secs": 5, "passes": 2 },
    });
    config.as_object_mut().unwrap().extend(seconds.as_object().unwrap().clone());
    let scaling = config["scaling"].as_object_mut().unwrap();
    scaling.insert("group_tag".to_owned(), json!("eks:cluster-name"));
    scaling.insert("with_cluster_autoscaler".to_owned(), json!(true));
    scaling.insert("period_secs".to_owned(), json!(5));
    scaling.insert("blackout".to_owned(), json!([]));
    let scale_in = json!({
        "utilisation_percent": 60, "unneeded_secs": 10, "min_age_secs": 10, "after_scale_out_secs": 0,
        "cool_down_secs": 5, "max_share_percent": 100,
    });
    scaling.insert("scale_in".to_owned(), scale_in);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_grows_and_shrinks_with_what_is_granted() {
    if skip() {
        return;
    }
    let variant = Variant::read("act");
    let installed = Installed::start(&variant, &NODES.replace("DESIRED", "2"), hurry).await;
    let wanted = Arc::new(AtomicUsize::new(10));
    let controller = tokio::spawn(replicate(installed.client.clone(), "headroom-scheduler", Arc::clone(&wanted)));
    for (pods, nodes) in [(10, 2), (70, 3), (10, 2)] {
        wanted.store(pods, Ordering::Relaxed);
        eventually(&format!("{pods} pods run on {nodes} nodes"), WITHIN, async || {
            let [with_ip, all, there, held] = counts(&installed.client).await.unwrap();
            let enough = if nodes == 2 { there == 2 } else { there >= nodes };
            let done = with_ip == pods && all == pods && enough && held == 0;
            if done { Ok(()) } else { Err(format!("{with_ip} of {all} have an IP, {there} nodes, {held} cordoned")) }
        })
        .await;
    }
    controller.abort();
    fed_and_within_what_is_granted(&variant, &installed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn advice_about_a_spare_node_is_given_with_what_is_granted() {
    if skip() {
        return;
    }
    let variant = Variant::read("pod-identity");
    let installed = Installed::start(&variant, &NODES.replace("DESIRED", "3"), hurry).await;
    let wanted = Arc::new(AtomicUsize::new(10));
    let controller = tokio::spawn(replicate(installed.client.clone(), "headroom-scheduler", wanted));
    fed_and_within_what_is_granted(&variant, &installed).await;
    controller.abort();
    let [_, _, nodes, held] = counts(&installed.client).await.unwrap();
    assert_eq!((nodes, held), (3, 0), "it only advises");
}

async fn fed_and_within_what_is_granted(variant: &Variant, installed: &Installed) {
    assert_eq!(installed.extender.metric("headroom_extender_feed_up{}").await, 1.0, "the extender is fed, over TLS");
    let log = installed.control_plane.audit_log();
    let may_be: BTreeSet<String> = UNUSED.iter().map(|(grant, _)| (*grant).to_owned()).collect();
    eventually("everything that is granted has been used", WITHIN, async || {
        let unused = unused(variant, "headroom-advisor", &calls(&log, "headroom-advisor"));
        if unused.is_subset(&may_be) { Ok(()) } else { Err(format!("{unused:?} was not")) }
    })
    .await;
    // None of them was refused.
    calls(&log, "headroom-scheduler");
}

/// What is granted and may stay unused in a run, and why it is granted.
const UNUSED: [(&str, &str); 3] = [
    ("patch events.events.k8s.io in headroom-advisor", "an event that repeats within six minutes is counted up"),
    ("get persistentvolumeclaims in headroom-advisor", "no pod of the run has a volume"),
    ("get persistentvolumes in headroom-advisor", "no pod of the run has a volume"),
];
