//! What to do about a subnet that runs out: the least that is enough.

use std::fmt;

use headroom_capacity::budget::{Ipv4Budget, Mode};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::steady::steady;
use headroom_capacity::subnet::usable_ips;
use headroom_capacity::units::Ips;
use headroom_forecast::quantiles::{MEDIAN, P95};

use super::SubnetOutlook;
use crate::ledger::{NodeAccount, Owner, SubnetAccount};
use crate::metrics::labels;

/// A pool of 5 spare addresses, and 10 from the start: small, and still without an EC2 call for each pod (CNI
/// `docs/eni-and-ip-target.md`).
const WARM_IP_TARGET: u32 = 5;
const MINIMUM_IP_TARGET: u32 = 10;
/// The largest and the smallest block of a subnet (Amazon VPC user guide, "Subnet CIDR blocks").
const PREFIX_LENGTHS: (u8, u8) = (16, 28);

labels! {
    /// What helps.
    Remedy {
        /// Nothing has to be done within the horizon.
        Nothing = "nothing",
        /// Delete ENIs that leaked.
        DeleteLeaks = "delete_leaks",
        /// Replace nodes whose pools hold more than their pods ask for: a pool rarely gives back what it grew by.
        RecycleNodes = "recycle_nodes",
        /// Keep fewer addresses warm.
        LowerWarmTargets = "lower_warm_targets",
        /// Give addresses by /28: ENIs take fewer addresses of their own.
        UsePrefixes = "use_prefixes",
        /// Add a subnet.
        AddSubnet = "add_subnet",
    }
}

/// What to do, and what it brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What.
    pub remedy: Remedy,
    /// Addresses that it brings; those of the new subnet for [`Remedy::AddSubnet`].
    pub brings: Ips,
    /// Addresses that will be missing within the horizon with a probability of 5 %; in a subnet's first day of 50 %.
    pub short: Ips,
    /// Nodes to replace, for [`Remedy::RecycleNodes`].
    pub nodes: u32,
    /// The new subnet's prefix length, for [`Remedy::AddSubnet`].
    pub prefix_length: u8,
    /// By when: seconds from the forecast.
    pub by_secs: Option<u64>,
}

impl Advice {
    pub(super) fn nothing() -> Advice {
        Advice {
            remedy: Remedy::Nothing,
            brings: Ips::ZERO,
            short: Ips::ZERO,
            nodes: 0,
            prefix_length: 0,
            by_secs: None,
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Advice { brings, short, nodes, prefix_length, .. } = self;
        match self.remedy {
            Remedy::Nothing => return write!(f, "nothing to do"),
            Remedy::DeleteLeaks => write!(f, "delete the leaked ENIs: they hold {brings} addresses")?,
            Remedy::RecycleNodes => {
                write!(f, "replace {nodes} nodes one by one: their pools hold {brings} addresses more than they need")?;
            }
            Remedy::LowerWarmTargets => write!(
                f,
                "set WARM_IP_TARGET={WARM_IP_TARGET} and MINIMUM_IP_TARGET={MINIMUM_IP_TARGET} on aws-node: nodes will hold \
                 {brings} addresses less"
            )?,
            Remedy::UsePrefixes => {
                write!(f, "set ENABLE_PREFIX_DELEGATION=true on aws-node: nodes will hold {brings} addresses less")?;
            }
            Remedy::AddSubnet => write!(f, "add a subnet of /{prefix_length} in the zone: it has {brings} addresses")?,
        }
        write!(f, "; {short} may be missing")?;
        match self.by_secs {
            Some(0) | None => write!(f, ", now"),
            Some(secs) if secs < 3600 => write!(f, " within the hour"),
            Some(secs) => write!(f, " in {} h", secs / 3600),
        }
    }
}

/// The first of the remedies, from the smallest, that brings what will be missing; a subnet where none does. Of a subnet that has been
/// seen for less than a day (`young`) too little is known to advise by what is merely possible: there it takes what is likely.
pub(super) fn advise(
    outlook: &SubnetOutlook,
    young: bool,
    account: &SubnetAccount,
    nodes: &[(&NodeAccount, Ipv4Budget)],
    settings: &CniSettings,
) -> Advice {
    let (by_secs, level) =
        if young { (outlook.exhaustion.p50_secs, MEDIAN) } else { (outlook.exhaustion.p10_secs, P95) };
    let Some(by_secs) = by_secs else { return Advice::nothing() };
    // Rounded up, and within what a subnet can hold.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 65,536")]
    let short = Ips((outlook.peak(level) - outlook.limit).ceil().clamp(1.0, 65_536.0) as u32);
    let base = Advice { short, by_secs: Some(by_secs), ..Advice::nothing() };
    let (recycled, excess) = recycling(nodes, settings);
    let lower = CniSettings {
        warm_ip_target: Some(WARM_IP_TARGET),
        minimum_ip_target: Some(MINIMUM_IP_TARGET),
        ..settings.clone()
    };
    let prefixes = CniSettings { prefix_delegation: true, ..settings.clone() };
    // A /28 that is not free cannot be given to a new node either.
    let by_prefixes = if account.free_prefixes.is_zero() { Ips::ZERO } else { saving(nodes, settings, &prefixes) };
    let remedies = [
        Advice { remedy: Remedy::DeleteLeaks, brings: account.held_by(Owner::Leaked), ..base.clone() },
        Advice { remedy: Remedy::RecycleNodes, brings: excess, nodes: recycled, ..base.clone() },
        Advice { remedy: Remedy::LowerWarmTargets, brings: saving(nodes, settings, &lower), ..base.clone() },
        Advice { remedy: Remedy::UsePrefixes, brings: by_prefixes, ..base.clone() },
    ];
    remedies.into_iter().find(|remedy| remedy.brings >= short).unwrap_or_else(|| add_subnet(base))
}

fn add_subnet(base: Advice) -> Advice {
    let (largest, smallest) = PREFIX_LENGTHS;
    // Twice what will be missing: the next one is as much work.
    let wanted = base.short + base.short;
    let prefix_length = (largest..=smallest).rev().find(|length| usable_ips(*length) >= wanted).unwrap_or(largest);
    Advice { remedy: Remedy::AddSubnet, brings: usable_ips(prefix_length), prefix_length, ..base }
}

/// Nodes that hold more than they would if they were new, and how much.
fn recycling(nodes: &[(&NodeAccount, Ipv4Budget)], settings: &CniSettings) -> (u32, Ips) {
    let excess = nodes
        .iter()
        .map(|(node, budget)| node.attached.saturating_sub(steady(settings, budget, node.pods()).ips_attached));
    excess.filter(|excess| !excess.is_zero()).fold((0, Ips::ZERO), |(count, sum), excess| (count + 1, sum + excess))
}

/// Addresses that all nodes together will hold less with other settings, once they are replaced.
fn saving(nodes: &[(&NodeAccount, Ipv4Budget)], settings: &CniSettings, other: &CniSettings) -> Ips {
    let held = |settings: &CniSettings, of: &dyn Fn(&Ipv4Budget) -> Ipv4Budget| {
        let nodes = nodes.iter();
        nodes.fold(Ips::ZERO, |sum, (node, budget)| sum + steady(settings, &of(budget), node.pods()).subnet_ips)
    };
    let same = |budget: &Ipv4Budget| *budget;
    let changed = |budget: &Ipv4Budget| {
        let turns = other.prefix_delegation && !settings.prefix_delegation && budget.prefixes_supported;
        if turns { Ipv4Budget { mode: Mode::Prefix, ..*budget } } else { *budget }
    };
    held(settings, &same).saturating_sub(held(other, &changed))
}
