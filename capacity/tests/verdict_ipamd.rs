//! The verdict against what ipamd then does: a node on a subnet of its own, after a random history.

use headroom_capacity::budget::{Budget, Ipv4Budget, NodeFacts, NodeKind, budget};
use headroom_capacity::ids::{EniId, PodUid, SubnetId};
use headroom_capacity::instance::lookup;
use headroom_capacity::ipamd::{Call, Config, Ec2Error, Effect, Event, Ipamd, NewEni, Reply, SubnetInfo};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::subnet::{Cidr, SubnetLedger};
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips, Prefixes};
use headroom_capacity::verdict::{Demand, NodeState, Reason, Room, Verdict, explain, verdict};
use proptest::prelude::*;
use std::time::Duration;

const SUBNET: &str = "subnet-a";
/// Nothing stops cooling while a verdict is put to the test.
const COOLDOWN: Duration = Duration::from_secs(100_000);
/// ipamd's loop, every 5 s; enough turns for any pool here to fill, and to outlast a back-off.
const TURNS: u32 = 60;

struct World {
    ipamd: Ipamd,
    settings: CniSettings,
    budget: Ipv4Budget,
    subnet: SubnetLedger<EniId>,
    enis_made: u32,
    now: Time,
    random: u64,
    next_pod: u32,
    running: Vec<PodUid>,
}

/// A linear congruential generator, seeded by proptest.
fn draw(random: &mut u64, n: usize) -> usize {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*random >> 33).expect("31 bits") % n
}

impl World {
    fn new(settings: CniSettings, instance_type: &str, max_pods: u32, subnet: Cidr, taken: u32, seed: u64) -> World {
        let facts = NodeFacts {
            kind: NodeKind::Linux,
            limits: lookup(instance_type),
            settings: &settings,
            max_pods,
            unmanaged: Enis::ZERO,
            excluded: Enis::ZERO,
            trunk_attached: false,
            windows_prefix_delegation: false,
        };
        let Budget::Ipv4(budget) = budget(&facts) else { panic!("IPv4") };
        let mut random = seed;
        let mut ledger = SubnetLedger::new(subnet);
        let others = EniId::from("eni-others");
        for _ in 0..taken {
            let _full = ledger.take_ip(others.clone(), &mut |n| draw(&mut random, n)).is_err();
        }
        let primary = EniId::from("eni-0");
        let _full = ledger.take_ip(primary.clone(), &mut |n| draw(&mut random, n)).is_err();
        let subnet = SubnetId::from(SUBNET);
        let config = Config {
            settings: settings.clone(),
            budget,
            primary_subnet: subnet.clone(),
            eni_config_subnet: settings.custom_networking.then(|| subnet.clone()),
            excluded_subnets: Vec::new(),
        };
        let eni = NewEni { id: primary, subnet, device_index: 0, blocks: Vec::new(), trunk: false };
        let now = Time::from_secs(1000);
        let ipamd = Ipamd::start(config, vec![eni], now);
        World { ipamd, settings, budget, subnet: ledger, enis_made: 0, now, random, next_pod: 0, running: Vec::new() }
    }

    fn apply(&mut self, event: Event) -> Vec<Effect> {
        let random = &mut self.random;
        self.ipamd.apply(event, self.now, &mut |n| draw(random, n))
    }

    /// One turn of ipamd's loop, EC2 answering at once.
    fn turn(&mut self) {
        self.now = self.now + Duration::from_secs(5);
        let mut effects = self.apply(Event::Tick);
        while let Some(call) = effects.into_iter().find_map(|effect| match effect {
            Effect::Call(call) => Some(call),
            _ => None,
        }) {
            let reply = self.ec2(call);
            effects = self.apply(Event::Reply(reply));
        }
    }

    fn ec2(&mut self, call: Call) -> Reply {
        match call {
            Call::DescribeSubnets => Reply::Subnets(vec![SubnetInfo {
                id: SubnetId::from(SUBNET),
                available_ips: self.subnet.unused(),
                tags: Vec::new(),
            }]),
            Call::AssignIps { eni, count } => {
                self.assign(&eni, count, Prefixes::ZERO).map_or_else(Reply::Failed, Reply::Assigned)
            }
            Call::AssignPrefixes { eni, count } => {
                self.assign(&eni, Ips::ZERO, count).map_or_else(Reply::Failed, Reply::Assigned)
            }
            Call::CreateEni { ips, prefixes, .. } => {
                self.create(ips, prefixes).map_or_else(Reply::Failed, Reply::Created)
            }
            Call::Unassign { blocks, .. } => {
                for block in blocks {
                    self.subnet.release(block);
                }
                Reply::Done
            }
            Call::FreeEni { eni } => {
                self.release_all(&eni);
                Reply::Done
            }
        }
    }

    fn release_all(&mut self, eni: &EniId) {
        let held: Vec<Cidr> =
            self.subnet.iter().filter(|(_, owner)| *owner == eni).map(|(address, _)| Cidr::single(address)).collect();
        for block in held {
            self.subnet.release(block);
        }
    }

    fn assign(&mut self, eni: &EniId, ips: Ips, prefixes: Prefixes) -> Result<Vec<Cidr>, Ec2Error> {
        if self.subnet.free_prefixes() < prefixes {
            return Err(Ec2Error::InsufficientCidrBlocks);
        }
        if self.subnet.free_ips() < ips {
            return Err(Ec2Error::InsufficientFreeAddressesInSubnet);
        }
        let random = &mut self.random;
        let mut choose = |n| draw(random, n);
        let mut blocks = Vec::new();
        for _ in 0..prefixes.get() {
            blocks.push(self.subnet.take_prefix(eni.clone(), &mut choose).expect("counted"));
        }
        for _ in 0..ips.get() {
            blocks.push(Cidr::single(self.subnet.take_ip(eni.clone(), &mut choose).expect("counted")));
        }
        Ok(blocks)
    }

    /// All or nothing; the ENI's own address is taken last, so that it does not break up a /28 that was counted on.
    fn create(&mut self, ips: Ips, prefixes: Prefixes) -> Result<NewEni, Ec2Error> {
        let id = EniId::from(format!("eni-{}", self.enis_made + 1));
        let blocks = self.assign(&id, ips, prefixes)?;
        let random = &mut self.random;
        if self.subnet.take_ip(id.clone(), &mut |n| draw(random, n)).is_err() {
            self.release_all(&id);
            return Err(Ec2Error::InsufficientFreeAddressesInSubnet);
        }
        self.enis_made += 1;
        Ok(NewEni { id, subnet: SubnetId::from(SUBNET), device_index: self.enis_made, blocks, trunk: false })
    }

    /// CNI ADD; whether the pod got an address.
    fn add(&mut self, pod: &PodUid) -> bool {
        let assigned =
            self.apply(Event::Add(pod.clone())).iter().any(|effect| matches!(effect, Effect::Assigned { .. }));
        if assigned {
            self.running.push(pod.clone());
        }
        assigned
    }

    fn new_pod(&mut self) -> PodUid {
        self.next_pod += 1;
        PodUid::from(format!("pod-{}", self.next_pod))
    }

    fn state(&self) -> NodeState {
        let stats = self.ipamd.stats(self.now);
        let gives = |primary: bool| !(primary && self.settings.custom_networking);
        let slots = self.ipamd.store().enis().filter(|eni| gives(eni.spec().primary));
        NodeState {
            budget: Budget::Ipv4(self.budget),
            total: stats.total,
            assigned: stats.assigned,
            cooling: stats.cooling,
            waiting: Ips::ZERO,
            claims: Ips::ZERO,
            pod_enis: stats.enis,
            free_slots: slots.map(|eni| self.budget.slots_per_eni - eni.slots_used()).sum(),
            room: Room::Known {
                on_attached_ips: self.subnet.free_ips(),
                on_attached_prefixes: self.subnet.free_prefixes(),
                for_new_eni_ips: self.subnet.free_ips(),
                for_new_eni_prefixes: self.subnet.free_prefixes(),
            },
            cordoned: false,
            back_off_until: self.ipamd.back_off_until(self.now),
            branch_used: Enis::ZERO,
            branch_claims: Enis::ZERO,
            windows_used: Ips::ZERO,
        }
    }

    /// `count` pods are bound here; kubelet retries after each turn. How many are without an address in the end.
    fn bind(&mut self, count: u32) -> usize {
        let mut waiting: Vec<PodUid> = (0..count).map(|_| self.new_pod()).collect();
        for _ in 0..=TURNS {
            waiting.retain(|pod| !self.add(pod));
            if waiting.is_empty() {
                break;
            }
            self.turn();
        }
        waiting.len()
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Start(u8),
    Stop(u8),
    Turns(u8),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..12u8).prop_map(Step::Start),
        1 => (1..6u8).prop_map(Step::Stop),
        3 => (1..5u8).prop_map(Step::Turns),
    ]
}

prop_compose! {
    fn any_world()(
        targets in (0..3u32, prop::option::of(1..9u32), prop::option::of(1..30u32), 0..3u32),
        flags in any::<(bool, bool, bool)>(),
        name in prop::sample::select(vec!["t3.small", "m5.large", "c5.xlarge"]),
        max_pods in prop_oneof![Just(110u32), 3..60u32],
        len in 24..=26u8,
        taken in prop_oneof![2 => 0..8u32, 1 => 0..200u32],
        seed in any::<u64>(),
        steps in prop::collection::vec(any_step(), 0..14),
    ) -> World {
        let settings = CniSettings {
            warm_eni_target: targets.0,
            warm_ip_target: targets.1,
            minimum_ip_target: targets.2,
            warm_prefix_target: targets.3,
            prefix_delegation: flags.0,
            custom_networking: flags.1,
            subnet_discovery: flags.2,
            ip_cooldown: COOLDOWN,
            ..CniSettings::default()
        };
        let subnet = Cidr::new("10.0.0.0".parse().expect("an address"), len).expect("aligned");
        let mut world = World::new(settings, name, max_pods, subnet, taken, seed);
        for step in steps {
            match step {
                Step::Start(count) => (0..count).for_each(|_| {
                    let pod = world.new_pod();
                    world.add(&pod);
                }),
                Step::Stop(count) => (0..count).for_each(|_| {
                    if !world.running.is_empty() {
                        let at = draw(&mut world.random, world.running.len());
                        let pod = world.running.swap_remove(at);
                        world.apply(Event::Del(pod));
                    }
                }),
                Step::Turns(count) => (0..count).for_each(|_| world.turn()),
            }
        }
        world
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?}", self.settings)?;
        f.write_str(&explain(&self.state(), &self.settings, Demand::PodIp, self.now))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, max_shrink_iters: 400, ..ProptestConfig::default() })]

    /// `Now(n)`: n pods get an address at once. `Soon(n)`: none does at once, and ipamd's loop serves all n. `Never`: none does
    /// at once, nor ever, as long as nothing changes; where addresses cool or ipamd backs off only the first is sure.
    #[test]
    fn ipamd_does_what_the_verdict_says(mut world in any_world()) {
        let state = world.state();
        let told = verdict(&state, &world.settings, Demand::PodIp, world.now);
        let pod = world.new_pod();
        match told {
            Verdict::Now(ips) => {
                for _ in 0..ips.get() {
                    let pod = world.new_pod();
                    prop_assert!(world.add(&pod));
                }
            }
            Verdict::Soon(ips) => {
                prop_assert!(!world.add(&pod));
                let hanging = world.bind(ips.get());
                prop_assert_eq!(hanging, 0, "of {}", ips);
            }
            Verdict::Never(reason) => {
                let under_limits = state.assigned < world.budget.ceiling && state.assigned.get() < world.budget.max_pods;
                prop_assert!(!world.add(&pod) || !under_limits, "{reason}");
                if under_limits && state.cooling.is_zero() && reason != Reason::IpamdBackOff {
                    prop_assert_eq!(world.bind(1), 1, "{}", reason);
                }
            }
            Verdict::Unknown(reason) => prop_assert!(false, "{reason}"),
        }
    }
}
