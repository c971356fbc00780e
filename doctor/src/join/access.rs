//! Whether the API server knows the node role, and as a node.

use super::aws_auth::{AwsAuth, MapRole};
use super::case::Case;
use super::facts::AuthenticationMode;
use super::image::Family;
use super::role::RoleArn;
use crate::bundle::Section;
use crate::cause::Cause;
use crate::report::{Evidence, Level};

/// What a node's username begins with, or the Node authorizer takes it for none (Kubernetes, "Using Node Authorization").
const USERNAME: &str = "system:node:";

/// The groups that EKS asks for (EKS user guide, "Apply the aws-auth ConfigMap to your cluster").
const GROUPS: [&str; 2] = ["system:bootstrappers", "system:nodes"];

/// The one more that kube-proxy of a Windows node needs (EKS user guide, "Deploy Windows nodes").
const WINDOWS_GROUP: &str = "eks:kube-proxy-windows";

/// What one of the two sources says of the role.
enum Says {
    /// That it is a node's.
    Node(String),
    /// Nothing.
    Nothing(Evidence),
    /// Something else.
    Wrong { cause: Cause, level: Level, says: String, evidence: Evidence, remedy: String },
    /// It could not be read.
    NotRead(String),
}

/// Looks at `aws-auth` and the access entry, whichever count.
pub(super) fn check(case: &mut Case<'_>) {
    // Without a role it was said already.
    let Some(role) = case.role() else { return };
    let windows = case.facts.image.get().is_some_and(|image| image.family() == Family::Windows);
    let kind = if windows { "EC2_WINDOWS" } else { "EC2_LINUX" };
    let (entry, map) = (access_entry(case, &role, kind), aws_auth(case, &role, windows));
    let mode = case.control_plane().map(|cluster| cluster.authentication_mode);
    let nowhere = |case: &mut Case<'_>, looked: Vec<Evidence>| {
        let remedy = match mode {
            Some(AuthenticationMode::ConfigMap) | None => add_to_map(&role.known_as(), windows),
            Some(_) => create_entry(case, &role, kind),
        };
        let says = format!("nothing tells the API server that {} is a node's role", role.whole());
        case.add(Cause::UnauthorizedNode, Level::Fault, says, looked, remedy);
    };
    match (mode, entry, map) {
        (Some(AuthenticationMode::ConfigMap), _, Says::Nothing(map)) => nowhere(case, vec![map]),
        (Some(AuthenticationMode::ConfigMap), _, map) => tell(case, map),
        (Some(AuthenticationMode::Api), Says::Nothing(entry), map) => {
            let mut looked = vec![entry];
            if let Says::Node(_) = map {
                looked
                    .push(Evidence::new("EKS authentication mode", "API: aws-auth names the role and does not count"));
            }
            nowhere(case, looked);
        }
        (Some(AuthenticationMode::Api), entry, _) => tell(case, entry),
        (_, Says::Nothing(entry), Says::Nothing(map)) => nowhere(case, vec![entry, map]),
        // A principal that has an access entry is known by that alone (EKS user guide, "Grant IAM users access to Kubernetes with EKS
        // access entries").
        (Some(AuthenticationMode::ApiAndConfigMap), Says::Nothing(_), map) => tell(case, map),
        (Some(AuthenticationMode::ApiAndConfigMap), entry, _) | (None, entry @ Says::Node(_), _) => tell(case, entry),
        (None, ..) => {
            let remedy = "allow eks:DescribeCluster".to_owned();
            case.unknown(
                Cause::UnauthorizedNode,
                "by what the API server knows roles",
                "the authentication mode was not read",
                remedy,
            );
        }
    }
}

fn tell(case: &mut Case<'_>, says: Says) {
    match says {
        Says::Node(line) => case.fine(line),
        Says::Nothing(_) => {}
        Says::Wrong { cause, level, says, evidence, remedy } => case.add(cause, level, says, vec![evidence], remedy),
        Says::NotRead(why) => {
            let remedy = "allow eks:DescribeAccessEntry, and get on ConfigMap kube-system/aws-auth".to_owned();
            case.unknown(Cause::UnauthorizedNode, "whether the API server knows the node's role", &why, remedy);
        }
    }
}

fn access_entry(case: &Case<'_>, role: &RoleArn<'_>, kind: &str) -> Says {
    let entry = match &case.facts.access_entry {
        Section::Read(Some(entry)) => entry,
        Section::Read(None) => {
            return Says::Nothing(Evidence::new("EKS access entries", format!("none for {}", role.whole())));
        }
        Section::NotRead(why) => return Says::NotRead(why.clone()),
    };
    // EKS user guide, "Create access entries": STANDARD is for people and tools, EC2 for EKS Auto Mode.
    let auto = entry.kind == "EC2" && case.facts.image.get().is_some_and(|image| image.family() == Family::Auto);
    if entry.kind == kind || auto || entry.kind == "HYPERPOD_LINUX" {
        return Says::Node(format!("an access entry of type {} is there for {}", entry.kind, role.whole()));
    }
    let delete =
        format!("eks delete-access-entry --cluster-name {} --principal-arn {}", case.facts.cluster, role.whole());
    Says::Wrong {
        cause: Cause::AccessEntryWrong,
        level: Level::Fault,
        says: format!("the role's access entry is of type {}, and this node needs {kind}", entry.kind),
        evidence: Evidence::new("EKS access entry", format!("{}: type {}", role.whole(), entry.kind)),
        remedy: format!("{} && {}", case.aws(&delete), create_entry(case, role, kind)),
    }
}

fn create_entry(case: &Case<'_>, role: &RoleArn<'_>, kind: &str) -> String {
    let cluster = &case.facts.cluster;
    case.aws(&format!(
        "eks create-access-entry --cluster-name {cluster} --principal-arn {} --type {kind}",
        role.whole()
    ))
}

/// Where the entries of `aws-auth` stand.
const MAP: &str = "ConfigMap kube-system/aws-auth";

fn aws_auth(case: &Case<'_>, role: &RoleArn<'_>, windows: bool) -> Says {
    let map = match &case.facts.aws_auth {
        Section::Read(Some(map)) => map,
        Section::Read(None) => return Says::Nothing(Evidence::new(MAP, "there is none")),
        Section::NotRead(why) => return Says::NotRead(why.clone()),
    };
    let wrong = |cause, says, text: String, remedy| Says::Wrong {
        cause,
        level: Level::Fault,
        says,
        evidence: Evidence::new(MAP, text),
        remedy,
    };
    if let Some(line) = map.broken_at {
        let says = "mapRoles of aws-auth is no valid YAML list, so that none of its entries count".to_owned();
        let at = if line > 0 { format!("line {line} of mapRoles") } else { "mapRoles".to_owned() };
        let remedy = "correct it: kubectl -n kube-system edit configmap aws-auth".to_owned();
        return wrong(Cause::AwsAuthBroken, says, at, remedy);
    }
    match map.entry_of(role) {
        Some(entry) => as_a_node(entry, role, windows),
        None => misnamed(map, role, windows),
    }
}

/// An entry whose ARN does not match although it is meant for the role.
fn misnamed(map: &AwsAuth, role: &RoleArn<'_>, windows: bool) -> Says {
    let Some(entry) = map.entries.last() else {
        return Says::Nothing(Evidence::new(MAP, format!("mapRoles has no {}", role.known_as())));
    };
    let why = if entry.rolearn.contains(":instance-profile/") {
        "it is the instance profile's ARN"
    } else if entry.rolearn.matches('/').count() > 1 {
        "aws-auth matches ARNs without their path"
    } else {
        "partition, account or spelling differ"
    };
    Says::Wrong {
        cause: Cause::RoleArnMismatch,
        level: Level::Fault,
        says: format!("aws-auth names {}, which never matches {}: {why}", entry.rolearn, role.known_as()),
        evidence: Evidence::new(MAP, format!("rolearn: {}", entry.rolearn)),
        remedy: format!("replace that entry; {}", add_to_map(&role.known_as(), windows)),
    }
}

/// Whether an entry makes the role a node.
fn as_a_node(entry: &MapRole, role: &RoleArn<'_>, windows: bool) -> Says {
    let lacks = |group: &&str| !entry.groups.iter().any(|has| has == group);
    let missing: Vec<&str> = GROUPS.into_iter().filter(lacks).collect();
    let named = entry.username.starts_with(USERNAME);
    let evidence = Evidence::new(
        MAP,
        format!("rolearn: {}, username: {}, groups: [{}]", entry.rolearn, entry.username, entry.groups.join(", ")),
    );
    let remedy = format!("replace that entry; {}", add_to_map(&role.known_as(), windows));
    let cause = Cause::RoleMappingIncomplete;
    if !missing.is_empty() || !named {
        let mut lacking = Vec::new();
        if !missing.is_empty() {
            lacking.push(format!("lacks group {}", missing.join(" and ")));
        }
        if !named {
            lacking.push(format!("has username '{}', which does not begin with {USERNAME}", entry.username));
        }
        let says = format!("the entry of {} in aws-auth {}", entry.rolearn, lacking.join(" and "));
        return Says::Wrong { cause, level: Level::Fault, says, evidence, remedy };
    }
    if windows && lacks(&WINDOWS_GROUP) {
        let says =
            format!("the entry of {} lacks group {WINDOWS_GROUP}: kube-proxy and DNS of the node fail", entry.rolearn);
        return Says::Wrong { cause, level: Level::Warning, says, evidence, remedy };
    }
    Says::Node(format!("aws-auth names {} as a node's role", entry.rolearn))
}

fn add_to_map(arn: &str, windows: bool) -> String {
    let mut text = format!(
        "add to mapRoles of {MAP}:\n- rolearn: {arn}\n  username: {USERNAME}{{{{EC2PrivateDNSName}}}}\n  groups:\n"
    );
    for group in GROUPS.into_iter().chain(windows.then_some(WINDOWS_GROUP)) {
        text.push_str(&format!("  - {group}\n"));
    }
    text.trim_end().to_owned()
}
