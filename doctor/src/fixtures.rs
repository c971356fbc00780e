//! A cluster to spoil: node `n1`, a full c5.xlarge, in a subnet with room, and pod `default/web` on it without an address.

use crate::Bundle;
use crate::bundle::{Agent, Cni, Event, Group, Node, Pod, Pool, Section, Subnet};

pub(crate) const NOW_MS: u64 = 1_767_225_600_000;

/// What the plugin says of a pod that gets no address.
pub(crate) const REFUSED: &str = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \
     \"1f\": plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: failed to assign an IP address to container";

pub(crate) fn event(reason: &str, message: &str, secs_ago: u64) -> Event {
    Event { reason: reason.to_owned(), message: message.to_owned(), count: 3, last_at_ms: NOW_MS - secs_ago * 1000 }
}

pub(crate) fn bundle() -> Bundle {
    let pool = Pool {
        group: Some("workers".to_owned()),
        primary_subnet: Some("subnet-a".to_owned()),
        enis: 4,
        pod_enis: 4,
        attached: 56,
        assigned: 56,
        waiting: 1,
        new_eni_subnets: vec!["subnet-a".to_owned()],
        ..Pool::default()
    };
    let node = Node {
        name: "n1".to_owned(),
        instance: Some("i-1".to_owned()),
        instance_type: Some("c5.xlarge".to_owned()),
        zone: Some("us-west-2a".to_owned()),
        ready: true,
        max_pods: 58,
        vcpus: 4,
        pods: 58,
        host_pods: 2,
        with_ip: 56,
        agent: Section::Read(Agent { pod: "aws-node-x".to_owned(), ready: true, ..Agent::default() }),
        pool: Section::Read(pool),
        ..Node::default()
    };
    let subnet = |id: &str, free: u32, free_prefixes: u32| Subnet {
        id: id.to_owned(),
        zone: "us-west-2a".to_owned(),
        cidr: "10.0.0.0/24".to_owned(),
        usable: 251,
        held: [("pod".to_owned(), 56), ("warm".to_owned(), 0)].into(),
        free,
        free_prefixes,
        reported_free: free,
        ..Subnet::default()
    };
    let pod = Pod {
        namespace: "default".to_owned(),
        name: "web".to_owned(),
        created_at_ms: NOW_MS - 300_000,
        node: Some("n1".to_owned()),
        phase: "Pending".to_owned(),
        sandbox: Some(false),
        waiting: vec!["ContainerCreating".to_owned()],
        events: vec![event("FailedCreatePodSandBox", REFUSED, 5)],
        ..Pod::default()
    };
    let group = Group { name: "workers".to_owned(), subnets: vec!["subnet-a".to_owned()], size: (1, 1, 3) };
    Bundle {
        cni: Section::Read(Cni { wanted: 1, ready: 1, ..Cni::default() }),
        nodes: Section::Read(vec![node]),
        pods: Section::Read(vec![pod]),
        subnets: Section::Read(vec![subnet("subnet-a", 100, 3)]),
        groups: Section::Read(vec![group]),
        ..Bundle::new("prod", NOW_MS)
    }
}

fn read<T>(section: &mut Section<T>) -> &mut T {
    match section {
        Section::Read(value) => value,
        Section::NotRead(why) => panic!("{why}"),
    }
}

/// Handles on the parts of [`bundle`].
pub(crate) trait Spoil {
    fn node_mut(&mut self) -> &mut Node;
    fn pool_mut(&mut self) -> &mut Pool;
    fn pod_mut(&mut self) -> &mut Pod;
    fn subnet_mut(&mut self) -> &mut Subnet;
    fn env(&mut self, name: &str, value: &str);
    /// Two ENIs with 14 addresses each, all with pods, and room for two more.
    fn half_full(&mut self) -> &mut Pool;
}

impl Spoil for Bundle {
    fn node_mut(&mut self) -> &mut Node {
        &mut read(&mut self.nodes)[0]
    }

    fn pool_mut(&mut self) -> &mut Pool {
        read(&mut self.node_mut().pool)
    }

    fn pod_mut(&mut self) -> &mut Pod {
        &mut read(&mut self.pods)[0]
    }

    fn subnet_mut(&mut self) -> &mut Subnet {
        &mut read(&mut self.subnets)[0]
    }

    fn env(&mut self, name: &str, value: &str) {
        read(&mut self.cni).env.insert(name.to_owned(), value.to_owned());
    }

    fn half_full(&mut self) -> &mut Pool {
        let node = self.node_mut();
        (node.pods, node.with_ip) = (30, 28);
        let pool = self.pool_mut();
        (pool.enis, pool.pod_enis, pool.attached, pool.assigned) = (2, 2, 28, 28);
        pool
    }
}
