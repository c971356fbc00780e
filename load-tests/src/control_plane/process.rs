//! A component as a child process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{StartError, prepare};

/// Between two looks at a component that is not ready.
const POLL: Duration = Duration::from_millis(50);
/// Lines of a log that an error shows.
const TAIL_LINES: usize = 25;

/// Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `binary` with stdout and stderr in `logs/name.log`.
    pub(crate) fn spawn(
        name: &'static str,
        binary: &Path,
        args: &[String],
        logs: &Path,
    ) -> Result<Process, StartError> {
        let log = logs.join(format!("{name}.log"));
        let out = File::create(&log).map_err(prepare("a log file"))?;
        let err = out.try_clone().map_err(prepare("a log file"))?;
        let child = Command::new(binary)
            .args(args)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(prepare(name))?;
        Ok(Process { name, child, log })
    }

    /// Asks `ready` until it agrees. Its error is what the component answered.
    pub(crate) async fn wait<F>(&mut self, within: Duration, ready: F) -> Result<(), StartError>
    where
        F: AsyncFn() -> Result<(), String>,
    {
        let started = Instant::now();
        loop {
            let status = self.child.try_wait().map_err(prepare(self.name))?;
            if let Some(status) = status {
                return Err(StartError::Ended {
                    name: self.name,
                    status: status.to_string(),
                    log: self.log.clone(),
                    tail: self.tail(),
                });
            }
            let left = within.saturating_sub(started.elapsed());
            let answer = match tokio::time::timeout(left, ready()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(answer)) => answer,
                Err(_) => "no answer".to_owned(),
            };
            if started.elapsed() >= within {
                return Err(StartError::NotReady {
                    name: self.name,
                    after: within,
                    answer,
                    log: self.log.clone(),
                    tail: self.tail(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// CPU time that it has used, user and system; `None` where there is no `/proc` to tell it.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        parse_cpu(&stat)
    }

    fn tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

/// Fields 14 and 15 of `/proc/PID/stat` (proc_pid_stat(5)), in hundredths of a second: Linux' USER_HZ is 100 on every architecture that
/// we run on.
fn parse_cpu(stat: &str) -> Option<Duration> {
    // The name, in parentheses, may hold spaces.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(Duration::from_millis((user + system) * 10))
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails only for a process that is gone already.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(script: &str, within: Duration) -> (StartError, tempfile::TempDir) {
        let logs = tempfile::tempdir().unwrap();
        let args = ["-c".to_owned(), script.to_owned()];
        let mut process = Process::spawn("component", Path::new("/bin/sh"), &args, logs.path()).unwrap();
        let error = process.wait(within, async || Err("503".to_owned())).await.unwrap_err();
        (error, logs)
    }

    #[tokio::test]
    async fn a_component_that_ends_shows_how_and_the_end_of_its_log() {
        let script = "seq 100; echo 'unknown flag: --x' >&2; exit 3";
        let (error, _logs) = run(script, Duration::from_secs(60)).await;
        let text = error.to_string();
        assert!(matches!(error, StartError::Ended { .. }), "{text}");
        assert!(text.contains("component ended (exit status: 3)"), "{text}");
        assert!(text.ends_with("\n99\n100\nunknown flag: --x") && !text.contains("\n70\n"), "{text}");
    }

    #[test]
    fn cpu_time_is_user_and_system() {
        let stat = "4242 (tokio-rt (x) y) S 1 4242 4242 0 -1 4194560 9 8 7 6 150 25 3 2 20 0 9 0 77";
        assert_eq!(parse_cpu(stat), Some(Duration::from_millis(1750)));
        assert_eq!(parse_cpu("4242 (x"), None);
    }

    #[tokio::test]
    async fn a_component_that_hangs_shows_what_it_answered() {
        let (error, _logs) = run("exec sleep 60", Duration::ZERO).await;
        assert!(matches!(&error, StartError::NotReady { answer, .. } if answer == "503"), "{error}");
    }
}
