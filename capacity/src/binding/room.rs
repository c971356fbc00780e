//! How many more pods each resource of a node allows, and which of them ends it.

use super::mix::{Mix, Used};
use super::offer::Allocatable;
use super::resource::{Limit, PerResource, Resource};
use crate::budget::Budget;
use crate::instance::LimitSource;
use crate::settings::CniSettings;

/// What a node offers of each resource, in its unit.
pub type Shape = PerResource<Limit>;

/// What a node offers, from its address budget, from kubelet's `max_pods` (0 where it has not told) and from its allocatable.
///
/// Addresses are those of the instance's own limit: what the subnets still hold is not looked at. Limits that were only
/// observed are lower bounds, and count as unknown. Without security groups for pods there are no branch ENIs.
#[must_use]
pub fn shape(budget: &Budget, settings: &CniSettings, max_pods: u32, allocatable: &Allocatable) -> Shape {
    PerResource::from_fn(|resource| match resource {
        Resource::Ip => addresses(budget),
        Resource::Cpu => allocatable.cpu_millis.into(),
        Resource::Memory => allocatable.memory_bytes.into(),
        Resource::Pods => Some(max_pods).filter(|most| *most > 0).into(),
        Resource::BranchEni if !settings.pod_eni => Limit::Of(0),
        Resource::BranchEni => branch_enis(budget),
        Resource::Volumes => allocatable.volumes.into(),
    })
}

fn addresses(budget: &Budget) -> Limit {
    match budget {
        Budget::Ipv4(budget) if budget.source == LimitSource::Observed => Limit::Unknown,
        Budget::Ipv4(budget) => Limit::Of(budget.ceiling.get().into()),
        Budget::Ipv6 { .. } => Limit::Unlimited,
        Budget::Windows { ceiling } => Limit::Of(ceiling.get().into()),
        Budget::NotManaged(_) | Budget::Unknown(_) => Limit::Unknown,
    }
}

fn branch_enis(budget: &Budget) -> Limit {
    match budget {
        Budget::Ipv4(budget) => budget.branch.map(|enis| enis.get()).into(),
        Budget::Ipv6 { branch, .. } => branch.map(|enis| enis.get()).into(),
        Budget::Windows { .. } => Limit::Of(0),
        Budget::NotManaged(_) | Budget::Unknown(_) => Limit::Unknown,
    }
}

/// How many more pods of the mix each resource allows when the others do not run out. Unlimited where the mix takes none of it,
/// as everything is without a mix.
#[must_use]
pub fn room(shape: &Shape, used: &Used, mix: &Mix) -> PerResource<Limit> {
    PerResource::from_fn(|resource| {
        if mix.sum()[resource] == 0 {
            return Limit::Unlimited;
        }
        match shape[resource] {
            Limit::Of(limit) => {
                mix.in_amount(limit.saturating_sub(used[resource]), resource).map_or(Limit::Unlimited, Limit::Of)
            }
            other => other,
        }
    })
}

/// The resource that runs out first, and after how many more pods; of equals the first of [`Resource::ALL`]. What is unknown is
/// passed over: `None` where no resource has a known end.
#[must_use]
pub fn binds(room: &PerResource<Limit>) -> Option<(Resource, u64)> {
    let known = room.iter().filter_map(|(resource, limit)| Some((resource, limit.get()?)));
    known.min_by_key(|(_, pods)| *pods)
}

/// Which share of each resource is taken; above 1 where more is taken than there is. `None` where its limit is unknown, zero,
/// or none.
#[must_use]
pub fn utilisation(shape: &Shape, used: &Used) -> PerResource<Option<f64>> {
    PerResource::from_fn(|resource| {
        let limit = shape[resource].get().filter(|limit| *limit > 0)?;
        Some(used[resource] as f64 / limit as f64)
    })
}
