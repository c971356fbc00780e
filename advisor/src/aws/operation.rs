//! The calls that are made, and what AWS grants for each.

use std::fmt;

use super::error::ErrorClass;

/// An operation of an AWS API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// EC2.
    DescribeSubnets,
    /// EC2.
    GetSubnetCidrReservations,
    /// EC2.
    DescribeNetworkInterfaces,
    /// EC2.
    DescribeInstances,
    /// EC2.
    DescribeInstanceTypes,
    /// EC2.
    DescribeVpcs,
    /// EC2.
    DescribeVpcEndpoints,
    /// EC2.
    DescribeSecurityGroups,
    /// EC2; changes something.
    DeleteNetworkInterface,
    /// Auto Scaling.
    DescribeAutoScalingGroups,
    /// Auto Scaling.
    DescribeScalingActivities,
    /// Auto Scaling; changes something.
    SetDesiredCapacity,
    /// Auto Scaling; changes something.
    LaunchInstances,
    /// Auto Scaling; changes something.
    TerminateInstanceInAutoScalingGroup,
    /// CloudWatch.
    PutMetricData,
    /// CloudWatch.
    GetMetricData,
    /// CloudWatch; to see whether it answers.
    ListMetrics,
    /// STS; to see whether it answers.
    GetCallerIdentity,
    // Those that only `doctor join` makes, beside the ones above.
    /// EC2; only for the doctor.
    DescribeInstanceAttribute,
    /// EC2; only for the doctor.
    DescribeImages,
    /// EC2; only for the doctor.
    DescribeVpcAttribute,
    /// EC2; only for the doctor.
    DescribeRouteTables,
    /// EKS; only for the doctor.
    DescribeCluster,
    /// EKS; only for the doctor.
    DescribeAccessEntry,
    /// IAM; only for the doctor.
    GetInstanceProfile,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 25] = [
        Operation::DescribeSubnets,
        Operation::GetSubnetCidrReservations,
        Operation::DescribeNetworkInterfaces,
        Operation::DescribeInstances,
        Operation::DescribeInstanceTypes,
        Operation::DescribeVpcs,
        Operation::DescribeVpcEndpoints,
        Operation::DescribeSecurityGroups,
        Operation::DeleteNetworkInterface,
        Operation::DescribeAutoScalingGroups,
        Operation::DescribeScalingActivities,
        Operation::SetDesiredCapacity,
        Operation::LaunchInstances,
        Operation::TerminateInstanceInAutoScalingGroup,
        Operation::PutMetricData,
        Operation::GetMetricData,
        Operation::ListMetrics,
        Operation::GetCallerIdentity,
        Operation::DescribeInstanceAttribute,
        Operation::DescribeImages,
        Operation::DescribeVpcAttribute,
        Operation::DescribeRouteTables,
        Operation::DescribeCluster,
        Operation::DescribeAccessEntry,
        Operation::GetInstanceProfile,
    ];

    /// The metric label, which is AWS's name of it and its IAM action.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Operation::DescribeSubnets => "DescribeSubnets",
            Operation::GetSubnetCidrReservations => "GetSubnetCidrReservations",
            Operation::DescribeNetworkInterfaces => "DescribeNetworkInterfaces",
            Operation::DescribeInstances => "DescribeInstances",
            Operation::DescribeInstanceTypes => "DescribeInstanceTypes",
            Operation::DescribeVpcs => "DescribeVpcs",
            Operation::DescribeVpcEndpoints => "DescribeVpcEndpoints",
            Operation::DescribeSecurityGroups => "DescribeSecurityGroups",
            Operation::DeleteNetworkInterface => "DeleteNetworkInterface",
            Operation::DescribeAutoScalingGroups => "DescribeAutoScalingGroups",
            Operation::DescribeScalingActivities => "DescribeScalingActivities",
            Operation::SetDesiredCapacity => "SetDesiredCapacity",
            Operation::LaunchInstances => "LaunchInstances",
            Operation::TerminateInstanceInAutoScalingGroup => "TerminateInstanceInAutoScalingGroup",
            Operation::PutMetricData => "PutMetricData",
            Operation::GetMetricData => "GetMetricData",
            Operation::ListMetrics => "ListMetrics",
            Operation::GetCallerIdentity => "GetCallerIdentity",
            Operation::DescribeInstanceAttribute => "DescribeInstanceAttribute",
            Operation::DescribeImages => "DescribeImages",
            Operation::DescribeVpcAttribute => "DescribeVpcAttribute",
            Operation::DescribeRouteTables => "DescribeRouteTables",
            Operation::DescribeCluster => "DescribeCluster",
            Operation::DescribeAccessEntry => "DescribeAccessEntry",
            Operation::GetInstanceProfile => "GetInstanceProfile",
        }
    }

    /// Whether only a command of the doctor makes it, never a running advisor.
    #[must_use]
    pub const fn is_of_doctor(self) -> bool {
        matches!(
            self,
            Operation::DescribeInstanceAttribute
                | Operation::DescribeImages
                | Operation::DescribeVpcAttribute
                | Operation::DescribeRouteTables
                | Operation::DescribeCluster
                | Operation::DescribeAccessEntry
                | Operation::GetInstanceProfile
        )
    }

    /// What AWS grants; `None` for Auto Scaling, EKS and IAM, whose quotas AWS does not publish.
    ///
    /// EC2 developer guide, "Request throttling", by category: non-mutating actions (`Describe*`, `Get*`) with a filter or a page
    /// size, and mutating ones. Each operation has a bucket of its own. CloudWatch user guide, "CloudWatch service quotas": `PutMetricData`
    /// 500 a second, `GetMetricData` 50, `ListMetrics` 25. IAM user guide, "IAM and AWS STS quotas": 600 calls of STS a second.
    #[must_use]
    pub const fn quota(self) -> Option<Quota> {
        match self {
            Operation::DescribeAutoScalingGroups
            | Operation::DescribeScalingActivities
            | Operation::SetDesiredCapacity
            | Operation::LaunchInstances
            | Operation::TerminateInstanceInAutoScalingGroup
            | Operation::DescribeCluster
            | Operation::DescribeAccessEntry
            | Operation::GetInstanceProfile => None,
            Operation::PutMetricData => Some(Quota { burst: 500, per_sec: 500 }),
            Operation::GetMetricData => Some(Quota { burst: 50, per_sec: 50 }),
            Operation::ListMetrics => Some(Quota { burst: 25, per_sec: 25 }),
            Operation::GetCallerIdentity => Some(Quota { burst: 600, per_sec: 600 }),
            Operation::DeleteNetworkInterface => Some(Quota { burst: 50, per_sec: 5 }),
            _ => Some(Quota { burst: 100, per_sec: 20 }),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A token bucket of the account in a region; ipamd on every node and everything else in the account draw on the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Calls at once.
    pub burst: u32,
    /// Calls a second after that.
    pub per_sec: u32,
}

/// One call as it ended: one page of a listing, with all its attempts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallRecord {
    /// What was called.
    pub operation: Operation,
    /// Why it failed, if it did.
    pub error: Option<ErrorClass>,
    /// How long it took with all its attempts.
    pub seconds: f64,
}

impl CallRecord {
    /// The metric label of a call that succeeded; the others are those of [`ErrorClass`].
    pub const OK: &'static str = "ok";

    /// The metric label of how it ended.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        self.error.map_or(CallRecord::OK, ErrorClass::label)
    }
}
