//! Randomness from the scenario's seed.

/// SplitMix64 (Steele, Lea and Flood, 2014): one word of state, and the same seed gives the same run on every platform.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) const fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`, 0 when `n` is 0. Its bias is far below what anybody could see at these sizes.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % n).unwrap_or(0)
    }

    /// A resource id of the long format: `prefix-` and 17 hex digits.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{:016x}", self.next())
    }

    /// An id of the shape of a UUID, for requests and activities.
    pub(super) fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        let (mid, low) = ((a >> 16) & 0xffff, a & 0xfff);
        format!("{:08x}-{mid:04x}-4{low:03x}-a{:03x}-{:012x}", a >> 32, b >> 52, b & 0xffff_ffff_ffff)
    }
}
