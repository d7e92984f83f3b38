//! Personal data: kept, or replaced by a hash before any row is built (decisions.md, identity and
//! duplicates). Event uids and dead-letter bodies are made from the record as it came.

use std::borrow::Cow;

use serde_json::Value;

use crate::event::{Body, Event};
use crate::identity::sha256_hex;

/// What happens to prompts, image URLs, client addresses and auth ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrivacyMode {
    /// Kept as sent.
    #[default]
    Keep,
    /// Replaced by `sha256:` and the first 16 hex digits of the hash.
    Hash,
}

/// Hex digits of a hash that are kept: enough to compare, too few to search for the text.
const DIGITS: usize = 16;

impl PrivacyMode {
    /// The event as rows may show it.
    pub fn apply(self, mut event: Event<'_>) -> Event<'_> {
        if self == Self::Keep {
            return event;
        }
        if let Ok(mut root) = serde_json::from_str::<Value>(&event.raw) {
            hide(&mut root, false);
            let data = root.get("data").map(Value::to_string).unwrap_or_default();
            let raw = root.to_string();
            let start = raw.find(&data).unwrap_or(0);
            event.data_at = (start as u32, data.len() as u32);
            event.raw = Cow::Owned(raw);
        }
        match &mut event.body {
            Body::Status(status) => {
                status.prompt = status.prompt.take().map(|text| Cow::Owned(hash(&text)));
            }
            Body::Payment(payment) if !payment.client_ip.is_empty() => {
                payment.client_ip = Cow::Owned(hash(&payment.client_ip));
            }
            _ => {}
        }
        event
    }

    /// The text of an ignored record as rows may show it.
    pub fn apply_text(self, text: &str) -> Cow<'_, str> {
        if self == Self::Keep {
            return Cow::Borrowed(text);
        }
        match serde_json::from_str::<Value>(text) {
            Ok(mut root) => {
                hide(&mut root, false);
                Cow::Owned(root.to_string())
            }
            // It was read before, so this is only a second line of defence.
            Err(_) => Cow::Owned(hash(text)),
        }
    }
}

fn hash(text: &str) -> String {
    let digest = sha256_hex(&[text]);
    format!("sha256:{}", &digest[..DIGITS])
}

/// A member whose text tells who somebody is or what somebody asked for.
fn is_personal(key: &str) -> bool {
    const PARTS: [&str; 7] =
        ["prompt", "image_url", "imageurl", "client_ip", "clientip", "auth_id", "authid"];
    let key = key.to_ascii_lowercase();
    PARTS.iter().any(|part| key.contains(part)) || key == "image" || key == "images"
}

fn hide(value: &mut Value, personal: bool) {
    match value {
        Value::String(text) if personal && !text.is_empty() => *text = hash(text),
        Value::Array(elements) => elements.iter_mut().for_each(|e| hide(e, personal)),
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                hide(member, personal || is_personal(key));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_texts_are_hashed_at_any_depth() {
        let text = r#"{"data":{"clientIP":"10.0.0.1","params":{"prompt":[["a cat",1.0]],"width":512},"x":"y"}}"#;
        let shown = PrivacyMode::Hash.apply_text(text);
        assert!(!shown.contains("a cat") && !shown.contains("10.0.0.1"), "{shown}");
        assert!(shown.contains(r#""width":512"#) && shown.contains(r#""x":"y""#), "{shown}");
        assert!(shown.contains(&hash("a cat")));
        assert_eq!(PrivacyMode::Keep.apply_text(text), text);
    }
}
