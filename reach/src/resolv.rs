//! `/etc/resolv.conf`, as glibc reads it (resolv.conf(5)).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Port of DNS; the file cannot name another.
const PORT: u16 = 53;
/// Nameservers that are used, `MAXNS`.
const MOST_NAMESERVERS: usize = 3;
/// What `options` may say at most: `RES_MAXNDOTS`, `RES_MAXRETRANS`, `RES_MAXRETRY`.
const MOST_NDOTS: u32 = 15;
const MOST_TIMEOUT_SECS: u32 = 30;
const MOST_ATTEMPTS: u32 = 5;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// Whom to ask, one after the other; at most three.
    pub nameservers: Vec<SocketAddr>,
    /// Domains to try a short name in.
    pub search: Vec<String>,
    /// A name with fewer dots is tried in `search` first. Kubernetes writes 5 for `dnsPolicy: ClusterFirst`, and
    /// `autoscaling.us-west-2.amazonaws.com` has 3.
    pub ndots: u32,
    /// How long a nameserver may take.
    pub timeout: Duration,
    /// How often the list is gone through.
    pub attempts: u32,
    /// Lines that have no effect.
    pub ignored: Vec<String>,
}

impl Default for ResolvConf {
    /// An empty file, but that no nameserver is put in place of none.
    fn default() -> ResolvConf {
        ResolvConf {
            nameservers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            ignored: Vec::new(),
        }
    }
}

impl ResolvConf {
    /// Reads the file's text. What glibc passes over is in `ignored`.
    #[must_use]
    pub fn parse(text: &str) -> ResolvConf {
        let mut conf = ResolvConf::default();
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            let known = match words.next() {
                None => true,
                Some("nameserver") => conf.add_nameserver(words.next().unwrap_or_default()),
                // The last of either counts.
                Some("domain" | "search") => {
                    conf.search = words.map(|domain| domain.trim_end_matches('.').to_owned()).collect();
                    conf.search.retain(|domain| !domain.is_empty());
                    true
                }
                Some("options") => {
                    words.for_each(|word| conf.option(word));
                    true
                }
                Some("sortlist") => true,
                Some(_) => false,
            };
            if !known {
                conf.ignored.push(line.trim().to_owned());
            }
        }
        conf
    }

    fn add_nameserver(&mut self, word: &str) -> bool {
        let Ok(address) = word.parse::<IpAddr>() else { return false };
        let room = self.nameservers.len() < MOST_NAMESERVERS;
        if room {
            self.nameservers.push(SocketAddr::new(address, PORT));
        }
        room
    }

    fn option(&mut self, word: &str) {
        let Some((name, value)) = word.split_once(':') else { return };
        let Ok(value) = value.parse::<u32>() else { return };
        match name {
            "ndots" => self.ndots = value.min(MOST_NDOTS),
            "timeout" => self.timeout = Duration::from_secs(u64::from(value.clamp(1, MOST_TIMEOUT_SECS))),
            "attempts" => self.attempts = value.clamp(1, MOST_ATTEMPTS),
            _ => {}
        }
    }

    /// The absolute names that are asked for in turn for `host` without a final dot.
    #[must_use]
    pub fn candidates(&self, host: &str) -> Vec<String> {
        let absolute = format!("{host}.");
        let searched = self.search.iter().map(|domain| format!("{host}.{domain}."));
        let dots = u32::try_from(host.matches('.').count()).unwrap_or(u32::MAX);
        if dots >= self.ndots {
            std::iter::once(absolute).chain(searched).collect()
        } else {
            searched.chain([absolute]).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What kubelet writes for `dnsPolicy: ClusterFirst` on EKS.
    const CLUSTER_FIRST: &str = "search kube-system.svc.cluster.local svc.cluster.local cluster.local us-west-2.compute.internal\n\
                                 nameserver 10.100.0.10\noptions ndots:5\n";

    #[test]
    fn a_pods_file_makes_a_name_of_aws_a_short_one() {
        let conf = ResolvConf::parse(CLUSTER_FIRST);
        assert_eq!((conf.nameservers[0].to_string().as_str(), conf.ndots, conf.search.len()), ("10.100.0.10:53", 5, 4));
        let names = conf.candidates("sts.us-west-2.amazonaws.com");
        assert_eq!(names[0], "sts.us-west-2.amazonaws.com.kube-system.svc.cluster.local.");
        assert_eq!((names.len(), names[4].as_str()), (5, "sts.us-west-2.amazonaws.com."));
        let names = ResolvConf { ndots: 1, ..conf }.candidates("sts.us-west-2.amazonaws.com");
        assert_eq!(names[0], "sts.us-west-2.amazonaws.com.");
    }

    #[test]
    fn what_has_no_effect_is_told() {
        let text = "# c\nnameserver 10.0.0.2\nnameserver x\nnameserver ::1\nnameserver 1.1.1.1\nnameserver 8.8.8.8\n\
                    wrong line\noptions timeout:99 attempts:0 rotate ndots:99 trust-ad\nsearch a b\nsearch c.\n\n";
        let conf = ResolvConf::parse(text);
        assert_eq!(conf.ignored, ["nameserver x", "nameserver 8.8.8.8", "wrong line"]);
        assert_eq!((conf.nameservers.len(), conf.search.as_slice()), (3, ["c".to_owned()].as_slice()));
        assert_eq!((conf.timeout, conf.attempts, conf.ndots), (Duration::from_secs(30), 1, 15));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,200}", lines in "((nameserver|options|search|domain) ?[a-z0-9:. ]{0,20}\n){0,8}") {
            for text in [text, lines] {
                let conf = ResolvConf::parse(&text);
                prop_assert!(conf.nameservers.len() <= MOST_NAMESERVERS && conf.ndots <= MOST_NDOTS);
                let names = conf.candidates("a.b");
                prop_assert_eq!(names.len(), conf.search.len() + 1);
                prop_assert!(names.iter().any(|name| name == "a.b."));
            }
        }
    }
}
