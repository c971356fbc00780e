//! The same cluster as Kubernetes tells it, event by event.

use std::net::IpAddr;
use std::sync::Arc;

use headroom_capacity::budget::NodeKind;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::verdict::Demand;
use headroom_cluster::{Event, Kind, Node, Pod};

use super::{INSTANCE_TYPE, REGION, Size, instance_id, zone};
use crate::bench::fixture::node_name;

/// Labels of an EKS node beside those that are read.
const LABELS: [(&str, &str); 16] = [
    ("alpha.eksctl.io/cluster-name", "shop"),
    ("alpha.eksctl.io/nodegroup-name", "workers"),
    ("beta.kubernetes.io/arch", "amd64"),
    ("beta.kubernetes.io/instance-type", INSTANCE_TYPE),
    ("beta.kubernetes.io/os", "linux"),
    ("eks.amazonaws.com/capacityType", "ON_DEMAND"),
    ("eks.amazonaws.com/nodegroup", "workers"),
    ("eks.amazonaws.com/nodegroup-image", "ami-0a1b2c3d4e5f60718"),
    ("eks.amazonaws.com/sourceLaunchTemplateId", "lt-0123456789abcdef0"),
    ("eks.amazonaws.com/sourceLaunchTemplateVersion", "3"),
    ("k8s.io/cloud-provider-aws", "1553cc5d7f2a8f7a4e5b1c2d3e4f5061"),
    ("kubernetes.io/arch", "amd64"),
    ("kubernetes.io/os", "linux"),
    ("node.kubernetes.io/instance-type", INSTANCE_TYPE),
    ("topology.k8s.aws/zone-id", "euc1-az2"),
    ("topology.kubernetes.io/region", REGION),
];

/// Everything that a watch tells at its start, one after the other.
pub fn events(size: Size) -> impl Iterator<Item = Event> {
    let settings = CniSettings { prefix_delegation: size.prefixes > 0, ..CniSettings::shipped() };
    let settings = Event::CniSettings { settings: Box::new(settings), problems: Vec::new() };
    let nodes = (0..size.nodes).map(move |n| Event::NodeApplied(Box::new(node(size, n))));
    let pods = (0..size.pods).map(move |p| pod_applied(size, p));
    let synced = Kind::ALL.into_iter().map(|kind| Event::Synced { kind, absent: false });
    std::iter::once(settings).chain(nodes).chain(pods).chain(synced)
}

/// A pod that runs and has its address.
#[must_use]
pub fn pod_applied(size: Size, pod: u32) -> Event {
    Event::PodApplied(Box::new(Pod {
        uid: format!("90d00000-0000-4000-8000-{pod:012x}").into(),
        namespace: "checkout".into(),
        name: format!("checkout-api-6d9c5b7f4d-{pod:05x}").into(),
        resource_version: u64::from(pod),
        node: Some(node_name(pod % size.nodes).into()),
        nominated_node: None,
        priority: 0,
        demand: Demand::PodIp,
        requests: Default::default(),
        ip: Some(IpAddr::V4(size.pod_ip(pod))),
        terminal: false,
        deleting: false,
        schedule_failure: None,
        shortage: None,
        placement: Default::default(),
        ties: Default::default(),
        labels: Default::default(),
    }))
}

fn node(size: Size, n: u32) -> Node {
    let (name, zone) = (node_name(n), zone(size.subnet_of(n)));
    let own = [("kubernetes.io/hostname", name.as_str()), ("topology.kubernetes.io/zone", zone)];
    let labels = LABELS.into_iter().chain(own).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Node {
        instance_type: Some(INSTANCE_TYPE.into()),
        zone: Some(zone.into()),
        provider_id: Some(Arc::from(format!("aws:///{zone}/{}", instance_id(n)))),
        labels,
        annotations: [("node.alpha.kubernetes.io/ttl".to_owned(), "0".to_owned())].into(),
        ..Node::ready(&name, NodeKind::Linux, 234)
    }
}
