//! Between the messages of `headroom.v1` and what `core` takes and gives.

use std::collections::BTreeMap;

use headroom_capacity::time::Time;
use headroom_capacity::verdict::{Demand, Reason};
use headroom_cluster::{demand, failure_fingerprint};
use headroom_proto::v1;
use headroom_proto::v1::filter_response::Answer;
use prost_types::Timestamp;

use crate::explain::{Account, Explanation};
use crate::filter::{Decision, Room, on_any_node};
use crate::wire::{Pod, RequestError};

/// A pod that may claim.
pub(super) fn pod(pod: Option<v1::Pod>) -> Result<Pod, RequestError> {
    let pod = any_pod(pod.unwrap_or_default());
    if pod.uid.is_empty() { Err(RequestError::NoUid) } else { Ok(pod) }
}

pub(super) fn any_pod(pod: v1::Pod) -> Pod {
    Pod {
        demand: demand(pod.host_network, pod.resource_names.iter().map(String::as_str)),
        failure: pod.last_failure.map(|failure| failure_fingerprint(&failure.reason, &failure.message)),
        uid: pod.uid,
        namespace: pod.namespace,
        name: pod.name,
        resource_version: pod.resource_version,
        priority: pod.priority,
    }
}

pub(super) fn filter_response(decision: Decision, mut names: Vec<String>) -> v1::FilterResponse {
    let answer = match decision {
        Decision::All => Answer::Passed(v1::Passed { node_names: names }),
        Decision::Some(passing) => {
            let node_names = passing.into_iter().map(|at| std::mem::take(&mut names[at])).collect();
            Answer::Passed(v1::Passed { node_names })
        }
        Decision::None(reasons) => {
            let nodes = names.into_iter().zip(reasons).map(|(node_name, reason)| v1::RejectedNode {
                node_name,
                reason: self::reason(reason).into(),
                message: reason.as_str().to_owned(),
            });
            Answer::Rejected(v1::Rejected { nodes: nodes.collect(), stands_for_all: false })
        }
        Decision::NoneOfMany(reason) => {
            let node_name = names.into_iter().next().unwrap_or_default();
            let message = on_any_node(reason);
            let node = v1::RejectedNode { node_name, reason: self::reason(reason).into(), message };
            Answer::Rejected(v1::Rejected { nodes: vec![node], stands_for_all: true })
        }
    };
    v1::FilterResponse { answer: Some(answer) }
}

pub(super) fn prioritize_response(scores: Vec<u8>, names: Vec<String>) -> v1::PrioritizeResponse {
    let scores = names.into_iter().zip(scores);
    let scores = scores.map(|(node_name, score)| v1::NodeScore { node_name, score: score.into() });
    v1::PrioritizeResponse { scores: scores.collect() }
}

/// With `figures` only where nodes were asked for by name: thousands of them would be more than most clients take.
pub(super) fn explain_response(explanation: &Explanation, figures: bool) -> v1::ExplainResponse {
    let demand = match explanation.demand {
        Demand::None => v1::Demand::None,
        Demand::PodIp => v1::Demand::PodIp,
        Demand::BranchEni => v1::Demand::BranchEni,
        Demand::WindowsIp => v1::Demand::WindowsIp,
    };
    let node = |account: &Account| {
        let text = figures.then(|| explanation.figures(account)).flatten();
        node_explanation(account, text.unwrap_or_default())
    };
    v1::ExplainResponse {
        demand: demand.into(),
        state_time: Some(timestamp(explanation.at)),
        failing_since: explanation.failing_since.map(timestamp),
        claiming_pods: u32::try_from(explanation.claiming_pods).unwrap_or(u32::MAX),
        claimed_node_names: explanation.own_claim.iter().map(|name| name.to_string()).collect(),
        summary: summary(&explanation.accounts),
        nodes: explanation.accounts.iter().map(node).collect(),
    }
}

fn summary(accounts: &[Account]) -> Vec<v1::VerdictCount> {
    let mut counts: BTreeMap<(i32, i32), u32> = BTreeMap::new();
    for account in accounts {
        let reason = account.reason().map_or(v1::Reason::Unspecified, reason);
        *counts.entry((verdict(account.room).into(), reason.into())).or_default() += 1;
    }
    let counts = counts.into_iter().map(|((verdict, reason), nodes)| v1::VerdictCount { verdict, reason, nodes });
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.nodes));
    counts
}

fn node_explanation(account: &Account, figures: String) -> v1::NodeExplanation {
    let state = account.view.as_ref().map(|view| &view.state);
    let why = account.reason();
    v1::NodeExplanation {
        node_name: account.name.to_string(),
        verdict: verdict(account.room).into(),
        reason: why.map_or(v1::Reason::Unspecified, reason).into(),
        message: why.map_or_else(String::new, |reason| reason.as_str().to_owned()),
        passes: account.passes(),
        further_pods: account.further_pods(),
        ip_limit: account.ip_limit(),
        attached_ips: state.map_or(0, |state| state.total.get()),
        assigned_ips: state.map_or(0, |state| state.assigned.get()),
        cooling_ips: state.map_or(0, |state| state.cooling.get()),
        waiting_pods: state.map_or(0, |state| state.waiting.get()),
        claims: account.claims,
        nominated_pods: account.nominated,
        failing_pods: account.view.as_ref().map_or(0, |view| view.failing),
        figures,
    }
}

const fn verdict(room: Room) -> v1::Verdict {
    match room {
        Room::Open(None) => v1::Verdict::Open,
        Room::Now { .. } => v1::Verdict::Now,
        Room::Soon { .. } | Room::Unproven { .. } => v1::Verdict::Soon,
        Room::Closed(_) => v1::Verdict::Never,
        Room::Open(Some(_)) => v1::Verdict::Unknown,
    }
}

const fn reason(reason: Reason) -> v1::Reason {
    match reason {
        Reason::InstanceIpLimit => v1::Reason::InstanceIpLimit,
        Reason::CoolingDown => v1::Reason::CoolingDown,
        Reason::SubnetExhausted => v1::Reason::SubnetExhausted,
        Reason::SubnetFragmented => v1::Reason::SubnetFragmented,
        Reason::IpamdBackOff => v1::Reason::IpamdBackOff,
        Reason::Cordoned => v1::Reason::Cordoned,
        Reason::MaxPods => v1::Reason::MaxPods,
        Reason::Claimed => v1::Reason::Claimed,
        Reason::PoolNotGrowing => v1::Reason::PoolNotGrowing,
        Reason::ProvisioningDisabled => v1::Reason::ProvisioningDisabled,
        Reason::AssignFailed => v1::Reason::AssignFailed,
        Reason::BranchEniLimit => v1::Reason::BranchEniLimit,
        Reason::WindowsIpLimit => v1::Reason::WindowsIpLimit,
        Reason::UnknownInstanceType => v1::Reason::UnknownInstanceType,
        Reason::UnknownNode => v1::Reason::UnknownNode,
        Reason::StaleState => v1::Reason::StaleState,
        Reason::UnknownSubnet => v1::Reason::UnknownSubnet,
        Reason::Several => v1::Reason::Several,
    }
}

/// `Time` is Unix time in the running extender.
fn timestamp(time: Time) -> Timestamp {
    let millis = time.as_millis();
    Timestamp {
        seconds: i64::try_from(millis / 1000).unwrap_or(i64::MAX),
        nanos: i32::try_from(millis % 1000 * 1_000_000).unwrap_or(0),
    }
}
