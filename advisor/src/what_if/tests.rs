use headroom_shell::config::ConfigFile as _;

use super::*;

/// Ten m5.large with 8 pods each: two ENIs of 10 addresses under the shipped settings.
const FLEET: &str = "cni: { WARM_ENI_TARGET: '1', WARM_PREFIX_TARGET: '1' }
subnets: [{ id: a, usable_ips: 251, other_ips: 11 }]
nodes: [{ instance_type: m5.large, subnet: a, max_pods: 29, pods_each: 8, count: 10 }]
";

fn counted(text: &str, set: &[(&str, &str)]) -> Result<Count, WhatIfError> {
    let mut fleet = Fleet::parse(text).unwrap();
    fleet.cni.extend(set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    count(&fleet).map(|counts| counts["a"])
}

#[test]
fn a_warm_eni_is_ten_addresses_of_a_node() {
    let now = counted(FLEET, &[]).unwrap();
    // 18 for pods and two of the ENIs' own on each; 40 are free, for two more nodes, or for four ENIs of 9 pods.
    assert_eq!((now.held, now.warm, now.more_nodes), (Ips(211), Ips(100), 2));
    assert_eq!(now.pods, 80 + 100 + 36, "what is warm and what is free, though the ENIs would take 190 more");
    // 8 pods and 5 warm are 13: two ENIs all the same, and 7 addresses less on each.
    let lean = counted(FLEET, &[("WARM_IP_TARGET", "5"), ("MINIMUM_IP_TARGET", "10")]).unwrap();
    assert_eq!((lean.held, lean.warm), (Ips(11 + 10 * 15), Ips(50)));
}

#[test]
fn prefixes_come_by_sixteen() {
    let prefixes = counted(FLEET, &[("ENABLE_PREFIX_DELEGATION", "true")]).unwrap();
    // One for 8 pods and a warm one, on one ENI.
    assert_eq!((prefixes.held, prefixes.prefixes), (Ips(11 + 10 * 33), Prefixes(20)));
    assert_eq!(prefixes.more_nodes, 0);
}

#[test]
fn custom_networking_takes_the_pods_elsewhere() {
    let text = "subnets: [{ id: a, usable_ips: 251 }, { id: pods, usable_ips: 4091 }]
nodes: [{ instance_type: m5.large, subnet: a, pod_subnet: pods, max_pods: 29, pods_each: 8, count: 10 }]
";
    assert_eq!(counted(text, &[]).unwrap().held, Ips(200), "without it all are in one");
    let apart = counted(text, &[("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "true")]).unwrap();
    assert_eq!(apart.held, Ips(10), "the primary ENIs' own");
}

#[test]
fn what_cannot_be_counted_is_named() {
    let replaced = |from: &str, to: &str| counted(&FLEET.replace(from, to), &[]);
    assert_eq!(replaced("m5.large", "m5.lorge"), Err(WhatIfError::UnknownType("m5.lorge".to_owned())));
    assert_eq!(replaced("subnet: a", "subnet: b"), Err(WhatIfError::UnknownSubnet("b".to_owned())));
    assert!(matches!(counted(FLEET, &[("WARM_ENI_TARGET", "many")]), Err(WhatIfError::Setting(_))));
    let ipv6 = [("ENABLE_IPv6", "true"), ("ENABLE_PREFIX_DELEGATION", "true")];
    assert_eq!(counted(FLEET, &ipv6), Err(WhatIfError::Ipv6));
    assert!(Fleet::parse("nodes: []").unwrap_err().to_string().contains("subnets"));
}
