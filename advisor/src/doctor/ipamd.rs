//! ipamd's own figures, through the API server.

use std::collections::BTreeMap;

use headroom_cluster::{Client, pod_metrics};
use headroom_doctor::bundle::{Ipamd, Section};

use crate::cloudwatch::ipamd::samples;

/// Where ipamd's metrics are (CNI `pkg/ipamd/introspect.go`).
const PORT: u16 = 61678;

pub(super) async fn read(client: &Client, pod: &str) -> Section<Ipamd> {
    match pod_metrics(client, "kube-system", pod, PORT, "metrics").await {
        Ok(text) => Section::Read(figures(&text)),
        Err(error) => Section::NotRead(error.to_string()),
    }
}

/// The figures that bear on one pod, in Prometheus' text format.
fn figures(text: &str) -> Ipamd {
    let mut ipamd = Ipamd { errors: BTreeMap::new(), ..Ipamd::default() };
    for (name, labels, value) in samples(text) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts; what is none saturates")]
        let count = value as u64;
        let small = u32::try_from(count).unwrap_or(u32::MAX);
        match name {
            "awscni_total_ip_addresses" => ipamd.total = small,
            "awscni_assigned_ip_addresses" => ipamd.assigned = small,
            "awscni_no_available_ip_addresses" => ipamd.refused = count,
            "awscni_aws_api_error_count" => {
                // EC2's codes have neither quotes nor backslashes.
                let code = labels.split_once("error=\"").and_then(|(_, rest)| rest.split('"').next());
                if let Some(code) = code.filter(|code| !code.is_empty()) {
                    *ipamd.errors.entry(code.to_owned()).or_default() += count;
                }
            }
            _ => {}
        }
    }
    ipamd
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_page() {
        let text = "# TYPE awscni_total_ip_addresses gauge
awscni_total_ip_addresses 56
awscni_assigned_ip_addresses 5.5e+01
awscni_no_available_ip_addresses 9
awscni_aws_api_error_count{api=\"CreateNetworkInterface\",error=\"InsufficientFreeAddressesInSubnet\"} 2
awscni_aws_api_error_count{api=\"AssignPrivateIpAddresses\",error=\"InsufficientFreeAddressesInSubnet\"} 3
awscni_aws_api_error_count{api=\"DescribeSubnets\",error=\"\"} 3
awscni_eni_max 4
";
        let errors = BTreeMap::from([("InsufficientFreeAddressesInSubnet".to_owned(), 5)]);
        assert_eq!(figures(text), Ipamd { total: 56, assigned: 55, refused: 9, errors });
    }
}
