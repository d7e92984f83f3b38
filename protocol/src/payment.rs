//! The amounts of a payment event, exact (contract events.md 3.7; decisions, payments).
//!
//! Everything is integer arithmetic: wei, and decimal fractions as multiples of their column's step.

use crate::capability::catalogue::{Catalogue, Hint};
use crate::event::Payment;

/// Steps of `win_prob` and of the expected value in 1 (10 decimal places).
pub const FINE_STEPS: u64 = 10_000_000_000;
/// Decimal places of the pixel price.
const PRICE_PLACES: u32 = 3;
/// Decimal places of ether in wei.
const ETH_PLACES: u32 = 18;
/// First integer that the price column, Decimal(38, 3), cannot hold.
const PRICE_LIMIT: u128 = 10_u128.pow(38);

/// The parsed amounts of one ticket batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// Face value of one ticket, wei.
    pub face_value_wei: u128,
    /// Number of tickets.
    pub num_tickets: u32,
    /// Winning probability of a ticket in steps of 1e-10, at most [`FINE_STEPS`].
    pub win_prob: u64,
    /// Face value × winning probability × tickets, in steps of 1e-10 wei; not negative.
    pub expected_value: i128,
    /// Price of one pixel, in steps of 1e-3 wei.
    pub price_per_pixel: u128,
}

/// A payment whose amounts cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAmount {
    /// A unit that is not known (reject reason `bad_unit`).
    #[error("{field} is {text:?}, whose unit is not known; expected {expected}")]
    Unit {
        /// Field as producers spell it.
        field: &'static str,
        /// The text as sent.
        text: String,
        /// The units that are known.
        expected: &'static str,
    },
    /// A malformed number, or one out of range or finer than can be kept (the same reason).
    #[error("{field} is {text:?}, which is not {expected}")]
    Number {
        /// Field as producers spell it.
        field: &'static str,
        /// The text as sent.
        text: String,
        /// What the number must be.
        expected: &'static str,
    },
}

/// Reads the amounts of a payment.
///
/// # Errors
/// [`BadAmount`] for the first field that cannot be read.
pub fn parse(payment: &Payment<'_>) -> Result<Amounts, BadAmount> {
    let face_value_wei = face_value(&payment.face_value)?;
    let num_tickets = tickets(&payment.num_tickets)?;
    let win_prob = probability(&payment.win_prob)?;
    Ok(Amounts {
        face_value_wei,
        num_tickets,
        win_prob,
        expected_value: expected_value(face_value_wei, win_prob, num_tickets)
            .ok_or_else(|| bad_number("faceValue", &payment.face_value, EXPECTED_VALUE))?,
        price_per_pixel: price(&payment.price)?,
    })
}

/// What the face value must be beside being a number.
const EXPECTED_VALUE: &str =
    "a value whose expectation over all tickets stays below 2^127 steps of 1e-10 wei";

fn expected_value(face_value_wei: u128, win_prob: u64, num_tickets: u32) -> Option<i128> {
    let of_one = face_value_wei.checked_mul(win_prob.into())?;
    i128::try_from(of_one.checked_mul(num_tickets.into())?).ok()
}

/// What the manifest id of a payment says about pipeline and model.
pub fn hint<'a>(payment: &'a Payment<'_>) -> Hint<'a> {
    let model = model_hint(&payment.manifest_id);
    model.map_or_else(Hint::default, |model| Catalogue::builtin().hint(model))
}

/// The model in a manifest id: what follows a leading `<digits>_`. `None` for opaque ids.
pub fn model_hint(manifest_id: &str) -> Option<&str> {
    let (digits, model) = manifest_id.trim().split_once('_')?;
    let prefixed = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    Some(model).filter(|model| prefixed && !model.is_empty())
}

/// `<int> WEI` or `<decimal> ETH`, in wei.
fn face_value(text: &str) -> Result<u128, BadAmount> {
    let field = "faceValue";
    let (number, unit) = split_unit(text);
    let (places, expected) = if unit.eq_ignore_ascii_case("wei") {
        (0, "a whole number of wei below 2^128")
    } else if unit.eq_ignore_ascii_case("eth") {
        (ETH_PLACES, "a decimal number of ether, exact to the wei and below 2^128 wei")
    } else {
        return Err(BadAmount::Unit { field, text: text.to_owned(), expected: "WEI or ETH" });
    };
    decimal(number, places).ok_or_else(|| bad_number(field, text, expected))
}

/// `<decimal> wei/pixel`, in steps of 1e-3 wei.
fn price(text: &str) -> Result<u128, BadAmount> {
    let field = "price";
    let (number, unit) = split_unit(text);
    if !unit.eq_ignore_ascii_case("wei/pixel") {
        return Err(BadAmount::Unit { field, text: text.to_owned(), expected: "wei/pixel" });
    }
    decimal(number, PRICE_PLACES)
        .filter(|price| *price < PRICE_LIMIT)
        .ok_or_else(|| bad_number(field, text, "a decimal number with up to 3 places"))
}

fn tickets(text: &str) -> Result<u32, BadAmount> {
    decimal(text.trim(), 0)
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| bad_number("numTickets", text, "a whole number below 2^32"))
}

fn probability(text: &str) -> Result<u64, BadAmount> {
    decimal(text.trim(), FINE_STEPS.ilog10())
        .and_then(|number| u64::try_from(number).ok())
        .filter(|number| *number <= FINE_STEPS)
        .ok_or_else(|| bad_number("winProb", text, "a decimal from 0 to 1 with up to 10 places"))
}

fn bad_number(field: &'static str, text: &str, expected: &'static str) -> BadAmount {
    BadAmount::Number { field, text: text.to_owned(), expected }
}

/// Number and unit, which follows the number after white space.
fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace).map_or((text, ""), |(n, unit)| (n, unit.trim()))
}

/// An unsigned decimal times 10^`places`; `None` unless that is a whole number below 2^128.
fn decimal(text: &str, places: u32) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let missing = places.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let low = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    let high: u128 = whole.parse().ok()?;
    high.checked_mul(10_u128.pow(places))?.checked_add(low.checked_mul(10_u128.pow(missing))?)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    const CAPTURE: &str = include_str!("../../tests/fixtures/events-2026-01-08.jsonl");

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        #[serde(rename = "manifestID")]
        manifest_id: String,
        face_value: String,
        num_tickets: String,
        win_prob: String,
        price: String,
    }

    fn payment<'a>(
        face_value: &'a str,
        tickets: &'a str,
        prob: &'a str,
        price: &'a str,
    ) -> Payment<'a> {
        Payment {
            face_value: face_value.into(),
            num_tickets: tickets.into(),
            win_prob: prob.into(),
            price: price.into(),
            ..Payment::default()
        }
    }

    fn captured() -> Vec<Data> {
        let roots = CAPTURE.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap());
        let payments = roots.filter(|root| root["type"] == "create_new_payment");
        payments.map(|mut root| serde_json::from_value(root["data"].take()).unwrap()).collect()
    }

    #[test]
    fn the_six_payments_of_the_capture() {
        let data = captured();
        let amounts: Vec<_> = data
            .iter()
            .map(|d| parse(&payment(&d.face_value, &d.num_tickets, &d.win_prob, &d.price)).unwrap())
            .map(|a| {
                (a.face_value_wei, a.num_tickets, a.win_prob, a.expected_value, a.price_per_pixel)
            })
            .collect();
        // 2.4024e15 × 0.000999001 = 2.4000000024e12 and 2.4e15 × 0.001 = 2.4e12 wei a ticket.
        let odd = 24_000_000_024_000_000_000_000;
        let even = 24_000_000_000_000_000_000_000;
        let mut want = vec![
            (2_402_400_000_000_000, 2, 9_990_010, 2 * odd, 1_635_021),
            (2_402_400_000_000_000, 1, 9_990_010, odd, 1_635_021),
        ];
        want.extend([(2_400_000_000_000_000, 1, 10_000_000, even, 1_635_021); 4]);
        assert_eq!(amounts, want);
    }

    #[test]
    fn only_the_first_payment_of_the_capture_names_a_model() {
        let data = captured();
        let hints: Vec<_> = data.iter().map(|d| model_hint(&d.manifest_id)).collect();
        let mut want = vec![None; 6];
        want[0] = Some("streamdiffusion-sdxl-faceid");
        assert_eq!(hints, want);
    }

    #[test]
    fn model_hints_need_a_numeric_prefix() {
        assert_eq!(model_hint("27_a_b"), Some("a_b"));
        for opaque in ["d05da5dd", "", "_m", "35_", "x5_m", "manifest_m"] {
            assert_eq!(model_hint(opaque), None, "{opaque:?}");
        }
    }

    #[test]
    fn face_values_are_exact_to_the_wei() {
        let table = [
            ("0 WEI", 0),
            ("9999999999999999 wei", 9_999_999_999_999_999),
            ("0.010000000000000001 ETH", 10_000_000_000_000_001),
            (" 1.5  ETH ", 1_500_000_000_000_000_000),
            ("12 ETH", 12_000_000_000_000_000_000),
            ("0.0100000000000000010000 ETH", 10_000_000_000_000_001),
            ("340282366920938463463374607431768211455 WEI", u128::MAX),
        ];
        for (text, wei) in table {
            assert_eq!(face_value(text), Ok(wei), "{text:?}");
        }
    }

    #[test]
    fn bad_amounts_say_which_and_why() {
        let good = ("1 WEI", "1", "0.5", "1.5 wei/pixel");
        let unit = |p: Payment<'_>| matches!(parse(&p), Err(BadAmount::Unit { .. }));
        let number = |p: Payment<'_>| matches!(parse(&p), Err(BadAmount::Number { .. }));
        assert!(parse(&payment(good.0, good.1, good.2, good.3)).is_ok());
        for face in ["1 GWEI", "1", "", "1WEI", "1 WEI ETH"] {
            assert!(unit(payment(face, good.1, good.2, good.3)), "{face:?}");
        }
        for face in [
            "x WEI",
            "-1 WEI",
            "+1 WEI",
            "1.5 WEI",
            "1e3 WEI",
            "1. ETH",
            ".5 ETH",
            "0.0000000000000000001 ETH",
            "340282366920938463463374607431768211456 WEI",
            "340282366920938463464 ETH",
        ] {
            assert!(number(payment(face, good.1, good.2, good.3)), "{face:?}");
        }
        for tickets in ["", "-1", "4294967296", "1.5"] {
            assert!(number(payment(good.0, tickets, good.2, good.3)), "{tickets:?}");
        }
        for prob in ["", "1.0000000001", "0.00000000001", "NaN"] {
            assert!(number(payment(good.0, good.1, prob, good.3)), "{prob:?}");
        }
        assert!(unit(payment(good.0, good.1, good.2, "1.5 wei/second")));
        assert!(number(payment(good.0, good.1, good.2, "1.5001 wei/pixel")));
        assert!(number(payment(
            good.0,
            good.1,
            good.2,
            "100000000000000000000000000000000000 wei/pixel"
        )));
        let error = parse(&payment("1 GWEI", "1", "0", "0 wei/pixel")).unwrap_err();
        let want = r#"faceValue is "1 GWEI", whose unit is not known; expected WEI or ETH"#;
        assert_eq!(error.to_string(), want);
    }

    #[test]
    fn an_expected_value_beyond_its_column_is_refused() {
        let face = format!("{} WEI", u128::MAX);
        let refused = parse(&payment(&face, "4294967295", "1", "0 wei/pixel"));
        assert!(matches!(refused, Err(BadAmount::Number { field: "faceValue", .. })));
        let amounts = parse(&payment(&face, "1", "0", "0 wei/pixel")).unwrap();
        assert_eq!((amounts.expected_value, amounts.face_value_wei), (0, u128::MAX));
        let most = i128::MAX / i128::from(FINE_STEPS);
        let face = format!("{most} WEI");
        let amounts = parse(&payment(&face, "1", "1", "0 wei/pixel")).unwrap();
        assert_eq!(amounts.expected_value, most * i128::from(FINE_STEPS));
        assert!(parse(&payment(&format!("{} WEI", most + 1), "1", "1", "0 wei/pixel")).is_err());
    }

    proptest! {
        #[test]
        fn eth_text_and_wei_agree(wei in 0..=u128::from(u64::MAX) * 1000) {
            let scale = 10_u128.pow(18);
            let text = format!("{}.{:018} ETH", wei / scale, wei % scale);
            prop_assert_eq!(face_value(&text), Ok(wei));
            prop_assert_eq!(face_value(&format!("{wei} WEI")), Ok(wei));
        }

        #[test]
        fn no_text_panics(texts in proptest::array::uniform4("[0-9. a-zA-Z/]{0,50}|\\PC{0,20}")) {
            let [a, b, c, d] = texts.each_ref().map(|text| Cow::Borrowed(text.as_str()));
            let _ = parse(&payment(&a, &b, &c, &d));
            let _ = model_hint(&a);
        }
    }
}
