//! Groups of predictions written with rusqlite.

use rusqlite::{Connection, params};
use std::time::Instant;

const ROWS: i64 = 200_000;
const TEXT: &str = "the picture is not bad at all, but setting it up was a long and painful affair";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("rusqlite, {ROWS} rows");
    for group in [1, 16, 64, 1024] {
        let directory = tempfile::tempdir_in(".")?;
        let connection = Connection::open(directory.path().join("test.db"))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 8192;",
        )?;
        connection.execute_batch(include_str!("../../schema.sql"))?;
        let start = Instant::now();
        let mut row = 0;
        while row < ROWS {
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            {
                let mut insert = connection.prepare_cached(include_str!("../../insert.sql"))?;
                for _ in 0..group.min(ROWS - row) {
                    row += 1;
                    insert.execute(params![
                        row << 20, row, 1, 1, 0, 0, 2, 0.5, "user-123456", 0, TEXT,
                        "\"positive\"", 0.75, 20_000, None::<String>,
                    ])?;
                }
            }
            connection.prepare_cached("COMMIT")?.execute([])?;
        }
        let rate = ROWS as f64 / start.elapsed().as_secs_f64();
        println!("groups of {group:>4}: {rate:>9.0} rows/s");
    }
    Ok(())
}
