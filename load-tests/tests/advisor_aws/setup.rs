//! A VPC that is served, and an observer of it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use headroom_advisor::aws::{Connection, Observer, Round};
use headroom_advisor::config::Config;
use headroom_advisor::inventory::InstanceId;
use headroom_capacity::ids::SubnetId;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_lab::aws::{self, Fault, FaultKind, NewGroup, NewSubnet, Tags, Vpc};
use headroom_lab::clock::Clock;

pub(crate) const CLUSTER: &str = "headroom-lab";

pub(crate) struct Aws {
    vpc: Arc<Mutex<Vpc>>,
    pub(crate) clock: Clock,
    pub(crate) url: String,
}

pub(crate) fn today() -> Time {
    Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Serves `vpc` until the test's runtime ends. Its clock stands still.
pub(crate) async fn serve(vpc: Arc<Mutex<Vpc>>, now: Time) -> Aws {
    let clock = Clock::manual(now);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = aws::router(Arc::clone(&vpc), clock.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Aws { vpc, clock, url }
}

/// Two subnets and a group of two running c5.large in them; the group has `tags`.
pub(crate) async fn small(tags: Tags) -> Aws {
    let now = today();
    let mut vpc = Vpc::new(aws::Config::new(1, Cidr::parse("10.0.0.0/16").unwrap()));
    let subnets: Vec<SubnetId> = [("10.0.0.0/24", "us-west-2a"), ("10.0.1.0/24", "us-west-2b")]
        .map(|(cidr, az)| NewSubnet { cidr: Cidr::parse(cidr).unwrap(), az: az.into(), tags: Tags::new() })
        .map(|new| vpc.create_subnet(new, now).unwrap())
        .into();
    let group = NewGroup {
        name: "workers".into(),
        min: 1,
        max: 5,
        desired: 2,
        subnets,
        instance_type: "c5.large".into(),
        tags,
        protect_new: false,
        cooldown: Duration::from_secs(300),
    };
    vpc.create_group(group, now).unwrap();
    let now = now + Duration::from_secs(60);
    vpc.advance(now);
    serve(Arc::new(Mutex::new(vpc)), now).await
}

/// The same, of the cluster.
pub(crate) async fn tagged() -> Aws {
    small(Tags::from([(format!("kubernetes.io/cluster/{CLUSTER}"), "owned".into())])).await
}

pub(crate) fn config() -> Config {
    let mut config = Config { cluster_name: CLUSTER.to_owned(), ..Config::default() };
    config.aws.region = Some("us-west-2".to_owned());
    config
}

impl Aws {
    pub(crate) fn vpc(&self) -> MutexGuard<'_, Vpc> {
        self.vpc.lock().unwrap()
    }

    pub(crate) async fn connect(&self, config: &Config) -> Connection {
        let credentials = Credentials::new("AKID", "secret", None, None, "test");
        Connection::at(&config.aws, &self.url, credentials).await.unwrap()
    }

    pub(crate) async fn observer(&self, config: &Config) -> Observer {
        Observer::new(self.connect(config).await, config, fastrand::Rng::with_seed(7))
    }

    /// A round now, in a cluster without nodes; it ends, whatever AWS does.
    pub(crate) async fn round(&self, observer: &mut Observer) -> Round {
        self.round_with(observer, &BTreeSet::new()).await
    }

    pub(crate) async fn round_with(&self, observer: &mut Observer, nodes: &BTreeSet<InstanceId>) -> Round {
        // On the heap: unoptimised, several such futures in one test are more than a thread's stack.
        let round = Box::pin(observer.round(self.clock.now(), nodes));
        tokio::time::timeout(Duration::from_secs(60), round).await.expect("every call has a deadline")
    }

    /// For a minute from now.
    pub(crate) fn fault(&self, operation: Option<&str>, kind: FaultKind, every: u32) {
        let from = self.clock.now();
        let until = from + Duration::from_secs(60);
        self.vpc().add_fault(Fault { operation: operation.map(str::to_owned), kind, from, until, every });
    }
}
