//! The families that belong to no stream (contract events.md 3.5 to 3.7).

use super::{Payload, Verdict, first_missing, read_object, wallet};
use crate::event::json::{Cursor, Error, Scalar};
use crate::event::{Body, Discovered, Orchestrator, Payment};
use crate::{capability, payment};

const MISSING_DATA: Verdict<'static> = Verdict::MissingField("data");

/// `null` and `""` have passed "key present" but are no values (contract events.md 6.1 step 9).
fn is_nothing(data: &str) -> bool {
    matches!(data, "null" | "\"\"")
}

pub(super) fn capabilities<'a>(c: &mut Cursor<'a>) -> Result<Payload<'a>, Error> {
    let data = c.raw()?;
    let verdict = match data.as_bytes().first() {
        Some(b'[' | b'{') => match capability::decode::decode(data) {
            Ok(mut decoded) => {
                decoded.document.bad_entries = decoded.bad_entries;
                Verdict::Body(Body::Capabilities(decoded.document))
            }
            Err(error) => Verdict::Unparsable(error.to_string()),
        },
        _ if is_nothing(data) => MISSING_DATA,
        _ => Verdict::InvalidShape("data is neither an array nor an object"),
    };
    Ok(verdict.into())
}

pub(super) fn discovery<'a>(c: &mut Cursor<'a>) -> Result<Payload<'a>, Error> {
    if c.peek()? != b'[' {
        let data = c.raw()?;
        let not_array = Verdict::EmptyArray("data is not an array");
        return Ok(if is_nothing(data) { MISSING_DATA } else { not_array }.into());
    }
    let mut found = Vec::new();
    c.array(|c| {
        found.push(discovered(c)?);
        Ok(())
    })?;
    let verdict = if found.is_empty() {
        Verdict::EmptyArray("data is an empty array")
    } else {
        Verdict::Body(Body::Discovery(found))
    };
    Ok(verdict.into())
}

/// One element; blank if it is not an object, so that the index of the others stays.
fn discovered<'a>(c: &mut Cursor<'a>) -> Result<Discovered<'a>, Error> {
    let [mut address, mut url, mut latency] = [Scalar::Missing; 3];
    read_object!(c,
        "address" => address, c.scalar();
        "url" => url, c.scalar();
        "latency_ms" => latency, c.scalar();
    );
    Ok(Discovered {
        orchestrator: Orchestrator { address: wallet(address), url: url.text() },
        latency_ms: latency.integer_in(),
    })
}

pub(super) fn payment<'a>(c: &mut Cursor<'a>) -> Result<Payload<'a>, Error> {
    let [mut request_id, mut session_id, mut manifest_id] = [Scalar::Missing; 3];
    let [mut sender, mut recipient, mut url] = [Scalar::Missing; 3];
    let [mut face_value, mut num_tickets, mut win_prob] = [Scalar::Missing; 3];
    let [mut price, mut client_ip, mut capability] = [Scalar::Missing; 3];
    let mut version = Scalar::Missing;
    read_object!(c,
        "requestID" => request_id, c.scalar();
        "sessionID" => session_id, c.scalar();
        "manifestID" => manifest_id, c.scalar();
        "sender" => sender, c.scalar();
        "recipient" => recipient, c.scalar();
        "orchestrator" => url, c.scalar();
        "faceValue" => face_value, c.scalar();
        "numTickets" => num_tickets, c.scalar();
        "winProb" => win_prob, c.scalar();
        "price" => price, c.scalar();
        "clientIP" => client_ip, c.scalar();
        "capability" => capability, c.scalar();
        "version" => version, c.scalar();
    );
    let missing = first_missing(&[
        ("data.sessionID", session_id),
        ("data.manifestID", manifest_id),
        ("data.sender", sender),
        ("data.recipient", recipient),
        ("data.orchestrator", url),
        ("data.faceValue", face_value),
        ("data.numTickets", num_tickets),
        ("data.price", price),
        ("data.winProb", win_prob),
    ]);
    if let Some(path) = missing {
        return Ok(Payload { verdict: Verdict::MissingField(path), version });
    }
    let payment = Payment {
        request_id: request_id.text(),
        session_id: session_id.text(),
        manifest_id: manifest_id.text(),
        sender: wallet(sender),
        recipient: wallet(recipient),
        orchestrator_url: url.text(),
        face_value: face_value.text(),
        num_tickets: num_tickets.text(),
        win_prob: win_prob.text(),
        price: price.text(),
        client_ip: client_ip.text(),
        capability: capability.text(),
    };
    let verdict = match payment::parse(&payment) {
        Ok(_) => Verdict::Body(Body::Payment(payment)),
        Err(error) => Verdict::BadUnit(error.to_string()),
    };
    Ok(Payload { verdict, version })
}
