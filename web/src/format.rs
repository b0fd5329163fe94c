//! Numbers as a person reads them.

/// `1204997` → `1,204,997`.
pub fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A metric with four significant digits: `2.313`, `81.2`, `3.00e-4`.
pub fn metric(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "∞".to_owned()
    } else if value == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e6).contains(&size) {
        format!("{value:.2e}")
    } else if size < 1.0 {
        format!("{value:.4}")
    } else if size < 10.0 {
        format!("{value:.3}")
    } else if size < 100.0 {
        format!("{value:.2}")
    } else if size < 1000.0 {
        format!("{value:.1}")
    } else {
        count(value.round() as usize)
    }
}

/// A rate such as tokens a second: `940`, `12.4 k`, `1.3 M`.
pub fn rate(value: f64) -> String {
    if !value.is_finite() || value < 0.0 {
        "—".to_owned()
    } else if value < 10.0 {
        format!("{value:.1}")
    } else if value < 10_000.0 {
        count(value.round() as usize)
    } else if value < 1e6 {
        format!("{:.1} k", value / 1e3)
    } else {
        format!("{:.1} M", value / 1e6)
    }
}

/// A length of time: `8 s`, `3 min 20 s`, `1 h 05 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "—".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A size in bytes: `812 B`, `3.2 MB`.
pub fn bytes(value: usize) -> String {
    match value {
        0..1000 => format!("{value} B"),
        1000..1_000_000 => format!("{:.1} kB", value as f64 / 1e3),
        _ => format!("{:.1} MB", value as f64 / 1e6),
    }
}

/// Writes a text on one line: a new line as `\n`, a tab as `\t`.
pub fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\t', "\\t")
}

/// The inverse of [`escape`]; other escapes stay unchanged.
pub fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('\\') | None => plain.push('\\'),
            Some(other) => plain.extend(['\\', other]),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_grouped() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_204_997), "1,204,997");
        assert_eq!(metric(2.31264), "2.313");
        assert_eq!(metric(3e-4), "3.00e-4");
        assert_eq!(metric(1234.6), "1,235");
        assert_eq!(metric(f64::INFINITY), "∞");
        assert_eq!(rate(12_430.0), "12.4 k");
        assert_eq!(duration(200.4), "3 min 20 s");
        assert_eq!(duration(f64::NAN), "—");
        assert_eq!(bytes(3_200_000), "3.2 MB");
    }

    #[test]
    fn escaped_text_comes_back() {
        for text in ["\n", "a\tb\\n", "\\", "", "Call me\nIshmael\\"] {
            assert_eq!(unescape(&escape(text)), text);
        }
        assert_eq!(unescape("\\q"), "\\q");
    }
}
