//! What was not read is unknown: neither right nor wrong.

use super::fixture::{al2, al2023, found, image, joined, user_data};
use crate::bundle::Section;
use crate::cause::Cause;
use crate::join::{Facts, diagnose};
use crate::report::Level;

fn not_read<T>() -> Section<T> {
    Section::NotRead("UnauthorizedOperation".to_owned())
}

#[test]
fn each_section_that_is_not_read_is_named_once_with_what_it_takes() {
    let cases: [(Facts, Cause, &str); 11] = [
        (Facts { image: not_read(), ..al2() }, Cause::KubeletSkew, "ec2:DescribeImages"),
        (Facts { user_data: not_read(), ..al2() }, Cause::BootstrapNotRun, "ec2:DescribeInstanceAttribute"),
        (Facts { role: not_read(), ..al2() }, Cause::UnauthorizedNode, "iam:GetInstanceProfile"),
        (Facts { aws_auth: not_read(), ..al2() }, Cause::UnauthorizedNode, "ConfigMap kube-system/aws-auth"),
        (Facts { access_entry: not_read(), ..al2023() }, Cause::UnauthorizedNode, "eks:DescribeAccessEntry"),
        (Facts { security_groups: not_read(), ..al2() }, Cause::ApiPortBlocked, "ec2:DescribeSecurityGroups"),
        (Facts { vpc_dns: not_read(), ..al2() }, Cause::VpcDnsOff, "ec2:DescribeVpcAttribute"),
        (Facts { default_route: not_read(), ..al2() }, Cause::AwsUnreachable, "ec2:DescribeRouteTables"),
        (Facts { machine: not_read(), ..al2() }, Cause::InstanceNotRunning, "ec2:DescribeInstances"),
        (Facts { node: not_read(), ..al2() }, Cause::JoinUnexplained, "kubeconfig"),
        (
            Facts { user_data: user_data("#!/bin/bash\necho\n"), image: image("ours"), ..al2() },
            Cause::BootstrapNotRun,
            "image",
        ),
    ];
    for (facts, cause, takes) in cases {
        let report = diagnose(&facts);
        assert_eq!(found(&facts, Level::Fault), [], "{report}");
        let unknown = report.findings.iter().find(|finding| finding.level == Level::Unknown && finding.cause == cause);
        assert!(unknown.is_some_and(|unknown| unknown.remedy.contains(takes)), "{cause:?}: {report}");
        assert_eq!(report.exit_code(), 3);
    }
}

#[test]
fn nothing_at_all_is_all_unknown() {
    let report = diagnose(&Facts::default());
    assert!(report.findings.iter().all(|finding| finding.level == Level::Unknown), "{report}");
    assert_eq!(report.exit_code(), 3);
}

#[test]
fn one_that_has_joined_needs_nothing_else() {
    let facts = Facts { node: joined(false), instance: "i-1".to_owned(), ..Facts::default() };
    assert_eq!((found(&facts, Level::Warning), diagnose(&facts).exit_code()), (vec![Cause::NodeNotReady], 0));
}

#[test]
fn facts_come_back_as_they_were_written() {
    for facts in [al2(), al2023(), Facts::default()] {
        let text = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<Facts>(&text).unwrap(), facts);
    }
}
