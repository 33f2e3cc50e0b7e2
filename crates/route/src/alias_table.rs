//! A weighted draw in constant time, however many versions there are.

/// An alias table: Walker's method with Vose's construction (IEEE Transactions on Software
/// Engineering 17(9), 1991). Built once per snapshot; a draw reads one cell.
#[derive(Debug, Clone)]
pub(crate) struct AliasTable {
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    /// The cell keeps a draw below this, of 2^32.
    keep_below: u64,
    /// Who gets the draw otherwise.
    alias: u32,
}

const ONE: f64 = 4_294_967_296.0;

impl AliasTable {
    /// From weights with a positive sum.
    pub(crate) fn new(weights: &[f64]) -> Self {
        let n = weights.len();
        let total: f64 = weights.iter().sum();
        let mut scaled: Vec<f64> = weights.iter().map(|w| w / total * n as f64).collect();
        let mut cells = vec![
            Cell {
                keep_below: 1 << 32,
                alias: 0
            };
            n
        ];
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..n).partition(|&index| scaled[index] < 1.0);
        while let (Some(&less), Some(&more)) = (small.last(), large.last()) {
            small.pop();
            cells[less] = Cell {
                keep_below: (scaled[less] * ONE).round() as u64,
                alias: more as u32,
            };
            scaled[more] -= 1.0 - scaled[less];
            if scaled[more] < 1.0 {
                large.pop();
                small.push(more);
            }
        }
        // What is left is 1 but for rounding; a weight of 0 must not be drawn all the same.
        let heaviest = (0..n)
            .max_by(|&a, &b| weights[a].total_cmp(&weights[b]))
            .unwrap_or(0);
        for index in small.into_iter().filter(|&index| weights[index] == 0.0) {
            cells[index] = Cell {
                keep_below: 0,
                alias: heaviest as u32,
            };
        }
        Self { cells }
    }

    /// Draws an index with 64 random bits: the higher half chooses a cell, the lower half whether
    /// the cell keeps the draw. The choice of a cell is off by at most `cells`/2^32.
    pub(crate) fn draw(&self, random: u64) -> usize {
        let index = (((random >> 32) * self.cells.len() as u64) >> 32) as usize;
        let cell = self.cells[index];
        if random & 0xffff_ffff < cell.keep_below {
            index
        } else {
            cell.alias as usize
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The exact probability that a table gives to each index.
    fn probabilities(table: &AliasTable) -> Vec<f64> {
        let n = table.cells.len();
        let mut p = vec![0.0; n];
        for (index, cell) in table.cells.iter().enumerate() {
            let keep = cell.keep_below as f64 / ONE;
            p[index] += keep / n as f64;
            p[cell.alias as usize] += (1.0 - keep) / n as f64;
        }
        p
    }

    proptest! {
        #[test]
        fn the_table_has_the_weights(
            weights in prop::collection::vec(prop_oneof![Just(0.0), 0.001..100.0f64], 1..50)
        ) {
            let total: f64 = weights.iter().sum();
            prop_assume!(total > 0.0);
            let table = AliasTable::new(&weights);
            for (got, weight) in probabilities(&table).into_iter().zip(&weights) {
                prop_assert!((got - weight / total).abs() < 1e-9, "{got} {weight}");
                prop_assert!(*weight > 0.0 || got == 0.0, "a weight of 0 is drawn");
            }
        }
    }
}
