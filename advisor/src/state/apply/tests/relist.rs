//! Whatever was seen before, a new list of everything leaves what the list says and nothing else.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;

const NODES: [&str; 3] = ["n1", "n2", "n3"];
const PODS: [(&str, Demand); 6] = [
    ("a", Demand::PodIp),
    ("b", Demand::PodIp),
    ("c", Demand::PodIp),
    ("branch", Demand::BranchEni),
    ("windows", Demand::WindowsIp),
    ("host", Demand::None),
];
const CONFIGS: [&str; 2] = ["default", "zone-a"];

fn a_node() -> impl Strategy<Value = Node> {
    let label = proptest::option::of(select(&CONFIGS[..]));
    (select(&NODES[..]), label, any::<bool>()).prop_map(|(name, label, ready)| {
        let label = label.map(|value| ("k8s.amazonaws.com/eniConfig".to_owned(), value.to_owned()));
        Node { ready, labels: label.into_iter().collect(), ..node(name) }
    })
}

/// Few addresses, so that pods inherit them and claim the same.
fn a_pod() -> impl Strategy<Value = Pod> {
    let bound = proptest::option::weighted(0.8, select(&NODES[..]));
    (select(&PODS[..]), bound, proptest::option::of(1_u8..4), any::<bool>()).prop_map(
        |((uid, demand), node, last, terminal)| Pod {
            node: node.map(Arc::from),
            ip: last.map(|last| ip(last).into()),
            demand,
            terminal,
            ..waiting(uid)
        },
    )
}

fn a_cni_node() -> impl Strategy<Value = CniNode> {
    (select(&NODES[..]), any::<bool>()).prop_map(|(name, wanted)| CniNode {
        name: name.into(),
        security_groups_for_pods: wanted,
        eni_config: None,
    })
}

fn an_eni_config() -> impl Strategy<Value = EniConfig> {
    (select(&CONFIGS[..]), select(&["subnet-1", "subnet-2"][..]))
        .prop_map(|(name, subnet)| EniConfig { name: name.into(), subnet: Some(subnet.into()) })
}

fn a_setting() -> impl Strategy<Value = Event> {
    (any::<bool>(), 0_u64..60).prop_map(|(custom_networking, secs)| {
        settings(CniSettings { custom_networking, ip_cooldown: Duration::from_secs(secs), ..CniSettings::default() })
    })
}

/// Anything but a refusal.
fn an_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => a_node().prop_map(|node| Event::NodeApplied(Box::new(node))),
        8 => a_pod().prop_map(|pod| Event::PodApplied(Box::new(pod))),
        1 => a_cni_node().prop_map(Event::CniNodeApplied),
        1 => an_eni_config().prop_map(Event::EniConfigApplied),
        1 => a_csi_node().prop_map(csi_node_applied),
        1 => a_setting(),
        1 => select(&NODES[..]).prop_map(|name| Event::NodeDeleted(name.into())),
        4 => select(&PODS[..]).prop_map(|(uid, _)| Event::PodDeleted(uid.into())),
        1 => select(&NODES[..]).prop_map(|name| Event::CniNodeDeleted(name.into())),
        1 => select(&CONFIGS[..]).prop_map(|name| Event::EniConfigDeleted(name.into())),
        1 => select(&NODES[..]).prop_map(|name| Event::CsiNodeDeleted(name.into())),
    ]
}

fn a_csi_node() -> impl Strategy<Value = (&'static str, Option<u32>)> {
    (select(&NODES[..]), proptest::option::of(0_u32..3))
}

fn csi_node_applied((name, ebs_volumes): (&'static str, Option<u32>)) -> Event {
    Event::CsiNodeApplied { name: name.into(), ebs_volumes }
}

/// The API server's events last longer than any of this.
fn refusals() -> impl Strategy<Value = Vec<(&'static str, u64)>> {
    let one = (select(&PODS[..]), 900_u64..1100).prop_map(|((uid, _), at)| (uid, at));
    proptest::collection::vec(one, 0..6)
}

/// A list of one kind, and then the end of those that it lacks.
fn listed<T>(
    all: Vec<&'static str>,
    one: impl Strategy<Value = T>,
    name: fn(&T) -> &str,
    applied: fn(T) -> Event,
    gone: fn(&str) -> Event,
) -> impl Strategy<Value = Vec<Event>>
where
    T: std::fmt::Debug,
{
    proptest::collection::vec(one, 0..8).prop_map(move |list| {
        let lacks = |wanted: &&&str| !list.iter().any(|one| name(one) == **wanted);
        let ends: Vec<Event> = all.iter().filter(lacks).map(|name| gone(name)).collect();
        list.into_iter().map(applied).chain(ends).collect()
    })
}

/// Everything once, the kinds in any order.
fn lists() -> impl Strategy<Value = Vec<Vec<Event>>> {
    let nodes = listed(
        NODES.to_vec(),
        a_node(),
        |node| &node.name,
        |node| Event::NodeApplied(Box::new(node)),
        |name| Event::NodeDeleted(name.into()),
    );
    let pods = listed(
        PODS.map(|(uid, _)| uid).to_vec(),
        a_pod(),
        |pod| pod.uid.as_str(),
        |pod| Event::PodApplied(Box::new(pod)),
        |uid| Event::PodDeleted(uid.into()),
    );
    let cni_nodes = listed(
        NODES.to_vec(),
        a_cni_node(),
        |cni| &cni.name,
        Event::CniNodeApplied,
        |name| Event::CniNodeDeleted(name.into()),
    );
    let eni_configs = listed(
        CONFIGS.to_vec(),
        an_eni_config(),
        |config| &config.name,
        Event::EniConfigApplied,
        |name| Event::EniConfigDeleted(name.into()),
    );
    let csi_nodes =
        listed(NODES.to_vec(), a_csi_node(), |csi| csi.0, csi_node_applied, |name| Event::CsiNodeDeleted(name.into()));
    let kinds = (nodes, pods, cni_nodes, eni_configs, csi_nodes, a_setting());
    kinds
        .prop_map(|(nodes, pods, cni, eni, csi, setting)| vec![nodes, pods, cni, eni, csi, vec![setting]])
        .prop_shuffle()
}

/// Without what depends on when things were seen.
fn timeless(state: &mut State, now: Time) -> ClusterState {
    let mut view = ClusterState::clone(&state.view(now));
    view.cooling.clear();
    for info in view.pods.values_mut() {
        info.waiting_since = info.waiting_since.map(|_| Time::ZERO);
    }
    view
}

proptest! {
    #[test]
    fn a_new_list_leaves_no_trace_of_what_was_seen_before(
        history in proptest::collection::vec((an_event(), 0_u64..20), 0..40),
        refusals in refusals(),
        lists in lists(),
        heard in subsequence((0..6_usize).collect::<Vec<_>>(), 0..6),
        refusals_at in 0_usize..6,
    ) {
        let mut now = Time::from_secs(1100);
        let refusals: Vec<Event> = refusals.into_iter().map(|(uid, at)| refused(uid, Time::from_secs(at))).collect();
        let mut lists = lists;
        lists.insert(refusals_at, refusals.clone());
        let (mut seen, mut fresh) = (State::new(), State::new());
        for (at, (event, secs)) in history.into_iter().enumerate() {
            now = now + Duration::from_secs(secs);
            seen.apply(event, now);
            if let Some(refusal) = heard.get(at / 4).and_then(|at| refusals.get(*at)) {
                seen.apply(refusal.clone(), now);
            }
            let view = seen.view(now);
            prop_assert!(view.cooling.keys().all(|ip| !view.holders.contains_key(ip)));
            prop_assert!(view.holders.iter().all(|(ip, uid)| view.pods[uid].ip == Some(*ip)));
        }
        for event in lists.into_iter().flatten() {
            seen.apply(event.clone(), now);
            fresh.apply(event, now);
        }
        prop_assert_eq!(timeless(&mut seen, now), timeless(&mut fresh, now));
    }
}
