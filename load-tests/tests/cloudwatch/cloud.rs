//! The lab's CloudWatch with something in front of it that can hold or spoil requests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_ENCODING;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use headroom_advisor::cloudwatch::{Datum, Publisher, Unit};
use headroom_advisor::config::CloudWatch;
use headroom_advisor::metrics::Metrics;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_lab::aws::{self, Config, Fault, FaultKind, Vpc};
use headroom_lab::clock::Clock;
use tokio::sync::Notify;

/// CloudWatch refuses a request with a metric of this name.
pub(crate) const REFUSED: &str = "Poisoned";
/// How long a call may take in these tests.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// An empty map in CBOR: a request without anything that it needs.
const EMPTY_MAP: &[u8] = &[0xa0];

pub(crate) struct Cloud {
    pub(crate) vpc: Arc<Mutex<Vpc>>,
    pub(crate) clock: Clock,
    pub(crate) url: String,
    pub(crate) gate: Arc<Gate>,
    metrics: Arc<Metrics>,
}

/// Where a request is held for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// CloudWatch never sees it.
    Before,
    /// CloudWatch has taken it, and its answer is lost.
    After,
}

#[derive(Default)]
pub(crate) struct Gate {
    /// What happens to the request after so many more.
    hold: Mutex<Option<(Hold, u32)>>,
    pub(crate) held: Notify,
    gzip: AtomicUsize,
    plain: AtomicUsize,
}

impl Gate {
    pub(crate) fn hold(&self, how: Hold, after: u32) {
        *self.hold.lock().unwrap() = Some((how, after));
    }

    fn take(&self) -> Option<Hold> {
        let mut hold = self.hold.lock().unwrap();
        match *hold {
            Some((how, 0)) => {
                *hold = None;
                Some(how)
            }
            Some((how, after)) => {
                *hold = Some((how, after - 1));
                None
            }
            None => None,
        }
    }

    async fn stop(&self) {
        self.held.notify_one();
        std::future::pending::<()>().await
    }

    /// Requests in gzip, and others.
    pub(crate) fn encodings(&self) -> (usize, usize) {
        (self.gzip.load(Ordering::Relaxed), self.plain.load(Ordering::Relaxed))
    }
}

async fn pass(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let gzip = request.headers().get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    if gzip { &gate.gzip } else { &gate.plain }.fetch_add(1, Ordering::Relaxed);
    let (parts, body) = request.into_parts();
    let mut bytes = to_bytes(body, 1 << 22).await.unwrap();
    if bytes.windows(REFUSED.len()).any(|window| window == REFUSED.as_bytes()) {
        bytes = EMPTY_MAP.into();
    }
    let hold = gate.take();
    if hold == Some(Hold::Before) {
        gate.stop().await;
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    if hold == Some(Hold::After) {
        gate.stop().await;
    }
    response
}

pub(crate) fn today() -> Time {
    Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

pub(crate) fn memory_config() -> CloudWatch {
    CloudWatch { enabled: true, ..CloudWatch::default() }
}

pub(crate) fn file_config(dir: &Path) -> CloudWatch {
    CloudWatch { spool_file: Some(dir.join("spool.redb")), ..memory_config() }
}

/// A round with so many points, each told from all others by its dimensions.
pub(crate) fn round(number: u64, points: u64) -> Vec<(String, Vec<Datum>)> {
    let datum = |point: u64| {
        let (round, point) = (number.to_string(), point.to_string());
        Datum::new("SubnetFreeIPs", Unit::Count, &[("Cluster", "prod"), ("Round", &round), ("Point", &point)], 1.0)
    };
    vec![("Headroom".to_owned(), (0..points).map(datum).collect())]
}

pub(crate) fn sdk(url: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-west-2"))
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("AKID", "secret", None, None, "test")))
        .build()
}

impl Cloud {
    pub(crate) async fn start() -> Cloud {
        let clock = Clock::manual(today());
        let config = Config { throttle: None, ..Config::new(1, Cidr::parse("10.0.0.0/16").unwrap()) };
        let vpc = Arc::new(Mutex::new(Vpc::new(config)));
        let gate = Arc::new(Gate::default());
        let router = aws::router(Arc::clone(&vpc), clock.clone()).layer(from_fn_with_state(Arc::clone(&gate), pass));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Cloud { vpc, clock, url, gate, metrics: Arc::default() }
    }

    /// At an address where nobody listens.
    pub(crate) async fn unreachable() -> Cloud {
        let cloud = Cloud::start().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        Cloud { url, ..cloud }
    }

    pub(crate) fn publisher(&self, config: &CloudWatch) -> Publisher {
        Publisher::new(&sdk(&self.url), config, CALL_TIMEOUT, Arc::clone(&self.metrics)).unwrap()
    }

    pub(crate) fn fault(&self, kind: FaultKind) {
        let from = self.clock.now();
        let fault = Fault { operation: None, kind, from, until: from + Duration::from_secs(1), every: 1 };
        self.vpc.lock().unwrap().add_fault(fault);
    }

    pub(crate) fn end_faults(&self) {
        self.clock.advance(Duration::from_secs(2));
    }

    pub(crate) fn text(&self) -> String {
        self.metrics.encode().unwrap()
    }

    pub(crate) fn assert_metric(&self, line: &str) {
        let text = self.text();
        assert!(text.contains(&format!("\nheadroom_advisor_{line}\n")), "{line} is not in:\n{text}");
    }

    /// How often each point of each round arrived.
    pub(crate) fn points(&self) -> BTreeMap<(u64, u64), u32> {
        let mut points = BTreeMap::new();
        for (_, datum) in self.vpc.lock().unwrap().metrics().data() {
            let number = |name: &str| datum.dimensions[name].parse::<u64>().unwrap();
            *points.entry((number("Round"), number("Point"))).or_default() += 1;
        }
        points
    }

    /// Rounds in the order in which they arrived.
    pub(crate) fn rounds_in_order(&self) -> Vec<u64> {
        let vpc = self.vpc.lock().unwrap();
        let mut rounds: Vec<u64> =
            vpc.metrics().data().map(|(_, datum)| datum.dimensions["Round"].parse().unwrap()).collect();
        rounds.dedup();
        rounds
    }

    /// Waits for something that must come.
    pub(crate) async fn until(&self, done: impl Fn(&Cloud) -> bool) {
        let waited = async {
            while !done(self) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waited).await.unwrap();
    }
}
