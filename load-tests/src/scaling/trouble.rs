//! What goes wrong.

use std::time::Duration;

use headroom_lab::aws::FaultKind;
use headroom_lab::net::{DnsFault, Mode};

/// Longer than [`config`](super::config) has a name take, and shorter than it waits for one.
pub const SLOW_DNS: Duration = Duration::from_millis(1300);

/// What befalls the way to AWS, and AWS itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Connections go astray; those that there are are cut.
    Way(Mode),
    /// The cluster's nameserver misbehaves.
    Dns {
        /// How.
        fault: DnsFault,
        /// Whether the connections that there are are cut, so that names have to be found anew.
        cut: bool,
    },
    /// Somebody stands in between who shows a certificate of his own.
    Certificate,
    /// Every call of AWS fails.
    Api(FaultKind),
    /// The calls of one operation do.
    Call(&'static str, FaultKind),
}

const fn dns(fault: DnsFault) -> Trouble {
    Trouble::Dns { fault, cut: true }
}

/// What keeps an advisor from AWS: its name in docs/scaling.md, and the cause that a probe of Auto Scaling names
/// ([`Cause`](headroom_reach::Cause)). The first twelve are those that an operator meets most.
pub const TROUBLES: [(&str, Trouble, &str); 16] = [
    ("CoreDNS down", dns(DnsFault::Drop), "dns_timeout"),
    ("NXDOMAIN", dns(DnsFault::NxDomain), "dns_nxdomain"),
    ("SERVFAIL", dns(DnsFault::ServFail), "dns_servfail"),
    ("slow DNS", dns(DnsFault::Delay(SLOW_DNS)), "dns_slow"),
    ("SYN dropped", Trouble::Way(Mode::Blackhole), "tcp_timeout"),
    ("RST", Trouble::Way(Mode::Refuse), "tcp_refused"),
    ("TLS stall", Trouble::Way(Mode::Stall), "tls_timeout"),
    ("wrong certificate", Trouble::Certificate, "cert_untrusted"),
    ("endpoint policy", Trouble::Api(FaultKind::EndpointPolicy), "endpoint_policy"),
    ("throttling", Trouble::Api(FaultKind::Throttle), "throttled"),
    ("skewed clock", Trouble::Api(FaultKind::ClockAhead(Duration::from_secs(20 * 60))), "clock_skew"),
    ("expired credentials", Trouble::Api(FaultKind::ExpiredToken), "credentials_expired"),
    ("reset in the handshake", Trouble::Way(Mode::Reset), "tls_reset"),
    ("no answer", Trouble::Api(FaultKind::Drop), "signed_no_answer"),
    ("503", Trouble::Api(FaultKind::Unavailable), "signed_failed"),
    ("denied", Trouble::Api(FaultKind::Denied), "denied"),
];

impl Trouble {
    /// Whether no probe of AWS passes while it lasts.
    #[must_use]
    pub fn keeps_from_aws(self) -> bool {
        match self {
            Trouble::Way(mode) => mode != Mode::Pass,
            Trouble::Dns { .. } | Trouble::Certificate => true,
            Trouble::Api(kind) => {
                !matches!(kind, FaultKind::Busy | FaultKind::ShortPages | FaultKind::LoseAnswer | FaultKind::Slow(_))
            }
            Trouble::Call(..) => false,
        }
    }
}
