//! What was collected about a cluster: enough to look for causes without it.

use serde::{Deserialize, Serialize};

use crate::join;

/// What `doctor collect` writes. Only what is listed here is kept of an object, so nothing else can leave the cluster with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Bundle {
    /// The version of this format.
    pub version: u32,
    /// What joining depends on, where it was collected.
    pub join: Option<join::Facts>,
}
