//! Random clusters: every mode of the CNI, small subnets, few instances.

use std::fmt::Write;

use fastrand::Rng;
use headroom_lab::scenario::Scenario;

/// Types with and without prefixes, with and without trunks.
const TYPES: [&str; 5] = ["t3.small", "m5.large", "c5.xlarge", "c6i.large", "t2.medium"];

pub(crate) fn scenario(seed: u64, rng: &mut Rng) -> Scenario {
    let mut text = format!(
        "seed: {seed}\nclusterName: truth\nvpc: {{cidr: 10.0.0.0/16, secondaryCidrs: [100.64.0.0/16]}}\nsubnets:\n"
    );
    for (nth, az) in ["us-west-2a", "us-west-2b"].into_iter().enumerate() {
        subnet(&mut text, rng, [&format!("node-{nth}"), az, &format!("10.0.{nth}.0")], ["", "", "1", "0"]);
        subnet(&mut text, rng, [&format!("pods-{nth}"), az, &format!("100.64.{nth}.0")], ["", "1", "1", "0"]);
    }
    text.push_str("cni:\n  env:\n");
    for (name, value) in env(rng) {
        writeln!(text, "    {name}: \"{value}\"").unwrap();
    }
    text.push_str(
        "  eniConfigs:\n    - {name: us-west-2a, subnet: pods-0}\n    - {name: us-west-2b, subnet: pods-1}\n",
    );
    text.push_str("nodeGroups:\n");
    for nth in 0..rng.u32(1..=2) {
        let (instance_type, desired) = (TYPES[rng.usize(..TYPES.len())], rng.u32(1..=3));
        let subnets = ["[node-0]", "[node-1, node-0]"][rng.usize(..2)];
        writeln!(
            text,
            "  - {{name: group-{nth}, instanceType: {instance_type}, min: 0, desired: {desired}, max: 8, subnets: {subnets}}}"
        )
        .unwrap();
    }
    Scenario::parse("truth.yaml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// One of `roles` is its tag `kubernetes.io/role/cni`, the empty one none.
fn subnet(text: &mut String, rng: &mut Rng, [name, az, base]: [&str; 3], roles: [&str; 4]) {
    let role = roles[rng.usize(..4)];
    let len = rng.u32(24..=26);
    let used = rng.u32(..12);
    let layout = ["packed", "scattered"][rng.usize(..2)];
    let tags = if role.is_empty() { "{}".to_owned() } else { format!("{{kubernetes.io/role/cni: \"{role}\"}}") };
    // The second quarter: where nobody else has an address yet.
    let quarter = 1 << (30 - len);
    let reserved = rng.bool().then(|| format!("{}{quarter}/{}", base.trim_end_matches('0'), len + 2));
    let reserved = reserved.unwrap_or_default();
    writeln!(
        text,
        "  - {{name: {name}, az: {az}, cidr: {base}/{len}, used: {used}, usedLayout: {layout}, tags: {tags}, \
         reservations: [{reserved}]}}"
    )
    .unwrap();
}

fn env(rng: &mut Rng) -> Vec<(&'static str, String)> {
    let mut env = vec![("IP_COOLDOWN_PERIOD", ["0", "5", "30", "60"][rng.usize(..4)].to_owned())];
    match rng.u8(..4) {
        0 => env.push(("WARM_ENI_TARGET", rng.u32(..2).to_string())),
        1 => env.push(("WARM_IP_TARGET", rng.u32(1..6).to_string())),
        2 => {
            env.push(("WARM_IP_TARGET", rng.u32(1..4).to_string()));
            env.push(("MINIMUM_IP_TARGET", rng.u32(1..12).to_string()));
        }
        _ => {}
    }
    let flags = ["ENABLE_PREFIX_DELEGATION", "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", "ENABLE_POD_ENI"];
    let chosen = flags.into_iter().filter(|_| rng.u8(..3) == 0);
    env.extend(chosen.map(|flag| (flag, "true".to_owned())));
    if rng.u8(..4) == 0 {
        env.push(("ENABLE_SUBNET_DISCOVERY", "false".to_owned()));
    }
    env.push(("ENI_CONFIG_LABEL_DEF", "topology.kubernetes.io/zone".to_owned()));
    env
}
