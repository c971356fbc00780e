//! The object store as kubelets and controllers in the lab use it.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::time::Duration;

use headroom_capacity::time::Time;
use headroom_lab::kube::object;
use headroom_lab::kube::resource::{EVENTS, LEASES, NAMESPACES, NODES, POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS};
use headroom_lab::kube::selector::Selector;
use headroom_lab::kube::store::{ChangeKind, Store};
use headroom_lab::kube::{ApiError, DeleteOptions, Part, Patch};
use serde_json::{Value, json};

const NOW: Time = Time::from_secs(1_767_225_600);

fn store() -> Store {
    Store::new(7, NOW)
}

fn pod(name: &str) -> Value {
    json!({ "metadata": { "name": name, "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "main" }] } })
}

fn bind(store: &mut Store, name: &str, node: &str) -> Result<Value, ApiError> {
    let binding = json!({ "target": { "kind": "Node", "name": node } });
    store.bind("default", name, &binding, NOW).map(|pod| Value::clone(&pod))
}

/// A bound pod that reports ready.
fn running(store: &mut Store, pod: Value) {
    let name = object::name(&pod).to_owned();
    store.create(&PODS, pod, NOW).unwrap();
    bind(store, &name, "n1").unwrap();
    let ready = json!({ "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } });
    store.patch(&PODS, "default", &name, &Patch::Strategic(ready), Part::Status, NOW).unwrap();
}

#[test]
fn create_fills_in_what_the_apiserver_owns() {
    let mut store = store();
    let mut new = pod("");
    new["metadata"] = json!({ "generateName": "web-", "uid": "mine" });
    new["status"] = json!({ "phase": "Running" });
    let created = store.create(&PODS, new.clone(), NOW).unwrap();
    assert!(object::name(&created).starts_with("web-") && object::name(&created).len() == 9);
    assert_eq!(object::namespace(&created), "default");
    assert_eq!(object::uid(&created).len(), 36);
    assert_eq!(created["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    assert_eq!(created["status"], json!({ "phase": "Pending" }));
    assert_eq!(object::revision(&created), store.revision());
    let second = store.create(&PODS, new, NOW).unwrap();
    assert_ne!(object::name(&created), object::name(&second));
    assert_ne!(object::uid(&created), object::uid(&second));
}

#[test]
fn create_refuses_what_the_apiserver_refuses() {
    let mut store = store();
    store.create(&PODS, pod("a"), NOW).unwrap();
    let mut refusal = |object: Value| {
        let error = store.create(&PODS, object, NOW).unwrap_err();
        (error.code, error.reason, error.message)
    };
    assert_eq!(refusal(pod("a")), (409, "AlreadyExists", "pods \"a\" already exists".to_owned()));
    let elsewhere = json!({ "metadata": { "name": "a", "namespace": "gone" } });
    assert_eq!(refusal(elsewhere), (404, "NotFound", "namespaces \"gone\" not found".to_owned()));
    assert_eq!(refusal(pod("Upper")).1, "Invalid");
    assert_eq!(refusal(pod("")).1, "Invalid");
    assert_eq!(refusal(json!({ "kind": "Node", "metadata": { "name": "b" } })).1, "BadRequest");
    assert_eq!(refusal(json!(["a"])).1, "BadRequest");
}

#[test]
fn status_and_the_rest_are_written_apart() {
    let mut store = store();
    store.create(&PODS, pod("a"), NOW).unwrap();
    let both = Patch::Merge(json!({ "spec": { "priority": 5 }, "status": { "phase": "Running" } }));
    let main = store.patch(&PODS, "default", "a", &both, Part::Main, NOW).unwrap();
    assert_eq!((&main["spec"]["priority"], &main["status"]["phase"]), (&json!(5), &json!("Pending")));
    assert_eq!(main["metadata"]["generation"], 2);
    let patch = Patch::Merge(json!({ "spec": { "priority": 6 }, "status": { "phase": "Running" } }));
    let status = store.patch(&PODS, "default", "a", &patch, Part::Status, NOW).unwrap();
    assert_eq!((&status["spec"]["priority"], &status["status"]["phase"]), (&json!(5), &json!("Running")));
    assert_eq!(status["metadata"]["generation"], 2);
}

#[test]
fn writes_that_change_nothing_are_no_changes() {
    let mut store = store();
    let created = store.create(&PODS, pod("a"), NOW).unwrap();
    let again = store.update(&PODS, Value::clone(&created), Part::Main, NOW).unwrap();
    assert_eq!(created, again);
    assert_eq!(store.revision(), object::revision(&created));
}

#[test]
fn stale_replace_conflicts() {
    let mut store = store();
    let lease = json!({ "metadata": { "name": "leader" }, "spec": { "holderIdentity": "a" } });
    let mut renewed = Value::clone(&*store.create(&LEASES, lease, NOW).unwrap());
    renewed["spec"]["holderIdentity"] = "b".into();
    store.update(&LEASES, renewed.clone(), Part::Main, NOW).unwrap();
    let stale = store.update(&LEASES, renewed.clone(), Part::Main, NOW).unwrap_err();
    assert_eq!((stale.code, stale.reason), (409, "Conflict"));
    assert!(stale.message.starts_with("Operation cannot be fulfilled on leases.coordination.k8s.io \"leader\""));
    renewed["metadata"]["resourceVersion"] = Value::Null;
    assert_eq!(store.update(&LEASES, renewed, Part::Main, NOW).unwrap_err().code, 422);
}

#[test]
fn pod_is_bound_once() {
    let mut store = store();
    let uid = object::uid(&store.create(&PODS, pod("a"), NOW).unwrap()).to_owned();
    let other = json!({ "metadata": { "uid": "other" }, "target": { "kind": "Node", "name": "n1" } });
    assert_eq!(store.bind("default", "a", &other, NOW).unwrap_err().reason, "Conflict");
    let right = json!({ "metadata": { "uid": uid }, "target": { "kind": "Node", "name": "n1" } });
    let bound = store.bind("default", "a", &right, NOW).unwrap();
    assert_eq!(bound["spec"]["nodeName"], "n1");
    assert_eq!(object::condition(&bound, "PodScheduled"), "True");
    let twice = bind(&mut store, "a", "n2").unwrap_err();
    let message = "Operation cannot be fulfilled on pods/binding \"a\": pod a is already assigned to node \"n1\"";
    assert_eq!((twice.code, twice.message.as_str()), (409, message));
    let moved = Patch::Merge(json!({ "spec": { "nodeName": "n2" } }));
    assert_eq!(store.patch(&PODS, "default", "a", &moved, Part::Main, NOW).unwrap_err().code, 422);
    assert_eq!(bind(&mut store, "missing", "n1").unwrap_err().code, 404);
}

#[test]
fn bound_pod_stays_until_its_kubelet_removes_it() {
    let mut store = store();
    store.create(&PODS, pod("pending"), NOW).unwrap();
    assert!(store.delete(&PODS, "default", "pending", &DeleteOptions::default(), NOW).unwrap().gone);
    running(&mut store, pod("bound"));
    let deletion = store.delete(&PODS, "default", "bound", &DeleteOptions::default(), NOW).unwrap();
    assert!(!deletion.gone);
    assert_eq!(deletion.object["metadata"]["deletionTimestamp"], "2026-01-01T00:00:30Z");
    assert_eq!(deletion.object["metadata"]["deletionGracePeriodSeconds"], 30);
    let wrong = DeleteOptions { grace_period_seconds: Some(0), uid: Some("other".to_owned()), resource_version: None };
    assert_eq!(store.delete(&PODS, "default", "bound", &wrong, NOW).unwrap_err().reason, "Conflict");
    assert!(store.delete_now(&PODS, "default", "bound", NOW).unwrap().gone);
    assert!(store.get(&PODS, "default", "bound").is_none());
}

#[test]
fn finalizers_hold_an_object_back() {
    let mut store = store();
    let node = json!({ "metadata": { "name": "n1", "finalizers": ["example.com/drain"] } });
    store.create(&NODES, node, NOW).unwrap();
    let deletion = store.delete(&NODES, "", "n1", &DeleteOptions::default(), NOW).unwrap();
    assert!(!deletion.gone && object::is_deleting(&deletion.object));
    let release = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    store.patch(&NODES, "", "n1", &release, Part::Main, NOW).unwrap();
    assert!(store.get(&NODES, "", "n1").is_none());
    assert_eq!(store.changes_since(0).unwrap().next_back().unwrap().kind, ChangeKind::Deleted);
}

/// A ReplicaSet of three ready pods under a budget.
fn protected(spec: Value) -> Store {
    let mut store = store();
    let set = json!({ "metadata": { "name": "web" }, "spec": { "replicas": 3 } });
    store.create(&REPLICA_SETS, set, NOW).unwrap();
    for name in ["a", "b", "c"] {
        let mut pod = pod(name);
        pod["metadata"]["ownerReferences"] = json!([{ "kind": "ReplicaSet", "name": "web", "controller": true }]);
        running(&mut store, pod);
    }
    let mut budget = json!({ "metadata": { "name": "web" }, "spec": spec });
    budget["spec"]["selector"] = json!({ "matchLabels": { "app": "web" } });
    store.create(&POD_DISRUPTION_BUDGETS, budget, NOW).unwrap();
    store
}

#[test]
fn eviction_stops_where_the_budget_ends() {
    let cases = [
        (json!({ "minAvailable": 2 }), 1),
        (json!({ "minAvailable": "50%" }), 1),
        (json!({ "maxUnavailable": 2 }), 2),
        (json!({ "maxUnavailable": "34%" }), 2),
        (json!({ "maxUnavailable": 0 }), 0),
        (json!({}), 2),
    ];
    for (spec, allowed) in cases {
        let mut store = protected(spec.clone());
        for (i, name) in ["a", "b", "c"].iter().enumerate() {
            let evicted = store.evict("default", name, &DeleteOptions::default(), NOW);
            if i < allowed {
                assert!(!evicted.unwrap().gone, "{spec}: {name} must get its grace period");
                // The budget still counts on the missing replica.
                store.delete_now(&PODS, "default", name, NOW).unwrap();
            } else {
                let refusal = evicted.unwrap_err();
                assert_eq!((refusal.code, refusal.reason), (429, "TooManyRequests"), "{spec}: {name}");
                assert_eq!(refusal.details["causes"][0]["reason"], "DisruptionBudget");
            }
        }
        store.sync_disruption_budgets("default", NOW);
        let budget = store.get(&POD_DISRUPTION_BUDGETS, "default", "web").unwrap();
        assert_eq!(budget["status"]["disruptionsAllowed"], 0, "{spec}");
        assert_eq!(budget["status"]["currentHealthy"], 3 - allowed, "{spec}");
    }
}

#[test]
fn eviction_needs_no_budget_for_pods_that_do_not_run() {
    let mut store = protected(json!({ "minAvailable": "100%" }));
    store.create(&PODS, pod("pending"), NOW).unwrap();
    assert!(store.evict("default", "pending", &DeleteOptions::default(), NOW).unwrap().gone);
    let second = json!({ "metadata": { "name": "all" }, "spec": { "selector": {}, "minAvailable": 0 } });
    store.create(&POD_DISRUPTION_BUDGETS, second, NOW).unwrap();
    assert_eq!(store.evict("default", "a", &DeleteOptions::default(), NOW).unwrap_err().code, 500);
}

#[test]
fn pod_that_is_not_ready_may_go_while_enough_others_are() {
    let mut store = protected(json!({ "minAvailable": 2 }));
    for (name, allowed) in [("a", true), ("b", false)] {
        let unready = json!({ "status": { "conditions": [{ "type": "Ready", "status": "False" }] } });
        store.patch(&PODS, "default", name, &Patch::Strategic(unready), Part::Status, NOW).unwrap();
        assert_eq!(store.evict("default", name, &DeleteOptions::default(), NOW).is_ok(), allowed, "{name}");
    }
    let always = Patch::Merge(json!({ "spec": { "unhealthyPodEvictionPolicy": "AlwaysAllow" } }));
    store.patch(&POD_DISRUPTION_BUDGETS, "default", "web", &always, Part::Main, NOW).unwrap();
    assert!(store.evict("default", "b", &DeleteOptions::default(), NOW).is_ok());
    assert!(store.evict("default", "c", &DeleteOptions::default(), NOW).is_err());
}

#[test]
fn list_at_goes_back_as_far_as_the_log() {
    let mut store = store();
    store.create(&NODES, json!({ "metadata": { "name": "a" } }), NOW).unwrap();
    store.create(&NODES, json!({ "metadata": { "name": "b" } }), NOW).unwrap();
    let before = store.revision();
    store.delete_now(&NODES, "", "a", NOW).unwrap();
    store.create(&NODES, json!({ "metadata": { "name": "c" } }), NOW).unwrap();
    let names = |store: &Store, at| {
        store.list_at(&NODES, at).map(|list| list.iter().map(|node| object::name(node).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(names(&store, before).unwrap(), ["a", "b"]);
    assert_eq!(names(&store, store.revision()).unwrap(), ["b", "c"]);
    store.compact();
    assert_eq!(names(&store, before).unwrap_err().reason, "Expired");
    assert_eq!(names(&store, store.revision()).unwrap(), ["b", "c"]);
}

#[test]
fn log_keeps_the_newest_changes() {
    let mut store = store();
    store.set_log_capacity(2);
    let start = store.revision();
    for name in ["a", "b", "c"] {
        store.create(&NODES, json!({ "metadata": { "name": name } }), NOW).unwrap();
    }
    assert_eq!(store.changes_since(start).err().unwrap().code, 410);
    assert_eq!(store.changes_since(start + 1).unwrap().count(), 2);
    assert_eq!(store.changes_since(store.revision()).unwrap().count(), 0);
}

#[test]
fn delayed_watches_lag_behind_lists() {
    let mut store = store();
    let start = store.revision();
    store.delay_watches(Duration::from_secs(5));
    store.create(&NODES, json!({ "metadata": { "name": "a" } }), NOW).unwrap();
    let early = store.watch_since(&NODES, start, NOW + Duration::from_secs(2)).unwrap();
    assert!(early.changes.is_empty());
    assert_eq!((early.revision, early.held_for), (start, Some(Duration::from_secs(3))));
    let due = store.watch_since(&NODES, start, NOW + Duration::from_secs(5)).unwrap();
    assert_eq!((due.changes.len(), due.revision, due.held_for), (1, start + 1, None));
    assert_eq!(store.list(&NODES, &Selector::default()).count(), 1);
}

#[test]
fn subscription_wakes_on_changes() {
    let mut store = store();
    let mut progress = store.subscribe();
    assert!(!progress.has_changed().unwrap());
    store.create(&EVENTS, json!({ "metadata": { "generateName": "a." }, "reason": "Killing" }), NOW).unwrap();
    assert!(progress.has_changed().unwrap());
    assert_eq!(progress.borrow_and_update().revision, store.revision());
    store.break_watches();
    assert_eq!(progress.borrow().watch_epoch, 1);
}

#[test]
fn deleting_a_namespace_empties_it() {
    let mut store = store();
    running(&mut store, pod("a"));
    store.delete_now(&NAMESPACES, "", "default", NOW).unwrap();
    assert_eq!(store.list(&PODS, &Selector::default()).count(), 0);
    assert_eq!(store.create(&PODS, pod("b"), NOW).unwrap_err().code, 404);
}

#[test]
fn a_mirrored_pod_keeps_its_uid_and_the_status_that_kubelet_wrote() {
    let mut store = Store::new(1, NOW);
    let mirrored = |uid: &str, node: &str, phase: &str| {
        json!({
            "metadata": { "namespace": "default", "name": "web", "uid": uid, "resourceVersion": "9000" },
            "spec": { "nodeName": node }, "status": { "phase": phase },
        })
    };
    let first = store.mirror(&PODS, mirrored("real-1", "n1", "Pending"), NOW).unwrap();
    assert_eq!((object::uid(&first), object::text(&first, "/status/phase")), ("real-1", "Pending"));
    let mut running = Value::clone(&first);
    running["status"] = json!({ "phase": "Running" });
    store.update(&PODS, running, Part::Status, NOW).unwrap();

    // The other server shows the state before: late, or because it has not been told yet.
    let revision = store.revision();
    let same = store.mirror(&PODS, mirrored("real-1", "n1", "Pending"), NOW).unwrap();
    assert_eq!((object::text(&same, "/status/phase"), store.revision()), ("Running", revision), "nothing has changed");

    store.mirror(&PODS, mirrored("real-2", "n2", "Pending"), NOW).unwrap();
    let kinds: Vec<_> = store
        .changes_since(revision)
        .unwrap()
        .map(|change| (change.kind, object::uid(&change.object).to_owned()))
        .collect();
    assert_eq!(kinds, [(ChangeKind::Deleted, "real-1".to_owned()), (ChangeKind::Added, "real-2".to_owned())]);
    store.mirror_gone(&PODS, "default", "web", "real-1", NOW);
    assert!(store.get(&PODS, "default", "web").is_some(), "it is another pod by now");
    store.mirror_gone(&PODS, "default", "web", "real-2", NOW);
    assert!(store.get(&PODS, "default", "web").is_none());
}

#[test]
fn an_object_without_a_uid_is_not_mirrored() {
    let pod = json!({ "metadata": { "namespace": "default", "name": "web" } });
    let error = Store::new(1, NOW).mirror(&PODS, pod, NOW).unwrap_err();
    assert!(error.to_string().contains("metadata/uid"), "{error}");
}
