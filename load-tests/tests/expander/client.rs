//! What Cluster Autoscaler sends, and how it connects (CA `expander/grpcplugin/grpc_client.go`): TLS with the server's CA and the name of
//! the URL, no certificate of its own.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use headroom_proto::grpcplugin::expander_client::ExpanderClient;
use headroom_proto::grpcplugin::{BestOptionsRequest, Option as Group};
use http::{Request, Uri};
use http_body_util::Full;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic::body::Body;
use tower::util::service_fn;

/// Which fields a version fills.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    /// Up to 1.34.1: nodeMap and pod.
    V1_31,
    /// 1.34.2 to 1.34.x: both.
    V1_34_2,
    /// From 1.35 on: nodeBytesMap and podBytes.
    V1_36,
}

impl Version {
    pub(crate) const ALL: [Version; 3] = [Version::V1_31, Version::V1_34_2, Version::V1_36];

    fn fills(self) -> (bool, bool) {
        (!matches!(self, Version::V1_36), !matches!(self, Version::V1_31))
    }
}

/// One option: the group, nodes, pods, and bytes that each pod has beside what counts.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) group: &'static str,
    pub(crate) nodes: i32,
    pub(crate) pods: std::ops::Range<u32>,
    pub(crate) padding: usize,
}

pub(crate) fn ask(group: &'static str, nodes: i32, pods: std::ops::Range<u32>) -> Ask {
    Ask { group, nodes, pods, padding: 0 }
}

/// As this version would send it; `templates` tells whether it has nodes to show.
pub(crate) fn request(version: Version, asks: &[Ask], templates: bool) -> BestOptionsRequest {
    let (old, new) = version.fills();
    let option = |ask: &Ask| {
        let pods: Vec<Vec<u8>> = ask.pods.clone().map(|uid| pod(uid, ask.padding)).collect();
        Group {
            node_group_id: ask.group.to_owned(),
            node_count: ask.nodes,
            debug: ask.group.to_owned(),
            pod: if old { pods.clone() } else { Vec::new() },
            pod_bytes: if new { pods } else { Vec::new() },
        }
        .encode_to_vec()
        .into()
    };
    let nodes: HashMap<String, Vec<u8>> =
        if templates { asks.iter().map(|ask| (ask.group.to_owned(), node())).collect() } else { HashMap::new() };
    BestOptionsRequest {
        options: asks.iter().map(option).collect(),
        node_map: if old { nodes.clone() } else { HashMap::new() },
        node_bytes_map: if new { nodes } else { HashMap::new() },
    }
}

/// A connection as Cluster Autoscaler makes it.
pub(crate) struct Client(SendRequest<Body>, SocketAddr);

impl Client {
    /// Takes the server for `name`.
    pub(crate) async fn connect(addr: SocketAddr, ca: &Path, name: &str) -> std::io::Result<Client> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = connector.connect(name, TcpStream::connect(addr).await?).await?;
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        Ok(Client(sender, addr))
    }

    /// The groups that are named.
    pub(crate) async fn best_options(&self, request: BestOptionsRequest) -> Result<Vec<String>, Status> {
        let (sender, origin) = (self.0.clone(), Uri::try_from(format!("https://{}", self.1)).unwrap());
        let service = service_fn(move |request: Request<Body>| {
            let mut sender = sender.clone();
            async move { sender.send_request(request).await }
        });
        let mut client = ExpanderClient::with_origin(service, origin);
        let answer = client.best_options(request).await?.into_inner();
        Ok(answer.options.into_iter().map(|option| option.node_group_id).collect())
    }

    /// A message that is none; the gRPC status of the answer.
    pub(crate) async fn nonsense(&self) -> String {
        let uri = format!("https://{}/grpcplugin.Expander/BestOptions", self.1);
        let frame = Bytes::from_static(&[0, 0, 0, 0, 2, 0x0a, 0x7f]);
        let request = Request::post(uri).header("content-type", "application/grpc").header("te", "trailers");
        let request = request.body(Body::new(Full::new(frame))).unwrap();
        let answer = self.0.clone().send_request(request).await.unwrap();
        answer.headers()["grpc-status"].to_str().unwrap().to_owned()
    }
}

#[derive(Clone, Message)]
struct Object {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Metadata>,
    #[prost(message, optional, tag = "2")]
    spec: Option<PodSpec>,
    #[prost(message, optional, tag = "3")]
    status: Option<NodeStatus>,
}

#[derive(Clone, Message)]
struct Metadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "5")]
    uid: String,
    #[prost(btree_map = "string, string", tag = "11")]
    labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "12")]
    annotations: BTreeMap<String, String>,
}

/// `restartPolicy` and `hostNetwork` as Go writes them: a default, too.
#[derive(Clone, Message)]
struct PodSpec {
    #[prost(string, tag = "3")]
    restart_policy: String,
    #[prost(bool, optional, tag = "11")]
    host_network: Option<bool>,
}

#[derive(Clone, Message)]
struct NodeStatus {
    #[prost(btree_map = "string, message", tag = "2")]
    allocatable: BTreeMap<String, Quantity>,
}

#[derive(Clone, PartialEq, Message)]
struct Quantity {
    #[prost(string, tag = "1")]
    string: String,
}

fn pod(uid: u32, padding: usize) -> Vec<u8> {
    let annotations = BTreeMap::from([("padding".to_owned(), "x".repeat(padding))]);
    let metadata =
        Metadata { name: format!("web-{uid}"), uid: format!("uid-{uid}"), annotations, ..Metadata::default() };
    let spec = PodSpec { restart_policy: "Always".to_owned(), host_network: Some(false) };
    Object { metadata: Some(metadata), spec: Some(spec), status: None }.encode_to_vec()
}

/// What stands for a node of the rig's groups.
fn node() -> Vec<u8> {
    let labels = [("node.kubernetes.io/instance-type", "t3.small"), ("topology.kubernetes.io/zone", "us-west-2a")];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let allocatable = BTreeMap::from([("pods".to_owned(), Quantity { string: "11".to_owned() })]);
    let metadata = Metadata { name: "template".to_owned(), labels, ..Metadata::default() };
    Object { metadata: Some(metadata), spec: None, status: Some(NodeStatus { allocatable }) }.encode_to_vec()
}
