//! Memory of a process as the kernel counts it.

use anyhow::Context as _;

/// Of `/proc/PID/status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// `VmRSS`, KiB: resident now.
    pub resident_kib: u64,
    /// `VmHWM`, KiB: resident at most so far.
    pub peak_kib: u64,
}

impl Memory {
    /// Of a running process.
    ///
    /// # Errors
    /// When it has ended.
    pub fn of(pid: u32) -> anyhow::Result<Memory> {
        let path = format!("/proc/{pid}/status");
        let status = std::fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
        Memory::parse(&status).with_context(|| format!("{path} tells no VmRSS and VmHWM"))
    }

    fn parse(status: &str) -> Option<Memory> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        Some(Memory { resident_kib: field("VmRSS")?, peak_kib: field("VmHWM")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let status = "Name:\theadroom\nVmPeak:\t  999 kB\nVmHWM:\t  153600 kB\nVmRSS:\t   81920 kB\nThreads:\t3\n";
        assert_eq!(Memory::parse(status), Some(Memory { resident_kib: 81_920, peak_kib: 153_600 }));
        let own = Memory::of(std::process::id()).unwrap();
        assert!(own.peak_kib >= own.resident_kib && own.resident_kib > 0);
    }
}
