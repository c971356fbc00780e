//! The world on a running clock.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time;

use super::{Report, World, lock};
use crate::clock::Clock;

/// The longest real time between two steps: what clients do on the AWS side wakes nobody.
const LONGEST: Duration = Duration::from_millis(20);
/// The shortest: a step's own writes must not cause the next one at once.
const SHORTEST: Duration = Duration::from_millis(1);
/// How often a report is made, in real time.
const REPORT: Duration = Duration::from_millis(50);

/// Steps `world` along `clock` until `stop` says so, whenever something is due or the store has changed.
pub async fn run(mut world: World, clock: Clock, reports: watch::Sender<Arc<Report>>, stop: watch::Receiver<bool>) {
    let mut changes = lock(&world.store).subscribe();
    let mut reported = time::Instant::now();
    let mut stopped = pin!(stopped(stop));
    loop {
        world.step_to(clock.now());
        if reported.elapsed() >= REPORT {
            reported = time::Instant::now();
            reports.send_replace(Arc::new(world.report()));
        }
        let due = world.next_due().map_or(LONGEST, |due| clock.real(due.since(clock.now())));
        tokio::select! {
            () = time::sleep(due.clamp(SHORTEST, LONGEST)) => {}
            // The world holds the store, so that it cannot be gone.
            _ = changes.changed() => time::sleep(SHORTEST).await,
            // The world holds a sender too.
            Some(question) = world.questions.recv() => world.answer(question),
            () = &mut stopped => return,
        }
    }
}

/// Waits for a stop; a handle that is gone is one too.
pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok();
}
