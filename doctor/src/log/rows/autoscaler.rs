//! Cluster Autoscaler, CoreDNS, and the AWS SDKs that they and ipamd have in common.

use crate::cause::Cause;
use crate::log::row::{Component, Figure, Row, Weight};

const fn autoscaler(cause: Cause, fragments: &'static [&'static str]) -> Row {
    Row::new(Component::ClusterAutoscaler, cause, fragments)
}

const fn aws(cause: Cause, fragments: &'static [&'static str]) -> Row {
    Row::new(Component::AwsClient, cause, fragments).tells(Figure::Host).weighs(Weight::Passing(SDK))
}

/// One call of aws-sdk-go v1 tries four times for 30 s each; what is over within two of them was a passing trouble, seconds.
const SDK: i64 = 300;

/// The cluster's own endpoint, which is no AWS API, and pods' names that are looked up on their way to CoreDNS.
const NOT_AWS: &[&str] = &[".eks.amazonaws.com", "plugin/errors"];

/// Others' endpoints and calls, for texts that name no host of AWS.
const OTHERS: &[&str] = &[
    ".eks.amazonaws.com",
    "plugin/errors",
    "dial tcp 10.100.0.1:443",
    "dial tcp 172.20.0.1:443",
    "sts:AssumeRoleWithWebIdentity",
    "DescribeCluster",
];

const fn pasted(cause: Cause, fragments: &'static [&'static str]) -> Row {
    aws(cause, fragments).unless(OTHERS).weighs(Weight::Pasted)
}

pub(super) const AUTOSCALER: &[Row] = &[
    // cloudprovider/aws/aws_manager.go forceRefresh, core/static_autoscaler.go RunOnce, aws_cloud_provider.go BuildAWS.
    autoscaler(Cause::AutoscalerStuck, &["Failed to regenerate ASG cache"]).weighs(Weight::Passing(SDK)),
    autoscaler(Cause::AutoscalerStuck, &["Failed to refresh cloud provider config"]).weighs(Weight::Passing(SDK)),
    autoscaler(Cause::AutoscalerStuck, &["Failed to create AWS Manager"]),
    autoscaler(Cause::AutoscalerStuck, &["cannot autodiscover ASGs"]).weighs(Weight::Passing(SDK)),
    // metrics/metrics.go UpdateDuration: a try of the SDK's dialler is 30 s.
    autoscaler(Cause::AutoscalerSlow, &["Function main took", "to complete"])
        .tells(Figure::Took("main took", 30.0))
        .weighs(Weight::Hint),
    // cloudprovider/aws/auto_scaling_groups.go isNodeGroupAvailable; Auto Scaling's status message.
    autoscaler(Cause::SubnetEmpty, &["not enough free addresses in subnet"]).tells(Figure::Id("subnet-")),
    autoscaler(Cause::AutoscalerGroupFailed, &["scaling failed with", "ASG "]),
    autoscaler(Cause::AutoscalerGroupFailed, &["cannot provision any more nodes!"]),
    autoscaler(Cause::AutoscalerGroupFailed, &["placeholder-cannot-be-fulfilled"]),
    // core/static_autoscaler.go RunOnce, after max-node-provision-time.
    autoscaler(Cause::AutoscalerGroupFailed, &["Failed to fix node group sizes"]).weighs(Weight::Passing(SDK)),
    // The AWS APIs' answers.
    autoscaler(Cause::AwsDenied, &["not authorized to perform: autoscaling:"]).tells(Figure::After("perform: ")),
    autoscaler(Cause::AwsDenied, &["Failed to generate AWS EC2 Instance Types", "UnauthorizedOperation"]),
    autoscaler(Cause::AwsThrottled, &["Throttling", "Rate exceeded"]).weighs(Weight::Passing(SDK)),
    // main.go main, OnStoppedLeading.
    autoscaler(Cause::AutoscalerApi, &["Failed to get nodes from apiserver"]),
    autoscaler(Cause::AutoscalerApi, &["lost master"]).weighs(Weight::Hint),
];

pub(super) const CORE_DNS: &[Row] = &[
    // plugin/errors/errors.go and plugin/forward/forward.go; plugin/loop/loop.go.
    Row::new(Component::CoreDns, Cause::ClusterDns, &["plugin/errors: 2", "i/o timeout"]).weighs(Weight::Passing(30)),
    Row::new(Component::CoreDns, Cause::ClusterDns, &["plugin/errors: 2", "connection refused"])
        .weighs(Weight::Passing(30)),
    Row::new(Component::CoreDns, Cause::ClusterDns, &["plugin/errors: 2", "no route to host"])
        .weighs(Weight::Passing(30)),
    Row::new(Component::CoreDns, Cause::DnsLoop, &["plugin/loop: Loop"]),
];

pub(super) const AWS: &[Row] = &[
    // Go's net/dial.go and net/lookup.go. Without an address and without `lookup` the deadline passed while the name was looked
    // up, before Go 1.23; since then it says `lookup`.
    aws(Cause::AwsDns, &["amazonaws.com", "dial tcp: i/o timeout"]).unless(NOT_AWS),
    aws(Cause::AwsDns, &["amazonaws.com", "dial tcp: lookup"]).unless(NOT_AWS),
    aws(Cause::AwsDns, &["amazonaws.com", "no such host"]).unless(NOT_AWS),
    aws(Cause::AwsBlocked, &["amazonaws.com", ":443: i/o timeout"]).unless(NOT_AWS),
    // botocore exceptions.py ConnectTimeoutError, of the AWS CLI in user data.
    aws(Cause::AwsBlocked, &["Connect timeout on endpoint URL"]),
    aws(Cause::AwsRefused, &["Could not connect to the endpoint URL"]),
    aws(Cause::AwsRefused, &["amazonaws.com", "dial tcp", "connection refused"]).unless(NOT_AWS),
    aws(Cause::AwsRefused, &["amazonaws.com", "dial tcp", "no route to host"]).unless(NOT_AWS),
    aws(Cause::AwsRefused, &["amazonaws.com", "dial tcp", "network is unreachable"]).unless(NOT_AWS),
    // Go's crypto/x509 and net/http.
    aws(Cause::AwsTls, &["amazonaws.com", "x509: certificate signed by unknown authority"]).unless(NOT_AWS),
    aws(Cause::AwsTls, &["amazonaws.com", "x509: failed to load system roots"]).unless(NOT_AWS),
    aws(Cause::AwsTls, &["amazonaws.com", "TLS handshake timeout"]).unless(NOT_AWS),
    // The same without the host, which is cut off where people quote them.
    pasted(Cause::AwsDns, &["dial tcp: i/o timeout"]),
    pasted(Cause::AwsDns, &["dial tcp: lookup"]),
    pasted(Cause::AwsBlocked, &["dial tcp", ":443: i/o timeout"]),
    pasted(Cause::AwsTls, &["x509: failed to load system roots"]),
    pasted(Cause::AwsTls, &["signed by unknown authority"]),
    pasted(Cause::AwsDenied, &["AccessDenied"]),
    // aws-sdk-go v1 aws/credentials, v2 credentials/stscreds; STS's answers.
    aws(Cause::AwsCredentials, &["WebIdentityErr"]).unless(&["dial tcp"]),
    aws(Cause::AwsCredentials, &["Not authorized to perform sts:AssumeRoleWithWebIdentity"]),
    aws(Cause::AwsCredentials, &["NoCredentialProviders"]),
    aws(Cause::AwsCredentials, &["no EC2 IMDS role found"]),
    aws(Cause::AwsCredentials, &["ExpiredToken"]),
    aws(Cause::ClockWrong, &["Signature expired:"]),
    aws(Cause::ClockWrong, &["Signature not yet current"]),
];
