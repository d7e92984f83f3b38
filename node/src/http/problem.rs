//! Refusals and failures as `application/problem+json` (RFC 7807).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request is not answered as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: String,
}

impl Problem {
    /// The request is wrong; the sentence says what to write instead.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, title: "bad request", detail: detail.into() }
    }

    /// There is no such thing.
    pub fn missing(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, title: "not found", detail: detail.into() }
    }

    /// The id names several things.
    pub fn ambiguous(detail: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, title: "not unique", detail: detail.into() }
    }

    /// The method is not one of this address.
    pub fn method() -> Self {
        let detail = "this interface only reads; use GET".to_owned();
        Self { status: StatusCode::METHOD_NOT_ALLOWED, title: "method not allowed", detail }
    }

    /// Too many requests are under way.
    pub fn busy() -> Self {
        let detail = "as many requests as allowed are under way; try again in a second".to_owned();
        Self { status: StatusCode::TOO_MANY_REQUESTS, title: "too many requests", detail }
    }

    /// The store does not answer.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, title: "store unavailable", detail: detail.into() }
    }

    /// The sentence.
    #[cfg(test)]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let mut response = (self.status, [kind], body.to_string()).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            _ => {}
        }
        response
    }
}
