//! CSINode -> domain event.

use k8s_openapi::api::storage::v1 as storage;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::event::Event;
use crate::object::{Object, null_is_default};

/// The EBS CSI driver's name (aws-ebs-csi-driver `pkg/util/constants.go`).
const EBS_DRIVER: &str = "ebs.csi.aws.com";

/// A CSINode, k8s.io/api `storage/v1`.
pub(crate) type RawCsiNode = Object<CsiNodeSpec, IgnoredAny>;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CsiNodeSpec {
    #[serde(deserialize_with = "null_is_default")]
    drivers: Vec<Driver>,
}

#[derive(Clone, Debug, Deserialize)]
struct Driver {
    name: String,
    allocatable: Option<storage::VolumeNodeResources>,
}

pub(crate) fn applied(raw: RawCsiNode) -> Option<Event> {
    let driver = raw.spec.drivers.into_iter().find(|driver| driver.name == EBS_DRIVER);
    // Unlimited where it is left out (k8s.io/api `storage/v1`, `VolumeNodeResources`), which no instance is.
    let count = driver.and_then(|driver| driver.allocatable?.count);
    Some(Event::CsiNodeApplied {
        name: raw.metadata.name?.into(),
        ebs_volumes: count.and_then(|count| u32::try_from(count).ok()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn volumes(drivers: &Value) -> Option<u32> {
        let raw = json!({"metadata": {"name": "n"}, "spec": {"drivers": drivers}});
        match applied(serde_json::from_value(raw).unwrap()) {
            Some(Event::CsiNodeApplied { name, ebs_volumes }) if &*name == "n" => ebs_volumes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_ebs_driver_says_how_many_volumes() {
        let efs = json!({"name": "efs.csi.aws.com", "nodeID": "i-1", "topologyKeys": null});
        let ebs = |allocatable: Value| json!({"name": "ebs.csi.aws.com", "nodeID": "i-1", "allocatable": allocatable});
        assert_eq!(volumes(&json!([efs, ebs(json!({"count": 25}))])), Some(25));
        assert_eq!(volumes(&json!([ebs(json!({"count": 0}))])), Some(0));
        for unknown in [json!([efs]), json!([ebs(json!({}))]), json!([ebs(Value::Null)]), json!([]), Value::Null] {
            assert_eq!(volumes(&unknown), None, "{unknown}");
        }
    }
}
