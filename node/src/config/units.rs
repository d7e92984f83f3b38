//! Text forms of durations and byte sizes: whole numbers with units, largest unit first (`1h30m`, `64MiB`).

/// A unit's suffix and how many of the smallest unit it is worth.
pub(crate) type Unit = (&'static str, u64);

/// Units of time, in milliseconds, largest first.
pub(crate) const TIME: &[Unit] =
    &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units of size, in bytes, largest first.
pub(crate) const SIZE: &[Unit] =
    &[("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// The amount in smallest units, or nothing when the text is no such amount or does not fit 63 bits.
pub(crate) fn parse(text: &str, units: &[Unit]) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (suffix, tail) =
            after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let factor = units.iter().find(|unit| unit.0 == suffix)?.1;
        if factor >= last {
            return None;
        }
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        (rest, last) = (tail, factor);
    }
    (!text.is_empty() && i64::try_from(total).is_ok()).then_some(total)
}

/// The text in the largest unit that divides `amount`; [`parse`] reads it back.
pub(crate) fn format(amount: u64, units: &[Unit]) -> String {
    let smallest = units.last().copied().unwrap_or(("", 1));
    let exact = |unit: &Unit| amount >= unit.1 && amount.is_multiple_of(unit.1);
    let (suffix, factor) = units.iter().copied().find(exact).unwrap_or(smallest);
    format!("{}{suffix}", amount / factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_amounts() {
        let time = [
            ("500ms", Some(500)),
            ("1s", Some(1_000)),
            ("1h30m", Some(5_400_000)),
            ("2d", Some(172_800_000)),
            ("0s", Some(0)),
            ("90s", Some(90_000)),
            ("", None),
            ("5", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 s", None),
            ("30m1h", None),
            ("1s1s", None),
            ("1S", None),
            ("99999999999999999999s", None),
            ("9223372036854775807d", None),
            ("١s", None),
        ];
        for (text, expected) in time {
            assert_eq!(parse(text, TIME), expected, "{text}");
        }
        assert_eq!(parse("64MiB", SIZE), Some(64 << 20));
        assert_eq!(parse("64MB", SIZE), None);
        assert_eq!(format(1_000_000, SIZE), "1000000B");
        assert_eq!(format(90_000, TIME), "90s");
        assert_eq!(format(0, TIME), "0ms");
    }

    proptest! {
        #[test]
        fn format_is_the_inverse_of_parse(amount in 0..=i64::MAX as u64) {
            prop_assert_eq!(parse(&format(amount, TIME), TIME), Some(amount));
            prop_assert_eq!(parse(&format(amount, SIZE), SIZE), Some(amount));
        }
    }
}
