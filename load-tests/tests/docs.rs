//! Documents that repeat what the code says, held against it. `HEADROOM_UPDATE_DOCS=1` writes the tables between the markers
//! anew.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headroom_advisor::binding::{Binding, GroupBinding};
use headroom_advisor::cloudwatch::catalog::{FIGURES, Scope};
use headroom_advisor::cloudwatch::cni_helper::HELPER_FIGURES;
use headroom_advisor::headroom::Headroom;
use headroom_advisor::inventory::ReadAt;
use headroom_advisor::ledger::{Ledger, SubnetAccount};
use headroom_advisor::outlook::{Observed, Outlook, ToCome, foresee};
use headroom_advisor::plan::Refusal;
use headroom_capacity::settings::CniSettings;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_capacity::units::{Ips, Prefixes};
use headroom_capacity::verdict::Reason;
use headroom_extender::config::ConfigFile as _;
use headroom_forecast::Series;
use headroom_reach::{Cause, Endpoint, Ladder, Service};
use headroom_shell::tls::Tls;
use serde::Serialize;
use serde_json::Value;

#[test]
fn every_reason_has_its_row() {
    let page = include_str!("../../docs/extender.md");
    let section = page.split("\n## ").find(|section| section.starts_with("Reasons")).unwrap_or_default();
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let label = cells.next()?.trim_end_matches('`');
        let (message, remedy) = (cells.next()?, cells.next()?);
        assert!(!remedy.is_empty(), "{label} says what to do");
        Some((label, message))
    });
    let rows: Vec<(&str, &str)> = rows.collect();
    let want: Vec<(&str, &str)> = Reason::ALL.iter().map(|reason| (reason.label(), reason.as_str())).collect();
    assert_eq!(rows, want);
}

#[test]
fn every_metric_has_its_row() {
    let advisor = headroom_advisor::metrics::Metrics::new();
    advisor.published(Arc::new(example_ledger()), Arc::new(example_headroom()), &ReadAt::default());
    Service::ALL.into_iter().for_each(|service| advisor.probed(&example_ladder(service)));
    advisor.foreseen(Arc::new(example_outlook()), Duration::ZERO);
    check_table("docs/metrics.md", "advisor", &metrics_table(&advisor.encode().unwrap()));
    let extender = headroom_extender::metrics::Metrics::new();
    extender.served.expires("server", 1);
    extender.served.expires("client_ca", 1);
    extender.feed_told(Time::ZERO);
    check_table("docs/metrics.md", "extender", &metrics_table(&extender.encode(0, 0, 0).unwrap()));
}

#[test]
fn every_cloudwatch_metric_has_its_row() {
    let mut own = "| metric | unit | dimensions | meaning |\n|---|---|---|---|\n".to_owned();
    for figure in FIGURES {
        let scopes: Vec<&str> = figure.scopes.iter().copied().map(Scope::label).collect();
        let scopes = scopes.join("; ");
        writeln!(own, "| `{}` | {} | {scopes} | {} |", figure.name, figure.unit.label(), figure.meaning).unwrap();
    }
    check_table("docs/cloudwatch.md", "headroom", &own);
    let mut helper = "| metric | in ipamd | source | meaning |\n|---|---|---|---|\n".to_owned();
    for figure in HELPER_FIGURES {
        let source = if figure.needs_ipamd() { "ipamd" } else { "EC2 and Kubernetes" };
        writeln!(helper, "| `{}` | `{}` | {source} | {} |", figure.name, figure.ipamd, figure.meaning).unwrap();
    }
    check_table("docs/cloudwatch.md", "cni-metrics-helper", &helper);
}

#[test]
fn every_refusal_has_its_row() {
    let mut table = "| reason | meaning |\n|---|---|\n".to_owned();
    for refusal in Refusal::ALL {
        writeln!(table, "| `{}` | {refusal} |", refusal.label()).unwrap();
    }
    check_table("docs/scaling.md", "refusals", &table);
}

#[test]
fn every_cause_has_its_row() {
    let mut table = "| stage | cause | meaning | what to do |\n|---|---|---|---|\n".to_owned();
    for cause in Cause::ALL {
        let (stage, label) = (cause.stage().label(), cause.label());
        writeln!(table, "| `{stage}` | `{label}` | {} | {} |", cause.meaning(), cause.remedy()).unwrap();
    }
    check_table("docs/reachability.md", "causes", &table);
}

/// Leaves of a configuration by path, as YAML writes them.
fn leaves(value: &Value, path: &str, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(value, &path, into);
            }
        }
        // What has no default is empty in the type's own.
        Value::String(text) if text.is_empty() => drop(into.insert(path.to_owned(), "required".to_owned())),
        Value::String(text) => drop(into.insert(path.to_owned(), format!("`{text}`"))),
        other => drop(into.insert(path.to_owned(), format!("`{other}`"))),
    }
}

#[test]
fn the_pages_list_every_key_with_its_default_and_range() {
    let tls = Tls { cert_file: "".into(), key_file: "".into(), client_ca_file: None };
    let advisor = headroom_advisor::config::Config { tls: Some(tls.clone()), ..Default::default() };
    check_keys(include_str!("../../docs/advisor.md"), &advisor, &advisor.bounds());
    let extender = headroom_extender::config::Config { tls: Some(tls), ..Default::default() };
    check_keys(include_str!("../../docs/extender.md"), &extender, &extender.bounds());
}

/// Holds the section "Configuration" of a page against a configuration that has every key.
fn check_keys(page: &str, config: &impl Serialize, ranges: &BTreeMap<&str, String>) {
    let mut defaults = BTreeMap::from([("tls".to_owned(), "`null`".to_owned())]);
    leaves(&serde_json::to_value(config).unwrap(), "", &mut defaults);
    let section = page.split("\n## ").find(|section| section.starts_with("Configuration")).unwrap_or_default();
    let mut rows = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [key, default, range, meaning] = cells[..] else { panic!("four cells: {line}") };
        assert!(!meaning.is_empty(), "{line}");
        let key = key.trim_matches('`');
        assert_eq!(range, ranges.get(key).map_or("", String::as_str), "{key}");
        assert_eq!(rows.insert(key.to_owned(), default.to_owned()), None, "{key} has one row");
    }
    assert_eq!(rows, defaults);
}

/// What stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.
fn check_table(page: &str, name: &str, want: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{page} has no {begin}"));
    let (table, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{page} has no {end}"));
    if std::env::var_os("HEADROOM_UPDATE_DOCS").is_some() && table != want {
        std::fs::write(&path, format!("{before}{begin}{want}{end}{after}")).unwrap();
    } else {
        let how = "run HEADROOM_UPDATE_DOCS=1 cargo test -p headroom-load-tests --test docs";
        assert_eq!(table, want, "{page} is not what the code says; {how}");
    }
}

#[derive(Default)]
struct Family {
    kind: String,
    help: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// Labels whose values are the cluster's own.
const OPEN: [&str; 4] = ["asg", "az", "subnet", "version"];
/// Sets with more values are not written out.
const MOST_VALUES: usize = 14;

/// A table out of the text that Prometheus gets: the page cannot tell anything else.
fn metrics_table(text: &str) -> String {
    let mut families: Vec<(String, Family)> = Vec::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            families
                .push((name.to_owned(), Family { help: help.trim_end_matches('.').to_owned(), ..Family::default() }));
        } else if let Some((_, family)) = families.last_mut() {
            if let Some((_, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                kind.clone_into(&mut family.kind);
            } else if let Some((_, labels)) = line.split_once('{') {
                let labels = labels.rsplit_once('}').unwrap().0;
                for (label, value) in labels.split(',').filter_map(|label| label.split_once('=')) {
                    if label != "le" {
                        family.labels.entry(label.to_owned()).or_default().insert(value.trim_matches('"').to_owned());
                    }
                }
            }
        }
    }
    let mut table = "| metric | type | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for (name, family) in families {
        let suffix = match family.kind.as_str() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let labels: Vec<String> = family.labels.iter().map(|(label, values)| label_cell(label, values)).collect();
        writeln!(table, "| `{name}{suffix}` | {} | {} | {} |", family.kind, labels.join("; "), family.help).unwrap();
    }
    table
}

fn label_cell(label: &str, values: &BTreeSet<String>) -> String {
    if OPEN.contains(&label) || values.len() > MOST_VALUES {
        return format!("`{label}`");
    }
    let values: Vec<&str> = values.iter().map(|value| if value.is_empty() { "empty" } else { value }).collect();
    format!("`{label}`: {}", values.join(", "))
}

fn example_ledger() -> Ledger {
    let subnet = SubnetAccount {
        cidr: Cidr::parse("10.0.0.0/24").unwrap(),
        az: "us-west-2a".into(),
        reserved: Ips(5),
        cidr_reserved: Ips::ZERO,
        held: [Ips::ZERO; 8],
        free_ips: Ips(251),
        free_prefixes: Prefixes(14),
        in_flight_ips: Ips::ZERO,
        in_flight_prefixes: Prefixes::ZERO,
        reported_free: Ips(251),
        conflicts: Ips::ZERO,
    };
    Ledger { subnets: BTreeMap::from([("subnet-a".into(), subnet)]), ..Ledger::default() }
}

fn example_outlook() -> Outlook {
    let (ledger, settings) = (example_ledger(), CniSettings::shipped());
    let past = Series { start_secs: 0, step_secs: 300, values: Vec::new() };
    let id = "subnet-a".into();
    let (used, pods, others, to_come) = (&past, &past, &past, &ToCome::default());
    let observed = Observed { id: &id, ledger: &ledger, settings: &settings, used, pods, others, to_come };
    let subnet = foresee(&observed).expect("it is in the books");
    let groups = BTreeMap::from([("workers".into(), GroupBinding::default())]);
    let binding = Binding { groups, ..Binding::default() };
    Outlook { subnets: BTreeMap::from([(id.clone(), subnet)]), binding, ..Outlook::default() }
}

fn example_ladder(service: Service) -> Ladder {
    let endpoint = Endpoint::parse(service, "https://example.com").unwrap();
    Ladder { endpoint, steps: Vec::new() }
}

fn example_headroom() -> Headroom {
    Headroom {
        by_az: BTreeMap::from([("us-west-2a".into(), 1)]),
        by_group: BTreeMap::from([("workers".into(), 1)]),
        ..Headroom::default()
    }
}

/// The table of keys is the block of YAML in the section; a key without a comment says nothing.
#[test]
fn the_feeds_configuration_is_told_with_its_defaults() {
    let page = include_str!("../../docs/extender.md");
    let section = page.split("\n## ").find(|section| section.starts_with("The advisor's feed")).unwrap_or_default();
    let block = section.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
    let told = headroom_extender::config::Config::parse(block).expect("the block is a configuration");
    assert_eq!(told, headroom_extender::config::Config::default());
    let written = headroom_extender::config::Config::default().to_yaml().expect("a configuration can be written");
    let keys = |text: &str| -> Vec<String> {
        let lines = text.lines().skip_while(|line| *line != "feed:").skip(1).take_while(|line| line.starts_with("  "));
        lines.filter_map(|line| Some(line.trim().split_once(':')?.0.to_owned())).collect()
    };
    assert_eq!(keys(block), keys(&written));
    assert!(block.lines().filter(|line| line.starts_with("  ")).all(|line| line.contains(" # ")));
}
