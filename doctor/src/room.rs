//! Sentences about where there is room.

use headroom_capacity::budget::Mode;
use headroom_capacity::instance::{CNI_VERSION, LimitSource, VRC_VERSION};

use crate::bundle::{Bundle, Subnet};
use crate::pod::Place;
use crate::view::View;

/// Most of a list that a sentence names.
const NAMED: usize = 3;

/// `subnet-0a1 (nodes-a, us-west-2a) has 0 of 27 addresses free`, or with its /28s.
pub(crate) fn of_subnet(subnet: &Subnet, prefixes: bool) -> String {
    let blocks = if prefixes { format!(", {} free /28s", subnet.free_prefixes) } else { String::new() };
    format!("{} has {} of {} addresses free{blocks}", subnet.label(), subnet.free, subnet.usable)
}

/// Who holds the addresses of a subnet, the most first: `20 pod, 5 warm, 2 node_primary`.
pub(crate) fn holders(subnet: &Subnet) -> String {
    let mut held: Vec<(&String, &u32)> = subnet.held.iter().filter(|(_, count)| **count > 0).collect();
    held.sort_by_key(|(owner, count)| (std::cmp::Reverse(**count), *owner));
    let held: Vec<String> = held.into_iter().map(|(owner, count)| format!("{count} {owner}")).collect();
    if held.is_empty() { "nobody".to_owned() } else { held.join(", ") }
}

/// `4 ENIs × 14 addresses = 56 for pods (c5.xlarge, CNI v1.23.2)`.
pub(crate) fn limits(view: &View<'_>) -> Option<String> {
    let budget = view.ipv4()?;
    let unit = match budget.mode {
        Mode::SecondaryIp => "addresses",
        Mode::Prefix => "/28s × 16 addresses",
    };
    let source = match budget.source {
        LimitSource::CniTable => format!("by the table of CNI {CNI_VERSION}"),
        LimitSource::VrcTable => format!("by the table of the VPC resource controller {VRC_VERSION}"),
        LimitSource::DescribeInstanceTypes => "by EC2's DescribeInstanceTypes; no table knows the type".to_owned(),
        LimitSource::Observed => "at least: so much was seen attached, nobody knows the type".to_owned(),
    };
    let instance_type = view.node.instance_type.as_deref().unwrap_or("unknown type");
    let (enis, slots, ceiling) = (budget.pod_enis, budget.slots_per_eni, budget.ceiling);
    Some(format!("{instance_type}: {enis} ENIs × {slots} {unit} = {ceiling} for pods, {source}"))
}

/// `4 ENIs, 56 addresses attached, 52 with pods; pods that wait: 4`.
pub(crate) fn attached(view: &View<'_>) -> String {
    let pool = view.pool;
    let blocks = if pool.prefixes > 0 { format!(" ({} /28s)", pool.prefixes) } else { String::new() };
    let cooling = if pool.cooling > 0 { format!(", {} cooling", pool.cooling) } else { String::new() };
    format!(
        "{} ENIs, {} addresses{blocks} attached, {} with pods{cooling}; pods that wait: {}",
        pool.enis, pool.attached, pool.assigned, pool.waiting
    )
}

/// Which nodes could take a pod more, the emptiest first: `node b (12), node c (3)`; `None` where none can.
pub(crate) fn other_nodes(bundle: &Bundle, than: &str) -> Option<String> {
    let nodes = bundle.nodes.get()?.iter().filter(|node| node.name != than && node.ready && !node.cordoned);
    let views = nodes.filter_map(|node| View::of(bundle, node).ok());
    let demand = headroom_capacity::verdict::Demand::PodIp;
    let room = views.map(|view| (view.verdict(view.pool.waiting, view.pool.cooling, demand).grants().get(), view));
    let mut open: Vec<(u32, &str)> = room
        .filter(|(ips, view)| *ips > 0 && view.ipv4().is_some())
        .map(|(ips, view)| (ips, view.node.name.as_str()))
        .collect();
    open.sort_by_key(|(ips, name)| (std::cmp::Reverse(*ips), *name));
    let named: Vec<String> = open.iter().take(NAMED).map(|(ips, name)| format!("{name} ({ips} more)")).collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// What to do where the subnets of a node have nothing left: what holds addresses without need, and where there are others.
pub(crate) fn remedy(bundle: &Bundle, view: &View<'_>, place: Place) -> String {
    let mut steps = Vec::new();
    for subnet in view.subnets() {
        let leaked: u32 = subnet.leaks.iter().map(|leak| leak.ips).sum();
        if leaked > 0 {
            let names: Vec<&str> = subnet.leaks.iter().take(NAMED).map(|leak| leak.eni.as_str()).collect();
            let more = if subnet.leaks.len() > NAMED { " and others" } else { "" };
            steps.push(format!("delete the leaked ENIs {}{more}: {leaked} addresses", names.join(", ")));
        }
        let warm = subnet.held_by("warm");
        if warm > 0 {
            steps.push(format!(
                "{warm} addresses of {} are warm and with no pod: a lower WARM_* target gives some back",
                subnet.id
            ));
        }
    }
    let group = view.pool.group.as_deref();
    let its_subnets = bundle.groups.get().into_iter().flatten().find(|known| Some(known.name.as_str()) == group);
    let (inside, outside): (Vec<&Subnet>, Vec<&Subnet>) = view
        .others()
        .into_iter()
        .partition(|subnet| its_subnets.is_some_and(|group| group.subnets.contains(&subnet.id)));
    let named = |subnets: &[&Subnet]| {
        let named = subnets.iter().take(NAMED);
        named
            .map(|subnet| format!("{} ({} free)", subnet.label(), room_of(subnet, view.prefixes())))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let whose = group.map_or_else(|| "the node's group".to_owned(), |group| format!("group {group}"));
    match (inside.as_slice(), outside.as_slice()) {
        ([], []) => {
            steps.push(format!("add a subnet to {whose}, or a secondary block of the VPC with custom networking"))
        }
        ([], outside) => steps.push(format!(
            "{whose} could use {}: add it to the group, or tag it kubernetes.io/role/cni=1 so that ipamd finds it",
            named(outside)
        )),
        (inside, _) => steps.push(format!("new nodes of {whose} may come up in {}: add one", named(inside))),
    }
    if place == Place::Bound
        && let Some(nodes) = other_nodes(bundle, &view.node.name)
    {
        steps.push(format!("a pod that is deleted may go to {nodes}"));
    }
    steps.join("; ")
}

fn room_of(subnet: &Subnet, prefixes: bool) -> String {
    if prefixes { format!("{} /28s", subnet.free_prefixes) } else { subnet.free.to_string() }
}
