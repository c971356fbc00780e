//! CPU and memory of an instance, and what kubelet leaves of them to pods.

/// CPU and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// CPU, in thousandths of a vCPU.
    pub cpu_milli: u64,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What the name of an instance type says of its size, for the general families whose ratio of memory to vCPU has no
/// exceptions (EC2 instance type pages: c 2 GiB, m 4 GiB, r 8 GiB a vCPU; t as its table). `None` for any other name.
#[must_use]
pub fn of(instance_type: &str) -> Option<Shape> {
    let name = Name::parse(instance_type)?;
    if name.class == 't' {
        return burstable(name.generation, name.size);
    }
    let gib_per_vcpu = match name.class {
        // c5n has 2.625 GiB a vCPU, on some sizes.
        'c' if (name.generation, name.attributes) == (5, "n") => return None,
        'c' => 2,
        'm' => 4,
        'r' => 8,
        _ => return None,
    };
    let vcpus = vcpus(name.size).filter(|_| name.generation >= 5)?;
    Some(Shape { cpu_milli: vcpus * 1000, memory_bytes: vcpus * gib_per_vcpu * GIB })
}

/// Graviton families carry a `g` after their generation, all but the first.
#[must_use]
pub fn is_graviton(instance_type: &str) -> bool {
    let family = instance_type.split('.').next().unwrap_or_default();
    let attributes = family.trim_start_matches(|c: char| c.is_ascii_lowercase()).trim_start_matches(char::is_numeric);
    family == "a1" || attributes.contains('g')
}

/// The parts of a name such as `m7gd.2xlarge` or `c7i-flex.large`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a> {
    /// `m`.
    pub(crate) class: char,
    /// 7.
    pub(crate) generation: u32,
    /// `gd`.
    pub(crate) attributes: &'a str,
    /// `2xlarge`.
    pub(crate) size: &'a str,
}

impl<'a> Name<'a> {
    /// `None` for a class of several letters: those follow rules of their own.
    pub(crate) fn parse(instance_type: &'a str) -> Option<Name<'a>> {
        let (family, size) = instance_type.split_once('.')?;
        let mut rest = family.strip_suffix("-flex").unwrap_or(family).chars();
        let class = rest.next().filter(char::is_ascii_lowercase)?;
        let rest = rest.as_str();
        let attributes = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let generation = rest.strip_suffix(attributes)?.parse().ok()?;
        Some(Name { class, generation, attributes, size })
    }
}

fn vcpus(size: &str) -> Option<u64> {
    match size {
        "medium" => Some(1),
        "large" => Some(2),
        "xlarge" => Some(4),
        _ => size.strip_suffix("xlarge")?.parse::<u64>().ok().map(|times| times * 4),
    }
}

fn burstable(generation: u32, size: &str) -> Option<Shape> {
    let (vcpus, memory_bytes) = match size {
        "nano" => (2, GIB / 2),
        "micro" => (2, GIB),
        "small" => (2, 2 * GIB),
        "medium" => (2, 4 * GIB),
        "large" => (2, 8 * GIB),
        "xlarge" => (4, 16 * GIB),
        "2xlarge" => (8, 32 * GIB),
        _ => return None,
    };
    let single = generation == 2 && matches!(size, "nano" | "micro" | "small");
    Some(Shape { cpu_milli: if single { 1000 } else { vcpus * 1000 }, memory_bytes })
}

impl Shape {
    /// Memory as kubelet sees it: firmware and kernel keep about a twentieth.
    #[must_use]
    pub const fn visible(self) -> Shape {
        Shape { cpu_milli: self.cpu_milli, memory_bytes: self.memory_bytes / 20 * 19 }
    }

    /// What is left to pods once kubelet has reserved for itself, as EKS's AMIs configure it (amazon-eks-ami, nodeadm
    /// `internal/kubelet`): of the CPU 6 % of the first core, 1 % of the second, 0.5 % of the next two and 0.25 % of the
    /// others; of the memory 255 MiB + 11 MiB a pod, and 100 MiB for hard eviction.
    #[must_use]
    pub fn allocatable(self, max_pods: u32) -> Shape {
        let bands = [(0, 1000, 600), (1000, 2000, 100), (2000, 4000, 50), (4000, u64::MAX, 25)];
        let share =
            |(from, to, per_10_000): (u64, u64, u64)| self.cpu_milli.clamp(from, to).saturating_sub(from) * per_10_000;
        let cpu_reserved: u64 = bands.into_iter().map(share).sum::<u64>() / 10_000;
        let memory_reserved = (255 + 11 * u64::from(max_pods) + 100) * MIB;
        Shape {
            cpu_milli: self.cpu_milli.saturating_sub(cpu_reserved),
            memory_bytes: self.memory_bytes.saturating_sub(memory_reserved),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_their_size() {
        let shape = |vcpus: u64, gib: u64| Some(Shape { cpu_milli: vcpus * 1000, memory_bytes: gib * GIB });
        assert_eq!(of("c5.xlarge"), shape(4, 8));
        assert_eq!(of("m5.large"), shape(2, 8));
        assert_eq!(of("r6gd.16xlarge"), shape(64, 512));
        assert_eq!(of("t2.large"), shape(2, 8));
        assert_eq!(of("t2.small"), shape(1, 2));
        assert_eq!(of("c7i-flex.large"), shape(2, 4));
        assert_eq!(of("m8idn.96xlarge"), shape(384, 1536));
        for other in ["c5n.large", "c4.large", "m5.metal", "p5.48xlarge", "c5", "x.y"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn allocatable_of_a_c5_xlarge() {
        let visible = of("c5.xlarge").unwrap().visible();
        assert_eq!(visible.allocatable(58).cpu_milli, 3920, "60 + 10 + 10 millicores are reserved");
        let reserved = visible.memory_bytes - visible.allocatable(58).memory_bytes;
        assert_eq!(reserved, (255 + 11 * 58 + 100) * MIB);
    }
}
