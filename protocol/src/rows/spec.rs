//! What a table is: one definition from which the row struct, its documentation, the encoding, the
//! DDL, the column comments and the fingerprint follow.

use super::binary::{Type, put_varint};
use crate::slice::Touch;

/// How a column is stored, where its type alone does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// As the type has it.
    Plain,
    /// Text with few distinct values: `LowCardinality`.
    Low,
    /// Large text, compressed harder.
    Json,
    /// Large text that the archive also holds: compressed harder and emptied after
    /// [`LINEAGE_DAYS`], earlier than its row.
    Lineage,
}

/// Days after which a [`Storage::Lineage`] column is emptied; the archive keeps the record longer.
pub const LINEAGE_DAYS: u16 = 30;

/// How `ClickHouse` itself computes a column that no writer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derived {
    /// Computed at insert and stored.
    Materialized(&'static str),
    /// Computed at read: another name of a stored value.
    Alias(&'static str),
}

/// One column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Column name, equal to the field of the row struct.
    pub name: &'static str,
    /// Column type.
    pub ty: Type,
    /// Meaning, unit and null rule as written above the field; use [`ColumnSpec::comment`].
    pub doc: &'static str,
    /// Storage class.
    pub storage: Storage,
    /// Set for columns that writers do not send.
    pub derived: Option<Derived>,
}

impl ColumnSpec {
    /// The column comment: the rustdoc text of the field.
    pub fn comment(&self) -> &'static str {
        self.doc.trim()
    }
}

/// Retention of a table: rows are deleted `days` after `date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// An expression of type `Date`.
    pub date: &'static str,
    /// Days (decisions, "TTL days").
    pub days: u16,
}

/// One table. The engine is always `ReplacingMergeTree`: the row with the greatest version of a
/// sort key is the row, and every reader uses `FINAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// Table name without database.
    pub name: &'static str,
    /// Purpose and grain; use [`TableSpec::comment`].
    pub doc: &'static str,
    /// Columns in order: first those that writers send, then the derived ones.
    pub columns: &'static [ColumnSpec],
    /// The column that decides between rows of one key: the greatest value wins.
    pub version: &'static str,
    /// The flag column by which a row of the greatest version removes its key.
    pub deleted: Option<&'static str>,
    /// Partition expression, constant for a key.
    pub partition_by: &'static str,
    /// The sort key, which is the identity of a row.
    pub order_by: &'static [&'static str],
    /// Retention.
    pub ttl: Ttl,
    /// Columns with a bloom filter skip index.
    pub bloom: &'static [&'static str],
}

/// Columns that never enter a fingerprint, because they depend on arrival, on the writer or on the
/// wall clock (decisions, "fingerprints").
pub const FINGERPRINT_EXCLUDED: &[&str] = &[
    "version",
    "slice_version",
    "ingestion_timestamp",
    "refreshed_at",
    "refresh_run_id",
    "revision",
    "window_state",
    "checked_at",
    "age_seconds",
    "is_fresh",
    "source_partition",
    "source_offset",
    "source_record_timestamp",
    "writer",
    "node",
];

/// What the queries of a fingerprint are to be run with. 64-bit integers arrive as numbers, whatever
/// the server's default is. One thread and small blocks bound the memory, whatever the size of the
/// table: a block is held with the text of each of its rows, and texts can be long.
pub const FINGERPRINT_SETTINGS: &str = "SETTINGS output_format_json_quote_64bit_integers = 0, \
    max_threads = 1, max_block_size = 128, preferred_block_size_bytes = 1048576";

/// What comes behind that for [`TableSpec::duplicate_keys_sql`]: each partition by itself.
pub const PARTITIONS_APART: &str = ", do_not_merge_across_partitions_select_final = 1";

impl TableSpec {
    /// The table comment.
    pub fn comment(&self) -> &'static str {
        self.doc.trim()
    }

    /// The column with this name.
    pub fn column(&self, name: &str) -> Option<&'static ColumnSpec> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that a writer sends, in the order of the encoding.
    pub fn sent(&self) -> impl Iterator<Item = &'static ColumnSpec> + Clone {
        self.columns.iter().filter(|column| column.derived.is_none())
    }

    /// The header that `RowBinaryWithNamesAndTypes` wants before the first row.
    pub fn rowbinary_header(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let put_text = |text: &str, out: &mut Vec<u8>| {
            put_varint(text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        };
        put_varint(self.sent().count() as u64, &mut out);
        self.sent().for_each(|column| put_text(column.name, &mut out));
        self.sent().for_each(|column| put_text(&column.ty.to_string(), &mut out));
        out
    }

    /// The columns of a fingerprint, as arguments.
    pub fn fingerprint_columns(&self) -> String {
        let columns: Vec<String> = self
            .sent()
            .filter(|column| !FINGERPRINT_EXCLUDED.contains(&column.name))
            .map(|column| match column.ty.inner() {
                // Adding zero turns -0.0 into 0.0, which are equal but differ in bits.
                Type::Float32 | Type::Float64 => format!("{} + 0", column.name),
                _ => column.name.to_owned(),
            })
            .collect();
        columns.join(", ")
    }

    /// The query that fingerprints the table's latest rows (contract quality.md 11.3).
    ///
    /// It answers one row: `rows` and `fingerprint` (32 hex digits, XOR of a 128-bit hash per row,
    /// order-free). XOR hides even duplicates, so the answer is worth something only together with
    /// [`TableSpec::duplicate_keys_sql`].
    pub fn fingerprint_sql(&self, database: &str) -> String {
        let from = format!("`{database}`.`{}` FINAL", self.name);
        fingerprint_sql(&self.fingerprint_columns(), &from)
    }

    /// What a latest row stands for: the sort key without times where it holds the uid of an event.
    /// The time of such a row follows from its event, so two rows of one event that differ in time
    /// alone are one row too many, which the engine does not replace.
    pub fn identity(&self) -> impl Iterator<Item = &'static str> + Clone {
        let of_event =
            self.order_by.iter().any(|name| ["raw_event_uid", "source_event_uid"].contains(name));
        let is_time = |name: &str| {
            self.column(name).is_some_and(|column| matches!(column.ty.inner(), Type::DateTime64))
        };
        let scope = ["stream_id", "request_id"].into_iter().filter(move |name| {
            of_event
                && !self.order_by.contains(&"workflow_session_id")
                && self.column(name).is_some()
        });
        self.order_by.iter().copied().filter(move |name| !(of_event && is_time(name))).chain(scope)
    }

    /// The query for `duplicate_keys`: latest rows that stand for the same as another one
    /// ([`TableSpec::identity`]), which is 0 in a sound store. Rows of one key in two partitions count
    /// too: reads see one of them, but no merge ever joins them. It counts bucket `bucket` of
    /// `buckets`; the sum over all of them is the number for the table, and no query has to remember
    /// more than its share of the keys.
    pub fn duplicate_keys_sql(&self, database: &str, (bucket, buckets): (u64, u64)) -> String {
        let (key, name) = (self.identity().collect::<Vec<_>>().join(", "), self.name);
        format!(
            "SELECT count() - uniqExact({key}) AS duplicate_keys\nFROM `{database}`.`{name}` FINAL\n\
             WHERE cityHash64({key}) % {buckets} = {bucket}"
        )
    }
}

/// The query that fingerprints `columns` of the rows of `from`; see [`TableSpec::fingerprint_sql`].
pub fn fingerprint_sql(columns: &str, from: &str) -> String {
    let hash = rows_hash_sql(columns);
    format!("SELECT count() AS rows,\n       hex({hash}) AS fingerprint\nFROM {from}")
}

/// The aggregate that hashes `columns` of rows, whatever their order: of fingerprints, and of published slices.
pub fn rows_hash_sql(columns: &str) -> String {
    format!("groupBitXor(reinterpretAsUInt128(sipHash128(formatRow('RowBinary', {columns}))))")
}

/// A row of one table.
pub trait Row {
    /// The table of this row.
    const SPEC: &'static TableSpec;

    /// Appends the row in `RowBinary`, columns in the order of [`TableSpec::sent`].
    fn encode(&self, out: &mut Vec<u8>);

    /// The slices of the rollups that read the table and that this row enters; `None` when no rollup
    /// reads it row by row.
    fn touches(&self) -> Option<Touch<'_>> {
        None
    }
}

/// Rows longer than this are not written, bytes. A row that is made of one event leaves a dead letter
/// (`SINK_GUARD` / `record_too_large`, events.md 6.4 and 6.6), any other row is only counted.
pub const MAX_ROW_BYTES: usize = 1_000_000;

/// A row was over [`MAX_ROW_BYTES`] and was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the row for table {table} has {bytes} bytes, more than the limit of {MAX_ROW_BYTES}; it was not written"
)]
pub struct RowTooLarge {
    /// The table that the row was for.
    pub table: &'static str,
    /// Encoded length, bytes.
    pub bytes: usize,
}

/// Appends `row` to `out`, unless it is too large.
///
/// # Errors
///
/// [`RowTooLarge`] if the encoded row exceeds [`MAX_ROW_BYTES`]; `out` is then as before.
pub fn append<R: Row>(row: &R, out: &mut Vec<u8>) -> Result<usize, RowTooLarge> {
    let start = out.len();
    row.encode(out);
    let bytes = out.len() - start;
    if bytes > MAX_ROW_BYTES {
        out.truncate(start);
        return Err(RowTooLarge { table: R::SPEC.name, bytes });
    }
    Ok(bytes)
}

/// The column name of a field: without the mark of a raw identifier.
pub(crate) const fn plain(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// Defines a table once: row struct, documentation, encoding and [`TableSpec`].
///
/// A column is `/// comment`, `name: rust type`, optionally `[low]`, `[json]` or `[lineage]`
/// ([`Storage`]). Every row has `Default`, so a retraction needs only the key columns. `touches` names
/// the time by which a row enters slices of rollups, and for how many hours behind it counts as of their end.
macro_rules! table {
    (
        $(#[doc = $table_doc:literal])+
        pub struct $row:ident<$life:lifetime> = $name:literal {
            replacing: ($version:ident $(, $deleted:ident)?),
            partition: $partition:literal,
            order: [$($order:ident),+ $(,)?],
            ttl: $ttl:literal + $days:literal days,
            bloom: [$($bloom:ident),* $(,)?],
            $(touches: $touched:ident $(+ $hours:literal hours)?,)?
            columns: {
                $($(#[doc = $doc:literal])+ $column:ident: $ty:ty $([$storage:ident])?,)+
            }
            $(derived: {
                $($(#[doc = $derived_doc:literal])+
                $derived:ident: $derived_ty:ident = $kind:ident($expression:literal),)+
            })?
        }
    ) => {
        $(#[doc = $table_doc])+
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $row<$life> {
            $($(#[doc = $doc])+ pub $column: $ty,)+
        }

        impl<$life> $crate::rows::spec::Row for $row<$life> {
            const SPEC: &'static $crate::rows::spec::TableSpec = &$crate::rows::spec::TableSpec {
                name: $name,
                doc: concat!($($table_doc),+),
                columns: &[
                    $($crate::rows::spec::ColumnSpec {
                        name: $crate::rows::spec::plain(stringify!($column)),
                        ty: $crate::rows::spec::table!(@type $ty $(, $storage)?),
                        doc: concat!($($doc),+),
                        storage: $crate::rows::spec::table!(@storage $($storage)?),
                        derived: None,
                    },)+
                    $($($crate::rows::spec::ColumnSpec {
                        name: stringify!($derived),
                        ty: $crate::rows::binary::Type::$derived_ty,
                        doc: concat!($($derived_doc),+),
                        storage: $crate::rows::spec::Storage::Plain,
                        derived: Some($crate::rows::spec::Derived::$kind($expression)),
                    },)+)?
                ],
                version: stringify!($version),
                deleted: $crate::rows::spec::table!(@deleted $($deleted)?),
                partition_by: $partition,
                order_by: &[$($crate::rows::spec::plain(stringify!($order))),+],
                ttl: $crate::rows::spec::Ttl { date: $ttl, days: $days },
                bloom: &[$($crate::rows::spec::plain(stringify!($bloom))),*],
            };

            fn encode(&self, out: &mut Vec<u8>) {
                $($crate::rows::binary::Column::encode(&self.$column, out);)+
            }

            $(fn touches(&self) -> Option<$crate::slice::Touch<'_>> {
                let (org, ts, more) = (self.org, self.$touched, 0 $(+ $hours)?);
                // What counts for hours behind it counts as of their ends: also for the one that it ends.
                let ts = if more > 0 { Timestamp(ts.0.saturating_sub(1)) } else { ts };
                Some($crate::slice::Touch { org, ts, more })
            })?
        }
    };
    (@type $ty:ty, low) => { <$ty as $crate::rows::binary::Column>::TYPE.low() };
    (@type $ty:ty $(, $storage:ident)?) => { <$ty as $crate::rows::binary::Column>::TYPE };
    (@storage) => { $crate::rows::spec::Storage::Plain };
    (@storage low) => { $crate::rows::spec::Storage::Low };
    (@storage json) => { $crate::rows::spec::Storage::Json };
    (@storage lineage) => { $crate::rows::spec::Storage::Lineage };
    (@deleted) => { None };
    (@deleted $deleted:ident) => { Some(stringify!($deleted)) };
}
pub(crate) use table;
