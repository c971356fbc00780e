//! What is known of a log line.

use serde::{Serialize, Serializer};

use crate::cause::Cause;

/// Which program writes a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The daemon in aws-node: `ipamd.log`.
    Ipamd,
    /// The plugin that the runtime calls: `plugin.log`, and the pod's event `FailedCreatePodSandBox`.
    CniPlugin,
    /// kubelet.
    Kubelet,
    /// containerd.
    Containerd,
    /// cloud-init with the user data's scripts, bootstrap.sh and nodeadm.
    Bootstrap,
    /// Cluster Autoscaler.
    ClusterAutoscaler,
    /// CoreDNS.
    CoreDns,
    /// Any program with an AWS SDK in it.
    AwsClient,
}

impl Component {
    /// All of them, as the documents have them.
    pub const ALL: [Component; 8] = [
        Component::Ipamd,
        Component::CniPlugin,
        Component::Kubelet,
        Component::Containerd,
        Component::Bootstrap,
        Component::ClusterAutoscaler,
        Component::CoreDns,
        Component::AwsClient,
    ];

    /// Its name for people and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Component::Ipamd => "ipamd",
            Component::CniPlugin => "the CNI plugin",
            Component::Kubelet => "kubelet",
            Component::Containerd => "containerd",
            Component::Bootstrap => "cloud-init and nodeadm",
            Component::ClusterAutoscaler => "Cluster Autoscaler",
            Component::CoreDns => "CoreDNS",
            Component::AwsClient => "any client of AWS",
        }
    }
}

impl Serialize for Component {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Logs of no more lines were pasted by somebody who asks about these lines.
pub(super) const PASTED_LINES: u64 = 3;

/// What a sight of a text is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// One is a fault.
    Always,
    /// A fault, unless it lasted less than this and the log goes on without it: somebody tried again.
    Passing(i64),
    /// As `Passing`, and normal while a node starts: at a log's end, a warning.
    Starting(i64),
    /// Worth knowing.
    Hint,
    /// Too short a text to go by among others; a fault in a log of up to [`PASTED_LINES`].
    Pasted,
}

/// What a line has to tell beside its text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Figure {
    /// Nothing.
    Nothing,
    /// The word after this text, such as the instance type.
    After(&'static str),
    /// The word that begins so, such as a subnet's ID.
    Id(&'static str),
    /// The number at the line's end.
    Last,
    /// The host of AWS that a call went to.
    Host,
    /// A duration in Go's spelling after this text; the row is not met where it is shorter than this, seconds.
    Took(&'static str, f64),
}

impl Figure {
    /// What `line` has of it; outer none where the line is no sight of the row after all.
    pub(super) fn of(self, line: &str) -> Option<Option<&str>> {
        match self {
            Figure::Nothing => Some(None),
            Figure::After(text) => Some(after(line, text).map(word)),
            Figure::Id(prefix) => Some(line.find(prefix).and_then(|at| line.get(at..)).map(word)),
            Figure::Last => Some(last(line)),
            Figure::Host => Some(host(line)),
            Figure::Took(text, least) => {
                let took = word(after(line, text)?);
                (seconds(took)? >= least).then_some(Some(took))
            }
        }
        .map(|figure| figure.filter(|figure| !figure.is_empty()))
    }
}

/// A text of a program, and the cause that it shows.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Whose it is.
    pub component: Component,
    /// What it shows.
    pub cause: Cause,
    /// Its fixed parts. All of them are in the line, in any order and case: versions and locales of time differ in both.
    pub fragments: &'static [&'static str],
    pub(super) unless: &'static [&'static str],
    pub(super) weight: Weight,
    pub(super) figure: Figure,
}

impl Row {
    pub(super) const fn new(component: Component, cause: Cause, fragments: &'static [&'static str]) -> Self {
        Row { component, cause, fragments, unless: &[], weight: Weight::Always, figure: Figure::Nothing }
    }

    /// When a sight of it counts, for people.
    #[must_use]
    pub fn when(&self) -> String {
        match self.weight {
            Weight::Always => "at once".to_owned(),
            Weight::Passing(secs) => format!("for {secs} s, or at the log's end"),
            Weight::Starting(secs) => format!("for {secs} s; at the log's end a warning"),
            Weight::Hint => "a warning".to_owned(),
            Weight::Pasted => format!("in a log of up to {PASTED_LINES} lines"),
        }
    }

    /// None of these is in the line.
    pub(super) const fn unless(mut self, unless: &'static [&'static str]) -> Self {
        self.unless = unless;
        self
    }

    pub(super) const fn weighs(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    pub(super) const fn tells(mut self, figure: Figure) -> Self {
        self.figure = figure;
        self
    }
}

/// What stands after `text`, which is in its own case.
fn after<'a>(line: &'a str, text: &str) -> Option<&'a str> {
    line.split_once(text).map(|(_, rest)| rest.trim_start_matches([' ', ':', '=', '`', '"', '\\']))
}

/// The first word, as far as an ID, a type or an action of IAM goes.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | ':' | '_'));
    text.get(..end.unwrap_or(text.len())).unwrap_or(text).trim_end_matches(['.', ':', ','])
}

/// The last digits, with no letter after them.
fn last(line: &str) -> Option<&str> {
    let line = line.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    line.rsplit(|c: char| !c.is_ascii_digit()).next()
}

/// The word around the first `amazonaws.com` that is a host's name.
fn host(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("amazonaws.com")?;
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let from = before.rfind(|c| !inside(c)).map_or(0, |at| at + 1);
    let until = rest.find(|c| !inside(c)).unwrap_or(rest.len());
    let end = before.len() + "amazonaws.com".len() + until;
    line.get(from..end).map(|host| host.trim_end_matches('.'))
}

/// Go's `2m0.6s`, seconds.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let (mut sum, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (figure, unit) = (rest.get(..digits)?.parse::<f64>().ok()?, rest.get(digits..)?);
        let letters = unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len());
        sum += figure
            * match unit.get(..letters)? {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                _ => return None,
            };
        rest = unit.get(letters..)?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, want) in
            [("2m0.6s", Some(120.6)), ("1h2m3s", Some(3723.0)), ("750ms", Some(0.75)), ("30.5s", Some(30.5))]
        {
            assert_eq!(seconds(text), want, "{text}");
        }
        for text in ["2", "x", "s", "1.2.3s", "5µs", "3d"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn figures_are_words_of_the_line() {
        let told = |figure: Figure, line: &'static str| figure.of(line).flatten();
        let after = Figure::After("unknown instance type");
        assert_eq!(told(after, "limit: unknown instance type: m9.large, x"), Some("m9.large"));
        assert_eq!(told(after, "limit: unknown instance type"), None);
        assert_eq!(told(Figure::Id("subnet-"), "addresses in subnet 'subnet-0a1' to"), Some("subnet-0a1"));
        assert_eq!(
            told(Figure::Host, "Post https://ec2.us-west-2.amazonaws.com/: dial tcp: i/o timeout"),
            Some("ec2.us-west-2.amazonaws.com")
        );
        assert_eq!(told(Figure::Host, "2 sts.amazonaws.com. A: read udp"), Some("sts.amazonaws.com"));
        for (line, number) in [("attached : 3", Some("3")), (r#""attached : 15"}"#, Some("15")), ("attached", None)] {
            assert_eq!(told(Figure::Last, line), number, "{line}");
        }
        assert_eq!(Figure::Took("main took", 30.0).of("Function main took 8.1s to complete"), None);
        assert_eq!(told(Figure::Took("main took", 30.0), "Function main took 2m0.6s to complete"), Some("2m0.6s"));
    }
}
