//! What can be set, and how long AWS takes.

use std::collections::BTreeMap;
use std::time::Duration;

use headroom_capacity::instance::InstanceLimits;
use headroom_capacity::subnet::Cidr;

use super::faults::Throttle;

/// Attachments that one CreateNetworkInterface or AssignPrivateIpAddresses call may ask for; far above any instance type's limit.
pub const MAX_ATTACHMENTS_PER_CALL: u32 = 50;

/// Settings of one VPC.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seed of ids and of the choice of addresses.
    pub seed: u64,
    /// `us-west-2`.
    pub region: String,
    /// Twelve digits.
    pub account: String,
    /// The VPC's blocks, the primary one first.
    pub cidrs: Vec<Cidr>,
    /// How old the `AvailableIpAddressCount` is that DescribeSubnets shows (the EC2 API is eventually consistent; for this field
    /// see amazon-vpc-cni-k8s#3075).
    pub available_count_lag: Duration,
    /// From RunInstances to `running`.
    pub instance_start: Duration,
    /// From TerminateInstances to `terminated`, and from StopInstances to `stopped`.
    pub instance_stop: Duration,
    /// From AttachNetworkInterface to `attached`.
    pub eni_attach: Duration,
    /// From DetachNetworkInterface to `available`.
    pub eni_detach: Duration,
    /// From a change of a group to its next step.
    pub group_step: Duration,
    /// From `running` to `InService`.
    pub in_service: Duration,
    /// Before a group tries a failed launch again.
    pub launch_retry: Duration,
    /// Token buckets; `None` for no throttling.
    pub throttle: Option<Throttle>,
    /// Limits of types that the tables do not know, or know otherwise.
    pub limits: BTreeMap<String, InstanceLimits>,
    /// Sizes of types whose name does not say, or says otherwise.
    pub sizes: BTreeMap<String, Size>,
}

/// How large an instance type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// vCPUs.
    pub vcpus: u32,
    /// MiB of memory.
    pub memory_mib: u64,
}

impl Config {
    /// Times as seen in practice, in `us-west-2`.
    #[must_use]
    pub fn new(seed: u64, cidr: Cidr) -> Config {
        Config {
            seed,
            region: "us-west-2".into(),
            account: "123456789012".into(),
            cidrs: vec![cidr],
            available_count_lag: Duration::from_secs(30),
            instance_start: Duration::from_secs(10),
            instance_stop: Duration::from_secs(40),
            eni_attach: Duration::from_secs(2),
            eni_detach: Duration::from_secs(4),
            group_step: Duration::from_secs(3),
            in_service: Duration::from_secs(5),
            launch_retry: Duration::from_secs(60),
            throttle: Some(Throttle::default()),
            limits: BTreeMap::new(),
            sizes: BTreeMap::new(),
        }
    }
}

/// How long EC2 takes to answer. [`Vpc`](super::Vpc) answers at once; who models a caller adds these.
pub mod latency {
    use std::time::Duration;

    /// AssignPrivateIpAddresses and UnassignPrivateIpAddresses (the VPC resource controller's comments take 600 ms as average).
    pub const ASSIGN: Duration = Duration::from_millis(600);
    /// CreateNetworkInterface.
    pub const CREATE_ENI: Duration = Duration::from_millis(800);
    /// AttachNetworkInterface until the instance's metadata shows the ENI; AWS documents up to 10 s for a new ENI as a whole.
    pub const ATTACH_ENI: Duration = Duration::from_millis(3000);
    /// A Describe call.
    pub const DESCRIBE: Duration = Duration::from_millis(150);
    /// DetachNetworkInterface and DeleteNetworkInterface, the wait between them included.
    pub const FREE_ENI: Duration = Duration::from_millis(6000);
}
