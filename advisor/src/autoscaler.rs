//! What can be seen of Cluster Autoscaler: which version runs, and with which flags.

use std::fmt;

use headroom_cluster::AutoscalerPod;

use crate::inventory::Group;

/// The tag of an Auto Scaling group that Cluster Autoscaler looks for (`--node-group-auto-discovery=asg:tag=...`, CA
/// `cloudprovider/aws/README.md`).
const ENABLED_TAG: &str = "k8s.io/cluster-autoscaler/enabled";

/// A version of Cluster Autoscaler, which follows that of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The 1 of 1.34.2.
    pub major: u32,
    /// The 34.
    pub minor: u32,
}

impl Version {
    /// The first for which an answer without any group means that none is to grow (CA commit 29de500906, "Expander filtered out all
    /// options").
    pub const VETO: Version = Version { major: 1, minor: 32 };

    /// Of `1.34`, `v1.34.2` or `1.34.2-eks-1`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Version> {
        let mut parts = text.strip_prefix('v').unwrap_or(text).splitn(3, '.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?;
        let minor = minor.split_once(|c: char| !c.is_ascii_digit()).map_or(minor, |(minor, _)| minor);
        Some(Version { major, minor: minor.parse().ok()? })
    }

    /// Of an image's tag, `registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.2@sha256:...`.
    #[must_use]
    pub fn of_image(image: &str) -> Option<Version> {
        let tagged = image.split_once('@').map_or(image, |(tagged, _)| tagged);
        Version::parse(tagged.rsplit_once(':')?.1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What was seen of it last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoscalerSeen {
    /// It runs in the cluster.
    pub present: bool,
    /// Its version; of several the oldest.
    pub version: Option<Version>,
    /// `--balance-similar-node-groups`: after the expander has answered, nodes are spread over groups that it was not asked about.
    pub balance_similar: bool,
    /// `--expander`, as it is written.
    pub expander: Option<String>,
}

impl AutoscalerSeen {
    /// From the pods that it runs in.
    #[must_use]
    pub fn of(pods: &[AutoscalerPod]) -> AutoscalerSeen {
        let flags = |name: &str| pods.iter().filter_map(|pod| flag(&pod.command, name)).next_back();
        AutoscalerSeen {
            present: !pods.is_empty(),
            version: pods.iter().filter_map(|pod| Version::of_image(&pod.image)).min(),
            balance_similar: pods
                .iter()
                .any(|pod| flag(&pod.command, "balance-similar-node-groups").is_some_and(|value| value != "false")),
            expander: flags("expander").map(str::to_owned),
        }
    }

    /// Whether it asks an expander over gRPC, in the chain or alone.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.expander.as_deref().is_some_and(|chain| chain.split(',').any(|one| one == "grpc"))
    }

    /// Whether it is there and takes care of the group, as far as that can be told: groups that its flags name cannot.
    #[must_use]
    pub fn manages(&self, group: &Group) -> bool {
        self.present && group.tags.contains_key(ENABLED_TAG)
    }
}

/// The value of `--name=value`, `--name value` or, as `true`, of `--name`; the last one counts. Words of a shell's command line too.
fn flag<'a>(command: &'a [String], name: &str) -> Option<&'a str> {
    let words: Vec<&str> = command.iter().flat_map(|part| part.split_whitespace()).collect();
    let mut found = words.iter().enumerate().filter_map(|(at, word)| {
        let rest = word.strip_prefix("--")?.strip_prefix(name)?;
        if let Some(value) = rest.strip_prefix('=') {
            return Some(value.trim_matches(['"', '\'']));
        }
        let next = words.get(at + 1).filter(|next| !next.starts_with('-') && name != "balance-similar-node-groups");
        rest.is_empty().then(|| next.copied().unwrap_or("true"))
    });
    found.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(image: &str, command: &[&str]) -> AutoscalerPod {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        AutoscalerPod { name: "kube-system/ca".to_owned(), image: image.to_owned(), command }
    }

    #[test]
    fn versions_as_people_and_images_write_them() {
        let version = |text: &str| Version::parse(text).map(|version| version.to_string());
        for text in ["1.34", "v1.34", "1.34.2", "v1.34.2", "1.34-eks", "1.34.0-rc.1"] {
            assert_eq!(version(text).as_deref(), Some("1.34"), "{text}");
        }
        for text in ["", "1", "1.", "latest", "one.two", "1.x"] {
            assert_eq!(version(text), None, "{text}");
        }
        let image = |text: &str| Version::of_image(text).map(|version| version.to_string());
        assert_eq!(image("registry.k8s.io/autoscaling/cluster-autoscaler:v1.31.0").as_deref(), Some("1.31"));
        assert_eq!(image("r:5000/ca:v1.36.1@sha256:0123").as_deref(), Some("1.36"));
        assert_eq!(image("r:5000/ca@sha256:0123"), None);
        assert!(Version::parse("1.9").unwrap() < Version::VETO && Version::parse("2.0").unwrap() > Version::VETO);
    }

    #[test]
    fn flags_in_every_form() {
        let image = "registry.k8s.io/autoscaling/cluster-autoscaler:v1.34.2";
        let seen = |command: &[&str]| AutoscalerSeen::of(&[pod(image, command)]);
        let chain = seen(&["./cluster-autoscaler", "--expander=grpc,least-waste", "--balance-similar-node-groups"]);
        assert_eq!((chain.asks(), chain.balance_similar, chain.version), (true, true, Version::parse("1.34")));
        assert!(seen(&["--expander", "grpc", "--balance-similar-node-groups", "true"]).asks());
        assert!(!seen(&["--balance-similar-node-groups=false", "--expander=priority"]).balance_similar);
        let shell = seen(&["/bin/sh", "-c", "./cluster-autoscaler --expander=random --expander=\"grpc\" 2>&1"]);
        assert!(shell.asks() && shell.present && !shell.balance_similar);
        assert!(!seen(&["--expander-not=grpc"]).asks());
        assert_eq!(AutoscalerSeen::of(&[]), AutoscalerSeen::default());
        let two = [pod(image, &["--balance-similar-node-groups"]), pod("ca:v1.31.0", &["--expander=grpc"])];
        let two = AutoscalerSeen::of(&two);
        assert_eq!((two.balance_similar, two.version), (true, Version::parse("1.31")), "one is being replaced");
    }
}
