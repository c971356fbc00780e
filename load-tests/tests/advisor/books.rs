//! What it tells of subnets is what there is, and follows it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use headroom_advisor::cloudwatch::catalog::{FIGURES, Scope};
use headroom_advisor::ledger::Owner;
use headroom_lab::aws::{Dimensions, Samples};
use headroom_lab::scenario::Scenario;
use headroom_lab::world::Report;
use headroom_load_tests::scheduler;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::json;

use crate::rig::{Page, Rig, begins_to_lead, config, period, ready, until, value};

/// 2 x c5.xlarge with 4 ENIs of 15 addresses each, and 16 system pods.
async fn rig() -> Rig {
    let mut scenario = Scenario::bundled("r4-c5-xlarge").unwrap().unwrap();
    scenario.workloads.clear();
    scenario.node_groups[0].max = Some(3);
    Rig::start(scenario).await
}

fn pods(rig: &Rig) -> Api<Pod> {
    Api::namespaced(rig.kube.clone(), "default")
}

async fn create_pods(rig: &Rig, count: usize) {
    let requests = json!({"cpu": "10m", "memory": "16Mi"});
    let containers = json!([{"name": "web", "image": "web", "resources": {"requests": requests}}]);
    let pod = |n: usize| -> Pod {
        let spec = json!({"containers": containers, "terminationGracePeriodSeconds": 1});
        serde_json::from_value(json!({"metadata": {"name": format!("web-{n}")}, "spec": spec})).unwrap()
    };
    let pods = pods(rig);
    for n in 0..count {
        pods.create(&PostParams::default(), &pod(n)).await.unwrap();
    }
}

/// Addresses of the only subnet by owner, and what is free in it.
type Figures = (BTreeMap<&'static str, u32>, [u32; 3]);

/// As the lab counts them while nothing is on its way.
fn expected(report: &Report) -> Figures {
    let sum = |of: fn(&headroom_lab::world::NodeReport) -> u32| report.nodes.iter().map(of).sum::<u32>();
    let nodes = u32::try_from(report.nodes.len()).unwrap();
    let (assigned, cooling) = (sum(|node| node.ips_assigned.get()), sum(|node| node.ips_cooling.get()));
    let held = Owner::ALL.map(|owner| {
        let ips = match owner {
            Owner::NodePrimary => nodes,
            Owner::EniPrimary => sum(|node| node.enis_attached.get()) - nodes,
            Owner::Pod => assigned,
            Owner::Cooling => cooling,
            Owner::Warm => sum(|node| node.ips_total.get()) - assigned - cooling,
            Owner::Branch | Owner::Leaked | Owner::Foreign => 0,
        };
        (owner.label(), ips)
    });
    let subnet = &report.subnets[0];
    (held.into(), [subnet.free_ips.get(), subnet.free_prefixes.get(), 0])
}

async fn told(admin: SocketAddr, report: &Report) -> Figures {
    let page = Page::of(admin).await;
    let place = format!("subnet=\"{}\",az=\"us-west-2a\"", report.subnets[0].id);
    let get = |series: String| {
        let value = page.get(&series);
        assert!(value >= 0.0 && value.fract() == 0.0, "{series} {value}");
        value.to_string().parse::<u32>().unwrap()
    };
    let held = |owner: Owner| get(format!("subnet_held_ips{{{place},owner=\"{}\"}}", owner.label()));
    let free = ["free_ips", "free_prefixes", "in_flight_ips"].map(|name| get(format!("subnet_{name}{{{place}}}")));
    (Owner::ALL.map(|owner| (owner.label(), held(owner))).into(), free)
}

/// Waits until `pods` have an IP and nothing cools, and all figures are the lab's; its report.
async fn settled(rig: &Rig, admin: SocketAddr, nodes: usize, pods: u32) -> Report {
    until("the figures are the lab's", async || {
        let report = rig.lab.report();
        let (want, is) = (expected(&report), told(admin, &report).await);
        let there = report.nodes.len() == nodes && report.totals.with_ip == pods && want.0["cooling"] == 0;
        if there && want == is { Ok(report) } else { Err(format!("{want:?} of the lab, {is:?} of the advisor")) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_has_its_owner_in_prometheus_and_cloudwatch() {
    let rig = rig().await;
    let (_stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let options = scheduler::Options { extender: None, clock: rig.lab.clock().clone() };
    let scheduler = tokio::spawn(scheduler::run(rig.kube.clone(), options, async { drop(stopped.await) }));
    let advisor = rig.advisor(config()).await;
    let admin = advisor.admin_addr();
    ready(admin).await;
    begins_to_lead(admin).await;
    settled(&rig, admin, 2, 16).await;

    create_pods(&rig, 60).await;
    let full = settled(&rig, admin, 2, 76).await;
    cloudwatch_has(&rig, &full).await;

    // While the addresses of 50 pods cool down they are nobody's to give.
    let gone = pods(&rig);
    for n in 0..50 {
        gone.delete(&format!("web-{n}"), &DeleteParams::default()).await.unwrap();
    }
    until("addresses are seen to cool down", async || {
        let (held, _) = told(admin, &rig.lab.report()).await;
        if held["cooling"] > 0 { Ok(()) } else { Err(format!("{held:?}")) }
    })
    .await;
    let emptier = settled(&rig, admin, 2, 26).await;
    cloudwatch_has(&rig, &emptier).await;

    a_node_that_is_launched_has_its_addresses_reserved(&rig, admin).await;
    scheduler.abort();
    advisor.stop().await.unwrap();
    rig.lab.shutdown().await;
}

async fn a_node_that_is_launched_has_its_addresses_reserved(rig: &Rig, admin: SocketAddr) {
    let now = rig.now();
    let group = rig.vpc().groups().next().unwrap().name.clone();
    rig.vpc().set_desired(&group, 3, false, now).unwrap();
    until("addresses are in flight", async || {
        let (held, [free, _, in_flight]) = told(admin, &rig.lab.report()).await;
        if in_flight > 0 { Ok(()) } else { Err(format!("{held:?}, {free} free")) }
    })
    .await;
    settled(rig, admin, 3, 26).await;
}

/// Names, dimensions and values of a publication that is made while the lab stays as it is.
async fn cloudwatch_has(rig: &Rig, report: &Report) {
    let from = rig.now();
    // What was published first may have been counted before.
    for _ in 0..2 {
        rig.heartbeat_after(rig.now()).await;
    }
    let (subnet, group) = (report.subnets[0].id.clone(), rig.vpc().groups().next().unwrap().name.clone());
    let dimensions = |scope: Scope| -> Dimensions {
        let place = match scope {
            Scope::Cluster => None,
            Scope::Az => Some(("AZ", "us-west-2a")),
            Scope::Subnet => Some(("Subnet", subnet.as_str())),
            Scope::Asg => Some(("ASG", group.as_str())),
        };
        let all = [("Cluster", "headroom-lab")].into_iter().chain(place);
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let ids = FIGURES.iter().flat_map(|figure| figure.scopes.iter().map(|scope| (figure.name, dimensions(*scope))));
    let ids: BTreeSet<(String, Dimensions)> = ids.map(|(name, dimensions)| (name.to_owned(), dimensions)).collect();
    let published = rig.vpc().metrics().list();
    assert!(published.iter().all(|metric| metric.namespace == "Headroom"));
    assert_eq!(published.into_iter().map(|metric| (metric.name, metric.dimensions)).collect::<BTreeSet<_>>(), ids);

    let newest = |name: &str, scope: Scope| {
        let newest = rig.points(name).into_iter().rfind(|datum| datum.dimensions == dimensions(scope)).unwrap();
        assert!(newest.at > from, "{newest:?}");
        newest
    };
    // Pools may still have moved when the report was made: a busy machine gives the lab's nodes their turns late.
    let (free, demand) = until("CloudWatch has what the lab has", async || {
        let report = rig.lab.report();
        let (free, demand) = (f64::from(report.subnets[0].free_ips.get()), f64::from(report.totals.bound));
        let told = [("SubnetFreeIPs", free), ("InFlightReservedIPs", 0.0), ("PodIPDemand", demand)]
            .map(|(name, want)| (value(&newest(name, Scope::Cluster)), want));
        if told.iter().all(|(got, want)| got == want) { Ok((free, demand)) } else { Err(format!("{told:?}")) }
    })
    .await;
    for scope in [Scope::Cluster, Scope::Az, Scope::Subnet, Scope::Asg] {
        assert_eq!(value(&newest("SubnetFreeIPs", scope)), free);
        assert_eq!(value(&newest("InFlightReservedIPs", scope)), 0.0);
    }
    // 2 x 4 ENIs with 14 addresses for pods each.
    let headroom = 112.0 - demand;
    for scope in [Scope::Cluster, Scope::Az, Scope::Asg] {
        assert_eq!(value(&newest("HeadroomPods", scope)), headroom);
        assert_eq!(value(&newest("PodIPDemand", scope)), demand);
        assert_eq!(value(&newest("PodsWithoutIP", scope)), 0.0);
    }
    let Samples::Values(nodes) = newest("NodeHeadroomPods", Scope::Cluster).samples else { panic!("values") };
    let of = |f: fn(&(f64, f64)) -> f64| nodes.iter().map(f).sum::<f64>();
    assert_eq!((of(|(_, count)| *count), of(|(value, count)| value * count)), (2.0, headroom));
    let (heartbeat, age) = (newest("AdvisorHeartbeat", Scope::Cluster), newest("ObservationAge", Scope::Cluster));
    assert_eq!((value(&heartbeat), &*heartbeat.unit, &*age.unit), (1.0, "Count", "Seconds"));
    assert!(value(&age) < 30.0, "{age:?}");
    let beats = rig.heartbeats();
    assert!(beats.windows(2).all(|pair| pair[0] + 1 == pair[1]), "one in each period: {beats:?}");
    assert!(period(heartbeat.at) == *beats.last().unwrap());
}
