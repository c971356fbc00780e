//! ipamd's own metrics, from the text of its `/metrics`: summed over nodes, counters as what they grew by.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::cni_helper::HELPER_FIGURES;
use crate::metrics::labels;

labels! {
    /// How reading one ipamd ended.
    Outcome {
        /// It was read.
        Read = "read",
        /// The API server refuses: RBAC.
        Denied = "denied",
        /// No answer in time.
        Timeout = "timeout",
        /// The pod, or the API server, cannot be reached.
        Unreachable = "unreachable",
        /// The answer is too large or no text.
        Invalid = "invalid",
        /// The round was over before its turn or its answer came.
        Late = "late",
    }
}

/// The metrics of one ipamd that are of interest, each summed over its labels, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scrape(BTreeMap<&'static str, f64>);

/// The same over the cluster: gauges as they are, counters as what they grew by since the last time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums(BTreeMap<&'static str, f64>);

impl Sums {
    /// By ipamd's name of the metric; 0 where no ipamd has shown it yet, which it does not before it has something to count.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        wanted(name).map(|name| self.0.get(name).copied().unwrap_or_default())
    }

    /// Takes a later round in: counters have grown by both, gauges are as they are now.
    pub fn add(&mut self, later: Sums) {
        for (name, value) in later.0 {
            let sum = self.0.entry(name).or_default();
            *sum = if name == GAUGE { value } else { *sum + value };
        }
    }
}

/// The only gauge among those that are read from ipamd.
const GAUGE: &str = "awscni_ipamd_action_inprogress";

fn wanted(name: &str) -> Option<&'static str> {
    HELPER_FIGURES.iter().filter(|figure| figure.needs_ipamd()).map(|figure| figure.ipamd).find(|known| *known == name)
}

impl Scrape {
    /// Reads the Prometheus text format. Lines that are not in it, and other metrics, are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Scrape {
        let mut sums = BTreeMap::new();
        for (name, _, value) in samples(text) {
            if let Some(name) = wanted(name).filter(|_| value.is_finite()) {
                *sums.entry(name).or_default() += value;
            }
        }
        Scrape(sums)
    }
}

/// Metric, labels and value of each line that is one.
pub(crate) fn samples(text: &str) -> impl Iterator<Item = (&str, &str, f64)> {
    text.lines().filter_map(sample)
}

/// A line's metric, labels and value: `name{label="..."} value timestamp`, labels and timestamp optional. A label's value may hold
/// any character; quotes in it are escaped.
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(labels) => split_labels(labels)?,
        None => ("", rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    (!name.starts_with('#')).then_some((name, labels, value))
}

fn split_labels(labels: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let end = labels.find(|c: char| {
        let literal = escaped;
        escaped = quoted && c == '\\' && !literal;
        quoted ^= c == '"' && !literal;
        c == '}' && !quoted
    })?;
    Some((labels.get(..end)?, labels.get(end + 1..)?))
}

/// Counters of every ipamd as they were last seen.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// `None` before the first round, which has nothing to compare with; a pod's is while it has not been read since then.
    last: Option<HashMap<Arc<str>, Option<Scrape>>>,
}

impl Counters {
    /// The sums of one round. `scrapes` are by pod, and `pods` are all that there are: one that could not be read this time keeps
    /// what it had and counts for more next time. A counter below its last value was reset and counts from 0; a pod that is new
    /// does too. Of one that was there in the first round, the first reading only sets the base.
    pub fn advance(&mut self, scrapes: HashMap<Arc<str>, Scrape>, pods: &HashSet<Arc<str>>) -> Sums {
        let last = self.last.get_or_insert_with(|| pods.iter().map(|pod| (Arc::clone(pod), None)).collect());
        let mut sums = Sums::default();
        for (pod, scrape) in scrapes {
            let before = last.get(&pod);
            for (name, value) in &scrape.0 {
                let was = match before {
                    None => 0.0,
                    Some(None) => *value,
                    Some(Some(scrape)) => scrape.0.get(name).copied().unwrap_or_default(),
                };
                let was = if *name == GAUGE || *value < was { 0.0 } else { was };
                *sums.0.entry(*name).or_default() += value - was;
            }
            last.insert(pod, Some(scrape));
        }
        last.retain(|pod, _| pods.contains(pod));
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP awscni_aws_api_error_count The number of times AWS API returns an error
# TYPE awscni_aws_api_error_count counter
awscni_aws_api_error_count{api="AssignPrivateIpAddresses",error="a } \" 7 \\"} 3
awscni_aws_api_error_count{api="CreateNetworkInterface",error="x"} 2 1700000000000
awscni_add_ip_req_count 1.25e+02
awscni_add_ip_req_count_other 9
awscni_ipamd_action_inprogress{fn="nodeInit"} 1
awscni_reconcile_count{fn="x"} NaN
garbage
awscni_del_ip_req_count{reason="unclosed
"#;

    fn scrape(text: &str) -> HashMap<Arc<str>, Scrape> {
        text.split(';')
            .filter_map(|part| part.split_once('='))
            .map(|(pod, count)| (pod.into(), Scrape::parse(&format!("awscni_add_ip_req_count {count}"))))
            .collect()
    }

    #[test]
    fn sums_what_is_wanted_whatever_the_labels_hold() {
        let want = [("awscni_add_ip_req_count", 125.0), ("awscni_aws_api_error_count", 5.0), (GAUGE, 1.0)];
        assert_eq!(Scrape::parse(TEXT), Scrape(BTreeMap::from(want)));
    }

    #[test]
    fn counters_are_told_as_growth_through_resets_gaps_and_new_pods() {
        let mut counters = Counters::default();
        let mut grown = |text: &str, pods: &str| {
            let pods = pods.split(' ').map(Arc::from).collect();
            counters.advance(scrape(text), &pods).get("awscni_add_ip_req_count").unwrap()
        };
        assert_eq!(grown("a=100;b=50", "a b"), 0.0, "the first round only sets the base");
        assert_eq!(grown("a=103;b=50", "a b"), 3.0);
        assert_eq!(grown("a=4;b=51", "a b"), 5.0, "a was restarted");
        assert_eq!(grown("a=4", "a b"), 0.0, "b does not answer");
        assert_eq!(grown("a=4;b=58;c=2", "a b c"), 9.0, "b's gap is made up for, c is new");
        assert_eq!(grown("a=4;c=2", "a c"), 0.0);
        assert_eq!(grown("a=4;b=1;c=2", "a b c"), 1.0, "another pod of that name starts from 0");
    }

    #[test]
    fn a_pod_that_the_first_round_missed_does_not_make_up_for_its_life() {
        let mut counters = Counters::default();
        let mut grown = |text: &str| {
            let pods = HashSet::from(["a", "b"].map(Arc::from));
            counters.advance(scrape(text), &pods).get("awscni_add_ip_req_count").unwrap()
        };
        assert_eq!(grown("a=100"), 0.0);
        assert_eq!(grown("a=101"), 1.0);
        assert_eq!(grown("a=101;b=5000"), 0.0);
        assert_eq!(grown("a=101;b=5002"), 2.0);
    }

    #[test]
    fn two_rounds_in_one_publication_are_added_up() {
        let sums = |adds: f64, running: f64| Sums([("awscni_add_ip_req_count", adds), (GAUGE, running)].into());
        let mut sum = sums(3.0, 7.0);
        sum.add(sums(4.0, 2.0));
        assert_eq!(sum, sums(7.0, 2.0));
    }

    #[test]
    fn the_gauge_is_told_as_it_is() {
        let mut counters = Counters::default();
        let pods = HashSet::from([Arc::from("a")]);
        for _ in 0..2 {
            let one = HashMap::from([(Arc::from("a"), Scrape::parse(TEXT))]);
            assert_eq!(counters.advance(one, &pods).get(GAUGE), Some(1.0));
        }
    }
}
