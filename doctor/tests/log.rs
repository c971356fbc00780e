//! Logs as they are found, and what must be found in them.

use std::collections::BTreeSet;
use std::io::{BufReader, Read};

use headroom_doctor::log::{Component, LogReport, read};
use headroom_doctor::{Cause, Level};
use proptest::prelude::*;

struct Sample {
    name: &'static str,
    /// Labels of the causes in order; `~` is a warning.
    want: Vec<&'static str>,
    text: String,
}

fn samples(file: &'static str) -> Vec<Sample> {
    let sections = file.split("\n=== ").skip(1);
    let samples = sections.map(|section| {
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        let (name, want) = heading.split_once(": ").unwrap_or((heading, ""));
        Sample { name, want: want.split_whitespace().collect(), text: text.to_owned() }
    });
    samples.collect()
}

fn faulty() -> Vec<Sample> {
    samples(include_str!("log/faulty.txt"))
}

fn healthy() -> Vec<Sample> {
    samples(include_str!("log/healthy.txt"))
}

fn report(text: &str) -> LogReport {
    read("sample", text.as_bytes()).expect("memory can be read")
}

fn sample(name: &str) -> LogReport {
    let sample = faulty().into_iter().find(|sample| sample.name == name);
    report(&sample.unwrap_or_else(|| panic!("there is a sample {name}")).text)
}

fn found(report: &LogReport) -> Vec<String> {
    let mark = |level| match level {
        Level::Fault => "",
        Level::Warning => "~",
        Level::Unknown => "?",
    };
    let findings = &report.report.findings;
    findings.iter().map(|finding| format!("{}{}", mark(finding.level), finding.cause.label())).collect()
}

#[test]
fn faults_are_found_in_order() {
    let samples = faulty();
    assert!(samples.len() >= 30, "{}", samples.len());
    let mut wrong = Vec::new();
    for sample in &samples {
        let found = found(&report(&sample.text));
        if found != sample.want {
            wrong.push(format!("{}: want {:?}, found {found:?}", sample.name, sample.want));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let samples = healthy();
    assert!(samples.len() >= 15, "{}", samples.len());
    let foreign = ["application-log", "web-server-log", "kernel-log", "empty", "prose"];
    let mut wrong = Vec::new();
    for sample in &samples {
        let report = report(&sample.text);
        // What is of no known program is not called healthy.
        let (want, code): (&[&str], u8) = if foreign.contains(&sample.name) { (&["?not_read"], 3) } else { (&[], 0) };
        if found(&report) != want {
            wrong.push(format!("{}: found {:?}", sample.name, found(&report)));
        }
        assert_eq!(report.report.exit_code(), code, "{}", sample.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_of_samples_are_used_once() {
    let samples = [faulty(), healthy()].into_iter().flatten();
    let names: Vec<&str> = samples.map(|sample| sample.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn every_finding_has_its_line_and_says_what_to_do() {
    for sample in faulty() {
        for finding in report(&sample.text).report.findings {
            let lines: Vec<&str> = sample.text.lines().collect();
            assert!(!finding.evidence.is_empty() && !finding.remedy.is_empty(), "{}", sample.name);
            let derived = finding.cause == Cause::CoolingDown;
            for evidence in finding.evidence.iter().filter(|_| !derived) {
                let number: usize =
                    evidence.source.strip_prefix("log line ").expect("it is a line").parse().expect("it is a number");
                assert!(
                    lines[number - 1].contains(evidence.text.trim_start_matches("...")),
                    "{}: {evidence:?}",
                    sample.name
                );
            }
        }
    }
}

#[test]
fn pool_stats_become_a_node_capacity_record() {
    let report = report("IP pool stats: total = 15, used = 9, c.currentMaxAddrsPerENI = 6\n");
    let [node] = report.overview.nodes.as_slice() else { panic!("one node: {:?}", report.overview) };
    assert_eq!((node.total_ips, node.used_ips, node.addresses_per_eni), (15, 9, Some(6)));
    assert_eq!((node.free_ips(), node.cooling_ips, node.line), (6, None, 1));
    assert_eq!(node.to_string(), "node capacity (line 1): 9 of 15 addresses in use, 6 free; 6 addresses per ENI");
    let json = serde_json::to_value(&report).expect("it can be written");
    assert_eq!(json["overview"]["nodes"][0]["total_ips"], 15);
    assert_eq!(json["overview"]["components"][0], "ipamd");
    assert_eq!(json["subject"], "log sample");
}

#[test]
fn the_limit_of_enis_is_understood_with_its_figure() {
    let report = sample("field-report-pool-stats-at-limit");
    let node = &report.overview.nodes[0];
    assert_eq!((node.enis_at_limit, node.at.as_deref()), (Some(3), Some("2018-09-11T07:28:16Z")));
    let limit = report.report.findings.iter().find(|finding| finding.cause == Cause::InstanceLimit);
    let says = &limit.expect("it is found").says;
    assert!(
        says.starts_with("all 3 ENIs that the instance may have are attached, 6 of their 15 addresses are free"),
        "{says}"
    );
    assert_eq!(report.report.findings[0].about, "t3.medium");
    let alone = &sample("field-report-max-eni").report.findings[0].says;
    assert_eq!(alone, "all 3 ENIs that the instance may have are attached; line 1");
}

#[test]
fn the_latest_figures_of_each_card_and_node_count() {
    let log = "\
[pod/aws-node-a/aws-node] IP pool stats for network card 0: Total IPs/Prefixes = 9/0, AssignedIPs/CooldownIPs: 1/0, c.maxIPsPerENI = 9
[pod/aws-node-a/aws-node] IP pool stats for network card 1: Total IPs/Prefixes = 9/0, AssignedIPs/CooldownIPs: 2/0, c.maxIPsPerENI = 9
[pod/aws-node-b/aws-node] IP stats for Network Card 0 - total IPs: 18, assigned IPs: 3, cooldown IPs: 1
[pod/aws-node-a/aws-node] IP stats for Network Card 0 - total IPs: 18, assigned IPs: 11, cooldown IPs: 4
";
    let nodes = report(log).overview.nodes;
    let figures: Vec<_> = nodes
        .iter()
        .map(|node| (node.node.as_str(), node.network_card, node.total_ips, node.used_ips, node.addresses_per_eni))
        .collect();
    let want = [("aws-node-a", 0, 18, 11, Some(9)), ("aws-node-a", 1, 9, 2, Some(9)), ("aws-node-b", 0, 18, 3, None)];
    assert_eq!(figures, want);
    assert_eq!(nodes[0].assignable_ips(), 3);
}

#[test]
fn cluster_autoscalers_line_says_what_is_cut_off_and_what_follows() {
    let report = sample("field-report-autoscaler-in-its-log");
    let finding = &report.report.findings[0];
    assert_eq!(finding.about, "autoscaling.us-west-2.amazonaws.com");
    for part in [
        "ran out while the name was looked up",
        "cannot reach the Auto Scaling endpoint",
        "neither scales out nor in",
        "2m0.6s: 4 tries of 30 s",
        "0814 14:24:09",
    ] {
        assert!(finding.says.contains(part), "{part}: {}", finding.says);
    }
    for part in ["dnsPolicy: Default", "ndots", "headroom-advisor probe", "com.amazonaws.us-west-2.autoscaling"] {
        assert!(finding.remedy.contains(part), "{part}: {}", finding.remedy);
    }
    assert!(report.report.findings[1].says.ends_with("it follows from aws_dns"), "{}", report.report.findings[1].says);
    let blocked = sample("autoscaler-syn-dropped");
    let remedy = &blocked.report.findings[0].remedy;
    for part in ["443", "security group", "NAT gateway", "interface endpoint", "headroom-advisor probe"] {
        assert!(remedy.contains(part), "{part}: {remedy}");
    }
    // Each line once, though one can meet several texts.
    assert!(finding.says.ends_with("3 lines, 4 (0814 14:24:09) to 10 (0814 14:26:20)"), "{}", finding.says);
    let silent = sample("autoscaler-nameserver-silent");
    assert!(silent.report.findings[0].says.contains("10.100.0.10 was asked"), "{}", silent.report.findings[0].says);
}

#[test]
fn whose_log_it_is_and_from_when_to_when_is_told() {
    let report = sample("kubelet-unauthorized");
    assert_eq!(report.overview.components, [Component::Kubelet]);
    assert_eq!(report.overview.to_string(), "5 lines of kubelet, Nov 20 23:19:22 to Nov 20 23:21:52\n");
    let nobody = self::report("x\ny\n");
    assert_eq!(nobody.overview.to_string(), "2 lines of no program that is known here\n");
    let says = "no known failure, and nothing to tell which program wrote it, is in its 2 lines";
    assert_eq!(nobody.report.findings.first().map(|finding| finding.says.as_str()), Some(says));
}

#[test]
fn what_passed_by_itself_is_told_as_fine() {
    let sample = healthy().into_iter().find(|sample| sample.name == "kubelet-starts").expect("there is one");
    let report = report(&sample.text);
    let cni = report.report.fine.iter().find(|line| line.starts_with(Cause::CniDown.meaning()));
    let cni = cni.expect("the network was not ready for a while");
    assert!(cni.contains("2 lines, 6 (0110 12:56:26) to 8 (0110 12:56:31), and then no more"), "{cni}");
}

/// The same line for ever, or long lines without an end.
struct Endless {
    line: &'static [u8],
    left: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = into.len().min(self.left).min(self.line.len());
        into[..length].copy_from_slice(&self.line[..length]);
        self.left -= length;
        Ok(length)
    }
}

#[test]
fn a_long_log_is_kept_no_longer_than_a_short_one() {
    let line: &[u8] = b"2024-05-02T10:15:01Z RequestLimitExceeded InsufficientFreeAddressesInSubnet in subnet-0a1\n";
    let times = 20_000;
    let input = BufReader::with_capacity(line.len(), Endless { line, left: times * line.len() });
    let long = read("long", input).expect("it is read");
    assert_eq!(long.overview.lines, times as u64);
    let short = report(&String::from_utf8_lossy(line).repeat(2));
    let size = |report: &LogReport| serde_json::to_string(report).expect("it can be written").len();
    assert!(size(&long) < size(&short) + 100, "{} {}", size(&long), size(&short));
    // One line of 16 MB.
    let input = BufReader::new(Endless { line: &[b'x'; 4096], left: 16 << 20 });
    assert_eq!(read("line", input).expect("it is read").overview.lines, 1);
}

#[test]
fn of_a_long_line_the_part_that_matters_is_shown() {
    let line = format!("{} InsufficientFreeAddressesInSubnet subnet-0a1 {}", "é".repeat(2000), "x".repeat(2000));
    let evidence = &report(&line).report.findings[0].evidence[0].text;
    assert!(
        evidence.starts_with("...é") && evidence.contains("InsufficientFreeAddressesInSubnet subnet-0a1"),
        "{evidence}"
    );
    assert!(evidence.len() <= 403, "{}", evidence.len());
}

#[test]
fn different_things_are_told_apart_up_to_a_bound() {
    let log: String = (0..100).map(|n| format!("InsufficientFreeAddressesInSubnet subnet-{n:03}\n")).collect();
    assert_eq!(report(&log).report.findings[0].about, "subnet-000, subnet-001, subnet-002, subnet-003");
}

#[test]
fn what_cannot_be_read_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let error = read("broken", BufReader::new(Broken)).expect_err("nothing was read");
    assert_eq!(error.to_string(), "the disk is gone");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_a_log(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let report = read("bytes", bytes.as_slice()).expect("memory can be read");
        let ends = bytes.iter().filter(|byte| **byte == b'\n').count();
        let rest = bytes.last().is_some_and(|byte| *byte != b'\n');
        prop_assert_eq!(report.overview.lines, ends as u64 + u64::from(rest));
    }

    /// Known texts cut anywhere, with anything between.
    #[test]
    fn parts_of_known_lines_are_a_log(cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "\\PC{0,8}"), 0..20)) {
        let text = include_str!("log/faulty.txt");
        let lines: Vec<&str> = text.lines().collect();
        let log: Vec<u8> = cuts
            .iter()
            .flat_map(|(line, at, junk)| {
                let line = lines[line.index(lines.len())].as_bytes();
                [&line[at.index(line.len() + 1)..], junk.as_bytes(), b"\n".as_slice()].concat()
            })
            .collect();
        let report = read("cuts", log.as_slice()).expect("memory can be read");
        prop_assert_eq!(report.overview.lines, cuts.len() as u64);
        prop_assert!(serde_json::to_string(&report).is_ok());
        let _text = report.overview.to_string();
    }
}
