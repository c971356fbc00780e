//! The least that an extender can do: find the names in the request and send some of them back. It decides nothing.
//!
//! `POST /keep/K/filter` answers with the first K names, byte for byte as they came, so that its answers can be as long as
//! those of an extender that decides. What it takes longer than this is the price of deciding.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Serves for ever; its address is the first line of stdout.
///
/// # Errors
/// When `listen` cannot be bound.
pub async fn serve(listen: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            // The client closes when it has had enough.
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer))
                    .await,
            );
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let keep = request.uri().path().split('/').nth(2).and_then(|keep| keep.parse().ok()).unwrap_or(usize::MAX);
    let reply = match request.into_body().collect().await {
        Ok(body) => spliced(&body.to_bytes(), keep),
        Err(_) => None,
    };
    let mut response = Response::new(Full::from(reply.unwrap_or_else(|| br#"{"Error":"no NodeNames"}"#.to_vec())));
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The answer that passes the first `keep` names of a request in the form that kube-scheduler's encoder gives it. The names
/// after them are not looked at: whatever looks at them does so to decide.
fn spliced(body: &[u8], keep: usize) -> Option<Vec<u8>> {
    // Within a JSON string the quotes would be escaped, so that these bytes are the key.
    const KEY: &[u8] = br#""NodeNames":["#;
    const HEAD: &[u8] = br#"{"Nodes":null,"NodeNames":["#;
    const TAIL: &[u8] = br#"],"FailedNodes":{},"FailedAndUnresolvableNodes":{},"Error":""}"#;
    let names = body.get(memchr::memmem::find(body, KEY)? + KEY.len()..)?;
    // Node names need no escapes: every second quote ends one. NodeNames is the last key, so the last bracket ends the list.
    let mut ends = memchr::memchr_iter(b'"', names).skip(1).step_by(2);
    let kept = match keep.checked_sub(1) {
        None => &[],
        Some(last) => match ends.nth(last) {
            Some(end) => names.get(..=end)?,
            None => names.get(..memchr::memrchr(b']', names)?)?,
        },
    };
    Some([HEAD, kept, TAIL].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn names(keep: usize) -> Value {
        let body = br#"{"Pod":{"metadata":{"annotations":{"a":"\"NodeNames\":[\"x\"]"}}},"Nodes":null,"NodeNames":["n1","n2","n3"]}"#;
        serde_json::from_slice::<Value>(&spliced(body, keep).unwrap()).unwrap()["NodeNames"].take()
    }

    #[test]
    fn keeps_the_first_names() {
        assert_eq!(names(1), json!(["n1"]));
        assert_eq!(names(2), json!(["n1", "n2"]));
        assert_eq!(names(3), json!(["n1", "n2", "n3"]));
        assert_eq!((names(9), names(0)), (names(3), json!([])));
    }
}
