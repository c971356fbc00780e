//! Lists and watches of a [`Fixture`] over HTTP: what the extender needs of kube-apiserver, and nothing else.
//!
//! The lab's API server keeps and selects real objects, which takes minutes and gigabytes for 100,000 pods. Here nothing is
//! kept but the events that were sent, so that a cluster of any size is there at once and costs the machine next to nothing
//! while calls are measured.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::fixture::{self, Fixture};

/// The resource version of the lists; events count on from here.
const LISTED: u64 = 1_000_000;

/// A kind that has objects here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// core/v1 nodes.
    Node,
    /// core/v1 pods.
    Pod,
    /// kube-system/aws-node.
    DaemonSet,
    /// vpcresources.k8s.aws/v1alpha1.
    CniNode,
    /// Served, without objects: core/v1 events and ENIConfigs.
    Empty,
}

impl Kind {
    fn of(path: &str) -> Option<Kind> {
        Some(match path {
            "/api/v1/nodes" => Kind::Node,
            "/api/v1/pods" => Kind::Pod,
            "/apis/apps/v1/namespaces/kube-system/daemonsets" => Kind::DaemonSet,
            "/apis/vpcresources.k8s.aws/v1alpha1/cninodes" => Kind::CniNode,
            "/api/v1/events" | "/apis/crd.k8s.amazonaws.com/v1alpha1/eniconfigs" => Kind::Empty,
            _ => return None,
        })
    }

    fn count(self, fixture: &Fixture) -> u32 {
        match self {
            Kind::Node | Kind::CniNode => fixture.size().nodes,
            Kind::Pod => fixture.size().pods,
            Kind::DaemonSet => 1,
            Kind::Empty => 0,
        }
    }

    fn object(self, fixture: &Fixture, n: u32) -> String {
        match self {
            Kind::Node => fixture.node(n, LISTED),
            Kind::Pod => fixture.pod(n, LISTED),
            Kind::CniNode => fixture::cni_node(n),
            Kind::DaemonSet | Kind::Empty => fixture::aws_node(),
        }
    }
}

/// A running API server; it ends with its runtime.
#[derive(Clone, Debug)]
pub struct ApiServer {
    /// Where it listens, without TLS.
    pub addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    fixture: Fixture,
    /// Every event so far, as it is sent. Event `i` has the resource version `LISTED + i + 1`.
    log: Mutex<Vec<(Kind, Bytes)>>,
    /// How many there are.
    grown: watch::Sender<usize>,
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Vec<(Kind, Bytes)>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ApiServer {
    /// Serves this cluster on loopback.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(fixture: Fixture) -> io::Result<ApiServer> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared { fixture, log: Mutex::default(), grown: watch::Sender::new(0) });
        tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(ApiServer { addr, shared })
    }

    /// A kubeconfig for it.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1
kind: Config
current-context: bench
contexts: [{{name: bench, context: {{cluster: bench, user: bench}}}}]
clusters: [{{name: bench, cluster: {{server: 'http://{}'}}}}]
users: [{{name: bench, user: {{token: bench}}}}]
",
            self.addr
        )
    }

    /// The cluster that it serves.
    #[must_use]
    pub fn fixture(&self) -> &Fixture {
        &self.shared.fixture
    }

    /// Sends a watch event of this type (`ADDED`, `MODIFIED`, `DELETED`) to whoever watches the kind. `object` gets the resource
    /// version that the event will have.
    pub fn send(&self, kind: Kind, event_type: &str, object: impl FnOnce(u64) -> String) {
        let mut log = self.shared.log();
        let object = object(LISTED + 1 + log.len() as u64);
        log.push((kind, format!("{{\"type\":\"{event_type}\",\"object\":{object}}}\n").into()));
        let len = log.len();
        drop(log);
        self.shared.grown.send_replace(len);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // An error is of one connection that is gone already; the client comes again.
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let response = answer(&shared, &request);
                async move { Ok::<_, Infallible>(response) }
            });
            // Fails when the extender is stopped.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

fn answer(shared: &Arc<Shared>, request: &Request<Incoming>) -> Response<Body> {
    let query = Query::of(request.uri().query().unwrap_or_default());
    match Kind::of(request.uri().path()) {
        Some(kind) if query.watch => json(StatusCode::OK, watch_body(shared, kind, &query)),
        Some(kind) => json(StatusCode::OK, Full::from(list(shared, kind, &query)).boxed_unsync()),
        None => {
            let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","message":"the server could not find the requested resource","code":404}"#;
            json(StatusCode::NOT_FOUND, Full::from(status).boxed_unsync())
        }
    }
}

fn json(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// What matters of a request's parameters.
#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    watch: bool,
    limit: Option<u32>,
    /// `continue`, here the number of the next object.
    from: u32,
    resource_version: Option<u64>,
}

impl Query {
    fn of(query: &str) -> Query {
        let mut parsed = Query::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match key {
                "watch" => parsed.watch = value != "false" && value != "0",
                "limit" => parsed.limit = value.parse().ok().filter(|limit| *limit > 0),
                "continue" => parsed.from = value.parse().unwrap_or(0),
                "resourceVersion" => parsed.resource_version = value.parse().ok(),
                _ => {}
            }
        }
        parsed
    }
}

/// One page, as of the start: events are not worked into the lists, since nobody lists again after them.
fn list(shared: &Shared, kind: Kind, query: &Query) -> String {
    let count = kind.count(&shared.fixture);
    let end = query.limit.map_or(count, |limit| count.min(query.from.saturating_add(limit)));
    let next = if end < count {
        format!(",\"continue\":\"{end}\",\"remainingItemCount\":{}", count - end)
    } else {
        String::new()
    };
    let mut page = format!(
        "{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{{\"resourceVersion\":\"{LISTED}\"{next}}},\"items\":["
    );
    for n in query.from..end {
        let comma = if n == query.from { "" } else { "," };
        write!(page, "{comma}{}", kind.object(&shared.fixture, n)).expect("writing to a string cannot fail");
    }
    page.push_str("]}");
    page
}

/// Events since the resource version that is asked for. It stays open, longer than `timeoutSeconds` wants.
fn watch_body(shared: &Arc<Shared>, kind: Kind, query: &Query) -> Body {
    let seen = query.resource_version.map_or(0, |version| version.saturating_sub(LISTED));
    let start = (Arc::clone(shared), shared.grown.subscribe(), usize::try_from(seen).unwrap_or(usize::MAX));
    let chunks = stream::unfold(start, move |(shared, mut grown, mut seen)| async move {
        loop {
            let chunk: Vec<Bytes> = {
                let log = shared.log();
                let new = log.get(seen..).unwrap_or_default();
                seen = log.len();
                new.iter().filter(|(of, _)| *of == kind).map(|(_, line)| line.clone()).collect()
            };
            if !chunk.is_empty() {
                return Some((chunk, (shared, grown, seen)));
            }
            grown.changed().await.ok()?;
        }
    });
    let frames = chunks.flat_map(|chunk| stream::iter(chunk).map(|line| Ok(Frame::data(line))));
    StreamBody::new(frames).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::fixture::Size;
    use k8s_openapi::api::core::v1::Pod;
    use kube::api::{ListParams, WatchParams};
    use kube::config::{KubeConfigOptions, Kubeconfig};
    use kube::{Api, Client, Config, ResourceExt as _};

    #[tokio::test]
    async fn a_kubernetes_client_lists_in_pages_and_watches() {
        let server = ApiServer::start(Fixture::new(Size { nodes: 3, pods: 7 })).await.unwrap();
        let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let pods: Api<Pod> = Api::all(Client::try_from(config).unwrap());
        let first = pods.list(&ListParams::default().limit(5)).await.unwrap();
        let token = first.metadata.continue_.clone().unwrap();
        let rest = pods.list(&ListParams::default().limit(5).continue_token(&token)).await.unwrap();
        assert_eq!((first.items.len(), rest.items.len(), rest.metadata.continue_), (5, 2, None));

        // Before and after the watch begins; another kind's events are not its business.
        server.send(Kind::Pod, "DELETED", |version| server.fixture().pod(3, version));
        let listed = first.metadata.resource_version.unwrap();
        let mut events = pods.watch(&WatchParams::default(), &listed).await.unwrap().boxed();
        let gone = events.next().await.unwrap().unwrap();
        server.send(Kind::Node, "MODIFIED", |version| server.fixture().node(1, version));
        server.send(Kind::Pod, "MODIFIED", |version| server.fixture().pod(4, version));
        let changed = events.next().await.unwrap().unwrap();
        match (gone, changed) {
            (kube::api::WatchEvent::Deleted(gone), kube::api::WatchEvent::Modified(changed)) => {
                assert_eq!(gone.name_any(), "checkout-api-6d9c5b7f4d-00003");
                assert_eq!(changed.resource_version().as_deref(), Some("1000003"));
            }
            other => panic!("{other:?}"),
        }
    }
}
