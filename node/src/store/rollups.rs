//! Published figures: computed by the store itself, slice by slice (`naap_protocol::rollup`).

use std::collections::{BTreeMap, BTreeSet};

use clickhouse::query::Query;
use naap_actors::rollup::{Recompute, Recomputed, RollupError, RollupStore};
use naap_protocol::rollup::{Gold, OPEN_UNTIL_SQL, PAYMENT_HOURS_SQL, ROLLUPS, Rollup, Scope};
use naap_protocol::slice::HOUR_MS;
use naap_protocol::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Store, StoreError, failed};
use crate::times::stamp;

const DAY_MS: i64 = 24 * HOUR_MS;
/// Slices of days are of all organisations together.
const EVERY_ORG: &str = "";
/// Hours of one question: they travel in an address, which may not be long.
const ASKED_HOURS: usize = 240;

/// Computes and publishes slices in a store.
#[derive(Debug)]
pub struct StoreRollups {
    client: clickhouse::Client,
    gold: Gold,
}

/// The slices of one statement, with their parameters.
struct Slices<'a> {
    org: &'a str,
    starts: Vec<String>,
    open_until: Vec<String>,
}

impl StoreRollups {
    /// Figures of the tables of `store`, those of orchestrators from evidence that is `gold`.
    pub fn new(store: &Store, gold: Gold) -> Self {
        Self { client: store.tables(), gold }
    }

    /// Computes every relation for the slices of `work`, one after the other, and publishes it.
    async fn compute(&self, work: &Recompute, run: &str) -> Result<(), StoreError> {
        let org = work.slices.org.as_str();
        let hours = &self.with_payments(org, &work.slices.hours).await?;
        let days: BTreeSet<Timestamp> = hours.iter().copied().map(day_of).collect();
        let open = self.open_until(&days).await?;
        let until =
            |hour: &Timestamp| open.get(&(*hour, org.to_owned())).copied().unwrap_or_default();
        let hourly = Slices {
            org,
            starts: hours.iter().copied().map(stamp).collect(),
            open_until: hours.iter().map(|hour| stamp(until(hour))).collect(),
        };
        let mut days: BTreeMap<_, _> =
            days.iter().map(|day| (*day, Timestamp::default())).collect();
        for ((hour, _), until) in &open {
            let known = days.entry(day_of(*hour)).or_default();
            *known = (*until).max(*known);
        }
        let daily = Slices {
            org: EVERY_ORG,
            starts: days.keys().copied().map(stamp).collect(),
            open_until: days.values().copied().map(stamp).collect(),
        };
        for rollup in ROLLUPS {
            let slices = match rollup.scope {
                Scope::OrgHour => &hourly,
                Scope::Day => &daily,
            };
            self.publish(rollup, slices, work, run).await?;
        }
        Ok(())
    }

    async fn publish(
        &self,
        rollup: &Rollup,
        slices: &Slices<'_>,
        work: &Recompute,
        run: &str,
    ) -> Result<(), StoreError> {
        let name = rollup.table.name;
        let bind = |sql: String| {
            let query = self.client.query_raw(&sql).param("org", slices.org);
            let query = query.param("hours", &slices.starts).param("gold", self.gold.sources());
            query.param("slice_version", work.version)
        };
        let compute = bind(rollup.recompute_sql()).execute().await;
        compute.map_err(|e| failed(&format!("compute {name}"), &e))?;
        let publish = bind(rollup.publish_sql()).param("open_until", &slices.open_until);
        let publish = publish.param("now", stamp(work.now)).param("run", run).execute().await;
        publish.map_err(|e| failed(&format!("publish {name}"), &e))
    }

    /// From when on no session of each hour of `days`, by organisation, can change any more.
    async fn open_until(
        &self,
        days: &BTreeSet<Timestamp>,
    ) -> Result<BTreeMap<(Timestamp, String), Timestamp>, StoreError> {
        #[derive(Deserialize)]
        struct Found {
            org: String,
            window_start: i64,
            open_until: i64,
        }
        let hours = days
            .iter()
            .flat_map(|day| (0..24).map(|hour| Timestamp(day.0.saturating_add(hour * HOUR_MS))));
        let hours: Vec<Timestamp> = hours.collect();
        let mut until = BTreeMap::new();
        for some in hours.chunks(ASKED_HOURS) {
            let found: Vec<Found> =
                self.rows("look for open sessions", OPEN_UNTIL_SQL, EVERY_ORG, some).await?;
            let row =
                |row: Found| ((Timestamp(row.window_start), row.org), Timestamp(row.open_until));
            until.extend(found.into_iter().map(row));
        }
        Ok(until)
    }

    /// The hours, and those of payments for sessions that started in them: what such a session is called
    /// may have changed, and only its start tells.
    async fn with_payments(
        &self,
        org: &str,
        hours: &[Timestamp],
    ) -> Result<Vec<Timestamp>, StoreError> {
        #[derive(Deserialize)]
        struct Paid {
            window_start: i64,
        }
        let paid: Vec<Paid> = self.rows("look for payments", PAYMENT_HOURS_SQL, org, hours).await?;
        let paid = paid.into_iter().map(|row| Timestamp(row.window_start));
        Ok(hours.iter().copied().chain(paid).collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// The rows that facts have for hours of an organisation.
    async fn rows<T: DeserializeOwned>(
        &self,
        what: &str,
        sql: &str,
        org: &str,
        hours: &[Timestamp],
    ) -> Result<Vec<T>, StoreError> {
        let sql = format!("{sql} SETTINGS output_format_json_quote_64bit_integers = 0");
        let hours: Vec<String> = hours.iter().copied().map(stamp).collect();
        let query: Query = self.client.query_raw(&sql).param("org", org).param("hours", hours);
        let mut answer = query.fetch_bytes("JSONEachRow").map_err(|e| failed(what, &e))?;
        let bytes = answer.collect().await.map_err(|e| failed(what, &e))?;
        let lines = bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| Ok(serde_json::from_slice(line)?)).collect()
    }
}

/// The day of an hour.
fn day_of(hour: Timestamp) -> Timestamp {
    Timestamp(hour.0.div_euclid(DAY_MS).saturating_mul(DAY_MS))
}

impl RollupStore for StoreRollups {
    fn recompute(&self, work: Recompute) -> Recomputed<'_> {
        Box::pin(async move {
            self.compute(&work, "").await.map_err(|error| RollupError(error.to_string()))
        })
    }
}
