use headroom_capacity::budget::NodeKind;
use serde_json::{Value, json};

use super::*;

fn labels(of: &[(&str, &str)]) -> Labels {
    of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Of a pod in namespace `shop` with labels `app: web, rev: 7`.
fn ties(spec: Value) -> Ties {
    Ties::of_spec(spec, "shop", &labels(&[("app", "web"), ("rev", "7")])).unwrap()
}

fn away_from(term: Value) -> Ties {
    ties(json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}))
}

#[test]
fn a_term_is_about_the_pods_that_it_selects_where_it_looks() {
    let by_app = json!({"matchLabels": {"app": "web"}});
    for (term, here, elsewhere) in [
        (json!({"topologyKey": "z", "labelSelector": by_app}), true, false),
        (json!({"topologyKey": "z", "labelSelector": by_app, "namespaces": ["other"]}), false, true),
        (json!({"topologyKey": "z", "labelSelector": by_app, "namespaceSelector": {}}), true, true),
        (json!({"topologyKey": "z", "labelSelector": {}}), true, false),
        (json!({"topologyKey": "z"}), false, false),
        (
            json!({"topologyKey": "z", "labelSelector": {"matchExpressions": [
                {"key": "app", "operator": "NotIn", "values": ["db"]}, {"key": "rev", "operator": "DoesNotExist"}]}}),
            true,
            false,
        ),
    ] {
        let ties = away_from(term.clone());
        let [one] = &ties.anti_affinity[..] else { panic!("{ties:?}") };
        let web = labels(&[("app", "web")]);
        assert_eq!((one.matches("shop", &web), one.matches("other", &web)), (here, elsewhere), "{term}");
        assert!(!one.matches("shop", &labels(&[("app", "db"), ("rev", "1")])) || term["labelSelector"] == json!({}));
        assert!(!ties.beyond);
    }
}

#[test]
fn only_what_must_hold_counts_and_what_is_not_read_is_beyond() {
    let preferred = json!([{"weight": 1, "podAffinityTerm": {"topologyKey": "x"}}]);
    let soft = json!({"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway"}]});
    assert_eq!(ties(soft), Ties::default());
    let by_labels = json!({"topologyKey": "z", "namespaceSelector": {"matchLabels": {"team": "a"}}});
    assert!(away_from(by_labels.clone()).beyond, "labels of namespaces are not watched");
    for named in [json!([]), json!(["shop"])] {
        let mut term = by_labels.clone();
        (term["labelSelector"], term["namespaces"]) = (json!({"matchLabels": {"app": "web"}}), named);
        let apart = away_from(term);
        let repels = |app: &str| apart.anti_affinity[0].matches("anywhere", &labels(&[("app", app)]));
        assert!(repels("web") && !repels("db"), "whom it may be about, it is about");
    }
    assert!(ties(json!({"resourceClaims": [{"name": "gpu"}]})).beyond);
}

#[test]
fn a_spread_counts_its_own_revision_where_it_asks_for_that() {
    let of = |constraint: Value| ties(json!({"topologySpreadConstraints": [constraint]})).spread.remove(0);
    let spread = of(json!({"maxSkew": 2, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}}, "matchLabelKeys": ["rev", "absent"]}));
    assert_eq!((spread.max_skew, spread.min_domains), (2, 1));
    assert!(spread.counts(&labels(&[("app", "web"), ("rev", "7")])));
    assert!(!spread.counts(&labels(&[("app", "web"), ("rev", "6")])));
    let all = of(json!({"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}));
    assert!(all.selects(&labels(&[])) && !all.counts(&labels(&[])));
}

#[test]
fn a_spread_leaves_out_nodes_by_its_policies() {
    let mut node = Node::ready("n", NodeKind::Linux, 10);
    node.taints.push(crate::Taint { key: "k".into(), value: String::new(), effect: "NoSchedule".into() });
    let select = json!({"nodeSelector": {"disk": "ssd"}});
    let placement = Placement::of_spec(select).unwrap();
    for (affinity, taints, included) in
        [(None, None, false), (Some("Ignore"), None, true), (Some("Ignore"), Some("Honor"), false)]
    {
        let mut constraint = json!({"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"});
        if let Some(policy) = affinity {
            constraint["nodeAffinityPolicy"] = policy.into();
        }
        if let Some(policy) = taints {
            constraint["nodeTaintsPolicy"] = policy.into();
        }
        let ties = ties(json!({"topologySpreadConstraints": [constraint]}));
        assert_eq!(ties.spread[0].includes(&placement, &node), included, "{affinity:?} {taints:?}");
    }
}

#[test]
fn ports_and_devices_of_containers_that_run_together_count() {
    let port = |number: u32| json!({"ports": [{"containerPort": 80, "hostPort": number}, {"containerPort": 81}]});
    let mut sidecar = port(2);
    sidecar["restartPolicy"] = "Always".into();
    sidecar["resources"] = json!({"requests": {"example.com/dev": "1"}});
    let mut main = port(1);
    main["resources"] = json!({"requests": {"cpu": "1", "example.com/dev": "2", "ephemeral-storage": "1Gi",
        "vpc.amazonaws.com/pod-eni": "1"}});
    let ties = ties(json!({"containers": [main], "initContainers": [port(3), sidecar]}));
    assert_eq!(ties.ports.iter().map(|port| port.port).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(ties.extended, [("ephemeral-storage".to_owned(), 1 << 30), ("example.com/dev".to_owned(), 3)].into());
}
