//! A change of the catalogue by the number of models: one model's change costs one model.

use crate::process;
use crate::table::{self, median};
use api::{Client, RegisterVersion};
use std::path::Path;
use std::time::Instant;

/// How often a weight is changed.
const CHANGES: usize = 101;

pub(super) async fn run(binary: &Path, directory: &Path) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    let mut first = None;
    for models in [10, 5_000] {
        let data_dir = tempfile::tempdir_in(directory)?.keep();
        let server = process::weir(binary, &data_dir, "commit")?;
        let client = Client::new(&server.line)?;
        let mut ids = Vec::with_capacity(models);
        for n in 0..models {
            let new = RegisterVersion {
                name: format!("model-{n}"),
                version: "1".into(),
                accuracy: 0.5,
                ..RegisterVersion::default()
            };
            ids.push(client.register(&new).await?.model_id);
        }
        let mut times = Vec::with_capacity(CHANGES);
        for n in 0..CHANGES {
            let start = Instant::now();
            client
                .activate(&ids[n % ids.len()], 50.0 + n as f64 / 10.0)
                .await?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let took = median(times);
        let ratio = took / *first.get_or_insert(took);
        rows.push(vec![
            models.to_string(),
            format!("{took:.2}"),
            format!("{ratio:.2}"),
        ]);
    }
    table::print(
        "A change of the weights by the number of models; bar: 3 times that of ten",
        &["models", "ms", "ratio"],
        &rows,
    );
    Ok(())
}
