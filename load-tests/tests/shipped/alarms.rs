//! `deploy/alarms`.

use std::collections::{BTreeMap, BTreeSet};

use headroom_advisor::cloudwatch::catalog::{FIGURES, Scope};
use headroom_advisor::config::{CloudWatch, Config};
use headroom_shell::config::ConfigFile as _;
use serde_json::{Map, Value};

use super::{list, read, text, yaml};

const TEMPLATE: &str = "deploy/alarms/headroom-alarms.yaml";

fn resources() -> Map<String, Value> {
    yaml(&read(TEMPLATE))["Resources"].as_object().unwrap().clone()
}

/// Properties of the alarms, by their logical names.
fn alarms() -> BTreeMap<String, Value> {
    let alarms = resources().into_iter().filter(|(_, one)| text(&one["Type"]) == "AWS::CloudWatch::Alarm");
    alarms.map(|(name, one)| (name, one["Properties"].clone())).collect()
}

/// The metric of an alarm with the dimensions that it is looked up by.
fn metric(alarm: &Value) -> (String, BTreeSet<String>) {
    if let Some(name) = alarm["MetricName"].as_str() {
        assert_eq!(text(&alarm["Namespace"]), "Namespace", "the parameter");
        let dimensions = list(&alarm["Dimensions"]).iter().map(|one| {
            assert_eq!(text(&one["Value"]), "ClusterName", "the parameter");
            text(&one["Name"]).to_owned()
        });
        return (name.to_owned(), dimensions.collect());
    }
    let [query] = list(&alarm["Metrics"]) else { panic!("one query: {alarm}") };
    let rest = text(&query["Expression"]).strip_prefix("SELECT MIN(").unwrap();
    let (name, rest) = rest.split_once(") FROM SCHEMA(\"${Namespace}\", ").unwrap();
    let (dimensions, rest) = rest.split_once(')').unwrap();
    assert_eq!(rest.trim(), "WHERE Cluster = '${ClusterName}'");
    (name.to_owned(), dimensions.split(", ").map(str::to_owned).collect())
}

#[test]
fn each_alarm_is_on_a_metric_that_is_published_with_these_dimensions() {
    for (name, alarm) in alarms() {
        let (metric, dimensions) = metric(&alarm);
        let figure = FIGURES.iter().find(|figure| figure.name == metric);
        let figure = figure.unwrap_or_else(|| panic!("{name}: nothing publishes {metric}"));
        let scopes = figure.scopes.iter().map(|scope: &Scope| scope.label().split(", ").map(str::to_owned).collect());
        let scopes: Vec<BTreeSet<String>> = scopes.collect();
        assert!(scopes.contains(&dimensions), "{name}: {metric} is published with {scopes:?}, not with {dimensions:?}");
    }
}

/// A batch that CloudWatch is sent twice changes sums and counts.
#[test]
fn no_alarm_changes_with_a_point_that_arrives_twice() {
    for (name, alarm) in alarms() {
        let statistic = alarm["Statistic"].as_str();
        assert!(statistic.is_none_or(|one| ["Minimum", "Maximum", "Average"].contains(&one)), "{name}: {statistic:?}");
    }
}

#[test]
fn silence_is_the_heartbeats_alone_to_tell() {
    for (name, alarm) in alarms() {
        let missing = text(&alarm["TreatMissingData"]);
        assert_eq!(missing, if name == "Heartbeat" { "breaching" } else { "ignore" }, "{name}");
        for actions in ["AlarmActions", "OKActions"] {
            assert_eq!(list(&alarm[actions]), ["TopicArn"], "{name}");
        }
        // One period without a publication is normal, when another advisor takes over.
        let (of, out_of) = (alarm["DatapointsToAlarm"].as_u64().unwrap(), alarm["EvaluationPeriods"].as_u64().unwrap());
        assert!(2 <= of && of <= out_of, "{name}: {of} of {out_of}");
    }
}

#[test]
fn the_composite_alarm_names_alarms_that_there_always_are() {
    let resources = resources();
    let rule = text(&resources["Stranded"]["Properties"]["AlarmRule"]).to_owned();
    let named: Vec<&str> = rule.split("ALARM(\"${").skip(1).filter_map(|rest| rest.split("}\")").next()).collect();
    assert!(named.len() > 2, "{rule}");
    for name in named {
        assert!(resources.contains_key(name) && resources[name].get("Condition").is_none(), "{name} of {rule}");
    }
}

#[test]
fn parameters_have_the_configurations_defaults_and_ranges() {
    let parameters = yaml(&read(TEMPLATE))["Parameters"].clone();
    let defaults = CloudWatch::default();
    assert_eq!(text(&parameters["Namespace"]["Default"]), defaults.namespace);
    let period = &parameters["PublishPeriod"];
    assert_eq!(period["Default"], defaults.period_secs);
    let accepted = |secs: u64| {
        Config::parse(&format!("cluster_name: a\ncloudwatch: {{enabled: true, period_secs: {secs}}}\n")).is_ok()
    };
    let (least, most) = (period["MinValue"].as_u64().unwrap(), period["MaxValue"].as_u64().unwrap());
    assert_eq!([least - 1, least, most, most + 1].map(accepted), [false, true, true, false]);
}

#[test]
fn the_page_has_a_row_for_each_alarm_with_its_metric() {
    let page = read("docs/alarms.md");
    for (name, alarm) in alarms() {
        let id = text(&alarm["AlarmName"]).strip_prefix("${ClusterName}-").unwrap().to_owned();
        let row = format!("| `{id}` | `{}` |", metric(&alarm).0);
        assert!(page.contains(&row), "docs/alarms.md has no row for {name}: {row}");
    }
    assert!(page.contains("| `headroom-stranded` |"));
}
