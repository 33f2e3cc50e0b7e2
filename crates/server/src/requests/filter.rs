//! Which numbers have come within a time: one that has is always known, one that has not is taken for one in at most
//! 10,000 cases (B. H. Bloom, Space/time trade-offs in hash coding with allowable errors, CACM 13, 1970). The bits of a
//! number are near each other, in one block (F. Putze, P. Sanders and J. Singler, Cache-, hash- and space-efficient Bloom
//! filters, WEA 2007).

use std::time::Duration;

/// Bits for each number, and how many of them are looked at: 1.3 in 100,000 of those that are not in a full layer are
/// taken for one that is (summed over how many numbers a block may have got, which is Poisson).
const BITS: u64 = 26;
const LOOKS: u32 = 15;
/// Words of a block: two lines of a processor's cache.
const BLOCK: usize = 16;
/// Numbers that the first layer takes; each next one takes sixteen times as many.
const FIRST: u64 = 1 << 16;
const GROWTH: u64 = 16;
/// Numbers of a generation. Beyond that each is looked up.
const MOST: u64 = 50_000_000;
/// Numbers of a stretch of time, in generations of layers.
pub(super) struct Filter {
    /// How long a generation takes numbers, in seconds: a number is known for so long and at most twice.
    lasts: i64,
    present: Generation,
    last: Generation,
    /// When the present one began, in seconds.
    began: Option<i64>,
}

#[derive(Default)]
struct Generation {
    layers: Vec<Layer>,
    is_full: bool,
}

struct Layer {
    blocks: Vec<[u64; BLOCK]>,
    capacity: u64,
    numbers: u64,
}

impl Filter {
    /// An empty one, which knows numbers for so long.
    pub(super) fn new(window: Duration) -> Self {
        Self {
            lasts: i64::try_from(window.as_secs()).unwrap_or(i64::MAX),
            present: Generation::default(),
            last: Generation::default(),
            began: None,
        }
    }

    /// Adds a number that came at a moment, in seconds; says whether it may have come before.
    pub(super) fn insert(&mut self, number: i64, now: i64) -> bool {
        let began = *self.began.get_or_insert(now);
        if now - began >= self.lasts {
            self.last = std::mem::take(&mut self.present);
            self.began = Some(now);
        }
        let number = number as u64;
        let known = self.present.has(number) || self.last.has(number);
        self.present.add(number);
        known
    }
}

impl Generation {
    fn has(&self, number: u64) -> bool {
        self.is_full || self.layers.iter().any(|layer| layer.has(number))
    }

    fn add(&mut self, number: u64) {
        if self.is_full {
            return;
        }
        let full = self
            .layers
            .last()
            .is_none_or(|layer| layer.numbers == layer.capacity);
        if full {
            let taken: u64 = self.layers.iter().map(|layer| layer.capacity).sum();
            if taken >= MOST {
                self.is_full = true;
                return;
            }
            let capacity = self
                .layers
                .last()
                .map_or(FIRST, |layer| layer.capacity * GROWTH);
            let capacity = capacity.min(MOST - taken);
            let blocks = (capacity * BITS).div_ceil(64 * BLOCK as u64) as usize;
            self.layers.push(Layer {
                blocks: vec![[0; BLOCK]; blocks],
                capacity,
                numbers: 0,
            });
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.add(number);
        }
    }
}

impl Layer {
    /// The block of a number, by its upper bits.
    fn block(&self, number: u64) -> usize {
        ((u128::from(number) * self.blocks.len() as u128) >> 64) as usize
    }

    fn has(&self, number: u64) -> bool {
        let block = &self.blocks[self.block(number)];
        places(number).all(|(word, bit)| block[word] & bit != 0)
    }

    fn add(&mut self, number: u64) {
        let block = self.block(number);
        for (word, bit) in places(number) {
            self.blocks[block][word] |= bit;
        }
        self.numbers += 1;
    }
}

/// The places of a number in its block: each is ten bits of a hash of it.
fn places(number: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..LOOKS).map(move |look| {
        // Numbers are parts of SHA-256: their bits are mixed, but the upper ones have chosen the block.
        let mixed = number.wrapping_mul(MIX[(look / 5) as usize]);
        let place = (mixed >> (54 - 10 * (look % 5))) & (64 * BLOCK as u64 - 1);
        ((place / 64) as usize, 1 << (place % 64))
    })
}

/// Odd numbers by which a number is multiplied, for five places each: parts of the digits of the golden ratio, e and pi.
const MIX: [u64; 3] = [
    0x9e37_79b9_7f4a_7c15,
    0xadf8_5458_a2bb_4a9b,
    0xc90f_daa2_2168_c235,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_known_for_a_day_and_what_did_not_nearly_never() {
        let mut filter = Filter::new(Duration::from_secs(86_400));
        let numbers: Vec<i64> = (0..300_000)
            .map(|n| store::request_number(&format!("order {n}")))
            .collect();
        let mut taken = 0;
        for number in &numbers {
            taken += u32::from(filter.insert(*number, 0));
        }
        assert!(
            taken <= 30,
            "{taken} of 300,000 new ones were taken for known"
        );
        assert!(numbers.iter().all(|number| filter.insert(*number, 86_399)));
        // A generation later they are still known, two later they are not.
        assert!(
            numbers[..1000]
                .iter()
                .all(|number| filter.insert(*number, 90_000))
        );
        let again = numbers[1000..]
            .iter()
            .filter(|number| filter.insert(**number, 200_000))
            .count();
        assert!(again < 50, "{again}");
    }
}
