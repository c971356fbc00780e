//! A small EC2 and a node on it: enough of the API's rules to contradict ipamd.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_capacity::budget::{self, Budget, Ipv4Budget, NodeFacts, NodeKind};
use headroom_capacity::datastore::{Block, Eni};
use headroom_capacity::ids::{EniId, PodUid, SubnetId};
use headroom_capacity::instance::{self, InstanceLimits};
use headroom_capacity::ipamd::{Call, Config, Ec2Error, Effect, Event, Ipamd, NewEni, PoolStats, Reply, SubnetInfo};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Enis, Ips};

pub(crate) const NODE_SUBNET: &str = "subnet-node";

/// A subnet with so many addresses and, counted apart, so many /28s left.
#[derive(Clone, Debug)]
pub(crate) struct Subnet {
    pub(crate) id: SubnetId,
    pub(crate) ips: u32,
    pub(crate) prefixes: u32,
    pub(crate) tags: Vec<(String, String)>,
}

impl Subnet {
    pub(crate) fn new(id: &str, ips: u32, prefixes: u32) -> Subnet {
        Subnet { id: id.into(), ips, prefixes, tags: Vec::new() }
    }

    pub(crate) fn tagged(mut self, key: &str, value: &str) -> Subnet {
        self.tags.push((key.to_owned(), value.to_owned()));
        self
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Ec2 {
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) enis: BTreeMap<EniId, (SubnetId, Vec<Cidr>)>,
    /// Answers to the next calls that are not EC2's own.
    pub(crate) faults: VecDeque<Option<Ec2Error>>,
    /// Times that the instance's ENI limit had to be enforced.
    pub(crate) refused_enis: u32,
    free: Vec<Cidr>,
    next_ip: u32,
    next_prefix: u32,
    next_eni: u32,
    limits: InstanceLimits,
}

impl Ec2 {
    pub(crate) fn call(&mut self, call: &Call) -> Reply {
        if let Some(error) = self.faults.pop_front().flatten() {
            return Reply::Failed(error);
        }
        match call {
            Call::DescribeSubnets => Reply::Subnets(self.subnets.iter().map(info).collect()),
            Call::AssignIps { eni, count } => self.fill(eni, count.get(), 0),
            Call::AssignPrefixes { eni, count } => self.fill(eni, 0, count.get()),
            Call::Unassign { eni, blocks } => self.take_back(eni, blocks),
            Call::CreateEni { subnet, ips, prefixes } => self.create(subnet, ips.get(), prefixes.get()),
            Call::FreeEni { eni } => {
                let blocks = self.enis[eni].1.clone();
                self.take_back(eni, &blocks);
                let (subnet, _) = self.enis.remove(eni).expect("freed once");
                self.subnet(&subnet).ips += 1;
                Reply::Done
            }
        }
    }

    fn subnet(&mut self, id: &SubnetId) -> &mut Subnet {
        self.subnets.iter_mut().find(|subnet| subnet.id == *id).expect("a subnet of this VPC")
    }

    fn create(&mut self, subnet: &SubnetId, ips: u32, prefixes: u32) -> Reply {
        if self.enis.len() >= self.limits.enis.get() as usize {
            self.refused_enis += 1;
            return Reply::Failed(Ec2Error::Other("AttachmentLimitExceeded".to_owned()));
        }
        let room = self.subnet(subnet);
        if room.ips < ips + 1 {
            return Reply::Failed(Ec2Error::InsufficientFreeAddressesInSubnet);
        }
        if room.prefixes < prefixes {
            return Reply::Failed(Ec2Error::InsufficientCidrBlocks);
        }
        room.ips -= 1;
        self.next_eni += 1;
        let id = EniId::from(format!("eni-{:04}", self.next_eni));
        self.enis.insert(id.clone(), (subnet.clone(), Vec::new()));
        let Reply::Assigned(blocks) = self.fill(&id, ips, prefixes) else { panic!("room was there") };
        let device_index = u32::try_from(self.enis.len() - 1).expect("few ENIs");
        Reply::Created(NewEni { id, subnet: subnet.clone(), device_index, blocks, trunk: false })
    }

    fn fill(&mut self, eni: &EniId, ips: u32, prefixes: u32) -> Reply {
        let (subnet, held) = self.enis.get(eni).expect("an attached ENI").clone();
        if held.len() + (ips + prefixes) as usize > self.limits.ipv4_per_eni as usize - 1 {
            return Reply::Failed(Ec2Error::Other("PrivateIpAddressLimitExceeded".to_owned()));
        }
        let room = self.subnet(&subnet);
        if room.ips < ips {
            return Reply::Failed(Ec2Error::InsufficientFreeAddressesInSubnet);
        }
        if room.prefixes < prefixes {
            return Reply::Failed(Ec2Error::InsufficientCidrBlocks);
        }
        room.ips -= ips;
        room.prefixes -= prefixes;
        let lens = std::iter::repeat_n(32, ips as usize).chain(std::iter::repeat_n(28, prefixes as usize));
        let blocks: Vec<Cidr> = lens.map(|len| self.block(len)).collect();
        self.enis.get_mut(eni).expect("an attached ENI").1.extend(&blocks);
        Reply::Assigned(blocks)
    }

    /// Freed blocks are handed out again first.
    fn block(&mut self, len: u8) -> Cidr {
        if let Some(at) = self.free.iter().position(|block| block.len() == len) {
            return self.free.remove(at);
        }
        let next = if len == 32 { &mut self.next_ip } else { &mut self.next_prefix };
        let base = Ipv4Addr::from(*next);
        *next += 1 << (32 - len);
        Cidr::parse(&format!("{base}/{len}")).expect("aligned")
    }

    fn take_back(&mut self, eni: &EniId, blocks: &[Cidr]) -> Reply {
        let (subnet, held) = self.enis.get_mut(eni).expect("an attached ENI");
        let subnet = subnet.clone();
        for block in blocks {
            assert!(held.contains(block), "{block} is not on {eni}");
        }
        held.retain(|block| !blocks.contains(block));
        for block in blocks {
            let room = self.subnet(&subnet);
            if block.len() == 32 {
                room.ips += 1
            } else {
                room.prefixes += 1
            }
            self.free.push(*block);
        }
        Reply::Done
    }
}

fn info(subnet: &Subnet) -> SubnetInfo {
    SubnetInfo { id: subnet.id.clone(), available_ips: Ips(subnet.ips), tags: subnet.tags.clone() }
}

/// One node, its EC2, its clock and its luck.
pub(crate) struct Node {
    pub(crate) ipamd: Ipamd,
    pub(crate) ec2: Ec2,
    pub(crate) now: Time,
    pub(crate) calls: Vec<Call>,
    pub(crate) logs: Vec<String>,
    /// A call that nobody has answered yet.
    pub(crate) in_flight: Option<Call>,
    luck: Option<u64>,
}

impl Node {
    /// A node whose ipamd walks maps in order: pods fill one block after the other.
    pub(crate) fn new(limits: &InstanceLimits, settings: &CniSettings, max_pods: u32, subnets: Vec<Subnet>) -> Node {
        let primary = EniId::from("eni-0000");
        let subnet = SubnetId::from(NODE_SUBNET);
        let config = Config {
            settings: settings.clone(),
            budget: budget(limits, settings, max_pods),
            primary_subnet: subnet.clone(),
            eni_config_subnet: settings.custom_networking.then(|| SubnetId::from("subnet-pods")),
            excluded_subnets: Vec::new(),
        };
        let eni =
            NewEni { id: primary.clone(), subnet: subnet.clone(), device_index: 0, blocks: Vec::new(), trunk: false };
        let ec2 = Ec2 {
            subnets,
            enis: BTreeMap::from([(primary, (subnet, Vec::new()))]),
            faults: VecDeque::new(),
            refused_enis: 0,
            free: Vec::new(),
            next_ip: u32::from(Ipv4Addr::new(10, 0, 0, 0)),
            next_prefix: u32::from(Ipv4Addr::new(11, 0, 0, 0)),
            next_eni: 0,
            limits: *limits,
        };
        let now = Time::from_secs(1_000);
        let ipamd = Ipamd::start(config, vec![eni], now);
        Node { ipamd, ec2, now, calls: Vec::new(), logs: Vec::new(), in_flight: None, luck: None }
    }

    /// With subnets that never run out.
    pub(crate) fn roomy(instance_type: &str, settings: &CniSettings, max_pods: u32) -> Node {
        Node::new(limits(instance_type), settings, max_pods, roomy_subnets())
    }

    pub(crate) fn with_luck(mut self, seed: u64) -> Node {
        self.luck = Some(seed);
        self
    }

    pub(crate) fn stats(&self) -> PoolStats {
        self.ipamd.stats(self.now)
    }

    /// Applies an event and leaves a call unanswered.
    pub(crate) fn apply(&mut self, event: Event) -> Vec<Effect> {
        let was_busy = self.in_flight.is_some();
        let answers = matches!(event, Event::Reply(_));
        if answers {
            self.in_flight = None;
        }
        let luck = &mut self.luck;
        let effects = self.ipamd.apply(event, self.now, &mut |n| luck.as_mut().map_or(0, |seed| pick(seed, n)));
        for effect in &effects {
            match effect {
                Effect::Call(call) => {
                    assert!(answers || !was_busy, "{call:?} while {:?} is in flight", self.in_flight);
                    assert!(self.in_flight.replace(call.clone()).is_none(), "two calls at once");
                    self.calls.push(call.clone());
                }
                Effect::Log(line) => self.logs.push(line.clone()),
                _ => {}
            }
        }
        assert_eq!(self.in_flight.is_some(), self.ipamd.busy());
        effects
    }

    /// Lets EC2 answer the call in flight.
    pub(crate) fn answer(&mut self) {
        if let Some(call) = &self.in_flight {
            let reply = self.ec2.call(call);
            self.apply(Event::Reply(reply));
        }
    }

    /// One turn of the loop with all its calls; returns these.
    pub(crate) fn turn(&mut self) -> Vec<Call> {
        self.now = self.now + Duration::from_secs(5);
        let before = self.calls.len();
        self.apply(Event::Tick);
        while self.in_flight.is_some() {
            self.answer();
        }
        self.calls[before..].to_vec()
    }

    /// Turns until one makes no call.
    pub(crate) fn settle(&mut self) {
        for _ in 0..200 {
            if self.turn().is_empty() {
                return;
            }
        }
        panic!("the pool does not come to rest: {:?}", self.stats());
    }

    pub(crate) fn wait(&mut self, secs: u64) {
        self.now = self.now + Duration::from_secs(secs);
    }

    /// Turns for so long; returns the calls.
    pub(crate) fn run(&mut self, secs: u64) -> Vec<Call> {
        (0..secs / 5).flat_map(|_| self.turn()).collect()
    }

    pub(crate) fn add(&mut self, pod: u32) -> Option<Ipv4Addr> {
        self.apply(Event::Add(uid(pod))).into_iter().find_map(|effect| match effect {
            Effect::Assigned { ip, .. } => Some(ip),
            _ => None,
        })
    }

    pub(crate) fn del(&mut self, pod: u32) -> Option<Ipv4Addr> {
        self.apply(Event::Del(uid(pod))).into_iter().find_map(|effect| match effect {
            Effect::Released { ip, .. } => Some(ip),
            _ => None,
        })
    }

    /// Starts `pods` pods one after another, the pool settling in between; returns how many got an address.
    pub(crate) fn start_pods(&mut self, pods: u32) -> u32 {
        self.settle();
        for pod in 0..pods {
            if self.add(pod).is_none() {
                return pod;
            }
            self.settle();
        }
        pods
    }

    /// Slots used on each ENI that takes pod addresses, in order of attachment.
    pub(crate) fn slots(&self) -> Vec<u32> {
        self.ipamd.store().enis().map(Eni::slots_used).collect()
    }

    pub(crate) fn logged(&self, text: &str) -> bool {
        self.logs.iter().any(|line| line.contains(text))
    }
}

pub(crate) fn roomy_subnets() -> Vec<Subnet> {
    vec![Subnet::new(NODE_SUBNET, 100_000, 10_000), Subnet::new("subnet-pods", 100_000, 10_000)]
}

pub(crate) fn limits(instance_type: &str) -> &'static InstanceLimits {
    instance::lookup(instance_type).expect("a type of the table")
}

pub(crate) fn uid(pod: u32) -> PodUid {
    PodUid::from(format!("pod-{pod:04}"))
}

/// The budget of a node without unmanaged and excluded ENIs.
pub(crate) fn budget(limits: &InstanceLimits, settings: &CniSettings, max_pods: u32) -> Ipv4Budget {
    let facts = NodeFacts {
        kind: NodeKind::Linux,
        limits: Some(limits),
        settings,
        max_pods,
        unmanaged: Enis(0),
        excluded: Enis(0),
        trunk_attached: false,
        windows_prefix_delegation: false,
    };
    let Budget::Ipv4(budget) = budget::budget(&facts) else { panic!("{facts:?} is a Linux node") };
    budget
}

/// What the shipped manifest sets.
pub(crate) fn manifest() -> CniSettings {
    CniSettings { warm_eni_target: 1, warm_prefix_target: 1, ..CniSettings::default() }
}

pub(crate) fn by_ips(warm: u32, minimum: u32) -> CniSettings {
    let set = |value: u32| Some(value).filter(|value| *value > 0);
    CniSettings { warm_ip_target: set(warm), minimum_ip_target: set(minimum), ..manifest() }
}

pub(crate) fn with_prefixes(settings: CniSettings) -> CniSettings {
    CniSettings { prefix_delegation: true, ..settings }
}

pub(crate) fn blocks(eni: &Eni) -> Vec<Cidr> {
    eni.blocks().map(Block::cidr).collect()
}

/// SplitMix64.
fn pick(seed: &mut u64, n: usize) -> usize {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((z ^ (z >> 31)) % (n as u64)).expect("below n")
}
