//! The field report's case with what is shipped: 2 x c5.xlarge, 116 pods, 112 addresses.

use std::collections::BTreeSet;
use std::time::Duration;

use headroom_load_tests::control_plane::skip;
use headroom_load_tests::eventually::eventually;
use headroom_load_tests::replicas::pod;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};

use crate::audit::{calls, unused};
use crate::install::Installed;
use crate::manifests::{NAMESPACE, Variant};

const NODES: &str = "clusterName: prod
vpc: { cidr: 10.0.0.0/16 }
subnets: [{ name: a, az: us-west-2a, cidr: 10.0.0.0/22 }]
ec2Quotas: { reads: { burst: 500, perSec: 100 }, writes: { burst: 500, perSec: 100 } }
cni: { env: { IP_COOLDOWN_PERIOD: '2' } }
nodeGroups: [{ name: workers, instanceType: c5.xlarge, count: 2, subnets: [a], maxPods: 110 }]
";
/// Far more than it takes, and reached only when the test fails.
const WITHIN: Duration = Duration::from_secs(300);
const REFUSAL: &str = "0/2 nodes are available: 2 no pod IP left: instance type's ENI and IP limit reached. ";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_116_pods_112_run_and_none_hangs() {
    if skip() {
        return;
    }
    let variant = Variant::read("default");
    let installed = Installed::start(&variant, NODES, |_| {}).await;
    let pods = Api::<Pod>::namespaced(installed.client.clone(), "default");
    // Nobody's: this cluster has no scheduler of that name.
    let mut others = pod(9999, "default-scheduler");
    others.metadata.name = Some("others".to_owned());
    pods.create(&PostParams::default(), &others).await.unwrap();
    for n in 0..116 {
        pods.create(&PostParams::default(), &pod(n, "headroom-scheduler")).await.unwrap();
    }

    settled(&installed, [112, 112, 4]).await;
    let bound: Vec<String> = names(&pods, |pod| node(pod).is_some()).await;
    let explained = installed.explain("default/web-0000").await;
    assert!(explained.contains("instance_ip_limit"), "{explained}");
    assert_eq!(installed.extender.metric("headroom_extender_feed_up{}").await, 1.0, "the extender is fed");
    for lease in ["headroom-scheduler", "headroom-advisor"] {
        assert!(holder(&installed.client, lease).await.is_some(), "nobody holds {lease}");
    }

    // Room comes back, and nothing but the extender tells kube-scheduler.
    for name in &bound[..3] {
        pods.delete(name, &DeleteParams::default()).await.unwrap();
    }
    settled(&installed, [112, 112, 1]).await;
    assert!(installed.extender.metric("headroom_extender_woken_pods_total").await >= 1.0);
    assert_eq!(names(&pods, |pod| node(pod).is_none()).await.len(), 2, "the one that waits, and the other scheduler's");

    let log = installed.control_plane.audit_log();
    for account in ["headroom-scheduler", "headroom-advisor"] {
        let unused = unused(&variant, account, &calls(&log, account));
        assert_eq!(unused, BTreeSet::new(), "granted to {account} and not used");
    }
    assert_eq!(installed.kubelets.refused_writes(), 0, "writes that the API server refused");
}

/// Pods that are bound, that have an address, and that are refused: for the one reason.
async fn settled(installed: &Installed, wanted: [usize; 3]) {
    let pods = Api::<Pod>::namespaced(installed.client.clone(), "default");
    eventually(&format!("{wanted:?} pods are bound, run and wait"), WITHIN, async || {
        let pods = pods.list(&ListParams::default()).await.unwrap().items;
        let count = |is: fn(&Pod) -> bool| pods.iter().filter(|pod| is(pod)).count();
        let got = [count(|pod| node(pod).is_some()), count(has_ip), count(refused)];
        if got == wanted { Ok(()) } else { Err(format!("{got:?}; {:?}", installed.kubelets.report().totals)) }
    })
    .await;
}

async fn names(pods: &Api<Pod>, is: impl Fn(&Pod) -> bool) -> Vec<String> {
    let pods = pods.list(&ListParams::default()).await.unwrap().items;
    pods.iter().filter(|pod| is(pod)).filter_map(|pod| pod.metadata.name.clone()).collect()
}

fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn has_ip(pod: &Pod) -> bool {
    pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some())
}

fn refused(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    node(pod).is_none()
        && conditions.filter_map(|condition| condition.message.as_deref()).any(|text| text.starts_with(REFUSAL))
}

async fn holder(client: &Client, lease: &str) -> Option<String> {
    let leases = Api::<Lease>::namespaced(client.clone(), NAMESPACE);
    leases.get(lease).await.unwrap().spec?.holder_identity.filter(|holder| !holder.is_empty())
}
