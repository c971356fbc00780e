//! kubelet's FailedCreatePodSandBox -> domain event.

use std::sync::Arc;

use headroom_capacity::ids::PodUid;
use headroom_capacity::time::Time;
use k8s_openapi::api::core::v1::Event as RawEvent;

use crate::event::{Event, SandboxFailure};

/// What the CNI plugin says when ipamd had no address (CNI `cmd/routed-eni-cni-plugin/cni.go`). It says the same for a pod
/// whose branch ENI is not ready.
const NO_ADDRESS: &str = "failed to assign an IP address to container";

pub(crate) fn applied(raw: RawEvent) -> Option<Event> {
    let at = last_seen(&raw)?;
    let message: Arc<str> = raw.message.unwrap_or_default().into();
    let node = raw.source.and_then(|source| source.host).or(raw.reporting_instance).filter(|host| !host.is_empty());
    Some(Event::SandboxFailed(SandboxFailure {
        pod: PodUid::from(raw.involved_object.uid?),
        node: node.map(Arc::from),
        at,
        ip_cause: message.contains(NO_ADDRESS),
        message,
    }))
}

/// kubelet counts repetitions up in one object and moves `lastTimestamp`; newer reporters use `series`.
fn last_seen(raw: &RawEvent) -> Option<Time> {
    let series = raw.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let stamp = series
        .or_else(|| raw.last_timestamp.as_ref().map(|time| time.0))
        .or_else(|| raw.event_time.as_ref().map(|time| time.0))
        .or_else(|| raw.metadata.creation_timestamp.as_ref().map(|time| time.0))?;
    Some(Time::from_millis(u64::try_from(stamp.as_millisecond()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decode(message: &str) -> SandboxFailure {
        let raw = json!({
            "metadata": {"name": "web-0.1", "namespace": "default"},
            "involvedObject": {"kind": "Pod", "uid": "u1", "name": "web-0"},
            "reason": "FailedCreatePodSandBox", "message": message, "count": 3,
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:30Z",
            "source": {"component": "kubelet", "host": "n1"},
        });
        match applied(serde_json::from_value(raw).unwrap()) {
            Some(Event::SandboxFailed(failure)) => failure,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tells_a_missing_address_from_other_causes() {
        let add = r#"plugin type="aws-cni" name="aws-cni" failed (add): add cmd: "#;
        assert!(decode(&format!("{add}failed to assign an IP address to container")).ip_cause);
        assert!(!decode(&format!("{add}failed to connect to backend server")).ip_cause);
    }

    #[test]
    fn the_last_repetition_counts() {
        let failure = decode("x");
        assert_eq!(failure.at, Time::from_secs(1_767_225_630));
        assert_eq!(failure.node.as_deref(), Some("n1"));
    }
}
