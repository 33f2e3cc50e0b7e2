//! Parquet: rows are gathered by columns, and written a group at a time.

use super::columns::{Cell, Column, Kind, Row};
use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::{ColumnPath, Type};
use axum::body::Bytes;
use std::sync::Arc;

/// A group has at most so many rows.
const ROWS: usize = 32 * 1024;
/// It ends sooner where its rows have so many bytes.
const BYTES: usize = 8 << 20;

/// Writes a file.
pub(super) struct Parquet {
    writer: SerializedFileWriter<Vec<u8>>,
    columns: Vec<Gathered>,
    rows: usize,
    bytes: usize,
}

/// The values of a column, of the rows that are to be written next.
struct Gathered {
    optional: bool,
    /// 1 where a row has a value; empty where every one does.
    levels: Vec<i16>,
    values: Values,
}

enum Values {
    Integers(Vec<i64>),
    Numbers(Vec<f64>),
    /// All texts, and where each ends.
    Texts(Vec<u8>, Vec<usize>),
}

impl Gathered {
    fn new(column: &Column) -> Self {
        Self {
            optional: column.optional,
            levels: Vec::new(),
            values: match column.kind {
                Kind::Integer | Kind::Time => Values::Integers(Vec::new()),
                Kind::Number => Values::Numbers(Vec::new()),
                Kind::Text | Kind::Word | Kind::Json => Values::Texts(Vec::new(), Vec::new()),
            },
        }
    }

    fn push(&mut self, cell: &Cell<'_>) -> usize {
        if self.optional {
            self.levels.push(i16::from(!matches!(cell, Cell::Null)));
        }
        match (&mut self.values, cell) {
            (Values::Integers(values), Cell::Integer(value)) => values.push(*value),
            (Values::Integers(values), Cell::Time(value)) => values.push(value.micros()),
            (Values::Numbers(values), Cell::Number(value)) => values.push(*value),
            (Values::Texts(texts, ends), Cell::Text(value) | Cell::Json(value)) => {
                texts.extend_from_slice(value.as_bytes());
                ends.push(texts.len());
                return value.len();
            }
            _ => debug_assert!(self.optional && matches!(cell, Cell::Null)),
        }
        8
    }
}

impl Parquet {
    /// Begins a file with the columns of the rows.
    pub(super) fn new<R: Row>() -> Result<Self, ParquetError> {
        let fields: Result<Vec<_>, _> = R::COLUMNS.iter().map(field).collect();
        let schema = Type::group_type_builder("weir").with_fields(fields?);
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_statistics_enabled(EnabledStatistics::None)
            .set_dictionary_enabled(false)
            // Its pages wait in memory for the end of their group.
            .set_data_page_size_limit(64 << 10);
        for column in R::COLUMNS {
            let path = || ColumnPath::from(column.name);
            // Readers skip groups by these.
            if matches!(column.name, "position" | "created_at" | "received_at") {
                properties =
                    properties.set_column_statistics_enabled(path(), EnabledStatistics::Chunk);
            }
            if column.kind == Kind::Word {
                properties = properties.set_column_dictionary_enabled(path(), true);
            }
        }
        let properties = Arc::new(properties.build());
        let schema = Arc::new(schema.build()?);
        Ok(Self {
            writer: SerializedFileWriter::new(Vec::new(), schema, properties)?,
            columns: R::COLUMNS.iter().map(Gathered::new).collect(),
            rows: 0,
            bytes: 0,
        })
    }

    /// Adds a row.
    pub(super) fn add<R: Row>(&mut self, row: &R) -> Result<(), ParquetError> {
        let mut columns = self.columns.iter_mut();
        row.cells(&mut |cell| {
            if let Some(column) = columns.next() {
                self.bytes += column.push(&cell);
            }
        });
        self.rows += 1;
        if self.rows == ROWS || self.bytes >= BYTES {
            self.write()?;
        }
        Ok(())
    }

    /// Writes what is gathered, as a group.
    fn write(&mut self) -> Result<(), ParquetError> {
        if std::mem::take(&mut self.rows) == 0 {
            return Ok(());
        }
        self.bytes = 0;
        let mut group = self.writer.next_row_group()?;
        for column in &mut self.columns {
            let Some(mut writer) = group.next_column()? else {
                break;
            };
            let levels = column.optional.then_some(column.levels.as_slice());
            match &mut column.values {
                Values::Integers(values) => {
                    writer
                        .typed::<Int64Type>()
                        .write_batch(values, levels, None)?;
                    values.clear();
                }
                Values::Numbers(values) => {
                    writer
                        .typed::<DoubleType>()
                        .write_batch(values, levels, None)?;
                    values.clear();
                }
                Values::Texts(texts, ends) => {
                    let capacity = texts.len();
                    let all = Bytes::from(std::mem::replace(texts, Vec::with_capacity(capacity)));
                    let mut begin = 0;
                    let values = ends.drain(..).map(|end| {
                        let value = ByteArray::from(all.slice(begin..end));
                        begin = end;
                        value
                    });
                    let values: Vec<ByteArray> = values.collect();
                    writer
                        .typed::<ByteArrayType>()
                        .write_batch(&values, levels, None)?;
                }
            }
            column.levels.clear();
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// What has been written since it was asked last.
    pub(super) fn take(&mut self) -> Result<Vec<u8>, ParquetError> {
        self.writer.flush().map_err(ParquetError::from)?;
        Ok(std::mem::take(self.writer.inner_mut()))
    }

    /// Ends the file.
    pub(super) fn finish(&mut self) -> Result<(), ParquetError> {
        self.write()?;
        self.writer.finish()?;
        Ok(())
    }
}

fn field(column: &Column) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match column.kind {
        Kind::Integer => (Physical::INT64, None),
        Kind::Number => (Physical::DOUBLE, None),
        Kind::Time => {
            let time = LogicalType::timestamp(true, TimeUnit::MICROS);
            (Physical::INT64, Some(time))
        }
        // JSON is a text, too: by its own logical type Polars and pandas would have bytes of it.
        Kind::Text | Kind::Word | Kind::Json => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let repetition = if column.optional {
        Repetition::OPTIONAL
    } else {
        Repetition::REQUIRED
    };
    let field = Type::primitive_type_builder(column.name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical);
    Ok(Arc::new(field.build()?))
}
