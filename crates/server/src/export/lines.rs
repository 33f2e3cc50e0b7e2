//! NDJSON and CSV: a line for each row.

use super::columns::{Cell, Row};
use std::io::Write;

/// Writes the row as a JSON object.
pub(super) fn json<R: Row>(row: &R, to: &mut Vec<u8>) {
    let mut columns = R::COLUMNS.iter();
    let mut separator = '{';
    row.cells(&mut |cell| {
        let name = columns.next().map_or("", |column| column.name);
        let _ = write!(to, "{separator}\"{name}\":");
        separator = ',';
        // Writing to memory does not fail.
        let _ = match cell {
            Cell::Null => to.write_all(b"null"),
            Cell::Integer(value) => write!(to, "{value}"),
            Cell::Number(value) => serde_json::to_writer(&mut *to, &value).map_err(Into::into),
            Cell::Time(value) => write!(to, "\"{value}\""),
            Cell::Text(value) => serde_json::to_writer(&mut *to, &value).map_err(Into::into),
            Cell::Json(value) => one_line(&value, to),
        };
    });
    to.extend_from_slice(b"}\n");
}

/// JSON may have been sent over several lines; white space stands outside of its strings, which have no line breaks.
fn one_line(json: &str, to: &mut Vec<u8>) -> std::io::Result<()> {
    for piece in json.split(['\n', '\r']) {
        to.write_all(piece.as_bytes())?;
    }
    Ok(())
}

/// Writes the names of the columns as a line of CSV.
pub(super) fn csv_header<R: Row>(to: &mut Vec<u8>) {
    let names: Vec<&str> = R::COLUMNS.iter().map(|column| column.name).collect();
    let _ = writeln!(to, "{}", names.join(","));
}

/// Writes the row as a line of CSV (RFC 4180, with line feeds). What is not there is empty, and an empty text is `""`.
pub(super) fn csv<R: Row>(row: &R, to: &mut Vec<u8>) {
    let mut is_first = true;
    row.cells(&mut |cell| {
        if !std::mem::take(&mut is_first) {
            to.push(b',');
        }
        let _ = match cell {
            Cell::Null => Ok(()),
            Cell::Integer(value) => write!(to, "{value}"),
            Cell::Number(value) => serde_json::to_writer(&mut *to, &value).map_err(Into::into),
            Cell::Time(value) => write!(to, "{value}"),
            Cell::Text(value) | Cell::Json(value) => quoted(&value, to),
        };
    });
    to.push(b'\n');
}

fn quoted(text: &str, to: &mut Vec<u8>) -> std::io::Result<()> {
    let special = |byte: &u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    let bare = !text.is_empty()
        && !text.as_bytes().iter().any(special)
        && !text.starts_with(' ')
        && !text.ends_with(' ');
    if bare {
        return to.write_all(text.as_bytes());
    }
    write!(to, "\"{}\"", text.replace('"', "\"\""))
}
