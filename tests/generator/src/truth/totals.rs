//! Counts over all lines of a plan.

use std::collections::BTreeMap;

use crate::delivery::Delivery;
use crate::session::Fate;
use crate::text::Put;

/// What must come out of the quality gate. Every line has exactly one outcome:
/// `lines` = accepted + ignored + dead letters + quarantined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Lines of the file.
    pub lines: u64,
    /// Lines by envelope `type`; broken lines count as `garbage`.
    pub events_by_family: BTreeMap<&'static str, u64>,
    /// Distinct accepted events by family.
    pub accepted_by_family: BTreeMap<&'static str, u64>,
    /// Ignored lines by reason.
    pub ignored: BTreeMap<&'static str, u64>,
    /// Rejected lines by reason.
    pub dead_letters: BTreeMap<&'static str, u64>,
    /// Quarantined lines by reason; `duplicate_event` = deliveries beyond the first of a uid.
    pub quarantined: BTreeMap<&'static str, u64>,
    /// Sessions with at least one accepted signal.
    pub sessions: u64,
}

impl Totals {
    pub(crate) fn count(&mut self, delivery: &Delivery) {
        let family = delivery.event.family();
        self.lines += 1;
        *self.events_by_family.entry(family).or_default() += 1;
        let (table, key) = match delivery.fate() {
            Fate::Accepted => (&mut self.accepted_by_family, family),
            Fate::Ignored(reason) => (&mut self.ignored, reason),
            Fate::DeadLetter(reason) => (&mut self.dead_letters, reason),
            Fate::Quarantined(reason) => (&mut self.quarantined, reason),
        };
        *table.entry(key).or_default() += 1;
    }

    /// Distinct accepted events.
    pub fn accepted(&self) -> u64 {
        self.accepted_by_family.values().sum()
    }

    /// Deliveries beyond the first of an accepted uid.
    pub fn duplicates(&self) -> u64 {
        self.quarantined.get("duplicate_event").copied().unwrap_or(0)
    }

    /// Header line of the truth file.
    pub(crate) fn write(&self, line: &mut Vec<u8>) {
        line.text("{\"kind\":\"totals\",\"lines\":").int(self.lines as i64);
        line.text(",\"accepted\":").int(self.accepted() as i64);
        line.text(",\"duplicates\":").int(self.duplicates() as i64);
        line.text(",\"sessions\":").int(self.sessions as i64);
        let tables = [
            ("events_by_family", &self.events_by_family),
            ("accepted_by_family", &self.accepted_by_family),
            ("ignored", &self.ignored),
            ("dead_letters", &self.dead_letters),
            ("quarantined", &self.quarantined),
        ];
        for (name, table) in tables {
            line.text(",\"").text(name).text("\":{");
            for (at, (key, count)) in table.iter().enumerate() {
                line.text(if at == 0 { "" } else { "," }).string(key).text(":").int(*count as i64);
            }
            line.push(b'}');
        }
        line.text("}\n");
    }
}
