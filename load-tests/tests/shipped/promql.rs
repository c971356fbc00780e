//! What an expression of PromQL names. promtool holds the syntax (`deploy/prometheus/check.sh`); this is about names alone.

use std::collections::BTreeSet;

use super::metrics::Catalog;

/// Labels that a scrape adds, and `le` of histograms.
const SCRAPED: [&str; 6] = ["cluster", "namespace", "job", "instance", "pod", "le"];

/// Every metric of ours, label and value in `expr` that there is not.
pub(crate) fn unknown(expr: &str, catalog: &Catalog) -> Vec<String> {
    let (mut unknown, mut labels, mut found) = (Vec::new(), BTreeSet::from(SCRAPED.map(str::to_owned)), 0);
    let begins = |at: usize| !expr[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    for (at, _) in expr.match_indices("headroom_").filter(|(at, _)| begins(*at)) {
        let name: String = expr[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        found += 1;
        let Some(metric) = catalog.find(&name) else {
            unknown.push(format!("metric {name}"));
            continue;
        };
        labels.extend(metric.labels.keys().cloned());
        let selector = expr[at + name.len()..].strip_prefix('{').and_then(|rest| rest.split('}').next());
        for (label, value) in selector.map(matchers).unwrap_or_default() {
            let Some(values) = metric.labels.get(&label) else {
                if !SCRAPED.contains(&label.as_str()) {
                    unknown.push(format!("label {label} of {name}"));
                }
                continue;
            };
            let is_open = values.is_empty() || value.contains('$');
            for value in value.split('|').filter(|value| !is_open && !values.contains(*value)) {
                unknown.push(format!("value {value} of {label} of {name}"));
            }
        }
    }
    if found == 0 {
        unknown.push("a metric of Headroom's: there is none".to_owned());
    }
    for word in ["by (", "without (", "on (", "ignoring ("] {
        let lists = expr.split(word).skip(1).filter_map(|rest| rest.split(')').next());
        let named = lists.flat_map(|list| list.split(',')).map(str::trim);
        unknown.extend(named.filter(|label| !labels.contains(*label)).map(|label| format!("label {label}")));
    }
    unknown
}

/// Label and value of each matcher; no value of ours has a comma or a quotation mark.
fn matchers(selector: &str) -> Vec<(String, String)> {
    let matcher = |one: &str| {
        let (label, value) = one.split_once('=').unwrap();
        let value = value.trim_start_matches('~').trim().trim_matches('"');
        (label.trim().trim_end_matches('!').trim().to_owned(), value.to_owned())
    };
    selector.split(',').filter(|one| !one.trim().is_empty()).map(matcher).collect()
}

#[test]
fn what_is_not_there_is_found() {
    let catalog = Catalog::read();
    let up = "min by (cluster, endpoint) (headroom_advisor_endpoint_up{endpoint=~\"ec2|sts\", stage!=\"tls\"})";
    assert_eq!(unknown(up, &catalog), Vec::<String>::new());
    let wrong =
        "sum by (zone) (headroom_advisor_endpoint_up{endpoint=~\"ec2|s3\", part=\"enis\"}) + headroom_advisor_up";
    assert_eq!(
        unknown(wrong, &catalog),
        [
            "value s3 of endpoint of headroom_advisor_endpoint_up",
            "label part of headroom_advisor_endpoint_up",
            "metric headroom_advisor_up",
            "label zone"
        ]
    );
    let refused = "headroom_advisor_plan_refused{action=\"scale_in\", reason=\"stale_book\"}";
    assert_eq!(unknown(refused, &catalog), ["value stale_book of reason of headroom_advisor_plan_refused"]);
    assert_eq!(
        unknown("headroom_extender_filter_duration_seconds", &catalog).len(),
        1,
        "a histogram has no such series"
    );
}
