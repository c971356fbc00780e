//! What an image's name tells.

use serde::{Deserialize, Serialize};

use super::version::Minor;

/// An image, as far as its name tells what it is: EKS states the Kubernetes version nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// `ami-0a1`.
    pub id: String,
    /// Its name; empty where EC2 says none.
    pub name: String,
}

/// Whose bootstrap an image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Amazon Linux 2: `/etc/eks/bootstrap.sh`.
    Al2,
    /// Amazon Linux 2023: nodeadm.
    Al2023,
    /// Bottlerocket: settings as TOML.
    Bottlerocket,
    /// Ubuntu for EKS: `/etc/eks/bootstrap.sh`.
    Ubuntu,
    /// Windows: `Start-EKSBootstrap.ps1`.
    Windows,
    /// EKS Auto Mode, which brings its nodes in by itself.
    Auto,
    /// Somebody's own.
    Other,
}

impl Family {
    /// For people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Family::Al2 => "Amazon Linux 2",
            Family::Al2023 => "Amazon Linux 2023",
            Family::Bottlerocket => "Bottlerocket",
            Family::Ubuntu => "Ubuntu",
            Family::Windows => "Windows",
            Family::Auto => "EKS Auto Mode",
            Family::Other => "an image of another family",
        }
    }
}

/// What stands before the Kubernetes version in a name, and whose name it is. The first that fits counts.
///
/// amazon-eks-ami, `templates/al2/variables-default.json` and `templates/al2023/variables-default.json` (`ami_name`); Bottlerocket,
/// README (`bottlerocket-<variant>-<arch>-v...`); EKS user guide, "Retrieve Windows AMI version information"; Canonical's
/// `ubuntu-eks/k8s_<version>/images/...`.
const NAMES: [(&str, Family); 9] = [
    ("amazon-eks-node-al2023-", Family::Al2023),
    ("amazon-eks-node-", Family::Al2),
    ("amazon-eks-arm64-node-", Family::Al2),
    ("amazon-eks-gpu-node-", Family::Al2),
    ("bottlerocket-aws-k8s-", Family::Bottlerocket),
    ("ubuntu-eks/k8s_", Family::Ubuntu),
    ("ubuntu-eks-pro/k8s_", Family::Ubuntu),
    ("eks-auto-", Family::Auto),
    ("Windows_Server-", Family::Windows),
];

impl Image {
    /// Whose image it is.
    #[must_use]
    pub fn family(&self) -> Family {
        let windows = |family| family != Family::Windows || self.name.contains("EKS_Optimized");
        let found = NAMES.iter().find(|(prefix, _)| self.name.starts_with(prefix)).map(|(_, family)| *family);
        found.filter(|family| windows(*family)).unwrap_or(Family::Other)
    }

    /// The version of its kubelet; `None` where the name does not say.
    #[must_use]
    pub fn kubelet(&self) -> Option<Minor> {
        if self.family() == Family::Other {
            return None;
        }
        // `1.33` between dashes, underscores or slashes; an image's own version begins with a `v` or has three parts.
        self.name.split(['-', '_', '/']).find_map(|part| part.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_published_images() {
        for (name, family, kubelet) in [
            ("amazon-eks-node-1.29-v20240807", Family::Al2, Some(29)),
            ("amazon-eks-arm64-node-1.21-v20220123", Family::Al2, Some(21)),
            ("amazon-eks-gpu-node-1.30-v20250519", Family::Al2, Some(30)),
            ("amazon-eks-node-al2023-x86_64-standard-1.33-v20250519", Family::Al2023, Some(33)),
            ("amazon-eks-node-al2023-arm64-nvidia-1.34-v20251007", Family::Al2023, Some(34)),
            ("bottlerocket-aws-k8s-1.31-x86_64-v1.26.2-360b7a38", Family::Bottlerocket, Some(31)),
            ("bottlerocket-aws-k8s-1.28-nvidia-aarch64-v1.19.0-b9c5f1a2", Family::Bottlerocket, Some(28)),
            ("ubuntu-eks/k8s_1.29/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20240829", Family::Ubuntu, Some(29)),
            ("Windows_Server-2022-English-Core-EKS_Optimized-1.30-2024.08.13", Family::Windows, Some(30)),
            ("Windows_Server-2022-English-Full-Base-2024.08.14", Family::Other, None),
            ("eks-auto-standard-1.33-x86_64-20250601", Family::Auto, Some(33)),
            ("our-golden-1.29-image", Family::Other, None),
            ("", Family::Other, None),
        ] {
            let image = Image { id: "ami-1".to_owned(), name: name.to_owned() };
            assert_eq!((image.family(), image.kubelet()), (family, kubelet.map(Minor)), "{name}");
        }
    }
}
