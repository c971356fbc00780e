//! In which order types are suggested, and how many. Prices are not known here and do not count.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::binding::{Fit, Limit, Resource};

use super::Suggestion;
use super::choice::{Choice, family, generation};

/// The types that the group runs, and at most `most` others that suit no worse than the best of them; of types with the same figures one
/// stands for all. Left out is also what takes less than half the pods that its own do: twice as many nodes have twice as many agents and
/// addresses of their own.
pub(super) fn rank(mut all: Vec<Suggestion>, choice: &Choice<'_>, most: usize) -> Vec<Suggestion> {
    let own = all.iter().filter(|suggestion| suggestion.current).filter_map(|suggestion| suggestion.fit.pods).max();
    let enough = |fit: &Fit| fit.pods.zip(own).is_none_or(|(pods, own)| pods >= own.div_ceil(2));
    all.retain(|suggestion| suggestion.current || enough(&suggestion.fit));
    all.sort_by(|a, b| better(&a.fit, &b.fit).then_with(|| nearer(&a.instance_type, &b.instance_type, choice)));
    let mut ranked: Vec<Suggestion> = Vec::new();
    let mut first_with: BTreeMap<Figures, usize> = BTreeMap::new();
    let mut others = 0;
    let best = all.iter().find(|suggestion| suggestion.current).map(|suggestion| suggestion.fit.clone());
    for suggestion in all {
        if suggestion.current {
            ranked.push(suggestion);
            continue;
        }
        if best.as_ref().is_some_and(|best| better(&suggestion.fit, best) == Ordering::Greater) {
            continue;
        }
        let figures = figures(&suggestion);
        if let Some(first) = first_with.get(&figures) {
            ranked[*first].alike.push(Arc::clone(&suggestion.instance_type));
        } else if others < most {
            others += 1;
            first_with.insert(figures, ranked.len());
            ranked.push(suggestion);
        }
    }
    ranked
}

/// First what takes every pod of the mix at all; then what ends by what is paid for rather than by the VPC; then what leaves
/// least CPU and memory over, to the percent; then what takes fewest addresses for each pod.
fn better(a: &Fit, b: &Fit) -> Ordering {
    let takes_all = |fit: &Fit| fit.holds_largest && fit.pods.is_some_and(|pods| pods > 0);
    let percent = |fit: &Fit| fit.stranded().map_or(f64::INFINITY, |share| (share * 100.0).round());
    let addresses = |fit: &Fit| fit.ips_per_pod().unwrap_or(f64::INFINITY);
    (takes_all(b).cmp(&takes_all(a)))
        .then_with(|| a.is_ip_bound().cmp(&b.is_ip_bound()))
        .then_with(|| percent(a).total_cmp(&percent(b)))
        .then_with(|| addresses(a).total_cmp(&addresses(b)))
}

/// Of types that suit equally: the group's own family, the newest generation, the one with the fewest extras in its name.
fn nearer(a: &str, b: &str, choice: &Choice<'_>) -> Ordering {
    let key = |name: &str| (!choice.has_family_of(name), Reverse(generation(name)), family(name).len());
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}

/// All that a suggestion says beside the name.
type Figures = (Option<u64>, Option<Resource>, Option<u64>, [Option<u64>; 2], bool, bool);

fn figures(of: &Suggestion) -> Figures {
    let fit = &of.fit;
    let offers = [Resource::Cpu, Resource::Memory].map(|resource| Limit::get(fit.shape[resource]));
    (fit.pods, fit.resource, fit.subnet_ips, offers, fit.holds_largest, of.estimated)
}
