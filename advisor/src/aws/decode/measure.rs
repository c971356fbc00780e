//! How fast a large VPC is read. Run by hand:
//! `cargo test --release -p headroom-advisor --lib measure -- --ignored --nocapture`.

use std::fmt::Write;
use std::time::Duration;

use super::enis;

/// A page of `rows` ENIs of ipamd in EC2's own layout, each with a primary and 14 secondary addresses.
fn page(rows: u32) -> String {
    let mut body = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DescribeNetworkInterfacesResponse \
         xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n    <requestId>0b8b</requestId>\n    <networkInterfaceSet>\n",
    );
    for row in 0..rows {
        eni(&mut body, row).expect("a String takes everything");
    }
    body.push_str("    </networkInterfaceSet>\n    <nextToken>more</nextToken>\n</DescribeNetworkInterfacesResponse>");
    body
}

fn eni(body: &mut String, row: u32) -> std::fmt::Result {
    let ip = |n: u32| format!("10.{}.{}.{n}", row / 256 % 256, row % 256);
    write!(
        body,
        "        <item>
            <networkInterfaceId>eni-{row:017x}</networkInterfaceId>
            <subnetId>subnet-{:017x}</subnetId>
            <vpcId>vpc-0123456789abcdef0</vpcId>
            <availabilityZone>us-west-2a</availabilityZone>
            <description>aws-K8S-i-{row:017x}</description>
            <ownerId>123456789012</ownerId>
            <requesterId>AROAEXAMPLE:i-{row:017x}</requesterId>
            <requesterManaged>false</requesterManaged>
            <status>in-use</status>
            <macAddress>02:0a:00:00:00:01</macAddress>
            <privateIpAddress>{}</privateIpAddress>
            <sourceDestCheck>true</sourceDestCheck>
            <groupSet>
                <item>
                    <groupId>sg-0123456789abcdef0</groupId>
                    <groupName>eks-cluster-sg</groupName>
                </item>
            </groupSet>
            <attachment>
                <attachmentId>eni-attach-{row:017x}</attachmentId>
                <instanceId>i-{row:017x}</instanceId>
                <instanceOwnerId>123456789012</instanceOwnerId>
                <deviceIndex>1</deviceIndex>
                <networkCardIndex>0</networkCardIndex>
                <status>attached</status>
                <attachTime>2026-03-01T10:00:00.000Z</attachTime>
                <deleteOnTermination>true</deleteOnTermination>
            </attachment>
            <tagSet>
",
        row % 200,
        ip(4)
    )?;
    for (key, value) in [
        ("node.k8s.amazonaws.com/instance_id", "i-0123456789abcdef0"),
        ("node.k8s.amazonaws.com/createdAt", "2026-03-01T10:00:00Z"),
        ("cluster.k8s.amazonaws.com/name", "production"),
        ("eks:eni:owner", "amazon-vpc-cni"),
    ] {
        let item = "                <item>\n                    ";
        writeln!(body, "{item}<key>{key}</key>\n                    <value>{value}</value>\n                </item>")?;
    }
    body.push_str("            </tagSet>\n            <privateIpAddressesSet>\n");
    for n in 4..19 {
        let (ip, primary) = (ip(n), n == 4);
        let host = ip.replace('.', "-");
        write!(
            body,
            "                <item>
                    <privateIpAddress>{ip}</privateIpAddress>
                    <privateDnsName>ip-{host}.us-west-2.compute.internal</privateDnsName>
                    <primary>{primary}</primary>
                </item>
"
        )?;
    }
    body.push_str(
        "            </privateIpAddressesSet>\n            <ipv6AddressesSet/>\n            <interfaceType>interface</interfaceType>\n        </item>\n",
    );
    Ok(())
}

/// Of this thread: other work on the machine does not count (proc(5), `schedstat`).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux has it");
    Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("it begins with a number"))
}

#[test]
#[ignore = "a measurement: prints a figure and judges nothing"]
fn thirty_thousand_enis() {
    let pages: Vec<String> = vec![page(1000); 30];
    let bytes: usize = pages.iter().map(String::len).sum();
    let started = cpu_time();
    let found: Vec<_> =
        pages.iter().map(|body| enis(body.as_bytes()).expect("the generator writes XML").rows).collect();
    let took = cpu_time() - started;
    let addresses: usize = found.iter().flatten().map(|eni| eni.secondary_ips.len() + 1).sum();
    println!(
        "{} ENIs, {addresses} addresses, {} MB: {took:?} of CPU",
        found.iter().flatten().count(),
        bytes / 1_000_000
    );
}
