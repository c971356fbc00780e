//! Lists, pages and watchers.

use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use headroom_lab::kube::resource::{NODES, PODS};
use headroom_lab::kube::{Part, Patch};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use super::{Cluster, NOW, node, pod};

type Events<K> = Pin<Box<dyn Stream<Item = watcher::Result<Event<K>>> + Send>>;

/// The next event as `Apply a`; errors by their name, a 410's code among them.
async fn next<K: Resource>(events: &mut Events<K>) -> String {
    let event = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
    match event.expect("the watcher must say something").expect("watchers do not end") {
        Ok(Event::Init) => "Init".to_owned(),
        Ok(Event::InitApply(object)) => format!("InitApply {}", object.name_any()),
        Ok(Event::InitDone) => "InitDone".to_owned(),
        Ok(Event::Apply(object)) => format!("Apply {}", object.name_any()),
        Ok(Event::Delete(object)) => format!("Delete {}", object.name_any()),
        Err(watcher::Error::WatchError(status)) => format!("Error {}", status.code),
        Err(error) => panic!("{error}"),
    }
}

async fn expect<K: Resource>(events: &mut Events<K>, expected: &[&str]) {
    for expected in expected {
        assert_eq!(next(events).await, *expected);
    }
}

fn nodes(cluster: &Cluster, config: watcher::Config) -> Events<Node> {
    watcher(Api::all(cluster.client.clone()), config).boxed()
}

fn strategies() -> [watcher::Config; 2] {
    [watcher::Config::default(), watcher::Config::default().streaming_lists()]
}

#[tokio::test]
async fn watcher_sees_what_is_there_and_what_changes() {
    for config in strategies() {
        let cluster = Cluster::start().await;
        cluster.store().create(&NODES, node("a"), NOW).unwrap();
        let mut events = nodes(&cluster, config);
        expect(&mut events, &["Init", "InitApply a", "InitDone"]).await;
        cluster.store().create(&NODES, node("b"), NOW).unwrap();
        expect(&mut events, &["Apply b"]).await;
        let patch = Patch::Merge(json!({ "metadata": { "labels": { "zone": "1" } } }));
        cluster.store().patch(&NODES, "", "a", &patch, Part::Main, NOW).unwrap();
        expect(&mut events, &["Apply a"]).await;
        cluster.store().delete_now(&NODES, "", "b", NOW).unwrap();
        expect(&mut events, &["Delete b"]).await;
    }
}

#[tokio::test]
async fn watcher_goes_on_after_a_closed_stream() {
    for config in strategies() {
        let cluster = Cluster::start().await;
        let mut events = nodes(&cluster, config);
        expect(&mut events, &["Init", "InitDone"]).await;
        {
            let mut store = cluster.store();
            store.break_watches();
            store.create(&NODES, node("missed"), NOW).unwrap();
        }
        expect(&mut events, &["Apply missed"]).await;
    }
}

#[tokio::test]
async fn watcher_lists_again_when_its_revision_is_forgotten() {
    for config in strategies() {
        let cluster = Cluster::start().await;
        let mut events = nodes(&cluster, config);
        expect(&mut events, &["Init", "InitDone"]).await;
        {
            let mut store = cluster.store();
            store.break_watches();
            store.create(&NODES, node("missed"), NOW).unwrap();
            store.compact();
        }
        expect(&mut events, &["Error 410", "Init", "InitApply missed", "InitDone"]).await;
        cluster.store().create(&NODES, node("next"), NOW).unwrap();
        expect(&mut events, &["Apply next"]).await;
    }
}

#[tokio::test]
async fn objects_enter_and_leave_a_selector() {
    let cluster = Cluster::start().await;
    let on_node = watcher::Config::default().fields("spec.nodeName=n1,status.phase!=Succeeded").labels("app in (web)");
    let mut events: Events<Pod> = watcher(Api::all(cluster.client.clone()), on_node).boxed();
    expect(&mut events, &["Init", "InitDone"]).await;
    {
        let mut store = cluster.store();
        for (name, node) in [("a", "n1"), ("b", "n2"), ("c", "n1")] {
            store.create(&PODS, pod(name), NOW).unwrap();
            let binding = json!({ "target": { "kind": "Node", "name": node } });
            store.bind("default", name, &binding, NOW).unwrap();
        }
        let done = Patch::Merge(json!({ "status": { "phase": "Succeeded" } }));
        store.patch(&PODS, "default", "a", &done, Part::Status, NOW).unwrap();
    }
    expect(&mut events, &["Apply a", "Apply c", "Delete a"]).await;
}

#[tokio::test]
async fn metadata_watcher_gets_metadata() {
    for config in strategies() {
        let cluster = Cluster::start().await;
        cluster.store().create(&PODS, pod("a"), NOW).unwrap();
        let pods: Api<PartialObjectMeta<Pod>> = Api::all(cluster.client.clone());
        let mut objects = watcher(pods, config).applied_objects().boxed();
        let object = objects.try_next().await.unwrap().unwrap();
        assert_eq!(object.types.as_ref().unwrap().kind, "PartialObjectMetadata");
        assert_eq!(object.labels()["app"], "web");
    }
}

#[tokio::test]
async fn pages_show_one_revision() {
    let cluster = Cluster::start().await;
    for i in 0..7 {
        cluster.store().create(&NODES, node(&format!("n{i}")), NOW).unwrap();
    }
    let api: Api<Node> = Api::all(cluster.client.clone());
    let mut params = ListParams::default().limit(3);
    let mut names = Vec::new();
    let mut revisions = Vec::new();
    loop {
        let page = api.list(&params).await.unwrap();
        assert!(page.items.len() <= 3);
        names.extend(page.items.iter().map(ResourceExt::name_any));
        revisions.push(page.metadata.resource_version.clone());
        // What happens between two pages is for the watch that follows.
        cluster.store().delete_now(&NODES, "", &format!("n{}", 7 - revisions.len()), NOW).unwrap();
        let Some(token) = page.metadata.continue_.filter(|token| !token.is_empty()) else { break };
        params = params.continue_token(&token);
    }
    assert_eq!(names, ["n0", "n1", "n2", "n3", "n4", "n5", "n6"]);
    assert_eq!(revisions, vec![revisions[0].clone(); 3]);
    let token = api.list(&ListParams::default().limit(1)).await.unwrap().metadata.continue_.unwrap();
    cluster.store().create(&NODES, node("late"), NOW).unwrap();
    cluster.store().compact();
    let gone = super::refusal(api.list(&ListParams::default().limit(1).continue_token(&token)).await);
    assert_eq!((gone.code, gone.reason.as_str()), (410, "Expired"));
}

#[tokio::test]
async fn quiet_watch_ends_with_a_bookmark() {
    let cluster = Cluster::start().await;
    let api: Api<Pod> = Api::all(cluster.client.clone());
    let from = cluster.store().revision().to_string();
    cluster.store().create(&NODES, node("other-resource"), NOW).unwrap();
    let stream = api.watch(&WatchParams::default().timeout(1), &from).await.unwrap();
    let events: Vec<WatchEvent<Pod>> = stream.try_collect().await.unwrap();
    let [WatchEvent::Bookmark(bookmark)] = &events[..] else { panic!("expected a bookmark, not {events:?}") };
    assert_eq!(bookmark.metadata.resource_version, cluster.store().revision().to_string());
}

#[tokio::test]
async fn delayed_changes_reach_watches_when_due() {
    let cluster = Cluster::start().await;
    let mut events = nodes(&cluster, watcher::Config::default());
    expect(&mut events, &["Init", "InitDone"]).await;
    cluster.store().delay_watches(Duration::from_secs(30));
    cluster.store().create(&NODES, node("a"), NOW).unwrap();
    let early = tokio::time::timeout(Duration::from_millis(100), events.next()).await;
    assert!(early.is_err(), "the change must be held back");
    cluster.store().delay_watches(Duration::ZERO);
    expect(&mut events, &["Apply a"]).await;
}
