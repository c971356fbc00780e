//! An advisor in this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_credential_types::Credentials;
use headroom_advisor::aws::{Connection, Way};
use headroom_advisor::config::Config;
use headroom_advisor::{Clock, Handle, Options};
use headroom_lab::Lab;
use tokio::sync::oneshot;

/// The lab takes no notice of it.
const REGION: &str = "us-west-2";

/// Where an advisor runs.
#[derive(Clone, Debug)]
pub struct Place {
    /// The endpoint of every AWS API.
    pub aws_url: String,
    /// How it is reached; `None` for the machine's own way.
    pub way: Option<Way>,
    /// The kubeconfig of the cluster.
    pub kubeconfig: PathBuf,
    /// What time it is there.
    pub clock: Clock,
}

impl Place {
    /// The lab's AWS and Kubernetes, on the lab's clock.
    #[must_use]
    pub fn lab(lab: &Lab) -> Place {
        Place {
            aws_url: lab.aws_url().to_owned(),
            way: None,
            kubeconfig: lab.kubeconfig().to_owned(),
            clock: lab_clock(lab.clock()),
        }
    }
}

/// A lab's clock, which runs, as an advisor takes it.
#[must_use]
pub fn lab_clock(clock: &headroom_lab::clock::Clock) -> Clock {
    const SPAN: Duration = Duration::from_secs(1000);
    let rate = SPAN.as_secs_f64() / clock.real(SPAN).as_secs_f64();
    let clock = clock.clone();
    Clock::simulated(move || clock.now(), rate)
}

/// A running advisor. It stops when it is dropped.
#[derive(Debug)]
pub struct Advisor {
    handle: Handle,
    stop: oneshot::Sender<()>,
}

impl Advisor {
    /// Starts it at `place`; it gets ready by itself.
    ///
    /// # Errors
    /// When a part of it does not start.
    pub async fn start(place: Place, mut config: Config) -> Result<Advisor> {
        config.aws.region.get_or_insert_with(|| REGION.to_owned());
        let credentials = Credentials::new("lab", "lab", None, None, "lab");
        let way = place.way.unwrap_or_else(Way::machine);
        let aws = Connection::by(way, &config.aws, &place.aws_url, credentials).await.context("the lab's AWS")?;
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let options = Options {
            config,
            kubeconfig: Some(place.kubeconfig),
            context: None,
            grpc_listen: any_port,
            admin_listen: any_port,
            clock: place.clock,
            aws: Some(aws),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let handle = headroom_advisor::run(options, stopped).await.context("failed to start the advisor")?;
        Ok(Advisor { handle, stop })
    }

    /// Where its feed is.
    #[must_use]
    pub fn grpc_addr(&self) -> SocketAddr {
        self.handle.grpc_addr
    }

    /// Where its admin pages are.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.handle.admin_addr
    }

    /// Stops it and waits for that.
    ///
    /// # Errors
    /// When it ended before.
    pub async fn stop(self) -> Result<()> {
        drop(self.stop);
        self.handle.wait().await.context("the advisor did not stop cleanly")
    }
}
