//! Chance, the same in every run for a seed.

/// The splitmix64 generator (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(in crate::dialect::sqlite) struct Random(pub(in crate::dialect::sqlite) u64);

impl Random {
    pub(in crate::dialect::sqlite) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to and without the limit.
    pub(in crate::dialect::sqlite) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).expect("smaller than the limit")
    }

    pub(in crate::dialect::sqlite) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them, which must not be none.
    pub(in crate::dialect::sqlite) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// In another order.
    pub(in crate::dialect::sqlite) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = self.below(at + 1);
            items.swap(at, other);
        }
    }
}
