//! Pods and Nodes of the real kube-apiserver, watched in protobuf and in JSON at the same time: both tell the same. Needs the
//! binaries of `load-tests/control-plane/build.sh`.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headroom_cluster::{Client, Event, Kind, Watch, watch};
use headroom_load_tests::control_plane::ControlPlane;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Request, Response};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::client::{Body, ClientBuilder, DynBody};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::util::{MapRequestLayer, MapResponseLayer};

const WITHIN: Duration = Duration::from_secs(60);
/// The objects that are made last.
const LAST: &str = "zz-last";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_encodings_tell_the_same() {
    if headroom_load_tests::control_plane::skip() {
        return;
    }
    let control_plane = ControlPlane::start().await.unwrap();
    let client = control_plane.client.clone();
    let (in_protobuf, protobuf_types) = observer(control_plane.kubeconfig(), None).await;
    let (in_json, json_types) = observer(control_plane.kubeconfig(), Some("application/json")).await;

    let mut early = [Watching::start(&in_protobuf).await, Watching::start(&in_json).await];
    write(&client).await;
    let [protobuf, json] = &mut early;
    let (protobuf, json) = (protobuf.until_last().await, json.until_last().await);
    assert!(protobuf.pods.len() >= 12 && protobuf.nodes.len() >= 5, "{protobuf:#?}");
    assert_eq!(protobuf, json, "what the watches told");
    assert_shows_everything(&protobuf);

    // More than one page of 500, and no change any more.
    let mut late = [Watching::start(&in_protobuf).await, Watching::start(&in_json).await];
    let [protobuf, json] = &mut late;
    let (protobuf, json) = (protobuf.until_last().await, json.until_last().await);
    assert_eq!(protobuf, json, "what the lists told");
    assert!(protobuf.nodes.len() > 500, "{}", protobuf.nodes.len());

    let kinds = |types: &Types| types.lock().unwrap().clone();
    let protobuf = |suffix: &str| format!("application/vnd.kubernetes.protobuf{suffix}");
    assert!(
        kinds(&protobuf_types).is_superset(&[protobuf(""), protobuf(";stream=watch")].into()),
        "{protobuf_types:?}"
    );
    assert!(!kinds(&json_types).iter().any(|kind| kind.contains("protobuf")), "{json_types:?}");
}

type Types = Arc<Mutex<BTreeSet<String>>>;

/// A client that notes the types of what it is answered, and asks for `accept` whatever it is told to ask for.
async fn observer(kubeconfig: &Path, accept: Option<&'static str>) -> (Client, Types) {
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    let types = Types::default();
    let seen = Arc::clone(&types);
    let note = MapResponseLayer::new(move |response: Response<Box<DynBody>>| {
        if let Some(kind) = response.headers().get(CONTENT_TYPE) {
            seen.lock().unwrap().insert(kind.to_str().unwrap().to_owned());
        }
        response
    });
    let ask = MapRequestLayer::new(move |mut request: Request<Body>| {
        if let Some(accept) = accept {
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
        }
        request
    });
    (ClientBuilder::try_from(config).unwrap().with_layer(&note).with_layer(&ask).build(), types)
}

/// What was told of Pods and of Nodes, each in order.
#[derive(Debug, Default, PartialEq)]
struct Told {
    pods: Vec<Event>,
    nodes: Vec<Event>,
}

struct Watching {
    events: tokio::sync::mpsc::Receiver<Event>,
    told: Told,
    _tasks: JoinSet<()>,
}

impl Watching {
    /// Returns when Pods and Nodes are listed.
    async fn start(client: &Client) -> Watching {
        let Watch { events, tasks } = watch(client);
        let mut running = JoinSet::new();
        for (_, task) in tasks {
            running.spawn(task);
        }
        let mut watching = Watching { events, told: Told::default(), _tasks: running };
        let mut synced = BTreeSet::new();
        while !synced.is_superset(&[Kind::Node, Kind::Pod].into()) {
            if let Some(kind) = watching.next().await {
                synced.insert(kind);
            }
        }
        watching
    }

    /// The kind that is synced, if that is the next event.
    async fn next(&mut self) -> Option<Kind> {
        let event = tokio::time::timeout(WITHIN, self.events.recv()).await;
        match event.unwrap_or_else(|_| panic!("silent after {:#?}", self.told)).unwrap() {
            event @ (Event::PodApplied(_) | Event::PodDeleted(_)) => self.told.pods.push(event),
            event @ (Event::NodeApplied(_) | Event::NodeDeleted(_)) => self.told.nodes.push(event),
            Event::Synced { kind, .. } => return Some(kind),
            event @ (Event::WatchFailed { .. } | Event::Undecodable { .. }) => panic!("{event:?}"),
            _ => {}
        }
        None
    }

    async fn until_last(&mut self) -> Told {
        let last_pod = |event: &Event| matches!(event, Event::PodApplied(pod) if &*pod.name == LAST);
        let last_node = |event: &Event| matches!(event, Event::NodeApplied(node) if &*node.name == LAST);
        while !(self.told.pods.iter().any(last_pod) && self.told.nodes.iter().any(last_node)) {
            self.next().await;
        }
        std::mem::take(&mut self.told)
    }
}

/// Each field that an event has was seen with more than one value, so that equality says something.
fn assert_shows_everything(told: &Told) {
    let pods: Vec<_> = told
        .pods
        .iter()
        .filter_map(|event| if let Event::PodApplied(pod) = event { Some(pod) } else { None })
        .collect();
    let nodes: Vec<_> = told
        .nodes
        .iter()
        .filter_map(|event| if let Event::NodeApplied(node) = event { Some(node) } else { None })
        .collect();
    let deleted = told.pods.iter().filter(|event| matches!(event, Event::PodDeleted(_))).count();
    assert!(deleted > 0 && told.nodes.iter().any(|event| matches!(event, Event::NodeDeleted(_))));
    fn varies<T, V: PartialEq + Debug>(what: &str, of: &[T], value: impl Fn(&T) -> V) {
        assert!(of.iter().any(|one| value(one) != value(&of[0])), "{what} is always {:?}", value(&of[0]));
    }
    varies("node", &pods, |pod| pod.node.clone());
    varies("nominated node", &pods, |pod| pod.nominated_node.clone());
    varies("priority", &pods, |pod| pod.priority);
    varies("demand", &pods, |pod| pod.demand);
    varies("requests", &pods, |pod| pod.requests);
    varies("IP", &pods, |pod| pod.ip);
    varies("terminal", &pods, |pod| pod.terminal);
    varies("deleting", &pods, |pod| pod.deleting);
    varies("schedule failure", &pods, |pod| pod.schedule_failure);
    varies("resource version", &pods, |pod| pod.resource_version);
    varies("instance type", &nodes, |node| node.instance_type.clone());
    varies("zone", &nodes, |node| node.zone.clone());
    varies("provider ID", &nodes, |node| node.provider_id.clone());
    varies("kind", &nodes, |node| node.kind);
    varies("max pods", &nodes, |node| node.max_pods);
    varies("pod ENIs", &nodes, |node| node.pod_enis);
    varies("Windows IPs", &nodes, |node| node.windows_ips);
    varies("allocatable", &nodes, |node| node.allocatable);
    varies("unschedulable", &nodes, |node| node.unschedulable);
    varies("ready", &nodes, |node| node.ready);
    varies("trunk label", &nodes, |node| node.trunk_label);
    varies("annotations", &nodes, |node| node.annotations.clone());
}

/// Nodes and pods in every state that Headroom tells apart.
async fn write(client: &Client) {
    let nodes = Api::<Node>::all(client.clone());
    let pods = Api::<Pod>::namespaced(client.clone(), "default");
    write_nodes(&nodes).await;
    write_pods(&pods, &Api::all(client.clone())).await;
    for n in 0..510 {
        create(&nodes, json!({"metadata": {"name": format!("filler-{n}")}})).await;
    }
    create(&nodes, json!({"metadata": {"name": LAST}})).await;
    create(&pods, pod(LAST, json!({}), json!({}))).await;
}

async fn write_nodes(nodes: &Api<Node>) {
    let quantities = json!({"pods": "58", "cpu": "3920m", "memory": "7800Mi", "vpc.amazonaws.com/pod-eni": "18",
        "vpc.amazonaws.com/PrivateIPv4Address": "2k"});
    create(
        nodes,
        json!({
            "metadata": {"name": "n1", "labels": {"node.kubernetes.io/instance-type": "c5.xlarge", "empty": "",
                "topology.kubernetes.io/zone": "eu-west-1a", "vpc.amazonaws.com/has-trunk-attached": "true"},
                "annotations": {"k8s.amazonaws.com/eniConfig": "zone-a", "blob": "{\"a\": 1}"}},
            "spec": {"providerID": "aws:///eu-west-1a/i-0a1b2c3d4e5f60001", "podCIDR": "10.1.0.0/24",
                "taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]},
        }),
    )
    .await;
    let conditions = |ready: &str| {
        json!([{"type": "PIDPressure", "status": "False"}, {"type": "Ready", "status": ready, "reason": "Kubelet",
            "message": "ü", "lastHeartbeatTime": "2026-11-25T08:00:00Z"}])
    };
    for ready in ["Unknown", "True"] {
        let status = json!({"capacity": quantities, "allocatable": quantities, "conditions": conditions(ready),
            "images": [{"names": ["a@sha256:b"], "sizeBytes": 7}]});
        patch_status(nodes, "n1", status).await;
    }
    let windows = json!({"capacity": {"pods": "110"}, "allocatable": {"vpc.amazonaws.com/PrivateIPv4Address": "14"}});
    create(nodes, json!({"metadata": {"name": "n2", "labels": {"kubernetes.io/os": "windows"}}, "status": windows}))
        .await;
    create(nodes, json!({"metadata": {"name": "n3"}, "spec": {"providerID": "eks-hybrid:///eu-west-1/prod/mi-01"}}))
        .await;
    patch(nodes, "n3", json!({"spec": {"unschedulable": true}})).await;
    nodes.delete("n3", &DeleteParams::default()).await.unwrap();
}

async fn write_pods(pods: &Api<Pod>, classes: &Api<k8s_openapi::api::scheduling::v1::PriorityClass>) {
    create(classes, json!({"metadata": {"name": "urgent"}, "value": 1_000_000})).await;
    create(pods, pod("plain", json!({}), json!({}))).await;
    create(pods, pod("host", json!({"hostNetwork": true, "nodeName": "n1"}), json!({}))).await;
    let branch = json!({"limits": {"vpc.amazonaws.com/pod-eni": "1"}, "requests": {"cpu": "100m", "vpc.amazonaws.com/pod-eni": "1"}});
    create(pods, pod("branch", json!({"nodeName": "n1", "priorityClassName": "urgent"}), branch.clone())).await;
    let init = json!({"initContainers": [{"name": "init", "image": "pause", "resources": branch}]});
    create(pods, pod("init", init, json!({}))).await;
    create(
        pods,
        pod("windows", json!({"nodeName": "n2"}), json!({"limits": {"vpc.amazonaws.com/PrivateIPv4Address": "1"}})),
    )
    .await;

    let unschedulable = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available: „kein Platz“.", "lastProbeTime": null});
    patch_status(pods, "plain", json!({"conditions": [unschedulable], "nominatedNodeName": "n1"})).await;
    patch_status(pods, "branch", json!({"phase": "Running", "podIP": "10.0.0.4", "podIPs": [{"ip": "10.0.0.4"}]}))
        .await;
    patch_status(pods, "branch", json!({"phase": "Succeeded"})).await;
    patch_status(pods, "windows", json!({"phase": "Failed", "reason": "Evicted"})).await;
    // The first only marks the pod, which waits for its kubelet.
    pods.delete("host", &DeleteParams::default()).await.unwrap();
    pods.delete("host", &DeleteParams::default().grace_period(0)).await.unwrap();
}

fn pod(name: &str, mut spec: Value, resources: Value) -> Value {
    spec["containers"] = json!([{"name": "side", "image": "pause", "env": [{"name": "a", "value": "b"}]},
        {"name": "main", "image": "pause", "resources": resources}]);
    json!({"metadata": {"name": name, "labels": {"app": "web"}, "annotations": {"a": "b"}, "finalizers": []}, "spec": spec})
}

/// Tries again while the API server has no default namespace yet.
async fn create<K: Clone + Debug + Serialize + DeserializeOwned>(api: &Api<K>, object: Value) {
    let object: K = serde_json::from_value(object).unwrap();
    for _ in 0..100 {
        match api.create(&PostParams::default(), &object).await {
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 403 => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            result => return drop(result.unwrap()),
        }
    }
    panic!("not created: {object:?}");
}

async fn patch<K: Clone + Debug + DeserializeOwned>(api: &Api<K>, name: &str, patch: Value) {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

async fn patch_status<K: Clone + Debug + DeserializeOwned>(api: &Api<K>, name: &str, status: Value) {
    let patch = json!({"status": status});
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}
