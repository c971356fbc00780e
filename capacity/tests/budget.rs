//! What a node can ever hold, row by row, and how ipamd reads its environment.

use std::time::Duration;

use headroom_capacity::budget::{Budget, DescribedType, Ipv4Budget, Mode, NodeFacts, NodeKind, budget};
use headroom_capacity::instance::{InstanceLimits, LimitSource, lookup};
use headroom_capacity::settings::CniSettings;
use headroom_capacity::units::{Enis, Ips};
use headroom_capacity::verdict::Reason;

fn facts<'a>(limits: Option<&'a InstanceLimits>, settings: &'a CniSettings) -> NodeFacts<'a> {
    NodeFacts {
        kind: NodeKind::Linux,
        limits,
        settings,
        max_pods: limits.map_or(110, InstanceLimits::default_max_pods),
        unmanaged: Enis::ZERO,
        excluded: Enis::ZERO,
        trunk_attached: false,
        windows_prefix_delegation: false,
    }
}

fn ipv4(facts: &NodeFacts<'_>) -> Ipv4Budget {
    match budget(facts) {
        Budget::Ipv4(budget) => budget,
        other => panic!("{other:?}"),
    }
}

fn of(instance_type: &str, settings: &CniSettings) -> Ipv4Budget {
    ipv4(&facts(lookup(instance_type), settings))
}

fn parse(env: &[(&str, &str)]) -> (CniSettings, Vec<String>) {
    let (settings, problems) = CniSettings::from_env(env.iter().copied());
    (settings, problems.into_iter().map(|problem| format!("{}={}", problem.variable, problem.value)).collect())
}

fn settings(env: &[(&str, &str)]) -> CniSettings {
    let (settings, problems) = parse(env);
    assert_eq!(problems, Vec::<String>::new());
    settings
}

/// CNI `misc/eni-max-pods.txt` and `pkg/vpc`; the rest of the table is compared elsewhere.
#[test]
fn secondary_mode_ceilings() {
    let rows = [
        ("t3.small", 3, 3, 9, 11),
        ("m5.large", 3, 9, 27, 29),
        ("c6i.xlarge", 4, 14, 56, 58),
        ("m5.4xlarge", 8, 29, 232, 234),
        ("m7i.48xlarge", 15, 49, 735, 737),
        ("p5.48xlarge", 2, 49, 98, 100), // 32 network cards, 64 ENIs: only the default card counts
    ];
    for (name, enis, slots, ceiling, max_pods) in rows {
        let got = of(name, &CniSettings::default());
        let row = (got.pod_enis.get(), got.slots_per_eni, got.ceiling.get(), got.max_pods);
        assert_eq!(row, (enis, slots, ceiling, max_pods), "{name}");
        assert_eq!((got.mode, got.max_enis, got.branch), (Mode::SecondaryIp, Enis(enis), None), "{name}");
    }
}

/// ENIs times addresses with the primaries in, as people plan a VPC by; pods get what is left.
#[test]
fn planning_tables_of_the_field() {
    let rows = [
        ("t2.large", 3, 12, 33),
        ("c5.large", 3, 10, 27),
        ("c5.xlarge", 4, 15, 56),
        ("m5.large", 3, 10, 27),
        ("m5.xlarge", 4, 15, 56),
        ("t3.medium", 3, 6, 15),
        ("r5.2xlarge", 4, 15, 56),
    ];
    for (name, enis, per_eni, for_pods) in rows {
        let limits = lookup(name).unwrap_or_else(|| panic!("{name} is in the table"));
        assert_eq!((limits.enis, limits.ipv4_per_eni), (Enis(enis), per_eni), "{name}");
        assert_eq!(of(name, &CniSettings::default()).ceiling, Ips(for_pods), "{name}");
    }
    assert_eq!(2 * of("c5.xlarge", &CniSettings::default()).ceiling.get(), 112);
}

#[test]
fn prefix_mode_counts_sixteen_a_slot_and_falls_back_on_xen() {
    let on = settings(&[("ENABLE_PREFIX_DELEGATION", "true")]);
    let nitro = of("t3.small", &on);
    assert_eq!((nitro.mode, nitro.ceiling, nitro.prefix_fallback), (Mode::Prefix, Ips(144), false));
    let metal = of("m5.metal", &on);
    assert_eq!(metal.mode, Mode::Prefix);
    let xen = of("t2.large", &on);
    assert_eq!((xen.mode, xen.ceiling, xen.prefix_fallback), (Mode::SecondaryIp, Ips(33), true));
}

#[test]
fn slots_that_give_no_pod_address() {
    let custom = settings(&[("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "true")]);
    assert_eq!(of("m5.large", &custom).ceiling, Ips(18));
    let max = settings(&[("MAX_ENI", "2")]);
    assert_eq!((of("m5.large", &max).max_enis, of("m5.large", &max).ceiling), (Enis(2), Ips(18)));
    let above = settings(&[("MAX_ENI", "20")]);
    assert_eq!(of("m5.large", &above).max_enis, Enis(3));

    let plain = CniSettings::default();
    let mut held = facts(lookup("m5.4xlarge"), &plain);
    held.unmanaged = Enis(2);
    held.excluded = Enis(1);
    assert_eq!(ipv4(&held).pod_enis, Enis(5));
}

/// CNI `setUnmanagedENIs` never takes the primary ENI: its addresses serve pods whatever else holds the slots.
#[test]
fn the_primary_eni_gives_addresses_beside_unmanaged_ones() {
    let rows = [
        // Variables, unmanaged, excluded, ENIs for pods.
        (&[("MAX_ENI", "1")][..], 1, 0, 1),
        (&[("MAX_ENI", "2")], 2, 0, 1),
        (&[("MAX_ENI", "2"), ("ENABLE_POD_ENI", "true")], 1, 0, 1),
        (&[("MAX_ENI", "2"), ("ENABLE_POD_ENI", "true")], 2, 0, 1),
        (&[("MAX_ENI", "1"), ("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "true")], 1, 0, 0),
        // The primary ENI may be the excluded one.
        (&[("MAX_ENI", "1")], 0, 1, 0),
    ];
    for (env, unmanaged, excluded, pod_enis) in rows {
        let settings = settings(env);
        let mut held = facts(lookup("m5.large"), &settings);
        (held.unmanaged, held.excluded) = (Enis(unmanaged), Enis(excluded));
        let got = ipv4(&held);
        assert_eq!((got.pod_enis, got.ceiling), (Enis(pod_enis), Ips(9 * pod_enis)), "{env:?} {unmanaged} {excluded}");
    }
}

/// CNI `IsTrunkingCompatible`: a slot is kept for the trunk unless the type is known not to have one.
#[test]
fn trunk_takes_a_slot_and_branch_enis_are_a_budget_of_their_own() {
    let sgp = settings(&[("ENABLE_POD_ENI", "true")]);
    let m5 = of("m5.large", &sgp);
    assert_eq!((m5.pod_enis, m5.ceiling, m5.branch), (Enis(2), Ips(18), Some(Enis(9))));
    assert_eq!(of("m5.4xlarge", &sgp).branch, Some(Enis(54)));
    let t3 = of("t3.small", &sgp);
    assert_eq!((t3.pod_enis, t3.branch), (Enis(3), Some(Enis(0))), "t3 cannot trunk");

    let unlisted = lookup("c5a.metal").expect("in the CNI's table");
    assert_eq!(unlisted.branch, None, "not in the resource controller's table");
    let kept = ipv4(&facts(Some(unlisted), &sgp));
    assert_eq!((kept.pod_enis, kept.branch), (Enis(unlisted.enis.get() - 1), None));

    let plain = CniSettings::default();
    let mut left = facts(lookup("m5.large"), &plain);
    left.trunk_attached = true;
    assert_eq!(ipv4(&left).pod_enis, Enis(2), "a trunk left over from before holds its slot");

    let single = settings(&[("ENABLE_POD_ENI", "true"), ("MAX_ENI", "1")]);
    assert_eq!(of("m5.large", &single).ceiling, Ips(9), "the primary ENI is there before any trunk");
}

#[test]
fn other_address_families_and_owners() {
    let ipv6 = settings(&[("ENABLE_IPv6", "true"), ("ENABLE_PREFIX_DELEGATION", "true"), ("ENABLE_IPv4", "false")]);
    let mut node = facts(None, &ipv6);
    assert_eq!(budget(&node), Budget::Ipv6 { max_pods: 110, branch: None });
    for kind in [NodeKind::Fargate, NodeKind::Auto, NodeKind::Hybrid] {
        node.kind = kind;
        assert_eq!(budget(&node), Budget::NotManaged(kind));
    }
}

/// VPC resource controller `getCapacity`: the primary ENI's secondary addresses.
#[test]
fn windows_budgets() {
    let plain = CniSettings::default();
    let mut node = facts(lookup("m5.large"), &plain);
    node.kind = NodeKind::Windows;
    assert_eq!(budget(&node), Budget::Windows { ceiling: Ips(9) });
    node.windows_prefix_delegation = true;
    assert_eq!(budget(&node), Budget::Windows { ceiling: Ips(144) });
    node.limits = lookup("t2.large");
    assert_eq!(budget(&node), Budget::Windows { ceiling: Ips(11) }, "xen takes no prefixes");
    node.limits = None;
    assert_eq!(budget(&node), Budget::Unknown(Reason::UnknownInstanceType));
}

#[test]
fn unknown_types_are_never_guessed() {
    let plain = CniSettings::default();
    assert_eq!(budget(&facts(None, &plain)), Budget::Unknown(Reason::UnknownInstanceType));

    let described = DescribedType {
        default_card: 0,
        cards: &[(0, 2), (1, 2)],
        ipv4_per_eni: 50,
        hypervisor: "nitro",
        bare_metal: false,
    };
    let limits = InstanceLimits::described(&described).expect("complete");
    let got = ipv4(&facts(Some(&limits), &plain));
    assert_eq!((got.ceiling, got.source), (Ips(98), LimitSource::DescribeInstanceTypes));
    assert_eq!(InstanceLimits::described(&DescribedType { default_card: 7, ..described.clone() }), None);
    assert_eq!(InstanceLimits::described(&DescribedType { ipv4_per_eni: 0, ..described }), None);

    let seen = InstanceLimits::observed(Enis(2), 5, true).expect("two ENIs");
    let prefixes = settings(&[("ENABLE_PREFIX_DELEGATION", "1")]);
    let got = ipv4(&facts(Some(&seen), &prefixes));
    assert_eq!((got.ceiling, got.mode, got.source), (Ips(160), Mode::Prefix, LimitSource::Observed));
    assert_eq!(InstanceLimits::observed(Enis(0), 0, false), None);
}

#[test]
fn node_kinds_by_label_and_provider() {
    let kind = |labels: &[(&str, &'static str)], provider: &str| {
        let labels: std::collections::BTreeMap<String, &'static str> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        NodeKind::from_node(|key| labels.get(key).copied(), Some(provider))
    };
    const COMPUTE: &str = "eks.amazonaws.com/compute-type";
    const OS: &str = "kubernetes.io/os";
    let ec2 = "aws:///eu-west-1a/i-0123456789abcdef0";
    assert_eq!(kind(&[(OS, "linux")], ec2), NodeKind::Linux);
    assert_eq!(kind(&[(OS, "windows")], ec2), NodeKind::Windows);
    assert_eq!(kind(&[(OS, "linux"), (COMPUTE, "ec2")], ec2), NodeKind::Linux);
    assert_eq!(kind(&[(OS, "linux"), (COMPUTE, "fargate")], ec2), NodeKind::Fargate);
    assert_eq!(kind(&[(COMPUTE, "auto")], ec2), NodeKind::Auto);
    assert_eq!(kind(&[(COMPUTE, "hybrid")], ec2), NodeKind::Hybrid);
    let fargate = "aws:///eu-west-1a/9d6f/fargate-ip-10-0-0-1.eu-west-1.compute.internal";
    assert_eq!(kind(&[(OS, "linux")], fargate), NodeKind::Fargate);
    assert_eq!(kind(&[(OS, "linux")], "eks-hybrid:///eu-west-1/prod/mi-0123"), NodeKind::Hybrid);
    assert_eq!(kind(&[], "aws:///eu-west-1a/sagemaker/cluster/hyperpod-x"), NodeKind::Linux);
    assert_eq!(NodeKind::from_node(|_| None, None), NodeKind::Linux);
}

#[test]
fn environment_defaults_and_overrides() {
    assert_eq!(settings(&[]), CniSettings::default());
    assert_eq!(settings(&[("WARM_ENI_TARGET", "1"), ("WARM_PREFIX_TARGET", "1")]), CniSettings::shipped());
    let set = settings(&[
        ("WARM_ENI_TARGET", "0"),
        ("WARM_IP_TARGET", "+5"),
        ("MINIMUM_IP_TARGET", "30"),
        ("ENABLE_SUBNET_DISCOVERY", "f"),
        ("MANAGE_UNTAGGED_ENI", "False"),
        ("AWS_MANAGE_ENIS_NON_SCHEDULABLE", "T"),
        ("IP_COOLDOWN_PERIOD", "0"),
        ("ENABLE_IMDS_ONLY_MODE", "TRUE"),
        ("ENI_CONFIG_LABEL_DEF", "topology.kubernetes.io/zone"),
        ("CLUSTER_NAME", "prod"),
        ("CLUSTER_NAME", "blue"),
        ("SOMETHING_ELSE", "x"),
    ]);
    assert_eq!((set.warm_eni_target, set.warm_ip_target, set.minimum_ip_target), (0, Some(5), Some(30)));
    assert!(!set.subnet_discovery && !set.manage_untagged_enis && set.manage_enis_non_schedulable);
    assert_eq!((set.ip_cooldown, set.provisioning_disabled), (Duration::ZERO, true));
    assert_eq!(set.eni_config_label, "topology.kubernetes.io/zone");
    assert_eq!(set.cluster_name.as_deref(), Some("blue"), "the last of two wins, as in a container");
}

/// CNI `getWarmIPTarget`, `getMaxENI`, `parseBoolEnvVar`, `GetBoolAsStringEnvVar`, `getCooldownPeriod`.
#[test]
fn values_that_ipamd_does_not_take_at_their_word() {
    let (got, problems) = parse(&[
        ("WARM_ENI_TARGET", "-1"),
        ("WARM_IP_TARGET", "2 "),
        ("WARM_PREFIX_TARGET", "1.5"),
        ("MAX_ENI", "0"),
        ("ENABLE_POD_ENI", "yes"),
        ("ENABLE_SUBNET_DISCOVERY", "off"),
        ("MANAGE_UNTAGGED_ENI", ""),
        ("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", ""),
        ("IP_COOLDOWN_PERIOD", "30s"),
        ("ENI_CONFIG_LABEL_DEF", ""),
    ]);
    assert_eq!(got, CniSettings::default());
    let expected = [
        "WARM_ENI_TARGET=-1",
        "WARM_IP_TARGET=2 ",
        "WARM_PREFIX_TARGET=1.5",
        "ENABLE_POD_ENI=yes",
        "MAX_ENI=0",
        "ENABLE_SUBNET_DISCOVERY=off",
        "MANAGE_UNTAGGED_ENI=",
        "IP_COOLDOWN_PERIOD=30s",
    ];
    assert_eq!(problems, expected);

    let (zero, problems) =
        parse(&[("WARM_IP_TARGET", "0"), ("IP_COOLDOWN_PERIOD", "-5"), ("WARM_ENI_TARGET", "99999999999")]);
    assert_eq!((zero.warm_ip_target, zero.ip_cooldown, zero.warm_eni_target), (None, Duration::ZERO, u32::MAX));
    assert_eq!(problems, ["IP_COOLDOWN_PERIOD=-5"]);
}

#[test]
fn combinations_that_do_not_do_what_they_say() {
    assert_eq!(parse(&[("MINIMUM_IP_TARGET", "10")]).1, ["MINIMUM_IP_TARGET=10"]);
    assert_eq!(parse(&[("MINIMUM_IP_TARGET", "10"), ("WARM_IP_TARGET", "2")]).1, [""; 0]);
    assert_eq!(parse(&[("ENABLE_IPv4", "true"), ("ENABLE_IPv6", "true")]).1, ["ENABLE_IPv6=true", "ENABLE_IPv6=true"]);
    assert_eq!(parse(&[("ENABLE_IPv4", "false")]).1, ["ENABLE_IPv4=false"]);
    assert_eq!(parse(&[("ENABLE_IPv4", "yes")]).1, ["ENABLE_IPv4=yes"], "not a boolean, and the default is false");
    assert_eq!(parse(&[("ENABLE_IPv4", "")]).1, ["ENABLE_IPv4="]);
    let (_, problems) = CniSettings::from_env([("MINIMUM_IP_TARGET", "10")]);
    assert!(problems[0].effect.contains("set WARM_IP_TARGET to 1 or more"), "{}", problems[0].effect);
}
