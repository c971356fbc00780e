//! Where it was measured.

use std::fmt;

/// The machine, as far as figures depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The processor's name for itself.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// `MemTotal`, KiB.
    pub memory_kib: u64,
    /// The kernel's release.
    pub kernel: String,
}

impl Machine {
    /// This one; what it does not tell stays `unknown`.
    #[must_use]
    pub fn this() -> Machine {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let unknown = || "unknown".to_owned();
        let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        Machine {
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_kib: memory.and_then(|memory| memory.strip_suffix(" kB")?.parse().ok()).unwrap_or(0),
            kernel: if kernel.is_empty() { unknown() } else { kernel },
        }
    }
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cpu, cores, memory_kib, kernel } = self;
        write!(f, "{cpu}, {cores} cores, {} GiB, Linux {kernel}", memory_kib / (1 << 20))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_kernel_says() {
        let text = "processor\t: 0\nmodel name\t: Example CPU @ 2.9GHz: fast\n";
        assert_eq!(field(text, "model name").as_deref(), Some("Example CPU @ 2.9GHz: fast"));
        let machine = Machine::this();
        assert!(machine.cores > 0 && machine.memory_kib > 0, "{machine:?}");
    }
}
