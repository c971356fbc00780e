//! Clusters of any size with everything in them, out of a seed.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use headroom_capacity::settings::CniSettings;
use headroom_capacity::subnet::{Cidr, ReservationKind};
use headroom_capacity::units::Ips;

use super::fixture::{Fixture, NOW};
use crate::inventory::{Eni, EniKind, InstanceId, Reservation};

/// How large the cluster is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) subnets: u32,
    /// Prefix length of each, 18 to 28.
    pub(super) subnet_len: u8,
    pub(super) nodes: u32,
    /// ENIs of a node, its primary one included.
    pub(super) enis: u32,
    /// Addresses on an ENI beside its primary one.
    pub(super) addresses: u32,
    /// Of 100 addresses, those that pods have.
    pub(super) pods_percent: u32,
    pub(super) prefixes: bool,
    pub(super) custom_networking: bool,
    /// Whether EC2 tells of addresses twice, and of such that do not fit.
    pub(super) conflicts: bool,
    pub(super) seed: u64,
}

pub(super) fn generate(shape: Shape) -> Fixture {
    let settings = CniSettings {
        prefix_delegation: shape.prefixes,
        custom_networking: shape.custom_networking,
        ..CniSettings::shipped()
    };
    let mut maker = Maker {
        shape,
        rng: fastrand::Rng::with_seed(shape.seed),
        fixture: Fixture::default(),
        next: HashMap::new(),
        names: (0..shape.subnets).map(|nth| format!("subnet-{nth:08x}")).collect(),
    };
    maker.fixture.cluster.settings = settings.into();
    maker.subnets();
    (0..shape.nodes).for_each(|nth| maker.node(nth));
    (0..shape.subnets.max(shape.nodes / 10)).for_each(|nth| maker.others(nth));
    maker.fixture
}

struct Maker {
    shape: Shape,
    rng: fastrand::Rng,
    fixture: Fixture,
    /// Of each subnet, the offset of the next address that nobody has.
    next: HashMap<u32, u32>,
    names: Vec<String>,
}

impl Maker {
    fn base(&self, subnet: u32) -> u32 {
        u32::from(Ipv4Addr::new(10, 0, 0, 0)) + subnet * (1 << (32 - self.shape.subnet_len))
    }

    fn subnets(&mut self) {
        for nth in 0..self.shape.subnets {
            let cidr = Cidr::new(self.base(nth).into(), self.shape.subnet_len).unwrap();
            let role = self.rng.choice(["", "0", "1", "1"]).unwrap();
            self.fixture.subnet(&self.names[nth as usize], &cidr.to_string(), &[("kubernetes.io/role/cni", role)]);
            let az = ["us-west-2a", "us-west-2b", "us-west-2c"][nth as usize % 3];
            let subnet = self.fixture.inventory.subnets.values_mut().find(|one| one.cidr == cidr);
            subnet.unwrap().az = az.into();
            if self.rng.u8(..3) == 0 {
                let len = self.rng.u8(cidr.len()..=30).max(cidr.len() + 1);
                let at = self.rng.u32(..1 << (len - cidr.len())) << (32 - len);
                let kind = *self.rng.choice(&[ReservationKind::Prefix, ReservationKind::Explicit]).unwrap();
                let block = Cidr::new((self.base(nth) + at).into(), len).unwrap();
                let name = self.names[nth as usize].as_str();
                let reservation = Reservation { cidr: block, kind };
                self.fixture.inventory.reservations.insert(name.into(), vec![reservation]);
            }
        }
    }

    /// A free address, or a free /28; sometimes one that is taken or AWS's. `None` when the subnet is full.
    fn take(&mut self, subnet: u32, size: u32) -> Option<u32> {
        let base = self.base(subnet);
        let end = 1 << (32 - self.shape.subnet_len);
        if self.shape.conflicts && self.rng.u8(..20) == 0 {
            let at = self.rng.u32(..end) / size * size;
            return Some(base + at);
        }
        let next = self.next.entry(subnet).or_insert(4);
        // A gap now and then.
        let from = (*next + u32::from(self.rng.u8(..8) == 0)).next_multiple_of(size);
        if from + size >= end {
            return None;
        }
        *next = from + size;
        Some(base + from)
    }

    fn eni(&mut self, of: &str, device_index: u32, subnet: u32, addresses: u32) -> Option<usize> {
        let primary = Ipv4Addr::from(self.take(subnet, 1)?).to_string();
        let at = self.fixture.inventory.enis.len();
        let name = self.names[subnet as usize].clone();
        self.fixture.eni(of, device_index, &name, &[&primary]);
        let other_mode = self.rng.u8(..20) == 0;
        if self.shape.prefixes != other_mode {
            let prefixes = addresses.div_ceil(16);
            let taken =
                (0..prefixes).map_while(|_| self.take(subnet, 16)).map(|base| Cidr::new(base.into(), 28).unwrap());
            self.fixture.inventory.enis[at].prefixes = taken.collect();
        } else {
            let taken: Vec<u32> = (0..addresses).map_while(|_| self.take(subnet, 1)).collect();
            self.fixture.inventory.enis[at].secondary_ips = taken.into_iter().map(Ipv4Addr::from).collect();
        }
        Some(at)
    }

    fn node(&mut self, nth: u32) {
        let name = format!("ip-10-0-{}-{}.us-west-2.compute.internal", nth / 250, nth % 250);
        let subnet = self.rng.u32(..self.shape.subnets);
        let instance_type = if self.rng.u8(..50) == 0 { "x9.huge" } else { "m5.4xlarge" };
        self.fixture.instance(&name, instance_type, self.rng.u64(..2000));
        let id = InstanceId::from(name.as_str());
        let instance = self.fixture.inventory.instances.get_mut(&id).unwrap();
        instance.subnet = Some(self.names[subnet as usize].as_str().into());
        self.fixture.register(&name, headroom_capacity::budget::NodeKind::Linux);
        let pods_in = self.rng.u32(..self.shape.subnets);
        if self.shape.custom_networking {
            let node = self.fixture.cluster.nodes.get_mut(name.as_str()).unwrap();
            node.eni_config_subnet = Some(self.names[pods_in as usize].as_str().into());
        }
        for device in 0..self.shape.enis {
            let here = if device > 0 && self.shape.custom_networking { pods_in } else { subnet };
            let Some(at) = self.eni(&name, device, here, self.shape.addresses) else { continue };
            let eni = &mut self.fixture.inventory.enis[at];
            match self.rng.u8(..60) {
                0 if device > 0 => eni.tags.no_manage = true,
                1 if device > 0 => eni.kind = EniKind::Trunk,
                2 if device > 0 => (eni.attachment, eni.available) = (None, true),
                _ => {}
            }
            let eni = eni.clone();
            self.pods(&name, &eni);
        }
    }

    fn pods(&mut self, node: &str, eni: &Eni) {
        let prefixes = eni.prefixes.iter().flat_map(|block| block.addresses());
        for ip in eni.secondary_ips.iter().copied().chain(prefixes) {
            let dice = self.rng.u32(..100);
            if dice < self.shape.pods_percent {
                let pod = self.fixture.pod(node, None);
                (pod.ip, pod.waiting_since) = (Some(ip), None);
            } else if dice < self.shape.pods_percent + 5 {
                self.fixture.cluster.cooling.insert(ip, NOW + Duration::from_secs(self.rng.u64(..20)));
            }
        }
        if self.rng.u8(..4) == 0 {
            self.fixture.pod(node, None);
        }
    }

    /// ENIs that are on no node of the cluster.
    fn others(&mut self, nth: u32) {
        let Some(at) = self.eni("i-other", 1, nth % self.shape.subnets, 3) else { return };
        let age = Duration::from_secs(self.rng.u64(..2000));
        let eni = &mut self.fixture.inventory.enis[at];
        match self.rng.u8(..3) {
            0 => (eni.kind, eni.tags.cluster) = (EniKind::Service, None),
            1 => (eni.kind, eni.attachment) = (EniKind::Branch, None),
            _ => {
                (eni.attachment, eni.available) = (None, true);
                eni.tags.created_at = Some(NOW - age);
            }
        }
    }
}

/// As EC2 would show them.
pub(super) fn addresses(eni: &Eni) -> impl Iterator<Item = Ipv4Addr> {
    let singles = eni.primary_ip.iter().chain(&eni.secondary_ips).copied();
    singles.chain(eni.prefixes.iter().flat_map(|block| block.addresses()))
}

pub(super) fn held(fixture: &Fixture) -> Ips {
    let counts = fixture.inventory.enis.iter().map(|eni| addresses(eni).count());
    Ips(u32::try_from(counts.sum::<usize>()).unwrap())
}
