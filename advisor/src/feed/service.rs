//! The gRPC method.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use futures::stream::unfold;
use headroom_proto::v1::capacity_feed_server::CapacityFeed;
use headroom_proto::v1::{CapacityUpdate, WatchRequest};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::history::Since;
use super::stream::Position;
use super::{Shared, count};

/// Longest name of a client, in characters (`feed.proto`).
const MAX_CLIENT: usize = 100;

/// `headroom.v1.CapacityFeed`.
#[derive(Clone, Debug)]
pub(super) struct Service {
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
}

impl Service {
    pub(super) fn new(shared: Arc<Shared>, stopped: watch::Receiver<bool>) -> Service {
        Service { shared, stopped }
    }

    fn refuse(&self, status: Status) -> Status {
        count(&self.shared.counters.refused);
        status
    }
}

#[tonic::async_trait]
impl CapacityFeed for Service {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<CapacityUpdate, Status>> + Send>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let WatchRequest { client, epoch, generation } = request.into_inner();
        if client.chars().count() > MAX_CLIENT {
            return Err(Status::invalid_argument(format!("client: longer than {MAX_CLIENT} characters")));
        }
        if *self.stopped.borrow() {
            return Err(self.refuse(Status::unavailable("shutting down")));
        }
        if self.shared.history().since(&epoch, generation) == Since::Nothing {
            return Err(self.refuse(Status::unavailable("AWS or the cluster was not read yet")));
        }
        let permit = Arc::clone(&self.shared.slots).try_acquire_owned();
        let permit = permit.map_err(|_| self.refuse(Status::resource_exhausted("feed.max_clients are connected")))?;
        tracing::info!(client, generation, "feed client connected");
        let position = Position::new(Arc::clone(&self.shared), self.stopped.clone(), permit, &epoch, generation);
        let stream = unfold(position, |mut position| async move { Some((Ok(position.next().await?), position)) });
        Ok(Response::new(Box::pin(stream)))
    }
}
