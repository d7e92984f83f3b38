//! The families that belong to no stream (contract events.md 3.5 to 3.7).

use serde::de::SeqAccess;

use super::{OrchestratorFields, Payload, Verdict, first_missing, wallet};
use crate::event::{Body, Discovered, Payment};
use crate::json::{self, Error, Place, Raw, Scalar, each, object};
use crate::{capability, payment};

const MISSING_DATA: Verdict<'static> = Verdict::MissingField("data");

/// `null` and `""` have passed "key present" but are no values (contract events.md 6.1 step 9).
fn is_nothing(data: &str) -> bool {
    matches!(data, "null" | "\"\"")
}

pub(super) fn capabilities(Raw(data): Raw<'_>) -> Payload<'_> {
    let data = data.unwrap_or_default();
    let verdict = match data.as_bytes() {
        [b'[' | b'{', ..] => match capability::decode::decode(data) {
            Ok(mut decoded) => {
                decoded.document.bad_entries = decoded.bad_entries;
                Verdict::Body(Body::Capabilities(decoded.document))
            }
            Err(error) => Verdict::Unparsable(error.to_string()),
        },
        _ if is_nothing(data) => MISSING_DATA,
        _ => Verdict::InvalidShape("data is neither an array nor an object"),
    };
    verdict.into()
}

pub(super) fn discovery(Raw(data): Raw<'_>) -> Result<Payload<'_>, Error> {
    let data = data.unwrap_or_default();
    let mut found = Found::default();
    json::read(data, &mut found)?;
    let verdict = match data.as_bytes() {
        [b'[', ..] if found.0.is_empty() => Verdict::EmptyArray("data is an empty array"),
        [b'[', ..] => Verdict::Body(Body::Discovery(found.0)),
        _ if is_nothing(data) => MISSING_DATA,
        _ => Verdict::EmptyArray("data is not an array"),
    };
    Ok(verdict.into())
}

/// The elements of an array. One that is no object is blank, so that the index of the others stays.
#[derive(Default)]
struct Found<'a>(Vec<Discovered<'a>>);

impl<'de> Place<'de> for Found<'de> {
    fn array<A: SeqAccess<'de>>(&mut self, elements: A) -> Result<(), A::Error> {
        each(elements, |DiscoveredFields { address, url, latency_ms }| {
            self.0.push(Discovered {
                orchestrator: OrchestratorFields { address, url }.into(),
                latency_ms: latency_ms.integer_in(),
            });
        })
    }
}

object! {
    struct DiscoveredFields<'a> {
        "address" => address: Scalar<'a>,
        "url" => url: Scalar<'a>,
        "latency_ms" => latency_ms: Scalar<'a>,
    }
}

object! {
    pub(super) struct PaymentFields<'a> {
        "requestID" => request_id: Scalar<'a>,
        "sessionID" => session_id: Scalar<'a>,
        "manifestID" => manifest_id: Scalar<'a>,
        "sender" => sender: Scalar<'a>,
        "recipient" => recipient: Scalar<'a>,
        "orchestrator" => url: Scalar<'a>,
        "faceValue" => face_value: Scalar<'a>,
        "numTickets" => num_tickets: Scalar<'a>,
        "winProb" => win_prob: Scalar<'a>,
        "price" => price: Scalar<'a>,
        "clientIP" => client_ip: Scalar<'a>,
        "capability" => capability: Scalar<'a>,
        "version" => version: Scalar<'a>,
    }
}

pub(super) fn payment(fields: PaymentFields<'_>) -> Payload<'_> {
    let missing = first_missing(&[
        ("data.sessionID", &fields.session_id),
        ("data.manifestID", &fields.manifest_id),
        ("data.sender", &fields.sender),
        ("data.recipient", &fields.recipient),
        ("data.orchestrator", &fields.url),
        ("data.faceValue", &fields.face_value),
        ("data.numTickets", &fields.num_tickets),
        ("data.price", &fields.price),
        ("data.winProb", &fields.win_prob),
    ]);
    if let Some(path) = missing {
        return Payload { verdict: Verdict::MissingField(path), version: fields.version };
    }
    let payment = Payment {
        request_id: fields.request_id.text(),
        session_id: fields.session_id.text(),
        manifest_id: fields.manifest_id.text(),
        sender: wallet(&fields.sender),
        recipient: wallet(&fields.recipient),
        orchestrator_url: fields.url.text(),
        face_value: fields.face_value.text(),
        num_tickets: fields.num_tickets.text(),
        win_prob: fields.win_prob.text(),
        price: fields.price.text(),
        client_ip: fields.client_ip.text(),
        capability: fields.capability.text(),
    };
    let verdict = match payment::parse(&payment) {
        Ok(_) => Verdict::Body(Body::Payment(payment)),
        Err(error) => Verdict::BadUnit(error.to_string()),
    };
    Payload { verdict, version: fields.version }
}
