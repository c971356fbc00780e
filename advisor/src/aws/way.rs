//! What lies between this process and AWS.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use headroom_reach::{Lookup, Network, Roots, SystemLookup};

/// Where glibc looks.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// How names are found and who is trusted, by the SDKs and by the probes alike. A simulator may have its own.
#[derive(Clone)]
pub struct Way {
    /// The system resolver.
    pub lookup: Arc<dyn Lookup>,
    /// The CAs that are trusted.
    pub roots: Roots,
    /// What is known of the network, asked before each round of probes.
    pub network: Arc<dyn Fn() -> Network + Send + Sync>,
    /// The SDKs' HTTP client, which must look names up and trust as the above do; `None` for their own.
    pub client: Option<SharedHttpClient>,
}

impl Way {
    /// The machine's.
    #[must_use]
    pub fn machine() -> Way {
        Way {
            lookup: Arc::new(SystemLookup::default()),
            roots: Roots::native(),
            network: Arc::new(|| Network::read(Path::new(RESOLV_CONF))),
            client: None,
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("roots", &self.roots).field("client", &self.client).finish_non_exhaustive()
    }
}
