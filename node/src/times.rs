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

/// Reads a day, or a day and a time of day.
///
/// # Errors
/// What to write instead.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    let wrong = || {
        "not a time; give a UTC day or time, such as 2026-01-08 or 2026-01-08T21:49:05Z".to_owned()
    };
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let time = humantime::parse_rfc3339_weak(&whole).map_err(|_| wrong())?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| wrong())?;
    i64::try_from(since.as_millis()).map(Timestamp).map_err(|_| wrong())
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
