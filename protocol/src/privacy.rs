//! Personal data: kept, or replaced by a hash before any row is built (decisions.md, identity and
//! duplicates). Event uids, and the bodies of records that the gate refuses, are made from the record
//! as it came. What fails after the gate let it pass is shown as its other rows are: nothing behind the
//! gate has the record itself.

use std::borrow::Cow;
use std::ops::Range;

use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

use crate::event::{Body, Event};
use crate::identity::sha256_hex;
use crate::json::{self, Error};

/// What happens to prompts, images, client addresses and auth ids.
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
    /// Makes of `event` what rows may show.
    pub fn apply(self, event: &mut Event<'_>) {
        if self == Self::Keep {
            return;
        }
        let Shown { text, data } = Shown::of(&event.raw);
        event.data_at = (data.start as u32, data.len() as u32);
        event.raw = Cow::Owned(text);
        match &mut event.body {
            Body::Status(status) => {
                status.prompt = status.prompt.take().map(|text| Cow::Owned(hash(&text)));
            }
            Body::Payment(payment) if !payment.client_ip.is_empty() => {
                payment.client_ip = Cow::Owned(hash(&payment.client_ip));
            }
            _ => {}
        }
    }

    /// The text of an ignored record as rows may show it.
    pub fn apply_text(self, text: &str) -> Cow<'_, str> {
        if self == Self::Keep {
            return Cow::Borrowed(text);
        }
        Cow::Owned(Shown::of(text).text)
    }
}

fn hash(text: &str) -> String {
    let digest = sha256_hex(&[text]);
    format!("sha256:{}", &digest[..DIGITS])
}

/// How much of a member tells who somebody is or what somebody asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Personal {
    /// Nothing.
    No,
    /// Its text, or the texts of its list.
    Text,
    /// Every text in it, and every key.
    All,
}

impl Personal {
    fn of(key: &str) -> Self {
        const PARTS: [&str; 5] = ["prompt", "client_ip", "clientip", "auth_id", "authid"];
        /// Ends of keys that choose how a prompt or an image is used.
        const SETTINGS: [&str; 4] = ["_method", "_mode", "_type", "_format"];
        let key = key.to_ascii_lowercase();
        if SETTINGS.iter().any(|end| key.ends_with(end)) {
            return Self::No;
        }
        let image = key.contains("image");
        // Pipelines and models are named `text-to-image` or `a/image:1`; parameters are not.
        let name = key.contains(['-', '/', '.', ':']);
        match PARTS.iter().any(|part| key.contains(part)) || (image && !name) {
            true => Self::All,
            false if image => Self::Text,
            false => Self::No,
        }
    }

    /// What becomes of the elements of a list.
    fn of_elements(self, element: &Value) -> Self {
        if self == Self::Text && !element.is_str() { Self::No } else { self }
    }

    /// What becomes of the member `key` of an object.
    fn of_member(self, key: &str) -> Self {
        if self == Self::All { self } else { Self::of(key) }
    }
}

/// A text that holds JSON, as of clients that send their parameters so, as rows may show it; `None` for any other.
/// What it holds is shorter than itself, so this comes to an end.
fn within(text: &str) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let root = json::tree(text).ok()?;
    let mut shown = Shown::default();
    shown.value(&root, Personal::No).ok()?;
    Some(shown.text)
}

/// A record as rows may show it: compact, members in their order.
#[derive(Default)]
struct Shown {
    text: String,
    /// Where the member `data` of the root stands.
    data: Range<usize>,
}

impl Shown {
    fn of(text: &str) -> Self {
        let mut shown = Self::default();
        let written = json::tree(text).and_then(|root| shown.root(&root));
        // It was read before, so this is only a second line of defence.
        if written.is_err() {
            shown.text = hash(text);
            shown.data = 0..shown.text.len();
        }
        shown
    }

    fn root(&mut self, root: &Value) -> Result<(), Error> {
        let Some(members) = root.as_object() else {
            return self.value(root, Personal::No);
        };
        self.list('{', '}', members.iter(), |shown, (key, member)| {
            let start = shown.member(key, member, Personal::No)?;
            if key == "data" {
                shown.data = start..shown.text.len();
            }
            Ok(())
        })
    }

    fn value(&mut self, value: &Value, personal: Personal) -> Result<(), Error> {
        if let Some(members) = value.as_object() {
            self.list('{', '}', members.iter(), |shown, (key, member)| {
                shown.member(key, member, personal).map(drop)
            })
        } else if let Some(elements) = value.as_array() {
            self.list('[', ']', elements.iter(), |shown, element| {
                shown.value(element, personal.of_elements(element))
            })
        } else if let Some(text) = value.as_str() {
            self.string(text, personal != Personal::No)
        } else {
            self.text.push_str(&sonic_rs::to_string(value)?);
            Ok(())
        }
    }

    /// Writes a member of something `personal`. Returns where its value starts.
    fn member(&mut self, key: &str, value: &Value, personal: Personal) -> Result<usize, Error> {
        self.string(key, personal == Personal::All)?;
        self.text.push(':');
        let start = self.text.len();
        self.value(value, personal.of_member(key))?;
        Ok(start)
    }

    fn string(&mut self, text: &str, personal: bool) -> Result<(), Error> {
        let hashed = match (personal, text) {
            (true, "") => None,
            (true, text) => Some(hash(text)),
            (false, text) => within(text),
        };
        self.text.push_str(&sonic_rs::to_string(hashed.as_deref().unwrap_or(text))?);
        Ok(())
    }

    fn list<T>(
        &mut self,
        open: char,
        close: char,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.text.push(open);
        for (number, item) in items.enumerate() {
            if number > 0 {
                self.text.push(',');
            }
            write(self, item)?;
        }
        self.text.push(close);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Gate, Outcome, Record};

    fn shown(text: &str) -> String {
        PrivacyMode::Hash.apply_text(text).into_owned()
    }

    #[test]
    fn personal_texts_are_hashed_at_any_depth() {
        let text = r#"{"data":{"clientIP":"10.0.0.1","params":{"prompt":[["a cat",1.0]],"width":512},"x":"y"}}"#;
        let shown = shown(text);
        assert!(!shown.contains("a cat") && !shown.contains("10.0.0.1"), "{shown}");
        assert!(shown.contains(r#""width":512"#) && shown.contains(r#""x":"y""#), "{shown}");
        assert!(shown.contains(&hash("a cat")));
        assert_eq!(PrivacyMode::Keep.apply_text(text), text);
    }

    #[test]
    fn json_within_a_text_is_read_too() {
        let once = r#"{"prompt":"a cat","width":512}"#;
        let twice = format!("[{}]", sonic_rs::to_string(once).unwrap());
        for params in [once, &twice] {
            let text = format!(r#"{{"params":{}}}"#, sonic_rs::to_string(params).unwrap());
            let shown = shown(&text);
            assert!(!shown.contains("a cat") && shown.contains(&hash("a cat")), "{shown}");
            assert!(shown.contains("512"), "{shown}");
        }
        for text in [r#"{"x":"[ERROR] no GPU"}"#, r#"{"x":"{"}"#, r#"{"x":"{\"y\":1}"}"#] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn keys_of_a_personal_object_are_hashed() {
        let text = r#"{"prompt":{"a dog":1.0,"":[{"a cat":true}]},"width":512}"#;
        let expected = format!(
            r#"{{"prompt":{{"{}":1.0,"":[{{"{}":true}}]}},"width":512}}"#,
            hash("a dog"),
            hash("a cat"),
        );
        assert_eq!(shown(text), expected);
    }

    #[test]
    fn images_of_any_name_are_hashed() {
        for key in ["init_image", "controlImage", "ip_adapter_style_image_url", "mask_images"] {
            for value in [r#""SECRET""#, r#"["SECRET"]"#, r#"{"url":"SECRET"}"#] {
                let shown = shown(&format!(r#"{{"{key}":{value}}}"#));
                assert!(shown.contains(key) && !shown.contains("SECRET"), "{shown}");
            }
        }
    }

    #[test]
    fn names_and_settings_stay() {
        for text in [
            r#"{"prompt_interpolation_method":"slerp","image_format":"png","prompt_tokens":7}"#,
            r#"{"capability_options":{"openai-image-generation":[{"model":"flux"}]}}"#,
            r#"{"models":{"Qwen/Qwen-Image":{"warm":true,"runnerVersion":"0.1"}}}"#,
            r#"{"pipeline":"image-to-image","normalize_prompt_weights":true}"#,
        ] {
            assert_eq!(shown(text), text);
        }
        assert!(!shown(r#"{"text-to-image":["SECRET"]}"#).contains("SECRET"));
    }

    #[test]
    fn what_only_the_lenient_reader_reads_is_hashed_too() {
        let deep = format!("{}{}", "[".repeat(125), "]".repeat(125));
        for odd in [r#""\ud800""#, "1e999", "123456789012345678901234567890", deep.as_str()] {
            let text = format!(
                r#"{{"id":"a","type":"ai_stream_status","timestamp":"1767908945298","data":{{"stream_id":"s","request_id":"r","pipeline":"p","odd":{odd},"inference_status":{{"last_params":{{"prompt":"SECRET \ud83d"}}}}}}}}"#
            );
            let record = Record {
                topic: "t",
                partition: 0,
                offset: 0,
                record_ts: None,
                value: Some(text.as_bytes()),
            };
            let mut repaired = String::new();
            let Outcome::Accepted(mut event) = Gate::default().admit(record, &mut repaired) else {
                panic!("{text} is an event");
            };
            PrivacyMode::Hash.apply(&mut event);
            assert!(!format!("{event:?}").contains("SECRET"), "{event:?}");
            assert!(event.data().starts_with(r#"{"stream_id":"s""#), "{}", event.data());
            assert!(event.raw.ends_with(&format!("{}}}", event.data())), "{}", event.raw);
        }
    }

    #[test]
    fn what_nobody_reads_is_hashed_as_a_whole() {
        assert_eq!(shown("{\"prompt\":\"SECRET"), hash("{\"prompt\":\"SECRET"));
    }
}
