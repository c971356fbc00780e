//! Objects written through kube-rs.

use headroom_lab::kube::resource::PODS;
use headroom_lab::kube::{Part, Patch as StorePatch};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event as CoreEvent, Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, EvictParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, Status};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};

use super::{Cluster, NOW, node, pod, refusal, typed};

fn pods(cluster: &Cluster) -> Api<Pod> {
    Api::default_namespaced(cluster.client.clone())
}

async fn create_pod(cluster: &Cluster, name: &str) -> Pod {
    pods(cluster).create(&PostParams::default(), &typed(pod(name))).await.unwrap()
}

async fn bind(cluster: &Cluster, name: &str, node: &str) -> kube::Result<Status> {
    let binding = json!({ "metadata": { "name": name }, "target": { "kind": "Node", "name": node } });
    pods(cluster).create_subresource("binding", name, &PostParams::default(), &binding).await
}

#[tokio::test]
async fn objects_come_back_and_go() {
    let cluster = Cluster::start().await;
    let created = create_pod(&cluster, "a").await;
    assert_eq!(pods(&cluster).get("a").await.unwrap(), created);
    let again = refusal(pods(&cluster).create(&PostParams::default(), &typed(pod("a"))).await);
    assert_eq!((again.code, again.reason.as_str()), (409, "AlreadyExists"));
    pods(&cluster).delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(pods(&cluster).get_opt("a").await.unwrap(), None);
    let gone = refusal(pods(&cluster).delete("a", &DeleteParams::default()).await);
    assert_eq!((gone.message.as_str(), gone.reason.as_str()), ("pods \"a\" not found", "NotFound"));
    assert_eq!(gone.details.unwrap().kind, "pods");
}

#[tokio::test]
async fn bound_pod_is_deleted_gracefully() {
    let cluster = Cluster::start().await;
    let uid = create_pod(&cluster, "a").await.uid().unwrap();
    let bound = bind(&cluster, "a", "n1").await.unwrap();
    assert!(bound.is_success());
    let twice = refusal(bind(&cluster, "a", "n2").await);
    assert_eq!((twice.code, twice.reason.as_str()), (409, "Conflict"));
    let stale = Preconditions { uid: Some("other".to_owned()), resource_version: None };
    let stale = DeleteParams { preconditions: Some(stale), ..DeleteParams::default() };
    assert_eq!(refusal(pods(&cluster).delete("a", &stale).await).reason, "Conflict");
    let deleting = pods(&cluster).delete("a", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(deleting.metadata.deletion_grace_period_seconds, Some(30));
    let last = DeleteParams::default().grace_period(0);
    let last = DeleteParams { preconditions: Some(Preconditions { uid: Some(uid), resource_version: None }), ..last };
    pods(&cluster).delete("a", &last).await.unwrap();
    assert_eq!(pods(&cluster).get_opt("a").await.unwrap(), None);
}

#[tokio::test]
async fn eviction_is_refused_by_a_budget() {
    let cluster = Cluster::start().await;
    for name in ["a", "b"] {
        create_pod(&cluster, name).await;
        bind(&cluster, name, "n1").await.unwrap();
        let ready = json!({ "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } });
        let patch = Patch::Strategic(ready);
        pods(&cluster).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }
    let budgets: Api<PodDisruptionBudget> = Api::default_namespaced(cluster.client.clone());
    let spec = json!({ "minAvailable": 1, "selector": { "matchLabels": { "app": "web" } } });
    let budget = typed(json!({ "metadata": { "name": "web" }, "spec": spec }));
    budgets.create(&PostParams::default(), &budget).await.unwrap();
    assert!(pods(&cluster).evict("a", &EvictParams::default()).await.unwrap().is_success());
    assert!(pods(&cluster).get("a").await.unwrap().metadata.deletion_timestamp.is_some());
    let refused = refusal(pods(&cluster).evict("b", &EvictParams::default()).await);
    assert_eq!((refused.code, refused.reason.as_str()), (429, "TooManyRequests"));
    assert_eq!(refused.details.unwrap().causes[0].reason, "DisruptionBudget");
    let status = budgets.get("web").await.unwrap().status.unwrap();
    assert_eq!((status.disruptions_allowed, status.current_healthy), (Some(0), Some(1)));
}

#[tokio::test]
async fn patches_of_every_kind() {
    let cluster = Cluster::start().await;
    create_pod(&cluster, "a").await;
    let api = pods(&cluster);
    let params = PatchParams::apply("headroom-test");
    let merge = Patch::Merge(json!({ "metadata": { "annotations": { "m": "1" } } }));
    api.patch("a", &params, &merge).await.unwrap();
    let json_patch = json!([{ "op": "add", "path": "/metadata/annotations/j", "value": "2" }]);
    let json_patch: Patch<()> = Patch::Json(serde_json::from_value(json_patch).unwrap());
    api.patch("a", &params, &json_patch).await.unwrap();
    let strategic = Patch::Strategic(json!({ "spec": { "containers": [{ "name": "main", "image": "i" }] } }));
    api.patch("a", &params, &strategic).await.unwrap();
    let apply = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "annotations": { "s": "3" } } });
    let pod = api.patch("a", &params, &Patch::Apply(apply)).await.unwrap();
    let annotations: Vec<_> = pod.annotations().iter().map(|(key, value)| format!("{key}{value}")).collect();
    assert_eq!(annotations, ["j2", "m1", "s3"]);
    let containers = pod.spec.unwrap().containers;
    assert_eq!((containers.len(), containers[0].image.as_deref()), (1, Some("i")));
    let missing = refusal(api.patch("b", &params, &merge).await);
    assert_eq!(missing.code, 404);
}

#[tokio::test]
async fn apply_creates_and_needs_a_type() {
    let cluster = Cluster::start().await;
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let params = PatchParams::apply("headroom-test");
    let untyped = refusal(nodes.patch("n1", &params, &Patch::Apply(node("n1"))).await);
    assert_eq!(untyped.code, 400);
    let typed = json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" } });
    assert_eq!(nodes.patch("n1", &params, &Patch::Apply(typed)).await.unwrap().name_any(), "n1");
}

#[tokio::test]
async fn lease_has_one_winner() {
    let cluster = Cluster::start().await;
    let leases: Api<Lease> = Api::namespaced(cluster.client.clone(), "kube-system");
    let lease = typed(json!({ "metadata": { "name": "advisor" }, "spec": { "holderIdentity": "nobody" } }));
    let free = leases.create(&PostParams::default(), &lease).await.unwrap();
    let claim = |who: &str| {
        let mut lease = free.clone();
        lease.spec.as_mut().unwrap().holder_identity = Some(who.to_owned());
        lease
    };
    leases.replace("advisor", &PostParams::default(), &claim("a")).await.unwrap();
    let loser = refusal(leases.replace("advisor", &PostParams::default(), &claim("b")).await);
    assert_eq!((loser.code, loser.reason.as_str()), (409, "Conflict"));
    assert_eq!(leases.get("advisor").await.unwrap().spec.unwrap().holder_identity.as_deref(), Some("a"));
}

#[tokio::test]
async fn recorded_events_are_seen_in_both_groups() {
    let cluster = Cluster::start().await;
    let pod = create_pod(&cluster, "a").await;
    let reporter = Reporter { controller: "headroom".to_owned(), instance: None };
    let recorder = Recorder::new(cluster.client.clone(), reporter);
    let event = Event {
        type_: EventType::Warning,
        reason: "NoAddresses".to_owned(),
        note: Some("subnet is full".to_owned()),
        action: "Schedule".to_owned(),
        secondary: None,
    };
    // The second time it is a series: a merge patch in the words of events.k8s.io.
    recorder.publish(&event, &pod.object_ref(&())).await.unwrap();
    recorder.publish(&event, &pod.object_ref(&())).await.unwrap();
    let events: Api<CoreEvent> = Api::all(cluster.client.clone());
    let about = |fields: &str| ListParams::default().fields(fields);
    let fields =
        "reason=NoAddresses,type=Warning,involvedObject.kind=Pod,involvedObject.name=a,reportingComponent=headroom";
    let found = events.list(&about(fields)).await.unwrap().items;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message.as_deref(), Some("subnet is full"));
    assert_eq!(found[0].involved_object.uid, pod.uid());
    assert_eq!(found[0].series.as_ref().unwrap().count, Some(2));
    assert!(events.list(&about("reason=Killing")).await.unwrap().items.is_empty());
    let unknown = refusal(events.list(&about("message=x")).await);
    assert_eq!((unknown.code, unknown.message.as_str()), (400, "field label not supported: message"));
}

#[tokio::test]
async fn custom_resources_take_no_strategic_patch() {
    let cluster = Cluster::start().await;
    let kind = GroupVersionKind::gvk("vpcresources.k8s.aws", "v1alpha1", "CNINode");
    let cni_nodes: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &ApiResource::from_gvk(&kind));
    let cni_node = json!({
        "apiVersion": "vpcresources.k8s.aws/v1alpha1",
        "kind": "CNINode",
        "metadata": { "name": "n1" },
        "spec": { "features": [{ "name": "SecurityGroupsForPods" }] },
    });
    cni_nodes.create(&PostParams::default(), &typed(cni_node)).await.unwrap();
    let patch = json!({ "spec": { "features": [] } });
    let strategic = refusal(cni_nodes.patch("n1", &PatchParams::default(), &Patch::Strategic(patch.clone())).await);
    assert_eq!((strategic.code, strategic.reason.as_str()), (415, "UnsupportedMediaType"));
    let merged = cni_nodes.patch("n1", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    assert_eq!(merged.data["spec"]["features"], json!([]));
    assert_eq!(merged.metadata.generation, Some(2));
}

#[tokio::test]
async fn collection_is_deleted_by_selector() {
    let cluster = Cluster::start().await;
    for name in ["a", "b"] {
        create_pod(&cluster, name).await;
    }
    let relabel = StorePatch::Merge(json!({ "metadata": { "labels": { "app": "db" } } }));
    cluster.store().patch(&PODS, "default", "b", &relabel, Part::Main, NOW).unwrap();
    let web = ListParams::default().labels("app=web");
    let deleted = pods(&cluster).delete_collection(&DeleteParams::default(), &web).await.unwrap();
    assert_eq!(deleted.left().unwrap().items.len(), 1);
    let left = pods(&cluster).list(&ListParams::default()).await.unwrap();
    assert_eq!(left.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["b"]);
}

#[tokio::test]
async fn everybody_may_do_everything() {
    let cluster = Cluster::start().await;
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let question =
        json!({ "metadata": {}, "spec": { "resourceAttributes": { "verb": "patch", "resource": "nodes" } } });
    let answer = reviews.create(&PostParams::default(), &typed(question)).await.unwrap();
    assert!(answer.status.unwrap().allowed);
}

#[tokio::test]
async fn unusable_requests_get_a_status() {
    let cluster = Cluster::start().await;
    let send = async |method: &str, path: &str, body: &str| {
        let request = http_request(method, path, body);
        let status = refusal(cluster.client.request::<Value>(request).await);
        (status.code, status.reason)
    };
    let not_found = (404, "NotFound".to_owned());
    assert_eq!(send("GET", "/api/v1/things", "").await, not_found);
    assert_eq!(send("GET", "/apis/example.com/v1", "").await, not_found);
    assert_eq!(send("GET", "/metrics", "").await, not_found);
    let not_allowed = (405, "MethodNotAllowed".to_owned());
    assert_eq!(send("POST", "/apis/storage.k8s.io/v1/storageclasses", "{}").await, not_allowed);
    assert_eq!(send("POST", "/version", "").await, not_allowed);
    assert_eq!(send("DELETE", "/api/v1/namespaces/default/pods/a/status", "").await, not_allowed);
    let bad = (400, "BadRequest".to_owned());
    assert_eq!(send("POST", "/api/v1/nodes", "{").await, bad);
    assert_eq!(send("POST", "/api/v1/nodes", "[]").await, bad);
    assert_eq!(send("POST", "/api/v1/nodes?dryRun=All", r#"{"metadata":{"name":"a"}}"#).await, bad);
    assert_eq!(send("GET", "/api/v1/nodes?limit=many", "").await, bad);
    assert_eq!(send("GET", "/api/v1/nodes?resourceVersion=99999", "").await, (504, "Timeout".to_owned()));
    assert_eq!(send("PUT", "/api/v1/nodes/a", r#"{"metadata":{"name":"b"}}"#).await, bad);
    let other = r#"{"metadata":{"name":"a","namespace":"kube-system"}}"#;
    assert_eq!(send("POST", "/api/v1/namespaces/default/pods", other).await, bad);
}

fn http_request(method: &str, path: &str, body: &str) -> axum::http::Request<Vec<u8>> {
    let request = axum::http::Request::builder().method(method).uri(path).header("content-type", "application/json");
    request.body(body.as_bytes().to_vec()).unwrap()
}
