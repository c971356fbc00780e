//! Flags of kubelet: their names, the number of pods, the keys of labels.

use super::Kubelet;

/// Labels of Kubernetes' own that a kubelet may set (kubernetes, `staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go`,
/// `kubeletLabels`).
const ALLOWED: [&str; 11] = [
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// Whether kubelet ends because of a label with this key: one of Kubernetes' own that a kubelet may not set (kubernetes,
/// `cmd/kubelet/app/options/options.go`, `ValidateKubeletFlags`).
#[must_use]
pub(in crate::join) fn is_refused_label(key: &str) -> bool {
    let Some((namespace, _)) = key.split_once('/') else { return false };
    let within =
        |domain: &str| namespace.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    let of_kubernetes = within("kubernetes.io") || within("k8s.io");
    of_kubernetes && !ALLOWED.contains(&key) && !within("kubelet.kubernetes.io") && !within("node.kubernetes.io")
}

impl Kubelet {
    /// Adds the flags of a command line.
    pub(super) fn add_all(&mut self, words: &str) {
        // A flag's value may be the next word.
        let mut words = words.split_whitespace().peekable();
        while let Some(word) = words.next() {
            match words.peek() {
                Some(value) if !word.contains('=') && !value.starts_with('-') => self.add(&format!("{word}={value}")),
                _ => self.add(word),
            }
        }
    }

    /// Adds `--flag=value`.
    pub(super) fn add(&mut self, flag: &str) {
        let (name, value) = flag.trim().split_once('=').unwrap_or((flag.trim(), ""));
        if !name.starts_with("--") {
            return;
        }
        match name {
            "--max-pods" => self.max_pods = value.parse().ok(),
            "--node-labels" => {
                let keys = value.split(',').filter_map(|label| label.split('=').next()).map(str::trim);
                self.labels.extend(keys.filter(|key| !key.is_empty()).map(str::to_owned));
            }
            _ => {}
        }
        self.flags.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_kubernetes_own_are_refused() {
        for key in
            ["node-role.kubernetes.io/worker", "kubernetes.io/role", "app.kubernetes.io/name", "k8s.io/x", "a.k8s.io/x"]
        {
            assert!(is_refused_label(key), "{key}");
        }
        for key in [
            "workload",
            "eks.amazonaws.com/nodegroup",
            "node.kubernetes.io/lifecycle",
            "x.node.kubernetes.io/y",
            "kubelet.kubernetes.io/z",
            "kubernetes.io/os",
            "notkubernetes.io/x",
        ] {
            assert!(!is_refused_label(key), "{key}");
        }
    }

    #[test]
    fn names_and_keys_are_kept_and_values_are_not() {
        let mut kubelet = Kubelet::default();
        kubelet.add_all("--max-pods=17 --node-labels=a=secret,b/c=d --register-with-taints x=y:NoSchedule -v 2");
        assert_eq!(kubelet.flags, ["--max-pods", "--node-labels", "--register-with-taints"]);
        assert_eq!((kubelet.max_pods, kubelet.labels), (Some(17), vec!["a".to_owned(), "b/c".to_owned()]));
    }
}
