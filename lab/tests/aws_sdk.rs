//! The AWS SDKs for Rust, unmodified, against the lab.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_autoscaling::error::ProvideErrorMetadata;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDatum, MetricStat, StatisticSet};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use headroom_capacity::ids::SubnetId;
use headroom_capacity::subnet::Cidr;
use headroom_capacity::time::Time;
use headroom_lab::aws::{self, Config, Fault, FaultKind, NewGroup, NewSubnet, Samples, Tags, Vpc};
use headroom_lab::clock::Clock;

struct Aws {
    vpc: Arc<Mutex<Vpc>>,
    clock: Clock,
    subnets: Vec<SubnetId>,
    sdk: SdkConfig,
}

/// Two zones, a group of two c5.large in service.
async fn aws() -> Aws {
    let today = Time::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let clock = Clock::manual(today);
    let mut vpc = Vpc::new(Config::new(1, Cidr::parse("10.0.0.0/16").unwrap()));
    let subnets: Vec<SubnetId> = [("10.0.0.0/24", "us-west-2a"), ("10.0.1.0/24", "us-west-2b")]
        .map(|(cidr, az)| NewSubnet { cidr: Cidr::parse(cidr).unwrap(), az: az.into(), tags: Tags::new() })
        .map(|new| vpc.create_subnet(new, today).unwrap())
        .into();
    for name in ["workers", "workers-2", "workers-3"] {
        let group = NewGroup {
            name: name.into(),
            min: 1,
            max: 5,
            desired: if name == "workers" { 2 } else { 1 },
            subnets: subnets.clone(),
            instance_type: "c5.large".into(),
            tags: Tags::from([("k8s.io/cluster-autoscaler/enabled".into(), "true & <more>".into())]),
            protect_new: false,
            cooldown: Duration::from_secs(300),
        };
        vpc.create_group(group, today).unwrap();
    }
    clock.advance(Duration::from_secs(60));
    vpc.advance(clock.now());
    let vpc = Arc::new(Mutex::new(vpc));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = aws::router(vpc.clone(), clock.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-west-2"))
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("AKID", "secret", None, None, "test")))
        .build();
    Aws { vpc, clock, subnets, sdk }
}

impl Aws {
    fn autoscaling(&self) -> aws_sdk_autoscaling::Client {
        aws_sdk_autoscaling::Client::new(&self.sdk)
    }

    fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        aws_sdk_cloudwatch::Client::new(&self.sdk)
    }

    fn fault(&self, operation: &str, kind: FaultKind) {
        let now = self.clock.now();
        let until = now + Duration::from_secs(60);
        let fault = Fault { operation: Some(operation.into()), kind, from: now, until, every: 1 };
        self.vpc.lock().unwrap().add_fault(fault);
    }
}

fn code<T>(result: Result<T, impl ProvideErrorMetadata + Error>) -> String {
    let Err(error) = result else { panic!("no error") };
    error.code().unwrap_or("none").to_owned()
}

#[tokio::test]
async fn describes_groups_page_by_page() {
    let aws = aws().await;
    let pages = aws.autoscaling().describe_auto_scaling_groups().max_records(2).into_paginator().items().send();
    let groups: Vec<_> = pages.collect::<Result<_, _>>().await.unwrap();
    let names: Vec<_> = groups.iter().map(|group| group.auto_scaling_group_name().unwrap()).collect();
    assert_eq!(names, ["workers", "workers-2", "workers-3"]);
    let group = &groups[0];
    assert_eq!((group.min_size(), group.max_size(), group.desired_capacity()), (Some(1), Some(5), Some(2)));
    assert_eq!(group.tags()[0].value(), Some("true & <more>"));
    let subnets: Vec<_> = aws.subnets.iter().map(SubnetId::as_str).collect();
    assert_eq!(group.vpc_zone_identifier(), Some(subnets.join(",").as_str()));
    assert_eq!(group.availability_zones(), ["us-west-2a", "us-west-2b"]);
    let states: Vec<_> = group.instances().iter().map(|one| one.lifecycle_state().unwrap().as_str()).collect();
    assert_eq!(states, ["InService", "InService"]);
}

#[tokio::test]
async fn scales_out_and_in() {
    let aws = aws().await;
    let client = aws.autoscaling();
    let set = |n| client.set_desired_capacity().auto_scaling_group_name("workers").desired_capacity(n).send();
    assert_eq!(code(set(6).await), "ValidationError");
    set(3).await.unwrap();
    aws.clock.advance(Duration::from_secs(60));
    let all = client.describe_auto_scaling_instances().send().await.unwrap();
    let mine = |one: &&aws_sdk_autoscaling::types::AutoScalingInstanceDetails| {
        one.auto_scaling_group_name() == Some("workers") && one.lifecycle_state() == Some("InService")
    };
    let members: Vec<_> = all.auto_scaling_instances().iter().filter(mine).collect();
    assert_eq!(members.len(), 3);
    let victim = members[0].instance_id().unwrap();
    let request = client.terminate_instance_in_auto_scaling_group().instance_id(victim);
    let answer = request.should_decrement_desired_capacity(true).send().await.unwrap();
    let activity = answer.activity().unwrap();
    assert_eq!(activity.description(), Some(format!("Terminating EC2 instance: {victim}").as_str()));
    let busy =
        client.set_desired_capacity().auto_scaling_group_name("workers").desired_capacity(2).honor_cooldown(true);
    assert!(busy.send().await.unwrap_err().into_service_error().is_scaling_activity_in_progress_fault());
    let activities = client.describe_scaling_activities().auto_scaling_group_name("workers").send().await.unwrap();
    assert_eq!(activities.activities()[0].activity_id(), activity.activity_id());
    assert_eq!(activities.activities()[1].progress(), Some(100));
}

#[tokio::test]
async fn launches_where_the_caller_says() {
    let aws = aws().await;
    let client = aws.autoscaling();
    let launch = client.launch_instances().auto_scaling_group_name("workers").requested_capacity(2);
    let answer = launch.client_token("t").subnet_ids(aws.subnets[1].as_str()).send().await.unwrap();
    assert_eq!(answer.instances()[0].instance_ids().len(), 2);
    assert_eq!(answer.instances()[0].subnet_id(), Some(aws.subnets[1].as_str()));
    assert!(answer.errors().is_empty());
    let hook = client.put_lifecycle_hook().auto_scaling_group_name("workers").lifecycle_hook_name("drain");
    hook.lifecycle_transition("autoscaling:EC2_INSTANCE_TERMINATING").heartbeat_timeout(60).send().await.unwrap();
    let hooks = client.describe_lifecycle_hooks().auto_scaling_group_name("workers").send().await.unwrap();
    assert_eq!(hooks.lifecycle_hooks()[0].heartbeat_timeout(), Some(60));
}

#[tokio::test]
async fn faults_look_like_aws_having_them() {
    let aws = aws().await;
    let client = aws.autoscaling();
    aws.fault("DescribeAutoScalingGroups", FaultKind::Throttle);
    assert_eq!(code(client.describe_auto_scaling_groups().send().await), "Throttling");
    aws.fault("SetDesiredCapacity", FaultKind::ExpiredToken);
    let set = client.set_desired_capacity().auto_scaling_group_name("workers").desired_capacity(1);
    assert_eq!(code(set.send().await), "ExpiredToken");
    aws.fault("DescribeLifecycleHooks", FaultKind::Drop);
    let timeout = TimeoutConfig::builder().operation_timeout(Duration::from_millis(200)).build();
    let config = aws_sdk_autoscaling::config::Builder::from(&aws.sdk).timeout_config(timeout).build();
    let impatient = aws_sdk_autoscaling::Client::from_conf(config);
    let error = impatient.describe_lifecycle_hooks().auto_scaling_group_name("workers").send().await.unwrap_err();
    assert!(matches!(error, aws_sdk_autoscaling::error::SdkError::TimeoutError(_)), "{error:?}");
}

#[tokio::test]
async fn token_buckets_run_dry_and_fill_again() {
    let aws = aws().await;
    let client = aws_sdk_sts::Client::new(&aws.sdk);
    for _ in 0..100 {
        client.get_caller_identity().send().await.unwrap();
    }
    assert_eq!(code(client.get_caller_identity().send().await), "Throttling");
    aws.clock.advance(Duration::from_millis(50));
    client.get_caller_identity().send().await.unwrap();
    assert_eq!(code(client.get_caller_identity().send().await), "Throttling");
}

#[tokio::test]
async fn sts_tells_who_is_calling() {
    let aws = aws().await;
    let client = aws_sdk_sts::Client::new(&aws.sdk);
    assert_eq!(client.get_caller_identity().send().await.unwrap().account(), Some("123456789012"));
    let request = client.assume_role_with_web_identity().role_arn("arn:aws:iam::123456789012:role/headroom");
    let answer = request.role_session_name("s").web_identity_token("token").send().await.unwrap();
    assert!(answer.credentials().unwrap().access_key_id().starts_with("ASIA"));
}

fn datum(name: &str) -> aws_sdk_cloudwatch::types::builders::MetricDatumBuilder {
    MetricDatum::builder().metric_name(name).dimensions(Dimension::builder().name("Subnet").value("a").build())
}

#[tokio::test]
async fn metrics_come_back_as_they_were_put() {
    let aws = aws().await;
    let client = aws.cloudwatch();
    let set = StatisticSet::builder().sample_count(2.0).sum(5.0).minimum(1.0).maximum(4.0).build();
    let put = client.put_metric_data().namespace("Headroom");
    put.metric_data(datum("FreeIps").value(7.0).build())
        .metric_data(datum("FreeIps").set_values(Some(vec![1.0, 2.0])).set_counts(Some(vec![3.0, 1.0])).build())
        .metric_data(datum("Waits").statistic_values(set).build())
        .send()
        .await
        .unwrap();
    {
        let vpc = aws.vpc.lock().unwrap();
        let (namespace, second) = vpc.metrics().data().nth(1).unwrap();
        assert_eq!((namespace, second.name.as_str()), ("Headroom", "FreeIps"));
        assert_eq!(second.samples, Samples::Values(vec![(1.0, 3.0), (2.0, 1.0)]));
        assert_eq!(second.at, aws.clock.now());
    }
    let listed = client.list_metrics().namespace("Headroom").send().await.unwrap();
    let names: Vec<_> = listed.metrics().iter().map(|metric| metric.metric_name().unwrap()).collect();
    assert_eq!(names, ["FreeIps", "Waits"]);
    let metric = Metric::builder().namespace("Headroom").metric_name("FreeIps");
    let metric = metric.dimensions(Dimension::builder().name("Subnet").value("a").build()).build();
    let stat = MetricStat::builder().metric(metric).period(60).stat("Sum").build();
    let now = i64::try_from(aws.clock.now().as_millis()).unwrap();
    let got = client
        .get_metric_data()
        .metric_data_queries(MetricDataQuery::builder().id("q").metric_stat(stat).build())
        .start_time(DateTime::from_millis(now - 3_600_000))
        .end_time(DateTime::from_millis(now + 60_000))
        .send()
        .await
        .unwrap();
    assert_eq!(got.metric_data_results()[0].values(), [12.0]);
    assert_eq!(got.metric_data_results()[0].timestamps()[0].secs() % 60, 0);
}

#[tokio::test]
async fn large_batches_come_compressed() {
    let aws = aws().await;
    let data = (0..1000).map(|n| datum(&format!("Metric{n}")).value(f64::from(n)).build()).collect();
    aws.cloudwatch().put_metric_data().namespace("Headroom").set_metric_data(Some(data)).send().await.unwrap();
    assert_eq!(aws.vpc.lock().unwrap().metrics().data().count(), 1000);
}

#[tokio::test]
async fn what_cloudwatch_refuses_is_not_stored() {
    let aws = aws().await;
    let client = aws.cloudwatch();
    let now = i64::try_from(aws.clock.now().as_millis()).unwrap();
    let two_hours = 2 * 3_600_000;
    let dimension = |n| Dimension::builder().name(format!("d{n}")).value("v").build();
    let cases = [
        ("Headroom", vec![datum("a").value(f64::NAN).build()]),
        ("Headroom", vec![datum("a").value(f64::INFINITY).build()]),
        ("Headroom", vec![datum("a").value(2f64.powi(361)).build()]),
        ("Headroom", vec![datum("a").set_values(Some(vec![1.0; 151])).build()]),
        ("Headroom", vec![datum("a").value(1.0).set_dimensions(Some((0..31).map(dimension).collect())).build()]),
        ("Headroom", vec![datum("a").value(1.0).timestamp(DateTime::from_millis(now + two_hours + 1000)).build()]),
        ("Headroom", vec![datum("a").value(1.0).timestamp(DateTime::from_millis(now - 15 * 86_400_000)).build()]),
        ("Headroom", vec![datum("a").value(1.0).storage_resolution(10).build()]),
        ("Headroom", vec![datum("a").value(1.0).build(); 1001]),
        ("AWS/EC2", vec![datum("a").value(1.0).build()]),
    ];
    for (namespace, data) in cases {
        let shown = format!("{namespace} {:?}", data[0]);
        let put = client.put_metric_data().namespace(namespace).set_metric_data(Some(data));
        let error = put.send().await.unwrap_err().into_service_error();
        assert!(error.is_invalid_parameter_value_exception(), "{error:?} for {shown}");
    }
    let both = datum("a").value(1.0).set_values(Some(vec![1.0])).build();
    let put = client.put_metric_data().namespace("Headroom").metric_data(both);
    assert!(put.send().await.unwrap_err().into_service_error().is_invalid_parameter_combination_exception());
    assert_eq!(aws.vpc.lock().unwrap().metrics().data().count(), 0);
}
