//! ClickHouse exceptions as values, and their form on the wire.

use axum::http::StatusCode;

/// An error in ClickHouse's terms: a numeric code and the text `Code: N. DB::Exception: ...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    pub(crate) code: u32,
    pub(crate) text: String,
}

impl Exception {
    /// An error of the façade itself; `name` is ClickHouse's name of `code`.
    pub(crate) fn new(code: u32, name: &str, message: impl std::fmt::Display) -> Self {
        Self { code, text: format!("Code: {code}. DB::Exception: {message}. ({name})") }
    }

    /// Reads the engine's text; a text without a code counts as `STD_EXCEPTION`.
    pub(crate) fn from_engine(text: String) -> Self {
        match exception_code(&text) {
            Some(code) => Self { code, text },
            None => Self::new(1001, "STD_EXCEPTION", text),
        }
    }

    /// The HTTP status a ClickHouse server answers for this code.
    pub(crate) fn status(&self) -> StatusCode {
        match self.code {
            192 | 193 | 194 | 497 | 516 => StatusCode::FORBIDDEN,
            6
            | 20
            | 25..=27
            | 33
            | 36
            | 38
            | 40
            | 41
            | 43
            | 44
            | 53
            | 62
            | 69
            | 70
            | 72
            | 80
            | 117
            | 271
            | 456
            | 457 => StatusCode::BAD_REQUEST,
            16 | 46 | 47 | 50 | 56 | 60 | 73 | 81 | 115 => StatusCode::NOT_FOUND,
            159 | 209 => StatusCode::REQUEST_TIMEOUT,
            202 => StatusCode::SERVICE_UNAVAILABLE,
            307 => StatusCode::PAYLOAD_TOO_LARGE,
            48 => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The number in `Code: N.`, wherever the text begins with it or wraps it.
pub(crate) fn exception_code(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("Code: ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_from_the_text() {
        let text = "Code: 60. DB::Exception: Table app.nope does not exist. (UNKNOWN_TABLE)";
        assert_eq!(Exception::from_engine(text.into()).code, 60);
        assert_eq!(exception_code("bad response: Code: 241. DB::Exception: x"), Some(241));
        assert_eq!(exception_code("Code: . x"), None);
        assert_eq!(Exception::from_engine("boom".into()).code, 1001);
    }

    #[test]
    fn a_facade_error_reads_like_one_of_the_engine() {
        let error = Exception::new(164, "READONLY", "user 'r' may only read");
        assert_eq!(exception_code(&error.text), Some(164));
        assert!(error.text.ends_with("(READONLY)"));
    }
}
