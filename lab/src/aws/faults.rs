//! What goes wrong with the APIs: throttling as AWS does it, and faults that a scenario asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use headroom_capacity::time::Time;

use super::{ApiError, Vpc};

/// An API that a call belongs to: each has its own codes for the same trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// EC2.
    Ec2,
    /// Auto Scaling.
    AutoScaling,
    /// STS.
    Sts,
    /// CloudWatch.
    CloudWatch,
}

/// A token bucket's size and refill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Calls that may come at once.
    pub burst: u32,
    /// Calls per second after that.
    pub per_sec: u32,
}

/// Token buckets, one for each operation of the account in the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// Of Describe, Get and List calls.
    pub reads: Rate,
    /// Of every other one.
    pub writes: Rate,
}

impl Default for Throttle {
    /// EC2's published values for non-mutating and mutating actions (EC2 developer guide, "Request throttling").
    fn default() -> Self {
        Throttle { reads: Rate { burst: 100, per_sec: 20 }, writes: Rate { burst: 50, per_sec: 5 } }
    }
}

/// How an API misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// As if the token bucket were empty.
    Throttle,
    /// Status 503.
    Unavailable,
    /// The answer takes so much longer, in lab time.
    Slow(Duration),
    /// There is never an answer, and the call is not carried out.
    Drop,
    /// The call is carried out, and there is never an answer.
    LoseAnswer,
    /// The caller's session has expired.
    ExpiredToken,
    /// The policy of the interface endpoint does not allow it.
    EndpointPolicy,
    /// The role's own policy does not allow it.
    Denied,
    /// `ScalingActivityInProgress`.
    Busy,
    /// AWS's clock is so far ahead of the caller's: a signature by the caller's own is refused.
    ClockAhead(Duration),
    /// EC2 gives 5 rows a page, whatever it is asked for.
    ShortPages,
}

/// A fault with its scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `DescribeSubnets`, or `None` for every operation.
    pub operation: Option<String>,
    /// What happens.
    pub kind: FaultKind,
    /// From when.
    pub from: Time,
    /// Until when.
    pub until: Time,
    /// Every how many calls it happens: 1 for each of them.
    pub every: u32,
}

impl Fault {
    fn is_about(&self, operation: &str) -> bool {
        self.operation.as_deref().is_none_or(|wanted| wanted == operation)
    }

    fn lasts_at(&self, now: Time) -> bool {
        self.from <= now && now < self.until
    }
}

/// Whether a call gets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It does, after this much lab time more than usual.
    Go(Duration),
    /// It does not.
    Refuse(ApiError),
    /// Nobody will ever answer.
    Drop,
    /// It does, and nobody will ever answer.
    LoseAnswer,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    /// Tokens in thousandths, and when they were counted.
    buckets: BTreeMap<(Service, String), (u64, Time)>,
    /// Faults and the calls that they have seen.
    faults: Vec<(Fault, u32)>,
}

impl Gate {
    fn take_token(&mut self, key: (Service, String), rate: Rate, now: Time) -> bool {
        let full = u64::from(rate.burst) * 1000;
        let (tokens, counted_at) = self.buckets.entry(key).or_insert((full, now));
        let millis = u64::try_from(now.since(*counted_at).as_millis()).unwrap_or(u64::MAX);
        *tokens = millis.saturating_mul(u64::from(rate.per_sec)).saturating_add(*tokens).min(full);
        *counted_at = now;
        let enough = *tokens >= 1000;
        *tokens -= if enough { 1000 } else { 0 };
        enough
    }

    fn lasting(&self, now: Time) -> impl Iterator<Item = &Fault> {
        self.faults.iter().map(|(fault, _)| fault).filter(move |fault| fault.lasts_at(now))
    }

    fn faults_for(&mut self, operation: &str, now: Time) -> Vec<FaultKind> {
        let mut kinds = Vec::new();
        for (fault, seen) in &mut self.faults {
            if fault.is_about(operation) && fault.lasts_at(now) {
                *seen += 1;
                if seen.is_multiple_of(fault.every.max(1)) {
                    kinds.push(fault.kind);
                }
            }
        }
        kinds
    }
}

impl Vpc {
    /// Adds a fault.
    pub fn add_fault(&mut self, fault: Fault) {
        self.gate.faults.push((fault, 0));
    }

    /// Ends every fault.
    pub fn clear_faults(&mut self) {
        self.gate.faults.clear();
    }

    /// How far AWS's clock is ahead of the caller's.
    pub(super) fn clock_ahead(&self, now: Time) -> Duration {
        let ahead = |fault: &Fault| match fault.kind {
            FaultKind::ClockAhead(by) => Some(by),
            _ => None,
        };
        self.gate.lasting(now).filter_map(ahead).sum()
    }

    /// Whether a listing's pages are shorter than asked for.
    pub(super) fn short_pages(&self, operation: &str, now: Time) -> bool {
        self.gate.lasting(now).any(|fault| fault.kind == FaultKind::ShortPages && fault.is_about(operation))
    }

    /// Whether a call gets through. The wire side asks for every request; a caller of the typed methods that should share the
    /// account's token buckets asks for itself.
    pub fn admit(&mut self, service: Service, operation: &str, now: Time) -> Admission {
        let mut delay = Duration::ZERO;
        for kind in self.gate.faults_for(operation, now) {
            match kind {
                FaultKind::Slow(by) => delay += by,
                FaultKind::Drop => return Admission::Drop,
                FaultKind::LoseAnswer => return Admission::LoseAnswer,
                FaultKind::ClockAhead(_) | FaultKind::ShortPages => {}
                other => return Admission::Refuse(fault_error(other, service, operation)),
            }
        }
        let Some(throttle) = self.config.throttle else { return Admission::Go(delay) };
        let reads = ["Describe", "Get", "List"].iter().any(|verb| operation.starts_with(verb));
        let rate = if reads { throttle.reads } else { throttle.writes };
        if self.gate.take_token((service, operation.to_owned()), rate, now) {
            Admission::Go(delay)
        } else {
            Admission::Refuse(fault_error(FaultKind::Throttle, service, operation))
        }
    }
}

fn fault_error(kind: FaultKind, service: Service, operation: &str) -> ApiError {
    match (kind, service) {
        (FaultKind::EndpointPolicy, _) => denied(service, operation, "VPC endpoint"),
        (FaultKind::Denied, _) => denied(service, operation, "identity-based"),
        (FaultKind::ExpiredToken, Service::Ec2) => ApiError::new("RequestExpired", "Request has expired."),
        (FaultKind::ExpiredToken, _) => {
            ApiError::new("ExpiredToken", "The security token included in the request is expired").status(403)
        }
        (FaultKind::Busy, _) => ApiError::new(
            "ScalingActivityInProgress",
            "Scaling activity 00000000-0000-4000-a000-000000000000 is in progress and blocks this action",
        ),
        (FaultKind::Throttle, Service::Ec2) => {
            ApiError::new("RequestLimitExceeded", "Request limit exceeded.").status(503)
        }
        (FaultKind::Throttle, _) => ApiError::new("Throttling", "Rate exceeded"),
        (_, Service::Ec2) => {
            ApiError::new("Unavailable", "The service is unavailable. Please try again shortly.").status(503)
        }
        _ => ApiError::new("ServiceUnavailable", "Service is unable to handle request.").status(503),
    }
}

/// IAM user guide, "Troubleshoot access denied error messages".
fn denied(service: Service, operation: &str, policy: &str) -> ApiError {
    let (prefix, code) = match service {
        Service::Ec2 => ("ec2", "UnauthorizedOperation"),
        Service::AutoScaling => ("autoscaling", "AccessDenied"),
        Service::Sts => ("sts", "AccessDenied"),
        Service::CloudWatch => ("cloudwatch", "AccessDenied"),
    };
    let message = format!(
        "User: arn:aws:sts::000000000000:assumed-role/headroom/lab is not authorized to perform: {prefix}:{operation} because no \
         {policy} policy allows the {prefix}:{operation} action"
    );
    ApiError::new(code, message).status(403)
}
