//! The advisor of a run: it reads the lab's AWS and Kubernetes on the lab's clock.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use aws_credential_types::Credentials;
use headroom_advisor::aws::Connection;
use headroom_advisor::config::{Aws, Config, Observe};
use headroom_advisor::{Clock, Handle, Options};
use headroom_lab::Lab;
use tokio::sync::oneshot;

use super::run::dropped;

/// The lab takes no notice of who asks.
const REGION: &str = "us-west-2";
/// Lab seconds from one reading to the next: a run lasts a few minutes of the lab's time.
const OBSERVE: Observe =
    Observe { subnets_secs: 5, enis_secs: 10, instances_secs: 10, groups_secs: 30, topology_secs: 60 };

/// A running advisor.
#[derive(Debug)]
pub(super) struct Advisor {
    handle: Handle,
    stop: oneshot::Sender<()>,
}

impl Advisor {
    /// Of the lab's cluster, on its clock of which `rate` seconds pass in a real one.
    pub(super) async fn start(lab: &Lab, cluster_name: String, rate: f64) -> Result<Advisor> {
        let aws = Aws { region: Some(REGION.to_owned()), ..Aws::default() };
        let config = Config { cluster_name, aws, observe: OBSERVE, ..Config::default() };
        let credentials = Credentials::new("lab", "lab", None, None, "lab");
        let aws = Connection::at(&config.aws, lab.aws_url(), credentials).await.context("the lab's AWS")?;
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let clock = lab.clock().clone();
        let options = Options {
            config,
            kubeconfig: Some(lab.kubeconfig().to_owned()),
            context: None,
            grpc_listen: any_port,
            admin_listen: any_port,
            clock: Clock::simulated(move || clock.now(), rate),
            aws: Some(aws),
        };
        let (stop, stopped) = oneshot::channel();
        let handle = headroom_advisor::run(options, dropped(stopped)).await.context("failed to start the advisor")?;
        Ok(Advisor { handle, stop })
    }

    /// Where its feed is.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.handle.grpc_addr)
    }

    /// Where its metrics are.
    pub(super) fn admin_url(&self) -> String {
        format!("http://{}", self.handle.admin_addr)
    }

    /// Stops it and waits for that.
    pub(super) async fn stop(self) -> Result<()> {
        drop(self.stop);
        self.handle.wait().await.context("the advisor did not stop cleanly")
    }
}
