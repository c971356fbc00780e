//! How everything that is known is looked for at once.

use aho_corasick::{AhoCorasick, MatchKind};

use super::row::{Component, Row};

/// Fragments that tell whose log it is in.
const MARKS: [(Component, &str); 20] = [
    (Component::Ipamd, "ipamd/"),
    (Component::Ipamd, "aws-k8s-agent"),
    (Component::Ipamd, "pool stats"),
    (Component::Ipamd, "IPPOOL"),
    (Component::CniPlugin, "routed-eni-cni-plugin"),
    (Component::CniPlugin, "plugin type=\\\"aws-cni"),
    (Component::Kubelet, "kubelet["),
    (Component::Kubelet, "kubelet.go:"),
    (Component::Kubelet, "kubelet_node_status.go:"),
    (Component::Containerd, "containerd["),
    (Component::Bootstrap, "cloud-init"),
    (Component::Bootstrap, "nodeadm"),
    (Component::ClusterAutoscaler, "static_autoscaler.go:"),
    (Component::ClusterAutoscaler, "aws_manager.go:"),
    (Component::ClusterAutoscaler, "auto_scaling_groups.go:"),
    (Component::CoreDns, "plugin/errors:"),
    (Component::CoreDns, "plugin/reload:"),
    (Component::CoreDns, "CoreDNS-1"),
    // The events and the text of `kubectl describe pod`.
    (Component::Kubelet, "  kubelet  "),
    (Component::Kubelet, "Node-Selectors:"),
];

/// Begin the lines with the figures of a node's addresses.
const FIGURES: [&str; 3] = ["pool stats", "IP stats", "pool is"];

/// How many different fragments there may be.
const MOST: usize = 256;

/// A set of fragments, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Set([u64; MOST / 64]);

impl Set {
    fn insert(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    fn has_all(&self, of: &Set) -> bool {
        self.0.iter().zip(of.0).all(|(mine, theirs)| mine & theirs == theirs)
    }

    fn has_any(&self, of: &Set) -> bool {
        self.0.iter().zip(of.0).any(|(mine, theirs)| mine & theirs != 0)
    }
}

/// All rows, ready to be looked for in one pass over a line.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// For each row what must and what must not be in the line.
    sets: Vec<(Set, Set)>,
    marks: Vec<(Component, Set)>,
    figures: Set,
    automaton: AhoCorasick,
}

/// What one line has.
pub(super) struct Sight<'a> {
    table: &'a Table,
    line: &'a str,
    fragments: Set,
}

impl Table {
    pub(super) fn new(rows: impl Iterator<Item = Row>) -> Self {
        let rows: Vec<Row> = rows.collect();
        let mut texts: Vec<&'static str> = Vec::new();
        let mut set = |fragments: &[&'static str]| {
            let mut set = Set::default();
            for fragment in fragments {
                let number = texts.iter().position(|text| text == fragment).unwrap_or_else(|| {
                    texts.push(fragment);
                    texts.len() - 1
                });
                set.insert(number);
            }
            set
        };
        let sets = rows.iter().map(|row| (set(row.fragments), set(row.unless))).collect();
        let marks = MARKS.iter().map(|(component, mark)| (*component, set(&[mark]))).collect();
        let figures = set(&FIGURES);
        // Overlapping matches, as one fragment may stand within another.
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&texts)
            .expect("a few hundred short texts fit in an automaton");
        Table { rows, sets, marks, figures, automaton }
    }

    /// What `line` has, or none where there is nothing.
    pub(super) fn see<'a>(&'a self, line: &'a str) -> Option<Sight<'a>> {
        let mut fragments = Set::default();
        self.automaton.find_overlapping_iter(line).for_each(|found| fragments.insert(found.pattern().as_usize()));
        (fragments != Set::default()).then_some(Sight { table: self, line, fragments })
    }
}

impl<'a> Sight<'a> {
    /// The numbers of the rows that the line meets, and what it tells for each.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, Option<&'a str>)> {
        let line = self.line;
        self.table.sets.iter().enumerate().filter_map(move |(number, (all, none))| {
            let met = self.fragments.has_all(all) && !self.fragments.has_any(none);
            met.then(|| self.table.rows[number].figure.of(line))?.map(|figure| (number, figure))
        })
    }

    /// Whose line it seems to be.
    pub(super) fn components(&self) -> impl Iterator<Item = Component> {
        self.table.marks.iter().filter(|(_, mark)| self.fragments.has_all(mark)).map(|(component, _)| *component)
    }

    /// Whether it may have figures of a node's addresses.
    pub(super) fn has_figures(&self) -> bool {
        self.fragments.has_any(&self.table.figures)
    }
}
