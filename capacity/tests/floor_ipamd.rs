//! The bound told from pods against ipamd's pool: random pods, random times of EC2, and statuses that are seen late.

use std::collections::VecDeque;
use std::time::Duration;

use headroom_capacity::budget::{Budget, Ipv4Budget, NodeFacts, NodeKind, budget};
use headroom_capacity::floor::{Floor, Growth, Observed, STEP, Seen};
use headroom_capacity::ids::{EniId, PodUid, SubnetId};
use headroom_capacity::instance::lookup;
use headroom_capacity::ipamd::{Call, Config, Effect, Event, Ipamd, NewEni, Reply, SubnetInfo};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips};
use proptest::prelude::*;

const SUBNET: &str = "subnet-a";
/// ipamd's loop sleeps so long in all between two turns.
const LOOP: Duration = Duration::from_secs(5);
/// How late a pod's address is seen, at most.
const LATE: Duration = Duration::from_secs(2);
const COOLDOWN: Duration = Duration::from_secs(30);

/// A node with an EC2 that never refuses and takes its time.
struct World {
    ipamd: Ipamd,
    settings: CniSettings,
    growth: Growth,
    now: Time,
    tick_at: Time,
    reply: Option<(Time, Reply)>,
    addresses: u32,
    random: u64,
    running: Vec<PodUid>,
    pods: u32,
    floor: Floor,
    /// Pods that hold an address, as seen, and when more of them will be.
    seen: u32,
    unseen: VecDeque<(Time, PodUid)>,
    /// What EC2 showed, and when that is told.
    shown: VecDeque<(Time, Observed)>,
}

fn draw(random: &mut u64, n: usize) -> usize {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*random >> 33).expect("31 bits") % n
}

impl World {
    fn new(settings: CniSettings, instance_type: &str, max_pods: u32, random: u64) -> World {
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
        let subnet = SubnetId::from(SUBNET);
        let config = Config {
            settings: settings.clone(),
            budget,
            primary_subnet: subnet.clone(),
            eni_config_subnet: settings.custom_networking.then(|| subnet.clone()),
            excluded_subnets: Vec::new(),
        };
        let primary = NewEni { id: EniId::from("eni-0"), subnet, device_index: 0, blocks: Vec::new(), trunk: false };
        let now = Time::from_secs(1000);
        World {
            ipamd: Ipamd::start(config, vec![primary], now),
            growth: Growth::new(&settings, &budget),
            settings,
            now,
            tick_at: now,
            reply: None,
            addresses: 0,
            random,
            running: Vec::new(),
            pods: 0,
            floor: Floor::default(),
            seen: 0,
            unseen: VecDeque::new(),
            shown: VecDeque::new(),
        }
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        let span = usize::try_from(to - from).expect("small");
        Duration::from_millis(from + draw(&mut self.random, span) as u64)
    }

    fn apply(&mut self, event: Event) -> Vec<Effect> {
        let random = &mut self.random;
        self.ipamd.apply(event, self.now, &mut |n| draw(random, n))
    }

    fn go_on(&mut self, effects: Vec<Effect>) {
        let call =
            effects.into_iter().find_map(|effect| if let Effect::Call(call) = effect { Some(call) } else { None });
        match call {
            Some(call) => {
                let (time, reply) = self.ec2(call);
                self.reply = Some((self.now + time, reply));
            }
            None => self.tick_at = self.now + LOOP,
        }
    }

    /// As long as EC2 takes: to attach an ENI up to 9 s, to detach one up to 8.
    fn ec2(&mut self, call: Call) -> (Duration, Reply) {
        match call {
            Call::DescribeSubnets => {
                let subnet = SubnetInfo { id: SubnetId::from(SUBNET), available_ips: Ips(60_000), tags: Vec::new() };
                (self.millis(100, 300), Reply::Subnets(vec![subnet]))
            }
            Call::AssignIps { count, .. } => (self.millis(400, 900), Reply::Assigned(self.blocks(count.get(), 32))),
            Call::AssignPrefixes { count, .. } => {
                (self.millis(400, 900), Reply::Assigned(self.blocks(count.get(), 28)))
            }
            Call::CreateEni { ips, prefixes, .. } => {
                let mut blocks = self.blocks(ips.get(), 32);
                blocks.extend(self.blocks(prefixes.get(), 28));
                self.addresses += 16;
                let id = EniId::from(format!("eni-{}", self.addresses));
                let eni =
                    NewEni { id, subnet: SubnetId::from(SUBNET), device_index: self.addresses, blocks, trunk: false };
                (self.millis(3000, 9000), Reply::Created(eni))
            }
            Call::Unassign { .. } => (self.millis(400, 900), Reply::Done),
            Call::FreeEni { .. } => (self.millis(4000, 8000), Reply::Done),
        }
    }

    /// Addresses are never used twice: whose they were does not matter here.
    fn blocks(&mut self, count: u32, len: u8) -> Vec<Cidr> {
        let take = |_| {
            self.addresses += 16;
            Cidr::new((0x0a00_0000 + self.addresses).into(), len).expect("aligned")
        };
        (0..count).map(take).collect()
    }

    /// Lets time pass; whatever is due happens when it is due, and the bound is looked at each time.
    fn pass(&mut self, time: Duration) -> Result<(), TestCaseError> {
        let until = self.now + time;
        loop {
            let reply = self.reply.as_ref().map(|(at, _)| *at);
            let tick = if reply.is_none() { Some(self.tick_at) } else { None };
            let status = self.unseen.front().map(|(at, _)| *at);
            let told = self.shown.front().map(|(at, _)| *at);
            let due = [reply, tick, status, told, self.floor.due(STEP)].into_iter().flatten().min();
            let Some(at) = due.filter(|at| *at <= until) else { break };
            self.now = self.now.max(at);
            if reply == Some(at) {
                let (_, reply) = self.reply.take().expect("it is due");
                let effects = self.apply(Event::Reply(reply));
                self.go_on(effects);
            } else if tick == Some(at) {
                let effects = self.apply(Event::Tick);
                self.go_on(effects);
            } else if status == Some(at) {
                self.unseen.pop_front();
                self.seen += 1;
            } else if told == Some(at) {
                return self.told().and_then(|()| self.pass(until.since(self.now)));
            }
            self.look(false)?;
        }
        self.now = until;
        self.look(false)
    }

    /// EC2 is asked now, and the answer comes later.
    fn show(&mut self, delay: Duration) {
        let observed = Observed { at: self.now, attached: self.ipamd.stats(self.now).total };
        let at = self.shown.back().map_or(self.now, |(at, _)| *at).max(self.now + delay);
        self.shown.push_back((at, observed));
    }

    fn told(&mut self) -> Result<(), TestCaseError> {
        let (_, observed) = self.shown.pop_front().expect("it is due");
        let seen = Seen { assigned: Ips(self.seen), fewest: Ips(self.seen), released: false, grows: true };
        self.floor = std::mem::take(&mut self.floor).observed(&observed, &seen, &self.growth, self.now, STEP);
        self.look(false)
    }

    fn look(&mut self, released: bool) -> Result<(), TestCaseError> {
        let seen = Seen { assigned: Ips(self.seen), fewest: Ips(self.seen), released, grows: true };
        self.floor = std::mem::take(&mut self.floor).advance(&seen, &self.growth, self.now, STEP);
        let pool = self.ipamd.stats(self.now);
        prop_assert!(self.floor.held() <= pool.total, "{:?} of {pool:?} at {:?}", self.floor, self.now);
        Ok(())
    }

    fn start(&mut self, count: u8) -> Result<(), TestCaseError> {
        for _ in 0..count {
            self.pods += 1;
            let pod = PodUid::from(format!("pod-{}", self.pods));
            let effects = self.apply(Event::Add(pod.clone()));
            if effects.iter().any(|effect| matches!(effect, Effect::Assigned { .. })) {
                self.running.push(pod.clone());
                let last = self.unseen.back().map_or(self.now, |(at, _)| *at);
                let at = last.max(self.now + self.millis(0, 2000).min(LATE));
                self.unseen.push_back((at, pod));
            }
        }
        self.look(false)
    }

    fn stop(&mut self, count: u8) -> Result<(), TestCaseError> {
        for _ in 0..usize::from(count).min(self.running.len()) {
            let at = draw(&mut self.random, self.running.len());
            let pod = self.running.swap_remove(at);
            let unseen = self.unseen.iter().position(|(_, other)| *other == pod);
            match unseen {
                Some(at) => drop(self.unseen.remove(at)),
                None => self.seen -= 1,
            }
            self.apply(Event::Del(pod));
            self.look(true)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Start(u8),
    Stop(u8),
    Pass(u32),
    Show(u32),
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..20u8).prop_map(Step::Start),
        3 => (1..20u8).prop_map(Step::Stop),
        6 => (1..40_000u32).prop_map(Step::Pass),
        1 => (100_000..200_000u32).prop_map(Step::Pass),
        2 => (0..60_000u32).prop_map(Step::Show),
        1 => Just(Step::Restart),
    ]
}

prop_compose! {
    fn any_settings()(
        targets in (0..3u32, prop::option::of(1..9u32), prop::option::of(1..30u32), 0..3u32),
        by_ips in any::<bool>(),
        flags in any::<(bool, bool)>(),
    ) -> CniSettings {
        CniSettings {
            warm_eni_target: targets.0,
            warm_ip_target: targets.1.filter(|_| by_ips),
            minimum_ip_target: targets.2.filter(|_| by_ips),
            warm_prefix_target: targets.3,
            prefix_delegation: flags.0,
            custom_networking: flags.1,
            ip_cooldown: COOLDOWN,
            ..CniSettings::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    /// Whatever is told to be attached is.
    #[test]
    fn the_pool_is_never_below_the_bound(
        settings in any_settings(),
        name in prop::sample::select(vec!["t3.small", "m5.large", "c5.xlarge"]),
        max_pods in prop_oneof![Just(110u32), 3..60u32],
        random in any::<u64>(),
        steps in prop::collection::vec(any_step(), 0..40),
    ) {
        let mut world = World::new(settings, name, max_pods, random);
        for step in steps {
            match step {
                Step::Start(count) => world.start(count)?,
                Step::Stop(count) => world.stop(count)?,
                Step::Pass(millis) => world.pass(Duration::from_millis(u64::from(millis)))?,
                Step::Show(millis) => world.show(Duration::from_millis(u64::from(millis))),
                Step::Restart => {
                    world.floor = Floor::of_unknown_past();
                    world.shown.clear();
                }
            }
        }
    }

    /// Once pods and pool have come to rest, all that is kept for the pods is known.
    #[test]
    fn the_bound_catches_up(
        settings in any_settings(),
        name in prop::sample::select(vec!["t3.small", "m5.large", "c5.xlarge"]),
        pods in 0..40u8,
        random in any::<u64>(),
    ) {
        let mut world = World::new(settings, name, 110, random);
        for _ in 0..pods {
            world.start(1)?;
            world.pass(Duration::from_secs(30))?;
        }
        world.pass(STEP * 60)?;
        let rules = headroom_capacity::ipamd::targets::PoolRules::new(&world.settings, &budget_of(&world));
        let ceiling = budget_of(&world).ceiling;
        let kept = rules.kept(Ips(world.seen)).min(ceiling);
        prop_assert!(world.floor.held() >= kept, "{:?}, {kept} kept for {}", world.floor, world.seen);
    }
}

fn budget_of(world: &World) -> Ipv4Budget {
    world.ipamd.config().budget
}
