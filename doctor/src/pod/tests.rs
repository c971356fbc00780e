mod faulty;
mod unrelated;

use headroom_capacity::verdict::Reason;

use super::*;
use crate::bundle::{Condition, Section, Subnet};
use crate::fixtures::{NOW_MS, REFUSED, Spoil, bundle, event};
use crate::reason;
use faulty::{FAULTY, ipamd};
use unrelated::UNRELATED;

fn report(spoil: impl FnOnce(&mut Bundle)) -> Report {
    let mut bundle = bundle();
    spoil(&mut bundle);
    // As it comes from a file.
    let bundle: Bundle = bundle.to_json().unwrap().parse().unwrap();
    diagnose(&bundle, "default", "web")
}

fn unscheduled(bundle: &mut Bundle, message: &str) {
    let pod = bundle.pod_mut();
    (pod.node, pod.sandbox, pod.waiting, pod.events) = (None, None, Vec::new(), Vec::new());
    let condition = Condition { holds: false, reason: "Unschedulable".to_owned(), message: message.to_owned() };
    pod.scheduled = Some(condition);
}

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

#[test]
fn what_is_no_address_is_not_taken_for_one() {
    for (what, spoil, cause) in UNRELATED {
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

/// On no node, and a second node has room.
fn waits(bundle: &mut Bundle, reason: Reason) {
    bundle.pool_mut().waiting = 0;
    let mut roomy = bundle.node_mut().clone();
    roomy.name = "n2".to_owned();
    if let Section::Read(nodes) = &mut bundle.nodes {
        nodes.push(roomy);
        nodes.swap(0, 1);
    }
    bundle.half_full();
    if let Section::Read(nodes) = &mut bundle.nodes {
        nodes.swap(0, 1);
    }
    unscheduled(bundle, &format!("0/2 nodes are available: 1 {reason}, 1 Insufficient cpu."));
}

#[test]
fn a_pod_that_waits_is_not_told_to_be_deleted() {
    let spoilt: [fn(&mut Bundle); 2] = [
        |_| {},
        |bundle| {
            bundle.half_full();
            (bundle.subnet_mut().free, bundle.subnet_mut().free_prefixes) = (0, 0);
        },
    ];
    for (reason, spoil) in Reason::ALL.into_iter().flat_map(|reason| spoilt.map(|spoil| (reason, spoil))) {
        let report = report(|bundle| {
            waits(bundle, reason);
            spoil(bundle);
        });
        for finding in &report.findings {
            let deletes = finding.remedy.contains("delete the pod") || finding.remedy.contains("pod that is deleted");
            assert!(!deletes, "{reason}: {report}");
        }
    }
    let first = report(|bundle| waits(bundle, Reason::InstanceIpLimit)).findings.remove(0);
    assert!(first.remedy.starts_with("add a node: the pod is then tried again by itself"), "{first:?}");
}

#[test]
fn a_pod_that_waits_is_told_what_was_not_read_of_all_nodes() {
    let unread = |spoil: fn(&mut Bundle)| {
        let report = report(|bundle| {
            waits(bundle, Reason::InstanceIpLimit);
            spoil(bundle);
        });
        report.findings.iter().filter(|finding| finding.cause == Cause::NotRead).count()
    };
    assert_eq!(unread(|_| {}), 0);
    assert_eq!(unread(|bundle| bundle.subnets = Section::NotRead("no AWS region".to_owned())), 1);
    assert_eq!(unread(|bundle| bundle.cni = Section::NotRead("forbidden".to_owned())), 1);
    assert_eq!(unread(|bundle| bundle.nodes = Section::NotRead("forbidden".to_owned())), 1);
    let no_pool = |node: &mut Node| node.pool = Section::NotRead("no AWS region".to_owned());
    // One node that EC2 does not show says nothing of the others.
    assert_eq!(unread(|bundle| bundle.node_mut().pool = Section::NotRead("not shown".to_owned())), 0);
    let mut all = bundle();
    waits(&mut all, Reason::InstanceIpLimit);
    if let Section::Read(nodes) = &mut all.nodes {
        nodes.iter_mut().for_each(no_pool);
    }
    let report = diagnose(&all, "default", "web");
    let about: Vec<&str> = report.findings.iter().map(|finding| finding.about.as_str()).collect();
    assert!(about.contains(&"the nodes' ENIs"), "{report}");
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

#[test]
fn what_ipamd_counts_since_it_started_is_no_cause_alone() {
    const CODES: [(&str, Cause, Cause); 3] = [
        ("UnauthorizedOperation", Cause::Ec2Denied, Cause::Ec2Denied),
        ("InsufficientFreeAddressesInSubnet", Cause::IpamdBackOff, Cause::SubnetEmpty),
        ("InsufficientCidrBlocks", Cause::IpamdBackOff, Cause::SubnetFragmented),
    ];
    let found = |code: &str, times: u64, secs: u64, spoil: fn(&mut Bundle)| {
        let report = report(|b| {
            b.half_full();
            ipamd(b, &[]);
            let Section::Read(figures) = &mut b.node_mut().ipamd else { panic!("no figures") };
            figures.errors.insert(code.to_owned(), times);
            b.pod_mut().created_at_ms = NOW_MS - 7_200_000;
            b.pod_mut().events.push(event("Scheduled", "", secs));
            spoil(b);
        });
        let found: Vec<(Cause, Level)> = report.findings.iter().map(|finding| (finding.cause, finding.level)).collect();
        let told = report.findings.iter().any(|finding| finding.says.contains("since ipamd started"));
        assert!(times == 0 || told, "{report}");
        found
    };
    let unread = |b: &mut Bundle| b.node_mut().pool = Section::NotRead("no".to_owned());
    for (code, cause, blind) in CODES {
        let warned = [(Cause::PoolGrowing, Level::Fault), (cause, Level::Warning)];
        assert_eq!(found(code, 1, 600, |_| {}), warned, "once, at boot");
        assert_eq!(found(code, 50, 20, |_| {}), warned, "a pod that came a moment ago");
        assert_eq!(found(code, 50, 600, |_| {}), [(cause, Level::Fault)], "{code} goes on");
        assert_eq!(found(code, 0, 600, |_| {}), [(Cause::PoolGrowing, Level::Fault)]);
        let level = |found: Vec<(Cause, Level)>| found.first().copied();
        assert_eq!(level(found(code, 1, 600, unread)), Some((blind, Level::Warning)));
        assert_eq!(level(found(code, 50, 600, unread)), Some((blind, Level::Fault)));
    }
    // What was met once hides nothing that goes on.
    let denied_once = |b: &mut Bundle| {
        let Section::Read(figures) = &mut b.node_mut().ipamd else { panic!("no figures") };
        figures.errors.extend([("AccessDenied".to_owned(), 1), ("UnauthorizedOperation".to_owned(), 1)]);
    };
    assert_eq!(
        found("InsufficientCidrBlocks", 9, 600, denied_once),
        [(Cause::IpamdBackOff, Level::Fault), (Cause::Ec2Denied, Level::Warning)]
    );
    let without_books = |b: &mut Bundle| {
        let Section::Read(figures) = &mut b.node_mut().ipamd else { panic!("no figures") };
        figures.errors.insert("InsufficientCidrBlocks".to_owned(), 1);
        b.node_mut().pool = Section::NotRead("no".to_owned());
    };
    let first = found("InsufficientFreeAddressesInSubnet", 9, 600, without_books).first().copied();
    assert_eq!(first, Some((Cause::SubnetEmpty, Level::Fault)));
    // A subnet that is empty now is the evidence.
    let empty = |b: &mut Bundle| {
        let other = Subnet { id: "subnet-b".to_owned(), ..b.subnet_mut().clone() };
        b.subnet_mut().free = 0;
        let full = b.subnet_mut().clone();
        b.subnets = Section::Read(vec![full, other]);
        b.pool_mut().free_slots.insert("subnet-a".to_owned(), 2);
        b.pool_mut().new_eni_subnets = vec!["subnet-b".to_owned()];
    };
    let backs_off = [(Cause::IpamdBackOff, Level::Fault)];
    assert_eq!(found("InsufficientFreeAddressesInSubnet", 1, 20, empty), backs_off);
}
