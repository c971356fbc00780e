//! Why an instance does not join its cluster.
//!
//! Everything that a node needs to join is held against the rules of EKS, one by one: [`Facts`] go in, a [`Report`] comes out. What
//! could not be read is said to be unknown and never taken for right or wrong.

mod access;
mod aws_auth;
mod bootstrap;
mod case;
mod facts;
mod firewall;
mod image;
mod instance;
mod ports;
mod reach;
mod role;
mod tags;
mod user_data;
mod version;

pub use aws_auth::{AwsAuth, MapRole};
pub use facts::{
    AccessEntry, AuthenticationMode, ControlPlane, Facts, Machine, Node, Route, Rule, SecurityGroup, Subnet, VpcDns,
};
pub use image::{Family, Image};
pub use user_data::{Bootstrap, Given, Kind, Kubelet, UserData};
pub use version::{Minor, Skew, skew};

use case::Case;

use crate::bundle::Section;
use crate::cause::Cause;
use crate::report::{Evidence, Level, Report};

/// What keeps an instance from joining, the likeliest first. One that has joined is only said to have.
#[must_use]
pub fn diagnose(facts: &Facts) -> Report {
    let mut case = Case::new(facts);
    match &facts.node {
        Section::Read(Some(node)) => {
            let joined = format!("the instance has joined as node {}", node.name);
            if node.ready {
                case.fine(format!("{joined}, which is Ready"));
            } else {
                let evidence =
                    Evidence::new(format!("node {}", node.name), format!("Ready is not True: {}", node.message));
                let remedy = format!("headroom-advisor doctor node {}", node.name);
                case.add(
                    Cause::NodeNotReady,
                    Level::Warning,
                    format!("{joined} and is not Ready"),
                    vec![evidence],
                    remedy,
                );
            }
            return case.report();
        }
        Section::Read(None) => {}
        Section::NotRead(why) => {
            let remedy = "give a kubeconfig that may list nodes".to_owned();
            case.unknown(Cause::JoinUnexplained, "whether the instance has joined", why, remedy);
        }
    }
    if instance::check(&mut case) {
        access::check(&mut case);
        bootstrap::check(&mut case);
        version::check(&mut case);
        reach::check(&mut case);
        ports::check(&mut case);
        tags::check(&mut case);
    }
    instance::unexplained(&mut case);
    case.report()
}

#[cfg(test)]
mod tests;
