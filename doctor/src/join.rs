//! Why an instance does not join its cluster.

use serde::{Deserialize, Serialize};

/// What joining depends on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Facts {}
