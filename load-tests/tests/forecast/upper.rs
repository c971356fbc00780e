//! What the cluster declares, from its API server to the forecast.

use headroom_load_tests::advisor::{Advisor, Place};
use headroom_load_tests::page::get;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::{Metadata, NamespaceResourceScope, Resource};
use kube::Api;
use kube::api::PostParams;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{config, forecast, lab, subnet};

async fn create<K>(client: &kube::Client, object: Value)
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Resource + Metadata + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
{
    let objects = Api::<K>::namespaced(client.clone(), "default");
    objects.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_autoscalers_and_cron_jobs_may_ask_for_is_beside_the_forecast() {
    let lab = lab(30.0).await;
    let subnet = subnet(&lab);
    let client = headroom_cluster::connect(Some(lab.kubeconfig()), None).await.unwrap();
    let template =
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template});
    create::<Deployment>(&client, json!({"metadata": {"name": "web"}, "spec": spec})).await;
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let spec = json!({"maxReplicas": 60, "scaleTargetRef": target});
    create::<HorizontalPodAutoscaler>(&client, json!({"metadata": {"name": "web"}, "spec": spec})).await;
    let template = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}});
    let job = json!({"spec": {"parallelism": 8, "template": template}});
    let spec = json!({"schedule": "0 3 * * *", "jobTemplate": job});
    create::<CronJob>(&client, json!({"metadata": {"name": "report"}, "spec": spec})).await;

    let advisor = Advisor::start(Place::lab(&lab), config()).await.unwrap();
    let (_, row) = forecast(advisor.admin_addr(), |row| row.upper.pods > 0).await;
    let named: Vec<(&str, &str, &str)> =
        row.upper.drivers.iter().map(|of| (&*of.cause, &*of.kind, &*of.name)).collect();
    assert_eq!(named[0], ("autoscaler", "Deployment", "default/web"), "{:?}", row.upper);
    assert!(named.contains(&("cron_job", "CronJob", "default/report")), "{named:?}");
    // Nobody makes the Deployment's pods in the lab: all 60 are to come, and the rollout's quarter, and a run of the job.
    assert!(row.upper.pods >= 68, "{:?}", row.upper);
    // Of 251 addresses others hold 150, and two nodes have 20.
    assert!(row.upper.short_ips > 0 && row.advice_text.contains("Deployment default/web"), "{row:?}");

    let metrics = get(advisor.admin_addr(), "/metrics").await.unwrap();
    let series = format!("headroom_advisor_subnet_upper_ips{{subnet=\"{subnet}\",az=\"us-west-2a\"}} ");
    let told = metrics.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or_else(|| panic!("{metrics}"));
    assert_eq!(told.parse().ok(), row.upper.ips);
    advisor.stop().await.unwrap();
    lab.shutdown().await;
}
