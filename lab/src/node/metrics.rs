//! ipamd's `/metrics`: the names of CNI `utils/prometheusmetrics` that a node of the lab has something to say to.

use std::collections::BTreeMap;
use std::fmt::Write;

use headroom_capacity::ipamd::{Call, Ipamd, Reply};
use headroom_capacity::time::Time;

/// What ipamd has counted since it started.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    adds: u64,
    adds_without_address: u64,
    dels: u64,
    /// The operation of the call in flight.
    calling: Option<&'static str>,
    /// Calls of EC2 and those that failed, by operation.
    calls: BTreeMap<&'static str, u64>,
    failed: BTreeMap<&'static str, u64>,
    /// Failures by operation and EC2's code.
    errors: BTreeMap<(&'static str, String), u64>,
}

/// The first operation of a call.
#[must_use]
pub const fn operation(call: &Call) -> &'static str {
    match call {
        Call::DescribeSubnets => "DescribeSubnets",
        Call::AssignIps { .. } | Call::AssignPrefixes { .. } => "AssignPrivateIpAddresses",
        Call::Unassign { .. } => "UnassignPrivateIpAddresses",
        Call::CreateEni { .. } => "CreateNetworkInterface",
        Call::FreeEni { .. } => "DetachNetworkInterface",
    }
}

impl Counters {
    /// A CNI ADD.
    pub fn added(&mut self, found: bool) {
        self.adds += 1;
        self.adds_without_address += u64::from(!found);
    }

    /// A CNI DEL.
    pub fn deleted(&mut self) {
        self.dels += 1;
    }

    /// A call of EC2 begins.
    pub fn called(&mut self, call: &Call) {
        self.calling = Some(operation(call));
        *self.calls.entry(operation(call)).or_default() += 1;
    }

    /// It has ended.
    pub fn replied(&mut self, reply: &Reply) {
        let Some(operation) = self.calling.take() else { return };
        match (reply, operation) {
            (Reply::Failed(error), _) => {
                *self.failed.entry(operation).or_default() += 1;
                *self.errors.entry((operation, error.code().to_owned())).or_default() += 1;
            }
            (Reply::Created(_), _) => {
                for next in ["AttachNetworkInterface", "ModifyNetworkInterfaceAttribute"] {
                    *self.calls.entry(next).or_default() += 1;
                }
            }
            (_, "DetachNetworkInterface") => *self.calls.entry("DeleteNetworkInterface").or_default() += 1,
            _ => {}
        }
    }

    /// The page. As in ipamd, a counter with labels is not on it before it has counted something.
    #[must_use]
    pub fn text(&self, ipamd: &Ipamd, now: Time) -> String {
        let (stats, budget) = (ipamd.stats(now), ipamd.config().budget);
        let ip_max = u64::from(budget.max_enis.get() * budget.slots_per_eni * budget.mode.ips_per_slot());
        let mut page = Page::default();
        let gauges = [
            ("total_ip_addresses", u64::from(stats.total.get())),
            ("assigned_ip_addresses", u64::from(stats.assigned.get())),
            ("total_ipv4_prefixes", u64::from(stats.prefixes.get())),
            ("eni_allocated", ipamd.store().enis().count() as u64),
            ("eni_max", u64::from(budget.max_enis.get())),
            ("ip_max", ip_max),
        ];
        for (name, value) in gauges {
            page.family(name, "gauge", [(String::new(), value)]);
        }
        let grows = self
            .calling
            .is_some_and(|calling| matches!(calling, "AssignPrivateIpAddresses" | "CreateNetworkInterface"));
        let running = [("increaseDatastorePool", grows), ("decreaseDatastorePool", self.calling.is_some() && !grows)];
        let running = running.map(|(name, runs)| (format!("{{fn=\"{name}\"}}"), u64::from(runs)));
        page.family("ipamd_action_inprogress", "gauge", running);
        page.family("add_ip_req_count", "counter", [(String::new(), self.adds)]);
        page.family("no_available_ip_addresses", "counter", [(String::new(), self.adds_without_address)]);
        let dels = (self.dels > 0).then(|| ("{reason=\"PodDeleted\"}".to_owned(), self.dels));
        page.family("del_ip_req_count", "counter", dels);
        let by_operation = |counts: &BTreeMap<&str, u64>| -> Vec<_> {
            counts.iter().map(|(name, count)| (format!("{{fn=\"{name}\"}}"), *count)).collect()
        };
        page.family("ec2api_req_count", "counter", by_operation(&self.calls));
        page.family("ec2api_error_count", "counter", by_operation(&self.failed));
        let errors = self.errors.iter();
        let errors = errors.map(|((api, code), count)| (format!("{{api=\"{api}\",error=\"{code}\"}}"), *count));
        page.family("aws_api_error_count", "counter", errors);
        let failures = [
            ("AssignPrivateIpAddresses", "increaseIPPoolAllocIPAddressesFailed"),
            ("CreateNetworkInterface", "increaseIPPoolAllocENI"),
        ];
        let failures = failures.into_iter().filter_map(|(operation, name)| {
            self.failed.get(operation).map(|count| (format!("{{fn=\"{name}\"}}"), *count))
        });
        page.family("ipamd_error_count", "counter", failures);
        page.0
    }
}

/// Prometheus' text format.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, samples: impl IntoIterator<Item = (String, u64)>) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_some() {
            // Writing to a string cannot fail.
            writeln!(self.0, "# TYPE awscni_{name} {kind}").ok();
        }
        for (labels, value) in samples {
            writeln!(self.0, "awscni_{name}{labels} {value}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use headroom_capacity::ipamd::Ec2Error;

    use super::*;

    #[test]
    fn calls_are_counted_with_what_follows_from_them() {
        let mut counters = Counters::default();
        counters.called(&Call::FreeEni { eni: "eni-1".into() });
        counters.replied(&Reply::Done);
        counters.called(&Call::DescribeSubnets);
        counters.replied(&Reply::Failed(Ec2Error::Other("RequestLimitExceeded".to_owned())));
        counters.replied(&Reply::Done);
        let calls = [("DeleteNetworkInterface", 1), ("DescribeSubnets", 1), ("DetachNetworkInterface", 1)];
        assert_eq!(counters.calls, BTreeMap::from(calls));
        assert_eq!(counters.errors, BTreeMap::from([(("DescribeSubnets", "RequestLimitExceeded".to_owned()), 1)]));
    }
}
