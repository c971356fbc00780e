//! Why a pod is Pending or ContainerCreating.
