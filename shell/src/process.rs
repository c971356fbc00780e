//! A process and what started it: signals, the ready file, exit codes.

use std::path::Path;

/// Exit code for a refused configuration, EX_USAGE of sysexits.h.
pub const EXIT_CONFIG: u8 = 64;

/// Resolves on SIGTERM or SIGINT.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Writes a file that others wait for: they must never read half of it.
///
/// # Errors
/// When the file, or the one beside it that it is made of, cannot be written.
pub fn write_at_once(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension("part");
    std::fs::write(&part, content)?;
    std::fs::rename(&part, path)
}
