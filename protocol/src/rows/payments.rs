//! Payments in integer wei (decisions, "payments"). The view `fact_payment_events` adds whom they were for.

use super::binary::Decimal;
use super::spec::table;
use super::typed::RowContext;
use crate::capability::catalogue::{Hint, canonical_pipeline};
use crate::event::{Event, Payment};
use crate::payment;
use crate::time::Timestamp;

table! {
    /// Payment tickets in wei: one row per payment event. Read `fact_payment_events`, which links them.
    pub struct PaymentTicket<'a> = "fact_payment_tickets" {
        replacing: (version, is_deleted),
        partition: "toYYYYMM(payment_ts)",
        order: [org, payment_ts, source_event_uid],
        ttl: "payment_date" + 180 days,
        bloom: [request_id, session_id, recipient],
        touches: payment_ts,
        columns: {
            /// Organisation, from the source topic.
            org: &'a str [low],
            /// Envelope time, UTC, gateway clock.
            payment_ts: Timestamp,
            /// Uid of the event that this row is about; never empty.
            source_event_uid: &'a str,
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
            /// Workflow class that the model implies; '' when unknown.
            pipeline: &'a str [low],
            /// Model label in the manifest id; '' when unknown.
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

impl<'a> PaymentTicket<'a> {
    /// The row of a payment event whose manifest has the `hint`; `None` for amounts that the gate does
    /// not let through.
    pub fn from_event(
        ctx: &RowContext<'a>,
        event: &'a Event<'a>,
        (body, hint): (&'a Payment<'a>, &'a Hint<'a>),
    ) -> Option<Self> {
        let amounts = payment::parse(body).ok()?;
        Some(Self {
            org: ctx.org,
            payment_ts: event.event_ts,
            source_event_uid: &event.uid,
            request_id: body.request_id.trim(),
            session_id: &body.session_id,
            manifest_id: &body.manifest_id,
            gateway: &event.gateway,
            sender: &body.sender,
            recipient: &body.recipient,
            orchestrator_url: &body.orchestrator_url,
            pipeline: canonical_pipeline(&hint.pipeline, &hint.model),
            model_id: &hint.model,
            face_value_wei: amounts.face_value_wei,
            num_tickets: amounts.num_tickets,
            win_prob: Decimal(amounts.win_prob.into()),
            expected_value_wei: Decimal(amounts.expected_value),
            price_wei_per_pixel: Decimal(amounts.price_per_pixel.cast_signed()),
            face_value_text: &body.face_value,
            is_deleted: false,
            version: ctx.version,
            ingestion_timestamp: ctx.now,
        })
    }
}
