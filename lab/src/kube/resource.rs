//! The table of resources: routing, discovery and the store are driven by it.

/// What a client may do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// All verbs.
    Full,
    /// Get, list and watch: kinds that clients look at but that nobody creates in the lab.
    ReadOnly,
    /// Create only, and nothing is kept: reviews.
    Review,
}

/// One resource. Two of them are the same when group and plural are; the rest follows from these.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Name in paths.
    pub plural: &'static str,
    /// The only version that is served.
    pub version: &'static str,
    /// `kind` of its objects.
    pub kind: &'static str,
    /// Whether its objects lie in namespaces.
    pub namespaced: bool,
    /// kubectl's abbreviations.
    pub short_names: &'static [&'static str],
    /// Subresources, sorted.
    pub subresources: &'static [&'static str],
    /// Field selectors beside `metadata.name` and `metadata.namespace`.
    pub fields: &'static [&'static str],
    /// Verbs.
    pub access: Access,
    /// Defined by a CustomResourceDefinition: no strategic merge patch.
    pub custom: bool,
    /// Whether a replace without `metadata.resourceVersion` is let through (the strategy's `AllowUnconditionalUpdate`).
    pub unconditional_update: bool,
}

impl Resource {
    const fn namespaced(group: &'static str, version: &'static str, plural: &'static str, kind: &'static str) -> Self {
        Self {
            group,
            plural,
            version,
            kind,
            namespaced: true,
            short_names: &[],
            subresources: &[],
            fields: &[],
            access: Access::Full,
            custom: false,
            unconditional_update: true,
        }
    }

    const fn cluster(group: &'static str, version: &'static str, plural: &'static str, kind: &'static str) -> Self {
        let mut resource = Self::namespaced(group, version, plural, kind);
        resource.namespaced = false;
        resource
    }

    const fn short(mut self, names: &'static [&'static str]) -> Self {
        self.short_names = names;
        self
    }

    const fn subresources(mut self, names: &'static [&'static str]) -> Self {
        self.subresources = names;
        self
    }

    const fn fields(mut self, labels: &'static [&'static str]) -> Self {
        self.fields = labels;
        self
    }

    const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    const fn conditional(mut self) -> Self {
        self.unconditional_update = false;
        self
    }

    const fn custom(mut self) -> Self {
        self.custom = true;
        self.conditional()
    }

    /// `v1`, `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `pods`, `deployments.apps`: how the apiserver's messages name it.
    #[must_use]
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Whether status is written through its own subresource.
    #[must_use]
    pub fn has_status(&self) -> bool {
        self.subresources.contains(&"status")
    }

    /// Whether `metadata.generation` counts the changes of everything but metadata and status.
    #[must_use]
    pub fn has_generation(&self) -> bool {
        self.has_status() || self.custom
    }

    /// The resource of a path's group, version and plural.
    #[must_use]
    pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
        RESOURCES.iter().copied().find(|r| r.group == group && r.version == version && r.plural == plural)
    }
}

const STATUS: &[&str] = &["status"];

macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)*) => {
        $($(#[$doc])* pub static $name: Resource = $value;)*

        /// Every resource that is served; a group's resources lie together.
        pub static RESOURCES: &[&Resource] = &[$(&$name),*];
    };
}

// Field selectors: k/k pkg/apis/core/v1/conversion.go, pkg/apis/batch/v1/conversion.go; of CNINodes: selectablefield in
// amazon-vpc-resource-controller-k8s apis/vpcresources/v1alpha1/cninode_types.go.
resources! {
    /// Namespaces.
    NAMESPACES = Resource::cluster("", "v1", "namespaces", "Namespace").short(&["ns"]).subresources(STATUS)
        .fields(&["status.phase"]);
    /// Nodes.
    NODES = Resource::cluster("", "v1", "nodes", "Node").short(&["no"]).subresources(STATUS)
        .fields(&["spec.unschedulable"]);
    /// Pods.
    PODS = Resource::namespaced("", "v1", "pods", "Pod").short(&["po"])
        .subresources(&["binding", "eviction", "status"])
        .fields(&[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ]);
    /// Events of the core group.
    EVENTS = Resource::namespaced("", "v1", "events", "Event").short(&["ev"]).fields(&[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ]);
    /// ConfigMaps.
    CONFIG_MAPS = Resource::namespaced("", "v1", "configmaps", "ConfigMap").short(&["cm"]);
    /// Services.
    SERVICES = Resource::namespaced("", "v1", "services", "Service").short(&["svc"]).subresources(STATUS)
        .fields(&["spec.clusterIP", "spec.type"]);
    /// Endpoints.
    ENDPOINTS = Resource::namespaced("", "v1", "endpoints", "Endpoints").short(&["ep"]);
    /// ServiceAccounts.
    SERVICE_ACCOUNTS = Resource::namespaced("", "v1", "serviceaccounts", "ServiceAccount").short(&["sa"]);
    /// ReplicationControllers.
    REPLICATION_CONTROLLERS = Resource::namespaced("", "v1", "replicationcontrollers", "ReplicationController")
        .short(&["rc"]).subresources(STATUS).fields(&["status.replicas"]);
    /// PersistentVolumes.
    PERSISTENT_VOLUMES = Resource::cluster("", "v1", "persistentvolumes", "PersistentVolume").short(&["pv"])
        .access(Access::ReadOnly);
    /// PersistentVolumeClaims.
    PERSISTENT_VOLUME_CLAIMS = Resource::namespaced("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
        .short(&["pvc"]).access(Access::ReadOnly);
    /// DaemonSets.
    DAEMON_SETS = Resource::namespaced("apps", "v1", "daemonsets", "DaemonSet").short(&["ds"]).subresources(STATUS);
    /// Deployments.
    DEPLOYMENTS = Resource::namespaced("apps", "v1", "deployments", "Deployment").short(&["deploy"])
        .subresources(STATUS);
    /// ReplicaSets.
    REPLICA_SETS = Resource::namespaced("apps", "v1", "replicasets", "ReplicaSet").short(&["rs"])
        .subresources(STATUS);
    /// StatefulSets.
    STATEFUL_SETS = Resource::namespaced("apps", "v1", "statefulsets", "StatefulSet").short(&["sts"])
        .subresources(STATUS);
    /// Reviews of what the caller may do.
    SELF_SUBJECT_ACCESS_REVIEWS = Resource::cluster(
        "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview",
    ).access(Access::Review);
    /// HorizontalPodAutoscalers.
    HORIZONTAL_POD_AUTOSCALERS = Resource::namespaced(
        "autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler",
    ).short(&["hpa"]).subresources(STATUS);
    /// CronJobs.
    CRON_JOBS = Resource::namespaced("batch", "v1", "cronjobs", "CronJob").short(&["cj"]).subresources(STATUS);
    /// Jobs.
    JOBS = Resource::namespaced("batch", "v1", "jobs", "Job").subresources(STATUS).fields(&["status.successful"]);
    /// Leases.
    LEASES = Resource::namespaced("coordination.k8s.io", "v1", "leases", "Lease").conditional();
    /// ENIConfigs of the VPC CNI.
    ENI_CONFIGS = Resource::cluster("crd.k8s.amazonaws.com", "v1alpha1", "eniconfigs", "ENIConfig").custom();
    /// Events of their own group: the same objects as [`EVENTS`] in other words.
    GROUP_EVENTS = Resource::namespaced("events.k8s.io", "v1", "events", "Event").short(&["ev"]);
    /// PodDisruptionBudgets.
    POD_DISRUPTION_BUDGETS = Resource::namespaced("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
        .short(&["pdb"]).subresources(STATUS).conditional();
    /// PriorityClasses.
    PRIORITY_CLASSES = Resource::cluster("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass").short(&["pc"]);
    /// CSIDrivers.
    CSI_DRIVERS = Resource::cluster("storage.k8s.io", "v1", "csidrivers", "CSIDriver").access(Access::ReadOnly);
    /// CSINodes.
    CSI_NODES = Resource::cluster("storage.k8s.io", "v1", "csinodes", "CSINode").access(Access::ReadOnly);
    /// CSIStorageCapacities.
    CSI_STORAGE_CAPACITIES = Resource::namespaced(
        "storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity",
    ).access(Access::ReadOnly);
    /// StorageClasses.
    STORAGE_CLASSES = Resource::cluster("storage.k8s.io", "v1", "storageclasses", "StorageClass").short(&["sc"])
        .access(Access::ReadOnly);
    /// VolumeAttachments.
    VOLUME_ATTACHMENTS = Resource::cluster("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment")
        .access(Access::ReadOnly);
    /// CNINodes of the VPC resource controller.
    CNI_NODES = Resource::cluster("vpcresources.k8s.aws", "v1alpha1", "cninodes", "CNINode").short(&["cnd"])
        .custom().subresources(STATUS).fields(&["spec.managedBy"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_one_entry_per_path() {
        for (i, a) in RESOURCES.iter().enumerate() {
            let same = RESOURCES.iter().filter(|b| a.api_version() == b.api_version() && a.plural == b.plural);
            assert_eq!(same.count(), 1, "{}", a.qualified());
            let group_starts = i == 0 || RESOURCES[i - 1].group != a.group;
            assert!(!group_starts || !RESOURCES[..i].iter().any(|b| b.group == a.group), "{} is scattered", a.group);
        }
    }

    #[test]
    fn find_needs_group_version_and_plural() {
        assert_eq!(Resource::find("apps", "v1", "deployments"), Some(&DEPLOYMENTS));
        assert_eq!(Resource::find("", "v1", "deployments"), None);
        assert_eq!(Resource::find("policy", "v1beta1", "poddisruptionbudgets"), None);
    }
}
