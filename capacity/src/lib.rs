//! The pure model of pod-IP capacity on an EKS node with the AWS VPC CNI.
//!
//! It answers one question, "can this node give an IP to one more pod: now, within seconds, or not?",
//! from plain values. Nothing here reads a clock, a random source or a socket: time and choices come in as arguments.
//!
//! ```text
//! instance (limits table) ─┐
//! settings (aws-node env) ─┼─> budget ──┐
//!                          │            ├─> verdict
//! datastore <── ipamd ─────┘   subnet ──┘
//!                 ├─ steady (closed forms of the same rules)
//!                 └─ floor (what they have brought by now, told from pods alone)
//! allot (who may count on what of a shared subnet)
//! binding (which resource of a node runs out first; steady tells what an instance type costs in addresses)
//! ```
#![cfg_attr(not(test), deny(missing_docs))]

pub mod allot;
pub mod binding;
pub mod budget;
pub mod datastore;
pub mod floor;
pub mod ids;
pub mod instance;
pub mod ipamd;
pub mod settings;
pub mod steady;
pub mod subnet;
pub mod time;
pub mod units;
pub mod verdict;
