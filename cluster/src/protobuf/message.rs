//! Messages, cut down to the fields that are used; prost skips the others. Tags are those of `generated.proto` in k8s.io/apimachinery
//! `pkg/runtime` (`Unknown`, `RawExtension`) and `pkg/apis/meta/v1` (the rest).

use std::collections::BTreeMap;

use bytes::Bytes;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::core::Status;
use prost::{DecodeError, Message};
use thiserror::Error;

use super::Part;
use crate::object::{Guard, Invalid, Object};

/// What every encoded object begins with (apimachinery `runtime/serializer/protobuf/protobuf.go`, `protoEncodingPrefix`).
const MAGIC: &[u8] = b"k8s\0";

/// What the server sent is not what it said it is.
#[derive(Debug, Error)]
pub(super) enum Malformed {
    #[error("protobuf object does not begin with 'k8s\\0'")]
    Magic,
    #[error(transparent)]
    Message(#[from] DecodeError),
    #[error("unknown watch event type '{0}'")]
    EventType(String),
}

/// The object of an envelope: the bytes after [`MAGIC`] are a `runtime.Unknown`.
pub(super) fn open(envelope: &Bytes) -> Result<Bytes, Malformed> {
    if !envelope.starts_with(MAGIC) {
        return Err(Malformed::Magic);
    }
    Ok(Unknown::decode(envelope.slice(MAGIC.len()..))?.raw)
}

/// Decodes an object, or says which one it is and what is wrong with it: a string that is not UTF-8, which Go lets pass.
pub(super) fn object<S: Part, T: Part>(raw: Bytes) -> Result<Guard<Object<S, T>>, Malformed> {
    match Parts::<S, T>::decode(raw.clone()) {
        Ok(Parts { metadata, spec, status }) => Ok(Guard(Ok(Object {
            metadata: metadata.unwrap_or_default().into(),
            spec: spec.unwrap_or_default(),
            status,
        }))),
        Err(error) => {
            let metadata = Parts::<(), ()>::decode(raw)?.metadata.unwrap_or_default().into();
            Ok(Guard(Err(Invalid { error: error.to_string(), metadata })))
        }
    }
}

/// The resource version of a bookmark, which is an object without anything else.
pub(super) fn resource_version(raw: Bytes) -> Result<String, Malformed> {
    Ok(Parts::<(), ()>::decode(raw)?.metadata.unwrap_or_default().resource_version)
}

/// A `metav1.Status`, as far as anybody asks for it.
pub(super) fn status(raw: Bytes) -> Result<Status, Malformed> {
    let WireStatus { message, reason, code } = WireStatus::decode(raw)?;
    Ok(Status::failure(&message, &reason).with_code(u16::try_from(code).unwrap_or_default()))
}

#[derive(Message)]
struct Unknown {
    #[prost(bytes = "bytes", tag = "2")]
    raw: Bytes,
}

/// `metav1.WatchEvent`; its object is an envelope.
#[derive(Message)]
pub(super) struct WatchEvent {
    #[prost(string, tag = "1")]
    pub(super) r#type: String,
    #[prost(message, optional, tag = "2")]
    pub(super) object: Option<RawExtension>,
}

#[derive(Message)]
pub(super) struct RawExtension {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) raw: Bytes,
}

/// A list of any kind. The objects stay encoded, so that one that is wrong does not take the others with it.
#[derive(Message)]
pub(super) struct List {
    #[prost(message, optional, tag = "1")]
    pub(super) metadata: Option<ListMeta>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(super) items: Vec<Bytes>,
}

#[derive(Message)]
pub(super) struct ListMeta {
    #[prost(string, tag = "2")]
    pub(super) resource_version: String,
    #[prost(string, tag = "3")]
    pub(super) r#continue: String,
}

#[derive(Message)]
struct WireStatus {
    #[prost(string, tag = "3")]
    message: String,
    #[prost(string, tag = "4")]
    reason: String,
    #[prost(int32, tag = "6")]
    code: i32,
}

#[derive(Message)]
#[prost(skip_debug)]
struct Parts<S: Message + Default, T: Message + Default> {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Metadata>,
    #[prost(message, optional, tag = "2")]
    spec: Option<S>,
    #[prost(message, optional, tag = "3")]
    status: Option<T>,
}

#[derive(Message)]
struct Metadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "3")]
    namespace: String,
    #[prost(string, tag = "5")]
    uid: String,
    #[prost(string, tag = "6")]
    resource_version: String,
    #[prost(message, optional, tag = "9")]
    deletion_timestamp: Option<WireTime>,
    #[prost(btree_map = "string, string", tag = "11")]
    labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "12")]
    annotations: BTreeMap<String, String>,
}

#[derive(Message)]
struct WireTime {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

impl From<Metadata> for ObjectMeta {
    fn from(wire: Metadata) -> Self {
        let time = |time: WireTime| Time(Timestamp::from_second(time.seconds).unwrap_or(Timestamp::UNIX_EPOCH));
        ObjectMeta {
            name: present(wire.name),
            namespace: present(wire.namespace),
            uid: present(wire.uid),
            resource_version: present(wire.resource_version),
            deletion_timestamp: wire.deletion_timestamp.map(time),
            labels: Some(wire.labels),
            annotations: Some(wire.annotations),
            ..ObjectMeta::default()
        }
    }
}

/// Go writes empty strings where JSON leaves the field out.
pub(super) fn present(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
