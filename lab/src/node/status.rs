//! Pod status as kubelet writes it (k/k `pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/generate.go`).

use std::net::Ipv4Addr;

use headroom_capacity::time::Time;
use serde_json::{Map, Value, json};

use super::kubelet::Status;
use super::pod::PodView;
use super::timestamp;

/// Writes `status` into the Pod object `pod`: a condition that does not change keeps its time of transition.
pub fn write(pod: &mut Value, view: &PodView, status: &Status, host_ip: Ipv4Addr, now: Time) {
    let Some(object) = pod.as_object_mut() else { return };
    let fields = object.entry("status").or_insert_with(|| json!({}));
    let Some(fields) = fields.as_object_mut() else { return };
    fields.entry("startTime").or_insert_with(|| json!(timestamp(now)));
    match status {
        Status::Rejected(reason, message) => {
            fields.insert("phase".into(), json!("Failed"));
            fields.insert("reason".into(), json!(reason));
            fields.insert("message".into(), json!(format!("Pod was rejected: {message}")));
        }
        Status::ContainerCreating => {
            fields.insert("phase".into(), json!("Pending"));
            address(fields, host_ip, None);
            conditions(fields, [("False", None), ("True", None), not_ready(view), not_ready(view)], now);
            container(fields, view, &json!({ "waiting": { "reason": "ContainerCreating" } }), false);
        }
        Status::Running(ip) => {
            fields.insert("phase".into(), json!("Running"));
            address(fields, host_ip, Some(*ip));
            conditions(fields, [("True", None), ("True", None), ("True", None), ("True", None)], now);
            container(fields, view, &json!({ "running": { "startedAt": timestamp(now) } }), true);
        }
        Status::Succeeded(ip) => {
            fields.insert("phase".into(), json!("Succeeded"));
            address(fields, host_ip, Some(*ip));
            let completed = ("False", Some(("PodCompleted", String::new())));
            conditions(fields, [("False", None), completed.clone(), completed.clone(), completed], now);
            let ended = json!({ "terminated": { "exitCode": 0, "reason": "Completed", "finishedAt": timestamp(now) } });
            container(fields, view, &ended, false);
        }
    }
}

type Condition = (&'static str, Option<(&'static str, String)>);

const CONDITIONS: [&str; 4] = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"];

fn not_ready(view: &PodView) -> Condition {
    ("False", Some(("ContainersNotReady", format!("containers with unready status: [{}]", view.container.0))))
}

fn conditions(status: &mut Map<String, Value>, wanted: [Condition; 4], now: Time) {
    let list = status.entry("conditions").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return };
    for (kind, (value, why)) in CONDITIONS.into_iter().zip(wanted) {
        let old = list.iter().position(|condition| condition["type"] == kind);
        let since = old.filter(|at| list[*at]["status"] == value).map(|at| list[at]["lastTransitionTime"].clone());
        let mut new = json!({ "type": kind, "status": value, "lastProbeTime": null });
        new["lastTransitionTime"] = since.unwrap_or_else(|| json!(timestamp(now)));
        if let Some((reason, message)) = why {
            new["reason"] = json!(reason);
            if !message.is_empty() {
                new["message"] = json!(message);
            }
        }
        match old {
            Some(at) => list[at] = new,
            None => list.push(new),
        }
    }
}

fn address(status: &mut Map<String, Value>, host_ip: Ipv4Addr, pod_ip: Option<Ipv4Addr>) {
    status.insert("hostIP".into(), json!(host_ip));
    status.insert("hostIPs".into(), json!([{ "ip": host_ip }]));
    if let Some(ip) = pod_ip {
        status.insert("podIP".into(), json!(ip));
        status.insert("podIPs".into(), json!([{ "ip": ip }]));
    }
}

fn container(status: &mut Map<String, Value>, view: &PodView, state: &Value, ready: bool) {
    let (name, image) = &view.container;
    let running = state.get("running").is_some();
    status.insert(
        "containerStatuses".into(),
        json!([{
            "name": name, "image": image, "imageID": "", "ready": ready, "started": running, "restartCount": 0,
            "state": state, "lastState": {},
        }]),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
    const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 20);

    fn condition<'a>(pod: &'a Value, kind: &str) -> &'a Value {
        pod["status"]["conditions"].as_array().unwrap().iter().find(|condition| condition["type"] == kind).unwrap()
    }

    #[test]
    fn conditions_keep_their_time_unless_they_turn() {
        let mut pod = json!({
            "metadata": { "uid": "u", "namespace": "d", "name": "p" },
            "spec": { "containers": [{ "name": "app", "image": "app:1" }] },
            "status": { "conditions": [{ "type": "PodScheduled", "status": "True" }] },
        });
        let view = PodView::from_object(&pod).unwrap();
        write(&mut pod, &view, &Status::ContainerCreating, HOST, Time::from_secs(100));
        assert_eq!(condition(&pod, "Ready")["message"], "containers with unready status: [app]");
        write(&mut pod, &view, &Status::Running(IP), HOST, Time::from_secs(200));
        assert_eq!(pod["status"]["podIPs"], json!([{ "ip": "10.0.0.20" }]));
        assert_eq!(pod["status"]["startTime"], "1970-01-01T00:01:40Z");
        assert_eq!(condition(&pod, "Initialized")["lastTransitionTime"], "1970-01-01T00:01:40Z");
        assert_eq!(condition(&pod, "Ready")["lastTransitionTime"], "1970-01-01T00:03:20Z");
        assert_eq!(condition(&pod, "PodScheduled")["status"], "True", "the scheduler's own condition stays");
    }
}
