//! Each way in which a pod can lack an address, with its cause.

use headroom_capacity::verdict::Reason;

use super::unscheduled;
use crate::Bundle;
use crate::bundle::{Agent, Demand, Ipamd, Kind, Limits, Section, Source};
use crate::cause::Cause;
use crate::fixtures::{REFUSED, Spoil, event};

type Case = (&'static str, fn(&mut Bundle), Cause);

pub(super) fn ipamd(bundle: &mut Bundle, codes: &[&str]) {
    let pool = bundle.pool_mut();
    let (total, assigned) = (pool.attached, pool.assigned);
    let errors = codes.iter().map(|code| ((*code).to_owned(), 3)).collect();
    bundle.node_mut().ipamd = Section::Read(Ipamd { total, assigned, refused: 9, errors });
}

fn prefixes(bundle: &mut Bundle) {
    bundle.env("ENABLE_PREFIX_DELEGATION", "true");
    bundle.node_mut().max_pods = 110;
    let pool = bundle.pool_mut();
    (pool.enis, pool.pod_enis, pool.prefixes, pool.attached, pool.assigned) = (1, 1, 2, 32, 32);
    pool.free_slots.insert("subnet-a".to_owned(), 12);
}

fn branch(bundle: &mut Bundle) {
    bundle.env("ENABLE_POD_ENI", "true");
    bundle.pod_mut().demand = Demand::BranchEni;
    let pool = bundle.half_full();
    (pool.trunk, pool.branch) = (true, 3);
}

pub(super) const FAULTY: &[Case] = &[
    ("all that the type takes is attached and taken", |_| {}, Cause::InstanceLimit),
    (
        "a type that only EC2 knows",
        |b| {
            b.node_mut().instance_type = Some("m99x.large".to_owned());
            b.pool_mut().limits = Some(Limits {
                enis: 4,
                ipv4_per_eni: 15,
                prefixes: true,
                network_cards: 1,
                branch: None,
                source: Source::DescribeInstanceTypes,
            });
        },
        Cause::InstanceLimit,
    ),
    (
        "nothing free for a new ENI",
        |b| {
            b.half_full();
            b.subnet_mut().free = 0;
        },
        Cause::SubnetEmpty,
    ),
    (
        "nothing free for the slots of an attached ENI",
        |b| {
            let pool = b.half_full();
            (pool.attached, pool.assigned) = (20, 20);
            pool.free_slots.insert("subnet-a".to_owned(), 8);
            b.subnet_mut().free = 0;
        },
        Cause::SubnetEmpty,
    ),
    (
        "addresses and no /28",
        |b| {
            prefixes(b);
            (b.subnet_mut().free, b.subnet_mut().free_prefixes) = (180, 0);
        },
        Cause::SubnetFragmented,
    ),
    (
        "no address either",
        |b| {
            prefixes(b);
            (b.subnet_mut().free, b.subnet_mut().free_prefixes) = (3, 0);
        },
        Cause::SubnetEmpty,
    ),
    (
        "half of a full node's addresses were released",
        |b| {
            b.pool_mut().assigned = 30;
            b.pool_mut().waiting = 20;
        },
        Cause::CoolingDown,
    ),
    (
        "kubelet has stopped pods",
        |b| {
            b.half_full().assigned = 20;
            b.node_mut().released = Some(3);
        },
        Cause::CoolingDown,
    ),
    (
        "seen to cool",
        |b| {
            let pool = b.half_full();
            (pool.assigned, pool.cooling) = (20, 8);
        },
        Cause::CoolingDown,
    ),
    (
        "more have ended than cool for, but more wait",
        |b| {
            b.pool_mut().assigned = 50;
            b.pool_mut().waiting = 20;
        },
        Cause::InstanceLimit,
    ),
    (
        "attached a moment ago",
        |b| {
            b.half_full().assigned = 20;
            b.node_mut().released = Some(0);
        },
        Cause::PoolGrowing,
    ),
    (
        "EC2 was asked in vain and has some now",
        |b| {
            b.half_full();
            ipamd(b, &["InsufficientFreeAddressesInSubnet"]);
        },
        Cause::IpamdBackOff,
    ),
    (
        "the same with prefixes",
        |b| {
            prefixes(b);
            ipamd(b, &["InsufficientCidrBlocks"]);
        },
        Cause::IpamdBackOff,
    ),
    (
        "the role lacks its policy",
        |b| {
            b.half_full();
            ipamd(b, &["UnauthorizedOperation"]);
        },
        Cause::Ec2Denied,
    ),
    (
        "EC2 throttles",
        |b| {
            b.half_full();
            ipamd(b, &["RequestLimitExceeded"]);
        },
        Cause::Ec2Throttled,
    ),
    (
        "to come within seconds",
        |b| {
            b.half_full();
            ipamd(b, &[]);
        },
        Cause::PoolGrowing,
    ),
    (
        "MAX_ENI",
        |b| {
            b.half_full();
            b.env("MAX_ENI", "2");
        },
        Cause::EniLimit,
    ),
    (
        "ENIs that are not ipamd's",
        |b| {
            let pool = b.half_full();
            (pool.enis, pool.unmanaged) = (4, 2);
        },
        Cause::EniLimit,
    ),
    (
        "MINIMUM_IP_TARGET alone",
        |b| {
            b.half_full();
            b.env("MINIMUM_IP_TARGET", "20");
        },
        Cause::PoolNotGrowing,
    ),
    (
        "ipamd was told to attach nothing",
        |b| {
            b.half_full();
            b.env("DISABLE_NETWORK_RESOURCE_PROVISIONING", "true");
        },
        Cause::ProvisioningDisabled,
    ),
    (
        "cordoned",
        |b| {
            b.half_full();
            b.node_mut().cordoned = true;
        },
        Cause::NodeCordoned,
    ),
    (
        "as many addresses as max-pods",
        |b| {
            b.half_full();
            b.node_mut().max_pods = 28;
        },
        Cause::MaxPods,
    ),
    (
        "aws-node crashes",
        |b| {
            b.node_mut().agent = Section::Read(Agent {
                pod: "aws-node-x".to_owned(),
                ready: false,
                restarts: 7,
                reason: Some("CrashLoopBackOff".to_owned()),
            });
        },
        Cause::CniDown,
    ),
    ("no aws-node at all", |b| b.node_mut().agent = Section::Read(Agent::default()), Cause::CniDown),
    (
        "ipamd does not answer the plugin",
        |b| {
            let message =
                REFUSED.replace("failed to assign an IP address to container", "failed to connect to backend server");
            b.pod_mut().events = vec![event("FailedCreatePodSandBox", &message, 4)];
        },
        Cause::CniDown,
    ),
    (
        "the plugin is not installed",
        |b| {
            let message = "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady \
                       message:Network plugin returns error: cni plugin not initialized";
            b.pod_mut().events = vec![event("NetworkNotReady", message, 1)];
        },
        Cause::CniDown,
    ),
    (
        "the node waits for the plugin",
        |b| {
            b.node_mut().ready = false;
            b.node_mut().not_ready = Some("container runtime network not ready: cni plugin not initialized".to_owned());
        },
        Cause::CniDown,
    ),
    (
        "branch ENIs are out",
        |b| {
            branch(b);
            b.pool_mut().branch = 18;
        },
        Cause::BranchEniLimit,
    ),
    (
        "security groups for pods are off",
        |b| {
            branch(b);
            b.env("ENABLE_POD_ENI", "false");
        },
        Cause::PodEniOff,
    ),
    (
        "no trunk",
        |b| {
            branch(b);
            b.pool_mut().trunk = false;
        },
        Cause::PodEniOff,
    ),
    (
        "no address for the branch ENI",
        |b| {
            branch(b);
            b.subnet_mut().free = 0;
        },
        Cause::SubnetEmpty,
    ),
    ("the branch ENI is on its way", branch, Cause::BranchEniPending),
    (
        "a Windows node is full",
        |b| {
            b.node_mut().kind = Kind::Windows;
            b.pod_mut().demand = Demand::WindowsIp;
            (b.pool_mut().attached, b.pool_mut().assigned) = (14, 14);
        },
        Cause::WindowsIpLimit,
    ),
    (
        "a type that nobody knows",
        |b| b.node_mut().instance_type = Some("zz9.large".to_owned()),
        Cause::UnknownInstanceType,
    ),
    (
        "EC2 cannot be read, the table tells",
        |b| b.node_mut().pool = Section::NotRead("no".to_owned()),
        Cause::InstanceLimit,
    ),
    (
        "EC2 cannot be read, ipamd tells",
        |b| {
            b.half_full();
            ipamd(b, &["InsufficientFreeAddressesInSubnet"]);
            b.node_mut().pool = Section::NotRead("no".to_owned());
        },
        Cause::SubnetEmpty,
    ),
    ("no event is left of a pod that hangs for days", |b| b.pod_mut().events.clear(), Cause::InstanceLimit),
    (
        "its volume came long ago, and no event is left of the address",
        |b| b.pod_mut().events = vec![event("FailedAttachVolume", "", 1800)],
        Cause::InstanceLimit,
    ),
    (
        "kubelet has refused it",
        |b| {
            (b.pod_mut().phase, b.pod_mut().reason) = ("Failed".to_owned(), Some("OutOfpods".to_owned()));
        },
        Cause::MaxPods,
    ),
    (
        "kube-scheduler counts pods",
        |b| {
            unscheduled(
                b,
                "0/2 nodes are available: 2 Too many pods. preemption: 0/2 nodes are available: 2 No victims.",
            );
        },
        Cause::MaxPods,
    ),
    (
        "kube-scheduler counts pods, and speaks of claims before preemption",
        |b| {
            unscheduled(
                b,
                "0/3 nodes are available: 1 Insufficient cpu, 2 Too many pods. no new claims to deallocate, preemption: 0/3 nodes are \
                 available: 1 Insufficient cpu, 2 No preemption victims found for incoming pod.",
            );
        },
        Cause::MaxPods,
    ),
    (
        "kube-scheduler counts branch ENIs",
        |b| {
            unscheduled(b, "0/2 nodes are available: 2 Insufficient vpc.amazonaws.com/pod-eni.");
        },
        Cause::BranchEniLimit,
    ),
    (
        "a pod of each node hangs",
        |b| {
            unscheduled(b, &format!("0/1 nodes are available: 1 {}.", Reason::AssignFailed));
        },
        Cause::InstanceLimit,
    ),
    (
        "several reasons, of which the node knows its own",
        |b| {
            b.half_full();
            b.subnet_mut().free = 0;
            unscheduled(b, &format!("0/1 nodes are available: 1 {}.", Reason::Several));
        },
        Cause::SubnetEmpty,
    ),
    (
        "most nodes are full, others lack CPU",
        |b| {
            let text = format!("0/5 nodes are available: 2 Insufficient cpu, 3 {}.", Reason::InstanceIpLimit);
            unscheduled(b, &text);
        },
        Cause::InstanceLimit,
    ),
];
