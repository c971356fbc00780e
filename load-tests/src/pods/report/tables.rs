//! Markdown.

use crate::pods::float;
use crate::pods::placement::Placed;
use crate::pods::placement::quality::Quality;
use crate::pods::sampling::Row;
use crate::pods::throughput::Summary;

/// What it ran on.
pub(super) fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let file = |path| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, key: &str| {
        text.lines().find_map(|line| Some(line.strip_prefix(key)?.trim_start_matches([' ', '\t', ':']).to_owned()))
    };
    let cpu = field(&file("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown CPU".to_owned());
    let memory = field(&file("/proc/meminfo"), "MemTotal").unwrap_or_default();
    format!(
        "Machine: {cpus} CPUs ({cpu}), memory {memory}, Linux {}. etcd, kube-apiserver, kube-scheduler 1.36.3, the peer and the client \
         that counts share it. Ratios are taken within one run and are what counts; absolute rates are of this machine.\n",
        file("/proc/sys/kernel/osrelease").trim()
    )
}

fn thousands(number: usize) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", number / 1000, number % 1000) }
}

pub(super) fn throughput(summaries: &[Summary]) -> String {
    let mut text = "## Throughput\n\nMedian of the turns; peers take turns on one cluster, and `x none` is the median of the ratios within \
                    a round. The last four columns are CPU milliseconds per bound pod.\n\n![pods/s relative to none](throughput.svg)\n\n\
                    | nodes | peer | pods/s | least to most | x none | turns | not bound | etcd, ms CPU | kube-apiserver | kube-scheduler | peer |\n|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for summary in summaries {
        let [median, least, most] = summary.pods_per_s;
        let ratio = summary.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let cpu: String = summary.cpu_ms_per_pod.iter().map(|ms| format!(" {ms:.2} |")).collect();
        text += &format!(
            "| {} | {} | {median:.1} | {least:.1} to {most:.1} | {ratio} | {} | {} |{cpu}\n",
            thousands(summary.nodes),
            summary.peer,
            summary.turns,
            summary.unbound
        );
    }
    text + "\n"
}

/// Mean over the rounds of each peer.
#[derive(Clone, Debug)]
pub(super) struct Mean {
    pub(super) peer: String,
    pub(super) nodes: usize,
    rounds: Vec<Placed>,
}

impl Mean {
    pub(super) fn of(&self, figure: impl Fn(&Quality) -> f64) -> f64 {
        let count = u32::try_from(self.rounds.len()).map_or(f64::INFINITY, f64::from);
        self.rounds.iter().map(|placed| figure(&placed.quality)).sum::<f64>() / count
    }
}

pub(super) fn placement_means(placed: &[Placed]) -> Vec<Mean> {
    let mut means: Vec<Mean> = Vec::new();
    for one in placed {
        match means.iter_mut().find(|mean| mean.peer == one.peer && mean.nodes == one.nodes) {
            Some(mean) => mean.rounds.push(one.clone()),
            None => means.push(Mean { peer: one.peer.clone(), nodes: one.nodes, rounds: vec![one.clone()] }),
        }
    }
    means
}

pub(super) fn placement(means: &[Mean]) -> String {
    type Column = (&'static str, usize, fn(&Quality) -> f64);
    let columns: [Column; 15] = [
        ("pods not bound", 0, |q| float(q.pods - q.bound)),
        ("required rules broken", 0, |q| float(q.broken_rules)),
        ("nodes used", 0, |q| float(q.nodes_used)),
        ("pods per node, stdev", 2, |q| q.pods_per_node_stdev),
        ("pods per node, max", 0, |q| f64::from(q.pods_per_node_max)),
        ("pods per zone, max - min", 0, |q| f64::from(q.zone_skew)),
        ("CPU share per node, stdev", 3, |q| q.cpu_stdev),
        ("CPU share per node, max", 2, |q| q.cpu_max),
        ("worst zone skew of a required spread", 0, |q| f64::from(q.spread_zone_skew)),
        ("preferred spread over hosts, %", 1, |q| 100.0 * q.spread_hosts),
        ("preferred anti-affinity, %", 1, |q| 100.0 * q.prefer_apart),
        ("preferred affinity, %", 1, |q| 100.0 * q.prefer_near),
        ("preferred node affinity, %", 1, |q| 100.0 * q.prefer_disk),
        ("IPs left per node, min / P10", 0, |q| f64::from(q.ips_left_min)),
        ("share of IPs left, min, %", 1, |q| 100.0 * q.ips_left_share_min),
    ];
    let nodes = means.first().map_or(0, |mean| mean.nodes);
    let mut text = format!(
        "## Placement\n\nA mixed workload on {} unequal nodes, mean of the rounds. `headroom:K` offers at most K nodes; 100000 is all.\n\n\
         ![preferences kept](placement.svg)\n\n| |",
        thousands(nodes)
    );
    text += &means.iter().map(|mean| format!(" {} |", mean.peer)).collect::<String>();
    text += &format!("\n|---|{}\n", "--:|".repeat(means.len()));
    for (name, digits, figure) in columns {
        text += &format!("| {name} |");
        for mean in means {
            text += &format!(" {:.digits$}", mean.of(figure));
            if name.ends_with("P10") {
                text += &format!(" / {:.0}", mean.of(|q| f64::from(q.ips_left_p10)));
            }
            text += " |";
        }
        text.push('\n');
    }
    text + "\n"
}

pub(super) fn sampling(rows: &[Row]) -> String {
    let mut text = "## Sampling\n\n95 % of the nodes have no IP left. Lone pods come one after the other while nothing else happens; then \
                    a burst comes at once.\n\n\
                    | nodes | free nodes | percentageOfNodesToScore | lone pods bound | slowest, s | burst bound | half after, s | \
                    all after, s | overbooked nodes |\n|--:|---|---|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for row in rows {
        let outcome = &row.outcome;
        let in_time: Vec<f64> = outcome.lone_secs.iter().flatten().copied().collect();
        let percentage = if row.percentage == 0 { "default".to_owned() } else { row.percentage.to_string() };
        let [half, all] = outcome.burst_secs;
        text += &format!(
            "| {} | {} | {percentage} | {} of {} | {:.2} | {} of {} | {half:.2} | {all:.2} | {} |\n",
            thousands(row.nodes),
            row.free,
            in_time.len(),
            outcome.lone_secs.len(),
            in_time.iter().copied().fold(0.0, f64::max),
            outcome.burst_bound,
            outcome.burst,
            outcome.overbooked,
        );
    }
    text + "\n"
}
