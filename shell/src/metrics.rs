//! What both binaries count of their connections and certificates, each under the prefix of its own registry.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

type Labels = [(&'static str, &'static str); 1];

const RELOADS: [&str; 2] = ["accepted", "refused"];

/// Handles to the metrics of listeners and certificates; clones count together.
#[derive(Clone, Debug)]
pub struct Served {
    connections: Family<Labels, Counter>,
    handshake_errors: Family<Labels, Counter>,
    tls_reloads: Family<Labels, Counter>,
    /// Without a series unless TLS is configured: an alert on it must not fire on a 0.
    tls_expiry: Family<Labels, Gauge<f64, AtomicU64>>,
}

impl Served {
    /// Every series at 0: of the listeners that may speak TLS, and of those that never do.
    #[must_use]
    pub fn new(secured: &[&'static str], plain: &[&'static str]) -> Served {
        let served = Served {
            connections: Family::default(),
            handshake_errors: Family::default(),
            tls_reloads: Family::default(),
            tls_expiry: Family::default(),
        };
        for &listener in secured.iter().chain(plain) {
            served.connections.get_or_create(&[("listener", listener)]).inc_by(0);
        }
        for &listener in secured {
            served.handshake_errors.get_or_create(&[("listener", listener)]).inc_by(0);
        }
        for result in RELOADS {
            served.tls_reloads.get_or_create(&[("result", result)]).inc_by(0);
        }
        served
    }

    /// Makes them part of the binary's metrics.
    pub fn register(&self, to: &mut Registry) {
        to.register("connections", "Connections accepted by listener", self.connections.clone());
        to.register("tls_handshake_errors", "TLS handshakes that failed by listener", self.handshake_errors.clone());
        to.register("tls_reloads", "Changed certificate files by whether they were accepted", self.tls_reloads.clone());
        let expiry = "When the certificate in use ends to be valid, Unix time";
        to.register_with_unit("tls_certificate_expiry_timestamp", expiry, Unit::Seconds, self.tls_expiry.clone());
    }

    /// For the listener of that name, one of those that were given to [`Served::new`].
    #[must_use]
    pub fn by(&self, listener: &'static str) -> Connections {
        Connections { listener, served: self.clone() }
    }

    /// Changed certificate files were taken or not.
    pub(crate) fn reloaded(&self, accepted: bool) {
        self.tls_reloads.get_or_create(&[("result", RELOADS[usize::from(!accepted)])]).inc();
    }

    /// The certificate in use, `server` or `client_ca`, ends to be valid then, Unix time in seconds.
    pub fn expires(&self, certificate: &'static str, unix_secs: u64) {
        let gauge = self.tls_expiry.get_or_create(&[("certificate", certificate)]);
        gauge.set(Duration::from_secs(unix_secs).as_secs_f64());
    }
}

/// What one listener counts.
#[derive(Clone, Debug)]
pub struct Connections {
    pub(crate) listener: &'static str,
    served: Served,
}

impl Connections {
    /// A connection was accepted.
    pub(crate) fn accepted(&self) {
        self.served.connections.get_or_create(&[("listener", self.listener)]).inc();
    }

    /// A client could not be agreed with on TLS.
    pub(crate) fn handshake_failed(&self) {
        self.served.handshake_errors.get_or_create(&[("listener", self.listener)]).inc();
    }
}
