//! From a request to what counts of it. What cannot be read is not known; nothing here fails.

use std::collections::{BTreeMap, HashSet};

use headroom_capacity::budget::NodeKind;
use headroom_proto::grpcplugin::BestOptionsRequest;
use prost::Message;

use super::wire::{Fields, Malformed, Value};

/// Fields of `expander.proto`'s Option.
const OPTION_GROUP: u64 = 1;
const OPTION_NODES: u64 = 2;
const OPTION_POD: u64 = 4;
const OPTION_POD_BYTES: u64 = 5;
/// `Pod.metadata`, `ObjectMeta.uid`, `Pod.spec` and `PodSpec.hostNetwork` in k8s.io/api `core/v1/generated.proto` and apimachinery
/// `meta/v1/generated.proto`.
const POD_METADATA: u64 = 1;
const METADATA_UID: u64 = 5;
const POD_SPEC: u64 = 2;
const SPEC_HOST_NETWORK: u64 = 11;

/// One group that Cluster Autoscaler could grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Its ID; on AWS the Auto Scaling group's name.
    pub group: String,
    /// Nodes that would be added; at least one.
    pub nodes: u32,
    /// The pods that they would be added for.
    pub pods: Pods,
    /// What a node of the group would be; `None` where that was not sent or cannot be read.
    pub template: Option<Template>,
    /// The request names the group once more, and this is not the first time.
    pub again: bool,
}

/// Pods of an option.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    /// Those that need an address: all but those on the host's network.
    pub with_ip: u32,
    /// Those whose bytes are no pod, which count as needing an address, and one more where the list breaks off.
    pub unread: u32,
    /// Who they are, by a hash of their UID; those that have none are left out.
    pub keys: Vec<u64>,
}

/// What a node of a group would be: a node that is there already with another name, or, for a group without one, what the
/// provider makes of the launch template (CA `cloudprovider/aws/aws_manager.go`, `buildNodeFromTemplate`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// `status.allocatable.pods`. Without a node to go by it is 110 whatever the type, unless the group has the tag
    /// `k8s.io/cluster-autoscaler/node-template/resources/pods`.
    pub max_pods: Option<u32>,
}

impl Template {
    /// Its instance type.
    #[must_use]
    pub fn instance_type(&self) -> Option<&str> {
        self.labels.get("node.kubernetes.io/instance-type").map(String::as_str)
    }

    /// Who gives its pods their addresses.
    #[must_use]
    pub fn kind(&self) -> NodeKind {
        NodeKind::from_node(|key| self.labels.get(key).map(String::as_str), None)
    }

    /// Reads an encoded core/v1 Node.
    fn of(node: &[u8]) -> Option<Template> {
        let Node { metadata, status } = Node::decode(node).ok()?;
        let Metadata { labels, annotations } = metadata.unwrap_or_default();
        let pods = status.unwrap_or_default().allocatable.remove("pods");
        Some(Template { labels, annotations, max_pods: pods.and_then(|pods| pods.string.parse().ok()) })
    }
}

/// What `request` asks, option by option in its order. Of two maps and two lists of pods the newer counts where it holds anything:
/// some versions send both with the same content (`expander.proto`).
#[must_use]
pub fn read(request: &BestOptionsRequest) -> Vec<Asked> {
    let mut seen = HashSet::new();
    let asked = request.options.iter().map(|bytes| {
        let mut asked = Asked { nodes: 1, ..Asked::default() };
        if option(bytes, &mut asked) == Err(Malformed) {
            asked.pods.unread += 1;
        }
        let node = request.node_bytes_map.get(&asked.group).or_else(|| request.node_map.get(&asked.group));
        asked.template = node.and_then(|node| Template::of(node));
        asked.again = !seen.insert(asked.group.clone());
        asked
    });
    asked.collect()
}

/// Reads an encoded Option, as far as it can be.
fn option(bytes: &[u8], into: &mut Asked) -> Result<(), Malformed> {
    let mut fields = Fields::of(bytes);
    let mut newer = false;
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (OPTION_GROUP, Value::Bytes(id)) => into.group = String::from_utf8_lossy(id).into_owned(),
            // A negative one is larger than any.
            (OPTION_NODES, Value::Varint(nodes)) => into.nodes = u32::try_from(nodes).unwrap_or_default().max(1),
            // Kubernetes writes fields in the order of their numbers.
            (OPTION_POD, Value::Bytes(bytes)) if !newer => into.pods.add(bytes),
            (OPTION_POD_BYTES, Value::Bytes(bytes)) => {
                if !newer {
                    (newer, into.pods) = (true, Pods::default());
                }
                into.pods.add(bytes);
            }
            _ => {}
        }
    }
    Ok(())
}

impl Pods {
    fn add(&mut self, bytes: &[u8]) {
        match pod(bytes) {
            Ok(Pod { host_network, key }) => {
                self.with_ip += u32::from(!host_network);
                self.keys.extend(key);
            }
            Err(Malformed) => {
                self.with_ip += 1;
                self.unread += 1;
            }
        }
    }
}

struct Pod {
    host_network: bool,
    key: Option<u64>,
}

/// Of an encoded core/v1 Pod: looks no further than the two fields that it is about. Kubernetes writes each of them once.
fn pod(bytes: &[u8]) -> Result<Pod, Malformed> {
    let mut pod = Pod { host_network: false, key: None };
    let mut fields = Fields::of(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (POD_METADATA, Value::Bytes(metadata)) => {
                if let Some(Value::Bytes(uid)) = Fields::of(metadata).first(METADATA_UID)? {
                    pod.key = (!uid.is_empty()).then(|| key(uid));
                }
            }
            (POD_SPEC, Value::Bytes(spec)) => {
                let host_network = Fields::of(spec).first(SPEC_HOST_NETWORK)?;
                pod.host_network = host_network.is_some_and(|value| matches!(value, Value::Varint(1..)));
                break;
            }
            _ => {}
        }
    }
    Ok(pod)
}

/// A UID is random already; its bytes need only be told apart.
fn key(uid: &[u8]) -> u64 {
    uid.chunks(8).fold(0, |key: u64, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (key.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

#[derive(Message)]
struct Node {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Metadata>,
    #[prost(message, optional, tag = "3")]
    status: Option<Status>,
}

#[derive(Message)]
struct Metadata {
    #[prost(btree_map = "string, string", tag = "11")]
    labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "12")]
    annotations: BTreeMap<String, String>,
}

#[derive(Message)]
struct Status {
    #[prost(btree_map = "string, message", tag = "2")]
    allocatable: BTreeMap<String, Quantity>,
}

#[derive(Clone, PartialEq, Message)]
struct Quantity {
    #[prost(string, tag = "1")]
    string: String,
}
