//! The same object in both encodings. `golden` has a Pod and a Node in JSON and as upstream's Go types write them in protobuf
//! (`load-tests/control-plane/cmd/encode`).

use bytes::Bytes;
use headroom_capacity::binding::{Allocatable, Requests};
use headroom_capacity::budget::NodeKind;

use super::message::{object, open};
use crate::event::{Event, Node, Taint};
use crate::object::Guard;
use crate::ties::Ties;
use crate::{node, pod};

const POD_JSON: &str = include_str!("golden/pod.json");
const POD: &[u8] = include_bytes!("golden/pod.pb");
const NODE_JSON: &str = include_str!("golden/node.json");
const NODE: &[u8] = include_bytes!("golden/node.pb");

fn pod_of(envelope: &[u8]) -> Guard<pod::RawPod> {
    object(open(&Bytes::copy_from_slice(envelope)).unwrap()).unwrap()
}

#[test]
fn a_pod_is_the_same_in_both_encodings() {
    let event = pod::applied(pod_of(POD).0.unwrap());
    assert_eq!(event, pod::applied(serde_json::from_str(POD_JSON).unwrap()));
    let Some(Event::PodApplied(pod)) = event else { panic!("{event:?}") };
    assert!(pod.terminal && pod.deleting && pod.schedule_failure.is_some());
    assert_eq!(pod.ip, Some([10, 0, 0, 4].into()));
    assert_eq!((pod.priority, pod.resource_version, pod.nominated_node.as_deref()), (-7, 4711, Some("n2")));
    // The init container beside the one that stays; the pod's own memory; the overhead. A claim, an ephemeral and an EBS volume.
    let requests = Requests { cpu_millis: 550 + 5, memory_bytes: (256 << 20) + 1_000_000, volumes: 3 };
    assert_eq!(pod.requests, requests);
    let Ties { affinity, anti_affinity, spread, ports, extended, beyond } = &pod.ties;
    assert_eq!((affinity.len(), anti_affinity.len(), spread.len(), ports.len(), *beyond), (1, 1, 1, 1, true));
    assert_eq!(extended, &[("nvidia.com/gpu".to_owned(), 2)].into());
    assert_eq!(pod.labels, [("app".to_owned(), "web".to_owned())].into());
    let mut node = Node::ready("n2", NodeKind::Linux, 10);
    node.labels = [("disk", "ssd"), ("zone", "b")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    node.taints.push(Taint { key: "team".to_owned(), value: "x".to_owned(), effect: "NoSchedule".to_owned() });
    assert!(pod.placement.allows(&node));
    node.labels.insert("spot".to_owned(), String::new());
    assert!(!pod.placement.allows(&node));
    node.name = "n1".into();
    assert!(pod.placement.allows(&node));
    node.taints[0].value = "y".to_owned();
    assert!(!pod.placement.allows(&node));
}

#[test]
fn a_node_is_the_same_in_both_encodings() {
    let raw = open(&Bytes::from_static(NODE)).unwrap();
    let event = node::applied(object(raw).unwrap().0.unwrap());
    assert_eq!(event, node::applied(serde_json::from_str(NODE_JSON).unwrap()));
    let Some(Event::NodeApplied(node)) = event else { panic!("{event:?}") };
    assert!(node.unschedulable && node.ready && node.trunk_label);
    assert_eq!((node.max_pods, node.pod_enis, node.windows_ips), (58, Some(18), Some(14)));
    let allocatable = Allocatable { cpu_millis: Some(3920), memory_bytes: Some(7_134_420 << 10), volumes: Some(25) };
    assert_eq!(node.allocatable, allocatable);
}

/// Go writes what is empty; in JSON it is missing.
#[test]
fn an_empty_string_is_none() {
    let node = include_bytes!("golden/bare.pb");
    let event = node::applied(object(open(&Bytes::from_static(node)).unwrap()).unwrap().0.unwrap());
    assert_eq!(event, node::applied(serde_json::from_str(include_str!("golden/bare.json")).unwrap()));
    let Some(Event::NodeApplied(node)) = event else { panic!("{event:?}") };
    assert_eq!(node.provider_id, None);
}

/// Go lets a string pass that is not UTF-8.
#[test]
fn a_wrong_object_still_says_which_one_it_is() {
    let at = POD.windows(12).position(|part| part == b"Unschedulabl").unwrap();
    let mut broken = POD.to_vec();
    broken[at] = 0xff;
    let invalid = pod_of(&broken).0.unwrap_err();
    assert_eq!(
        (invalid.metadata.namespace.as_deref(), invalid.metadata.name.as_deref()),
        (Some("shop"), Some("web-0"))
    );
    assert!(invalid.error.contains("invalid string value"), "{}", invalid.error);
}

#[test]
fn what_is_cut_off_or_not_protobuf_is_an_error() {
    assert!(open(&Bytes::from_static(POD_JSON.as_bytes())).unwrap_err().to_string().contains("does not begin with"));
    // After the object come two empty fields, of two bytes each.
    for len in 0..POD.len() - 4 {
        let cut = open(&Bytes::copy_from_slice(&POD[..len])).and_then(object::<pod::PodSpec, pod::PodStatus>);
        // Cut off before the object it is an object without a name.
        assert!(cut.is_err() || cut.is_ok_and(|pod| pod.0.is_ok_and(|pod| pod::applied(pod).is_none())), "{len}");
    }
}
