//! The verdict in numbers, for people.

use std::fmt::Write;

use super::pod_ip::{ANY, Pool};
use super::{Demand, NodeState, branch_account, ipv6_account, verdict, windows_account};
use crate::budget::{Budget, Ipv4Budget, Mode};
use crate::instance::LimitSource;
use crate::settings::CniSettings;
use crate::time::Time;

/// How [`verdict`](super::verdict()) comes to its answer: the subtraction, the limits, how far each circumstance lets the pool
/// grow, and the answer, a line each.
///
/// ```text
/// now = 56 attached − 52 assigned − 1 cooling − 2 waiting − 1 claimed = 0
/// limit = 4 ENIs × 14 IPs = 56, max-pods 58
/// for one more pod the pool must reach 57 IPs; it can reach, by
///   instance_ip_limit      56  stops here
///   max_pods               58
///   …
/// verdict: never: no pod IP left: free IPs are claimed by pods on their way
/// ```
#[must_use]
pub fn explain(node: &NodeState, settings: &CniSettings, demand: Demand, now: Time) -> String {
    let mut text = match (demand, &node.budget) {
        (Demand::None, _) => "a pod on the host's network needs no address\n".to_owned(),
        (_, Budget::NotManaged(kind)) => format!("pods of {kind} nodes get no address from the VPC CNI\n"),
        (_, Budget::Unknown(_)) => "the limits of the node's instance type are not known\n".to_owned(),
        (Demand::BranchEni, _) => match branch_account(node) {
            Some(account) => format!("now = {account}\n"),
            None => "no number of branch ENIs is known for the node\n".to_owned(),
        },
        (Demand::WindowsIp, Budget::Ipv4(_) | Budget::Ipv6 { .. }) => "the node does not run Windows\n".to_owned(),
        (_, Budget::Windows { ceiling }) => format!("now = {}\n", windows_account(node, *ceiling)),
        (_, Budget::Ipv6 { max_pods, .. }) => format!("now = {}\n", ipv6_account(node, *max_pods)),
        (_, Budget::Ipv4(budget)) => {
            pool(&Pool::new(node, budget, settings, now), node, budget).expect("writing to a String does not fail")
        }
    };
    text.push_str(&format!("verdict: {}\n", verdict(node, settings, demand, now)));
    text
}

fn pool(pool: &Pool<'_>, node: &NodeState, budget: &Ipv4Budget) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "now = {}", pool.account(node.claims))?;

    let unit = match budget.mode {
        Mode::SecondaryIp => "IPs",
        Mode::Prefix => "prefixes × 16 IPs",
    };
    let Ipv4Budget { pod_enis, slots_per_eni, ceiling, max_pods, .. } = budget;
    write!(text, "limit = {pod_enis} ENIs × {slots_per_eni} {unit} = {ceiling}, max-pods {max_pods}")?;
    if budget.source == LimitSource::Observed {
        write!(text, "; at least so much, the type's limits are only observed")?;
    }
    if budget.prefix_fallback {
        write!(text, "; the type takes no prefixes, ipamd falls back to secondary IPs")?;
    }

    let needed = pool.needed(node.claims);
    writeln!(text, "\nfor one more pod the pool must reach {needed} IPs; it can reach, by")?;
    let mut stopped = false;
    for bound in pool.bounds(node.claims) {
        let reach = match bound.reach {
            ANY => "any".to_owned(),
            0 => "none".to_owned(),
            reach => reach.to_string(),
        };
        let stops = !stopped && bound.reach < needed;
        stopped |= stops;
        writeln!(text, "  {:<22}{reach:>6}{}", bound.reason.label(), if stops { "  stops here" } else { "" })?;
    }
    Ok(text)
}
