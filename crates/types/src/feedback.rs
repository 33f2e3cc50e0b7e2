//! The words of feedback.

crate::words! {
    /// How exported rows are written.
    pub enum ExportFormat as "ExportFormat" {
        /// A JSON object a line.
        Ndjson = "ndjson",
        /// Comma-separated values with the names of the columns in the first line.
        Csv = "csv",
        /// Apache Parquet.
        Parquet = "parquet",
    }
}

crate::words! {
    /// What became of a value.
    pub enum FeedbackStatus as "FeedbackStatus" {
        /// It is stored and counted.
        Recorded = "recorded",
        /// The same value was there already.
        Duplicate = "duplicate",
        /// It took the place of another value.
        Replaced = "replaced",
        /// No such prediction has been seen; it is kept and joined when one appears.
        Unmatched = "unmatched",
        /// The version of its prediction was deleted, so it counts for nothing.
        Dropped = "dropped",
    }
}
