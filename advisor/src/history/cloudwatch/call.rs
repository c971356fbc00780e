//! The call. IAM: `cloudwatch:GetMetricData`, which has no resources.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::SdkError;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataError;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode};

use super::{Answer, Page, Request, Source};

/// Asks for one page: the first without `next`, each further one with that of the page before. At most 100,800 points, what
/// CloudWatch gives at once, or 2 MB.
///
/// # Errors
/// When the call fails with all its attempts.
pub async fn page(
    client: &Client,
    request: &Request<'_>,
    next: Option<String>,
) -> Result<Page, Box<SdkError<GetMetricDataError>>> {
    let queries = request.sources.iter().enumerate();
    let output = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries.map(|(index, source)| query(request, index, source)).collect()))
        .start_time(time(request.window.from_secs))
        .end_time(time(request.window.to_secs))
        .scan_by(ScanBy::TimestampDescending)
        .set_next_token(next)
        .send()
        .await
        .map_err(Box::new)?;
    let answers = output.metric_data_results().iter().map(answer).collect();
    Ok(Page { answers, next: output.next_token })
}

fn query(request: &Request<'_>, index: usize, source: &Source) -> MetricDataQuery {
    let dimension = |(name, value): &(&str, String)| Dimension::builder().name(*name).value(value).build();
    let metric = Metric::builder()
        .namespace(&source.namespace)
        .metric_name(source.metric)
        .set_dimensions(Some(source.dimensions.iter().map(dimension).collect()))
        .build();
    let stat = MetricStat::builder().metric(metric).period(request.period_secs()).stat(source.statistic.label());
    MetricDataQuery::builder().id(format!("q{index}")).metric_stat(stat.build()).build()
}

fn answer(result: &MetricDataResult) -> Answer {
    let times = result.timestamps().iter().map(|at| u64::try_from(at.secs()));
    let points = times.zip(result.values()).filter_map(|(at, value)| Some((at.ok()?, *value)));
    Answer {
        id: result.id().unwrap_or_default().to_owned(),
        points: points.collect(),
        failed: !matches!(result.status_code(), Some(StatusCode::Complete | StatusCode::PartialData)),
    }
}

fn time(secs: u64) -> DateTime {
    DateTime::from(SystemTime::UNIX_EPOCH + Duration::from_secs(secs))
}

#[cfg(test)]
mod tests {
    use super::super::requests;
    use super::*;
    use crate::history::{Kind, SeriesKey};

    #[test]
    fn a_query_names_the_metric_as_it_is_published() {
        let key = SeriesKey::new(Kind::SubnetUsedIps, "subnet-1");
        let sources = [Source::of(&key, "prod", "Headroom", Some(250.0)).unwrap()];
        let request = requests(&sources, 1_800_000_000)[0];
        let query = query(&request, 0, &sources[0]);
        let stat = query.metric_stat().unwrap();
        assert_eq!((query.id(), stat.stat(), stat.period()), (Some("q0"), Some("Minimum"), Some(300)));
        let metric = stat.metric().unwrap();
        assert_eq!((metric.namespace(), metric.metric_name()), (Some("Headroom"), Some("SubnetFreeIPs")));
        let dimensions: Vec<_> = metric.dimensions().iter().map(|one| (one.name(), one.value())).collect();
        assert_eq!(dimensions, [(Some("Cluster"), Some("prod")), (Some("Subnet"), Some("subnet-1"))]);
    }

    #[test]
    fn an_answer_is_read() {
        let at = DateTime::from_secs(1_800_000_000);
        let result = MetricDataResult::builder().id("q7").timestamps(at).values(3.0);
        let complete = result.clone().status_code(StatusCode::Complete).build();
        let expected = Answer { id: "q7".into(), points: vec![(1_800_000_000, 3.0)], failed: false };
        assert_eq!(answer(&complete), expected);
        let forbidden = result.status_code(StatusCode::Forbidden).build();
        assert!(answer(&forbidden).failed);
    }
}
