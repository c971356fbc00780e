//! pods/eviction and the PodDisruptionBudgets that it respects.

use headroom_capacity::time::Time;
use serde_json::{Value, json};

use super::{DeleteOptions, Deletion, Object, Part, Store};
use crate::kube::error::ApiError;
use crate::kube::object;
use crate::kube::patch::Patch;
use crate::kube::resource::{
    DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS, REPLICA_SETS, REPLICATION_CONTROLLERS, Resource, STATEFUL_SETS,
};
use crate::kube::selector::Selector;

/// Kinds whose `spec.replicas` says how many pods there should be.
const SCALED: [&Resource; 4] = [&DEPLOYMENTS, &REPLICA_SETS, &REPLICATION_CONTROLLERS, &STATEFUL_SETS];

/// What a PodDisruptionBudget comes to: the numbers of its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Budget {
    expected: u64,
    desired: u64,
    healthy: u64,
}

impl Budget {
    fn allowed(self) -> u64 {
        self.healthy.saturating_sub(self.desired)
    }

    fn status(self, generation: &Value) -> Value {
        json!({
            "observedGeneration": generation,
            "expectedPods": self.expected,
            "desiredHealthy": self.desired,
            "currentHealthy": self.healthy,
            "disruptionsAllowed": self.allowed(),
        })
    }
}

impl Store {
    /// Deletes a pod if its PodDisruptionBudget allows it (k/k `pkg/registry/core/pod/storage/eviction.go`). The budget
    /// is what the pods are now; in a cluster it is as old as the disruption controller's last look.
    ///
    /// # Errors
    /// 404, 409 for a precondition, 429 when the budget has no disruption left, 500 when several budgets mean the pod.
    pub fn evict(
        &mut self,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
        now: Time,
    ) -> Result<Deletion, ApiError> {
        let pod = self.existing(&PODS, namespace, name)?;
        let unprotected = matches!(object::text(&pod, "/status/phase"), "Succeeded" | "Failed" | "Pending");
        if !unprotected && !object::is_deleting(&pod) {
            self.check_budget(&pod)?;
        }
        let deletion = self.delete(&PODS, namespace, name, options, now)?;
        self.sync_disruption_budgets(namespace, now);
        Ok(deletion)
    }

    fn check_budget(&self, pod: &Object) -> Result<(), ApiError> {
        let scope = Selector::namespace(object::namespace(pod));
        let mut budgets = self.list(&POD_DISRUPTION_BUDGETS, &scope).filter(|pdb| protects(pdb, pod));
        let Some(pdb) = budgets.next() else { return Ok(()) };
        if budgets.next().is_some() {
            let message =
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(ApiError::new(500, "InternalError", message));
        }
        let budget = self.budget(pdb);
        let always = object::text(pdb, "/spec/unhealthyPodEvictionPolicy") == "AlwaysAllow";
        let enough = budget.desired > 0 && budget.healthy >= budget.desired;
        let ready = object::condition(pod, "Ready") == "True";
        if budget.allowed() > 0 || (!ready && (always || enough)) {
            return Ok(());
        }
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        let (name, Budget { desired, healthy, .. }) = (object::name(pdb), budget);
        let why = format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently");
        let details = json!({ "causes": [{ "reason": "DisruptionBudget", "message": why }] });
        Err(ApiError { details, ..ApiError::new(429, "TooManyRequests", message) })
    }

    /// Writes what the budgets of a namespace come to into their status, as the disruption controller does, where that is news.
    pub fn sync_disruption_budgets(&mut self, namespace: &str, now: Time) {
        let budgets: Vec<Object> =
            self.list(&POD_DISRUPTION_BUDGETS, &Selector::namespace(namespace)).cloned().collect();
        for pdb in budgets {
            let status = self.budget(&pdb).status(&pdb["metadata"]["generation"]);
            if pdb["status"] == status {
                continue;
            }
            let patch = Patch::Merge(json!({ "status": status }));
            let written = self.patch(&POD_DISRUPTION_BUDGETS, namespace, object::name(&pdb), &patch, Part::Status, now);
            written.expect("a status patch of an object that was just listed has nothing to conflict with");
        }
    }

    /// The numbers of k/k `pkg/controller/disruption/disruption.go`, `getExpectedPodCount` and `countHealthyPods`.
    fn budget(&self, pdb: &Object) -> Budget {
        let scope = Selector::namespace(object::namespace(pdb));
        let pods: Vec<&Object> = self.list(&PODS, &scope).filter(|pod| protects(pdb, pod)).collect();
        let healthy = pods.iter().filter(|pod| is_healthy(pod)).count() as u64;
        let spec = &pdb["spec"];
        let (expected, desired) = if !spec["maxUnavailable"].is_null() {
            let expected = self.expected(&pods);
            (expected, expected.saturating_sub(scaled(&spec["maxUnavailable"], expected)))
        } else if spec["minAvailable"].is_string() {
            let expected = self.expected(&pods);
            (expected, scaled(&spec["minAvailable"], expected))
        } else {
            // Neither field is the same as minAvailable: 1 (policy/v1 defaults).
            (pods.len() as u64, spec["minAvailable"].as_u64().unwrap_or(1))
        };
        Budget { expected, desired, healthy }
    }

    /// Pods that there should be: what their controllers are scaled to; a pod without one counts for itself.
    fn expected(&self, pods: &[&Object]) -> u64 {
        let mut controllers: Vec<(String, u64)> = Vec::new();
        let mut single = 0;
        for pod in pods {
            match self.scale_of(pod) {
                Some((uid, _)) if controllers.iter().any(|(known, _)| *known == uid) => {}
                Some(controller) => controllers.push(controller),
                None => single += 1,
            }
        }
        single + controllers.iter().map(|(_, replicas)| replicas).sum::<u64>()
    }

    /// UID and `spec.replicas` of the outermost controller that is in the store.
    fn scale_of(&self, owned: &Value) -> Option<(String, u64)> {
        let owners = object::items(owned, "/metadata/ownerReferences");
        let owner = owners.iter().find(|owner| owner["controller"] == true)?;
        let resource = SCALED.into_iter().find(|resource| owner["kind"] == resource.kind)?;
        let owner = self.get(resource, object::namespace(owned), object::text(owner, "/name"))?;
        let own = || (object::uid(owner).to_owned(), owner["spec"]["replicas"].as_u64().unwrap_or(1));
        Some(self.scale_of(owner).unwrap_or_else(own))
    }
}

fn protects(pdb: &Value, pod: &Value) -> bool {
    // In policy/v1 an empty selector means every pod of the namespace, and none means no pod.
    !pdb["spec"]["selector"].is_null() && Selector::default().with_label_selector(&pdb["spec"]["selector"]).matches(pod)
}

fn is_healthy(pod: &Value) -> bool {
    object::condition(pod, "Ready") == "True" && !object::is_deleting(pod)
}

/// An absolute number, or a percentage rounded up.
fn scaled(number_or_percent: &Value, of: u64) -> u64 {
    let percent = number_or_percent.as_str().and_then(|text| text.strip_suffix('%')).and_then(|text| text.parse().ok());
    percent.map_or(number_or_percent.as_u64().unwrap_or(0), |percent: u64| (percent * of).div_ceil(100))
}
