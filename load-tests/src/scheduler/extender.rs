//! kube-scheduler's side of the extender protocol: `pkg/scheduler/extender.go`, `HTTPExtender.Filter`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;

/// `DefaultExtenderTimeout`.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A filter call's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct FilterResult {
    node_names: Option<Vec<String>>,
    failed_nodes: Option<BTreeMap<String, String>>,
    failed_and_unresolvable_nodes: Option<BTreeMap<String, String>>,
    error: String,
}

/// The nodes that pass, and the reason for each that does not where the extender gave one.
#[derive(Debug)]
pub(super) struct Filtered {
    pub(super) passed: Vec<String>,
    pub(super) reasons: BTreeMap<String, String>,
}

/// A client with one keep-alive connection.
#[derive(Debug)]
pub(super) struct Extender {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Extender {
    /// `url_prefix` as in KubeSchedulerConfiguration, for example `http://127.0.0.1:9270/v1`.
    pub(super) fn new(url_prefix: &str) -> Extender {
        let url = format!("{}/filter", url_prefix.trim_end_matches('/'));
        Extender { url, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Calls filter with `nodeCacheCapable: true`.
    pub(super) async fn filter(&self, pod: &Pod, nodes: &[String]) -> Result<Filtered> {
        let args = serde_json::json!({"Pod": pod, "Nodes": null, "NodeNames": nodes});
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(serde_json::to_vec(&args)?))?;
        let call = async {
            let response = self.client.request(request).await?;
            let status = response.status();
            Ok::<_, anyhow::Error>((status, response.into_body().collect().await?.to_bytes()))
        };
        let (status, body) = tokio::time::timeout(TIMEOUT, call)
            .await
            .with_context(|| format!("extender {} did not answer within {TIMEOUT:?}", self.url))?
            .with_context(|| format!("unable to call extender {}", self.url))?;
        ensure!(status == StatusCode::OK, "failed filter with extender at URL {}, code {}", self.url, status.as_u16());
        let result: FilterResult = serde_json::from_slice(&body).context("extender's answer is not a filter result")?;
        if !result.error.is_empty() {
            bail!("extender: {}", result.error);
        }
        let passed = result.node_names.unwrap_or_default();
        if let Some(foreign) = passed.iter().find(|name| !nodes.contains(name)) {
            bail!("extender {} returned node {foreign}, which was not in the request", self.url);
        }
        let mut reasons = result.failed_nodes.unwrap_or_default();
        reasons.extend(result.failed_and_unresolvable_nodes.unwrap_or_default());
        Ok(Filtered { passed, reasons })
    }
}
