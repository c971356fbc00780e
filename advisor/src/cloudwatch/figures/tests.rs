use std::collections::HashMap;

use headroom_capacity::settings::CniSettings;
use headroom_capacity::units::Ips;
use headroom_cluster::Kind;
use headroom_forecast::Series;

use super::*;
use crate::cloudwatch::cost::{Sizes, estimate};
use crate::config::CloudWatch;
use crate::headroom::fixtures::{ledger, node, state, subnet};
use crate::headroom::headroom;
use crate::inventory::{Group, ReadAt};
use crate::leaks::LeakReason;
use crate::ledger::Leak;
use crate::outlook;
use crate::state::PodInfo;

const NOW: Time = Time::from_secs(10_000);

struct Sample {
    ledger: Ledger,
    state: ClusterState,
    inventory: Inventory,
}

fn pod(node: Option<&str>, ip: Option<&str>, demand: Demand) -> PodInfo {
    PodInfo {
        name: "default/p".into(),
        node: node.map(Arc::from),
        demand,
        requests: Default::default(),
        scheduling: Default::default(),
        ip: ip.map(|ip| ip.parse().unwrap()),
        over: false,
        shortage: None,
        refused_at: None,
        waiting_since: None,
    }
}

/// Two subnets in two zones; a group with the one node launches into `s` and another, empty one into both.
fn sample() -> Sample {
    let settings = CniSettings::default();
    let coming = SubnetAccount { in_flight_ips: Ips(7), ..subnet(40, 1) };
    let mut ledger = ledger(coming, &[("n1", node(&settings, 5))]);
    ledger.subnets.insert("t".into(), SubnetAccount { az: "b".into(), ..subnet(100, 6) });
    ledger.leaks.push(Leak {
        eni: "eni-1".into(),
        subnet: "t".into(),
        reason: LeakReason::InstanceGone,
        of_cluster: true,
        instance: None,
        created_at: None,
        ips: Ips(16),
    });
    (ledger.pods_without_ip, ledger.pods_refused) = (1, 1);
    let mut state = state(&["n1"], &settings);
    let mut over = pod(Some("n1"), None, Demand::PodIp);
    over.over = true;
    let pods = [
        pod(Some("n1"), Some("10.0.0.9"), Demand::PodIp),
        pod(Some("n1"), None, Demand::PodIp),
        pod(Some("n1"), None, Demand::None),
        pod(None, None, Demand::PodIp),
        over,
    ];
    state.pods = (0..).zip(pods).map(|(uid, pod)| (format!("uid-{uid}").into(), pod)).collect();
    let group = |name: &str, subnets: &[&str]| Group {
        name: name.into(),
        min: 0,
        max: 9,
        desired: 1,
        subnets: subnets.iter().map(|id| (*id).into()).collect(),
        members: Vec::new(),
        types: Vec::new(),
        suspended: Vec::new(),
        tags: BTreeMap::new(),
    };
    let groups = [group("workers", &["s"]), group("spare", &["s", "t", "unknown"])];
    let at = Some(Time::from_secs(9_990));
    let inventory = Inventory {
        groups: groups.into_iter().map(|group| (Arc::clone(&group.name), group)).collect(),
        read_at: ReadAt { subnets: at, enis: at, instances: at, groups: Some(NOW), endpoints: None, offers: None },
        ..Inventory::default()
    };
    Sample { ledger, state, inventory }
}

impl Sample {
    fn data(&self) -> Vec<Datum> {
        let headroom = headroom(&self.ledger, &self.state, NOW);
        let Sample { ledger, state, inventory } = self;
        let max_age = Duration::from_secs(180);
        let outlook = outlook(ledger);
        figures(
            &Observed {
                ledger,
                state,
                inventory,
                headroom: &headroom,
                outlook: Some(&outlook),
                endpoints_down: 2,
                scale_in_blocked: true,
                cluster: "prod",
                max_age,
            },
            NOW,
        )
    }
}

/// Of subnets without a past, of which nothing is expected.
fn outlook(ledger: &Ledger) -> Outlook {
    let past = Series { start_secs: 0, step_secs: 300, values: Vec::new() };
    let settings = CniSettings::shipped();
    let subnets = ledger.subnets.keys().filter_map(|id| {
        let (used, pods, others, to_come) = (&past, &past, &past, &outlook::ToCome::default());
        let observed = outlook::Observed { id, ledger, settings: &settings, used, pods, others, to_come };
        Some((id.clone(), outlook::foresee(&observed)?))
    });
    Outlook { at: NOW, subnets: subnets.collect(), ..Outlook::default() }
}

/// Values by name, and the dimension beside `Cluster`.
fn values(data: &[Datum]) -> HashMap<(String, String), f64> {
    let value = |datum: &Datum| {
        assert_eq!(datum.dimensions[0], ("Cluster".to_owned(), "prod".to_owned()));
        let place = datum.dimensions.get(1).map_or(String::new(), |(name, value)| format!("{name}={value}"));
        ((datum.name.clone(), place), datum.samples[0].value)
    };
    data.iter().map(value).collect()
}

#[test]
fn each_scope_counts_what_is_its_own() {
    let values = values(&sample().data());
    let of = |name: &str| {
        ["", "AZ=a", "AZ=b", "Subnet=s", "Subnet=t", "ASG=workers", "ASG=spare"]
            .map(|place| values.get(&(name.to_owned(), place.to_owned())).copied())
    };
    let all = |values: [u32; 7]| values.map(|value| Some(f64::from(value)));
    let some = |values: [i32; 7]| values.map(|value| (value >= 0).then_some(f64::from(value)));
    assert_eq!(of("SubnetFreeIPs"), all([140, 40, 100, 40, 100, 40, 140]));
    assert_eq!(of("SubnetFreePrefixes"), all([7, 1, 6, 1, 6, 1, 7]));
    assert_eq!(of("InFlightReservedIPs"), all([7, 7, 0, 7, 0, 7, 7]));
    assert_eq!(of("TimeToExhaustionHoursP10"), some([168, 168, 168, 168, 168, -1, -1]));
    let used = |id: &str| i32::try_from(sample().ledger.subnets[&id.into()].used().get()).unwrap();
    assert_eq!(of("ForecastUsedIPsP90"), some([used("s") + used("t"), -1, -1, used("s"), used("t"), -1, -1]));
    assert_eq!(of("LeakedENIs"), some([1, 0, 1, 0, 1, -1, -1]));
    assert_eq!(of("LeakedIPs"), some([16, 0, 16, 0, 16, -1, -1]));
    assert_eq!(of("HeadroomPods"), some([22, 22, 0, -1, -1, 22, 0]));
    assert_eq!(of("PodIPDemand"), some([3, 2, 0, -1, -1, 2, 0]), "the third is not scheduled");
    assert_eq!(of("PodsWithoutIP"), some([1, 1, 0, -1, -1, 1, 0]));
    assert_eq!(of("PodsRefused"), some([1, -1, -1, -1, -1, -1, -1]));
    assert_eq!(of("AdvisorHeartbeat"), some([1, -1, -1, -1, -1, -1, -1]));
    assert_eq!(of("ObservationAge"), some([10, -1, -1, -1, -1, -1, -1]));
    assert_eq!(of("EndpointsDown"), some([2, -1, -1, -1, -1, -1, -1]));
    assert_eq!(of("ScaleInBlocked"), some([1, -1, -1, -1, -1, -1, -1]));
    assert_eq!(of("NodeHeadroomPods")[0], Some(22.0));
}

#[test]
fn a_subnet_that_the_cluster_does_not_draw_on_is_not_told_by_itself() {
    let mut sample = sample();
    let mut own = SubnetAccount { az: "b".into(), ..subnet(7, 0) };
    own.held = Default::default();
    own.held[Owner::Foreign as usize] = Ips(4);
    sample.ledger.subnets.insert("control-plane".into(), own);
    let told = |sample: &Sample| {
        sample.data().iter().any(|datum| datum.dimensions.iter().any(|(_, value)| *value == "control-plane"))
    };
    assert!(!told(&sample));
    sample.state.eni_configs.insert("b".into(), Some("control-plane".into()));
    assert!(told(&sample));
}

#[test]
fn an_old_source_is_not_told() {
    let names = |sample: &Sample| sample.data().into_iter().map(|datum| datum.name).collect::<BTreeSet<String>>();
    let mut old = sample();
    old.inventory.read_at.enis = Some(Time::from_secs(9_000));
    assert_eq!(
        names(&old),
        [
            "AdvisorHeartbeat",
            "EndpointsDown",
            "ObservationAge",
            "PodIPDemand",
            "PodsRefused",
            "PodsWithoutIP",
            "ScaleInBlocked"
        ]
        .map(String::from)
        .into()
    );
    old.inventory.read_at.enis = None;
    old.state.missing = vec![Kind::Pod];
    assert_eq!(names(&old), ["AdvisorHeartbeat", "EndpointsDown", "ScaleInBlocked"].map(String::from).into());
}

#[test]
fn the_estimate_counts_what_is_published() {
    let sizes = Sizes { subnets: 2, azs: 2, groups: 2 };
    let config = CloudWatch { enabled: true, ..CloudWatch::default() };
    let data = sample().data();
    assert_eq!(values(&data).len(), data.len(), "no metric is told twice");
    assert_eq!(estimate(sizes, &config).metrics, data.len() as u64);
}

#[test]
fn equal_nodes_share_one_value_of_the_distribution() {
    let samples: Vec<(f64, f64)> = distribution(&[3, 0, 3, 3]).iter().map(|s| (s.value, s.count)).collect();
    assert_eq!(samples, [(0.0, 1.0), (3.0, 3.0)]);
}
