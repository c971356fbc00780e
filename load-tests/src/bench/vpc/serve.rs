//! Serves such a VPC: pages that are ready in memory, so that the server takes little of the machine beside what is measured.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, Write as _};
use std::sync::Arc;

use bytes::Bytes;
use headroom_advisor::aws::Operation;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{Size, answer};

type Pages = HashMap<&'static str, Vec<Bytes>>;

/// Serves for ever; its address is the first line of stdout.
///
/// # Errors
/// When no port can be bound.
pub async fn serve(size: Size) -> io::Result<()> {
    let served = Operation::ALL.into_iter().map(Operation::label);
    let pages: Arc<Pages> = Arc::new(served.filter_map(|label| Some((label, answer::pages(size, label)?))).collect());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pages = Arc::clone(&pages);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(Arc::clone(&pages), request));
            // The client closes when it has had enough.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn respond(pages: Arc<Pages>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let form = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let page = str::from_utf8(&form).ok().and_then(|form| page(&pages, form));
    let mut response = Response::new(Full::from(page.clone().unwrap_or_default()));
    if page.is_none() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

/// Names and numbers need no decoding.
fn page(pages: &Pages, form: &str) -> Option<Bytes> {
    let field = |name| form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let at: usize = field("NextToken").map_or(Some(0), |token| token.parse().ok())?;
    pages.get(field("Action")?)?.get(at).cloned()
}
