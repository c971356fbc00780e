//! The cluster of the field report grows from 10 pods to 100 and shrinks back, with a
//! scheduler, an extender and an advisor that acts, all of it against the lab's AWS and Kubernetes.

use std::time::Duration;

use headroom_advisor::config::{Mode as Scale, ScaleIn, ScaleOut, Scaling};
use headroom_extender::config::Policy;
use headroom_lab::scenario::Scenario;
use headroom_load_tests::demo::{Mode, Options, Running, start};
use headroom_load_tests::eventually::eventually;
use headroom_load_tests::page::get;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;

/// Lab seconds per real second.
const RATE: f64 = 20.0;
/// Far more than it takes.
const WITHIN: Duration = Duration::from_secs(180);

/// Two m5.large have 54 addresses for pods; 10 pods run, and for five minutes 90 more.
const CLUSTER: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets:
  - { name: a, az: us-west-2a, cidr: 10.0.0.0/24 }
  - { name: b, az: us-west-2b, cidr: 10.0.1.0/24 }
nodeGroups: [{ name: workers, instanceType: m5.large, min: 2, max: 6, desired: 2, subnets: [a, b], maxPods: 110 }]
workloads:
  - { name: api, replicas: 10, replace: true, cpu: 10m, memory: 16Mi }
  - { name: web, replicas: 90, at: 60s, over: 10s, deleteAt: 360s, replace: true, cpu: 10m, memory: 16Mi }
";

fn scaling() -> Scaling {
    Scaling {
        mode: Scale::Act,
        period_secs: 5,
        // The lab's groups bear EKS's tags, and Cluster Autoscaler's with them.
        group_tag: "eks:cluster-name".to_owned(),
        with_cluster_autoscaler: true,
        scale_out: ScaleOut { cool_down_secs: 30, ..ScaleOut::default() },
        scale_in: ScaleIn {
            utilisation_percent: 60,
            unneeded_secs: 30,
            min_age_secs: 60,
            after_scale_out_secs: 60,
            cool_down_secs: 10,
            // Two real seconds: whatever the rate, a scheduler takes its time to see a taint.
            settle_secs: 40,
            max_share_percent: 100,
            ..ScaleIn::default()
        },
        ..Scaling::default()
    }
}

fn desired(running: &Running) -> u32 {
    running.lab().vpc().groups().find(|group| group.name == "eks-workers").unwrap().desired
}

/// What holds at every moment.
fn nothing_is_broken(running: &Running) {
    let totals = running.lab().report().totals;
    assert_eq!(totals.lost, 0, "pods ended with their node");
    let size = desired(running);
    assert!((2..=6).contains(&size), "desired capacity {size}");
}

/// Pods that the budget counts: Ready and not on their way out.
async fn healthy(pods: &Api<Pod>) -> usize {
    let pods = pods.list(&ListParams::default().labels("app=api")).await.unwrap().items;
    let ready = |pod: &&Pod| {
        let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let ready = conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True");
        ready && pod.metadata.deletion_timestamp.is_none()
    };
    pods.iter().filter(ready).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_grows_for_a_hundred_pods_and_shrinks_back_without_losing_one() {
    let options = Options {
        rate: RATE,
        policy: Policy::Soon,
        advisor: true,
        scaling: Some(scaling()),
        time_limit: Duration::from_secs(3600),
    };
    let scenario = Scenario::parse("grow.yaml", CLUSTER).unwrap();
    let running = start(scenario, Mode::Headroom, &options).await.unwrap();
    let client = headroom_cluster::connect(Some(running.lab().kubeconfig()), None).await.unwrap();
    let budgets = Api::<PodDisruptionBudget>::namespaced(client.clone(), "default");
    let budget =
        json!({"metadata": {"name": "api"}, "spec": {"minAvailable": 8, "selector": {"matchLabels": {"app": "api"}}}});
    budgets.create(&PostParams::default(), &serde_json::from_value(budget).unwrap()).await.unwrap();
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    let admin = running.advisor_url().unwrap();
    let page = |path: &'static str| {
        let admin = admin.trim_start_matches("http://").to_owned();
        async move { get(&*admin, path).await.unwrap_or_else(|error| error.to_string()) }
    };

    eventually("100 pods run, each with an address", WITHIN, async || {
        nothing_is_broken(&running);
        let totals = running.lab().report().totals;
        if totals.with_ip == 100 { Ok(()) } else { Err(format!("{totals:?}; {}", page("/plan").await)) }
    })
    .await;
    assert!((4..=6).contains(&desired(&running)), "{} nodes for 100 pods at 27 a node", desired(&running));

    eventually("10 pods are left on 2 nodes, none of them cordoned", WITHIN, async || {
        nothing_is_broken(&running);
        let healthy = healthy(&pods).await;
        assert!(healthy >= 8, "{healthy} of the budget's 8");
        let totals = running.lab().report().totals;
        let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await.unwrap().items;
        let held = nodes.iter().filter(|node| node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)));
        let (nodes, held) = (nodes.len(), held.count());
        let done = totals.with_ip == 10 && totals.unbound == 0 && desired(&running) == 2 && nodes == 2 && held == 0;
        if done { Ok(()) } else { Err(format!("{totals:?}, {nodes} nodes, {held} cordoned; {}", page("/plan").await)) }
    })
    .await;
    let metrics = page("/metrics").await;
    let of = |series: &str| {
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(series))
            .unwrap_or_else(|| panic!("no {series}: {metrics}"));
        line.trim().parse::<f64>().unwrap()
    };
    assert!(of("headroom_advisor_actions_total{action=\"scale_in\",outcome=\"gone\"}") >= 2.0);
    assert!(of("headroom_advisor_actions_total{action=\"scale_out\",outcome=\"arrived\"}") >= 1.0);
    running.shutdown().await.unwrap();
}
