//! What an advisor's feed tells a client that knows nothing yet.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::http::Uri;
use headroom_proto::v1::capacity_feed_client::CapacityFeedClient;
use headroom_proto::v1::{NodeCapacity, SubnetCapacity, WatchRequest};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::service_fn;

/// A whole state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) epoch: String,
    /// Unix time.
    pub(crate) observed_at: i64,
    pub(crate) nodes: BTreeMap<String, NodeCapacity>,
    pub(crate) subnets: BTreeMap<String, SubnetCapacity>,
}

pub(crate) async fn told(addr: SocketAddr) -> Told {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let channel = service_fn(move |request| sender.clone().send_request(request));
    let origin: Uri = format!("http://{addr}").parse().unwrap();
    let request = WatchRequest { client: "test".to_owned(), ..WatchRequest::default() };
    let mut updates = CapacityFeedClient::with_origin(channel, origin).watch(request).await.unwrap().into_inner();
    let (mut nodes, mut subnets) = (BTreeMap::new(), BTreeMap::new());
    loop {
        let update = updates.message().await.unwrap().expect("the stream does not end");
        assert_eq!(update.base_generation, 0, "the whole state comes first");
        nodes.extend(update.nodes.into_iter().map(|node| (node.name.clone(), node)));
        subnets.extend(update.subnets.into_iter().map(|subnet| (subnet.id.clone(), subnet)));
        if update.complete {
            let observed_at = update.observed_at.unwrap().seconds;
            return Told { epoch: update.epoch, observed_at, nodes, subnets };
        }
    }
}
