//! `headroom-advisor probe`: whether AWS can be reached from here, stage by stage, and what to change.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use headroom_reach::{Ladder, Report};
use headroom_shell::config::ConfigFile as _;

use super::ask::{Output, show};
use crate::aws::Connection;
use crate::config::Config;
use crate::inventory::Inventory;
use crate::reachability::Prober;
use crate::run::RunError;

/// What to probe and how to show it.
#[derive(Debug, Args)]
pub(super) struct Probe {
    /// YAML file of the advisor; without one, every key has its default.
    #[arg(long, value_name = "FILE", env = "HEADROOM_ADVISOR_CONFIG")]
    config: Option<PathBuf>,
    /// Tables for people, or JSON.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// Probes and shows; whether every endpoint passed.
pub(super) async fn probe(args: Probe) -> Result<bool> {
    let Probe { config, output } = args;
    let config = match config {
        Some(path) => Config::load(Some(&path))?,
        // The cluster's name does not matter here.
        None => Config::default(),
    };
    let connection = Connection::without_check(&config.aws).await.map_err(RunError::Aws)?;
    let prober = Prober::new(connection, &config).await.map_err(RunError::Endpoint)?;
    let (ladders, _) = prober.round(&Inventory::default()).await;
    let reports: Vec<Report> = ladders.iter().map(Report::from).collect();
    show(&reports, output, |reports| reports.iter().map(table).collect::<Vec<_>>().join("\n"))?;
    Ok(ladders.iter().all(Ladder::passed))
}

fn table(report: &Report) -> String {
    let verdict = report.diagnosis.as_ref().map_or("passed".to_owned(), |found| format!("failed: {}", found.cause));
    let mut text = format!("{}  {}  {verdict}\n", report.endpoint, report.url);
    let row = |cells: [&str; 5]| {
        let [stage, outcome, target, took, found] = cells;
        let line = format!("  {stage:<16}{outcome:<9}{target:<42}{took:>9}  {found}");
        line.trim_end().to_owned() + "\n"
    };
    text.push_str(&row(["STAGE", "OUTCOME", "ASKED", "TIME", "FOUND"]));
    for stage in &report.stages {
        for (index, step) in stage.steps.iter().enumerate() {
            let name = if index == 0 { stage.stage } else { "" };
            let took = if step.took_ms > 0.0 { format!("{:.1} ms", step.took_ms) } else { String::new() };
            text.push_str(&row([name, step.outcome, &step.target, &took, &step.detail]));
        }
    }
    for warning in &report.warnings {
        text.push_str(&format!("  warning: {}: {}: {}\n", warning.cause, warning.found, warning.remedy));
    }
    if let Some(found) = &report.diagnosis {
        text.push_str(&format!("  {}: {}\n  what to do: {}\n", found.stage, found.found, found.remedy));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headroom_reach::{Cause, Endpoint, Kind, Nameserver, Outcome, Service, Skip, Stage, Step, Target, Transport};

    use super::*;

    #[test]
    fn a_row_for_each_step_and_what_to_do() {
        let nameserver =
            |address: &str, kind, configured| Nameserver { address: address.parse().unwrap(), kind, configured };
        let asked = |nameserver| Target::Nameserver { nameserver, transport: Transport::Udp, searched: false };
        let step =
            |stage, target, outcome, millis| Step { stage, target, outcome, took: Duration::from_millis(millis) };
        let passed = |detail: &str| Outcome::Passed { detail: detail.to_owned() };
        let failed = |cause, detail: &str| Outcome::Failed { cause, detail: detail.to_owned() };
        let steps = vec![
            step(Stage::ResolverConfig, Target::ResolverConfig, passed("nameserver 10.100.0.10; search -; ndots:5"), 0),
            step(
                Stage::Nameserver,
                asked(nameserver("10.100.0.10:53", Kind::Cluster, true)),
                failed(Cause::DnsTimeout, "timed out after 3 s"),
                3000,
            ),
            step(
                Stage::Nameserver,
                asked(nameserver("169.254.169.253:53", Kind::Vpc, false)),
                passed("54.239.29.25"),
                2,
            ),
            step(
                Stage::SystemResolver,
                Target::SystemResolver,
                failed(Cause::SystemTimeout, "timed out after 5 s"),
                5000,
            ),
            step(Stage::Tcp, Target::Addresses, Outcome::Skipped { why: Skip::NoAddress }, 0),
        ];
        let endpoint = Endpoint::parse(Service::AutoScaling, "https://autoscaling.us-west-2.amazonaws.com").unwrap();
        assert_eq!(
            table(&Report::from(&Ladder { endpoint, steps })),
            "autoscaling  https://autoscaling.us-west-2.amazonaws.com  failed: dns_timeout
  STAGE           OUTCOME  ASKED                                          TIME  FOUND
  resolver_config passed   /etc/resolv.conf                                     nameserver 10.100.0.10; search -; ndots:5
  nameserver      failed   10.100.0.10 UDP                           3000.0 ms  timed out after 3 s
                  passed   169.254.169.253 UDP                          2.0 ms  54.239.29.25
  system_resolver failed   getaddrinfo                               5000.0 ms  timed out after 5 s
  tcp             skipped  all addresses                                        there is no address
  nameserver: 10.100.0.10 timed out after 3 s; the VPC resolver answers
  what to do: set dnsPolicy: Default, or fix CoreDNS (its pods, network policies, and its forward)
"
        );
    }
}
