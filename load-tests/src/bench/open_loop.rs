//! Calls at times that do not depend on the answers: what callers see who do not wait for each other.
//!
//! A closed loop sends nothing while it waits, so a stall costs it one slow call however many would have come meanwhile
//! (coordinated omission). Here each call has its time from a [schedule](super::schedule), and its latency counts from then.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, HOST};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::fixture::{self, Wish};
use super::latency::Latencies;
use super::schedule::{Arrivals, Took, schedule};

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args)]
pub struct Load {
    /// How arrivals are spread.
    #[arg(long, value_enum, default_value = "poisson")]
    pub arrivals: Arrivals,
    /// Calls a second, on average.
    #[arg(long, value_name = "N", default_value = "500", value_parser = rate)]
    pub per_sec: f64,
    /// Calls in all.
    #[arg(long, value_name = "N", default_value = "3000")]
    pub calls: usize,
    /// Connections; a call that is due waits while all are taken.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub connections: usize,
    /// Nodes named in each call, the cluster's first.
    #[arg(long, value_name = "N", default_value = "500")]
    pub names: u32,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && rate.is_finite());
    rate.ok_or_else(|| "a rate is a number above 0".to_owned())
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// From when each call was due.
    pub corrected: Latencies,
    /// From when it was sent.
    pub uncorrected: Latencies,
}

/// Calls `POST path` at `addr`; the pods' UIDs are [`fixture::call_uid`] from `first_pod` on. Blocks.
///
/// # Errors
/// When a connection breaks, or an answer is not 200 or carries an error.
pub fn run(addr: SocketAddr, path: &str, load: &Load, first_pod: u64) -> anyhow::Result<Outcome> {
    let due = schedule(load.arrivals, load.per_sec, load.calls, &mut fastrand::Rng::with_seed(first_pod));
    let template = Template::new(load.names);
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let connection = || -> anyhow::Result<Vec<Took>> {
        let mut connection = Connection::open(addr, path)?;
        let mut took = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(&intended) = due.get(i) else { return Ok(took) };
            let body = template.body(first_pod + i as u64);
            thread::sleep(intended.saturating_sub(started.elapsed()));
            let sent = started.elapsed();
            connection.call(body)?;
            took.push(Took::between(intended, sent, started.elapsed()));
        }
    };
    let took = thread::scope(|scope| {
        let threads: Vec<_> = (0..load.connections).map(|_| scope.spawn(connection)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a connection panicked")));
        joined.collect::<anyhow::Result<Vec<_>>>()
    })?
    .concat();
    let nanos = |of: fn(&Took) -> Duration| -> Vec<u64> {
        took.iter().map(|took| u64::try_from(of(took).as_nanos()).unwrap_or(u64::MAX)).collect()
    };
    let mut outcome = Outcome::default();
    outcome.corrected.add_round(&nanos(|took| took.corrected));
    outcome.uncorrected.add_round(&nanos(|took| took.uncorrected));
    Ok(outcome)
}

/// One connection with the runtime that drives it: between two calls there is nothing to drive, so the thread may sleep with
/// the kernel's precision instead of a timer wheel's millisecond.
struct Connection {
    runtime: tokio::runtime::Runtime,
    sender: SendRequest<Full<Bytes>>,
    addr: SocketAddr,
    path: String,
}

impl Connection {
    fn open(addr: SocketAddr, path: &str) -> anyhow::Result<Connection> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sender = runtime.block_on(async {
            let stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            anyhow::Ok(sender)
        })?;
        Ok(Connection { runtime, sender, addr, path: path.to_owned() })
    }

    fn call(&mut self, body: Bytes) -> anyhow::Result<()> {
        let request = Request::post(&self.path)
            .header(HOST, self.addr.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body))?;
        let reply = self.runtime.block_on(async {
            self.sender.ready().await?;
            let reply = self.sender.send_request(request).await?;
            let status = reply.status();
            anyhow::Ok((status, reply.into_body().collect().await?.to_bytes()))
        });
        let (status, reply) = reply.with_context(|| format!("a call of {}", self.addr))?;
        if status != 200 || !reply.ends_with(br#""Error":""}"#) && !reply.ends_with(b"\"Error\":\"\"}\n") {
            bail!("{} answered {status}: {}", self.addr, String::from_utf8_lossy(&reply));
        }
        Ok(())
    }
}

/// A request with a gap for the pod's UID.
struct Template {
    before: String,
    after: String,
}

impl Template {
    fn new(names: u32) -> Template {
        let names: Vec<String> = (0..names).map(fixture::node_name).collect();
        let (pod, names) = (fixture::pending_pod(Wish::Plain), serde_json::Value::from(names));
        // In the order of kube-scheduler's encoder.
        let body = format!(r#"{{"Pod":{pod},"Nodes":null,"NodeNames":{names}}}"#);
        let (before, after) = body.split_once("@UID@").expect("the fixture's pod has @UID@ for its UID");
        Template { before: before.to_owned(), after: after.to_owned() }
    }

    fn body(&self, pod: u64) -> Bytes {
        [&*self.before, &*fixture::call_uid(pod), &*self.after].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that takes 5 ms a call is asked every 2.5 ms: what is measured from the time of sending never shows the queue.
    #[test]
    fn an_overloaded_server_looks_well_only_without_the_correction() {
        let (address, addr) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                address.send(listener.local_addr().unwrap()).unwrap();
                let (stream, _) = listener.accept().await.unwrap();
                let service = hyper::service::service_fn(|request: Request<hyper::body::Incoming>| async {
                    let body = request.into_body().collect().await?.to_bytes();
                    let args: serde_json::Value = serde_json::from_slice(&body).unwrap();
                    assert_eq!(args["NodeNames"].as_array().unwrap().len(), 3);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Ok::<_, hyper::Error>(http::Response::new(Full::<Bytes>::from(r#"{"NodeNames":[],"Error":""}"#)))
                });
                drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            });
        });
        let load = Load { arrivals: Arrivals::Fixed, per_sec: 400.0, calls: 40, connections: 1, names: 3 };
        let outcome = run(addr.recv().unwrap(), "/v1/filter", &load, 0).unwrap();
        assert_eq!((outcome.corrected.calls(), outcome.uncorrected.calls()), (40, 40));
        // The last call is due after 97.5 ms and answered after 200 ms at the earliest.
        assert!(outcome.corrected.max() > Duration::from_millis(95));
        assert!(outcome.uncorrected.quantile(0.5) >= Duration::from_millis(5));
        assert!(outcome.corrected.quantile(0.9) > outcome.uncorrected.quantile(0.5) * 2);
    }
}
