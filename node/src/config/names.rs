//! Settings with a grammar of their own: names, addresses, URLs, topics.

use super::file::{Node, Value, quote};
use super::nearest::nearest;
use super::value::{Fault, Setting, choice, wrong_type};

/// A text type with a grammar: the checked text, read-only.
macro_rules! text_type {
    ($(#[doc = $doc:literal])+ $name:ident, $expected:literal, $check:expr) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Setting for $name {
            fn expected() -> String {
                $expected.to_owned()
            }

            fn from_text(text: &str) -> Result<Self, String> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(format!("not {}", $expected)) }
            }

            fn to_value(&self) -> toml::Value {
                toml::Value::String(self.0.clone())
            }
        }
    };
}

fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= 200
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(inner)
}

text_type! {
    /// A name of a node, cluster, organisation, topic, group, database or user.
    Name, "a name (letters, digits, '-', '_', '.'; not a sign first)", is_name
}

text_type! {
    /// A host and a port.
    HostPort, "a host with a port, such as \"kafka-0.kafka:9092\"", |text| {
        text.rsplit_once(':').is_some_and(|(host, port)| {
            let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let host_ok = match bare {
                Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
                None => is_name(host),
            };
            host_ok && port.parse::<u16>().is_ok_and(|port| port != 0)
        })
    }
}

impl HostPort {
    /// Host, without the brackets of an IPv6 address, and port.
    pub fn parts(&self) -> (&str, u16) {
        let (host, port) = self.0.rsplit_once(':').unwrap_or((&self.0, "0"));
        (host.trim_start_matches('[').trim_end_matches(']'), port.parse().unwrap_or(0))
    }

    /// The host is this machine itself, whatever name service says.
    pub fn is_loopback(&self) -> bool {
        let (host, _) = self.parts();
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// A node and where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// Stable name of the node.
    pub name: Name,
    /// Where it listens.
    pub address: HostPort,
}

impl Setting for PeerAddress {
    fn expected() -> String {
        "a node with its address, such as \"naap-1=10.0.0.2:9700\"".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let (name, address) = text
            .split_once('=')
            .ok_or_else(|| format!("no '=' in it; give {}", Self::expected()))?;
        Ok(Self { name: Name::from_text(name)?, address: HostPort::from_text(address)? })
    }

    fn to_value(&self) -> toml::Value {
        toml::Value::String(format!("{}={}", self.name.as_str(), self.address.as_str()))
    }
}

/// An `http` or `https` address without credentials and parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Setting for Url {
    fn expected() -> String {
        "a URL such as \"http://clickhouse:8123\"".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        let Some(rest) = rest else {
            return Err("not a URL that begins with http:// or https://".to_owned());
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.contains('@') {
            return Err(
                "a URL must not carry credentials; use the settings user and password_file"
                    .to_owned(),
            );
        }
        // They would not be sent, and may be a login.
        if rest.contains(['?', '#']) {
            return Err("a URL must not carry parameters; give only the address, and use the settings user, \
                 password_file and database"
                .to_owned());
        }
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        if name.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("not a URL with a host, such as http://clickhouse:8123".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// Everything before the last `@` may be a password, as may everything behind a `?` or `#`.
    fn redact(text: &str) -> String {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        match (text.rsplit_once('@'), text.find(['?', '#'])) {
            (Some(_), Some(_)) => format!("{scheme}://***"),
            (Some((_, after)), None) => format!("{scheme}://***@{after}"),
            (None, Some(sign)) => format!("{}***", &text[..=sign]),
            (None, None) => text.to_owned(),
        }
    }

    fn to_value(&self) -> toml::Value {
        toml::Value::String(self.0.clone())
    }
}

choice! {
    /// Where a topic starts when its group has no committed offset.
    pub enum Reset {
        /// At the oldest record.
        Earliest = "earliest",
        /// After the newest record.
        Latest = "latest",
    }
}

/// An input topic, whose records it holds, and where it starts without a committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSource {
    /// Kafka topic.
    pub name: Name,
    /// Organisation of every record of the topic.
    pub org: Name,
    /// Start without a committed offset.
    pub reset: Reset,
}

impl Name {
    /// A name written in this program.
    pub(crate) fn literal(text: &'static str) -> Self {
        debug_assert!(is_name(text));
        Self(text.to_owned())
    }
}

impl HostPort {
    /// An address written in this program (a test reads every default back).
    pub(crate) fn literal(text: &'static str) -> Self {
        Self(text.to_owned())
    }
}

impl TopicSource {
    pub(crate) fn new(name: &'static str, org: &'static str, reset: Reset) -> Self {
        Self { name: Name::literal(name), org: Name::literal(org), reset }
    }
}

const TOPIC_KEYS: [&str; 3] = ["name", "org", "reset"];

impl Setting for TopicSource {
    fn expected() -> String {
        "a topic: { name, org, reset = \"earliest\" or \"latest\" } in a file, topic=org:reset elsewhere"
            .to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let form = "give topic=org:reset, such as streaming_events=cloud_spe:earliest";
        let (name, rest) =
            text.split_once('=').ok_or_else(|| format!("no '=' in the topic; {form}"))?;
        let (org, reset) =
            rest.split_once(':').ok_or_else(|| format!("no ':' in the topic; {form}"))?;
        Ok(Self {
            name: Name::from_text(name)?,
            org: Name::from_text(org)?,
            reset: Reset::from_text(reset)?,
        })
    }

    fn from_node(node: &Node) -> Result<Self, Vec<Fault>> {
        let Value::Table(entries) = &node.value else { return Err(wrong_type::<Self>(node)) };
        let mut faults: Vec<_> = entries
            .iter()
            .filter(|(key, _)| !TOPIC_KEYS.contains(&key.as_str()))
            .map(|(key, value)| Fault {
                below: format!(".{key}"),
                line: Some(value.line),
                given: None,
                reason: format!("unknown key; a topic has {}", TOPIC_KEYS.join(", ")),
                suggestion: nearest(key, TOPIC_KEYS),
            })
            .collect();
        let name = part::<Name>(node, entries, "name", &mut faults);
        let org = part::<Name>(node, entries, "org", &mut faults);
        let reset = part::<Reset>(node, entries, "reset", &mut faults);
        match (name, org, reset) {
            (Some(name), Some(org), Some(reset)) if faults.is_empty() => {
                Ok(Self { name, org, reset })
            }
            _ => Err(faults),
        }
    }

    fn to_value(&self) -> toml::Value {
        let mut table = toml::Table::new();
        table.insert("name".to_owned(), self.name.to_value());
        table.insert("org".to_owned(), self.org.to_value());
        table.insert("reset".to_owned(), self.reset.to_value());
        toml::Value::Table(table)
    }
}

/// One required key of an inline table.
fn part<T: Setting>(
    parent: &Node,
    entries: &[(String, Node)],
    key: &str,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    let result = match entries.iter().find(|(name, _)| name == key) {
        Some((_, node)) => T::from_node(node),
        None => Err(vec![Fault::at(parent, None, format!("missing; give {}", T::expected()))]),
    };
    match result {
        Ok(value) => Some(value),
        Err(found) => {
            faults.extend(found.into_iter().map(|fault| fault.under(&format!(".{key}"))));
            None
        }
    }
}

/// The name as it stands in messages.
pub(crate) fn show_name(name: &Name) -> String {
    quote(name.as_str())
}
