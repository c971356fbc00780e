//! What a failed watch says.

use std::error::Error;

use kube::runtime::watcher;

use crate::event::ErrorClass;

/// The message with every cause that it does not repeat anyway: "client error (Connect)" alone helps nobody.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

pub(super) fn class(error: &watcher::Error) -> ErrorClass {
    match error {
        watcher::Error::InitialListFailed(_) | watcher::Error::NoResourceVersion => ErrorClass::List,
        watcher::Error::WatchStartFailed(_) => ErrorClass::Start,
        watcher::Error::WatchFailed(_) => ErrorClass::Stream,
        watcher::Error::WatchError(_) => ErrorClass::Server,
    }
}

/// A watch refused at its start with 410 would be refused for ever at the same resource version.
pub(super) fn must_relist(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if matches!(status.code, 404 | 410))
}

/// The HTTP status with which a list or the start of a watch was refused.
pub(super) fn status(error: &watcher::Error) -> Option<u16> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => Some(status.code),
        _ => None,
    }
}
