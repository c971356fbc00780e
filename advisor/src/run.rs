//! Wiring: watches, loops and listeners, in one process or in a test.

mod autoscaler;
mod backfill;
mod books;
mod clock;
mod core;
mod expand;
mod foresee;
mod journal;
mod observe;
mod probe;
mod scale;
mod scrape;
mod serve;
mod sweep;
mod turns;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headroom_cluster::{Candidate, elect};
use headroom_shell::listen::{self, BindError, bind};
use headroom_shell::supervise::{Supervised, Supervisor, TaskError};
use headroom_shell::tls::{self, Acceptor, Certificates, TlsError};
use headroom_shell::{admin, grpc};
use thiserror::Error;
use tokio::net::TcpListener;

use self::core::Core;
use self::scale::Means;
use crate::aws::{ConnectError as AwsConnectError, Connection, Observer};
use crate::cloudwatch::{Publisher, SpoolError};
use crate::config::{self, Config, LeakAction};
use crate::feed::Feed;
use crate::history::{History, HistoryError, Limits};
use crate::metrics::{ADMIN, GRPC};
use crate::reachability::Prober;
pub use clock::Clock;

/// How long open calls may take to finish on shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// What `run` needs beside the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// What it observes and tells.
    pub config: Config,
    /// The kubeconfig; `None` takes `KUBECONFIG`, `~/.kube/config` or the pod's service account.
    pub kubeconfig: Option<PathBuf>,
    /// A context other than the current one.
    pub context: Option<String>,
    /// Where gRPC is served; port 0 takes a free one.
    pub grpc_listen: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are; port 0 takes a free one.
    pub admin_listen: SocketAddr,
    /// What time it is.
    pub clock: Clock,
    /// A connection to AWS other than that of environment and profile.
    pub aws: Option<Connection>,
}

/// Why it did not start or did not go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// There is no client for the cluster.
    #[error("failed to connect to Kubernetes")]
    Connect(#[from] headroom_cluster::ConnectError),
    /// AWS cannot be called.
    #[error(transparent)]
    Aws(#[from] AwsConnectError),
    /// An endpoint of AWS is no URL.
    #[error("failed to find an endpoint of AWS: {0}")]
    Endpoint(String),
    /// The file of `cloudwatch.spool_file` cannot be used.
    #[error("failed to open cloudwatch.spool_file")]
    Spool(#[from] SpoolError),
    /// The file of `history.path` cannot be used.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The certificate cannot be served.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address could not be bound.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// A task ended or panicked that must run for as long as the process does.
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// A running advisor.
#[derive(Debug)]
pub struct Handle {
    /// Where gRPC is served.
    pub grpc_addr: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub admin_addr: SocketAddr,
    done: Supervised,
}

impl Handle {
    /// Waits until shutdown is complete.
    ///
    /// # Errors
    /// When a task ended before it was asked to.
    pub async fn wait(self) -> Result<(), RunError> {
        Ok(self.done.wait().await?)
    }
}

/// Binds the listeners, starts the watches and loops and returns at once; `/readyz` tells when there are books. When `shutdown`
/// resolves, open calls are answered, what waits for CloudWatch is sent and everything ends; a Lease that is held is given back.
///
/// # Errors
/// When the kubeconfig gives no client, AWS has neither region nor credentials, the certificate cannot be served, the spool's file
/// cannot be used or an address cannot be bound.
pub async fn run<S>(options: Options, shutdown: S) -> Result<Handle, RunError>
where
    S: Future<Output = ()> + Send + 'static,
{
    let Options { config, kubeconfig, context, grpc_listen, admin_listen, clock, aws } = options;
    let client = headroom_cluster::connect(kubeconfig.as_deref(), context.as_deref()).await?;
    for warning in config.warnings() {
        tracing::warn!(warning);
    }
    let certificates = config.tls.clone().map(Certificates::load).transpose()?;
    let aws = match aws {
        Some(connection) => connection,
        None => Connection::open(&config.aws).await?,
    };
    let (grpc_listener, grpc_addr) = bind(grpc_listen).await?;
    let (admin_listener, admin_addr) = bind(admin_listen).await?;
    let mut tasks = Supervisor::new(DRAIN);
    let leadership = config.leader_election.enabled.then(|| {
        let (leadership, election) = elect(&client, candidate(&config), tasks.stopped());
        tasks.serve("leader election", election);
        leadership
    });
    let history = open_history(&config)?;
    let identity = Candidate::identity();
    let core = Arc::new(Core::new(config, clock, &identity, leadership, history));
    let publisher = publisher(&core, &aws)?;
    let headroom_cluster::Watch { events, tasks: watches } = headroom_cluster::watch(&client);
    for (kind, watch) in watches {
        tasks.watch(format!("watch {}", kind.label()), watch);
    }
    tasks.watch("state", core::follow(events, Arc::clone(&core)));
    let observer = Observer::new(aws.clone(), &core.config, fastrand::Rng::new());
    tasks.watch("observe", observe::observe(Arc::clone(&core), observer));
    let prober = Prober::new(aws.clone(), &core.config).await.map_err(RunError::Endpoint)?;
    tasks.watch("probe", probe::probe(Arc::clone(&core), prober));
    tasks.watch("books", books::keep(Arc::clone(&core), publisher.clone()));
    tasks.watch("Cluster Autoscaler", autoscaler::look(Arc::clone(&core), client.clone()));
    tasks.watch("forecast", foresee::look_ahead(Arc::clone(&core), aws.sdk.clone()));
    let means = Means::new(&core, &client, &aws, &identity);
    tasks.watch("plan", scale::keep_planning(Arc::new(means)));
    if let Some(publisher) = publisher {
        if core.config.cloudwatch.cni_metrics_helper_names {
            tasks.watch("ipamd", scrape::scrape(Arc::clone(&core), client.clone()));
        }
        let (clock, stopped) = (core.clock.clone(), tasks.stopped());
        tasks.serve("CloudWatch", async move { publisher.run(move || clock.now(), stopped).await });
    }
    if core.config.leaks.action != LeakAction::Report {
        tasks.watch("leaks", sweep::sweep(Arc::clone(&core), aws, books::policy(&core)));
    }
    let acceptor = certificates.as_ref().map(Certificates::acceptor);
    if let Some(certificates) = certificates {
        tasks.watch("certificates", tls::follow(certificates, core.metrics.served.clone(), tls::POLL));
    }
    serve_grpc(&mut tasks, &core, grpc_listener, acceptor).await;
    let router = admin::router(Arc::clone(&core)).merge(serve::page(&core));
    let served = listen::serve(admin_listener, core.metrics.served.by(ADMIN), None, router, tasks.stopped());
    tasks.serve("admin listener", served);
    Ok(Handle { grpc_addr, admin_addr, done: tasks.start(shutdown) })
}

/// Forecasts begin anew where it is kept in memory.
fn open_history(config: &Config) -> Result<History, HistoryError> {
    let config::History { path, max_series, idle_days, backfill: _ } = &config.history;
    History::open(path.as_deref(), Limits { max_series: *max_series, idle_days: *idle_days })
}

fn candidate(config: &Config) -> Candidate {
    Candidate {
        namespace: config.leader_election.namespace.clone(),
        name: config.leader_election.name.clone(),
        identity: Candidate::identity(),
        duration: Duration::from_secs(config.leader_election.lease_secs),
    }
}

fn publisher(core: &Core, aws: &Connection) -> Result<Option<Arc<Publisher>>, SpoolError> {
    let config = &core.config.cloudwatch;
    if !config.enabled {
        return Ok(None);
    }
    let call_timeout = Duration::from_millis(core.config.aws.call_timeout_ms);
    Publisher::new(&aws.sdk, config, call_timeout, Arc::clone(&core.metrics)).map(|publisher| Some(Arc::new(publisher)))
}

async fn serve_grpc(tasks: &mut Supervisor, core: &Arc<Core>, listener: TcpListener, acceptor: Option<Acceptor>) {
    let ready = core.ready.subscribe();
    let descriptors = &[headroom_proto::FILE_DESCRIPTOR_SET];
    let services: &'static [&'static str] = if core.config.expander.enabled {
        &[Feed::SERVICE, serve::SERVICE, expand::SERVICE]
    } else {
        &[Feed::SERVICE, serve::SERVICE]
    };
    let (router, health) = grpc::standard(services, descriptors, ready, tasks.stopped()).await;
    let mut router = router.merge(core.feed.router(tasks.stopping())).merge(serve::grpc(core));
    if core.config.expander.enabled {
        router = router.merge(expand::grpc(core));
    }
    tasks.serve("gRPC health", health);
    let served = listen::serve(listener, core.metrics.served.by(GRPC), acceptor, router, tasks.stopped());
    tasks.serve("gRPC listener", served);
}
