//! What user data makes an instance do. The text goes in; what comes out holds names and addresses, no keys, scripts or certificates.

mod decode;
mod kubelet;
mod mime;
mod nodeadm;
mod settings;
mod shell;

use serde::{Deserialize, Serialize};

pub(super) use kubelet::is_refused_label;

/// What the user data does about joining.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserData {
    /// There is none at all.
    pub empty: bool,
    /// The bootstraps that it calls or configures, in their order; several NodeConfigs count as one, as nodeadm merges them.
    pub bootstraps: Vec<Bootstrap>,
}

/// A call or a configuration of a bootstrap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// Which.
    pub kind: Kind,
    /// The cluster's name.
    pub cluster: Given,
    /// The API server's URL.
    pub endpoint: Given,
    /// Whether it has the cluster's certificate authority. The certificate is not kept.
    pub certificate_authority: bool,
    /// Whether it has the block of the Services (nodeadm only).
    pub service_cidr: bool,
    /// What it tells kubelet.
    pub kubelet: Kubelet,
}

/// Which bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `/etc/eks/bootstrap.sh` of Amazon Linux 2 and Ubuntu.
    BootstrapSh,
    /// nodeadm's NodeConfig of Amazon Linux 2023.
    Nodeadm,
    /// `settings.kubernetes` of Bottlerocket.
    Bottlerocket,
    /// `Start-EKSBootstrap.ps1` of Windows.
    Windows,
}

impl Kind {
    /// For people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Kind::BootstrapSh => "/etc/eks/bootstrap.sh",
            Kind::Nodeadm => "nodeadm's NodeConfig",
            Kind::Bottlerocket => "Bottlerocket's settings.kubernetes",
            Kind::Windows => "Start-EKSBootstrap.ps1",
        }
    }
}

/// A value as user data has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// Literally, or by a variable that is set literally.
    Is(String),
    /// By something that only the instance can work out, or that is none.
    Computed,
    /// Not at all.
    #[default]
    Missing,
}

impl Given {
    /// The literal value.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match self {
            Given::Is(value) => Some(value),
            Given::Computed | Given::Missing => None,
        }
    }

    /// A cluster's name, where it can be one: what is no name may be a secret in the wrong place (EKS API reference, `CreateCluster`).
    fn name(value: Option<String>) -> Given {
        Given::kept(value, |value| value.chars().all(|one| one.is_ascii_alphanumeric() || "-_".contains(one)))
    }

    /// The URL of an API server, where it is nothing but one.
    fn url(value: Option<String>) -> Given {
        let plain = |host: &str| host.chars().all(|one| one.is_ascii_alphanumeric() || "-.:/[]".contains(one));
        Given::kept(value, |value| value.strip_prefix("https://").is_some_and(plain))
    }

    fn kept(value: Option<String>, plain: impl Fn(&str) -> bool) -> Given {
        match value {
            None => Given::Missing,
            Some(value) if value.is_empty() => Given::Missing,
            Some(value) if plain(&value) => Given::Is(value),
            Some(_) => Given::Computed,
        }
    }
}

/// What kubelet is told, without the values of labels and flags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubelet {
    /// Names of flags: `--max-pods`.
    pub flags: Vec<String>,
    /// The number of pods, where it is literal.
    pub max_pods: Option<u32>,
    /// Keys of node labels.
    pub labels: Vec<String>,
}

impl UserData {
    /// Reads user data as EC2's `DescribeInstanceAttribute` gives it: base64 of whatever was given.
    #[must_use]
    pub fn read(encoded: &str) -> UserData {
        let data = decode::plain(encoded.as_bytes());
        let mut all = Vec::new();
        mime::each_part(&data, &mut |part| all.extend(bootstrap(&decode::text(part))));
        UserData { empty: data.iter().all(u8::is_ascii_whitespace), bootstraps: merged(all) }
    }
}

/// What one part configures.
fn bootstrap(text: &str) -> Option<Bootstrap> {
    // `Start-EKSBootstrap.ps1` is often called by a variable that holds its path.
    let windows = ["Start-EKSBootstrap", "-EKSClusterName"];
    if windows.iter().any(|word| text.contains(word)) {
        return Some(shell::windows(text));
    }
    if text.contains("node.eks.aws/") {
        return nodeadm::node_config(text);
    }
    if text.contains("/etc/eks/bootstrap.sh") {
        return shell::bootstrap_sh(text);
    }
    settings::bottlerocket(text)
}

/// A NodeConfig that follows another is laid over it (amazon-eks-ami, `nodeadm/internal/configprovider/mime.go`, `ParseMultipart`).
fn merged(all: Vec<Bootstrap>) -> Vec<Bootstrap> {
    let mut merged: Vec<Bootstrap> = Vec::new();
    for one in all {
        let before = merged.iter_mut().find(|before| before.kind == Kind::Nodeadm && one.kind == Kind::Nodeadm);
        let Some(before) = before else {
            merged.push(one);
            continue;
        };
        for (under, over) in [(&mut before.cluster, one.cluster), (&mut before.endpoint, one.endpoint)] {
            if over != Given::Missing {
                *under = over;
            }
        }
        before.certificate_authority |= one.certificate_authority;
        before.service_cidr |= one.service_cidr;
        before.kubelet.flags.extend(one.kubelet.flags);
        before.kubelet.labels.extend(one.kubelet.labels);
        before.kubelet.max_pods = one.kubelet.max_pods.or(before.kubelet.max_pods);
    }
    merged
}

#[cfg(test)]
mod tests;
