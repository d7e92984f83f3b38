//! What ends in `ClickHouse`: every table, its rows and their encoding.
//!
//! One definition per table ([`spec`]) gives the row struct, its documentation, the `RowBinary`
//! encoding, the DDL with column comments ([`ddl`], [`migrations`]), the check for drift and the
//! fingerprint. Writers send `RowBinaryWithNamesAndTypes`: [`spec::TableSpec::rowbinary_header`],
//! then rows by [`spec::append`]. Readers always use `FINAL`.
//!
//! Null rule of every table: unknown text that identifies something is `''`; numbers and times
//! without evidence are NULL; a measured zero is 0.

pub mod binary;
pub mod capabilities;
pub mod cells;
pub mod ddl;
mod decode;
pub mod dims;
pub mod drift;
pub mod ingest;
pub mod latency;
pub mod legs;
pub mod migrations;
pub mod payments;
pub mod quality;
pub mod raw;
pub mod reject_message;
pub mod rejects;
pub mod rollups;
pub mod samples;
pub mod serving;
pub mod sessions;
pub mod signals;
pub mod spec;
pub mod transport;
pub mod typed;

pub use spec::{
    FINGERPRINT_SETTINGS, MAX_ROW_BYTES, PARTITIONS_APART, Row, RowTooLarge, TableSpec, append,
};

/// Every table, in the order of the migrations.
pub const ALL: &[&TableSpec] = &[
    <raw::RawStreamingEvent<'static> as Row>::SPEC,
    <rejects::DeadLetter<'static> as Row>::SPEC,
    <rejects::Quarantined<'static> as Row>::SPEC,
    <rejects::Ignored<'static> as Row>::SPEC,
    <raw::RawAiStreamStatus<'static> as Row>::SPEC,
    <raw::RawStreamTraceEvent<'static> as Row>::SPEC,
    <raw::RawAiStreamEvent<'static> as Row>::SPEC,
    <raw::RawStreamIngestMetrics<'static> as Row>::SPEC,
    <raw::RawDiscoveryResult<'static> as Row>::SPEC,
    <raw::RawPaymentEvent<'static> as Row>::SPEC,
    <capabilities::RawNetworkCapability<'static> as Row>::SPEC,
    <capabilities::RawAdvertisedCapability<'static> as Row>::SPEC,
    <capabilities::RawModelConstraint<'static> as Row>::SPEC,
    <capabilities::RawCapabilityPrice<'static> as Row>::SPEC,
    <dims::CapabilitySnapshot<'static> as Row>::SPEC,
    <dims::AdvertisedSnapshot<'static> as Row>::SPEC,
    <dims::ModelConstraintSnapshot<'static> as Row>::SPEC,
    <dims::PriceSnapshot<'static> as Row>::SPEC,
    <dims::CapabilityCurrent<'static> as Row>::SPEC,
    <dims::GpuCurrent<'static> as Row>::SPEC,
    <dims::GpuFirstSeen<'static> as Row>::SPEC,
    <sessions::Session<'static> as Row>::SPEC,
    <sessions::Segment<'static> as Row>::SPEC,
    <sessions::Swap<'static> as Row>::SPEC,
    <sessions::SessionCoverage<'static> as Row>::SPEC,
    <sessions::StatusHour<'static> as Row>::SPEC,
    <latency::Latency<'static> as Row>::SPEC,
    <signals::EdgeCoverage<'static> as Row>::SPEC,
    <signals::ParamUpdate<'static> as Row>::SPEC,
    <samples::StatusSample<'static> as Row>::SPEC,
    <samples::TraceEdge<'static> as Row>::SPEC,
    <ingest::IngestSample<'static> as Row>::SPEC,
    <transport::TransportSample<'static> as Row>::SPEC,
    <payments::PaymentTicket<'static> as Row>::SPEC,
    <rollups::RollupSlice<'static> as Row>::SPEC,
    <serving::OrchestratorHour<'static> as Row>::SPEC,
    <serving::DemandHour<'static> as Row>::SPEC,
    <serving::FpsFiveMinutes<'static> as Row>::SPEC,
    <serving::StartupHour<'static> as Row>::SPEC,
    <serving::AttributionHour<'static> as Row>::SPEC,
    <serving::QualityBenchmark<'static> as Row>::SPEC,
    <quality::CheckResult<'static> as Row>::SPEC,
    <legs::TransportHour<'static> as Row>::SPEC,
    <legs::TransportMinute<'static> as Row>::SPEC,
    <legs::IngestHour<'static> as Row>::SPEC,
    <legs::IngestMinute<'static> as Row>::SPEC,
];

/// The table with this name.
pub fn table(name: &str) -> Option<&'static TableSpec> {
    ALL.iter().copied().find(|spec| spec.name == name)
}

#[cfg(test)]
mod tests;
