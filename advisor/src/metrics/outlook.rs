//! The latest look ahead as series, made anew at every scrape.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use headroom_capacity::units::Ips;
use headroom_forecast::quantiles::{MEDIAN, P90};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue};
use prometheus_client::metrics::MetricType;

use super::unix_secs;
use crate::outlook::{Outlook, Remedy, SubnetOutlook, Upper};

/// How far ahead use is told, in hours, with the label's text: as long as it takes to replace nodes, and as long as it takes to get a
/// subnet.
const HORIZONS: [(u64, &str); 3] = [(1, "1h"), (24, "24h"), (72, "72h")];

#[derive(Debug, Default)]
pub(super) struct Latest(ArcSwapOption<Outlook>);

impl Latest {
    pub(super) fn publish(&self, outlook: Arc<Outlook>) {
        self.0.store(Some(outlook));
    }
}

impl Collector for Latest {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let latest = self.0.load();
        let Some(outlook) = latest.as_ref() else { return Ok(()) };
        let help = "When the forecasts were made, Unix time";
        encoder
            .encode_descriptor("forecast_timestamp_seconds", help, None, MetricType::Gauge)?
            .encode_gauge(&unix_secs(outlook.at))?;
        let help = "Time until the subnet has no room for another node, by probability that it is sooner; +Inf where that is not \
                    expected within 7 days";
        each(&mut encoder, outlook, "subnet_time_to_exhaustion_seconds", help, |subnet| {
            let exhaustion = &subnet.exhaustion;
            let quantiles = [("0.1", exhaustion.p10_secs), ("0.5", exhaustion.p50_secs), ("0.9", exhaustion.p90_secs)];
            let series = quantiles.map(|(quantile, secs)| {
                (
                    vec![("quantile", quantile)],
                    secs.map_or(f64::INFINITY, |secs| Duration::from_secs(secs).as_secs_f64()),
                )
            });
            series.to_vec()
        })?;
        let help = "Addresses that someone will hold, by how far ahead and quantile";
        each(&mut encoder, outlook, "subnet_forecast_used_ips", help, |subnet| {
            let series = HORIZONS.into_iter().flat_map(|(hours, label)| {
                let values = subnet.at(hours * 3600);
                let quantiles = [("0.5", MEDIAN), ("0.9", P90)];
                quantiles.map(|(quantile, level)| (vec![("horizon", label), ("quantile", quantile)], values[level]))
            });
            series.collect()
        })?;
        let help = "Addresses that are held when all pods come at once that HorizontalPodAutoscalers, CronJobs, rollouts and pending pods \
                    may ask for; no series where that is not known";
        upper(&mut encoder, outlook, "subnet_upper_ips", help, |upper| upper.ips)?;
        let help = "Of these addresses, those that the subnet does not have beside what the next node takes";
        upper(&mut encoder, outlook, "subnet_upper_short_ips", help, |upper| upper.short)?;
        binding(&mut encoder, outlook)?;
        let help = "1 for what helps the subnet; nothing where nothing has to be done";
        each(&mut encoder, outlook, "subnet_advice", help, |subnet| {
            let remedies = Remedy::ALL.iter();
            let series =
                remedies.map(|remedy| (vec![("advice", remedy.label())], i64::from(*remedy == subnet.advice.remedy)));
            series.collect()
        })
    }
}

fn binding(encoder: &mut DescriptorEncoder<'_>, outlook: &Outlook) -> fmt::Result {
    let help = "Nodes of a group by the resource that ends them first";
    let mut metric = encoder.encode_descriptor("asg_binding_nodes", help, None, MetricType::Gauge)?;
    for (name, group) in &outlook.binding.groups {
        for (resource, nodes) in group.by_resource.iter() {
            let labels = [("asg", &**name), ("resource", resource.label())];
            metric.encode_family(&labels)?.encode_gauge(nodes)?;
        }
    }
    Ok(())
}

fn upper(
    encoder: &mut DescriptorEncoder<'_>,
    outlook: &Outlook,
    name: &str,
    help: &str,
    value: impl Fn(&Upper) -> Ips,
) -> fmt::Result {
    each(encoder, outlook, name, help, |subnet| {
        let known = subnet.upper.as_ref().ok();
        known.map(|upper| (Vec::new(), i64::from(value(upper).get()))).into_iter().collect()
    })
}

/// Further labels, and the value.
type Series<V> = (Vec<(&'static str, &'static str)>, V);

/// One gauge of each subnet and of what `values` gives for it: its series.
fn each<V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    outlook: &Outlook,
    name: &str,
    help: &str,
    values: impl Fn(&SubnetOutlook) -> Vec<Series<V>>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (id, subnet) in &outlook.subnets {
        for (labels, value) in values(subnet) {
            let all: Vec<(&str, &str)> =
                [("subnet", id.as_str()), ("az", &*subnet.az)].into_iter().chain(labels).collect();
            metric.encode_family(&all)?.encode_gauge(&value)?;
        }
    }
    Ok(())
}
