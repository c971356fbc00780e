//! The admin pages of the binaries.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// GET over a connection of its own.
///
/// # Errors
/// When there is no answer, or its status is no success: status and body.
pub async fn get(addr: SocketAddr, path: &str) -> Result<String> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let reply = client.get(format!("http://{addr}{path}").parse()?).await?;
    let status = reply.status();
    let body = reply.into_body().collect().await?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    if !status.is_success() {
        bail!("{status}: {body}");
    }
    Ok(body)
}
