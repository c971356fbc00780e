//! What ipamd's log tells of a node's addresses.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

/// The addresses of one network card of a node, as ipamd last logged them.
///
/// The line has had four forms (`pkg/ipamd/ipamd.go` `logPoolStats` and `isDatastorePoolTooLow`, `pkg/ipamd/datastore/data_store.go`
/// `DataStoreStats.String`): `total = 15, used = 9, c.currentMaxAddrsPerENI = 6` in 2018, then with `c.maxIPsPerENI`, then
/// `Total IPs/Prefixes = 28/0, AssignedIPs/CooldownIPs: 14/2`, beside `total IPs: 28, assigned IPs: 14, cooldown IPs: 2`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeCapacity {
    /// The pod or the host whose line it is, where the line names one; else empty.
    pub node: String,
    /// The network card; 0 where there is only one.
    pub network_card: u32,
    /// Addresses for pods that are attached; of a prefix all 16.
    pub total_ips: u32,
    /// Of them, those that pods have.
    pub used_ips: u32,
    /// Of the others, those that are not handed out again yet; versions before 1.12 do not tell.
    pub cooling_ips: Option<u32>,
    /// Prefixes (/28) that are attached.
    pub prefixes: Option<u32>,
    /// Addresses of one ENI as logged. `currentMaxAddrsPerENI` counts the ENI's own primary address, `maxIPsPerENI` does not.
    pub addresses_per_eni: Option<u32>,
    /// ENIs that the instance may have, where the log says that it has them all.
    pub enis_at_limit: Option<u32>,
    /// The number of the line.
    pub line: u64,
    /// When it was written, as it stands there.
    pub at: Option<String>,
}

impl NodeCapacity {
    /// Addresses that no pod has, those that cool down among them.
    #[must_use]
    pub fn free_ips(&self) -> u32 {
        self.total_ips.saturating_sub(self.used_ips)
    }

    /// Addresses that a pod gets at once.
    #[must_use]
    pub fn assignable_ips(&self) -> u32 {
        self.free_ips().saturating_sub(self.cooling_ips.unwrap_or(0))
    }
}

impl Display for NodeCapacity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "node capacity")?;
        if !self.node.is_empty() {
            write!(f, " of {}", self.node)?;
        }
        if self.network_card > 0 {
            write!(f, ", network card {}", self.network_card)?;
        }
        write!(f, " (line {}", self.line)?;
        if let Some(at) = &self.at {
            write!(f, ", {at}")?;
        }
        write!(f, "): {} of {} addresses in use, {} free", self.used_ips, self.total_ips, self.free_ips())?;
        match self.cooling_ips {
            Some(cooling) if cooling > 0 => write!(f, ", {cooling} of them cooling down")?,
            _ => {}
        }
        match self.prefixes {
            Some(prefixes) if prefixes > 0 => write!(f, "; {prefixes} prefixes")?,
            _ => {}
        }
        if let Some(per_eni) = self.addresses_per_eni {
            write!(f, "; {per_eni} addresses per ENI")?;
        }
        if let Some(enis) = self.enis_at_limit {
            write!(f, "; {enis} ENIs, as many as the instance may have")?;
        }
        Ok(())
    }
}

/// The figures of one line; none where it has no total.
pub(super) fn parse(line: &str) -> Option<NodeCapacity> {
    let lower = line.to_ascii_lowercase();
    let both = |key| {
        let (first, rest) = number(&lower, key)?;
        Some((first, number(rest, "/")?.0))
    };
    let one = |keys: &[&str]| keys.iter().find_map(|key| number(&lower, key)).map(|(number, _)| number);
    let (total_ips, prefixes) = match both("total ips/prefixes") {
        Some((total, prefixes)) => (total, Some(prefixes)),
        None => (one(&["total ips", "total"])?, one(&["total prefixes"])),
    };
    let (used_ips, cooling_ips) = match both("assignedips/cooldownips") {
        Some((used, cooling)) => (used, Some(cooling)),
        None => (one(&["assigned ips", "assigned", "used"])?, one(&["cooldown ips"])),
    };
    Some(NodeCapacity {
        node: node(line).to_owned(),
        network_card: one(&["network card"]).unwrap_or(0),
        total_ips,
        used_ips,
        cooling_ips,
        prefixes,
        addresses_per_eni: one(&["c.currentmaxaddrspereni", "c.maxipspereni", "c.maxaddrspereni"]),
        ..NodeCapacity::default()
    })
}

/// The number after `key`, with nothing but `=`, `:`, `(` and blanks between, and what follows it.
fn number<'a>(line: &'a str, key: &str) -> Option<(u32, &'a str)> {
    let mut rest = line;
    loop {
        rest = rest.split_once(key)?.1;
        let figure = rest.trim_start_matches([' ', '=', ':', '(']);
        let digits = figure.find(|c: char| !c.is_ascii_digit()).unwrap_or(figure.len());
        if let Some(number) = figure.get(..digits).and_then(|digits| digits.parse().ok()) {
            return Some((number, figure.get(digits..)?));
        }
    }
}

/// The longest name that is kept, bytes: a host's may have 253.
const LONGEST_NAME: usize = 253;

/// Whose line it is: `[pod/aws-node-x7/aws-node]` of `kubectl logs --prefix`, or the host in journald's lines.
pub(super) fn node(line: &str) -> &str {
    let name = if let Some(rest) = line.strip_prefix("[pod/") {
        rest.split(['/', ']']).next().unwrap_or_default()
    } else if super::line::stamp(line).is_some_and(|stamp| line.starts_with(stamp.text) && stamp.text.len() == 15) {
        line.get(16..).and_then(|rest| rest.split(' ').next()).unwrap_or_default()
    } else {
        ""
    };
    if name.len() > LONGEST_NAME { "" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_line_is_read() {
        let figures = |line: &str| {
            let node = parse(line).unwrap_or_else(|| panic!("{line} has figures"));
            (node.total_ips, node.used_ips, node.cooling_ips, node.prefixes, node.addresses_per_eni, node.network_card)
        };
        for (line, want) in [
            ("IP pool stats: total = 15, used = 9, c.currentMaxAddrsPerENI = 6", (15, 9, None, None, Some(6), 0)),
            (
                "2018-09-11T07:28:16Z [DEBUG] IP pool stats: total = 15, used = 9, c.currentMaxAddrsPerENI = 6, c.maxAddrsPerENI = 6",
                (15, 9, None, None, Some(6), 0),
            ),
            ("IP pool stats: total = 28, used = 3, c.maxIPsPerENI = 14", (28, 3, None, None, Some(14), 0)),
            (
                r#"{"level":"debug","msg":"Prefix pool stats for network card 1: Total IPs/Prefixes = 32/2, AssignedIPs/CooldownIPs: 17/5, c.maxIPsPerENI = 9"}"#,
                (32, 17, Some(5), Some(2), Some(9), 1),
            ),
            ("IP stats - total IPs: 28, assigned IPs: 3, cooldown IPs: 1", (28, 3, Some(1), None, None, 0)),
            (
                "IP stats for Network Card 2 - total IPs: 28, assigned IPs: 3, cooldown IPs: 1",
                (28, 3, Some(1), None, None, 2),
            ),
            ("AssignPodIPv4Address: IP address pool stats: total 28, assigned 14", (28, 14, None, None, None, 0)),
            (
                "RemoveENIFromDataStore eni-1: IP/Prefix address pool stats: free 5 addresses, total: 14, assigned: 9, total prefixes: 0",
                (14, 9, None, Some(0), None, 0),
            ),
        ] {
            assert_eq!(figures(line), want, "{line}");
        }
    }

    #[test]
    fn a_line_without_both_figures_is_none() {
        for line in [
            "",
            "IPv6 address pool stats: assigned 3",
            "IP pool stats: total = many, used = 3",
            "total = 99999999999, used = 1",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn lines_that_name_their_node_keep_it() {
        assert_eq!(node("[pod/aws-node-x7k2p/aws-node] IP pool stats"), "aws-node-x7k2p");
        assert_eq!(
            node("Nov  2 23:19:22 ip-10-0-1-5.ec2.internal aws-node[1]: IP pool stats"),
            "ip-10-0-1-5.ec2.internal"
        );
        assert_eq!(node("2018-09-11T07:28:16Z [DEBUG] IP pool stats"), "");
    }

    #[test]
    fn what_a_pod_gets_at_once_is_without_what_cools() {
        let node = NodeCapacity { total_ips: 15, used_ips: 9, cooling_ips: Some(4), ..NodeCapacity::default() };
        assert_eq!((node.free_ips(), node.assignable_ips()), (6, 2));
        assert_eq!(NodeCapacity { used_ips: 3, ..NodeCapacity::default() }.free_ips(), 0);
    }
}
