//! Bottlerocket's settings (README, "Kubernetes settings").

use toml_edit::DocumentMut;

use super::{Bootstrap, Given, Kind, Kubelet};

/// What `settings.kubernetes` says; `None` for what is no settings file.
pub(super) fn bottlerocket(text: &str) -> Option<Bootstrap> {
    let document: DocumentMut = text.parse().ok()?;
    let settings = document.get("settings")?.as_table_like()?;
    let of = |key: &str| settings.get("kubernetes").and_then(|kubernetes| kubernetes.as_table_like()?.get(key));
    let literal = |key| of(key).and_then(|value| value.as_str()).map(str::to_owned);
    let labels = of("node-labels").and_then(|labels| labels.as_table_like());
    let kubelet = Kubelet {
        flags: Vec::new(),
        max_pods: of("max-pods").and_then(|value| value.as_integer()).and_then(|max| u32::try_from(max).ok()),
        labels: labels.into_iter().flat_map(|labels| labels.iter()).map(|(key, _)| key.to_owned()).collect(),
    };
    Some(Bootstrap {
        kind: Kind::Bottlerocket,
        cluster: Given::name(literal("cluster-name")),
        endpoint: Given::url(literal("api-server")),
        certificate_authority: of("cluster-certificate").is_some(),
        service_cidr: false,
        kubelet,
    })
}
