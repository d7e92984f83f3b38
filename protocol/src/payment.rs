//! STUB until the payment module is merged: knows the units and nothing else.

use crate::event::Payment;

/// The amounts of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts;

/// An amount that is not a number with a known unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("faceValue {0:?} is not a number of WEI or ETH")]
pub struct BadAmount(String);

/// Reads the amounts of `payment`.
///
/// # Errors
/// [`BadAmount`] for an unknown unit.
pub fn parse(payment: &Payment<'_>) -> Result<Amounts, BadAmount> {
    let unit = payment.face_value.rsplit(' ').next();
    match unit {
        Some("WEI" | "ETH") => Ok(Amounts),
        _ => Err(BadAmount(payment.face_value.to_string())),
    }
}
