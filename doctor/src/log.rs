//! Known failures in the logs of ipamd, the CNI plugin, kubelet, containerd, cloud-init, nodeadm, Cluster Autoscaler and CoreDNS.
//!
//! A log goes through [`read`] once, line by line, and what is kept of it does not grow with it. What is known are
//! [`rows`]: texts out of the sources of those programs, each with the cause that it shows. A row may ask for more than a
//! sight of it: kubelet says for half a minute of every healthy start that its network is not ready.

mod capacity;
mod judge;
mod line;
mod row;
mod rows;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Formatter};
use std::io::{self, BufRead};
use std::sync::LazyLock;

use serde::Serialize;

pub use capacity::NodeCapacity;
pub use row::{Component, Row};
pub use rows::rows;

use crate::report::Report;
use line::Lines;
use table::Table;
use tally::Tally;

/// What a log tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogReport {
    /// The causes that it shows, those that explain others first.
    #[serde(flatten)]
    pub report: Report,
    /// What was read.
    pub overview: Overview,
}

/// What was read of a log, and the figures of the nodes that are in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// How many lines there were.
    pub lines: u64,
    /// The first time in it, as it stands there.
    pub from: Option<String>,
    /// The last time in it.
    pub to: Option<String>,
    /// Whose log it seems to be; empty where no line is of a program that is known here.
    pub components: Vec<Component>,
    /// What ipamd last told of the addresses of each node, one for each network card.
    pub nodes: Vec<NodeCapacity>,
}

/// Reads the log `name` to its end.
///
/// Bytes that are not UTF-8 are replaced, and of a line longer than 16 KiB the rest is passed over. A line that nobody knows
/// is counted and nothing more.
///
/// # Errors
///
/// Where `input` cannot be read.
pub fn read(name: &str, input: impl BufRead) -> io::Result<LogReport> {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(rows()));
    let mut tally = Tally::new(&TABLE);
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next()? {
        tally.add(&line);
    }
    Ok(judge::judge(name, &tally))
}

impl Display for LogReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.report, self.overview)
    }
}

impl Display for Overview {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let components: Vec<&str> = self.components.iter().map(|component| component.name()).collect();
        let of = if components.is_empty() { "no program that is known here".to_owned() } else { components.join(", ") };
        write!(f, "{} lines of {of}", self.lines)?;
        if let (Some(from), Some(to)) = (&self.from, &self.to) {
            write!(f, ", {from} to {to}")?;
        }
        writeln!(f)?;
        self.nodes.iter().try_for_each(|node| writeln!(f, "{node}"))
    }
}
