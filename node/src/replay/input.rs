//! Files of events as sources of records: one value a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use naap_protocol::event::Body;
use naap_protocol::gate::{Gate, Outcome, Record};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::DEFAULT_ORG;
use super::order::{Bend, Kind};

/// Lines longer than this are not records of any gateway.
pub(crate) const MAX_LINE: usize = 64 << 20;

/// The mark that some editors put before UTF-8 text.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// How a file of another shape becomes one that can be replayed.
pub(super) const ONE_A_LINE: &str = "a file holds one event value a line; of an array make one with \
     `jq -c '.[]' FILE`, or `jq -c '.[].value' FILE` if its elements are Kafka records";

/// A file can not be replayed.
#[derive(Debug, Error)]
pub enum InputError {
    /// It can not be read.
    #[error("can not read {path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// A line is absurdly long.
    #[error(
        "line {line} of {path} has more than {MAX_LINE} bytes; a file holds one event value a line"
    )]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
    },
    /// The file is one array.
    #[error("{path} is a JSON array; {ONE_A_LINE}")]
    Array {
        /// The file.
        path: PathBuf,
    },
    /// The file is compressed.
    #[error("{path} is compressed by gzip; give its text by `gunzip -c FILE | naap replay … -`")]
    Compressed {
        /// The file.
        path: PathBuf,
    },
    /// The file is text of another encoding.
    #[error(
        "{path} is UTF-16; give it as UTF-8 by `iconv -f UTF-16 -t UTF-8 FILE | naap replay … -`"
    )]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// Bending the order needs a number per line.
    #[error("{path} has more than 4,294,967,295 lines, which is too many to bend their order")]
    TooManyLines {
        /// The file.
        path: PathBuf,
    },
}

/// A file whose lines are known.
#[derive(Debug)]
pub struct Input {
    path: PathBuf,
    file: File,
    /// Number of lines.
    pub lines: u64,
    /// Bytes.
    pub bytes: u64,
    /// What the source is called, see [`source_name`].
    pub name: String,
    delivery: Delivery,
}

/// How the lines are delivered.
#[derive(Debug)]
enum Delivery {
    /// As they stand.
    InOrder,
    /// By number; `starts` has one entry per line and one for the end.
    Bent { starts: Vec<u64>, order: Vec<u32> },
}

impl Input {
    /// Opens a file and reads it once: to know its name, and its lines if the order is bent.
    /// Standard input (`-`) is kept in `spool` first, since it can be read only once.
    ///
    /// # Errors
    /// When it can not be read.
    pub fn open(
        path: &Path,
        (org, bend): (&str, &Bend),
        spool: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, InputError> {
        let unreadable = |reason| InputError::Unreadable { path: path.to_path_buf(), reason };
        let file = if path == Path::new("-") {
            spooled(spool).map_err(unreadable)?
        } else {
            File::open(path).map_err(unreadable)?
        };
        let mut scan = Scan::new();
        let keep_starts = !bend.is_none();
        let mut reader = BufReader::with_capacity(1 << 20, &file);
        foreign(reader.fill_buf().map_err(unreadable)?, path)?;
        let gate = Gate::default();
        let mut kinds = Vec::new();
        let mut line = Vec::new();
        while read_line(&mut reader, &mut line, path, scan.lines)? {
            scan.take(&line, keep_starts);
            if bend.looks_inside() {
                let is_first = kinds.is_empty();
                kinds.push(kind_of(&gate, if is_first { without_mark(&line) } else { &line }));
            }
            if scan.lines.is_multiple_of(4096) {
                progress(scan.bytes);
            }
        }
        if scan.is_array() {
            return Err(InputError::Array { path: path.to_path_buf() });
        }
        if keep_starts && u32::try_from(scan.lines).is_err() {
            return Err(InputError::TooManyLines { path: path.to_path_buf() });
        }
        let delivery = if keep_starts {
            let order = bend.order(scan.lines as usize, &kinds);
            Delivery::Bent { starts: scan.starts, order }
        } else {
            (&file).rewind().map_err(unreadable)?;
            Delivery::InOrder
        };
        let name = source_name(&hex::encode(scan.hash.finalize()), org, bend);
        Ok(Self {
            path: path.to_path_buf(),
            file,
            lines: scan.lines,
            bytes: scan.bytes,
            name,
            delivery,
        })
    }

    /// True when records are not delivered as they stand.
    pub fn is_bent(&self) -> bool {
        matches!(self.delivery, Delivery::Bent { .. })
    }

    /// How many records it delivers.
    pub fn deliveries(&self) -> u64 {
        match &self.delivery {
            Delivery::InOrder => self.lines,
            Delivery::Bent { order, .. } => order.len() as u64,
        }
    }

    /// The values from delivery number `from` on.
    ///
    /// # Errors
    /// When the file can not be positioned.
    pub fn values(&self, from: u64) -> Result<Values<'_>, InputError> {
        let mut values =
            Values { input: self, reader: BufReader::with_capacity(1 << 20, &self.file), next: 0 };
        match self.delivery {
            Delivery::InOrder => {
                let mut skipped = Vec::new();
                while values.next < from && values.read(&mut skipped)? {}
            }
            Delivery::Bent { .. } => values.next = from,
        }
        Ok(values)
    }
}

/// What a file is called: its contents and its order of delivery. Under another organisation the same
/// file is another input.
fn source_name(hash: &str, org: &str, bend: &Bend) -> String {
    let org = if org == DEFAULT_ORG { String::new() } else { format!(":org={org}") };
    format!("file:{hash}:{}{org}", bend.label())
}

struct Scan {
    hash: Sha256,
    starts: Vec<u64>,
    lines: u64,
    bytes: u64,
    /// The first line opens an array, and closes it.
    opens: bool,
    closes: bool,
}

impl Scan {
    fn new() -> Self {
        let (hash, starts) = (Sha256::new(), vec![0]);
        Self { hash, starts, lines: 0, bytes: 0, opens: false, closes: false }
    }

    /// True when the file is one array, and not lines of which the first happens to hold one.
    fn is_array(&self) -> bool {
        self.opens && (self.lines == 1 || !self.closes)
    }

    fn take(&mut self, line: &[u8], keep_start: bool) {
        if self.lines == 0 {
            let text = without_mark(line).trim_ascii();
            (self.opens, self.closes) = (text.starts_with(b"["), text.ends_with(b"]"));
        }
        self.hash.update(line);
        self.bytes += line.len() as u64;
        self.lines += 1;
        if keep_start {
            self.starts.push(self.bytes);
        }
    }
}

/// Reads the values of an input in order of delivery.
#[derive(Debug)]
pub struct Values<'a> {
    input: &'a Input,
    reader: BufReader<&'a File>,
    next: u64,
}

impl Values<'_> {
    /// Number of the next delivery.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Puts the next value into `value` (replacing what it holds); `false` at the end.
    ///
    /// # Errors
    /// When the file can not be read.
    pub fn read(&mut self, value: &mut Vec<u8>) -> Result<bool, InputError> {
        let input = self.input;
        let mut is_first = self.next == 0;
        let more = match &input.delivery {
            Delivery::InOrder => read_line(&mut self.reader, value, &input.path, self.next)?,
            Delivery::Bent { starts, order } => match order.get(self.next as usize) {
                None => false,
                Some(&line) => {
                    is_first = line == 0;
                    let (start, end) = (starts[line as usize], starts[line as usize + 1]);
                    value.resize((end - start) as usize, 0);
                    input.file.read_exact_at(value, start).map_err(|reason| {
                        InputError::Unreadable { path: input.path.clone(), reason }
                    })?;
                    true
                }
            },
        };
        if more {
            self.next += 1;
            trim_end(value);
            if is_first {
                let marked = value.len() - without_mark(value).len();
                value.drain(..marked);
            }
        }
        Ok(more)
    }
}

/// What a file begins with tells that its lines are no records.
fn foreign(start: &[u8], path: &Path) -> Result<(), InputError> {
    let path = path.to_path_buf();
    match start {
        [0x1f, 0x8b, ..] => Err(InputError::Compressed { path }),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(InputError::Utf16 { path }),
        _ => Ok(()),
    }
}

/// The first line of an input without the mark, which is no part of its record.
pub(crate) fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(BOM).unwrap_or(line)
}

fn trim_end(line: &mut Vec<u8>) {
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
}

/// Reads a line with its end into `line`; `false` at the end of the file.
fn read_line(
    reader: &mut impl BufRead,
    line: &mut Vec<u8>,
    path: &Path,
    number: u64,
) -> Result<bool, InputError> {
    line.clear();
    let unreadable = |reason| InputError::Unreadable { path: path.to_path_buf(), reason };
    reader.take(MAX_LINE as u64 + 1).read_until(b'\n', line).map_err(unreadable)?;
    if line.len() > MAX_LINE {
        return Err(InputError::LineTooLong { path: path.to_path_buf(), line: number + 1 });
    }
    Ok(!line.is_empty())
}

fn spooled(spool: &Path) -> std::io::Result<File> {
    let mut file =
        File::options().read(true).write(true).create(true).truncate(true).open(spool)?;
    // The name is not needed again, and nothing is left behind whatever happens.
    std::fs::remove_file(spool)?;
    std::io::copy(&mut std::io::stdin().lock(), &mut file)?;
    file.flush()?;
    file.rewind()?;
    Ok(file)
}

fn kind_of(gate: &Gate, line: &[u8]) -> Kind {
    let record = Record { topic: "", partition: 0, offset: 0, record_ts: None, value: Some(line) };
    match gate.admit(record, &mut String::new()) {
        Outcome::Accepted(event) => Kind {
            capability: matches!(event.body, Body::Capabilities(_)),
            ts: Some(event.event_ts.0),
        },
        Outcome::Ignored(_) | Outcome::Rejected(_) => Kind { capability: false, ts: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(content: &[u8], bend: &Bend) -> Result<Vec<String>, InputError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("day.jsonl");
        std::fs::write(&file, content).unwrap();
        let spool = folder.path().join("spool");
        let input = Input::open(&file, (DEFAULT_ORG, bend), &spool, &mut |_| ())?;
        let (mut values, mut value, mut all) = (input.values(0)?, Vec::new(), Vec::new());
        while values.read(&mut value)? {
            all.push(String::from_utf8(value.clone()).unwrap());
        }
        Ok(all)
    }

    #[test]
    fn a_mark_at_the_start_of_a_file_is_no_part_of_its_first_record() {
        let marked = "\u{feff}{\"a\":1}\n\u{feff}{\"b\":2}\n".as_bytes();
        let expected = ["{\"a\":1}", "\u{feff}{\"b\":2}"];
        assert_eq!(opened(marked, &Bend::default()).unwrap(), expected);
        let bend = Bend { shuffle: Some(7), ..Bend::default() };
        let mut bent = opened(marked, &bend).unwrap();
        bent.sort();
        assert_eq!(bent, expected);
        let array = opened("\u{feff}[\n{}\n]\n".as_bytes(), &Bend::default()).unwrap_err();
        assert!(array.to_string().contains("is a JSON array"), "{array}");
    }

    #[test]
    fn a_file_of_another_form_is_named_as_what_it_is() {
        let refused = |content: &[u8]| opened(content, &Bend::default()).unwrap_err().to_string();
        let said = refused(b"\x1f\x8b\x08\x00\n");
        let end =
            "day.jsonl is compressed by gzip; give its text by `gunzip -c FILE | naap replay … -`";
        assert!(said.ends_with(end), "{said}");
        for mark in [b"\xff\xfe", b"\xfe\xff"] {
            let said = refused(mark);
            assert!(said.contains("day.jsonl is UTF-16; give it as UTF-8 by `iconv"), "{said}");
        }
    }
}
