//! Connections that must not become links, and do no harm.
