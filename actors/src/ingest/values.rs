//! The values of a batch of records as text.

use std::ops::Range;

use super::RecordEntry;

/// How the values of a batch were made text, if they were none.
#[derive(Debug, Default)]
pub(super) struct Repair(Option<Repaired>);

#[derive(Debug)]
struct Repaired {
    /// Where the text of each value stands; `None` for a tombstone.
    texts: Vec<Option<Range<usize>>>,
    /// The values as they came.
    bytes: Vec<u8>,
}

impl Repair {
    /// The values of `records`, which stand in `data`, as one text. What is no UTF-8 is replaced by
    /// U+FFFD; usually all of it is, and nothing is copied.
    pub fn text(mut data: Vec<u8>, records: &[RecordEntry]) -> (String, Self) {
        // It stays until the last shard is done with its part.
        data.shrink_to_fit();
        let bytes = match String::from_utf8(data) {
            Ok(text) if values(records).all(|place| text.get(place).is_some()) => {
                return (text, Self::default());
            }
            Ok(text) => text.into_bytes(),
            Err(error) => error.into_bytes(),
        };
        let mut text = String::new();
        let mut repaired = |place: Range<usize>| {
            let start = text.len();
            text.push_str(&String::from_utf8_lossy(bytes.get(place)?));
            Some(start..text.len())
        };
        let texts = records.iter().map(|entry| repaired(entry.value.clone()?)).collect();
        (text, Self(Some(Repaired { texts, bytes })))
    }

    /// Text and bytes of the value of record `number`, whose entry is `entry`.
    pub fn value<'a: 'b, 'b>(
        &'b self,
        text: &'a str,
        (number, entry): (usize, &RecordEntry),
    ) -> Option<(&'a str, &'b [u8])> {
        let place = entry.value.clone()?;
        match &self.0 {
            None => text.get(place).map(|text| (text, text.as_bytes())),
            Some(Repaired { texts, bytes }) => {
                Some((text.get(texts.get(number)?.clone()?)?, bytes.get(place)?))
            }
        }
    }
}

fn values(records: &[RecordEntry]) -> impl Iterator<Item = Range<usize>> {
    records.iter().filter_map(|entry| entry.value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values as the gate is offered them.
    fn offered(values: &[Option<&[u8]>]) -> Vec<Option<(String, Vec<u8>)>> {
        let mut data = Vec::new();
        let entry = |value: Option<&[u8]>| {
            let start = data.len();
            data.extend_from_slice(value.unwrap_or_default());
            RecordEntry { offset: 0, record_ts: None, value: value.map(|_| start..data.len()) }
        };
        let records: Vec<_> = values.iter().copied().map(entry).collect();
        let (text, repair) = Repair::text(data, &records);
        let value = |record| repair.value(&text, record);
        let owned = |(text, bytes): (&str, &[u8])| (text.to_owned(), bytes.to_vec());
        records.iter().enumerate().map(|record| value(record).map(owned)).collect()
    }

    #[test]
    fn every_value_reads_as_it_would_alone() {
        let cases: [&[Option<&[u8]>]; 4] = [
            &[Some(b"a"), None, Some("\u{e9}".as_bytes()), Some(b"")],
            &[Some(b"a\xff"), None, Some(b"b")],
            // Valid together, but neither of them alone.
            &[Some(b"x\xc3"), Some(b"\xa9y")],
            &[],
        ];
        for values in cases {
            let alone =
                |value: &[u8]| (String::from_utf8_lossy(value).into_owned(), value.to_vec());
            let expected: Vec<_> = values.iter().map(|value| value.map(alone)).collect();
            assert_eq!(offered(values), expected);
        }
    }
}
