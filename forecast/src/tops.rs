//! The largest value of any window at once.

/// Values in a block. Within blocks maxima are read off from either end, and the table of what lies between stays in the cache.
const BLOCK: usize = 16;

/// Maxima that any window is made of.
#[derive(Clone, Debug)]
pub(crate) struct Tops {
    values: Vec<f64>,
    /// The largest value from the begin of a value's block up to it, and from it to the end of its block.
    up_to: Vec<f64>,
    from: Vec<f64>,
    /// `table[k][i]` is the largest value of the `2^k` blocks from `i` on (a sparse table).
    table: Vec<Vec<f64>>,
}

impl Tops {
    pub(crate) fn new(values: Vec<f64>) -> Tops {
        let (mut up_to, mut from) = (values.clone(), values.clone());
        for block in up_to.chunks_mut(BLOCK) {
            for i in 1..block.len() {
                block[i] = larger(block[i], block[i - 1]);
            }
        }
        for block in from.chunks_mut(BLOCK) {
            for i in (1..block.len()).rev() {
                block[i - 1] = larger(block[i], block[i - 1]);
            }
        }
        let blocks: Vec<f64> = from.iter().step_by(BLOCK).copied().collect();
        let (count, mut half) = (blocks.len(), 1);
        let mut table = vec![blocks];
        while 2 * half <= count {
            let below = &table[table.len() - 1];
            table.push(below.iter().zip(&below[half..]).map(|(a, b)| larger(*a, *b)).collect());
            half *= 2;
        }
        Tops { values, up_to, from, table }
    }

    /// The largest value in `from..to`, a window that is not empty.
    pub(crate) fn over(&self, from: usize, to: usize) -> f64 {
        let (first, last) = (from / BLOCK, (to - 1) / BLOCK);
        if first == last {
            return self.values[from..to].iter().copied().fold(f64::NEG_INFINITY, larger);
        }
        let ends = larger(self.from[from], self.up_to[to - 1]);
        let Some(level) = (last - first - 1).checked_ilog2() else { return ends };
        let blocks = &self.table[level as usize];
        larger(ends, larger(blocks[first + 1], blocks[last - (1 << level)]))
    }
}

/// Of values without NaN, for which [`f64::max`] would look.
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_window_has_its_largest_value() {
        for len in [1, BLOCK, 5 * BLOCK + 3] {
            let values: Vec<f64> = (0..len).map(|i| (i * 29 % 83) as f64).collect();
            let tops = Tops::new(values.clone());
            for from in 0..len {
                for to in from + 1..=len {
                    let wanted = values[from..to].iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    assert_eq!(tops.over(from, to), wanted, "{from}..{to} of {len}");
                }
            }
        }
    }
}
