//! Whether the user data makes the instance join this cluster.

use super::case::Case;
use super::image::Family;
use super::user_data::{Bootstrap, Given, Kind, is_refused_label};
use super::version::Minor;
use crate::bundle::Section;
use crate::cause::Cause;

/// Flags that kubelet has not any more, and the first version without: it ends with `unknown flag` (Kubernetes CHANGELOG-1.24,
/// "Dockershim removed"; CHANGELOG-1.27, "The deprecated flag --container-runtime").
const REMOVED: [(&str, Minor); 4] = [
    ("--network-plugin", Minor(24)),
    ("--cni-bin-dir", Minor(24)),
    ("--cni-conf-dir", Minor(24)),
    ("--container-runtime", Minor(27)),
];

/// Looks at the bootstraps that the user data calls.
pub(super) fn check(case: &mut Case<'_>) {
    let facts = case.facts;
    let family = facts.image.get().map(super::Image::family);
    if family == Some(Family::Auto) {
        return;
    }
    let data = match &facts.user_data {
        Section::Read(data) => data,
        Section::NotRead(why) => {
            let remedy = "allow ec2:DescribeInstanceAttribute".to_owned();
            return case.unknown(Cause::BootstrapNotRun, "what the user data does", why, remedy);
        }
    };
    let fits = |one: &&Bootstrap| family.is_none_or(|family| runs(family, one.kind));
    if let Some(one) = data.bootstraps.iter().find(fits) {
        let wrong = (named(case, one), reached(case, one), complete(case, one), kubelet(case, one));
        if wrong == (false, false, false, false) {
            case.fine(format!("the user data has {} for cluster {}", one.kind.label(), facts.cluster));
        }
        return;
    }
    let image = facts.image.get().map_or("", |image| &image.name);
    let says = if data.empty { "there is no user data" } else { "the user data calls no bootstrap that is known" };
    match (family, data.bootstraps.first()) {
        (Some(family), Some(one)) => {
            let says = format!("the user data has {}, and the image is {}", one.kind.label(), family.label());
            let remedy = Cause::BootstrapMismatch.remedy().to_owned();
            case.fault(Cause::BootstrapMismatch, says, (source(case), format!("image {image}")), remedy);
        }
        (Some(Family::Other) | None, _) => {
            let why = format!("{says}, and the image '{image}' may join by itself");
            let remedy = "look for what starts kubelet in the image".to_owned();
            case.unknown(Cause::BootstrapNotRun, "what makes the instance join", &why, remedy);
        }
        (Some(family), None) => {
            let remedy = format!("give the launch template user data: {}", example(case, family));
            case.fault(
                Cause::BootstrapNotRun,
                format!("{says}, so that the instance never joins"),
                (source(case), format!("{says}; image {image}")),
                remedy,
            );
        }
    }
}

fn source(case: &Case<'_>) -> String {
    format!("user data of {}", case.facts.instance)
}

/// Whether images of a family have that bootstrap; one that is not known may have any.
fn runs(family: Family, kind: Kind) -> bool {
    match family {
        Family::Al2 | Family::Ubuntu => kind == Kind::BootstrapSh,
        Family::Al2023 => kind == Kind::Nodeadm,
        Family::Bottlerocket => kind == Kind::Bottlerocket,
        Family::Windows => kind == Kind::Windows,
        Family::Auto | Family::Other => true,
    }
}

fn example(case: &Case<'_>, family: Family) -> String {
    let name = &case.facts.cluster;
    let endpoint = case.control_plane().map_or("ENDPOINT", |cluster| &cluster.endpoint);
    match family {
        Family::Al2023 => format!(
            "a NodeConfig (node.eks.aws/v1alpha1) whose spec.cluster has name {name}, apiServerEndpoint {endpoint}, certificateAuthority \
             and cidr"
        ),
        Family::Bottlerocket => format!(
            "[settings.kubernetes] with cluster-name = \"{name}\", api-server = \"{endpoint}\" and cluster-certificate"
        ),
        Family::Windows => format!("Start-EKSBootstrap.ps1 -EKSClusterName {name}"),
        Family::Al2 | Family::Ubuntu | Family::Auto | Family::Other => format!("/etc/eks/bootstrap.sh {name}"),
    }
}

/// The cluster's name; whether it is wrong.
fn named(case: &mut Case<'_>, one: &Bootstrap) -> bool {
    let (wanted, kind) = (&case.facts.cluster, one.kind.label());
    match &one.cluster {
        Given::Is(name) if name == wanted => false,
        Given::Is(name) => {
            let says = format!("{kind} joins cluster '{name}', not '{wanted}'");
            let remedy = format!("name {wanted} in the user data");
            case.fault(Cause::BootstrapWrongCluster, says, (source(case), format!("cluster {name}")), remedy);
            true
        }
        Given::Computed => {
            let why = "the instance works it out when it runs";
            let remedy = "read it in the log of the bootstrap on the instance".to_owned();
            case.unknown(Cause::BootstrapWrongCluster, &format!("the cluster that {kind} joins"), why, remedy);
            true
        }
        Given::Missing => {
            let remedy = format!("name {wanted} in the user data");
            case.fault(
                Cause::BootstrapIncomplete,
                format!("{kind} is given no cluster name"),
                (source(case), "no cluster name".to_owned()),
                remedy,
            );
            true
        }
    }
}

/// The endpoint; whether it is wrong.
fn reached(case: &mut Case<'_>, one: &Bootstrap) -> bool {
    let (Some(given), Some(cluster)) = (one.endpoint.literal(), case.control_plane()) else { return false };
    let bare = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
    if bare(given) == bare(&cluster.endpoint) {
        return false;
    }
    let says = format!("{} is given endpoint {given}, and the cluster's is {}", one.kind.label(), cluster.endpoint);
    let remedy =
        format!("give it {}; a cluster that is made anew under its old name has another endpoint", cluster.endpoint);
    case.fault(Cause::BootstrapWrongCluster, says, (source(case), format!("endpoint {given}")), remedy);
    true
}

/// What the bootstrap cannot do without beside the name; whether it lacks anything. `bootstrap.sh` and Windows ask EKS for what they are
/// not given (amazon-eks-ami, `templates/al2/runtime/bootstrap.sh`); nodeadm does not (`nodeadm/internal/api/validation.go`), nor does
/// Bottlerocket (README, "Kubernetes settings").
fn complete(case: &mut Case<'_>, one: &Bootstrap) -> bool {
    let names = match one.kind {
        Kind::Nodeadm => ["spec.cluster.apiServerEndpoint", "spec.cluster.certificateAuthority", "spec.cluster.cidr"],
        Kind::Bottlerocket => ["api-server", "cluster-certificate", ""],
        Kind::BootstrapSh | Kind::Windows => return false,
    };
    let given =
        [one.endpoint != Given::Missing, one.certificate_authority, one.service_cidr || one.kind == Kind::Bottlerocket];
    let missing: Vec<&str> = names.into_iter().zip(given).filter(|(_, given)| !given).map(|(name, _)| name).collect();
    if missing.is_empty() {
        return false;
    }
    let missing = missing.join(", ");
    let command = format!("eks describe-cluster --name {} --query cluster", case.facts.cluster);
    let remedy = format!("add {missing}; {} shows the values", case.aws(&command));
    let says = format!("{} lacks {missing}", one.kind.label());
    case.fault(Cause::BootstrapIncomplete, says, (source(case), format!("without {missing}")), remedy);
    true
}

/// What kubelet is told; whether it ends because of it.
fn kubelet(case: &mut Case<'_>, one: &Bootstrap) -> bool {
    let version = case.facts.image.get().and_then(super::Image::kubelet);
    let gone = |flag: &str| {
        let removed = REMOVED.iter().find(|(name, _)| *name == flag)?;
        version.filter(|version| *version >= removed.1).map(|_| removed.1)
    };
    let mut refused = Vec::new();
    for flag in &one.kubelet.flags {
        if let Some(since) = gone(flag) {
            refused.push(format!("flag {flag}, removed in {since}"));
        }
    }
    for label in one.kubelet.labels.iter().filter(|label| is_refused_label(label)) {
        refused.push(format!("node label {label}, which a kubelet may not set on its own node"));
    }
    if refused.is_empty() {
        return false;
    }
    let refused = refused.join("; ");
    let remedy =
        "take it out of the user data; other labels of kubernetes.io can be set with kubectl label node".to_owned();
    let says = format!("kubelet ends at once: it is given {refused}");
    case.fault(Cause::KubeletFlagRefused, says, (source(case), refused), remedy);
    true
}
