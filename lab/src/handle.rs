//! A running lab.

use std::path::PathBuf;

use anyhow::Result;

use crate::clock::Clock;
use crate::scenario::Scenario;
use crate::world::Report;

/// How to run a scenario, beside what its file says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Lab seconds per real second; left out, the scenario's.
    pub rate: Option<f64>,
    /// Port of the AWS APIs on 127.0.0.1, 0 for any.
    pub aws_port: u16,
    /// Port of the Kubernetes API on 127.0.0.1, 0 for any.
    pub kube_port: u16,
    /// Where to write the kubeconfig; left out, a temporary file.
    pub kubeconfig: Option<PathBuf>,
}

/// A running lab: both APIs answer on loopback, nodes and workloads live on its clock. Dropping it stops everything and
/// removes a temporary kubeconfig.
#[derive(Debug)]
pub struct Lab {
    clock: Clock,
}

impl Lab {
    /// Builds the scenario and serves it.
    ///
    /// # Errors
    /// When a port is taken or the kubeconfig cannot be written.
    pub async fn start(_scenario: Scenario, _options: Options) -> Result<Lab> {
        unimplemented!("the world lands next")
    }

    /// Base URL of the Kubernetes API, `http://127.0.0.1:port`.
    #[must_use]
    pub fn kube_url(&self) -> String {
        unimplemented!("the world lands next")
    }

    /// Base URL of the AWS APIs, `http://127.0.0.1:port`.
    #[must_use]
    pub fn aws_url(&self) -> String {
        unimplemented!("the world lands next")
    }

    /// The kubeconfig file.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        unimplemented!("the world lands next")
    }

    /// The lab's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The state after the last step.
    #[must_use]
    pub fn report(&self) -> Report {
        unimplemented!("the world lands next")
    }

    /// Stops everything and waits for it.
    pub async fn shutdown(self) {}
}
