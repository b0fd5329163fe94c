//! Requests to addresses that the user named, as every platform's host makes them.

use lab_protocol::Secret;

/// A POST of JSON. Redirections are not followed: the key is for this address.
pub struct HttpRequest<'a> {
    pub url: &'a str,
    /// Goes into the header `Authorization: Bearer …`.
    pub key: Option<&'a Secret>,
    pub body: &'a str,
    /// Milliseconds after which it is given up, unless the answer is whole by then.
    pub timeout: f64,
}

/// The head of an answer; its body is handed over piece by piece as it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    /// The header `Retry-After` as it is.
    pub retry_after: Option<String>,
}

/// Why there is no answer, or not a whole one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpFailure {
    /// The time was up.
    TimedOut,
    /// No connection, or it broke; in the platform's words.
    Unreachable(String),
}

/// What takes the pieces of a body. It says whether it wants more.
pub type Receive<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

/// Seconds that a header `Retry-After` asks to wait: a number of them, or a date as
/// `Sun, 06 Nov 1994 08:49:37 GMT`. `now` in milliseconds since 1970-01-01 UTC.
pub fn retry_after(header: &str, now: f64) -> Option<f64> {
    if let Ok(seconds) = header.trim().parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0).then_some(seconds);
    }
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut words = header.split_whitespace().skip(1);
    let day: i64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let clock: Vec<i64> = words
        .next()?
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let &[hours, minutes, seconds] = &clock[..] else {
        return None;
    };
    let inside = (1970..10_000).contains(&year)
        && (1..=31).contains(&day)
        && [hours, minutes, seconds]
            .iter()
            .all(|n| (0..=60).contains(n));
    if !inside {
        return None;
    }
    let at = days(year, month, day) * 86_400 + hours * 3600 + minutes * 60 + seconds;
    Some((at as f64 - now / 1000.0).max(0.0))
}

/// Days from 1970-01-01 (Hinnant's civil calendar, in which a year begins in March).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_as_seconds_and_as_dates() {
        assert_eq!(retry_after(" 7 ", 0.0), Some(7.0));
        assert_eq!(retry_after("0.5", 0.0), Some(0.5));
        // The example of RFC 9110, whose date is 784111777 seconds after 1970.
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(retry_after(date, 784_111_770_000.0), Some(7.0));
        assert_eq!(retry_after(date, 784_111_780_000.0), Some(0.0));
        let leap = "Tue, 29 Feb 2000 00:00:01 GMT";
        assert_eq!(retry_after(leap, 951_782_400_000.0), Some(1.0));
        for wrong in [
            "",
            "soon",
            "-1",
            "NaN",
            "inf",
            "Sun, 06 Nov",
            "Sun, 99 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(retry_after(wrong, 0.0), None, "{wrong}");
        }
    }
}
