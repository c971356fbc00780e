//! What each call takes in IAM, and the policies that grant it: `headroom-advisor iam` prints them, `deploy/iam` has them.
//!
//! Which actions know resources and condition keys: Service Authorization Reference, "Actions, resources, and condition keys" for
//! Amazon EC2, Amazon EC2 Auto Scaling, Amazon CloudWatch, Amazon EKS and AWS IAM.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::decode::{CLUSTER_TAG, CREATED_AT_TAG, NO_MANAGE_TAG};
use super::operation::Operation;
use crate::cloudwatch::cni_helper;
use crate::config::{Config, LeakAction, Mode};
use crate::metrics::labels;

labels! {
    /// What one switch of the configuration, or one command, takes. They add up.
    Policy {
        /// To read: always.
        Observe = "observe",
        /// `cloudwatch.enabled`.
        CloudWatch = "cloudwatch",
        /// `history.backfill.cloudwatch`.
        Backfill = "backfill",
        /// `leaks.action` other than `report`.
        Leaks = "leaks",
        /// `scaling.mode: act`.
        Act = "act",
        /// `headroom-advisor doctor join`, beside `observe`.
        Doctor = "doctor",
    }
}

/// What a statement is limited to beside its actions, and how it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    /// Nothing: the actions know no resources, or (the doctor's) are meant for resources whose tags are wrong.
    Read,
    /// What `LaunchInstances` has done in the caller's name, by resources that bear no tag of the group.
    Launch,
    /// Groups with the tag of `scaling.group_tag`.
    ScaledGroups,
    /// ENIs that the CNI made for this cluster.
    ClusterEnis,
    /// The namespaces that are published to.
    Namespaces,
}

/// What a call takes.
#[derive(Clone, Copy, Debug)]
struct Permission {
    /// IAM's prefix.
    service: &'static str,
    /// The policies that make the call.
    policies: &'static [Policy],
    scope: Scope,
    /// Actions that AWS asks for beside it.
    beside: &'static [&'static str],
}

const fn read(service: &'static str, policies: &'static [Policy]) -> Permission {
    Permission { service, policies, scope: Scope::Read, beside: &[] }
}

const fn permission(operation: Operation) -> Permission {
    use Policy::{Act, Backfill, CloudWatch, Doctor, Leaks, Observe};
    let of_group = Permission { scope: Scope::ScaledGroups, ..read("autoscaling", &[Act]) };
    match operation {
        Operation::DescribeSubnets
        | Operation::GetSubnetCidrReservations
        | Operation::DescribeNetworkInterfaces
        | Operation::DescribeInstances
        | Operation::DescribeInstanceTypes
        | Operation::DescribeVpcs
        | Operation::DescribeVpcEndpoints => read("ec2", &[Observe]),
        Operation::DescribeSecurityGroups
        | Operation::DescribeInstanceAttribute
        | Operation::DescribeImages
        | Operation::DescribeVpcAttribute
        | Operation::DescribeRouteTables => read("ec2", &[Doctor]),
        Operation::DescribeCluster | Operation::DescribeAccessEntry => read("eks", &[Doctor]),
        Operation::GetInstanceProfile => read("iam", &[Doctor]),
        Operation::DeleteNetworkInterface => Permission { scope: Scope::ClusterEnis, ..read("ec2", &[Leaks]) },
        Operation::DescribeAutoScalingGroups => read("autoscaling", &[Observe]),
        Operation::DescribeScalingActivities => read("autoscaling", &[Act]),
        Operation::SetDesiredCapacity | Operation::TerminateInstanceInAutoScalingGroup => of_group,
        // Auto Scaling user guide, "Launching instances with synchronous provisioning", Prerequisites.
        Operation::LaunchInstances => {
            Permission { beside: &["ec2:CreateFleet", "ec2:DescribeLaunchTemplateVersions"], ..of_group }
        }
        Operation::PutMetricData => Permission { scope: Scope::Namespaces, ..read("cloudwatch", &[CloudWatch]) },
        Operation::GetMetricData => read("cloudwatch", &[Backfill]),
        // The signed read of CloudWatch's probe.
        Operation::ListMetrics => read("cloudwatch", &[CloudWatch, Backfill]),
        // STS API reference, `GetCallerIdentity`: no permissions are required.
        Operation::GetCallerIdentity => read("sts", &[]),
    }
}

impl Policy {
    /// Those that a configuration takes.
    #[must_use]
    pub fn of(config: &Config) -> Vec<Policy> {
        let taken = |policy: &Policy| match policy {
            Policy::Observe => true,
            Policy::CloudWatch => config.cloudwatch.enabled,
            Policy::Backfill => config.history.backfill.cloudwatch,
            Policy::Leaks => config.leaks.action != LeakAction::Report,
            Policy::Act => config.scaling.mode == Mode::Act,
            Policy::Doctor => false,
        };
        Policy::ALL.iter().copied().filter(taken).collect()
    }

    /// The policy document that grants `policies` together, with the configuration's names of cluster, tag and namespace.
    #[must_use]
    pub fn document(policies: &[Policy], config: &Config) -> Value {
        let mut actions: BTreeMap<Scope, BTreeSet<String>> = BTreeMap::new();
        for operation in Operation::ALL {
            let Permission { service, scope, beside, policies: by } = permission(operation);
            if by.iter().any(|policy| policies.contains(policy)) {
                actions.entry(scope).or_default().insert(format!("{service}:{operation}"));
                for action in beside {
                    actions.entry(Scope::Launch).or_default().insert((*action).to_owned());
                }
            }
        }
        let statements: Vec<Value> =
            actions.into_iter().map(|(scope, actions)| scope.statement(&actions, config)).collect();
        json!({ "Version": "2012-10-17", "Statement": statements })
    }
}

impl Scope {
    fn statement(self, actions: &BTreeSet<String>, config: &Config) -> Value {
        let tag = |key: &str| format!("aws:ResourceTag/{key}");
        let (sid, condition) = match self {
            Scope::Read => ("Read", None),
            Scope::Launch => ("LaunchInstances", None),
            Scope::ScaledGroups => {
                ("ScaleTaggedGroups", Some(json!({ "StringLike": { tag(&config.scaling.group_tag): "*" } })))
            }
            // As `leaks::next_deletion` and `leaks::made_for` choose.
            Scope::ClusterEnis => {
                let condition = json!({
                    "StringEquals": { tag(CLUSTER_TAG): config.cluster_name },
                    "StringLike": { tag(CREATED_AT_TAG): "*" },
                    "StringNotEquals": { tag(NO_MANAGE_TAG): "true" },
                });
                ("DeleteLeakedEnis", Some(condition))
            }
            Scope::Namespaces => {
                let helper = config.cloudwatch.cni_metrics_helper_names.then_some(cni_helper::NAMESPACE);
                let namespaces: Vec<&str> = [config.cloudwatch.namespace.as_str()].into_iter().chain(helper).collect();
                ("PublishMetrics", Some(json!({ "StringEquals": { "cloudwatch:namespace": namespaces } })))
            }
        };
        let mut statement = json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*" });
        if let (Some(condition), Some(fields)) = (condition, statement.as_object_mut()) {
            fields.insert("Condition".to_owned(), condition);
        }
        statement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(config: &Config) -> BTreeMap<String, Value> {
        let document = Policy::document(&Policy::of(config), config);
        let statements = document["Statement"].as_array().cloned().unwrap_or_default();
        statements.into_iter().map(|one| (one["Sid"].as_str().unwrap().to_owned(), one)).collect()
    }

    #[test]
    fn whoever_only_looks_changes_nothing() {
        let config = Config { cluster_name: "prod".to_owned(), ..Config::default() };
        let statements = statements(&config);
        assert_eq!(statements.keys().collect::<Vec<_>>(), ["Read"]);
        let actions = statements["Read"]["Action"].as_array().unwrap();
        let reads = |action: &Value| {
            let (_, name) = action.as_str().unwrap().split_once(':').unwrap();
            name.starts_with("Describe") || name.starts_with("Get")
        };
        assert!(actions.len() == 8 && actions.iter().all(reads), "{actions:?}");
    }

    #[test]
    fn each_switch_adds_its_statement_with_the_names_of_the_configuration() {
        let mut config = Config { cluster_name: "prod".to_owned(), ..Config::default() };
        config.leaks.action = LeakAction::DryRun;
        config.cloudwatch.enabled = true;
        config.cloudwatch.namespace = "Mine".to_owned();
        config.cloudwatch.cni_metrics_helper_names = true;
        config.scaling.mode = Mode::Act;
        config.scaling.group_tag = "team/scale".to_owned();
        let statements = statements(&config);
        let sids = ["DeleteLeakedEnis", "LaunchInstances", "PublishMetrics", "Read", "ScaleTaggedGroups"];
        assert_eq!(statements.keys().collect::<Vec<_>>(), sids);
        let condition = |sid: &str| statements[sid]["Condition"].clone();
        assert_eq!(
            condition("PublishMetrics"),
            json!({"StringEquals": {"cloudwatch:namespace": ["Mine", "Kubernetes"]}})
        );
        assert_eq!(condition("ScaleTaggedGroups"), json!({"StringLike": {"aws:ResourceTag/team/scale": "*"}}));
        let cluster = &condition("DeleteLeakedEnis")["StringEquals"]["aws:ResourceTag/cluster.k8s.amazonaws.com/name"];
        assert_eq!(cluster, "prod");
        assert!(!statements["Read"].to_string().contains("GetMetricData"), "nothing is read back");
    }

    /// The reads of a probe are made in a configuration that has the API's policies, so that they are allowed too.
    #[test]
    fn what_a_policy_makes_the_advisor_depend_on_may_be_probed() {
        for policy in [Policy::CloudWatch, Policy::Backfill] {
            assert!(permission(Operation::ListMetrics).policies.contains(&policy));
        }
    }
}
