//! `headroom-advisor what-if`: the same cluster under other settings, side by side.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use headroom_capacity::subnet::usable_ips;
use headroom_shell::config::ConfigFile as _;

use super::ask::{Advisor, print};
use crate::what_if::{Count, Fleet, VARIABLES, count};

/// What to change, and in which cluster.
#[derive(Debug, Args)]
pub(super) struct WhatIf {
    /// A variable of aws-node, such as WARM_IP_TARGET=5 or ENABLE_PREFIX_DELEGATION=true; NAME= takes it away. May be given several
    /// times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = variable)]
    set: Vec<(String, String)>,
    /// Another prefix length of every subnet, such as 22.
    #[arg(long, value_name = "LENGTH", value_parser = clap::value_parser!(u8).range(16..=28))]
    subnet_length: Option<u8>,
    /// Another max-pods of every node: with prefix delegation nodes are usually given 110.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    max_pods: Option<u32>,
    #[command(flatten)]
    advisor: Advisor,
    /// A file with the cluster instead, in the form that --print gives.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Prints the cluster as a file to begin with, and nothing else.
    #[arg(long)]
    print: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE, such as WARM_IP_TARGET=5")?;
    if !VARIABLES.contains(&name) {
        return Err(format!("'{name}' does not bear on addresses; what does: {}", VARIABLES.join(", ")));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Counts and shows.
pub(super) async fn what_if(args: WhatIf) -> Result<()> {
    let now = match &args.scenario {
        Some(path) => Fleet::load(Some(path)).with_context(|| format!("--scenario '{}'", path.display()))?,
        None => {
            let missing =
                |addr: &str| format!("no answer from {addr}; --advisor names another advisor, --scenario a file");
            args.advisor.ask("/fleet", missing).await?
        }
    };
    if args.print {
        return print(&now.to_yaml()?);
    }
    let then = changed(&now, &args);
    if then == now {
        bail!("nothing to compare: give --set, --subnet-length or --max-pods");
    }
    let (now, then) = (count(&now)?, count(&then)?);
    if args.json {
        let rows =
            now.iter().map(|(id, count)| (id, serde_json::json!({ "now": json(count), "then": json(&then[id]) })));
        let rows = serde_json::Value::Object(rows.map(|(id, row)| (id.clone(), row)).collect());
        return print(&format!("{rows:#}\n"));
    }
    print(&table(&now, &then))
}

fn changed(fleet: &Fleet, args: &WhatIf) -> Fleet {
    let mut fleet = fleet.clone();
    for (name, value) in &args.set {
        if value.is_empty() {
            fleet.cni.remove(name);
        } else {
            fleet.cni.insert(name.clone(), value.clone());
        }
    }
    if let Some(length) = args.subnet_length {
        fleet.subnets.iter_mut().for_each(|subnet| subnet.usable_ips = usable_ips(length).get());
    }
    if let Some(max_pods) = args.max_pods {
        fleet.nodes.iter_mut().for_each(|nodes| nodes.max_pods = max_pods);
    }
    fleet
}

fn json(count: &Count) -> serde_json::Value {
    serde_json::json!({
        "usable_ips": count.usable.get(),
        "held_ips": count.held.get(),
        "warm_ips": count.warm.get(),
        "prefixes": count.prefixes.get(),
        "pods": count.pods,
        "more_nodes": count.more_nodes,
    })
}

/// A block for each subnet; a line says so where the addresses would not be enough.
fn table(now: &BTreeMap<String, Count>, then: &BTreeMap<String, Count>) -> String {
    let mut text = String::new();
    for (id, now) in now {
        let then = &then[id];
        let rows: [(&str, u32, u32); 6] = [
            ("addresses that can be held", now.usable.get(), then.usable.get()),
            ("addresses held", now.held.get(), then.held.get()),
            ("of these warm", now.warm.get(), then.warm.get()),
            ("/28 prefixes", now.prefixes.get(), then.prefixes.get()),
            ("pods that these nodes can have", now.pods, then.pods),
            ("more nodes like these", now.more_nodes, then.more_nodes),
        ];
        text.push_str(&format!("{id:<32}{:>8}{:>8}\n", "now", "then"));
        for (name, now, then) in rows {
            text.push_str(&format!("  {name:<30}{now:>8}{then:>8}\n"));
        }
        if then.held > then.usable {
            let short = (then.held.saturating_sub(then.usable)).get();
            text.push_str(&format!("  {short} addresses would be missing: some pods of these nodes would hang\n"));
        }
    }
    text.push_str("Counted as if every node was new: what a pool has grown by before goes only with the node.\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: &str = "subnets: [{ id: a, usable_ips: 251 }]
nodes: [{ instance_type: m5.large, subnet: a, max_pods: 29, pods_each: 8, count: 10 }]
";

    fn args(set: &[(&str, &str)]) -> WhatIf {
        WhatIf {
            set: set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            subnet_length: Some(28),
            max_pods: None,
            advisor: Advisor::default(),
            scenario: None,
            print: false,
            json: false,
        }
    }

    #[test]
    fn both_are_shown_side_by_side() {
        let now = Fleet::parse(FLEET).unwrap();
        let then = changed(&now, &args(&[("WARM_IP_TARGET", "5"), ("MINIMUM_IP_TARGET", "10")]));
        assert_eq!(
            table(&count(&now).unwrap(), &count(&then).unwrap()),
            "a                                    now    then
  addresses that can be held         251      11
  addresses held                     200     150
  of these warm                      100      50
  /28 prefixes                         0       0
  pods that these nodes can have     225       0
  more nodes like these                2       0
  139 addresses would be missing: some pods of these nodes would hang
Counted as if every node was new: what a pool has grown by before goes only with the node.
"
        );
    }

    #[test]
    fn a_variable_can_be_taken_away() {
        let mut fleet = Fleet::parse(FLEET).unwrap();
        fleet.cni.insert("WARM_IP_TARGET".to_owned(), "5".to_owned());
        assert!(changed(&fleet, &args(&[("WARM_IP_TARGET", "")])).cni.is_empty());
        assert_eq!(variable("MAX_ENI=b=c"), Ok(("MAX_ENI".to_owned(), "b=c".to_owned())));
        assert!(variable("MAX_ENI").is_err() && variable("WARM_IP_TARGTE=5").is_err());
    }
}
