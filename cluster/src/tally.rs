//! What of a watch's events is counted.

use crate::event::{ErrorClass, Event};
use crate::kind::Kind;

/// How a metric counts an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// One of [`Tally::EVENTS`] of a kind.
    Event(Kind, &'static str),
    /// An error of a kind.
    Error(Kind, ErrorClass),
    /// Not at all.
    Quiet,
}

impl Tally {
    /// Values of the metric label `event`.
    pub const EVENTS: [&str; 4] = ["applied", "deleted", "synced", "absent"];

    /// Of one event.
    #[must_use]
    pub const fn of(event: &Event) -> Tally {
        let [applied, deleted, synced, gone] = Tally::EVENTS;
        match event {
            Event::NodeApplied(_) => Tally::Event(Kind::Node, applied),
            Event::NodeDeleted(_) => Tally::Event(Kind::Node, deleted),
            Event::PodApplied(_) => Tally::Event(Kind::Pod, applied),
            Event::PodDeleted(_) => Tally::Event(Kind::Pod, deleted),
            Event::CniNodeApplied(_) => Tally::Event(Kind::CniNode, applied),
            Event::CniNodeDeleted(_) => Tally::Event(Kind::CniNode, deleted),
            Event::EniConfigApplied(_) => Tally::Event(Kind::EniConfig, applied),
            Event::EniConfigDeleted(_) => Tally::Event(Kind::EniConfig, deleted),
            Event::CsiNodeApplied { .. } => Tally::Event(Kind::CsiNode, applied),
            Event::CsiNodeDeleted(_) => Tally::Event(Kind::CsiNode, deleted),
            Event::CniSettings { .. } => Tally::Event(Kind::AwsNode, applied),
            Event::ControllerSettings(_) => Tally::Event(Kind::AmazonVpcCni, applied),
            Event::SandboxFailed(_) => Tally::Event(Kind::SandboxEvent, applied),
            Event::DeclaredApplied(declared) => Tally::Event(declared.kind(), applied),
            Event::DeclaredDeleted { kind, .. } => Tally::Event(*kind, deleted),
            Event::Synced { kind, absent } => Tally::Event(*kind, if *absent { gone } else { synced }),
            Event::Undecodable { kind, .. } => Tally::Error(*kind, ErrorClass::Decode),
            Event::WatchFailed { kind, class, .. } => Tally::Error(*kind, *class),
            Event::WatchRecovered(_) => Tally::Quiet,
        }
    }
}
