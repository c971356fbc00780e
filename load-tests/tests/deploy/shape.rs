//! What can be told without a cluster: the manifests fit together, and fit the code and the docs.

use std::collections::BTreeSet;

use headroom_advisor::config::Mode;
use headroom_extender::config::ConfigFile as _;
use serde_json::{Value, json};

use crate::manifests::{NAMESPACE, Variant, argument, containers, items, port, text, yaml};

#[test]
fn each_configuration_is_one_that_its_program_accepts() {
    let mut modes = BTreeSet::new();
    for variant in Variant::all() {
        let extender = headroom_extender::config::Config::parse(variant.extender_config());
        extender.unwrap_or_else(|error| panic!("{}: {error}", variant.name));
        let advisor = headroom_advisor::config::Config::parse(variant.advisor_config());
        let advisor = advisor.unwrap_or_else(|error| panic!("{}: {error}", variant.name));
        assert_eq!(advisor.warnings(), Vec::<&str>::new(), "{}", variant.name);
        assert_eq!(advisor.cluster_name, "prod");
        modes.insert(format!("{:?}", advisor.scaling.mode));
    }
    // With each of them its permissions are tried.
    assert_eq!(modes, [Mode::Act, Mode::Advise, Mode::Observe].map(|mode| format!("{mode:?}")).into());
}

#[test]
fn kube_scheduler_calls_the_extender_as_its_page_advises() {
    let page = include_str!("../../../docs/extender.md");
    let advised = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let shipped = Variant::read("default").scheduler_config();
    assert_eq!(shipped["extenders"], yaml(advised)["extenders"]);
    for variant in Variant::all() {
        let config = variant.scheduler_config();
        let listens = argument(variant.containers()["extender"], "--listen");
        assert_eq!(text(&config, "/extenders/0/urlPrefix"), format!("http://{listens}/v1"));
        assert!(listens.starts_with("127.0.0.1:"), "the extender answers to nobody but the scheduler beside it");
        let election = &config["leaderElection"];
        let role = variant.find("Role", "headroom-scheduler");
        assert_eq!(election["resourceNamespace"], role["metadata"]["namespace"]);
        assert_eq!(role["rules"][0]["resourceNames"], json!([election["resourceName"]]));
    }
}

#[test]
fn extenders_find_the_advisor_and_know_its_certificate() {
    for variant in Variant::all() {
        let extender = headroom_extender::config::Config::parse(variant.extender_config()).unwrap();
        let advisor = headroom_advisor::config::Config::parse(variant.advisor_config()).unwrap();
        let service = variant.find("Service", "headroom-advisor");
        let grpc = items(&service["spec"], "ports").iter().find(|port| port["name"] == "grpc").unwrap();
        let host = format!("headroom-advisor.{NAMESPACE}.svc");
        let scheme = if advisor.tls.is_some() { "https" } else { "http" };
        assert_eq!(extender.feed.endpoint, [format!("{scheme}://{host}:{}", grpc["port"])], "{}", variant.name);
        for certificate in variant.of_kind("Certificate") {
            assert!(items(&certificate["spec"], "dnsNames").contains(&json!(host)), "{certificate}");
            assert!(
                variant
                    .workloads()
                    .all(|workload| workload.to_string().contains(text(certificate, "/spec/secretName")))
            );
        }
    }
}

/// The numbers stand in arguments; everything else goes by names of ports.
#[test]
fn ports_are_those_that_the_programs_listen_on() {
    for variant in Variant::all() {
        let parts = variant.containers();
        for (container, flag, name) in [
            ("extender", "--admin-listen", "extender-admin"),
            ("advisor", "--grpc-listen", "grpc"),
            ("advisor", "--admin-listen", "admin"),
        ] {
            assert_eq!(argument(parts[container], flag), format!("0.0.0.0:{}", port(parts[container], name)));
        }
        let scheduler = parts["kube-scheduler"];
        assert_eq!(argument(scheduler, "--secure-port"), port(scheduler, "scheduler").to_string());

        let selected = |selector: &Value| -> Vec<&Value> {
            let chosen = variant.workloads().find(|workload| workload["spec"]["selector"]["matchLabels"] == *selector);
            let workload = chosen.unwrap_or_else(|| panic!("{}: nothing has {selector}", variant.name));
            containers(&workload["spec"]["template"]["spec"]).flat_map(|container| items(container, "ports")).collect()
        };
        for workload in variant.workloads() {
            let labels = &workload["spec"]["template"]["metadata"]["labels"];
            let selector = workload["spec"]["selector"]["matchLabels"].as_object().unwrap();
            assert!(selector.iter().all(|(key, value)| labels[key] == *value), "{workload}");
        }
        for service in variant.of_kind("Service") {
            let ports = selected(&service["spec"]["selector"]);
            let named = |target: &str| ports.iter().any(|port| text(port, "/name") == target);
            assert!(items(&service["spec"], "ports").iter().all(|port| named(text(port, "/targetPort"))));
        }
        for policy in variant.of_kind("NetworkPolicy") {
            let ports = selected(&policy["spec"]["podSelector"]["matchLabels"]);
            let listened = |opened: &Value| ports.iter().any(|port| port["containerPort"] == *opened);
            let opened = items(&policy["spec"], "ingress").iter().flat_map(|rule| items(rule, "ports"));
            assert!(opened.into_iter().all(|port| listened(&port["port"])), "{policy}");
        }
        for budget in variant.of_kind("PodDisruptionBudget") {
            selected(&budget["spec"]["selector"]["matchLabels"]);
        }
        for monitor in variant.of_kind("ServiceMonitor") {
            let selector = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
            let labelled = |service: &&Value| selector.iter().all(|(k, v)| service["metadata"]["labels"][k] == *v);
            let service = variant.of_kind("Service").find(labelled).unwrap();
            let ports: Vec<&Value> = items(&service["spec"], "ports").iter().map(|port| &port["name"]).collect();
            assert!(items(&monitor["spec"], "endpoints").iter().all(|endpoint| ports.contains(&&endpoint["port"])));
        }
    }
}

#[test]
fn roles_hold_nothing_that_opens_others() {
    for variant in Variant::all() {
        for role in variant.of_kind("Role").chain(variant.of_kind("ClusterRole")) {
            let rules = role["rules"].to_string();
            for word in ["*", "secrets", "escalate", "impersonate", "pods/exec", "serviceaccounts", "rolebindings"] {
                assert!(!rules.contains(word), "{word} in {role}");
            }
        }
    }
}

/// What PodSecurity does not ask for.
#[test]
fn root_file_systems_are_read_only_and_replicas_two() {
    for variant in Variant::all() {
        assert_eq!(variant.workloads().count(), 2);
        for workload in variant.workloads() {
            assert_eq!(workload["spec"]["replicas"], 2);
            let pod = &workload["spec"]["template"]["spec"];
            for container in containers(pod) {
                assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
                assert!(container["resources"]["limits"]["memory"].is_string());
            }
            assert_eq!(pod["priorityClassName"], "system-cluster-critical");
            // A spread that must hold would keep the advisor from emptying the node.
            let spread = items(pod, "topologySpreadConstraints");
            assert!(spread.len() == 2 && spread.iter().all(|one| one["whenUnsatisfiable"] == "ScheduleAnyway"));
        }
    }
}
