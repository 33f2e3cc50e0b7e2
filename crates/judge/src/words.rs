//! Numbers as people read them.

/// How many of how many, and their share: "4 of 56 (7.14 %)".
pub fn counted(some: f64, of: u64, what: &str) -> String {
    let share = 100.0 * some / (of.max(1) as f64);
    format!(
        "{} of {}{what} ({} %)",
        thousands(some.round()),
        thousands(of as f64),
        significant(share, 3)
    )
}

/// A number with at most so many significant digits, without an exponent.
pub fn significant(value: f64, digits: u32) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let decimals = f64::from(digits) - 1.0 - value.abs().log10().floor();
    let decimals = decimals.clamp(0.0, 12.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A whole number with commas, rounded up.
pub fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.ceil());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        for (value, text) in [
            (0.0, "0"),
            (0.05, "0.05"),
            (-1.8971, "-1.9"),
            (59.96, "60"),
            (1234.5, "1234"),
            (0.000_123_456, "0.000123"),
        ] {
            assert_eq!(significant(value, 3), text);
        }
        assert_eq!(thousands(57_762.2), "57,763");
        assert_eq!(thousands(12.0), "12");
    }
}
