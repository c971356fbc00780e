//! What of a watch's events is counted.

use headroom_cluster::{ErrorClass, Event, Kind};

/// Values of the label `event`.
pub(super) const EVENTS: [&str; 4] = ["applied", "deleted", "synced", "absent"];

pub(super) enum Class {
    Event(Kind, &'static str),
    Error(Kind, ErrorClass),
    Quiet,
}

pub(super) fn class(event: &Event) -> Class {
    let [applied, deleted, synced, gone] = EVENTS;
    match event {
        Event::NodeApplied(_) => Class::Event(Kind::Node, applied),
        Event::NodeDeleted(_) => Class::Event(Kind::Node, deleted),
        Event::PodApplied(_) => Class::Event(Kind::Pod, applied),
        Event::PodDeleted(_) => Class::Event(Kind::Pod, deleted),
        Event::CniNodeApplied(_) => Class::Event(Kind::CniNode, applied),
        Event::CniNodeDeleted(_) => Class::Event(Kind::CniNode, deleted),
        Event::EniConfigApplied(_) => Class::Event(Kind::EniConfig, applied),
        Event::EniConfigDeleted(_) => Class::Event(Kind::EniConfig, deleted),
        Event::CniSettings { .. } => Class::Event(Kind::AwsNode, applied),
        Event::SandboxFailed(_) => Class::Event(Kind::SandboxEvent, applied),
        Event::Synced { kind, absent } => Class::Event(*kind, if *absent { gone } else { synced }),
        Event::Undecodable { kind, .. } => Class::Error(*kind, ErrorClass::Decode),
        Event::WatchFailed { kind, class, .. } => Class::Error(*kind, *class),
        Event::WatchRecovered(_) => Class::Quiet,
    }
}
