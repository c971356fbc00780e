//! Objects of Kubernetes, cut down to what a bundle may hold. What is not named here is not kept: no environment but the CNI's own
//! settings, no arguments, annotations, labels, or messages of containers.

use std::collections::BTreeMap;

use headroom_cluster::demand;
use headroom_doctor::bundle::{Agent, Cni, Condition, Event, Pod};
use serde_json::Value;

/// Set by the VPC resource controller once the pod's branch ENI is made (`pkg/config/type.go`, `ResourceNamePodENI`).
const POD_ENI: &str = "vpc.amazonaws.com/pod-eni";
/// The DaemonSet, and the container in it that is ipamd's.
const AWS_NODE: &str = "aws-node";

/// An event of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OfPod {
    /// The pod's UID.
    pub(super) uid: String,
    /// The node of the kubelet that reports.
    pub(super) host: String,
    pub(super) event: Event,
}

pub(super) fn pod(object: &Value) -> Option<Pod> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let condition = |kind: &str| items(&status["conditions"]).find(move |condition| condition["type"] == kind);
    let holds = |condition: &Value| condition["status"] == "True";
    let containers = items(&spec["containers"]).chain(items(&spec["initContainers"]));
    let resources = containers.flat_map(|container| ["limits", "requests"].map(|key| &container["resources"][key]));
    let names = resources.filter_map(Value::as_object).flat_map(|resources| resources.keys().map(String::as_str));
    let statuses = items(&status["initContainerStatuses"]).chain(items(&status["containerStatuses"]));
    let mut waiting: Vec<String> = statuses.filter_map(|one| some(&one["state"]["waiting"]["reason"])).collect();
    waiting.dedup();
    Some(Pod {
        namespace: some(&object["metadata"]["namespace"])?,
        name: some(&object["metadata"]["name"])?,
        created_at_ms: millis(&object["metadata"]["creationTimestamp"]).unwrap_or_default(),
        node: some(&spec["nodeName"]),
        phase: text(&status["phase"]),
        reason: some(&status["reason"]),
        demand: demand(spec["hostNetwork"] == true, names).into(),
        ips: items(&status["podIPs"]).filter_map(|one| some(&one["ip"])).collect(),
        ready: condition("Ready").is_some_and(holds),
        deleting: !object["metadata"]["deletionTimestamp"].is_null(),
        scheduled: condition("PodScheduled").map(|condition| Condition {
            holds: holds(condition),
            reason: text(&condition["reason"]),
            message: cut(text(&condition["message"])),
        }),
        sandbox: condition("PodReadyToStartContainers").map(holds),
        gates: items(&spec["schedulingGates"]).filter_map(|gate| some(&gate["name"])).collect(),
        waiting,
        branch_eni: object["metadata"]["annotations"][POD_ENI].is_string(),
        events: Vec::new(),
    })
}

/// `None` for an event of something else than a pod.
pub(super) fn event(object: &Value) -> Option<OfPod> {
    let about = &object["involvedObject"];
    if about["kind"] != "Pod" {
        return None;
    }
    let reason = text(&object["reason"]);
    let told = Event::TOLD.contains(&reason.as_str());
    let series = &object["series"];
    let counts = [&object["count"], &series["count"]].map(|count| count.as_u64().unwrap_or_default());
    let times = [&series["lastObservedTime"], &object["lastTimestamp"], &object["eventTime"]];
    let last = times.into_iter().find_map(millis).or_else(|| millis(&object["metadata"]["creationTimestamp"]));
    let event = Event {
        message: if told { cut(text(&object["message"])) } else { String::new() },
        reason,
        count: counts.into_iter().max().and_then(|count| u32::try_from(count).ok()).unwrap_or(1).max(1),
        last_at_ms: last.unwrap_or_default(),
    };
    let host = some(&object["source"]["host"]).unwrap_or_else(|| text(&object["reportingInstance"]));
    Some(OfPod { uid: text(&about["uid"]), host, event })
}

/// The DaemonSet's settings and how many of its pods run.
pub(super) fn cni(object: &Value) -> Option<Cni> {
    let containers = &object["spec"]["template"]["spec"]["containers"];
    let container = items(containers).find(|container| container["name"] == AWS_NODE)?;
    let env =
        items(&container["env"]).filter_map(|variable| Some((some(&variable["name"])?, variable["value"].as_str()?)));
    let env = env.filter(|(name, _)| Cni::VARIABLES.contains(&name.as_str()));
    let count = |key: &str| object["status"][key].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    let image = text(&container["image"]);
    let tag = image.rsplit('/').next().and_then(|name| name.split('@').next()?.split_once(':'));
    Some(Cni {
        env: env.map(|(name, value)| (name, value.to_owned())).collect(),
        wanted: count("desiredNumberScheduled"),
        ready: count("numberReady"),
        version: tag.map(|(_, tag)| tag.to_owned()),
    })
}

/// aws-node's pods by their nodes. Of several on one node, as in a rollout, the one that stays counts: not being deleted and not
/// ended, and among these the one that is ready.
pub(super) fn agents(objects: &[Value]) -> BTreeMap<String, Agent> {
    let mut agents: BTreeMap<String, ((bool, bool), Agent)> = BTreeMap::new();
    for object in objects {
        let Some((node, agent)) = agent(object) else { continue };
        let deleted = !object["metadata"]["deletionTimestamp"].is_null();
        let ended = matches!(object["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
        let rank = (!deleted && !ended, agent.ready);
        if agents.get(&node).is_none_or(|(other, _)| *other < rank) {
            agents.insert(node, (rank, agent));
        }
    }
    agents.into_iter().map(|(node, (_, agent))| (node, agent)).collect()
}

/// An aws-node pod and the node that it is bound to.
fn agent(object: &Value) -> Option<(String, Agent)> {
    let status = items(&object["status"]["containerStatuses"]).find(|one| one["name"] == AWS_NODE);
    let state = status.map(|status| &status["state"]);
    let reason =
        state.and_then(|state| some(&state["waiting"]["reason"]).or_else(|| some(&state["terminated"]["reason"])));
    let restarts = status.and_then(|status| status["restartCount"].as_u64());
    let agent = Agent {
        pod: some(&object["metadata"]["name"])?,
        ready: status.is_some_and(|status| status["ready"] == true),
        restarts: restarts.and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
        reason: reason.or_else(|| some(&object["status"]["reason"])),
    };
    Some((some(&object["spec"]["nodeName"])?, agent))
}

/// A node's name, and what its kubelet says of why it is not ready.
pub(super) fn not_ready(object: &Value) -> Option<(String, String)> {
    let ready = items(&object["status"]["conditions"]).find(|condition| condition["type"] == "Ready")?;
    Some((some(&object["metadata"]["name"])?, cut(some(&ready["message"])?)))
}

pub(super) fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn some(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(Event::LONGEST));
    text
}

fn millis(value: &Value) -> Option<u64> {
    let time: jiff::Timestamp = value.as_str()?.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use headroom_doctor::bundle::Demand;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "hunter2";

    #[test]
    fn a_secret_anywhere_in_an_object_is_not_kept() {
        let container = json!({
            "name": "aws-node", "image": "reg/amazon-k8s-cni:v1.23.2",
            "command": ["run", SECRET], "args": [SECRET], "workingDir": SECRET,
            "env": [{"name": "PASSWORD", "value": SECRET}, {"name": "WARM_IP_TARGET", "value": "5"}],
            "resources": {"limits": {"cpu": "1", SECRET: "1"}},
        });
        let status = json!({"name": "aws-node", "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": SECRET}}});
        let metadata = json!({"namespace": "default", "name": "web", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"password": SECRET, "vpc.amazonaws.com/pod-eni": SECRET}, "labels": {"token": SECRET}});
        let object = json!({
            "metadata": metadata,
            "spec": {"nodeName": "n1", "containers": [container], "volumes": [{"name": SECRET}],
                "template": {"spec": {"containers": [container]}}},
            "status": {"phase": "Pending", "message": SECRET, "containerStatuses": [status],
                "conditions": [{"type": "Ready", "status": "False", "message": SECRET}],
                "desiredNumberScheduled": 2, "numberReady": 1},
        });
        let event_object = |reason: &str| {
            json!({"involvedObject": {"kind": "Pod", "uid": "u", "name": "web"}, "reason": reason, "message": SECRET,
                "source": {"host": "n1"}, "lastTimestamp": "2026-01-01T00:00:30Z", "count": 4})
        };
        let pod = pod(&object).unwrap();
        let killed = event(&event_object("Killing")).unwrap();
        let (node, agent) = agent(&object).unwrap();
        let cni = cni(&object).unwrap();
        for text in [format!("{pod:?}"), format!("{killed:?}"), format!("{agent:?}"), format!("{cni:?}")] {
            assert!(!text.contains(SECRET), "{text}");
        }
        assert_eq!(
            (pod.branch_eni, pod.demand, pod.waiting),
            (true, Demand::PodIp, vec!["CrashLoopBackOff".to_owned()])
        );
        assert_eq!((killed.host.as_str(), killed.event.count, killed.event.last_at_ms), ("n1", 4, 1_767_225_630_000));
        assert_eq!((node.as_str(), agent.ready, agent.restarts), ("n1", false, 3));
        assert_eq!(agent.reason.as_deref(), Some("CrashLoopBackOff"));
        assert_eq!((cni.wanted, cni.ready, cni.version.as_deref()), (2, 1, Some("v1.23.2")));
        assert_eq!(cni.env.into_iter().collect::<Vec<_>>(), [("WARM_IP_TARGET".to_owned(), "5".to_owned())]);
        let told = event(&event_object("FailedScheduling")).unwrap();
        assert_eq!(told.event.message, SECRET, "kube-scheduler's own words are needed");
    }

    #[test]
    fn of_two_agents_of_a_node_the_one_that_stays_counts() {
        let pod = |name: &str, ready: bool, phase: &str, deleted: bool| {
            let mut object = json!({
                "metadata": {"name": name}, "spec": {"nodeName": "n1"},
                "status": {"phase": phase, "containerStatuses": [{"name": "aws-node", "ready": ready}]},
            });
            if deleted {
                object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            }
            object
        };
        for (stays, other) in [
            (pod("stays", true, "Running", false), pod("other", false, "Running", true)),
            (pod("stays", false, "Pending", false), pod("other", true, "Running", true)),
            (pod("stays", true, "Running", false), pod("other", false, "Running", false)),
            (pod("stays", false, "Pending", false), pod("other", false, "Failed", false)),
            (pod("stays", true, "Running", true), pod("other", false, "Running", true)),
        ] {
            for objects in [[stays.clone(), other.clone()], [other, stays]] {
                let agents = agents(&objects);
                assert_eq!(agents.get("n1").map(|agent| agent.pod.as_str()), Some("stays"), "{objects:?}");
                assert_eq!(agents.len(), 1);
            }
        }
    }

    #[test]
    fn what_a_pod_waits_for_is_read() {
        let object = json!({
            "metadata": {"namespace": "shop", "name": "web", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"schedulingGates": [{"name": "quota"}],
                "containers": [{"resources": {"requests": {"vpc.amazonaws.com/pod-eni": "1"}}}]},
            "status": {"phase": "Pending", "podIPs": [{"ip": "10.0.0.7"}, {"ip": "::7"}], "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "gated"},
                {"type": "PodReadyToStartContainers", "status": "True"}, {"type": "Ready", "status": "True"}]},
        });
        let pod = pod(&object).unwrap();
        assert_eq!((pod.demand, pod.ready, pod.deleting, pod.sandbox), (Demand::BranchEni, true, true, Some(true)));
        assert_eq!((pod.ips, pod.gates), (vec!["10.0.0.7".to_owned(), "::7".to_owned()], vec!["quota".to_owned()]));
        let scheduled = pod.scheduled.unwrap();
        assert_eq!(
            (scheduled.holds, scheduled.reason.as_str(), scheduled.message.as_str()),
            (false, "SchedulingGated", "gated")
        );
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let object =
            json!({"involvedObject": {"kind": "Pod"}, "reason": "FailedScheduling", "message": "ä".repeat(5000)});
        assert_eq!(event(&object).unwrap().event.message.len(), Event::LONGEST);
    }

    #[test]
    fn every_variable_that_the_settings_depend_on_is_kept() {
        for name in Cni::VARIABLES {
            let env = json!([{"name": name, "value": "x"}]);
            let object = json!({"spec": {"template": {"spec": {"containers": [{"name": "aws-node", "env": env}]}}}});
            let cni = cni(&object).unwrap();
            let (settings, problems) = cni.settings();
            let default = headroom_capacity::settings::CniSettings::default();
            assert!(settings != default || !problems.is_empty(), "{name} decides nothing");
        }
    }
}
