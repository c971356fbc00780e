//! A page over HTTP, such as one of an admin listener.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;

/// From the connection to the last byte.
const DEADLINE: Duration = Duration::from_secs(30);
/// Eight weeks of 500 subnets in steps of five minutes are half as much.
const MOST_BYTES: usize = 256 << 20;

/// Why there is no page.
#[derive(Debug, Error)]
pub enum PageError {
    /// Nobody answers there.
    #[error("no answer from http://{addr}{path}")]
    Unreachable {
        /// Where.
        addr: String,
        /// Which page.
        path: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is no success.
    #[error("{status}: {body}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its text.
        body: String,
    },
}

/// GET over a connection of its own. `addr` is a host and a port; `path` may have a query.
///
/// # Errors
/// When there is no answer, or its status is no success.
pub async fn get(addr: impl ToString, path: &str) -> Result<String, PageError> {
    let addr = addr.to_string();
    let answer = tokio::time::timeout(DEADLINE, exchange(&addr, path)).await.unwrap_or_else(|late| Err(late.into()));
    let (status, body) = match answer {
        Ok(answer) => answer,
        Err(source) => return Err(PageError::Unreachable { addr, path: path.to_owned(), source }),
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    if status.is_success() { Ok(body) } else { Err(PageError::Refused { status, body: body.trim_end().to_owned() }) }
}

async fn exchange(
    addr: &str,
    path: &str,
) -> Result<(StatusCode, axum::body::Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TokioIo::new(TcpStream::connect(addr).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let request = Request::get(path).header("host", addr).body(Body::empty())?;
    let answer = async move {
        let reply = sender.send_request(request).await?;
        let status = reply.status();
        Ok((status, to_bytes(Body::new(reply.into_body()), MOST_BYTES).await?))
    };
    // The connection ends when its only request is answered.
    let (answer, _) = tokio::join!(answer, connection);
    answer
}
