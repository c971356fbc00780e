//! ipamd's loop against a small EC2: the CNI's documented tables, the closed forms, the timing rules and the invariants.

#[path = "ipamd/closed_forms.rs"]
mod closed_forms;
#[path = "ipamd/ec2.rs"]
mod ec2;
#[path = "ipamd/grow.rs"]
mod grow;
#[path = "ipamd/invariants.rs"]
mod invariants;
#[path = "ipamd/shrink.rs"]
mod shrink;
#[path = "ipamd/subnets.rs"]
mod subnets;
#[path = "ipamd/tables.rs"]
mod tables;
