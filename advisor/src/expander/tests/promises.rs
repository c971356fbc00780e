//! Several answers one after another.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const LONGEST: Duration = Duration::from_secs(300);

fn free(rooms: &Rooms, held: &Held, subnet: &str) -> u32 {
    let id = SubnetId::from(subnet);
    rooms.subnets[&id].free.ips - held.units().get(&id).copied().unwrap_or_default().ips
}

/// Asks and lets the answer be promised.
fn call(rooms: &Rooms, held: &mut Held, asked: &[Asked], secs: u64) -> Answer {
    held.settle(rooms, asked, at(secs), LONGEST);
    let told = decide(rooms, &held.units(), asked, &rules());
    held.promise(&told, asked, at(secs));
    told
}

fn other_pods(mut asked: Asked, from: u64) -> Asked {
    asked.pods.keys.iter_mut().for_each(|key| *key += from);
    asked
}

#[test]
fn the_same_addresses_are_not_promised_twice() {
    let rooms = rooms(&[("s", 20)]);
    let mut held = Held::default();
    assert_eq!(call(&rooms, &mut held, &[ask("s", 2)], 0).outcome, Outcome::Fits);
    assert_eq!(free(&rooms, &held, "s"), 4);
    let next = [other_pods(ask("s", 1), 100)];
    assert_eq!(call(&rooms, &mut held, &next, 10).outcome, Outcome::Veto);
    assert_eq!(call(&rooms, &mut held, &next, 299).outcome, Outcome::Veto);
    assert_eq!(call(&rooms, &mut held, &next, 300).outcome, Outcome::Fits, "nothing came of it");
}

#[test]
fn what_the_books_count_is_no_longer_held() {
    let mut rooms = rooms(&[("s", 100)]);
    let mut held = Held::default();
    call(&rooms, &mut held, &[ask("s", 2)], 0);
    assert_eq!(free(&rooms, &held, "s"), 84);
    // The books take 4 off for each instance that the group wants.
    rooms.groups.get_mut("s").unwrap().wanted = 6;
    rooms.subnets.get_mut(&"s".into()).unwrap().free.ips = 96;
    held.settle(&rooms, &[], at(30), LONGEST);
    assert_eq!(free(&rooms, &held, "s"), 84);
    rooms.groups.get_mut("s").unwrap().wanted = 9;
    rooms.subnets.get_mut(&"s".into()).unwrap().free.ips = 84;
    held.settle(&rooms, &[], at(40), LONGEST);
    assert_eq!(free(&rooms, &held, "s"), 76, "two others came too, and what they take beyond the books is not known");
    // Registered with their pods.
    rooms.groups.get_mut("s").unwrap().nodes = 7;
    held.settle(&rooms, &[], at(50), LONGEST);
    assert_eq!(held.units(), BTreeMap::new());
}

#[test]
fn an_instance_counts_for_one_promise() {
    let mut rooms = rooms(&[("s", 100)]);
    let mut held = Held::default();
    call(&rooms, &mut held, &[ask("s", 2)], 0);
    call(&rooms, &mut held, &[other_pods(ask("s", 2), 100)], 5);
    assert_eq!(free(&rooms, &held, "s"), 68);
    let group = rooms.groups.get_mut("s").unwrap();
    (group.wanted, group.nodes) = (7, 7);
    held.settle(&rooms, &[], at(60), LONGEST);
    assert_eq!(free(&rooms, &held, "s"), 84, "the second one's two are still to come");
    held.settle(&rooms, &[], at(70), LONGEST);
    assert_eq!(free(&rooms, &held, "s"), 84);
    let group = rooms.groups.get_mut("s").unwrap();
    (group.wanted, group.nodes) = (9, 9);
    held.settle(&rooms, &[], at(80), LONGEST);
    assert_eq!(free(&rooms, &held, "s"), 100);
}

#[test]
fn of_several_groups_the_one_that_grows_is_the_one_that_was_chosen() {
    let mut rooms = rooms(&[("s", 100), ("t", 100)]);
    let mut held = Held::default();
    let told = call(&rooms, &mut held, &[ask("s", 2), ask("t", 2)], 0);
    assert_eq!(told.kept.len(), 2);
    assert_eq!((free(&rooms, &held, "s"), free(&rooms, &held, "t")), (84, 84));
    rooms.groups.get_mut("t").unwrap().wanted = 7;
    held.settle(&rooms, &[], at(30), LONGEST);
    assert_eq!((free(&rooms, &held, "s"), free(&rooms, &held, "t")), (100, 92));
}

#[test]
fn pods_that_are_asked_for_again_have_no_node() {
    let rooms = rooms(&[("s", 20)]);
    let mut held = Held::default();
    for secs in [0, 10, 20] {
        assert_eq!(call(&rooms, &mut held, &[ask("s", 2)], secs).outcome, Outcome::Fits, "{secs}");
        assert_eq!(free(&rooms, &held, "s"), 4);
    }
    // Half of them.
    held.settle(&rooms, &[ask("s", 1)], at(30), LONGEST);
    assert_eq!(free(&rooms, &held, "s"), 12);
}

proptest! {
    /// While nothing grows and nobody asks again, all that is promised together is there.
    #[test]
    fn promises_add_up_to_what_is_there(room in 0_u32..300, calls in proptest::collection::vec(1_u32..6, 1..20)) {
        let rooms = rooms(&[("s", room)]);
        let mut held = Held::default();
        let mut promised = 0;
        for (secs, nodes) in (0..).zip(calls) {
            let asked = [other_pods(ask("s", nodes), secs * 1000)];
            if call(&rooms, &mut held, &asked, secs).outcome == Outcome::Fits {
                promised += nodes * 8;
            }
            if promised > 0 {
                prop_assert!(promised <= room);
            }
        }
    }

    /// However a group grows, never more is held than was promised, and in the end nothing.
    #[test]
    fn nothing_is_held_for_ever(steps in proptest::collection::vec((0_u32..4, 0_u32..4, any::<bool>()), 1..20)) {
        let mut rooms = rooms(&[("s", 10_000)]);
        let mut held = Held::default();
        let mut promised = 0;
        for (secs, (wanted, nodes, asks)) in (0..).zip(steps) {
            let group = rooms.groups.get_mut("s").unwrap();
            group.wanted += wanted;
            group.nodes = (group.nodes + nodes).min(group.wanted);
            let asked = if asks { vec![other_pods(ask("s", 2), secs * 1000)] } else { Vec::new() };
            call(&rooms, &mut held, &asked, secs);
            promised += u32::from(asks) * 16;
            let now = held.units().values().map(|units| units.ips).sum::<u32>();
            prop_assert!(now <= promised);
        }
        held.settle(&rooms, &[], at(20 + 300), LONGEST);
        prop_assert_eq!(held.units(), BTreeMap::new());
    }
}
