//! Requests that ask for protobuf, and their answers.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Request, Response};
use kube::Client;
use kube::api::{ListParams, WatchParams};
use kube::client::Body;
use kube::core::Status;
use kube::runtime::watcher;
use prost::Message;

use super::Part;
use super::frame::{self, Changes};
use super::message::{self, Malformed, present};
use crate::object::{Guard, Object};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
/// JSON second: a server without protobuf is to answer in JSON rather than 406 (client-go `AcceptContentTypes`).
const ACCEPT_LIST: &str = "application/vnd.kubernetes.protobuf,application/json";
const ACCEPT_WATCH: &str = "application/vnd.kubernetes.protobuf;stream=watch,application/json;stream=watch";

/// An answer in protobuf, or in something else.
pub(super) enum Answer<A> {
    Protobuf(A),
    Other,
}

/// A page of a list.
pub(super) struct Page<S, T> {
    pub(super) objects: Vec<Guard<Object<S, T>>>,
    /// For the next page; none on the last.
    pub(super) token: Option<String>,
    /// Of the list, which all its pages show.
    pub(super) version: Option<String>,
}

pub(super) async fn list<S: Part, T: Part>(
    client: &Client,
    url: &str,
    config: &watcher::Config,
    token: Option<String>,
) -> kube::Result<Answer<Page<S, T>>> {
    let params = ListParams {
        label_selector: config.label_selector.clone(),
        field_selector: config.field_selector.clone(),
        limit: config.page_size,
        continue_token: token,
        ..ListParams::default()
    };
    let request = kube::core::Request::new(url).list(&params).map_err(kube::Error::BuildRequest)?;
    let Answer::Protobuf(body) = send(client, request, ACCEPT_LIST).await? else { return Ok(Answer::Other) };
    let envelope = body.collect_bytes().await?;
    let page = page(message::open(&envelope).map_err(invalid)?).map_err(invalid)?;
    Ok(Answer::Protobuf(page))
}

fn page<S: Part, T: Part>(raw: bytes::Bytes) -> Result<Page<S, T>, Malformed> {
    let message::List { metadata, items } = message::List::decode(raw)?;
    let metadata = metadata.unwrap_or_default();
    let objects = items.into_iter().map(message::object).collect::<Result<_, _>>()?;
    Ok(Page { objects, token: present(metadata.r#continue), version: present(metadata.resource_version) })
}

pub(super) async fn watch<S: Part, T: Part>(
    client: &Client,
    url: &str,
    config: &watcher::Config,
    version: &str,
) -> kube::Result<Answer<Changes<S, T>>> {
    let params = WatchParams {
        label_selector: config.label_selector.clone(),
        field_selector: config.field_selector.clone(),
        timeout: config.timeout,
        bookmarks: config.bookmarks,
        send_initial_events: false,
    };
    let request = kube::core::Request::new(url).watch(&params, version).map_err(kube::Error::BuildRequest)?;
    Ok(match send(client, request, ACCEPT_WATCH).await? {
        Answer::Protobuf(body) => Answer::Protobuf(frame::changes(body)),
        Answer::Other => Answer::Other,
    })
}

async fn send(client: &Client, request: Request<Vec<u8>>, accept: &'static str) -> kube::Result<Answer<Body>> {
    let mut request = request.map(Body::from);
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
    let response = client.send(request).await?;
    let status = response.status();
    let protobuf = is_protobuf(&response);
    if status.is_client_error() || status.is_server_error() {
        let body = response.into_body().collect_bytes().await?;
        return Err(kube::Error::Api(refusal(&body, status.as_u16()).boxed()));
    }
    Ok(if protobuf { Answer::Protobuf(response.into_body()) } else { Answer::Other })
}

fn is_protobuf(response: &Response<Body>) -> bool {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.and_then(|value| value.split(';').next()).is_some_and(|value| value.trim() == PROTOBUF)
}

/// What a refused request is told: a Status in protobuf or in JSON, or a proxy's text.
fn refusal(body: &bytes::Bytes, code: u16) -> Status {
    message::open(body).and_then(message::status).ok().or_else(|| serde_json::from_slice(body).ok()).unwrap_or_else(
        || Status::failure(String::from_utf8_lossy(body).trim(), "the answer is no Status").with_code(code),
    )
}

fn invalid(error: Malformed) -> kube::Error {
    kube::Error::Service(Box::new(error))
}
