//! Pages of long answers.

use super::params::Params;
use crate::aws::ApiError;

/// How an API pages.
pub(super) struct Paging {
    /// Name of the page size: `MaxResults` or `MaxRecords`.
    pub(super) size: &'static str,
    /// Fewest and most that may be asked for.
    pub(super) range: std::ops::RangeInclusive<usize>,
    /// When nothing is asked for.
    pub(super) default: usize,
}

/// EC2 Describe calls: everything, unless asked for less.
pub(super) const EC2: Paging = Paging { size: "MaxResults", range: 5..=1000, default: usize::MAX };
/// DescribeInstanceTypes.
pub(super) const EC2_TYPES: Paging = Paging { size: "MaxResults", range: 5..=100, default: 100 };
/// Auto Scaling.
pub(super) const AUTO_SCALING: Paging = Paging { size: "MaxRecords", range: 0..=100, default: 50 };
/// DescribeAutoScalingInstances.
pub(super) const INSTANCES: Paging = Paging { size: "MaxRecords", range: 0..=50, default: 50 };
/// DescribeScalingActivities: 100 at a time also when nothing is asked for.
pub(super) const ACTIVITIES: Paging = Paging { size: "MaxRecords", range: 0..=100, default: 100 };

/// Cuts a page out of `all`, which is in ascending order of `key`, and gives the token of the next one. The token is the last key,
/// so that what comes or goes between two calls makes no page repeat or skip others.
pub(super) fn page<T>(
    params: &Params,
    paging: &Paging,
    all: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = params.parsed::<usize>(paging.size)?.unwrap_or(paging.default);
    if size != paging.default && !paging.range.contains(&size) {
        return Err(params.malformed(paging.size, &size.to_string()));
    }
    let after = params.get("NextToken").unwrap_or_default();
    let mut rest = all.into_iter().skip_while(|one| key(one).as_str() <= after && !after.is_empty()).peekable();
    let page: Vec<T> = rest.by_ref().take(size.max(1)).collect();
    let next = page.last().map(&key).filter(|_| rest.peek().is_some());
    Ok((page, next))
}
