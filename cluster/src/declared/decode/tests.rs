//! Objects as kube-apiserver sends them.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn declared<K: DeserializeOwned>(decode: fn(K) -> Option<Event>, raw: Value) -> Declared {
    match decode(serde_json::from_value(raw).unwrap()) {
        Some(Event::DeclaredApplied(declared)) => declared,
        other => panic!("{other:?}"),
    }
}

/// What kube-apiserver answers for a Deployment that was rolled once, with what nobody needs.
fn real_deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "6f1c2f0e-55a8-4a53-9a3e-2b8f6f4f2d11", "resourceVersion": "48213",
            "generation": 3, "creationTimestamp": "2026-11-20T09:14:03Z", "labels": {"app": "web"},
            "annotations": {"deployment.kubernetes.io/revision": "3"}, "managedFields": [{"manager": "kubectl"}]},
        "spec": {"replicas": 10, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            "template": {"metadata": {"creationTimestamp": null, "labels": {"app": "web"}}, "spec": {"containers": [{"name": "web",
                "image": "nginx:1.29", "resources": {}}], "restartPolicy": "Always", "dnsPolicy": "ClusterFirst"}}},
        "status": {"observedGeneration": 3, "replicas": 10, "updatedReplicas": 10, "readyReplicas": 10, "availableReplicas": 10,
            "conditions": [{"type": "Available", "status": "True"}]},
    })
}

fn of_deployment(change: impl Fn(&mut Value)) -> Workload {
    let mut raw = real_deployment();
    change(&mut raw);
    match declared(deployment, raw) {
        Declared::Workload(Kind::Deployment, workload) => workload,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_deployment_at_rest_keeps_its_surge_for_the_next_rollout() {
    let rest = Workload {
        name: "shop/web".into(),
        host_network: false,
        wanted: 10,
        current: 10,
        surge: Surge::Percent(25),
        rolls: false,
        placement: None,
    };
    assert_eq!(of_deployment(|_| {}), rest);
    let host = of_deployment(|raw| raw["spec"]["template"]["spec"]["hostNetwork"] = true.into());
    assert!(host.host_network);
}

#[test]
fn a_deployment_rolls_while_old_pods_are_there_or_its_spec_is_news() {
    assert!(of_deployment(|raw| raw["status"]["updatedReplicas"] = 4.into()).rolls);
    assert!(of_deployment(|raw| raw["metadata"]["generation"] = 4.into()).rolls);
    // Kept from growing by a quota, and all of its pods are new.
    let scaling = of_deployment(|raw| {
        raw["spec"]["replicas"] = 20.into();
    });
    assert!(!scaling.rolls && scaling.wanted == 20);
    let paused = of_deployment(|raw| {
        raw["spec"]["paused"] = true.into();
        raw["metadata"]["generation"] = 4.into();
    });
    assert!(!paused.rolls);
}

#[test]
fn what_a_deployment_does_not_say_has_its_default() {
    let bare = json!({"metadata": {"name": "web"}, "spec": {}});
    match declared(deployment, bare) {
        Declared::Workload(_, workload) => {
            assert_eq!((workload.wanted, workload.current, workload.surge), (1, 0, DEPLOYMENT_SURGE));
            assert_eq!(&*workload.name, "web");
        }
        other => panic!("{other:?}"),
    }
    let surge = |strategy: Value| of_deployment(|raw| raw["spec"]["strategy"] = strategy.clone()).surge;
    assert_eq!(surge(json!({"type": "Recreate"})), Surge::Pods(0));
    assert_eq!(surge(json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3}})), Surge::Pods(3));
    let odd = json!({"metadata": {"name": "web"}, "spec": {"strategy": {"rollingUpdate": {"maxSurge": "some"}}}});
    let error = serde_json::from_value::<RawDeployment>(odd).err().unwrap().to_string();
    assert!(error.contains("maxSurge: 'some' is no percentage"), "{error}");
}

#[test]
fn surge_is_rounded_up() {
    let of = |percent, wanted| Surge::Percent(percent).of(wanted);
    assert_eq!([of(25, 1), of(25, 4), of(25, 5), of(0, 9), of(100, 7), of(25, 0)], [1, 1, 2, 0, 7, 0]);
    assert_eq!((Surge::Pods(3).of(1), of(u32::MAX, u32::MAX)), (3, u32::MAX));
}

#[test]
fn a_stateful_set_never_has_more_pods_than_it_wants() {
    let raw = json!({"metadata": {"name": "db", "namespace": "shop", "generation": 2},
        "spec": {"replicas": 3, "serviceName": "db", "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
        "status": {"observedGeneration": 1, "replicas": 2, "currentReplicas": 1, "updatedReplicas": 1, "collisionCount": 0}});
    match declared(stateful_set, raw) {
        Declared::Workload(Kind::StatefulSet, workload) => {
            assert_eq!((workload.wanted, workload.current, workload.surge.of(3), workload.rolls), (3, 2, 0, false));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_daemon_set_surges_only_where_it_says_so() {
    let of = |strategy: Value, updated: u32| {
        let raw = json!({"metadata": {"name": "agent", "namespace": "ops", "generation": 1},
            "spec": {"updateStrategy": strategy, "template": {"spec": {"hostNetwork": true}}},
            "status": {"observedGeneration": 1, "desiredNumberScheduled": 8, "currentNumberScheduled": 8, "numberMisscheduled": 0,
                "numberReady": 8, "updatedNumberScheduled": updated}});
        match declared(daemon_set, raw) {
            Declared::Workload(Kind::DaemonSet, workload) => workload,
            other => panic!("{other:?}"),
        }
    };
    let unset = of(json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}), 3);
    assert_eq!((unset.surge, unset.rolls, unset.host_network), (Surge::Pods(0), true, true));
    let surging = of(json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "30%"}}), 8);
    assert_eq!((surging.surge.of(surging.wanted), surging.rolls, surging.current), (3, false, 8));
    assert_eq!(of(json!({"type": "OnDelete"}), 3).surge, Surge::Pods(0));
}

#[test]
fn an_autoscaler_says_whom_it_scales_and_how_far() {
    let raw = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "frontend"}, "minReplicas": 2,
            "maxReplicas": 50, "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization",
            "averageUtilization": 60}}}], "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}}},
        "status": {"observedGeneration": 1, "lastScaleTime": "2026-11-27T10:00:00Z", "currentReplicas": 6, "desiredReplicas": 8,
            "currentMetrics": null, "conditions": [{"type": "AbleToScale", "status": "True"}]}});
    let expected = Autoscaler {
        name: "shop/web".into(),
        target_kind: "Deployment".into(),
        target: "shop/frontend".into(),
        most: 50,
        from_zero: false,
        current: 8,
    };
    assert_eq!(declared(autoscaler, raw.clone()), Declared::Autoscaler(expected.clone()));
    let from_zero = Declared::Autoscaler(Autoscaler { from_zero: true, ..expected });
    let mut keda = raw.clone();
    keda["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "keda-operator"});
    assert_eq!(declared(autoscaler, keda), from_zero);
    let mut idle = raw;
    idle["spec"]["minReplicas"] = 0.into();
    assert_eq!(declared(autoscaler, idle), from_zero);
}

fn of_cron_job(change: impl Fn(&mut Value)) -> CronJob {
    let mut raw = json!({"apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "report", "namespace": "ops", "resourceVersion": "9"},
        "spec": {"schedule": "0 3 * * *", "concurrencyPolicy": "Allow", "suspend": false, "successfulJobsHistoryLimit": 3,
            "jobTemplate": {"metadata": {"creationTimestamp": null}, "spec": {"parallelism": 20, "completions": 30,
                "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}}},
        "status": {"active": [{"kind": "Job", "namespace": "ops", "name": "report-29384720"}],
            "lastScheduleTime": "2026-11-27T03:00:00Z"}});
    change(&mut raw);
    match declared(cron_job, raw) {
        Declared::CronJob(job) => job,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cron_jobs_run_has_as_many_pods_as_run_at_once() {
    assert_eq!(of_cron_job(|_| {}), CronJob { name: "ops/report".into(), pods: 20, overlaps: true });
    let job = |key: &'static str, value: Value| {
        move |raw: &mut Value| raw["spec"]["jobTemplate"]["spec"][key] = value.clone()
    };
    assert_eq!(of_cron_job(job("completions", 5.into())).pods, 5);
    assert_eq!(of_cron_job(job("completions", Value::Null)).pods, 20);
    assert_eq!(of_cron_job(|raw| raw["spec"]["jobTemplate"]["spec"] = json!({})).pods, 1);
    assert_eq!(of_cron_job(job("suspend", true.into())).pods, 0);
    assert_eq!(of_cron_job(job("template", json!({"spec": {"hostNetwork": true}}))).pods, 0);
    assert_eq!(of_cron_job(|raw| raw["spec"]["suspend"] = true.into()).pods, 0);
    let policy = |policy: &'static str| of_cron_job(|raw| raw["spec"]["concurrencyPolicy"] = policy.into()).overlaps;
    assert!(policy("Replace") && !policy("Forbid"));
}
