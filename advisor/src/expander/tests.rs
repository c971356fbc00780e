//! Requests as they are sent, and answers by books that are made up.

mod answers;
mod books;
mod promises;
mod requests;

use std::collections::BTreeMap;
use std::sync::Arc;

use headroom_capacity::ids::SubnetId;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::time::Time;

use super::*;

/// Nodes of a t3.small have 3 ENIs with 3 addresses for pods each; with one warm ENI and 2 pods they hold 2 of them: 6 + 2.
const TYPE: &str = "t3.small";

fn rules() -> Rules {
    Rules { spare_ips: 0, tolerance_percent: 0, can_veto: true }
}

fn landing(subnet: &str, az: &str) -> Landing {
    Landing {
        subnet: subnet.into(),
        az: az.into(),
        excluded: false,
        new_eni: vec![subnet.into()],
        in_books: vec![(subnet.into(), Units::ips(4))],
    }
}

/// A group of one subnet each, named alike, with so many free addresses.
fn rooms(free: &[(&str, u32)]) -> Rooms {
    let room = |(id, ips): &(&str, u32)| {
        let free = Units { ips: *ips, prefixes: ips / 16 };
        (SubnetId::from(*id), SubnetRoom { free, exhausted_in_secs: None })
    };
    let group = |(id, _): &(&str, u32)| {
        let group = GroupRoom { landings: vec![landing(id, id)], wanted: 5, nodes: 5, ..GroupRoom::default() };
        (Arc::from(*id), group)
    };
    Rooms {
        settings: Arc::new(CniSettings::default()),
        subnets: free.iter().map(room).collect(),
        groups: free.iter().map(group).collect(),
        ..Rooms::default()
    }
}

fn template(instance_type: &str) -> Template {
    let labels = [("node.kubernetes.io/instance-type", instance_type), ("topology.kubernetes.io/zone", "a")];
    let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    Template { labels: labels.collect(), max_pods: Some(11), ..Template::default() }
}

/// So many nodes of group `name`, for two pods each.
fn ask(name: &str, nodes: u32) -> Asked {
    let first = u64::from(name.bytes().map(u32::from).sum::<u32>()) << 32;
    let keys = (0..u64::from(nodes * 2)).map(|pod| first + pod).collect();
    let pods = Pods { with_ip: nodes * 2, unread: 0, keys };
    Asked { group: name.to_owned(), nodes, pods, template: Some(template(TYPE)), again: false }
}

fn answer(rooms: &Rooms, asked: &[Asked]) -> Answer {
    decide(rooms, &BTreeMap::new(), asked, &rules())
}

fn kept<'a>(answer: &Answer, asked: &'a [Asked]) -> Vec<&'a str> {
    answer.kept.iter().map(|at| &*asked[*at].group).collect()
}

fn reasons(answer: &Answer) -> Vec<&'static str> {
    answer.judged.iter().map(|group| group.reason.label()).collect()
}

fn at(secs: u64) -> Time {
    Time::from_secs(1_000_000 + secs)
}
