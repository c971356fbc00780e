//! From bytes to what is asked.

use std::collections::{BTreeMap, HashMap};

use headroom_proto::grpcplugin::{BestOptionsRequest, Option as Group};
use proptest::prelude::*;
use prost::Message;

use super::*;

#[derive(Clone, Message)]
struct Pod {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Metadata>,
    #[prost(message, optional, tag = "2")]
    spec: Option<PodSpec>,
    #[prost(bytes = "vec", tag = "3")]
    status: Vec<u8>,
}

#[derive(Clone, Message)]
struct Metadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "5")]
    uid: String,
    #[prost(btree_map = "string, string", tag = "11")]
    labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "12")]
    annotations: BTreeMap<String, String>,
}

#[derive(Clone, Message)]
struct PodSpec {
    #[prost(string, tag = "10")]
    node_name: String,
    #[prost(bool, optional, tag = "11")]
    host_network: Option<bool>,
    #[prost(int64, tag = "25")]
    priority: i64,
}

#[derive(Clone, Message)]
struct Node {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Metadata>,
    #[prost(message, optional, tag = "3")]
    status: Option<Status>,
}

#[derive(Clone, Message)]
struct Status {
    #[prost(btree_map = "string, message", tag = "2")]
    allocatable: BTreeMap<String, Quantity>,
}

#[derive(Clone, PartialEq, Message)]
struct Quantity {
    #[prost(string, tag = "1")]
    string: String,
}

fn pod(uid: &str, host_network: Option<bool>) -> Vec<u8> {
    let metadata = Metadata { name: format!("pod-{uid}"), uid: uid.to_owned(), ..Metadata::default() };
    let spec = PodSpec { node_name: "n".to_owned(), host_network, priority: -1 };
    Pod { metadata: Some(metadata), spec: Some(spec), status: vec![1, 2, 3] }.encode_to_vec()
}

fn node() -> Vec<u8> {
    let pods = [("pods".to_owned(), Quantity { string: "58".to_owned() })];
    let labels = [("node.kubernetes.io/instance-type".to_owned(), "m5.large".to_owned())];
    let metadata = Metadata { labels: labels.into(), ..Metadata::default() };
    Node { metadata: Some(metadata), status: Some(Status { allocatable: pods.into() }) }.encode_to_vec()
}

fn option(name: &str, pods: &[Vec<u8>], old: bool, new: bool) -> Group {
    let if_so = |yes: bool| if yes { pods.to_vec() } else { Vec::new() };
    Group {
        node_group_id: name.to_owned(),
        node_count: 2,
        debug: "for people".to_owned(),
        pod: if_so(old),
        pod_bytes: if_so(new),
    }
}

/// Two groups with three pods each, in the fields of Cluster Autoscaler before 1.34.2, from then on, or both.
fn request(old: bool, new: bool) -> BestOptionsRequest {
    let pods = [pod("a", None), pod("b", Some(false)), pod("c", Some(true))];
    let group = |name: &str| option(name, &pods, old, new).encode_to_vec().into();
    let nodes = HashMap::from([("one".to_owned(), node())]);
    BestOptionsRequest {
        options: vec![group("one"), group("two")],
        node_map: if old { nodes.clone() } else { HashMap::new() },
        node_bytes_map: if new { nodes } else { HashMap::new() },
    }
}

#[test]
fn every_version_says_the_same() {
    let asked = read(&request(false, true));
    assert_eq!(read(&request(true, false)), asked);
    assert_eq!(read(&request(true, true)), asked, "what comes twice counts once");
    let [one, two] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((one.group.as_str(), one.nodes, one.pods.with_ip, one.pods.unread), ("one", 2, 2, 0));
    assert_eq!(one.pods.keys.len(), 3, "those on the host's network are asked for too");
    assert_eq!(one.pods.keys, two.pods.keys);
    let template = one.template.as_ref().unwrap();
    assert_eq!((template.instance_type(), template.max_pods), (Some("m5.large"), Some(58)));
    assert_eq!(two.template, None, "nothing was sent for it");
}

#[test]
fn a_group_that_is_named_again_and_a_count_that_is_none() {
    let mut request = request(false, true);
    request.options[1] = Group { node_count: -3, ..option("one", &[], true, true) }.encode_to_vec().into();
    let asked = read(&request);
    assert_eq!((asked[0].again, asked[1].again, asked[1].nodes), (false, true, 1));
}

#[test]
fn what_is_no_pod_or_node_is_not_known() {
    let mut request = request(false, true);
    let pods = [pod("a", None), pod("b", None), vec![0x0a, 0x7f]];
    request.options[0] = option("one", &pods, false, true).encode_to_vec().into();
    request.options[1] = request.options[0].slice(..request.options[0].len() - 1);
    request.node_bytes_map.insert("one".to_owned(), vec![0xff]);
    let asked = read(&request);
    assert_eq!((asked[0].pods.with_ip, asked[0].pods.unread), (3, 1), "it may need an address");
    assert_eq!((asked[1].group.as_str(), asked[1].pods.with_ip, asked[1].pods.unread), ("one", 2, 1), "cut off");
    assert_eq!(asked[0].template, None);
    assert_eq!(read(&BestOptionsRequest::default()), []);
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut request = request(true, false);
        request.options[0] = option("one", std::slice::from_ref(&bytes), true, false).encode_to_vec().into();
        request.options.push(bytes.clone().into());
        request.node_map.insert("two".to_owned(), bytes.clone());
        prop_assert_eq!(read(&request).len(), 3);
        if let Ok(request) = BestOptionsRequest::decode(&*bytes) {
            prop_assert_eq!(read(&request).len(), request.options.len());
        }
    }

    /// One that is cut off or changed anywhere is counted as a pod all the same.
    #[test]
    fn a_pod_that_is_damaged_is_one_pod(cut in 0_usize..60, at in 0_usize..60, to: u8) {
        let mut bytes = pod("a", Some(false));
        let at = at % bytes.len();
        bytes[at] = to;
        bytes.truncate(cut);
        let mut request = request(false, true);
        request.options[0] = option("one", &[bytes], false, true).encode_to_vec().into();
        let pods = &read(&request)[0].pods;
        prop_assert!(pods.with_ip <= 1 && pods.unread <= pods.with_ip && pods.keys.len() <= 1);
    }
}
