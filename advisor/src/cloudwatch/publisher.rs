//! Takes rounds of figures and brings them to CloudWatch.

#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::Client;
use headroom_capacity::time::Time;
use headroom_shell::backoff::backoff;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use super::batch::{self, Batch};
use super::send::send;
use super::spool::{Entry, Spool, SpoolError};
use super::{Datum, Loss};
use crate::aws::{AwsError, CallRecord, ErrorClass, Operation};
use crate::config::CloudWatch;
use crate::metrics::Metrics;

/// The pause after the first failed call, which doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: a publication's period.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The way to CloudWatch. Rounds come in through [`publish`](Publisher::publish) at any time; one task [`run`](Publisher::run)s.
#[derive(Debug)]
pub struct Publisher {
    client: Client,
    call_timeout: Duration,
    max_points: u64,
    metrics: Arc<Metrics>,
    /// Never locked across an await.
    spool: Arc<Mutex<Spool>>,
    news: Notify,
}

/// How far a flush got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// The spool is empty.
    Empty,
    /// A call failed, after so many that did not.
    Stuck {
        /// Calls that were acknowledged.
        after: u32,
    },
}

enum Sent {
    Nothing,
    Acknowledged,
    /// It was taken out of the way and nothing was sent.
    PutAside,
    Failed,
}

impl Publisher {
    /// Opens the spool. `call_timeout` bounds each call with all its attempts.
    ///
    /// # Errors
    /// When the spool's file cannot be used.
    pub fn new(
        sdk: &SdkConfig,
        config: &CloudWatch,
        call_timeout: Duration,
        metrics: Arc<Metrics>,
    ) -> Result<Publisher, SpoolError> {
        let max_points = config.spool_max_points;
        let spool = Spool::open(config.spool_file.as_deref(), max_points)?;
        metrics.points_spooled(spool.points());
        let spool = Arc::new(Mutex::new(spool));
        Ok(Publisher { client: Client::new(sdk), call_timeout, max_points, metrics, spool, news: Notify::new() })
    }

    /// Takes a round: data by namespace, all of the time `at`. When this returns, what CloudWatch can take of it is in the spool.
    pub async fn publish(&self, at: Time, sets: Vec<(String, Vec<Datum>)>, now: Time) {
        let mut round = Vec::new();
        for (namespace, data) in sets {
            let batched = batch::batches(&namespace, at, data, now);
            round.extend(batched.batches);
            for (loss, datum) in batched.rejected {
                tracing::warn!(metric = datum.name, reason = loss.label(), "a point cannot be sent to CloudWatch");
                self.metrics.points_dropped(loss, 1);
            }
        }
        let evicted = self.push(round).await;
        if evicted > 0 {
            tracing::warn!(points = evicted, "the CloudWatch spool is full: its oldest points are gone");
            self.metrics.points_dropped(Loss::SpoolFull, evicted);
        }
        self.news.notify_one();
    }

    /// Sends what comes, until `stop` resolves and what is there by then was tried once more. `clock` tells Unix time. It may be
    /// dropped at any await: what was not acknowledged stays in the spool. A call that has begun is ended before it stops: to cut
    /// it off would send its batch twice.
    pub async fn run(&self, clock: impl Fn() -> Time, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut failures = 0;
        loop {
            let wait = match self.flush(&clock).await {
                Flushed::Empty => {
                    failures = 0;
                    None
                }
                Flushed::Stuck { after } => {
                    failures = if after > 0 { 1 } else { failures + 1 };
                    Some(pause(failures, fastrand::f64()))
                }
            };
            let go_on = async {
                match wait {
                    None => self.news.notified().await,
                    Some(wait) => tokio::time::sleep(wait).await,
                }
            };
            tokio::select! {
                () = go_on => {}
                () = &mut stop => {
                    self.flush(&clock).await;
                    return;
                }
            }
        }
    }

    /// Sends until the spool is empty or a call fails.
    pub async fn flush(&self, clock: impl Fn() -> Time) -> Flushed {
        let mut after = 0;
        loop {
            match self.send_next(clock()).await {
                Sent::Nothing => return Flushed::Empty,
                Sent::Acknowledged => after += 1,
                Sent::PutAside => {}
                Sent::Failed => return Flushed::Stuck { after },
            }
        }
    }

    async fn send_next(&self, now: Time) -> Sent {
        let Some(entry) = self.next().await else { return Sent::Nothing };
        let points = entry.batch.data.len() as u64;
        if let Some(loss) = batch::out_of_time(entry.batch.at, now) {
            self.metrics.points_dropped(loss, points);
            self.change(move |spool| spool.remove(entry.key)).await;
            return Sent::PutAside;
        }
        let began = Instant::now();
        let sent = send(&self.client, &entry.batch, self.call_timeout).await;
        let error = sent.as_ref().err().map(|error| error.class);
        let seconds = began.elapsed().as_secs_f64();
        self.metrics.aws_called(&CallRecord { operation: Operation::PutMetricData, error, seconds });
        match sent {
            Ok(()) => {
                self.metrics.points_sent.inc_by(points);
                self.change(move |spool| spool.remove(entry.key)).await;
                Sent::Acknowledged
            }
            Err(failure) if failure.class == ErrorClass::Invalid => {
                self.refused(entry, &failure).await;
                Sent::PutAside
            }
            Err(error) => {
                self.metrics.points_failed.inc_by(points);
                tracing::warn!(points, %error, "CloudWatch did not take a batch; it is kept");
                Sent::Failed
            }
        }
    }

    /// CloudWatch refuses a request for any one of its data: that one is found by halving, and the others get through.
    async fn refused(&self, entry: Entry, failure: &AwsError) {
        if let [datum] = entry.batch.data.as_slice() {
            tracing::error!(?datum, message = failure.message, "CloudWatch refuses a point; it is dropped");
            self.metrics.points_dropped(Loss::Refused, 1);
            self.change(move |spool| spool.remove(entry.key)).await;
        } else {
            self.change(move |spool| spool.halve(entry)).await;
        }
    }

    async fn push(&self, round: Vec<Batch>) -> u64 {
        let round = Arc::new(round);
        let again = Arc::clone(&round);
        match self.on_spool(move |spool| spool.push(&round)).await {
            Some(evicted) => evicted,
            None => self.on_spool(move |spool| spool.push(&again)).await.unwrap_or_default(),
        }
    }

    async fn next(&self) -> Option<Entry> {
        self.on_spool(Spool::first).await.flatten()
    }

    async fn change(&self, f: impl FnOnce(&mut Spool) -> Result<(), SpoolError> + Send + 'static) {
        // Where it failed the entry went with the file: neither is there any more.
        let _: Option<()> = self.on_spool(f).await;
    }

    /// Runs `f` where it may wait for the disk. A file that fails is not used any more: to go on from memory loses what is in it
    /// until the next start, to go on with it would send the same batch over and over. `None` where that has happened.
    async fn on_spool<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Spool) -> Result<T, SpoolError> + Send + 'static,
    ) -> Option<T> {
        let (spool, max_points) = (Arc::clone(&self.spool), self.max_points);
        let work = move || {
            let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
            let done = f(&mut spool);
            let done = done.or_else(|error| {
                *spool = Spool::in_memory(max_points)?;
                Err(error)
            });
            (done, spool.points())
        };
        // Only a panic ends it early, and redb would have to.
        let (done, points) = spawn_blocking(work).await.ok()?;
        self.metrics.points_spooled(points);
        match done {
            Ok(value) => Some(value),
            Err(error) => {
                self.metrics.spool_errors.inc();
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::error!(error, "the CloudWatch spool failed: points are kept in memory until the next start");
                None
            }
        }
    }
}

/// How long to wait after so many failed calls in a row; `random`, 0 to 1, takes up to half of it off.
fn pause(failures: u32, random: f64) -> Duration {
    backoff(failures, FIRST_PAUSE, LONGEST_PAUSE, 1.0 - random)
}
