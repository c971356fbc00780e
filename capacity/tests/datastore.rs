//! What must hold in every data store, whatever happened to it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_capacity::budget::Mode;
use headroom_capacity::datastore::{Block, Datastore, Eni, EniSpec};
use headroom_capacity::ids::{EniId, PodUid};
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_capacity::units::Ips;
use proptest::prelude::*;

const ENIS: u8 = 3;
const PODS: u8 = 40;

#[derive(Clone, Debug)]
enum Op {
    Assign { pod: u8, choice: usize },
    Release { pod: u8 },
    Pass { millis: u64 },
    AddBlock { eni: u8, number: u8, prefix: bool },
    RemoveBlock { eni: u8, number: u8, prefix: bool, force: bool },
    RemoveEni { eni: u8, force: bool },
    AddEni { eni: u8 },
    Exclude { eni: u8, excluded: bool },
}

fn op() -> impl Strategy<Value = Op> {
    let block = || (0..ENIS, 0..6u8, any::<bool>());
    prop_oneof![
        8 => (0..PODS, any::<usize>()).prop_map(|(pod, choice)| Op::Assign { pod, choice }),
        6 => (0..PODS).prop_map(|pod| Op::Release { pod }),
        4 => prop_oneof![1..40_000u64, Just(5000), Just(30_000), Just(30_001)].prop_map(|millis| Op::Pass { millis }),
        4 => block().prop_map(|(eni, number, prefix)| Op::AddBlock { eni, number, prefix }),
        2 => (block(), any::<bool>())
            .prop_map(|((eni, number, prefix), force)| Op::RemoveBlock { eni, number, prefix, force }),
        1 => (0..ENIS, any::<bool>()).prop_map(|(eni, force)| Op::RemoveEni { eni, force }),
        1 => (0..ENIS).prop_map(|eni| Op::AddEni { eni }),
        1 => (0..ENIS, any::<bool>()).prop_map(|(eni, excluded)| Op::Exclude { eni, excluded }),
    ]
}

/// A store, its clock, and when each address that is still attached was last given back.
struct World {
    store: Datastore,
    now: Time,
    released: BTreeMap<Ipv4Addr, Time>,
}

impl World {
    fn new(mode: Mode, cooldown: Duration) -> World {
        let mut world = World { store: Datastore::new(mode, cooldown), now: Time::ZERO, released: BTreeMap::new() };
        for eni in 0..ENIS {
            world.apply(&Op::AddEni { eni });
            world.apply(&Op::AddBlock { eni, number: 0, prefix: mode == Mode::Prefix });
        }
        world
    }

    /// The data store's refusals are allowed here; the vectors compare them with the CNI's.
    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Assign { pod, choice } => self.assign(pod, choice),
            Op::Release { pod } => {
                if let Ok(freed) = self.store.release(&uid(pod), self.now) {
                    self.released.insert(freed.ip, self.now);
                }
            }
            Op::Pass { millis } => self.now = self.now + Duration::from_millis(millis),
            Op::AddBlock { eni, number, prefix } => drop(self.store.add_cidr(&id(eni), cidr(eni, number, prefix))),
            Op::RemoveBlock { eni, number, prefix, force } => {
                drop(self.store.remove_cidr(&id(eni), cidr(eni, number, prefix), force));
            }
            Op::RemoveEni { eni, force } => drop(self.store.remove_eni(&id(eni), force)),
            Op::AddEni { eni } => drop(self.store.add_eni(spec(eni), self.now)),
            Op::Exclude { eni, excluded } => drop(self.store.set_excluded(&id(eni), excluded)),
        }
        self.store.settle(self.now);
        let blocks: Vec<Cidr> = self.store.enis().flat_map(Eni::blocks).map(Block::cidr).collect();
        self.released.retain(|ip, _| blocks.iter().any(|block| block.contains(*ip)));
    }

    fn assign(&mut self, pod: u8, choice: usize) {
        let held = self.store.address_of(&uid(pod));
        let Ok(ip) = self.store.assign(uid(pod), self.now, &mut |n| choice % n) else {
            assert_eq!(held, None, "a pod that holds an address is not refused");
            return;
        };
        if let Some(held) = held {
            assert_eq!(ip, held, "a pod that asks again gets the same address");
        } else if let Some(released) = self.released.remove(&ip) {
            assert!(self.now.since(released) > self.store.cooldown(), "{ip} was handed out while it cooled down");
        }
    }

    /// Addresses that can be handed out now, found by handing them out.
    fn drain(&self) -> Ips {
        let mut store = self.store.clone();
        let mut assign = |n: u32| store.assign(format!("late-{n}").into(), self.now, &mut |n| n - 1);
        (0..).map_while(|n| assign(n).ok()).map(|_| Ips(1)).sum()
    }

    fn check(&self) {
        let records: Vec<(Ipv4Addr, &Block)> = self
            .store
            .enis()
            .flat_map(Eni::blocks)
            .flat_map(|block| block.records().map(move |(ip, _)| (ip, block)))
            .collect();
        let distinct: BTreeSet<Ipv4Addr> = records.iter().map(|(ip, _)| *ip).collect();
        assert_eq!(distinct.len(), records.len(), "an address is in two places");
        assert!(records.iter().all(|(ip, block)| block.cidr().contains(*ip)), "an address is outside its block");

        let held: BTreeSet<Ipv4Addr> = self.store.pods().map(|(_, ip)| ip).collect();
        assert_eq!(held.len(), self.store.pods().len(), "two pods hold one address");
        let assigned: Ips = self.store.enis().map(Eni::assigned).sum();
        assert_eq!(held.iter().map(|_| Ips(1)).sum::<Ips>(), assigned, "pods and addresses held by pods");
    }
}

fn cidr(eni: u8, number: u8, prefix: bool) -> Cidr {
    let text =
        if prefix { format!("10.0.{eni}.{}/28", 16 * number) } else { format!("10.0.{eni}.{}/32", 128 + number) };
    Cidr::parse(&text).unwrap()
}

fn id(eni: u8) -> EniId {
    format!("eni-{eni}").into()
}

fn uid(pod: u8) -> PodUid {
    format!("pod-{pod}").into()
}

fn spec(eni: u8) -> EniSpec {
    EniSpec {
        id: id(eni),
        device_index: eni.into(),
        primary: eni == 0,
        trunk: false,
        efa: false,
        subnet: "subnet-1".into(),
        excluded: false,
    }
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::SecondaryIp), Just(Mode::Prefix)]
}

proptest! {
    #[test]
    fn no_address_is_in_two_places_or_used_before_it_has_cooled(
        mode in mode(),
        cooldown_secs in prop_oneof![Just(0u64), Just(30)],
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let mut world = World::new(mode, Duration::from_secs(cooldown_secs));
        for op in &ops {
            world.apply(op);
            world.check();
        }
    }

    #[test]
    fn total_is_assigned_and_cooling_and_what_can_be_handed_out(mode in mode(), ops in prop::collection::vec(op(), 1..80)) {
        let mut world = World::new(mode, Duration::from_secs(30));
        for op in &ops {
            world.apply(op);
        }
        let stats = world.store.stats(world.now);
        prop_assert_eq!(stats.total, stats.assigned + stats.cooling + world.drain());
    }
}
