//! Reads what has to be known of a node before it may go.

use std::sync::Arc;
use std::time::Duration;

use headroom_cluster::drain;
use tokio::sync::mpsc;

use super::{Means, News, beside};
use crate::plan::Inspected;

const WITHIN: Duration = Duration::from_secs(20);
/// CoreDNS, as EKS and kubeadm label it.
const DNS: (&str, &str) = ("kube-system", "k8s-app=kube-dns");

pub(super) fn begin(means: &Arc<Means>, tell: &mpsc::Sender<News>, node: &Arc<str>) {
    let (means, node) = (Arc::clone(means), Arc::clone(node));
    let failed = News::Looked(Arc::clone(&node), Err("it panicked".to_owned()));
    beside(tell, failed, async move {
        let found = match tokio::time::timeout(WITHIN, read(&means, &node)).await {
            Ok(found) => found.map_err(|error| format!("{:#}", anyhow::Error::from(error))),
            Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
        };
        News::Looked(node, found)
    });
}

async fn read(means: &Means, node: &str) -> Result<Inspected, drain::DrainError> {
    let (mut tenants, disruptions, dns) = tokio::try_join!(
        drain::tenants(&means.client, node),
        drain::disruptions(&means.client),
        drain::labelled(&means.client, DNS.0, DNS.1),
    )?;
    drain::pin(&means.client, &mut tenants).await?;
    let ready = dns.into_iter().filter(|(_, ready)| *ready);
    Ok(Inspected {
        tenants,
        disruptions,
        dns: ready.filter_map(|(node, _)| node.map(Arc::from)).collect(),
        own_pod: own_pod(),
    })
}

/// `namespace/name` of the pod that this is: `POD_NAME` by the downward API, else the host's name, which is the pod's off the host's network.
pub(super) fn own_pod() -> Option<String> {
    let namespace = std::fs::read_to_string("/var/run/secrets/kubernetes.io/serviceaccount/namespace").ok()?;
    let name = std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME")).ok()?;
    Some(format!("{}/{name}", namespace.trim()))
}
