//! Any bytes as what a client sends to the embedded engine: compressed blocks and statements.
#![no_main]
#![allow(dead_code)] // most of the modules is not used here

use libfuzzer_sys::fuzz_target;

#[path = "../../../node/engine/src/exception.rs"]
mod exception;
#[path = "../../../node/engine/src/lz4.rs"]
mod lz4;
#[path = "../../../node/engine/src/sql.rs"]
mod sql;

/// Largest body that is taken.
const LIMIT: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    if let Ok(plain) = lz4::decompress(data, LIMIT) {
        assert!(plain.len() <= LIMIT);
    }
    let packed = lz4::compress(data);
    assert!(lz4::decompress(&packed, data.len()).is_ok_and(|plain| plain == data));
    let statement = sql::read(data);
    if let sql::Kind::Insert { head, data: start, .. } = statement.kind {
        assert!(data.get(head).is_some() && start <= data.len());
    }
});
