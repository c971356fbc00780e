//! What the advisor tells of EC2: a client of `headroom.v1.CapacityFeed`.
//!
//! ```text
//! advisor ──stream──> connect ──CapacityUpdate──> assemble ──Change──> writer ──> index
//! ```
//!
//! Nothing depends on it. While it tells, pools are known instead of estimated, and subnets are known at all; once what it told is
//! too old, the index goes by Kubernetes alone again.

mod assemble;
mod backoff;
pub(crate) mod client;
mod connect;
mod tls;

use std::sync::Arc;

use headroom_capacity::allot::Free;
use headroom_capacity::ids::SubnetId;
use headroom_capacity::instance::InstanceLimits;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips};

pub use assemble::{Assembler, Gap};

/// One step of what EC2 shows, complete.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// It replaces everything known before; types aside, whose limits do not change.
    pub whole: bool,
    /// When EC2 was read for it.
    pub observed_at: Time,
    /// Nodes that are new or changed.
    pub nodes: Vec<(Arc<str>, Shown)>,
    /// Nodes that are gone.
    pub gone_nodes: Vec<Arc<str>>,
    /// Subnets that are new or changed.
    pub subnets: Vec<(SubnetId, Free)>,
    /// Subnets that are gone.
    pub gone_subnets: Vec<SubnetId>,
    /// Instance types that the built-in table may not know.
    pub types: Vec<(Arc<str>, InstanceLimits)>,
}

impl Change {
    /// Whether it only tells the time.
    #[must_use]
    pub fn is_heartbeat(&self) -> bool {
        let gone = self.gone_nodes.is_empty() && self.gone_subnets.is_empty();
        !self.whole && gone && self.nodes.is_empty() && self.subnets.is_empty() && self.types.is_empty()
    }
}

/// A node as EC2 shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// ENIs that take addresses for pods.
    pub pod_enis: Enis,
    /// ENIs that ipamd leaves alone.
    pub unmanaged: Enis,
    /// ENIs in a subnet that is excluded from pod addresses.
    pub excluded: Enis,
    /// A trunk ENI is attached.
    pub trunk: bool,
    /// Addresses attached for pods.
    pub attached: Ips,
    /// Free slots on attached ENIs, by subnet.
    pub free_slots: Vec<(SubnetId, u32)>,
    /// Subnets in which ipamd may make a new ENI.
    pub new_eni_subnets: Vec<SubnetId>,
}

/// Where what is said of a node comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The advisor: pool and subnets are as EC2 shows them, with what has happened since.
    Feed,
    /// Kubernetes alone: the pool is estimated, the subnets are not seen.
    Kubernetes,
}

impl Source {
    /// As it is written in reports.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Source::Feed => "feed",
            Source::Kubernetes => "kubernetes",
        }
    }
}

/// Why there is no feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedError {
    /// The advisor could not be reached, or the connection broke.
    Connect,
    /// A certificate file, or the advisor's certificate.
    Tls,
    /// The advisor has nothing to tell yet, is shutting down, or has too many clients.
    Refused,
    /// The advisor ended the stream.
    Ended,
    /// A message that cannot be understood, or another gRPC error.
    Protocol,
    /// A step is missing.
    Gap,
    /// Nothing was heard for 30 s.
    Silent,
}

impl FeedError {
    /// All of them, for metrics.
    pub const ALL: [FeedError; 7] = [
        FeedError::Connect,
        FeedError::Tls,
        FeedError::Refused,
        FeedError::Ended,
        FeedError::Protocol,
        FeedError::Gap,
        FeedError::Silent,
    ];

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            FeedError::Connect => "connect",
            FeedError::Tls => "tls",
            FeedError::Refused => "refused",
            FeedError::Ended => "ended",
            FeedError::Protocol => "protocol",
            FeedError::Gap => "gap",
            FeedError::Silent => "silent",
        }
    }
}
