//! Tables that fit the terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::IsTerminal;

/// Columns are at least so wide when they are cut.
const NARROWEST: usize = 6;

/// The same with characters that steer a terminal, or turn a text around, as JSON escapes them: what a caller sent may hold
/// some. JSON stays what it was.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Whether the terminal, or whatever reads on, was said to know no more than ASCII.
fn only_ascii() -> bool {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let said = said.filter_map(|name| std::env::var(name).ok());
    // Where nothing is said, as in most containers, it is UTF-8 in our days.
    let said = said.into_iter().find(|said| !said.is_empty());
    said.is_some_and(|said| {
        let said = said.to_ascii_lowercase();
        !said.contains("utf-8") && !said.contains("utf8")
    })
}

/// A text for people: without what steers a terminal, and with the signs that the program itself writes in ASCII where nothing else
/// is known. What a caller sent stays as it is.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    let text = printable(text);
    if text.is_ascii() || !only_ascii() {
        return text;
    }
    Cow::Owned(in_ascii(&text))
}

fn in_ascii(text: &str) -> String {
    let signs = [
        ("…", "..."),
        ("−", "-"),
        ("–", "-"),
        ("←", "<-"),
        ("→", "->"),
        ("∞", "inf"),
        ("×", "x"),
        ("±", "+-"),
        ("≤", "<="),
        ("≥", ">="),
        ("µ", "u"),
    ];
    let replace = |text: String, (sign, plain): (&str, &str)| text.replace(sign, plain);
    signs.into_iter().fold(text.to_owned(), replace)
}

/// A number of percent as people read it: no more than two digits behind the point.
pub(crate) fn percent(value: f64) -> String {
    format!("{}%", (100.0 * value).round() / 100.0)
}

/// A table with a head. In a terminal that is too narrow, the widest columns are cut; in a file or a pipe nothing is.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    fitting(head, rows, &[])
}

/// The same, but that columns are left out before others are cut: the `spare` ones, in this order.
pub(crate) fn fitting(head: &[&str], rows: &[Vec<String>], spare: &[&str]) -> String {
    let width = std::io::stdout()
        .is_terminal()
        .then(|| console::Term::stdout().size_checked())
        .flatten()
        .map(|(_, columns)| usize::from(columns));
    without(head, rows, spare, width)
}

fn without(head: &[&str], rows: &[Vec<String>], spare: &[&str], width: Option<usize>) -> String {
    let (mut head, mut rows) = (head.to_vec(), rows.to_vec());
    for name in spare {
        let whole = within(&head, &rows, None);
        let widest = whole.lines().map(console::measure_text_width).max();
        if width.is_none_or(|width| widest.unwrap_or(0) <= width) {
            return whole;
        }
        if let Some(at) = head.iter().position(|column| column == name) {
            head.remove(at);
            for row in rows.iter_mut().filter(|row| at < row.len()) {
                row.remove(at);
            }
        }
    }
    within(&head, &rows, width)
}

fn within(head: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    // A line break would end the row.
    let clean = |text: &String| shown(&text.replace(['\n', '\t'], " ")).into_owned();
    let cut = if only_ascii() { "~" } else { "…" };
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(clean).collect())
        .collect();
    let rows = rows.as_slice();
    let cell = |row: &Vec<String>, at: usize| row.get(at).map_or("", String::as_str).to_owned();
    let wide = |at: usize| {
        let of_rows = rows
            .iter()
            .map(|row| console::measure_text_width(&cell(row, at)));
        of_rows.chain([head[at].chars().count()]).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..head.len()).map(wide).collect();
    if let Some(width) = width {
        let gaps = 2 * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > width {
            let Some(widest) = widths
                .iter_mut()
                .max()
                .filter(|widest| **widest > NARROWEST)
            else {
                break;
            };
            *widest -= 1;
        }
    }
    let right = |at: usize| {
        let mut cells = rows
            .iter()
            .map(|row| cell(row, at))
            .filter(|cell| cell != "-" && !cell.is_empty())
            .peekable();
        let number = |cell: String| {
            cell.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-')
                && cell
                    .chars()
                    .all(|c| !c.is_alphabetic() || c == 'm' || c == 's')
        };
        cells.peek().is_some() && cells.all(number)
    };
    let aligned: Vec<bool> = (0..head.len()).map(right).collect();
    let line = |row: &Vec<String>| {
        let cells = widths
            .iter()
            .zip(&aligned)
            .enumerate()
            .map(|(at, (width, right))| {
                let text = cell(row, at);
                let text = console::truncate_str(&text, *width, cut);
                let side = if *right {
                    console::Alignment::Right
                } else {
                    console::Alignment::Left
                };
                console::pad_str(&text, *width, side, None).into_owned()
            });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines = std::iter::once(&head).chain(rows).map(line);
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_cuts_the_widest_column() {
        let row =
            |name: &str, count: &str| vec![name.to_owned(), count.to_owned(), "ok".to_owned()];
        let rows = [row(&"x".repeat(5000), "1"), row("short\u{1b}[31m", "1200")];
        let shown = within(&["name", "requests", "status"], &rows, Some(40));
        assert!(
            shown.lines().all(|line| line.chars().count() <= 40),
            "{shown}"
        );
        assert!(shown.contains('…') && !shown.contains('\u{1b}'), "{shown}");
        let whole = within(&["name", "requests", "status"], &rows, None);
        assert!(whole.contains(&"x".repeat(5000)));
        assert_eq!(printable("a\u{1b}[31m\u{202e}\n"), "a\\u001b[31m\\u202e\n");
        assert_eq!(in_ascii("−∞ to +1 … ü"), "-inf to +1 ... ü");
        assert_eq!(
            (percent(94.99997888), percent(33.333)),
            ("95%".into(), "33.33%".into())
        );
        // Numbers end where they end.
        assert!(
            shown.lines().nth(1).unwrap().contains("       1  ok"),
            "{shown}"
        );
        // Before anything is cut, what can be spared is left out.
        let one = [row("a name of a model", "1")];
        let head = ["name", "requests", "status"];
        let spare = ["requests", "status"];
        let shown = |width| without(&head, &one, &spare, width);
        assert!(shown(None).starts_with("name               requests  status"));
        assert_eq!(
            shown(Some(30)).lines().next(),
            Some("name               status")
        );
        assert_eq!(shown(Some(17)), "name\na name of a model");
        assert_eq!(shown(Some(10)), "name\na name of…");
        // However narrow, it is shown.
        assert!(within(&["name"], &rows, Some(1)).lines().count() == 3);
    }
}
