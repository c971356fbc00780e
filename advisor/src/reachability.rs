//! Whether the APIs of AWS can be reached: what [`headroom_reach`] needs to know of this process, and the signed reads.
//!
//! ```text
//! Connection ── endpoints ──┐
//! Inventory ──── network ───┼─> Prober ──climb──> Ladder ──> Reached (passes, ladders) ──> metrics, log, whoever scales in
//! credentials ── reads ─────┘
//! ```

mod network;
mod reached;
mod reads;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use headroom_reach::{Deadlines, Endpoint, Ladder, Means, Service, climb};

use crate::aws::{CallRecord, Connection, JITTER, Operation, Way, read_of};
use crate::config::{self, Config};
use crate::inventory::Inventory;
pub use reached::{Change, Reached};
pub use reads::Reads;

/// Pod Identity's agent on the node (EKS user guide, "Understand how EKS Pod Identity works"), in `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
const POD_IDENTITY: [&str; 2] = ["169.254.170.23", "fd00:ec2::23"];

impl From<&config::Reachability> for Deadlines {
    fn from(config: &config::Reachability) -> Deadlines {
        let millis = Duration::from_millis;
        Deadlines {
            dns: millis(config.dns_timeout_ms),
            slow_dns: millis(config.slow_dns_ms),
            system: millis(config.resolver_timeout_ms),
            tcp: millis(config.tcp_timeout_ms),
            tls: millis(config.tls_timeout_ms),
            http: millis(config.http_timeout_ms),
            signed: millis(config.signed_timeout_ms),
        }
    }
}

/// Climbs the ladders of a connection's endpoints.
#[derive(Debug)]
pub struct Prober {
    connection: Connection,
    endpoints: Vec<Endpoint>,
    deadlines: Deadlines,
}

impl Prober {
    /// Of all the APIs that this configuration makes the advisor depend on.
    ///
    /// # Errors
    /// When an endpoint is no URL, or the SDK has no rule for the region.
    pub async fn new(connection: Connection, config: &Config) -> Result<Prober, String> {
        let full_uri = std::env::var("AWS_CONTAINER_CREDENTIALS_FULL_URI").unwrap_or_default();
        let mut endpoints = Vec::new();
        for service in services(config, &full_uri) {
            endpoints.push(connection.endpoint(service).await?);
        }
        Ok(Prober { connection, endpoints, deadlines: Deadlines::from(&config.reachability) })
    }

    /// Climbs all ladders at once, and tells the calls of AWS that it took. `inventory` tells addresses apart.
    pub async fn round(&self, inventory: &Inventory) -> (Vec<Ladder>, Vec<CallRecord>) {
        let service_host = std::env::var("KUBERNETES_SERVICE_HOST").unwrap_or_default();
        let Way { lookup, roots, network, client: _ } = &self.connection.way;
        let network = network::network(network(), inventory, &service_host);
        let reads = Reads::new(&self.connection);
        let means = Means { lookup: &**lookup, roots, signed: &reads, now: &SystemTime::now };
        let ladders =
            join_all(self.endpoints.iter().map(|endpoint| climb(endpoint, &network, &self.deadlines, &means))).await;
        (ladders, reads.into_records())
    }
}

/// Auto Scaling and EC2 in any case; STS, from which IRSA has its credentials and which tells whose they are; CloudWatch where it is used;
/// EKS Auth where Pod Identity is.
fn services(config: &Config, credentials_uri: &str) -> Vec<Service> {
    let cloudwatch = config.cloudwatch.enabled || config.history.backfill.cloudwatch;
    let pod_identity = POD_IDENTITY.iter().any(|agent| credentials_uri.contains(agent));
    let wanted = |service: &Service| match service {
        Service::AutoScaling | Service::Ec2 | Service::Sts => true,
        Service::Monitoring => cloudwatch,
        Service::EksAuth => pod_identity,
    };
    Service::ALL.into_iter().filter(wanted).collect()
}

/// Calls of AWS a minute at most, without retries.
#[must_use]
pub fn calls_per_minute(config: &Config) -> BTreeMap<Operation, f64> {
    let shortest = f64::from(u32::try_from(config.reachability.period_secs).unwrap_or(u32::MAX)) * (1.0 - JITTER);
    services(config, "").into_iter().filter_map(read_of).map(|operation| (operation, 60.0 / shortest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_used_is_not_probed() {
        let mut config = Config::default();
        assert_eq!(services(&config, ""), [Service::AutoScaling, Service::Ec2, Service::Sts]);
        config.cloudwatch.enabled = true;
        assert_eq!(services(&config, "http://169.254.170.23/v1/credentials"), Service::ALL);
    }
}
