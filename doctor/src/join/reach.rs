//! Whether the instance's network has a way to the API server and to the AWS services that a node needs.

use headroom_capacity::subnet::Cidr;

use super::case::Case;
use super::facts::{ControlPlane, Machine};
use super::user_data::{Given, Kind};
use crate::bundle::Section;
use crate::cause::Cause;

/// Services that a node calls before it is Ready: its name, and the images of kube-proxy and the CNI (EKS user guide, "Private
/// clusters").
const NEEDED: [&str; 4] = ["ec2", "ecr.api", "ecr.dkr", "s3"];

/// Whether packets of the instance get to the internet.
enum Internet {
    /// Through this.
    Through(String),
    /// For this reason not.
    No(String),
    /// It could not be read.
    NotRead(String),
}

/// Looks at DNS, at the way to the endpoint and at the way to AWS.
pub(super) fn check(case: &mut Case<'_>) {
    let Some(machine) = case.machine() else { return };
    dns(case, machine);
    let internet = internet(case, machine);
    let Some(cluster) = case.control_plane() else { return };
    if cluster.private_access {
        case.fine("the API server's endpoint is reached within the VPC".to_owned());
    } else {
        public_endpoint(case, cluster, machine, &internet);
    }
    match &internet {
        Internet::Through(_) => {}
        Internet::No(why) => aws(case, machine, why),
        // Of a public endpoint it was said already.
        Internet::NotRead(why) if cluster.private_access => {
            let remedy = "allow ec2:DescribeRouteTables".to_owned();
            case.unknown(Cause::AwsUnreachable, "whether the subnet has a way to AWS", why, remedy);
        }
        Internet::NotRead(_) => {}
    }
}

/// Without both, nodes cannot register (EKS user guide, "VPC and subnet requirements").
fn dns(case: &mut Case<'_>, machine: &Machine) {
    let vpc = machine.vpc.as_deref().unwrap_or("the VPC");
    let dns = match &case.facts.vpc_dns {
        Section::Read(dns) => dns,
        Section::NotRead(why) => {
            let remedy = "allow ec2:DescribeVpcAttribute".to_owned();
            return case.unknown(Cause::VpcDnsOff, "how the VPC resolves names", why, remedy);
        }
    };
    let off: Vec<(&str, &str)> = [
        (dns.support, "enableDnsSupport", "--enable-dns-support"),
        (dns.hostnames, "enableDnsHostnames", "--enable-dns-hostnames"),
    ]
    .into_iter()
    .filter(|(on, ..)| !on)
    .map(|(_, name, option)| (name, option))
    .collect();
    if off.is_empty() {
        return case.fine(format!("{vpc} resolves names"));
    }
    let names: Vec<&str> = off.iter().map(|(name, _)| *name).collect();
    // EC2 changes one attribute a call.
    let commands = off.iter().map(|(_, option)| case.aws(&format!("ec2 modify-vpc-attribute --vpc-id {vpc} {option}")));
    let remedy = commands.collect::<Vec<_>>().join(" && ");
    let says = format!("{} of {vpc} is off, and nodes cannot register", names.join(" and "));
    case.fault(Cause::VpcDnsOff, says, (format!("EC2 {vpc}"), format!("{} false", names.join(", "))), remedy);
}

fn internet(case: &Case<'_>, machine: &Machine) -> Internet {
    let subnet = machine.subnet.as_deref().unwrap_or("the subnet");
    match &case.facts.default_route {
        Section::NotRead(why) => Internet::NotRead(why.clone()),
        Section::Read(None) => Internet::No(format!("{subnet} has no route for 0.0.0.0/0")),
        Section::Read(Some(route)) if route.blackhole => {
            Internet::No(format!("the default route of {subnet} leads to {}, which is gone", route.target))
        }
        Section::Read(Some(route)) if route.target.starts_with("igw-") && machine.public_ip.is_none() => {
            Internet::No(format!(
                "{subnet} is public (its default route leads to {}) and the instance has no public address",
                route.target
            ))
        }
        Section::Read(Some(route)) => Internet::Through(route.target.clone()),
    }
}

fn public_endpoint(case: &mut Case<'_>, cluster: &ControlPlane, machine: &Machine, internet: &Internet) {
    let private = case.aws(&format!(
        "eks update-cluster-config --name {} --resources-vpc-config endpointPrivateAccess=true",
        case.facts.cluster
    ));
    let endpoint = format!("EKS {}", case.facts.cluster);
    let through = match internet {
        Internet::NotRead(why) => {
            let remedy = "allow ec2:DescribeRouteTables".to_owned();
            return case.unknown(
                Cause::EndpointUnreachable,
                "whether the subnet has a way to the API server",
                why,
                remedy,
            );
        }
        Internet::No(why) => {
            let says = format!("the API server is only on the internet, and {why}");
            let remedy = format!("{private}; or give the subnet a route to a NAT gateway");
            let evidence = (endpoint, "endpointPublicAccess true, endpointPrivateAccess false".to_owned());
            return case.fault(Cause::EndpointUnreachable, says, evidence, remedy);
        }
        Internet::Through(target) => target,
    };
    let blocks: Vec<Cidr> = cluster.public_access_cidrs.iter().filter_map(|text| Cidr::parse(text).ok()).collect();
    if blocks.iter().any(|block| block.len() == 0) {
        return case.fine(format!("the API server is reached over the internet, through {through}"));
    }
    let allowed = cluster.public_access_cidrs.join(", ");
    let from = machine.public_ip.filter(|_| through.starts_with("igw-"));
    match from {
        Some(ip) if blocks.iter().any(|block| block.contains(ip)) => {
            case.fine(format!("the API server is reached over the internet, from {ip}"));
        }
        Some(ip) => {
            let says =
                format!("the API server takes connections from {allowed} only, and the instance comes from {ip}");
            let remedy = format!("{private}; or add {ip}/32 to publicAccessCidrs");
            case.fault(Cause::EndpointUnreachable, says, (endpoint, format!("publicAccessCidrs {allowed}")), remedy);
        }
        None => {
            let why = format!("it takes connections from {allowed} only, and the address of {through} was not read");
            let remedy = format!("add that address to publicAccessCidrs; or {private}");
            case.unknown(
                Cause::EndpointUnreachable,
                "whether the API server takes the instance's connections",
                &why,
                remedy,
            );
        }
    }
}

/// Without the internet, by VPC endpoints or not at all.
fn aws(case: &mut Case<'_>, machine: &Machine, why: &str) {
    let vpc = machine.vpc.as_deref().unwrap_or("the VPC");
    let there = match &case.facts.vpc_endpoints {
        Section::Read(there) => there,
        Section::NotRead(why) => {
            let remedy = "allow ec2:DescribeVpcEndpoints".to_owned();
            return case.unknown(Cause::AwsUnreachable, "which VPC endpoints there are", why, remedy);
        }
    };
    let bootstraps = case.facts.user_data.get().map_or(&[][..], |data| &data.bootstraps);
    let asks_eks = bootstraps.iter().any(|one| {
        let given = one.endpoint != Given::Missing && one.certificate_authority;
        matches!(one.kind, Kind::BootstrapSh | Kind::Windows) && !given
    });
    let needed = NEEDED.into_iter().chain(asks_eks.then_some("eks"));
    let missing: Vec<&str> = needed.filter(|name| !there.iter().any(|one| one == name)).collect();
    if missing.is_empty() {
        return case.fine(format!("{vpc} has endpoints of what a node calls"));
    }
    let names = missing.join(", ");
    let services: Vec<String> =
        missing.iter().map(|name| format!("com.amazonaws.{}.{name}", case.facts.region)).collect();
    let remedy = format!("give the subnet a route to a NAT gateway, or {vpc} endpoints of {}", services.join(", "));
    let says = format!("{why}, and {vpc} has no endpoint of {names}");
    let evidence = (format!("EC2 {vpc}"), format!("VPC endpoints: {}", there.join(", ")));
    // Images are pulled after the node has registered.
    if missing.iter().any(|name| ["ec2", "eks"].contains(name)) {
        case.fault(Cause::AwsUnreachable, says, evidence, remedy);
    } else {
        case.warning(Cause::AwsUnreachable, says, evidence, remedy);
    }
}
