//! What is kept of a log while it is read: of each row a count, its ends and one line.

use std::collections::{BTreeMap, BTreeSet};

use super::capacity::{self, NodeCapacity};
use super::line::{Moment, stamp};
use super::row::{Component, PASTED_LINES, Row, Weight};
use super::table::Table;
use crate::cause::Cause;

/// Of a line that is shown the rest is left out, bytes.
const SAMPLE: usize = 400;
/// Different things that one row is about, such as subnets; more are not told apart.
const MOST_ABOUT: usize = 4;
/// Bytes of each; a subnet's ID has 24, a host's name at most 253.
const LONGEST_ABOUT: usize = 253;
/// A row that is not met for longer than this has ended in between, seconds. Cluster Autoscaler fails every two minutes, ipamd
/// waits for two.
const PAUSE: i64 = 600;
/// Nodes whose figures are kept.
const MOST_NODES: usize = 64;

/// Where and when.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Counted from 1.
    pub(super) line: u64,
    pub(super) at: Option<Moment>,
}

/// How often a row was met, and where.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) first: Place,
    pub(super) last: Place,
    /// Since when it has been met without a long pause.
    run: Option<Moment>,
    /// How long the longest such run was, seconds.
    pub(super) lasted: i64,
    /// The first line that met it, or the part of it that did.
    pub(super) sample: String,
    /// What those lines told.
    pub(super) about: BTreeSet<String>,
}

impl Seen {
    fn new(place: &Place, sample: String) -> Self {
        Seen {
            count: 0,
            first: place.clone(),
            last: place.clone(),
            run: None,
            lasted: 0,
            sample,
            about: BTreeSet::new(),
        }
    }

    fn again(&mut self, place: Place) {
        let since = |earlier: &Option<Moment>| place.at.as_ref()?.since(earlier.as_ref()?);
        match since(&self.last.at) {
            Some(pause) if pause <= PAUSE && self.run.is_some() => {
                self.lasted = self.lasted.max(since(&self.run).unwrap_or(0));
            }
            _ => self.run.clone_from(&place.at),
        }
        self.count += 1;
        self.last = place;
    }
}

/// All that is known of a log that was read so far. Its size does not depend on the log's.
pub(super) struct Tally<'a> {
    table: &'a Table,
    seen: Vec<Option<Seen>>,
    pub(super) lines: u64,
    pub(super) from: Option<Moment>,
    pub(super) to: Option<Moment>,
    pub(super) components: BTreeSet<Component>,
    nodes: BTreeMap<(String, u32), NodeCapacity>,
    /// In how many lines each cause was met.
    causes: BTreeMap<Cause, u64>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(table: &'a Table) -> Self {
        Tally {
            table,
            seen: vec![None; table.rows.len()],
            lines: 0,
            from: None,
            to: None,
            components: BTreeSet::new(),
            nodes: BTreeMap::new(),
            causes: BTreeMap::new(),
        }
    }

    /// Counts one line in.
    pub(super) fn add(&mut self, line: &str) {
        self.lines += 1;
        if let Some(stamp) = stamp(line) {
            self.from.get_or_insert_with(|| stamp.into());
            self.to.get_or_insert_with(|| stamp.into()).set(stamp);
        }
        let Some(sight) = self.table.see(line) else { return };
        self.components.extend(sight.components());
        let mut causes = BTreeSet::new();
        for (number, about) in sight.rows() {
            let row = &self.table.rows[number];
            if row.weight == Weight::Pasted && self.lines > PASTED_LINES {
                continue;
            }
            causes.insert(row.cause);
            // A line without a time goes on with what the one before says: `caused by: Post ...`.
            let here = Place { line: self.lines, at: self.to.clone() };
            let seen = self.seen[number].get_or_insert_with(|| Seen::new(&here, sample(line, row)));
            seen.again(here);
            if let Some(about) = about
                && seen.about.len() < MOST_ABOUT
                && !seen.about.contains(cut(about, LONGEST_ABOUT))
            {
                seen.about.insert(cut(about, LONGEST_ABOUT).to_owned());
            }
        }
        causes.into_iter().for_each(|cause| *self.causes.entry(cause).or_default() += 1);
        if sight.has_figures()
            && let Some(figures) = capacity::parse(line)
        {
            self.figures(figures);
        }
    }

    /// The latest figures of a node take the place of those before; what they leave out is kept.
    fn figures(&mut self, figures: NodeCapacity) {
        let key = (figures.node.clone(), figures.network_card);
        if self.nodes.len() >= MOST_NODES && !self.nodes.contains_key(&key) {
            return;
        }
        let before = self.nodes.remove(&key).unwrap_or_default();
        let figures = NodeCapacity {
            addresses_per_eni: figures.addresses_per_eni.or(before.addresses_per_eni),
            line: self.lines,
            at: self.to.as_ref().map(|at| at.text.clone()),
            ..figures
        };
        self.nodes.insert(key, figures);
    }

    /// The rows of `cause` that were met.
    pub(super) fn of(&self, cause: Cause) -> impl Iterator<Item = (&Row, &Seen)> {
        let all = self.table.rows.iter().zip(&self.seen);
        all.filter(move |(row, _)| row.cause == cause).filter_map(|(row, seen)| Some((row, seen.as_ref()?)))
    }

    /// In how many lines `cause` was met.
    pub(super) fn lines_of(&self, cause: Cause) -> u64 {
        self.causes.get(&cause).copied().unwrap_or(0)
    }

    /// The figures of the nodes in the log.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &NodeCapacity> {
        self.nodes.values()
    }
}

/// The line's beginning, or what stands around the row's text where that is far inside.
fn sample(line: &str, row: &Row) -> String {
    let text = row.fragments.first().map_or("", |fragment| fragment).to_ascii_lowercase();
    let at = line.to_ascii_lowercase().find(&text).unwrap_or(0);
    if at + text.len() <= SAMPLE {
        return cut(line, SAMPLE).to_owned();
    }
    let around = cut(line, at.saturating_sub(SAMPLE / 4)).len();
    format!("...{}", cut(line.get(around..).unwrap_or_default(), SAMPLE))
}

/// At most `most` bytes of `text`.
fn cut(text: &str, most: usize) -> &str {
    let end = text.len().min(most);
    (0..=end).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}
