//! Whatever happens: who lists at a revision and then follows the watch ends with what a list shows.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use headroom_lab::kube::resource::PODS;
use headroom_lab::kube::{DeleteOptions, Part, Patch, Store};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, VersionMatch, WatchEvent, WatchParams};
use kube::{Api, ResourceExt};
use proptest::prelude::*;
use serde_json::json;

use super::{Cluster, NOW, pod};

/// The last thing that happens, so that the replay knows when it is done. Every selector below means it.
const END: &str = "end";

const SELECTORS: [(&str, &str); 4] =
    [("", ""), ("app=web", ""), ("", "spec.nodeName=n1"), ("app notin (db)", "spec.nodeName=n1")];

#[derive(Clone, Copy, Debug)]
enum Step {
    Create,
    Relabel(&'static str),
    Bind(&'static str),
    Delete,
    DeleteNow,
}

fn step() -> impl Strategy<Value = (Step, u8)> {
    let step = prop_oneof![
        3 => Just(Step::Create),
        2 => prop_oneof![Just("web"), Just("db")].prop_map(Step::Relabel),
        2 => prop_oneof![Just("n1"), Just("n2")].prop_map(Step::Bind),
        1 => Just(Step::Delete),
        2 => Just(Step::DeleteNow),
    ];
    (step, 0..5_u8)
}

/// Many steps are refused, a second binding for example: then nothing changes.
fn run(store: &mut Store, step: Step, name: &str) {
    match step {
        Step::Create => store.create(&PODS, pod(name), NOW).is_ok(),
        Step::Relabel(app) => {
            let patch = Patch::Merge(json!({ "metadata": { "labels": { "app": app } } }));
            store.patch(&PODS, "default", name, &patch, Part::Main, NOW).is_ok()
        }
        Step::Bind(node) => store.bind("default", name, &json!({ "target": { "name": node } }), NOW).is_ok(),
        Step::Delete => store.delete(&PODS, "default", name, &DeleteOptions::default(), NOW).is_ok(),
        Step::DeleteNow => store.delete_now(&PODS, "default", name, NOW).is_ok(),
    };
}

fn known(pods: Vec<Pod>) -> BTreeMap<String, Pod> {
    pods.into_iter().map(|pod| (pod.name_any(), pod)).collect()
}

async fn replayed(cluster: &Cluster, from: u64, labels: &str, fields: &str) -> BTreeMap<String, Pod> {
    let api: Api<Pod> = Api::all(cluster.client.clone());
    let at = ListParams::default().labels(labels).fields(fields).at(&from.to_string()).matching(VersionMatch::Exact);
    let mut pods = known(api.list(&at).await.unwrap().items);
    let params = WatchParams::default().labels(labels).fields(fields);
    let mut events = std::pin::pin!(api.watch(&params, &from.to_string()).await.unwrap());
    loop {
        match events.try_next().await.unwrap().unwrap() {
            WatchEvent::Added(pod) => {
                let end = pod.name_any() == END;
                assert_eq!(pods.insert(pod.name_any(), pod), None, "added twice");
                if end {
                    return pods;
                }
            }
            WatchEvent::Modified(pod) => assert!(pods.insert(pod.name_any(), pod).is_some(), "modified, never added"),
            WatchEvent::Deleted(pod) => assert!(pods.remove(&pod.name_any()).is_some(), "deleted, never added"),
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(status) => panic!("{status:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn list_and_watch_agree(steps in prop::collection::vec(step(), 1..40), start in any::<prop::sample::Index>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let cluster = Cluster::start().await;
            let start = start.index(steps.len());
            let mut from = 0;
            for (i, (step, pod)) in steps.iter().enumerate() {
                let mut store = cluster.store();
                if i == start {
                    from = store.revision();
                }
                run(&mut store, *step, &format!("p{pod}"));
            }
            let mut end = pod(END);
            end["spec"]["nodeName"] = "n1".into();
            cluster.store().create(&PODS, end, NOW).unwrap();
            let api: Api<Pod> = Api::all(cluster.client.clone());
            for (labels, fields) in SELECTORS {
                let params = ListParams::default().labels(labels).fields(fields);
                let listed = known(api.list(&params).await.unwrap().items);
                assert_eq!(replayed(&cluster, from, labels, fields).await, listed, "{labels} {fields}");
            }
        });
    }
}
