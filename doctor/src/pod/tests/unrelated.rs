//! Pods that run, are on their way or have other trouble, with the cause that may be named: none is about addresses.

use super::unscheduled;
use crate::Bundle;
use crate::bundle::{Demand, Kind, Section};
use crate::cause::Cause;
use crate::fixtures::{NOW_MS, Spoil, event};

type Case = (&'static str, fn(&mut Bundle), Option<Cause>);

pub(super) const UNRELATED: &[Case] = &[
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
        "its volume was not attached once, and its sandbox is made meanwhile",
        |b| {
            b.pod_mut().sandbox = Some(true);
            b.pod_mut().events = vec![event("FailedMount", "", 1800), event("Failed", "", 1200)];
        },
        None,
    ),
    (
        "its volume was not attached, and kubelet tries every 122 s",
        |b| b.pod_mut().events = vec![event("FailedAttachVolume", "", 130)],
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
