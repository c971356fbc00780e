//! A finding out of the model's reason, with the figures of the node.

use headroom_capacity::verdict::Reason;

use crate::bundle::{Bundle, Subnet};
use crate::cause::Cause;
use crate::reason;
use crate::report::{Finding, Level};
use crate::room;
use crate::view::View;

/// Where the pod is that lacks an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the node, which it only leaves deleted.
    Bound,
    /// On no node yet: kube-scheduler tries it again by itself.
    Waiting,
}

/// What `reason` means on this node.
pub(crate) fn of_reason(bundle: &Bundle, view: &View<'_>, reason: Reason, level: Level, place: Place) -> Finding {
    let node = &view.node.name;
    let cause = match reason::cause(reason).unwrap_or(Cause::ExtenderUnsure) {
        Cause::InstanceLimit if fewer_enis(view).is_some() => Cause::EniLimit,
        cause => cause,
    };
    let finding = Finding::new(cause, level, says(view, cause)).about(format!("node {node}"));
    let finding = finding.seen(format!("EC2, node {node}"), room::attached(view));
    match cause {
        Cause::SubnetEmpty | Cause::SubnetFragmented => {
            let seen =
                |finding: Finding, subnet: &Subnet| finding.seen(format!("EC2, {}", subnet.id), held(view, subnet));
            view.subnets().into_iter().fold(finding, seen).remedy(room::remedy(bundle, view, place))
        }
        Cause::InstanceLimit | Cause::EniLimit => {
            let finding = room::limits(view).into_iter().fold(finding, |finding, text| finding.seen("limits", text));
            let elsewhere = match (place, room::other_nodes(bundle, node)) {
                (Place::Waiting, _) => "add a node: the pod is then tried again by itself".to_owned(),
                (Place::Bound, Some(nodes)) => format!("delete the pod: it may go to {nodes}"),
                (Place::Bound, None) => "add a node, and delete the pod: no other node has an address left".to_owned(),
            };
            let remedy = match cause {
                Cause::EniLimit => format!("{elsewhere}; {}", cause.remedy()),
                _ if view.prefixes() => format!("{elsewhere}; a larger instance type takes more"),
                _ if view.ipv4().is_some_and(|budget| budget.prefixes_supported) => {
                    format!(
                        "{elsewhere}; a larger instance type takes more, and with ENABLE_PREFIX_DELEGATION=true this one does too"
                    )
                }
                _ => format!("{elsewhere}; a larger instance type takes more"),
            };
            finding.remedy(remedy)
        }
        Cause::MaxPods => finding.seen(format!("node {node}"), format!("max-pods {}", view.node.max_pods)),
        Cause::PoolNotGrowing => finding.seen("aws-node", targets(view)),
        Cause::CoolingDown | Cause::BranchEniLimit | Cause::WindowsIpLimit => match room::other_nodes(bundle, node) {
            Some(nodes) if cause == Cause::CoolingDown && place == Place::Bound => {
                finding.remedy(format!("{}; a pod that is deleted may go to {nodes}", cause.remedy()))
            }
            _ => finding,
        },
        _ => finding,
    }
}

fn says(view: &View<'_>, cause: Cause) -> String {
    let (node, pool) = (&view.node.name, view.pool);
    let subnets = || {
        let subnets = view.subnets();
        let texts: Vec<String> = subnets.iter().map(|subnet| room::of_subnet(subnet, view.prefixes())).collect();
        if texts.is_empty() { format!("node {node} has no subnet to take an address from") } else { texts.join("; ") }
    };
    match cause {
        Cause::SubnetEmpty => subnets(),
        Cause::SubnetFragmented => format!("prefix delegation needs a whole /28: {}", subnets()),
        Cause::InstanceLimit => format!(
            "node {node} has attached all {} addresses for pods that its type takes, and {} pods have one",
            pool.attached, pool.assigned
        ),
        Cause::EniLimit => format!(
            "node {node} may have no more ENIs for pods, {}: all its {} addresses are taken",
            fewer_enis(view).unwrap_or_default(),
            pool.attached
        ),
        Cause::MaxPods => {
            format!(
                "node {node} has max-pods {}, and ipamd attaches no more than that many addresses",
                view.node.max_pods
            )
        }
        Cause::CoolingDown => {
            let secs = view.settings.ip_cooldown.as_secs();
            format!(
                "{} free addresses of node {node} were released less than {secs} s ago and are not handed out yet",
                view.unassigned()
            )
        }
        Cause::PoolNotGrowing => {
            format!("ipamd on node {node} attaches no more: its targets are met with {} addresses", pool.attached)
        }
        Cause::NodeCordoned => format!("node {node} is cordoned, and ipamd attaches nothing to it"),
        Cause::BranchEniLimit => {
            let most = view.limits.and_then(|limits| limits.branch).map_or(0, |branch| branch.max.get());
            format!("node {node} has {} of {most} branch ENIs", pool.branch)
        }
        Cause::WindowsIpLimit => {
            format!("node {node} has given away all {} addresses of its primary ENI", pool.attached)
        }
        Cause::UnknownInstanceType => {
            let name = view.node.instance_type.as_deref().unwrap_or("unknown type");
            format!("nobody knows how many addresses {name} takes; node {node} has {} attached", pool.attached)
        }
        cause => format!("{} on node {node}", lower(cause.meaning())),
    }
}

/// What keeps the node from having the ENIs of its type.
fn fewer_enis(view: &View<'_>) -> Option<String> {
    let (budget, limits) = (view.ipv4()?, view.limits?);
    let of_type = limits.enis.get();
    let mut why = Vec::new();
    if budget.max_enis.get() < of_type {
        why.push(format!("MAX_ENI is {}", budget.max_enis));
    }
    if view.pool.unmanaged > 0 {
        why.push(format!("{} are not ipamd's", view.pool.unmanaged));
    }
    if view.pool.excluded > 0 {
        why.push(format!("{} are in a subnet tagged kubernetes.io/role/cni=0", view.pool.excluded));
    }
    (!why.is_empty()).then(|| format!("{} where its type takes {of_type}: {}", budget.pod_enis, why.join(", ")))
}

fn held(view: &View<'_>, subnet: &Subnet) -> String {
    let coming =
        if subnet.in_flight > 0 { format!("; {} on their way to nodes", subnet.in_flight) } else { String::new() };
    let text = room::of_subnet(subnet, view.prefixes());
    format!("{text}; held by {}{coming}; EC2 counts {} free", room::holders(subnet), subnet.reported_free)
}

fn targets(view: &View<'_>) -> String {
    let settings = &view.settings;
    let or_unset = |count: Option<u32>| count.map_or_else(|| "unset".to_owned(), |count| count.to_string());
    format!(
        "WARM_ENI_TARGET {}, WARM_IP_TARGET {}, MINIMUM_IP_TARGET {}, WARM_PREFIX_TARGET {}",
        settings.warm_eni_target,
        or_unset(settings.warm_ip_target),
        or_unset(settings.minimum_ip_target),
        settings.warm_prefix_target
    )
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
