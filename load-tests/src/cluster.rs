//! A whole cluster in a process: the real control plane, the lab's nodes, and the extender and the advisor if asked for.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use headroom_extender::config::{Config, Feed};
use headroom_lab::scenario::Scenario;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Client;
use kube::api::{Api, ListParams, PostParams};
use tokio::sync::oneshot;

use crate::advisor::{Advisor, Place, lab_clock};
use crate::control_plane::ControlPlane;
use crate::kubelets::Kubelets;
use crate::page::get;

/// How long the extender may take to list the cluster.
const EXTENDER_READY_WITHIN: Duration = Duration::from_secs(60);

/// Everything that runs.
pub struct Cluster {
    /// As `system:masters`.
    pub client: Client,
    /// The nodes.
    pub kubelets: Kubelets,
    extender: Option<Extender>,
    advisor: Option<Advisor>,
    control_plane: ControlPlane,
}

struct Extender {
    handle: headroom_extender::Handle,
    stop: oneshot::Sender<()>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("kubelets", &self.kubelets).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Starts it and returns when every node takes pods and kube-scheduler runs, with an extender of this configuration or without.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn start(scenario: Scenario, extender: Option<Config>) -> Result<Cluster> {
        Cluster::start_with(scenario, extender, None).await
    }

    /// The same with an extender that goes by the feed of an advisor, which looks at the lab's AWS and at this cluster.
    ///
    /// # Errors
    /// When a part does not come up.
    pub async fn start_observed(
        scenario: Scenario,
        extender: Config,
        advisor: headroom_advisor::config::Config,
    ) -> Result<Cluster> {
        Cluster::start_with(scenario, Some(extender), Some(advisor)).await
    }

    async fn start_with(
        scenario: Scenario,
        extender: Option<Config>,
        advisor: Option<headroom_advisor::config::Config>,
    ) -> Result<Cluster> {
        let mut control_plane = ControlPlane::start().await?;
        let client = control_plane.client.clone();
        let kubelets = Kubelets::start(scenario, client.clone()).await?;
        let advisor = match advisor {
            Some(config) => {
                let place = Place {
                    aws_url: kubelets.aws_url().to_owned(),
                    way: None,
                    kubeconfig: control_plane.kubeconfig().to_owned(),
                    clock: lab_clock(kubelets.clock()),
                };
                Some(Advisor::start(place, config).await?)
            }
            None => None,
        };
        let extender = match extender {
            Some(mut config) => {
                if let Some(advisor) = &advisor {
                    config.feed = Feed {
                        endpoint: Some(format!("http://{}", advisor.grpc_addr())).into_iter().collect(),
                        ..config.feed
                    };
                }
                Some(Extender::start(&control_plane, config).await?)
            }
            None => None,
        };
        kubelets.ready().await?;
        control_plane
            .start_scheduler(&scheduler_config(extender.as_ref().map(|extender| extender.handle.addr)))
            .await?;
        Ok(Cluster { client, kubelets, extender, advisor, control_plane })
    }

    /// Creates pods in namespace `default` over `connections` connections.
    ///
    /// # Errors
    /// When the API server refuses one.
    pub async fn create_pods(&self, pods: impl Iterator<Item = Pod>, connections: usize) -> Result<()> {
        let api = Api::<Pod>::namespaced(self.client.clone(), "default");
        let created = futures::stream::iter(pods).map(|pod| {
            let api = api.clone();
            async move { api.create(&PostParams::default(), &pod).await }
        });
        created.buffer_unordered(connections).try_for_each(|_| async { Ok(()) }).await.context("failed to create pods")
    }

    /// How many `FailedCreatePodSandBox` events the API server has.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn sandbox_events(&self) -> Result<u32> {
        let failed = ListParams::default().fields("reason=FailedCreatePodSandBox");
        let events =
            Api::<Event>::all(self.client.clone()).list_metadata(&failed).await.context("failed to list events")?;
        Ok(u32::try_from(events.items.len()).unwrap_or(u32::MAX))
    }

    /// The text of the extender's `/metrics`; `None` where none runs.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metrics(&self) -> Result<Option<String>> {
        match &self.extender {
            Some(extender) => Ok(Some(get(extender.handle.admin_addr, "/metrics").await?)),
            None => Ok(None),
        }
    }

    /// Ends everything, clients first.
    ///
    /// # Errors
    /// When the extender or the advisor ended before.
    pub async fn stop(self) -> Result<()> {
        drop(self.kubelets);
        drop(self.control_plane);
        if let Some(Extender { handle, stop }) = self.extender {
            drop(stop);
            handle.wait().await.context("the extender did not stop cleanly")?;
        }
        if let Some(advisor) = self.advisor {
            advisor.stop().await?;
        }
        Ok(())
    }
}

impl Extender {
    async fn start(control_plane: &ControlPlane, config: Config) -> Result<Extender> {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = headroom_extender::Options {
            config,
            kubeconfig: Some(control_plane.kubeconfig().to_owned()),
            context: None,
            listen: any_port,
            grpc_listen: None,
            admin_listen: any_port,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let handle = headroom_extender::run(options, stopped).await.context("failed to start the extender")?;
        let ready = async {
            while get(handle.admin_addr, "/readyz").await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(EXTENDER_READY_WITHIN, ready).await.context("the extender does not get ready")?;
        Ok(Extender { handle, stop })
    }
}

/// The timeout is far from what a call takes: a machine under load must not fail a run.
fn scheduler_config(extender: Option<SocketAddr>) -> String {
    let head = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";
    extender.map_or_else(
        || head.to_owned(),
        |addr| {
            format!(
                "{head}extenders:
- urlPrefix: http://{addr}/v1
  filterVerb: filter
  nodeCacheCapable: true
  httpTimeout: 5s
  ignorable: false
"
            )
        },
    )
}
