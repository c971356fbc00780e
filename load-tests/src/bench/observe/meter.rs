//! What a piece of work costs this process: processor time of all its threads, time and memory at most.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::bench::memory::Memory;

/// What a piece of work cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Processor time, the kernel's for it included.
    pub cpu: Duration,
    /// Time that passed.
    pub wall: Duration,
    /// Resident memory at most meanwhile, of everything in the process, KiB.
    pub peak_kib: u64,
    /// Resident memory after it, KiB.
    pub resident_kib: u64,
}

/// Runs from [`Meter::start`] on.
#[derive(Debug)]
pub struct Meter {
    cpu: Duration,
    started: Instant,
}

impl Meter {
    /// Begins, and makes the kernel forget the memory's former peak (proc(5), `/proc/pid/clear_refs`).
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn start() -> anyhow::Result<Meter> {
        std::fs::write("/proc/self/clear_refs", "5").context("failed to reset VmHWM")?;
        Ok(Meter { cpu: cpu()?, started: Instant::now() })
    }

    /// Ends.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn stop(self) -> anyhow::Result<Cost> {
        let wall = self.started.elapsed();
        let cpu = cpu()?.saturating_sub(self.cpu);
        let Memory { resident_kib, peak_kib } = Memory::of(std::process::id())?;
        Ok(Cost { cpu, wall, peak_kib, resident_kib })
    }
}

/// Of all threads that live (proc(5), `/proc/pid/task/tid/schedstat`): no thread may end while it is measured.
fn cpu() -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanos +=
            stat.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).context("schedstat has no number")?;
    }
    Ok(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_thread_does_counts() {
        let (ready, go) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let until = cpu().unwrap() + Duration::from_millis(50);
                let mut bytes = vec![0_u8; 32 << 20];
                while cpu().unwrap() < until {
                    bytes.iter_mut().for_each(|byte| *byte = std::hint::black_box(*byte).wrapping_add(1));
                }
                ready.wait();
                go.wait();
            });
            let meter = Meter::start().unwrap();
            ready.wait();
            let cost = meter.stop().unwrap();
            assert!(cost.cpu >= Duration::from_millis(30), "{cost:?}");
            assert!(cost.peak_kib >= 32 << 10 && cost.peak_kib >= cost.resident_kib, "{cost:?}");
            go.wait();
        });
    }
}
