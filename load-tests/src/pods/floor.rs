//! A server that copies the names of the request into the reply: the least that an extender can do for an answer of that length.

use std::convert::Infallible;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const KEY: &[u8] = br#""NodeNames":"#;

/// Serves until the process ends; answers have at most `max_names` names.
///
/// # Errors
/// When no connection can be accepted.
pub async fn serve(listener: TcpListener, max_names: usize) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await.context("failed to accept a connection")?;
        stream.set_nodelay(true).context("failed to set TCP_NODELAY")?;
        tokio::spawn(async move {
            // A client that hangs up is no concern of this server.
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(|request| answer(request, max_names)))
                    .await,
            );
        });
    }
}

async fn answer(request: Request<Incoming>, max_names: usize) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    Ok(Response::new(Full::new(splice(&body, max_names).into())))
}

/// The reply with the bytes of the request's `NodeNames`, which kube-scheduler's encoder puts last (k/k staging
/// `kube-scheduler/extender/v1/types.go`, `ExtenderArgs`).
fn splice(body: &[u8], max_names: usize) -> Vec<u8> {
    let names = body.windows(KEY.len()).rposition(|window| window == KEY).and_then(|at| {
        let rest = &body[at + KEY.len()..];
        let end = rest.iter().position(|&byte| byte == b']')?;
        // A name holds no comma.
        let mut commas = rest[..end].iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(at, _)| at);
        Some(&rest[..commas.nth(max_names.saturating_sub(1)).unwrap_or(end)])
    });
    let Some(names) = names else { return br#"{"Error":"no NodeNames"}"#.to_vec() };
    [br#"{"NodeNames":"#, names, b"]}"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_the_names() {
        let body = br#"{"Pod":{"metadata":{"name":"a"}},"Nodes":null,"NodeNames":["b","c"]}"#;
        for most in [2, 3, usize::MAX] {
            assert_eq!(splice(body, most), br#"{"NodeNames":["b","c"]}"#);
        }
        assert_eq!(splice(body, 1), br#"{"NodeNames":["b"]}"#);
        assert_eq!(splice(b"{}", 1), br#"{"Error":"no NodeNames"}"#);
    }
}
