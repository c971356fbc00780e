//! Two c5.xlarge under the real control plane, with the extender and what stands in for kubelet.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt as _;
use headroom_extender::config::{Config, ConfigFile as _};
use headroom_extender::{Handle, Options};
use headroom_load_tests::control_plane::{ControlPlane, StartError};
use headroom_load_tests::page::get;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Node, Pod, PodCondition};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Time for what normally takes a second or two.
const WITHIN: Duration = Duration::from_secs(60);

/// `IP_COOLDOWN_PERIOD` here.
pub(crate) const COOLDOWN: Duration = Duration::from_secs(2);

/// Everything that runs.
pub(crate) struct Cluster {
    client: Client,
    kubelet: JoinHandle<()>,
    extender: Handle,
    stop_extender: oneshot::Sender<()>,
    control_plane: ControlPlane,
}

impl Cluster {
    /// Starts it; returns when all of it is ready. `config` is the extender's.
    pub(crate) async fn start(config: &str) -> Cluster {
        Cluster::start_with(config, None).await
    }

    /// The same, with the `tlsConfig` that kube-scheduler calls it by.
    pub(crate) async fn start_with(config: &str, tls: Option<&str>) -> Cluster {
        let mut control_plane = shown(ControlPlane::start().await);
        let client = control_plane.client.clone();
        for (n, zone) in [(1, "eu-central-1a"), (2, "eu-central-1b")] {
            create(&Api::<Node>::all(client.clone()), c5_xlarge(n, zone)).await;
        }
        // kube-apiserver makes its namespaces once it serves.
        let daemon_sets = Api::<DaemonSet>::namespaced(client.clone(), "kube-system");
        eventually("namespace kube-system exists", async || {
            daemon_sets.create(&PostParams::default(), &parse(aws_node())).await.map(drop).map_err(text)
        })
        .await;
        let (stop_extender, stopped) = oneshot::channel::<()>();
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = Options {
            config: Config::parse(config).unwrap(),
            kubeconfig: Some(control_plane.kubeconfig().to_owned()),
            context: None,
            listen: any_port,
            admin_listen: any_port,
            grpc_listen: None,
        };
        let extender = headroom_extender::run(options, async { drop(stopped.await) }).await.unwrap();
        eventually("the extender is ready", async || get(extender.admin_addr, "/readyz").await.map(drop).map_err(text))
            .await;
        shown(control_plane.start_scheduler(&scheduler_config(extender.addr, tls)).await);
        let kubelet = tokio::spawn(kubelet(client.clone()));
        Cluster { client, kubelet, extender, stop_extender, control_plane }
    }

    fn pods_api(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), "default")
    }

    /// Creates pods over several connections.
    pub(crate) async fn create_pods(&self, names: impl Iterator<Item = String>, host_network: bool) {
        let pods = self.pods_api();
        futures::stream::iter(names)
            .for_each_concurrent(8, |name| {
                let pods = pods.clone();
                async move { create(&pods, pod(&name, host_network)).await }
            })
            .await;
    }

    /// Every pod.
    pub(crate) async fn pods(&self) -> Vec<Pod> {
        self.pods_api().list(&ListParams::default()).await.unwrap().items
    }

    /// Deletes a pod, which is gone at once.
    pub(crate) async fn delete_pod(&self, name: &str) {
        self.pods_api().delete(name, &DeleteParams::default().grace_period(0)).await.unwrap();
    }

    /// How many filter calls let no node pass.
    pub(crate) async fn refusals(&self) -> f64 {
        self.metric(r#"headroom_extender_requests_total{verb="filter",answer="none"}"#).await
    }

    /// One value of the extender's `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = get(self.extender.admin_addr, "/metrics").await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// Ends everything, clients first.
    pub(crate) async fn stop(self) {
        self.kubelet.abort();
        drop(self.control_plane);
        self.stop_extender.send(()).unwrap();
        self.extender.wait().await.unwrap();
    }
}

pub(crate) async fn eventually<T, E: Display>(what: &str, check: impl AsyncFn() -> Result<T, E>) -> T {
    headroom_load_tests::eventually::eventually(what, WITHIN, check).await
}

/// The value; an error is shown with its causes, over several lines.
fn shown<T>(result: Result<T, StartError>) -> T {
    result.unwrap_or_else(|error| panic!("{:#}", anyhow::Error::from(error)))
}

/// The node that the pod is bound to.
pub(crate) fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

/// Its address.
pub(crate) fn ip(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.pod_ip.as_deref()
}

/// Its PodScheduled condition while that is False.
pub(crate) fn refusal(pod: &Pod) -> Option<&PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
}

/// What this test needs of kubelet: a bound pod gets an address and runs. Without ipamd's limits: they are the extender's to keep.
async fn kubelet(client: Client) {
    let bound = watcher::Config::default().fields("spec.nodeName!=,status.phase=Pending");
    let mut pods = std::pin::pin!(watcher(Api::<Pod>::all(client.clone()), bound).default_backoff().applied_objects());
    let mut assigned = 0_u32;
    while let Some(pod) = pods.next().await {
        // A watch that fails resumes by itself; a pod that is gone meanwhile needs nothing.
        let Ok(pod) = pod else { continue };
        assigned += 1;
        let ip = format!("10.0.{}.{}", assigned / 250, assigned % 250 + 4);
        let status = json!({"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}});
        let api = Api::<Pod>::namespaced(client.clone(), &pod.namespace().unwrap());
        match api.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(status)).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn create<K>(api: &Api<K>, object: Value)
where
    K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    api.create(&PostParams::default(), &parse(object)).await.unwrap();
}

fn parse<K: DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

fn text(error: impl Display) -> String {
    error.to_string()
}

/// The timeout is far from what a call takes: a machine under load must not fail the test.
fn scheduler_config(extender: SocketAddr, tls: Option<&str>) -> String {
    let (scheme, tls) = tls.map_or(("http", ""), |tls| ("https", tls));
    format!(
        "apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
extenders:
- urlPrefix: {scheme}://{extender}/v1
  filterVerb: filter
  nodeCacheCapable: true
  httpTimeout: 5s
  ignorable: false{tls}
"
    )
}

fn node_name(n: u32) -> String {
    format!("ip-10-0-{n}-10.eu-central-1.compute.internal")
}

/// As an EKS managed node registers, with room for more pods than it has IPs.
fn c5_xlarge(n: u32, zone: &str) -> Value {
    let name = node_name(n);
    let resources: BTreeMap<&str, &str> =
        [("cpu", "4"), ("memory", "7800Mi"), ("ephemeral-storage", "80Gi"), ("pods", "110")].into();
    json!({
        "metadata": {"name": name, "labels": {
            "beta.kubernetes.io/instance-type": "c5.xlarge",
            "eks.amazonaws.com/capacityType": "ON_DEMAND",
            "eks.amazonaws.com/nodegroup": "workers",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "node.kubernetes.io/instance-type": "c5.xlarge",
            "topology.kubernetes.io/region": "eu-central-1",
            "topology.kubernetes.io/zone": zone,
        }},
        "spec": {"providerID": format!("aws:///{zone}/i-0a1b2c3d4e5f6000{n}")},
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}],
            "addresses": [{"type": "InternalIP", "address": format!("10.0.{n}.10")}],
        },
    })
}

/// The DaemonSet of the CNI's manifest (`config/master/aws-k8s-cni.yaml`) as far as the API server requires it, with the
/// variables that bear on IPs at the manifest's values, but a short cool-down.
fn aws_node() -> Value {
    let cooldown = COOLDOWN.as_secs().to_string();
    let env = [
        ("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "false"),
        ("ENABLE_IPv4", "true"),
        ("ENABLE_IPv6", "false"),
        ("ENABLE_POD_ENI", "false"),
        ("ENABLE_PREFIX_DELEGATION", "false"),
        ("ENABLE_SUBNET_DISCOVERY", "true"),
        ("WARM_ENI_TARGET", "1"),
        ("WARM_PREFIX_TARGET", "1"),
        ("IP_COOLDOWN_PERIOD", &cooldown),
    ];
    let env: Vec<Value> = env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let labels = json!({"k8s-app": "aws-node"});
    json!({
        "metadata": {"name": "aws-node", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "hostNetwork": true,
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [{"name": "aws-node", "image": "amazon-k8s-cni", "env": env}],
                },
            },
        },
    })
}

fn pod(name: &str, host_network: bool) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"hostNetwork": host_network, "containers": [{"name": "main", "image": "pause"}]},
    })
}
