//! One group by itself, as if it alone grew.

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::units::IPS_PER_PREFIX;

use super::{Judged, Reason, Wanted};
use crate::expander::need::{Need, of_node};
use crate::expander::read::Asked;
use crate::expander::rooms::{GroupRoom, Landing, Rooms};
use crate::in_flight::{Units, spread};

/// Hours until a subnet runs out that make a difference: nodes are replaced within one, subnets are made within days.
const HOURS: [u64; 4] = [1, 4, 24, 72];

pub(super) fn judge(rooms: &Rooms, held: &BTreeMap<SubnetId, Units>, asked: &Asked, spare_ips: u32) -> Judged {
    let mut judged = Judged {
        reason: Reason::UnknownGroup,
        nodes: asked.nodes,
        fed: 0,
        pods_per_node: asked.pods.with_ip.div_ceil(asked.nodes.max(1)),
        left: 0,
        runs_out: 0,
        tightest: None,
        wanted: None,
    };
    if asked.again {
        judged.reason = Reason::Duplicate;
        return judged;
    }
    let Some((name, group)) = rooms.groups.get_key_value(asked.group.as_str()) else { return judged };
    judged.pods_per_node = judged.pods_per_node.saturating_add(group.daemons);
    let azs: Vec<&Arc<str>> = group.landings.iter().map(|landing| &landing.az).collect();
    let have = |az: &Arc<str>| group.per_az.get(az).copied().unwrap_or_default();
    let lands = group.landings.iter().zip(spread(&azs, have, asked.nodes)).filter(|(_, nodes)| *nodes > 0);
    let lands: Vec<Land<'_>> = lands
        .map(|(landing, nodes)| {
            let need = of_node(rooms, landing, asked.template.as_ref(), judged.pods_per_node);
            Land { landing, nodes, need }
        })
        .collect();
    let spare = Units { ips: spare_ips, prefixes: spare_ips.div_ceil(IPS_PER_PREFIX) };
    feed(&lands, &mut Free { rooms, held, spare, taken: BTreeMap::new() }, &mut judged);
    judged.wanted = Some(wanted(name, group, asked.nodes, &lands));
    judged
}

/// Nodes that land in one subnet.
struct Land<'a> {
    landing: &'a Landing,
    nodes: u32,
    need: Need,
}

/// What is left in the subnets.
struct Free<'a> {
    rooms: &'a Rooms,
    held: &'a BTreeMap<SubnetId, Units>,
    spare: Units,
    taken: BTreeMap<SubnetId, Units>,
}

impl Free<'_> {
    /// `None` for a subnet that the books do not have.
    fn of(&self, subnet: &SubnetId) -> Option<Units> {
        let part = |of: &BTreeMap<SubnetId, Units>| of.get(subnet).copied().unwrap_or_default();
        let room = self.rooms.subnets.get(subnet)?;
        Some(room.free.less(part(self.held)).less(part(&self.taken)).less(self.spare))
    }
}

/// Lands the nodes one subnet after the other; two may draw on the same for their pods.
fn feed(lands: &[Land<'_>], free: &mut Free<'_>, judged: &mut Judged) {
    let mut unknown = if lands.is_empty() { Some(Reason::UnknownSubnet) } else { None };
    let (mut all, mut fewest, mut closed) = (true, u32::MAX, Reason::SubnetExhausted);
    for land in lands {
        unknown = unknown.or(land.need.unknown);
        let mut fed = land.nodes;
        for (subnet, each) in &land.need.takes {
            let Some(room) = free.of(subnet) else {
                unknown = Some(Reason::UnknownSubnet);
                continue;
            };
            let feeds = room.feeds(*each);
            fed = fed.min(feeds);
            if feeds < fewest {
                fewest = feeds;
                judged.tightest = Some(subnet.clone());
                let fragmented = room.ips >= each.ips && room.prefixes < each.prefixes;
                closed = if fragmented { Reason::SubnetFragmented } else { Reason::SubnetExhausted };
            }
        }
        for (subnet, each) in &land.need.takes {
            let taken = free.taken.entry(subnet.clone()).or_default();
            *taken = taken.plus(each.times(fed));
        }
        all &= fed == land.nodes;
        judged.fed = judged.fed.saturating_add(fed).min(judged.nodes);
    }
    judge_what_is_left(free, judged);
    judged.reason = match unknown {
        Some(reason) if all => reason,
        None if all => Reason::Best,
        _ if judged.fed > 0 => Reason::TooFewIps,
        _ => closed,
    };
}

fn judge_what_is_left(free: &Free<'_>, judged: &mut Judged) {
    let by_prefixes = free.taken.values().any(|taken| taken.prefixes > 0);
    let left = free.taken.keys().filter_map(|subnet| free.of(subnet)).map(|room| {
        let whole = room.prefixes.saturating_mul(IPS_PER_PREFIX);
        if by_prefixes { room.ips.min(whole) } else { room.ips }
    });
    judged.left = left.min().unwrap_or_default();
    let secs = free.taken.keys().filter_map(|subnet| free.rooms.subnets.get(subnet)?.exhausted_in_secs).min();
    let passed = |secs: u64| HOURS.into_iter().filter(|hours| secs >= hours * 3600).map(|_| 1).sum();
    judged.runs_out = secs.map_or(u8::MAX, passed);
}

fn wanted(name: &Arc<str>, group: &GroupRoom, nodes: u32, lands: &[Land<'_>]) -> Wanted {
    let (mut takes, mut in_books) = (BTreeMap::<SubnetId, Units>::new(), BTreeMap::<SubnetId, Units>::new());
    for land in lands {
        for (subnet, each) in &land.need.takes {
            let sum = takes.entry(subnet.clone()).or_default();
            *sum = sum.plus(each.times(land.nodes));
        }
        for (subnet, each) in &land.landing.in_books {
            let sum = in_books.entry(subnet.clone()).or_default();
            *sum = sum.plus(each.times(land.nodes));
        }
    }
    Wanted { group: Arc::clone(name), nodes, takes, in_books, had: group.wanted, had_nodes: group.nodes }
}
