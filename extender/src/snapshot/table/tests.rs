use std::collections::BTreeMap;

use headroom_capacity::verdict::{Demand, Reason};
use proptest::prelude::*;

use super::*;
use crate::fixtures::World;

/// A node with so many IPs at once.
fn view(name: &str, now: u32) -> NodeView {
    let mut view = NodeView::clone(&World::with(&[(name, "t3.nano")]).view(name));
    view.pod_ip = if now == 0 { Slots::none(Reason::InstanceIpLimit) } else { Slots { now, ..view.pod_ip } };
    view
}

fn content(table: &NodeTable) -> BTreeMap<String, u32> {
    table.iter().map(|(_, view)| (view.name.to_string(), view.pod_ip.now)).collect()
}

proptest! {
    #[test]
    fn it_is_a_map_whose_old_versions_stay_as_they_were(
        steps in proptest::collection::vec((0..200_usize, proptest::option::weighted(0.7, 0..3_u32)), 0..300),
    ) {
        let mut table = NodeTable::default();
        let mut model = BTreeMap::new();
        let mut before = (table.clone(), model.clone());
        for (at, (number, now)) in steps.into_iter().enumerate() {
            let name = format!("n{number}");
            match now {
                Some(now) => {
                    table.set(view(&name, now));
                    model.insert(name, now);
                }
                None => {
                    table.remove(&name);
                    model.remove(&name);
                }
            }
            if at % 16 == 0 {
                before = (table.clone(), model.clone());
            }
        }
        prop_assert_eq!(content(&table), model.clone());
        prop_assert_eq!(content(&before.0), before.1.clone());
        prop_assert_eq!(table.len(), model.len());
        for (name, now) in &model {
            let (id, found) = table.find(name).unwrap();
            prop_assert_eq!((&*found.name, found.pod_ip.now), (name.as_str(), *now));
            prop_assert!(id.index() < 200, "numbers are used again");
        }
        let open = model.values().filter(|now| **now > 0).count();
        let tally = table.tally(Demand::PodIp).unwrap();
        prop_assert_eq!(tally.open as usize, open);
        let common = (open == 0 && !model.is_empty()).then_some(Reason::InstanceIpLimit);
        prop_assert_eq!(tally.common_reason(), common);
        let changed: BTreeMap<String, u32> =
            table.changed(&before.0).map(|(_, view)| (view.name.to_string(), view.pod_ip.now)).collect();
        for (name, now) in &model {
            if before.1.get(name) != Some(now) {
                prop_assert_eq!(changed.get(name), Some(now));
            }
        }
    }
}

#[test]
fn a_version_knows_itself_and_what_differs_from_it() {
    let mut table = NodeTable::default();
    for at in 0..130 {
        table.set(view(&format!("n{at}"), 1));
    }
    let before = table.clone();
    assert!(table.is_same(&before));
    table.set(view("n70", 2));
    assert!(!table.is_same(&before));
    let changed: Vec<(u32, u32)> =
        table.changed(&before).map(|(old, view)| (old.unwrap().pod_ip.now, view.pod_ip.now)).collect();
    assert_eq!(changed, [(1, 2)]);
}
