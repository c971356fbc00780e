//! A task that stops when it is dropped.

use tokio::task::JoinHandle;

#[derive(Debug)]
pub(super) struct Held(JoinHandle<()>);

impl Held {
    pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Held {
        Held(tokio::spawn(task))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abort();
    }
}
