//! Payments in integer wei (decisions, "payments").

use super::binary::Decimal;
use super::spec::table;
use crate::time::Timestamp;

table! {
    /// Payment tickets in wei: one row per payment event.
    pub struct PaymentEvent<'a> = "fact_payment_events" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(payment_ts)",
        order: [org, payment_ts, source_event_uid],
        ttl: "payment_date" + 180 days,
        bloom: [workflow_session_id, request_id, session_id, recipient],
        touches: payment_ts,
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time, UTC, gateway clock.
            payment_ts: Timestamp,
            /// Uid of the event that this row is about; never empty.
            source_event_uid: &'a str,
            /// Session that was paid for; '' when not linked.
            workflow_session_id: &'a str,
            /// How the session was found: `request_id`, `session_id_heuristic` or `none`.
            link_method: &'a str [low],
            /// Request id, only on the first payment of a stream; '' otherwise.
            request_id: &'a str,
            /// Auth-token session at the orchestrator, not a stream session; '' when absent.
            session_id: &'a str,
            /// Manifest id as sent; '' when absent.
            manifest_id: &'a str,
            /// Gateway of the signal; '' when unknown.
            gateway: &'a str [low],
            /// Payer wallet of the gateway, normalised; '' when unknown.
            sender: &'a str,
            /// Canonical orchestrator wallet, normalised; '' when unknown.
            recipient: &'a str,
            /// Service URI of the orchestrator, verbatim; '' when unknown.
            orchestrator_url: &'a str,
            /// Workflow class of the linked session or the model; '' when unknown.
            pipeline: &'a str [low],
            /// Model label of the linked session or the manifest; '' when unknown.
            model_id: &'a str [low],
            /// Face value of one ticket, wei.
            face_value_wei: u128,
            /// Number of tickets.
            num_tickets: u32,
            /// Winning probability of one ticket, 0 to 1.
            win_prob: Decimal<18, 10>,
            /// Face value times probability times tickets, wei.
            expected_value_wei: Decimal<76, 10>,
            /// Price, wei per pixel.
            price_wei_per_pixel: Decimal<38, 3>,
            /// Face value with its unit, verbatim.
            face_value_text: &'a str,
            /// 1 removes the row: its content was superseded under the same uid.
            is_deleted: bool,
            /// Write version (epoch and sequence); the greatest of a key is the row.
            version: u64,
            /// When the row was made, UTC, node clock.
            ingestion_timestamp: Timestamp,
        }
        derived: {
            /// Day of `payment_ts`, UTC.
            payment_date: Date = Materialized("toDate(payment_ts)"),
        }
    }
}
