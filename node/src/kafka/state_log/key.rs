//! Keys of records in the state log. Each carries the whole opening of its author, so that compaction
//! never lets one author replace what another has written.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | kind: 1 open, 2 close, 3 progress, 4 snapshot. The mark of an entity that is over stands under the key of its snapshots, so that it replaces its author's last one |
//! | 1..9 | epoch, u64 big endian |
//! | 9..17 | incarnation, u64 big endian |
//! | 17..19 | length of the node name, u16 big endian |
//! | 19.. | node name; of a snapshot then the entity id, u128 big endian |

use naap_actors::ownership::Opening;
use thiserror::Error;

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Close,
    Progress,
    Snapshot(u128),
}

/// A key of the state log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub kind: Kind,
    pub author: Opening,
}

/// The key was written by something else.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "a key of {len} bytes and kind {kind} is none that this build knows; run the release that wrote it, or give \
     the state log a topic of its own"
)]
pub(super) struct ForeignKey {
    len: usize,
    kind: u8,
}

impl Key {
    pub fn encode(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Open => 1,
            Kind::Close => 2,
            Kind::Progress => 3,
            Kind::Snapshot(_) => 4,
        };
        let Opening { epoch, node, incarnation } = &self.author;
        let mut key = vec![kind];
        key.extend_from_slice(&epoch.to_be_bytes());
        key.extend_from_slice(&incarnation.to_be_bytes());
        key.extend_from_slice(&(node.len() as u16).to_be_bytes());
        key.extend_from_slice(node.as_bytes());
        if let Kind::Snapshot(entity) = self.kind {
            key.extend_from_slice(&entity.to_be_bytes());
        }
        key
    }

    pub fn decode(key: &[u8]) -> Result<Self, ForeignKey> {
        let foreign = || ForeignKey { len: key.len(), kind: key.first().copied().unwrap_or(0) };
        Self::read(key).ok_or_else(foreign)
    }

    fn read(key: &[u8]) -> Option<Self> {
        let (&kind, rest) = key.split_first()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (incarnation, rest) = rest.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (node, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        let kind = match (kind, rest) {
            (1, []) => Kind::Open,
            (2, []) => Kind::Close,
            (3, []) => Kind::Progress,
            (4, entity) => Kind::Snapshot(u128::from_be_bytes(entity.try_into().ok()?)),
            _ => return None,
        };
        let author = Opening {
            epoch: u64::from_be_bytes(*epoch),
            node: std::str::from_utf8(node).ok()?.into(),
            incarnation: u64::from_be_bytes(*incarnation),
        };
        Some(Self { kind, author })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_bytes_and_tell_authors_apart() {
        let author = Opening { epoch: 258, node: "naap-0".into(), incarnation: 3 };
        let kinds = [Kind::Open, Kind::Close, Kind::Progress, Kind::Snapshot(u128::MAX - 1)];
        for kind in kinds {
            let key = Key { kind, author: author.clone() };
            assert_eq!(Key::decode(&key.encode()), Ok(key));
        }
        let key = Key { kind: Kind::Progress, author };
        assert_eq!(
            hex::encode(key.encode()),
            "03000000000000010200000000000000030006".to_owned() + &hex::encode("naap-0")
        );
        let mut foreign = key.encode();
        foreign[0] = 9;
        let sentence = Key::decode(&foreign).unwrap_err().to_string();
        assert!(sentence.starts_with("a key of 25 bytes and kind 9 is none"), "{sentence}");
        for end in 0..foreign.len() {
            assert!(Key::decode(&key.encode()[..end]).is_err());
        }
    }
}
