//! What a series is about, and its bytes in the file.

use crate::metrics::labels;

labels! {
    /// What is counted. Members may be added: a file that has others is still read, those are passed over.
    Kind {
        /// Addresses of a subnet that someone holds; the ID is the subnet's.
        SubnetUsedIps = "subnet_used_ips",
        /// Addresses of a subnet that EC2 may choose, held or free; the ID is the subnet's.
        SubnetCapacityIps = "subnet_capacity_ips",
        /// Addresses of a subnet that nobody gets: AWS's own five and reservations; the ID is the subnet's.
        SubnetUnusableIps = "subnet_unusable_ips",
        /// Addresses of a subnet that pods have or have just given up; the ID is the subnet's.
        SubnetPods = "subnet_pods",
        /// Addresses of a subnet that do not come and go with pods: foreign, leaked and branch ENIs'; the ID is the subnet's.
        SubnetOtherIps = "subnet_other_ips",
        /// Pods in a zone that have or need an address; the ID is the zone's name.
        AzPods = "az_pods",
        /// Nodes in a zone; the ID is the zone's name.
        AzNodes = "az_nodes",
        /// Nodes of an Auto Scaling group; the ID is the group's name.
        GroupNodes = "group_nodes",
        /// Pods on a group's nodes that have or need an address; the ID is the group's name.
        GroupPods = "group_pods",
    }
}

impl Kind {
    /// In the file: a number is never given to another member.
    const fn code(self) -> u8 {
        match self {
            Kind::SubnetUsedIps => 1,
            Kind::SubnetCapacityIps => 2,
            Kind::SubnetUnusableIps => 3,
            Kind::AzPods => 4,
            Kind::AzNodes => 5,
            Kind::GroupNodes => 6,
            Kind::GroupPods => 7,
            Kind::SubnetPods => 8,
            Kind::SubnetOtherIps => 9,
        }
    }
}

/// Which series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// What is counted.
    pub kind: Kind,
    /// Of what: a subnet's ID, a zone's or a group's name, as `kind` says.
    pub id: String,
}

impl SeriesKey {
    /// The series `kind` of `id`.
    #[must_use]
    pub fn new(kind: Kind, id: &str) -> SeriesKey {
        SeriesKey { kind, id: id.to_owned() }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        [&[self.kind.code()], self.id.as_bytes()].concat()
    }

    /// `None` for a kind of a later version.
    pub(super) fn decode(bytes: &[u8]) -> Option<SeriesKey> {
        let (code, id) = bytes.split_first()?;
        let kind = Kind::ALL.iter().copied().find(|kind| kind.code() == *code)?;
        Some(SeriesKey::new(kind, str::from_utf8(id).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_and_no_two_are_the_same() {
        let keys: Vec<SeriesKey> = Kind::ALL.iter().map(|kind| SeriesKey::new(*kind, "subnet-0é")).collect();
        let mut bytes: Vec<Vec<u8>> = keys.iter().map(SeriesKey::encode).collect();
        assert!(keys.iter().zip(&bytes).all(|(key, bytes)| SeriesKey::decode(bytes).as_ref() == Some(key)));
        bytes.sort();
        bytes.dedup();
        assert_eq!(bytes.len(), Kind::ALL.len());
    }

    #[test]
    fn what_is_no_key_of_this_version_is_none() {
        for bytes in [&b""[..], b"\0subnet", b"\xffsubnet", b"\x01\xff\xfe"] {
            assert_eq!(SeriesKey::decode(bytes), None, "{bytes:?}");
        }
    }
}
