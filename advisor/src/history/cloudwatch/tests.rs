use super::*;
use crate::cloudwatch::catalog::{FIGURES, Scope};

const NOW: u64 = 1_800_000_123;

fn source(kind: Kind) -> Option<Source> {
    Source::of(&SeriesKey::new(kind, "id"), "prod", "Headroom", Some(251.0))
}

#[test]
fn every_metric_of_ours_is_published_in_these_dimensions() {
    let mut checked = 0;
    for source in Kind::ALL.iter().copied().filter_map(source).filter(|source| source.namespace == "Headroom") {
        let names: Vec<&str> = source.dimensions.iter().map(|(name, _)| *name).collect();
        let published = |scope: &Scope| scope.label() == names.join(", ");
        let figure = FIGURES.iter().find(|figure| figure.name == source.metric);
        assert!(figure.is_some_and(|figure| figure.scopes.iter().any(published)), "{source:?}");
        checked += 1;
    }
    assert_eq!(checked, 3);
}

#[test]
fn without_its_capacity_nothing_tells_what_a_subnet_holds() {
    assert_eq!(Source::of(&SeriesKey::new(Kind::SubnetUsedIps, "id"), "prod", "Headroom", None), None);
}

#[test]
fn a_call_has_as_many_metrics_as_cloudwatch_takes() {
    let sources = vec![source(Kind::GroupNodes).unwrap(); 1001];
    let requests = requests(&sources, NOW);
    let shape: Vec<_> = requests.iter().map(|request| (request.sources.len(), request.period_secs())).collect();
    assert_eq!(shape, [(500, 300), (500, 300), (1, 300), (500, 3600), (500, 3600), (1, 3600)]);
    for request in requests {
        let period = u64::try_from(request.period_secs()).unwrap();
        assert_eq!(period, u64::from(request.window.tier.step_secs()));
        assert_eq!((request.window.from_secs % period, request.window.to_secs % period), (0, 0));
    }
}

#[test]
fn held_addresses_are_what_free_ones_leave() {
    let sources = [source(Kind::SubnetUsedIps).unwrap(), source(Kind::GroupPods).unwrap()];
    let request = requests(&sources, NOW)[0];
    let answer = |id: &str, failed, value| Answer { id: id.to_owned(), points: vec![(600, value)], failed };
    let answers = vec![answer("q0", false, 51.0), answer("q0", false, 300.0), answer("q1", true, 7.0)];
    let odd = [answer("q2", false, 1.0), answer("", false, 1.0), answer("é", true, 1.0)];
    let told = request.decode(&Page { answers: [answers, odd.to_vec()].concat(), next: None });
    let values: Vec<f64> = told.points.iter().map(|(_, points)| points[0].1).collect();
    assert_eq!(values, [200.0, 0.0, 7.0], "a subnet that has shrunk held no less than none");
    assert_eq!(told.failed, [sources[1].key.clone()]);
}
