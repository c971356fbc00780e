//! A small cluster, built piece by piece.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use headroom_capacity::budget::NodeKind;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_capacity::units::Ips;
use headroom_capacity::verdict::Demand;
use headroom_cluster::Node;

use super::super::{Ledger, Owner, Policy, build, owners};
use crate::inventory::{
    Attachment, Eni, EniKind, EniTags, Instance, InstanceId, InstanceState, Inventory, Subnet, Tags,
};
use crate::state::{ClusterState, NodeInfo, PodInfo};

pub(crate) const NOW: Time = Time::from_secs(1_000_000);
pub(crate) const CLUSTER: &str = "prod";

pub(crate) fn policy() -> Policy {
    let fifteen_minutes = Duration::from_secs(900);
    Policy { cluster: CLUSTER.into(), leak_min_age: fifteen_minutes, in_flight_deadline: fifteen_minutes }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Fixture {
    pub(crate) inventory: Inventory,
    pub(crate) cluster: ClusterState,
}

impl Fixture {
    /// Subnets a and b, 10.0.0.0/24 and 10.0.1.0/24, in one zone.
    pub(crate) fn new(settings: CniSettings) -> Fixture {
        let mut fixture = Fixture::default();
        fixture.cluster.settings = Arc::new(settings);
        fixture.subnet("a", "10.0.0.0/24", &[]);
        fixture.subnet("b", "10.0.1.0/24", &[]);
        fixture
    }

    pub(crate) fn subnet(&mut self, id: &str, cidr: &str, tags: &[(&str, &str)]) {
        let subnet = Subnet {
            id: id.into(),
            vpc: "vpc-1".into(),
            az: "us-west-2a".into(),
            cidr: Cidr::parse(cidr).unwrap(),
            available_ips: Ips(100),
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        };
        self.inventory.subnets.insert(id.into(), subnet);
    }

    /// An m5.large (3 ENIs of 10 addresses) that was launched `age_secs` ago in subnet a, and its node, named alike.
    pub(crate) fn node(&mut self, name: &str, age_secs: u64) {
        self.instance(name, "m5.large", age_secs);
        self.register(name, NodeKind::Linux);
    }

    pub(crate) fn instance(&mut self, name: &str, instance_type: &str, age_secs: u64) {
        let id = InstanceId::from(name);
        let instance = Instance {
            id: id.clone(),
            instance_type: instance_type.into(),
            state: InstanceState::Running,
            launched_at: NOW - Duration::from_secs(age_secs),
            subnet: Some("a".into()),
            private_dns: name.into(),
            group: None,
            of_cluster: true,
        };
        self.inventory.instances.insert(id, instance);
    }

    pub(crate) fn register(&mut self, name: &str, kind: NodeKind) {
        let node = Node::ready(name, kind, 29);
        let instance = Some(InstanceId::from(name)).filter(|_| kind != NodeKind::Fargate);
        let info = NodeInfo { node, instance, security_groups_for_pods: false, eni_config_subnet: None };
        self.cluster.nodes.insert(name.into(), info);
    }

    /// An ENI of ipamd on instance `of`; the first address is its primary one, blocks are prefixes.
    pub(crate) fn eni(&mut self, of: &str, device_index: u32, subnet: &str, blocks: &[&str]) -> &mut Eni {
        let (singles, prefixes): (Vec<&str>, Vec<&str>) = blocks.iter().partition(|block| !block.contains('/'));
        let mut singles = singles.into_iter().map(ip);
        let eni = Eni {
            id: format!("eni-{}", self.inventory.enis.len()).into(),
            subnet: subnet.into(),
            available: false,
            kind: EniKind::Interface,
            primary_ip: singles.next(),
            secondary_ips: singles.collect(),
            prefixes: prefixes.into_iter().map(|block| Cidr::parse(block).unwrap()).collect(),
            attachment: Some(Attachment { instance: Some(of.into()), device_index, network_card: 0 }),
            requester_managed: false,
            described_for: Some(of.into()).filter(|_| device_index > 0),
            tags: EniTags {
                instance: Some(of.into()),
                cluster: Some(CLUSTER.into()),
                created_at: Some(NOW - Duration::from_secs(5000)).filter(|_| device_index > 0),
                ..EniTags::default()
            },
        };
        self.inventory.enis.push(eni);
        self.inventory.enis.last_mut().unwrap()
    }

    /// An ENI of ipamd that was made for `of` and hangs nowhere.
    pub(crate) fn unattached(&mut self, of: &str, age_secs: u64, blocks: &[&str]) -> &mut Eni {
        let eni = self.eni(of, 1, "a", blocks);
        eni.attachment = None;
        eni.available = true;
        eni.tags.created_at = Some(NOW - Duration::from_secs(age_secs));
        eni
    }

    /// A pod on `node`, with `address` or waiting for one.
    pub(crate) fn pod(&mut self, node: &str, address: Option<&str>) -> &mut PodInfo {
        let name = format!("pod-{}", self.cluster.pods.len());
        let pod = PodInfo {
            name: name.as_str().into(),
            node: Some(node.into()),
            demand: Demand::PodIp,
            requests: Default::default(),
            scheduling: Default::default(),
            ip: address.map(ip),
            over: false,
            shortage: None,
            refused_at: None,
            waiting_since: Some(NOW).filter(|_| address.is_none()),
        };
        self.cluster.pods.entry(name.into()).or_insert(pod)
    }

    pub(crate) fn ledger(&self) -> Ledger {
        build(&self.inventory, &self.cluster, &policy(), NOW)
    }

    pub(crate) fn owner(&self, address: &str) -> Option<Owner> {
        let owners = owners(&self.inventory, &self.cluster, &policy(), NOW);
        owners.iter().find(|(_, held, _)| *held == ip(address)).map(|(.., owner)| *owner)
    }
}

pub(crate) fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

pub(crate) fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
