mod faulty;
mod unrelated;

use headroom_capacity::verdict::Reason;

use super::*;
use crate::bundle::{Condition, Section, Subnet};
use crate::fixtures::{REFUSED, Spoil, bundle};
use crate::reason;
use faulty::FAULTY;
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
