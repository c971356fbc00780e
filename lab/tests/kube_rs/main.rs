//! Unmodified kube-rs clients against the lab's Kubernetes API, over HTTP and through the kubeconfig it writes.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod discovery;
mod replay;
mod watching;
mod writing;

use std::sync::{Arc, Mutex, MutexGuard};

use headroom_capacity::time::Time;
use headroom_lab::clock::Clock;
use headroom_lab::kube::Store;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

const NOW: Time = Time::from_secs(1_767_225_600);

/// A server on a free port. It ends with the test's runtime.
struct Cluster {
    store: Arc<Mutex<Store>>,
    client: kube::Client,
}

impl Cluster {
    async fn start() -> Cluster {
        let store = Arc::new(Mutex::new(Store::new(7, NOW)));
        let router = headroom_lab::kube::router(store.clone(), Clock::manual(NOW));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let kubeconfig = Kubeconfig::from_yaml(&headroom_lab::kube::kubeconfig(&url)).unwrap();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        // Otherwise the client answers a 429, as an eviction's, by trying again for minutes.
        config.default_retry = false;
        Cluster { store, client: kube::Client::try_from(config).unwrap() }
    }

    /// What the lab itself does in process.
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }
}

fn node(name: &str) -> Value {
    json!({ "metadata": { "name": name } })
}

fn pod(name: &str) -> Value {
    json!({ "metadata": { "name": name, "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "main" }] } })
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// The refusal that the server sent.
fn refusal<T: std::fmt::Debug>(result: kube::Result<T>) -> kube::core::Status {
    match result {
        Err(kube::Error::Api(status)) => *status,
        other => panic!("expected a refusal, not {other:?}"),
    }
}
