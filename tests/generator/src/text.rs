//! Building JSON text straight into a reused buffer.

/// Appending to a line.
pub(crate) trait Put {
    /// Verbatim text.
    fn text(&mut self, text: &str) -> &mut Self;
    /// Decimal integer.
    fn int(&mut self, value: i64) -> &mut Self;
    /// `value / 1000` with three decimals.
    fn milli(&mut self, value: i64) -> &mut Self;
    /// Lower-case hex of the lowest `digits` digits.
    fn hex(&mut self, value: u64, digits: u32) -> &mut Self;
    /// UUID form 8-4-4-4-12.
    fn uuid(&mut self, value: u128) -> &mut Self;
    /// JSON string with the producer's escapes.
    fn string(&mut self, text: &str) -> &mut Self;
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Put for Vec<u8> {
    fn text(&mut self, text: &str) -> &mut Self {
        self.extend_from_slice(text.as_bytes());
        self
    }

    fn int(&mut self, value: i64) -> &mut Self {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = value.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            self.push(b'-');
        }
        self.extend_from_slice(&digits[at..]);
        self
    }

    fn milli(&mut self, value: i64) -> &mut Self {
        self.int(value / 1000);
        let rest = (value % 1000).unsigned_abs();
        if rest != 0 {
            let digits = [
                b'0' + (rest / 100) as u8,
                b'0' + (rest / 10 % 10) as u8,
                b'0' + (rest % 10) as u8,
            ];
            self.push(b'.');
            self.extend_from_slice(&digits);
        }
        self
    }

    fn hex(&mut self, value: u64, digits: u32) -> &mut Self {
        for digit in (0..digits).rev() {
            self.push(HEX[(value >> (4 * digit) & 0xf) as usize]);
        }
        self
    }

    fn uuid(&mut self, value: u128) -> &mut Self {
        let (high, low) = ((value >> 64) as u64, value as u64);
        self.hex(high >> 32, 8).text("-").hex(high >> 16, 4).text("-").hex(high, 4).text("-");
        self.hex(low >> 48, 4).text("-").hex(low, 12)
    }

    fn string(&mut self, text: &str) -> &mut Self {
        self.push(b'"');
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => self.extend_from_slice(&[b'\\', byte]),
                b'\n' => self.extend_from_slice(b"\\n"),
                b'<' | b'>' | b'&' | 0..=0x1f => {
                    self.text("\\u00").hex(u64::from(byte), 2);
                }
                _ => self.push(byte),
            }
        }
        self.push(b'"');
        self
    }
}

/// UUID text.
pub(crate) fn uuid_text(value: u128) -> String {
    let mut text = Vec::with_capacity(36);
    text.uuid(value);
    text.into_iter().map(char::from).collect()
}

/// `0x…` text of an address, lower case.
pub(crate) fn address(bytes: &[u8; 20]) -> String {
    let mut text = String::with_capacity(42);
    text.push_str("0x");
    for byte in bytes {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 0xf)]));
    }
    text
}

/// The same address as capability documents and payments spell it: mixed case.
pub(crate) fn mixed_case(address: &str) -> String {
    let (prefix, digits) = address.split_at(2.min(address.len()));
    let upper = |(at, c): (usize, char)| if at * 7 % 5 < 2 { c.to_ascii_uppercase() } else { c };
    prefix.chars().chain(digits.chars().enumerate().map(upper)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(build: impl Fn(&mut Vec<u8>) -> &mut Vec<u8>) -> String {
        let mut line = Vec::new();
        build(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn numbers() {
        assert_eq!(
            built(|l| l.int(i64::MIN).text(" ").int(0).text(" ").int(907)),
            "-9223372036854775808 0 907"
        );
        assert_eq!(
            built(|l| l.milli(17_298).text(" ").milli(20_000).text(" ").milli(7)),
            "17.298 20 0.007"
        );
        assert_eq!(built(|l| l.hex(0xdb93_6fab, 8)), "db936fab");
        assert_eq!(
            uuid_text(0x5948_5235_8460_472f_a894_3b84_f37e_e9bb),
            "59485235-8460-472f-a894-3b84f37ee9bb"
        );
    }

    #[test]
    fn strings_are_escaped_as_the_gateway_does() {
        let text = "a\"b\\c\nd<e>&";
        let line = built(|l| l.string(text));
        assert_eq!(line, r#""a\"b\\c\nd\u003ce\u003e\u0026""#);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
