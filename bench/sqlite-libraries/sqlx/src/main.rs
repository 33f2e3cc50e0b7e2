//! Groups of predictions written with sqlx, row by row and with many rows in a statement.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, QueryBuilder, Sqlite};
use std::time::Instant;

const ROWS: i64 = 200_000;
const TEXT: &str = "the picture is not bad at all, but setting it up was a long and painful affair";
/// SQLite takes 32,766 values in a statement.
const ROWS_IN_STATEMENT: i64 = 1024;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    for many in [false, true] {
        println!("sqlx, {ROWS} rows, {}", if many { "many in a statement" } else { "one by one" });
        for group in [1, 16, 64, 1024] {
            let directory = tempfile::tempdir_in(".")?;
            let options = SqliteConnectOptions::new()
                .filename(directory.path().join("test.db"))
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .pragma("wal_autocheckpoint", "8192");
            let mut connection = SqliteConnection::connect_with(&options).await?;
            sqlx::raw_sql(include_str!("../../schema.sql")).execute(&mut connection).await?;
            let start = Instant::now();
            let mut row = 0;
            while row < ROWS {
                let rows = group.min(ROWS - row);
                let mut transaction = connection.begin().await?;
                if many {
                    for first in (0..rows).step_by(ROWS_IN_STATEMENT as usize) {
                        let last = (first + ROWS_IN_STATEMENT).min(rows);
                        insert_many(&mut transaction, row + first + 1..row + last + 1).await?;
                    }
                } else {
                    for row in row + 1..=row + rows {
                        insert(&mut transaction, row).await?;
                    }
                }
                transaction.commit().await?;
                row += rows;
            }
            let rate = ROWS as f64 / start.elapsed().as_secs_f64();
            println!("groups of {group:>4}: {rate:>9.0} rows/s");
        }
    }
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, row: i64) -> sqlx::Result<()> {
    sqlx::query(include_str!("../../insert.sql"))
        .bind(row << 20)
        .bind(row)
        .bind(1)
        .bind(1)
        .bind(0)
        .bind(0)
        .bind(2)
        .bind(0.5)
        .bind("user-123456")
        .bind(0)
        .bind(TEXT)
        .bind("\"positive\"")
        .bind(0.75)
        .bind(20_000)
        .bind(None::<String>)
        .execute(connection)
        .await?;
    Ok(())
}

async fn insert_many(
    connection: &mut SqliteConnection,
    rows: std::ops::Range<i64>,
) -> sqlx::Result<()> {
    let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO predictions ");
    insert.push_values(rows, |mut values, row| {
        values
            .push_bind(row << 20)
            .push_bind(row)
            .push_bind(1)
            .push_bind(1)
            .push_bind(0)
            .push_bind(0)
            .push_bind(2)
            .push_bind(0.5)
            .push_bind("user-123456")
            .push_bind(0)
            .push_bind(TEXT)
            .push_bind("\"positive\"")
            .push_bind(0.75)
            .push_bind(20_000)
            .push_bind(None::<String>);
    });
    insert.build().execute(connection).await?;
    Ok(())
}
