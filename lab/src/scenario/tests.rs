use std::path::Path;

use super::*;

const GOOD: &str = "vpc: { cidr: 10.0.0.0/16 }
subnets:
  - { name: nodes-a, az: us-west-2a, cidr: 10.0.0.0/24 }
nodeGroups:
  - { name: workers, instanceType: c5.xlarge, count: 2, subnets: [nodes-a] }
";

fn errors(text: &str) -> Vec<String> {
    let error = Scenario::parse("s.yaml", text).expect_err("it is wrong");
    error.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn every_bundled_scenario_is_right_and_described() {
    for (name, _) in BUNDLED {
        let scenario = Scenario::bundled(name).unwrap().unwrap_or_else(|error| panic!("{error}"));
        assert!(!scenario.description.is_empty(), "{name}");
    }
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")).unwrap();
    let yaml = files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|ext| ext == "yaml"));
    assert_eq!(yaml.count(), BUNDLED.len(), "every file is bundled");
}

#[test]
fn the_committed_schema_is_current() {
    let committed = include_str!("../../scenarios/schema.json");
    assert!(committed == schema(), "run `headroom-lab schema > lab/scenarios/schema.json`");
}

#[test]
fn defaults_are_those_of_eks() {
    let scenario = Scenario::parse("s.yaml", GOOD).unwrap();
    let group = &scenario.node_groups[0];
    assert_eq!((group.sizes(), group.effective_max_pods()), ((2, 2, 2), 58));
    let settings = scenario.cni.settings(&scenario.cluster_name);
    assert_eq!((settings.warm_eni_target, settings.warm_prefix_target), (1, 1), "the shipped manifest's");
    assert_eq!(settings.cluster_name.as_deref(), Some("headroom-lab"));
}

#[test]
fn unknown_keys_name_the_nearest_one() {
    let [error] = &errors(&GOOD.replace("instanceType:", "instanceTyp:"))[..] else { panic!("one error") };
    assert!(error.starts_with("s.yaml:5:"), "{error}");
    assert!(error.contains("nodeGroups[0]") && error.contains("unknown key 'instanceTyp'"), "{error}");
    assert!(
        error.contains("did you mean 'instanceType'?") && error.contains("allowed: name, instanceType, count"),
        "{error}"
    );
}

#[test]
fn wrong_values_are_shown_with_their_place_and_form() {
    let [error] = &errors(&format!("{GOOD}workloads: [{{ name: web, at: soon }}]\n"))[..] else { panic!("one error") };
    assert!(
        error.contains("workloads[0].at") && error.contains("'soon' is not a duration such as 250ms, 30s"),
        "{error}"
    );
    let [error] = &errors(&GOOD.replace("10.0.0.0/24", "10.0.0.9/24"))[..] else { panic!("one error") };
    assert!(error.contains("subnets[0].cidr") && error.contains("'10.0.0.9/24' is not an IPv4 CIDR"), "{error}");
    let [error] = &errors(&GOOD.replace("nodeGroups:", "clock: {}\nnodeGroups:"))[..] else { panic!("one error") };
    assert!(error.contains("clock") && error.contains("key 'rate' is missing"), "{error}");
    let fault = "faults: [{ kind: terminateInstanc, at: 1s, nodeGroup: workers }]\n";
    let [error] = &errors(&format!("{GOOD}{fault}"))[..] else { panic!("one error") };
    assert!(error.contains("faults[0]") && error.contains("did you mean 'terminateInstance'?"), "{error}");
}

#[test]
fn everything_that_refers_to_nothing_is_found_at_once() {
    let text = GOOD.replace("subnets: [nodes-a]", "subnets: [node-a]").replace("c5.xlarge", "c5.xlrge")
        + "workloads: [{ name: web, at: 30s, deleteAt: 10s }]\n\
           faults: [{ kind: cordon, at: 1s, nodeGroup: worker }]\n\
           clock: { rate: 0 }\n";
    let errors = errors(&text);
    for part in [
        "nodeGroups[0].subnets[0]: no subnet is named 'node-a', did you mean 'nodes-a'?",
        "nodeGroups[0].instanceType: no table knows 'c5.xlrge', did you mean 'c5.xlarge'?",
        "workloads[0].deleteAt: 10s is not after 'at' (30s)",
        "faults[0].nodeGroup: no node group is named 'worker', did you mean 'workers'?",
        "clock.rate: 0.0 is not allowed; allowed: 0.01 to 100000 lab seconds per real second",
    ] {
        assert!(errors.iter().any(|error| error.contains(part)), "{part}\n{errors:#?}");
    }
}

#[test]
fn blocks_must_nest_and_not_overlap() {
    let more = "  - { name: b, az: us-east-1a, cidr: 10.0.0.128/25, used: 200 }\n  - { name: c, az: us-west-2a, cidr: 10.1.0.0/24 }\nnodeGroups:";
    let errors = errors(&GOOD.replace("nodeGroups:", more));
    for part in [
        "subnets[1].cidr: 10.0.0.128/25 overlaps 10.0.0.0/24 of subnets[0]",
        "subnets[1].az: 'us-east-1a' is not a zone of us-west-2",
        "subnets[1].used: 200 addresses do not fit: 10.0.0.128/25 has 123",
        "subnets[2].cidr: 10.1.0.0/24 is in no block of the VPC",
    ] {
        assert!(errors.iter().any(|error| error.contains(part)), "{part}\n{errors:#?}");
    }
}

#[test]
fn a_group_is_sized_in_one_way() {
    for wrong in ["count: 2, desired: 1", "min: 1", "desired: 1, max: 0"] {
        assert_eq!(errors(&GOOD.replace("count: 2", wrong)).len(), 1, "{wrong}");
    }
}

#[test]
fn what_no_cluster_could_be_is_refused() {
    let two = |text: &str| GOOD.replace("count: 2", text);
    let unknown = |limits: &str| GOOD.replace("c5.xlarge", &format!("x9.y, cpu: 2, memory: 4Gi, limits: {limits}"));
    for (text, part) in [
        (two("count: 4000000000"), "nodeGroups: 4000000000 nodes are too many; allowed: at most 5000 in all"),
        (two("desired: 0, max: 5001"), "nodeGroups: 5001 nodes are too many"),
        (two("count: 2, maxPods: 150001"), "nodeGroups[0].maxPods: 150001 is not allowed; allowed: 1 to 150000"),
        (unknown("{ enis: 0, ipv4PerEni: 10 }"), "nodeGroups[0].limits.enis: 0 is not allowed; allowed: 1 to 256"),
        (unknown("{ enis: 2, ipv4PerEni: 257 }"), "nodeGroups[0].limits.ipv4PerEni: 257 is not allowed"),
        (
            format!("{GOOD}systemPods: [{{ name: a, replicas: 4294967295 }}]\nworkloads: [{{ name: b }}]\n"),
            "workloads: 4294967296 pods are too many; allowed: at most 150000 in all",
        ),
        (format!("{GOOD}clock: {{ rate: 1e300 }}\n"), "clock.rate: 1e300 is not allowed; allowed: 0.01 to 100000"),
        (format!("{GOOD}clock: {{ rate: 1e-300 }}\n"), "clock.rate: 1e-300 is not allowed"),
        (
            GOOD.replace("10.0.0.0/16 }", "10.0.0.0/16, secondaryCidrs: [100.64.0.0/16, 10.0.128.0/17] }"),
            "vpc.secondaryCidrs[1]: 10.0.128.0/17 overlaps 10.0.0.0/16 of the VPC",
        ),
    ] {
        let errors = errors(&text);
        assert!(errors.len() == 1 && errors[0].contains(part), "{part}\n{errors:#?}");
    }
}

#[test]
fn yaml_errors_speak_of_the_file_and_not_of_the_parser() {
    for (text, expected) in [
        (
            GOOD.replace("count: 2", "count: two"),
            "s.yaml:5:54: nodeGroups[0].count: 'two' is not a whole number from 0 to 4294967295",
        ),
        (
            GOOD.replace("count: 2", "count: -2"),
            "s.yaml:5:54: nodeGroups[0].count: '-2' is not a whole number from 0 to 4294967295",
        ),
        (format!("{GOOD}clock: {{ rate: fast }}\n"), "s.yaml:6:16: clock.rate: 'fast' is not a number"),
        (GOOD.replace("count: 2", "count: 2, count: 3"), "s.yaml:5:57: nodeGroups[0]: key 'count' is given twice"),
        (format!("{GOOD}subnets: []\n"), "s.yaml:6:1: key 'subnets' is given twice"),
        (
            "- a\n".to_owned(),
            "s.yaml:1:1: a mapping of keys to values is expected here; `headroom-lab schema` shows which",
        ),
        (String::new(), "s.yaml:1:1: the file is empty; `headroom-lab schema` shows what belongs into it"),
    ] {
        assert_eq!(errors(&text), [expected]);
    }
}
