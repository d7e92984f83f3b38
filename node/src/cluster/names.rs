//! Names of the metrics of links.

/// Bytes that went over links, by `way`.
pub(super) const LINK_BYTES: &str = "naap_link_bytes_total";
/// Links opened.
pub(super) const LINK_OPENED: &str = "naap_link_opened_total";
/// Links that ended, by `reason`.
pub(super) const LINK_CLOSED: &str = "naap_link_closed_total";
/// Connections that did not become a link, by `reason`.
pub(super) const LINK_REFUSED: &str = "naap_link_refused_total";
/// Connections whose handshake is under way.
pub(super) const LINK_PENDING: &str = "naap_link_handshakes";
/// Duration of handshakes that succeeded, seconds.
pub(super) const HANDSHAKE_SECONDS: &str = "naap_link_handshake_seconds";
/// Certificates read again because a file changed, by `outcome`.
pub(super) const CERTIFICATE_RELOADS: &str = "naap_link_certificate_reloads_total";
