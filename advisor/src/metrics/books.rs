//! The latest ledger as series, made anew at every scrape: a subnet that is gone has none.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet};
use prometheus_client::metrics::MetricType;

use crate::headroom::Headroom;
use crate::ledger::{Ledger, Owner, SubnetAccount};

#[derive(Debug, Default)]
pub(super) struct Books(ArcSwapOption<Published>);

#[derive(Debug)]
struct Published {
    ledger: Arc<Ledger>,
    headroom: Arc<Headroom>,
}

impl Books {
    pub(super) fn publish(&self, ledger: Arc<Ledger>, headroom: Arc<Headroom>) {
        self.0.store(Some(Arc::new(Published { ledger, headroom })));
    }
}

impl Collector for Books {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let latest = self.0.load();
        let Some(latest) = latest.as_ref() else { return Ok(()) };
        let mut page = Page(encoder);
        page.subnets(&latest.ledger)?;
        page.leaks(&latest.ledger)?;
        page.pods(&latest.ledger, &latest.headroom)
    }
}

struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        series: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in series {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn gauge<V: EncodeGaugeValue>(&mut self, name: &str, help: &str, value: V) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn of_subnets<V: EncodeGaugeValue>(
        &mut self,
        ledger: &Ledger,
        name: &str,
        help: &str,
        value: impl Fn(&SubnetAccount) -> V,
    ) -> fmt::Result {
        let series = ledger.subnets.iter().map(|(id, subnet)| {
            let labels = [("subnet", id.as_str()), ("az", &*subnet.az)];
            (labels, value(subnet))
        });
        self.gauges(name, help, series)
    }

    fn subnets(&mut self, ledger: &Ledger) -> fmt::Result {
        let free = "Free addresses that EC2 may choose, those on their way to nodes included";
        self.of_subnets(ledger, "subnet_free_ips", free, |subnet| subnet.free_ips.get())?;
        let free = "Free aligned /28 blocks that EC2 may choose";
        self.of_subnets(ledger, "subnet_free_prefixes", free, |subnet| subnet.free_prefixes.get())?;
        let coming = "Of the free addresses, those that nodes and ENIs that are coming will take";
        self.of_subnets(ledger, "subnet_in_flight_ips", coming, |subnet| subnet.in_flight_ips.get())?;
        let difference = "How many more free addresses EC2 reports than the ledger has";
        self.of_subnets(ledger, "subnet_reported_difference_ips", difference, SubnetAccount::difference)?;
        let fragmentation = "Share of the free addresses that no free /28 contains";
        self.of_subnets(ledger, "subnet_fragmentation_ratio", fragmentation, SubnetAccount::fragmentation)?;
        let held = ledger.subnets.iter().flat_map(|(id, subnet)| {
            Owner::ALL.into_iter().map(move |owner| {
                let labels = [("subnet", id.as_str()), ("az", &*subnet.az), ("owner", owner.label())];
                (labels, subnet.held_by(owner).get())
            })
        });
        self.gauges("subnet_held_ips", "Addresses that someone holds by owner", held)
    }

    fn leaks(&mut self, ledger: &Ledger) -> fmt::Result {
        let leaks = ledger.subnets.iter().map(|(id, subnet)| {
            let count = ledger.leaks.iter().filter(|leak| leak.subnet == *id).count();
            ([("subnet", id.as_str()), ("az", &*subnet.az)], count)
        });
        let help =
            "ENIs that the CNI made and that nothing uses any more; subnet_held_ips has their addresses as leaked";
        self.gauges("leaked_enis", help, leaks)
    }

    fn pods(&mut self, ledger: &Ledger, headroom: &Headroom) -> fmt::Result {
        self.gauge("headroom_pods", "Pods that the nodes can still give an address", headroom.cluster)?;
        let help = "The same of one zone's nodes, as if they alone took addresses";
        self.gauges("az_headroom_pods", help, headroom.by_az.iter().map(|(az, pods)| ([("az", &**az)], *pods)))?;
        let help = "The same of one Auto Scaling group's nodes";
        self.gauges("asg_headroom_pods", help, headroom.by_group.iter().map(|(asg, pods)| ([("asg", &**asg)], *pods)))?;
        self.gauge("nodes", "Nodes in the ledger", ledger.nodes.len())?;
        let help = "Pods that are bound to a node, need an address and have none";
        self.gauge("pods_without_ip", help, ledger.pods_without_ip)?;
        self.gauge("pods_refused", "Of these, those for which the CNI had no address", ledger.pods_refused)
    }
}
