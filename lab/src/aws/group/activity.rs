//! Scaling activities: what a group did and why.

use headroom_capacity::time::Time;

use super::Group;

/// Activities that are kept; AWS keeps six weeks of them.
const KEPT: usize = 1000;

/// `StatusCode` of an activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityStatus {
    /// Under way.
    InProgress,
    /// A lifecycle hook holds it.
    MidLifecycleAction,
    /// Done.
    Successful,
    /// Not done, and why.
    Failed,
    /// Overtaken.
    Cancelled,
}

impl ActivityStatus {
    /// As Auto Scaling spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ActivityStatus::InProgress => "InProgress",
            ActivityStatus::MidLifecycleAction => "MidLifecycleAction",
            ActivityStatus::Successful => "Successful",
            ActivityStatus::Failed => "Failed",
            ActivityStatus::Cancelled => "Cancelled",
        }
    }
}

/// A scaling activity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Counts the VPC's activities, so that they have an order.
    pub number: u64,
    /// `ActivityId`.
    pub id: String,
    /// `AutoScalingGroupName`.
    pub group: String,
    /// `Description`.
    pub description: String,
    /// `Cause`.
    pub cause: String,
    /// `StartTime`.
    pub started_at: Time,
    /// `EndTime`, once it has ended.
    pub ended_at: Option<Time>,
    /// `StatusCode`.
    pub status: ActivityStatus,
    /// `StatusMessage`, where it failed.
    pub message: Option<String>,
    /// Zone and subnet, for `Details`.
    pub place: (String, String),
}

impl Group {
    pub(super) fn record(&mut self, activity: Activity) {
        self.activities.push_front(activity);
        self.activities.truncate(KEPT);
    }

    pub(super) fn mark(&mut self, id: &str, status: ActivityStatus, now: Time) {
        let Some(activity) = self.activities.iter_mut().find(|activity| activity.id == id) else { return };
        activity.status = status;
        if !matches!(status, ActivityStatus::InProgress | ActivityStatus::MidLifecycleAction) {
            activity.ended_at = Some(now);
        }
    }

    /// The newest activity that keeps a caller who honours cool-downs out: one under way, or one that ended less than the
    /// cool-down ago (Auto Scaling user guide, "Scaling cooldowns"; failed activities start none).
    pub(super) fn in_cooldown(&self, now: Time) -> Option<&Activity> {
        self.activities.iter().find(|activity| match (activity.status, activity.ended_at) {
            (ActivityStatus::InProgress | ActivityStatus::MidLifecycleAction, _) => true,
            (ActivityStatus::Successful, Some(end)) => now < end + self.cooldown,
            _ => false,
        })
    }
}
