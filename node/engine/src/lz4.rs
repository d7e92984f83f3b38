//! ClickHouse's native compressed blocks: 16 bytes `CityHash128` (version 1.0.2) of the rest, one byte
//! of method, two little-endian u32 (compressed size including these 9 bytes, uncompressed size) and
//! the data.

use crate::exception::Exception;

const CHECKSUM: usize = 16;
const HEADER: usize = 9;
const METHOD_NONE: u8 = 0x02;
const METHOD_LZ4: u8 = 0x82;
/// Size of the blocks that answers are cut into.
const BLOCK: usize = 1 << 20;

/// Decodes a sequence of blocks into at most `limit` bytes.
///
/// Sizes are compared with the limit before anything is allocated, and the checksum is verified
/// before anything is decompressed.
pub(crate) fn decompress(mut input: &[u8], limit: usize) -> Result<Vec<u8>, Exception> {
    let mut output = Vec::new();
    while !input.is_empty() {
        input = decompress_block(input, &mut output, limit)?;
    }
    Ok(output)
}

/// Decodes the first block of `input`, appends it to `output` and returns what follows.
fn decompress_block<'a>(
    input: &'a [u8],
    output: &mut Vec<u8>,
    limit: usize,
) -> Result<&'a [u8], Exception> {
    let truncated = || broken("compressed block is cut off");
    let (checksum, block) = input.split_first_chunk::<CHECKSUM>().ok_or_else(truncated)?;
    let (header, _) = block.split_first_chunk::<HEADER>().ok_or_else(truncated)?;
    let [method, c0, c1, c2, c3, u0, u1, u2, u3] = *header;
    let packed = u32::from_le_bytes([c0, c1, c2, c3]) as usize;
    let plain = u32::from_le_bytes([u0, u1, u2, u3]) as usize;
    if packed < HEADER {
        return Err(broken("compressed block says it is smaller than its header"));
    }
    if plain > limit - output.len() {
        return Err(too_large(limit));
    }
    let (block, rest) = block.split_at_checked(packed).ok_or_else(truncated)?;
    if checksum_of(block) != *checksum {
        return Err(Exception::new(
            40,
            "CHECKSUM_DOESNT_MATCH",
            "checksum of a compressed block does not match, the data was damaged on its way",
        ));
    }
    let data = &block[HEADER..];
    match method {
        METHOD_NONE if data.len() == plain => output.extend_from_slice(data),
        METHOD_NONE => return Err(broken("uncompressed block has another size than it says")),
        METHOD_LZ4 => {
            let start = output.len();
            output.resize(start + plain, 0);
            match lz4_flex::block::decompress_into(data, &mut output[start..]) {
                Ok(size) if size == plain => {}
                Ok(_) => return Err(broken("compressed block is shorter than it says")),
                Err(error) => return Err(broken(&format!("compressed block is damaged: {error}"))),
            }
        }
        other => {
            return Err(broken(&format!(
                "compression method 0x{other:02x} is not supported, send LZ4 (0x82)"
            )));
        }
    }
    Ok(rest)
}

/// Encodes `plain` as LZ4 blocks.
pub(crate) fn compress(plain: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    for chunk in plain.chunks(BLOCK) {
        let data = lz4_flex::block::compress(chunk);
        let mut block = Vec::with_capacity(HEADER + data.len());
        block.push(METHOD_LZ4);
        block.extend_from_slice(&((HEADER + data.len()) as u32).to_le_bytes());
        block.extend_from_slice(&(chunk.len() as u32).to_le_bytes());
        block.extend_from_slice(&data);
        output.extend_from_slice(&checksum_of(&block));
        output.extend_from_slice(&block);
    }
    output
}

/// ClickHouse stores the two halves of the hash in the other order.
fn checksum_of(block: &[u8]) -> [u8; CHECKSUM] {
    cityhash_rs::cityhash_102_128(block).rotate_right(64).to_le_bytes()
}

fn broken(message: &str) -> Exception {
    Exception::new(271, "CANNOT_DECOMPRESS", message)
}

/// A body above the configured limit.
pub(crate) fn too_large(limit: usize) -> Exception {
    Exception::new(
        307,
        "TOO_MANY_BYTES",
        format!("request body is larger than {limit} bytes, send smaller batches"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_known_block_is_read() {
        let block: &[u8] = &[
            245, 5, 222, 235, 225, 158, 59, 108, 225, 31, 65, 215, 66, 66, 36, 92, 130, 34, 0, 0,
            0, 23, 0, 0, 0, 240, 8, 1, 0, 2, 255, 255, 255, 255, 0, 1, 1, 1, 115, 6, 83, 116, 114,
            105, 110, 103, 3, 97, 98, 99,
        ];
        let plain = decompress(block, 23).unwrap();
        assert_eq!(&plain[plain.len() - 4..], b"\x03abc");
        assert_eq!(decompress(block, 22).unwrap_err().code, 307);
    }

    proptest! {
        #[test]
        fn blocks_round_trip(plain in prop::collection::vec(any::<u8>(), 0..5000)) {
            prop_assert_eq!(decompress(&compress(&plain), plain.len()).unwrap(), plain);
        }

        #[test]
        fn damage_is_noticed_and_never_panics(
            plain in prop::collection::vec(0_u8..4, 1..2000), at in any::<prop::sample::Index>(), flip in 1_u8..,
        ) {
            let mut block = compress(&plain);
            let at = at.index(block.len());
            block[at] ^= flip;
            prop_assert!(decompress(&block, 1 << 20).is_err());
        }

        #[test]
        fn cut_blocks_are_refused(cut in any::<prop::sample::Index>()) {
            let block = compress(b"some bytes that repeat, some bytes that repeat");
            let cut = cut.index(block.len() - 1) + 1;
            prop_assert!(decompress(&block[..cut], 1 << 20).is_err() || cut == block.len());
        }
    }
}
