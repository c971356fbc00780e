//! Every task of a process under one roof. None may end by itself: a watch that died silently would leave decisions to a stale state.

use std::collections::HashMap;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::{Id, JoinHandle, JoinSet};

/// A task ended or panicked that must run for as long as the process does.
#[derive(Debug, Error)]
#[error("task '{task}' {how}")]
pub struct TaskError {
    /// Which.
    pub task: String,
    /// `ended` or `panicked`.
    pub how: &'static str,
}

/// Tasks that run until the process is told to stop: those that serve are given time to finish then, the others are dropped.
#[derive(Debug)]
pub struct Supervisor {
    watching: JoinSet<()>,
    serving: JoinSet<()>,
    names: HashMap<Id, String>,
    stop: watch::Sender<bool>,
    drain: Duration,
}

impl Supervisor {
    /// Without tasks. `drain` is how long those that serve may take to finish.
    #[must_use]
    pub fn new(drain: Duration) -> Supervisor {
        Supervisor {
            watching: JoinSet::new(),
            serving: JoinSet::new(),
            names: HashMap::new(),
            stop: watch::Sender::new(false),
            drain,
        }
    }

    /// Resolves when tasks that serve shall finish.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopped = self.stop.subscribe();
        // An error means that the supervisor is gone, which is a reason to stop too.
        async move { drop(stopped.wait_for(|stop| *stop).await) }
    }

    /// The same as a value that becomes true.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Starts a task that runs until it is dropped, after all that serve have finished.
    pub fn watch(&mut self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) {
        self.names.insert(self.watching.spawn(task).id(), name.into());
    }

    /// Starts a task that ends when [`Supervisor::stopped`] resolves, and not before.
    pub fn serve(&mut self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) {
        self.names.insert(self.serving.spawn(task).id(), name.into());
    }

    /// Supervises in a task of its own until `shutdown` resolves or a task ends.
    pub fn start(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Supervised {
        Supervised(tokio::spawn(self.run(shutdown)))
    }

    async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), TaskError> {
        let ended = tokio::select! {
            () = shutdown => None,
            Some(ended) = self.watching.join_next_with_id() => Some(ended),
            Some(ended) = self.serving.join_next_with_id() => Some(ended),
        };
        let result = match ended {
            None => {
                tracing::info!("shutting down");
                Ok(())
            }
            Some(ended) => {
                let (id, how) = match &ended {
                    Ok((id, ())) => (*id, "ended"),
                    Err(error) => (error.id(), "panicked"),
                };
                let task = self.names.remove(&id).unwrap_or_default();
                tracing::error!(%task, how, "a task that must keep running is gone");
                Err(TaskError { task, how })
            }
        };
        self.stop.send_replace(true);
        let drained = async { while self.serving.join_next().await.is_some() {} };
        if tokio::time::timeout(self.drain, drained).await.is_err() {
            tracing::warn!(drain_secs = self.drain.as_secs(), "requests still open at the end of the drain time");
        }
        self.serving.shutdown().await;
        self.watching.shutdown().await;
        result
    }
}

/// Tasks under supervision.
#[derive(Debug)]
pub struct Supervised(JoinHandle<Result<(), TaskError>>);

impl Supervised {
    /// Waits until shutdown is complete.
    ///
    /// # Errors
    /// When a task ended before it was asked to.
    pub async fn wait(self) -> Result<(), TaskError> {
        match self.0.await {
            Ok(result) => result,
            Err(_) => Err(TaskError { task: "supervisor".to_owned(), how: "panicked" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_or_panics_is_named_and_ends_the_others() {
        for (panics, how) in [(false, "ended"), (true, "panicked")] {
            let mut supervisor = Supervisor::new(Duration::from_secs(20));
            let stopped = supervisor.stopped();
            let (finished, finishes) = oneshot::channel();
            supervisor.serve("listener", async move {
                stopped.await;
                finished.send(()).unwrap();
            });
            supervisor.watch("steady", std::future::pending());
            supervisor.watch("watch pods", async move { assert!(!panics, "as it is asked to") });
            let error = supervisor.start(std::future::pending()).wait().await.unwrap_err();
            assert_eq!(error.to_string(), format!("task 'watch pods' {how}"));
            assert_eq!(finishes.await, Ok(()), "what serves was told to stop");
        }
    }

    #[tokio::test]
    async fn what_still_serves_after_the_drain_time_is_dropped() {
        let mut supervisor = Supervisor::new(Duration::from_millis(10));
        let (kept, dropped) = oneshot::channel::<()>();
        supervisor.serve("listener", async move {
            std::future::pending::<()>().await;
            drop(kept);
        });
        assert!(supervisor.start(async {}).wait().await.is_ok());
        assert!(dropped.await.is_err());
    }
}
