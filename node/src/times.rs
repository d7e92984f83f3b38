//! Times as people read and write them, UTC.

use std::time::{Duration, SystemTime};

use naap_protocol::time::Timestamp;

/// The last moment that has four digits for its year.
const LAST: i64 = 253_402_300_799_999;

/// `ts` as date and time, such as `2026-01-08 21:49:05.298`; the nearest that has a text for times
/// before 1970 and after the year 9999.
pub fn stamp(ts: Timestamp) -> String {
    let since = Duration::from_millis(ts.0.clamp(0, LAST).unsigned_abs());
    let text = humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since).to_string();
    text.trim_end_matches('Z').replace('T', " ")
}

/// The time of day of `ts`.
pub fn clock(ts: Timestamp) -> String {
    stamp(ts).split_once(' ').map_or_else(String::new, |(_, time)| time.to_owned())
}

/// Reads a day, or a day and a time of day; UTC unless an offset says otherwise (RFC 3339).
///
/// # Errors
/// What to write instead.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    read(text).ok_or_else(|| {
        "not a time; give a UTC day or time, such as 2026-01-08 or 2026-01-08T21:49:05Z".to_owned()
    })
}

fn read(text: &str) -> Option<Timestamp> {
    let text = text.to_ascii_uppercase();
    let (local, offset) = match split_offset(&text) {
        Some((local, offset)) => (local, offset?),
        None => (&*text, 0),
    };
    let whole = if local.len() == 10 { format!("{local}T00:00:00Z") } else { local.to_owned() };
    let time = humantime::parse_rfc3339_weak(&whole).ok()?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let utc = i64::try_from(since.as_millis()).ok()?.checked_sub(offset)?;
    (utc >= 0).then_some(Timestamp(utc))
}

/// What stands before an offset such as `+02:00`, and the offset in ms, if there is one; it is nothing
/// where it is no time of day.
fn split_offset(text: &str) -> Option<(&str, Option<i64>)> {
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let sign = match offset.as_bytes() {
        [b'+', .., b':', _, _] => 1,
        [b'-', .., b':', _, _] => -1,
        _ => return None,
    };
    let part = |range: std::ops::Range<usize>, most: i64| {
        let digits = offset.get(range)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number: &i64| all && *number <= most)
    };
    let ms = part(1..3, 23).zip(part(4..6, 59)).map(|(h, m)| sign * (h * 60 + m) * 60_000);
    Some((local, ms.filter(|_| local.len() > 10 && !local.ends_with('Z'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_read() {
        let ts = Timestamp(1_767_908_945_298);
        assert_eq!(
            (stamp(ts).as_str(), clock(ts).as_str()),
            ("2026-01-08 21:49:05.298", "21:49:05.298")
        );
        for text in
            ["2026-01-08 21:49:05.298", "2026-01-08T21:49:05.298Z", "2026-01-08T21:49:05.298"]
        {
            assert_eq!(parse(text), Ok(ts), "{text}");
        }
        for text in [
            "2026-01-08t21:49:05.298z",
            "2026-01-08T23:49:05.298+02:00",
            "2026-01-08 16:19:05.298-05:30",
            "2026-01-08T21:49:05.298-00:00",
        ] {
            assert_eq!(parse(text), Ok(ts), "{text}");
        }
        for wrong in [
            "2026-01-08T21:49:05Z+02:00",
            "2026-01-08T21:49:05+24:00",
            "2026-01-08T21:49:05+0a:00",
            "2026-01-08T21:49:05+-1:00",
            "2026-01-08+02:00",
            "1970-01-01T00:00:00+01:00",
            "€€+02:00",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse("2026-01-08"), Ok(Timestamp(1_767_830_400_000)));
        for wrong in ["", "yesterday", "2026-13-01", "2026-1-8", "1969-12-31", "21:49"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_time_is_too_strange_to_show() {
        assert_eq!(stamp(Timestamp(i64::MIN)), "1970-01-01 00:00:00.000");
        assert_eq!(stamp(Timestamp(i64::MAX)), "9999-12-31 23:59:59.999");
    }
}
