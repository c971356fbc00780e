//! `deploy/prometheus` and `deploy/dashboards`: names against the catalogue of metrics, links against the pages.

use std::collections::BTreeSet;

use serde_json::Value;

use super::metrics::Catalog;
use super::promql::unknown;
use super::{has_heading, list, path, read, text, yaml};

const RULES: &str = "deploy/prometheus/headroom.rules.yaml";
const TESTS: &str = "deploy/prometheus/headroom.tests.yaml";
const DASHBOARD: &str = "deploy/dashboards/headroom.json";

fn rules() -> Vec<Value> {
    let groups = yaml(&read(RULES))["groups"].clone();
    list(&groups).iter().flat_map(|group| list(&group["rules"]).to_vec()).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).unwrap()
}

#[test]
fn rules_name_metrics_labels_and_values_that_there_are() {
    let catalog = Catalog::read();
    for rule in rules() {
        let alert = text(&rule["alert"]);
        assert_eq!(unknown(text(&rule["expr"]), &catalog), Vec::<String>::new(), "{alert}");
        for annotation in ["summary", "description"] {
            let words = text(&rule["annotations"][annotation]).split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for metric in words.filter(|word| word.starts_with("headroom_")) {
                assert!(catalog.has(metric), "{alert}: {annotation} names {metric}");
            }
        }
    }
}

#[test]
fn rules_are_tried_on_series_that_there_are() {
    let catalog = Catalog::read();
    let tests = yaml(&read(TESTS))["tests"].clone();
    let series = list(&tests).iter().flat_map(|test| list(&test["input_series"]));
    for series in series.map(|series| text(&series["series"])).filter(|series| series.starts_with("headroom_")) {
        // Subnets and zones are the test's own.
        assert_eq!(unknown(series, &catalog), Vec::<String>::new());
    }
    let tried: BTreeSet<&str> = list(&tests)
        .iter()
        .flat_map(|test| list(&test["alert_rule_test"]))
        .filter(|one| !list(&one["exp_alerts"]).is_empty())
        .map(|one| text(&one["alertname"]))
        .collect();
    for rule in rules().iter().filter(|rule| text(&rule["labels"]["severity"]) == "critical") {
        let alert = text(&rule["alert"]);
        assert!(tried.contains(alert), "{alert} wakes people and no test makes it fire");
    }
}

#[test]
fn each_alert_says_what_to_do_and_has_its_row() {
    let page = read("docs/alarms.md");
    for rule in rules() {
        let (alert, severity) = (text(&rule["alert"]), text(&rule["labels"]["severity"]));
        assert!(["critical", "warning", "info"].contains(&severity), "{alert}: {severity}");
        let runbook = text(&rule["annotations"]["runbook"]);
        let (file, fragment) = runbook.split_once('#').unwrap_or((runbook, ""));
        assert!(path(file).is_file(), "{alert}: there is no {file}");
        assert!(fragment.is_empty() || has_heading(&read(file), fragment), "{alert}: {file} has no heading {fragment}");
        assert!(page.contains(&format!("| `{alert}` | {severity} |")), "docs/alarms.md has no row for {alert}");
    }
}

/// The alert of the page on forecasts is the shipped one but for what tells several advisors and clusters apart.
#[test]
fn the_page_on_forecasts_has_the_shipped_thresholds() {
    let rules = rules();
    let shipped = rules.iter().find(|rule| text(&rule["alert"]) == "HeadroomSubnetRunsOut").unwrap();
    let page = read("docs/forecast.md");
    let example = page.split("- alert: SubnetRunsOut").nth(1).unwrap().split("```").next().unwrap();
    for part in ["< 48 * 3600", "offset 2d", "quantile=\"0.1\""] {
        assert!(example.contains(part) && text(&shipped["expr"]).contains(part), "{part}");
    }
    assert!(example.contains(&format!("for: {}", text(&shipped["for"]))));
}

#[test]
fn the_dashboard_shows_series_that_there_are() {
    let (catalog, dashboard) = (Catalog::read(), dashboard());
    let panels = list(&dashboard["panels"]).iter().filter(|panel| text(&panel["type"]) != "row");
    let mut shown = 0;
    for panel in panels {
        let title = text(&panel["title"]);
        assert!(!text(&panel["description"]).is_empty(), "{title}");
        for target in list(&panel["targets"]) {
            let expr = text(&target["expr"]);
            assert_eq!(unknown(expr, &catalog), Vec::<String>::new(), "{title}");
            let legend = target["legendFormat"].as_str().unwrap_or_default();
            for label in legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
                assert!(expr.contains(label), "{title}: {legend} of {expr}");
            }
            shown += 1;
        }
    }
    assert!(shown > 30, "{shown}");
}

#[test]
fn the_dashboards_variables_are_asked_of_series_that_there_are_and_are_used() {
    let (catalog, dashboard) = (Catalog::read(), dashboard());
    let panels = dashboard["panels"].to_string();
    for variable in list(&dashboard["templating"]["list"]) {
        let name = text(&variable["name"]);
        assert!(panels.contains(&format!("${name}")) || panels.contains(&format!("${{{name}}}")), "{name} is not used");
        if text(&variable["type"]) == "query" {
            assert_eq!(unknown(text(&variable["definition"]), &catalog), Vec::<String>::new(), "{name}");
        }
    }
    let ids: BTreeSet<u64> = list(&dashboard["panels"]).iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), list(&dashboard["panels"]).len(), "Grafana loses panels that share a number");
}
