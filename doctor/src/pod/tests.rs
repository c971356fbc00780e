use headroom_capacity::verdict::Reason;

use super::*;
use crate::bundle::{Agent, Condition, Ipamd, Section, Subnet};
use crate::fixtures::{NOW_MS, REFUSED, Spoil, bundle, event};
use crate::reason;

fn report(spoil: impl FnOnce(&mut Bundle)) -> Report {
    let mut bundle = bundle();
    spoil(&mut bundle);
    // As it comes from a file.
    let bundle: Bundle = bundle.to_json().unwrap().parse().unwrap();
    diagnose(&bundle, "default", "web")
}

fn ipamd(bundle: &mut Bundle, codes: &[&str]) {
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

fn unscheduled(bundle: &mut Bundle, message: &str) {
    let pod = bundle.pod_mut();
    (pod.node, pod.sandbox, pod.waiting, pod.events) = (None, None, Vec::new(), Vec::new());
    let condition = Condition { holds: false, reason: "Unschedulable".to_owned(), message: message.to_owned() };
    pod.scheduled = Some(condition);
}

type Case = (&'static str, fn(&mut Bundle), Cause);

const FAULTY: &[Case] = &[
    ("all that the type takes is attached and taken", |_| {}, Cause::InstanceLimit),
    (
        "a type that only EC2 knows",
        |b| {
            b.node_mut().instance_type = Some("m99x.large".to_owned());
            b.pool_mut().limits = Some(crate::bundle::Limits {
                enis: 4,
                ipv4_per_eni: 15,
                prefixes: true,
                network_cards: 1,
                branch: None,
                source: crate::bundle::Source::DescribeInstanceTypes,
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

#[test]
fn each_fault_has_its_cause_first_and_something_to_do() {
    for (what, spoil, cause) in FAULTY {
        let report = report(spoil);
        let first = report.findings.first().unwrap_or_else(|| panic!("{what}: nothing found\n{report}"));
        assert_eq!(first.cause, *cause, "{what}\n{report}");
        let code = if *cause == Cause::UnknownInstanceType { 3 } else { 1 };
        assert_eq!(report.exit_code(), code, "{what}\n{report}");
        assert!(!first.remedy.is_empty() && !first.says.is_empty() && !first.says.ends_with('.'), "{what}\n{report}");
    }
}

/// With the causes that may be named: none is about addresses.
const NOT_ADDRESSES: &[(&str, fn(&mut Bundle), Option<Cause>)] = &[
    ("runs", |b| running(b), None),
    (
        "runs and is being deleted",
        |b| {
            running(b);
            b.pod_mut().deleting = true;
        },
        None,
    ),
    (
        "runs on a node that is full and in an empty subnet",
        |b| {
            running(b);
            b.subnet_mut().free = 0;
        },
        None,
    ),
    (
        "runs, and its node was not read",
        |b| {
            running(b);
            b.nodes = Section::NotRead("no".to_owned());
        },
        None,
    ),
    ("has succeeded", |b| b.pod_mut().phase = "Succeeded".to_owned(), None),
    (
        "is on the host's network",
        |b| {
            b.pod_mut().demand = Demand::HostNetwork;
            (b.pod_mut().phase, b.pod_mut().ready) = ("Running".to_owned(), true);
        },
        None,
    ),
    (
        "was made a moment ago",
        |b| {
            b.pod_mut().events.clear();
            b.pod_mut().created_at_ms = NOW_MS - 2000;
        },
        None,
    ),
    (
        "was made a moment ago and has no node",
        |b| {
            unscheduled(b, "");
            b.pod_mut().created_at_ms = NOW_MS - 2000;
        },
        None,
    ),
    ("has a sandbox and pulls its image", |b| b.pod_mut().sandbox = Some(true), None),
    (
        "pulls its image, as only events of an older kubelet tell",
        |b| {
            b.pod_mut().sandbox = None;
            b.pod_mut().events.push(event("Pulling", "", 2));
        },
        None,
    ),
    (
        "has an IPv6 address",
        |b| {
            running(b);
            b.env("ENABLE_IPv6", "true");
            b.pod_mut().ips = vec!["2600:1f13::7".to_owned()];
        },
        None,
    ),
    (
        "pulls no image",
        |b| {
            running(b);
            (b.pod_mut().phase, b.pod_mut().ready) = ("Pending".to_owned(), false);
            b.pod_mut().waiting = vec!["ImagePullBackOff".to_owned()];
        },
        Some(Cause::OtherTrouble),
    ),
    (
        "crashes",
        |b| {
            running(b);
            b.pod_mut().ready = false;
            b.pod_mut().waiting = vec!["CrashLoopBackOff".to_owned()];
        },
        Some(Cause::OtherTrouble),
    ),
    ("waits for CPU", |b| unscheduled(b, "0/3 nodes are available: 3 Insufficient cpu."), Some(Cause::OtherTrouble)),
    (
        "tolerates no node",
        |b| {
            unscheduled(b, "0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: gpu}.");
        },
        Some(Cause::OtherTrouble),
    ),
    (
        "lacks its volume claim",
        |b| {
            unscheduled(b, "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.");
        },
        Some(Cause::OtherTrouble),
    ),
    (
        "is gated",
        |b| {
            unscheduled(b, "");
            b.pod_mut().gates = vec!["example.com/quota".to_owned()];
        },
        Some(Cause::OtherTrouble),
    ),
    ("no scheduler looks at it", |b| unscheduled(b, ""), Some(Cause::OtherTrouble)),
    (
        "its volume is not attached",
        |b| b.pod_mut().events = vec![event("FailedAttachVolume", "", 9)],
        Some(Cause::OtherTrouble),
    ),
    (
        "its sandbox fails for another reason",
        |b| {
            let message = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox image \"pause:3.5\"";
            b.pod_mut().events = vec![event("FailedCreatePodSandBox", message, 9)];
        },
        Some(Cause::OtherTrouble),
    ),
    ("is on Fargate", |b| b.node_mut().kind = Kind::Fargate, Some(Cause::OtherTrouble)),
    ("is on a hybrid node", |b| b.node_mut().kind = Kind::Hybrid, Some(Cause::OtherTrouble)),
    (
        "was evicted",
        |b| {
            (b.pod_mut().phase, b.pod_mut().reason) = ("Failed".to_owned(), Some("Evicted".to_owned()));
        },
        Some(Cause::OtherTrouble),
    ),
    ("its node is gone", |b| b.nodes = Section::Read(Vec::new()), Some(Cause::NodeNotReady)),
    (
        "its kubelet is silent",
        |b| {
            b.node_mut().ready = false;
            b.node_mut().not_ready = Some("Kubelet stopped posting node status.".to_owned());
        },
        Some(Cause::NodeNotReady),
    ),
];

fn running(bundle: &mut Bundle) {
    let pod = bundle.pod_mut();
    (pod.phase, pod.ready, pod.sandbox) = ("Running".to_owned(), true, Some(true));
    pod.ips = vec!["10.0.0.7".to_owned()];
    pod.waiting.clear();
}

#[test]
fn what_is_no_address_is_not_taken_for_one() {
    for (what, spoil, cause) in NOT_ADDRESSES {
        let report = report(spoil);
        let found: Vec<Cause> = report.findings.iter().map(|finding| finding.cause).collect();
        assert_eq!(found, cause.iter().copied().collect::<Vec<_>>(), "{what}\n{report}");
        assert_eq!(report.exit_code(), u8::from(cause.is_some()), "{what}\n{report}");
    }
}

#[test]
fn every_reason_of_the_extender_is_understood() {
    for reason in Reason::ALL {
        let report = report(|bundle| {
            bundle.half_full();
            bundle.pool_mut().waiting = 0;
            unscheduled(bundle, &format!("0/4 nodes are available: 4 {reason}."));
        });
        let cause = reason::cause(reason).unwrap_or(Cause::ExtenderUnsure);
        let found: Vec<Cause> = report.findings.iter().map(|finding| finding.cause).collect();
        assert_eq!(found, [cause], "{reason}\n{report}");
    }
}

#[test]
fn what_was_not_read_is_told_and_not_guessed() {
    let unread = |spoil: fn(&mut Bundle)| {
        let report = report(spoil);
        let found: Vec<Cause> = report.findings.iter().map(|finding| finding.cause).collect();
        assert!(!found.is_empty() && found.iter().all(|cause| *cause == Cause::NotRead), "{report}");
        assert_eq!(report.exit_code(), 3);
    };
    unread(|b| b.pods = Section::NotRead("pods is forbidden".to_owned()));
    unread(|b| b.pods = Section::Read(Vec::new()));
    unread(|b| b.nodes = Section::NotRead("nodes is forbidden".to_owned()));
    unread(|b| {
        b.half_full();
        b.node_mut().pool = Section::NotRead("no credentials".to_owned());
        b.subnets = Section::NotRead("no credentials".to_owned());
    });
    unread(|b| b.cni = Section::NotRead("daemonsets is forbidden".to_owned()));
    unread(|b| {
        b.half_full();
        b.pod_mut().events.clear();
    });
}

#[test]
fn a_report_names_the_subnets_of_the_case() {
    let report = report(|bundle| {
        bundle.half_full();
        bundle.subnet_mut().held = [("leaked", 10), ("pod", 200), ("node_primary", 2), ("warm", 39)]
            .map(|(owner, count)| (owner.to_owned(), count))
            .into();
        bundle.subnet_mut().leaks = vec![crate::bundle::Leak { eni: "eni-9".to_owned(), ips: 10 }];
        bundle.subnet_mut().free = 0;
        let other = Subnet {
            id: "subnet-b".to_owned(),
            name: Some("pods".to_owned()),
            free: 211,
            usable: 251,
            ..bundle.subnet_mut().clone()
        };
        let other = Subnet { leaks: Vec::new(), ..other };
        bundle.subnets = Section::Read(vec![bundle.subnet_mut().clone(), other]);
    });
    assert_eq!(
        report.to_string(),
        format!(
            "pod default/web: subnet-a (us-west-2a) has 0 of 251 addresses free
  fault subnet_empty (node n1)
    seen: EC2, node n1: 2 ENIs, 28 addresses attached, 28 with pods; pods that wait: 1
    seen: EC2, subnet-a: subnet-a (us-west-2a) has 0 of 251 addresses free; held by 200 pod, 39 warm, 10 leaked, 2 node_primary; EC2 counts 100 free
    seen: event FailedCreatePodSandBox (3 times): {REFUSED}
    do: delete the leaked ENIs eni-9: 10 addresses; 39 addresses of subnet-a are warm and with no pod: a lower WARM_* target gives some back; group workers could use subnet-b (pods, us-west-2a) (211 free): add it to the group, or tag it kubernetes.io/role/cni=1 so that ipamd finds it
  fine: node n1 is ready
"
        )
    );
}
