//! Kubernetes versions, and how far kubelet's may be from the control plane's.

use std::fmt;
use std::str::FromStr;

use super::case::Case;
use crate::bundle::Section;
use crate::cause::Cause;

/// The minor version of Kubernetes 1: `1.33` is `Minor(33)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minor(pub u16);

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

impl FromStr for Minor {
    type Err = ();

    /// Reads `1.33`, and nothing with more parts.
    fn from_str(text: &str) -> Result<Minor, ()> {
        let minor = text.strip_prefix("1.").filter(|minor| minor.bytes().all(|byte| byte.is_ascii_digit())).ok_or(())?;
        minor.parse().map(Minor).map_err(drop)
    }
}

/// How a kubelet's version stands to the control plane's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skew {
    /// Supported.
    Supported,
    /// Newer than the control plane.
    Newer,
    /// Too old: the control plane takes this one and newer.
    Older {
        /// The oldest that is supported.
        oldest: Minor,
    },
}

/// kubelet must not be newer than the API server; it may be three minor versions older, and two if it is older than 1.25 (Kubernetes,
/// "Version Skew Policy", "kubelet").
#[must_use]
pub fn skew(kubelet: Minor, control_plane: Minor) -> Skew {
    if kubelet > control_plane {
        return Skew::Newer;
    }
    let by_three = Minor(control_plane.0.saturating_sub(3));
    let oldest = if by_three >= THREE_FROM { by_three } else { Minor(control_plane.0.saturating_sub(2)) };
    if kubelet < oldest { Skew::Older { oldest } } else { Skew::Supported }
}

/// The first kubelet that may be three minor versions older.
const THREE_FROM: Minor = Minor(25);

/// Holds the image's kubelet against the control plane.
pub(super) fn check(case: &mut Case<'_>) {
    let Some(control_plane) = case.control_plane().map(|cluster| cluster.version.as_str()) else { return };
    let (image, remedy) = match &case.facts.image {
        Section::Read(image) => (image, "compare kubelet --version on the instance"),
        Section::NotRead(why) => {
            let remedy = "allow ec2:DescribeImages".to_owned();
            return case.unknown(Cause::KubeletSkew, "the image's kubelet", why, remedy);
        }
    };
    let (Some(kubelet), Ok(api)) = (image.kubelet(), control_plane.parse::<Minor>()) else {
        let why = format!("the name of {}, '{}', does not say its Kubernetes version", image.id, image.name);
        return case.unknown(Cause::KubeletSkew, "the image's kubelet", &why, format!("{remedy} with {control_plane}"));
    };
    let rule = match skew(kubelet, api) {
        Skew::Supported => {
            return case.fine(format!("kubelet {kubelet} of {} is supported by control plane {api}", image.name));
        }
        Skew::Newer => "it must not be newer".to_owned(),
        Skew::Older { oldest } => format!("{oldest} is the oldest that is supported"),
    };
    let says = format!("the image's kubelet is {kubelet} and the control plane {api}: {rule}");
    let remedy = format!("launch from an image of Kubernetes {api}");
    case.fault(Cause::KubeletSkew, says, (format!("EC2 {}", image.id), image.name.clone()), remedy);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelet_is_at_most_so_much_older() {
        let older = |minor| Skew::Older { oldest: Minor(minor) };
        for (kubelet, control_plane, expected) in [
            (33, 33, Skew::Supported),
            (34, 33, Skew::Newer),
            (30, 33, Skew::Supported),
            (29, 33, older(30)),
            (25, 28, Skew::Supported),
            (24, 27, older(25)),
            (25, 27, Skew::Supported),
            (24, 26, Skew::Supported),
            (23, 26, older(24)),
            (18, 20, Skew::Supported),
            (17, 20, older(18)),
        ] {
            assert_eq!(skew(Minor(kubelet), Minor(control_plane)), expected, "{kubelet} under {control_plane}");
        }
    }

    #[test]
    fn a_version_has_two_parts() {
        assert_eq!("1.33".parse(), Ok(Minor(33)));
        for text in ["1.33.2", "v1.33", "1.", "1.x", "2.1", "1.+3", ""] {
            assert_eq!(text.parse::<Minor>(), Err(()), "{text}");
        }
    }
}
