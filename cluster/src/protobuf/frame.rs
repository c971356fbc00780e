//! A watch's frames: four bytes of length, then a `metav1.WatchEvent` (apimachinery `util/framer`, `lengthDelimitedFrameWriter`).

use std::error::Error;
use std::io;

use bytes::Bytes;
use futures::future;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::core::Status;
use prost::Message;
use tokio_util::codec::{FramedRead, LengthDelimitedCodec};
use tokio_util::io::StreamReader;

use super::Part;
use super::message::{self, Malformed, WatchEvent};
use crate::object::{Guard, Object};

/// client-go takes no longer ones either (apimachinery `runtime/serializer/streaming`, `NewDecoder`).
const MAX_FRAME_BYTES: usize = 16 * 1024 * 1024;

/// One event of a watch.
pub(super) enum Change<K> {
    /// Added or modified.
    Applied(K),
    Deleted(K),
    /// All changes up to this resource version were sent.
    Bookmark(String),
    Error(Box<Status>),
}

/// The events of one watch request, until the server ends it.
pub(super) type Changes<S, T> = BoxStream<'static, kube::Result<Change<Guard<Object<S, T>>>>>;

pub(super) fn changes<S: Part, T: Part>(body: Body) -> Changes<S, T> {
    let codec = LengthDelimitedCodec::builder().max_frame_length(MAX_FRAME_BYTES).new_codec();
    let frames = FramedRead::new(StreamReader::new(body.into_data_stream().map_err(io::Error::other)), codec);
    frames
        // A connection that was cut is resumed without ado, as kube does it (kube-client `Client::request_events`).
        .take_while(|frame| future::ready(!frame.as_ref().is_err_and(is_cut_off)))
        .map(|frame| frame.and_then(|frame| change(&frame.freeze()).map_err(invalid)).map_err(kube::Error::ReadEvents))
        .boxed()
}

fn change<S: Part, T: Part>(frame: &Bytes) -> Result<Change<Guard<Object<S, T>>>, Malformed> {
    let WatchEvent { r#type, object } = WatchEvent::decode(frame.clone())?;
    let raw = message::open(&object.unwrap_or_default().raw)?;
    Ok(match r#type.as_str() {
        "ADDED" | "MODIFIED" => Change::Applied(message::object(raw)?),
        "DELETED" => Change::Deleted(message::object(raw)?),
        "BOOKMARK" => Change::Bookmark(message::resource_version(raw)?),
        "ERROR" => Change::Error(message::status(raw)?.boxed()),
        _ => return Err(Malformed::EventType(r#type)),
    })
}

fn invalid(error: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn is_cut_off(error: &io::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
            return true;
        }
        cause = error.source();
    }
    false
}
