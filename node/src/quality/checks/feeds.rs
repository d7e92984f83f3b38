//! Transport legs, inventory and the views around them (backlog 001, 006, 007, 008).

use super::super::{Check, How, Pack, Seed, Tier};

pub const CHECKS: &[Check] = &[
    Check {
        id: "N-11",
        title: "ingest figures of a key and hour are the sums of its samples; no delta is negative",
        relation: "agg_ingest_quality_1h",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, hour, gateway, pipeline_id, model, area, sumForEach(figures) AS differences, min(least_delta) AS smallest_delta \
             FROM (SELECT org, toDateTime64(toStartOfHour(i.gateway_ts), 3, 'UTC') AS hour, if(there, s.gateway, i.gateway) AS gateway, \
             if(there, s.pipeline, i.pipeline) AS pipeline_id, if(there, s.model_id, i.model_id) AS model, \
             if(there, s.region, i.region) AS area, arrayMap(n -> toInt64(n), [1, bytes_received_delta, bytes_sent_delta, \
             ifNull(video_packets_received_delta, 0), ifNull(video_packets_lost_delta, 0), ifNull(audio_packets_received_delta, 0), \
             ifNull(audio_packets_lost_delta, 0)]) AS figures, arrayMin(figures) AS least_delta FROM @ingest AS i LEFT JOIN \
             (SELECT org, workflow_session_id, gateway, pipeline, model_id, region, 1 AS there FROM @sessions_of_ingest) AS s \
             USING (org, workflow_session_id) UNION ALL SELECT org, window_start, gateway, pipeline_id, model_id, region, \
             arrayMap(n -> -toInt64(n), [samples, bytes_received, bytes_sent, video_packets_received, video_packets_lost, \
             audio_packets_received, audio_packets_lost]), 0 FROM v_agg_ingest_quality_1h \
             WHERE @org AND window_start >= @from AND window_start < @to) GROUP BY org, hour, gateway, pipeline_id, model, area \
             HAVING arrayExists(d -> d != 0, differences) OR smallest_delta < 0",
        ),
        remedy: "differences are of samples, bytes received and sent, video packets received and lost, and audio packets; \
                 the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 8, backlog 006",
        // The hour still has its bytes.
        seed: Seed::sql(
            "agg_ingest_quality_1h",
            &["INSERT INTO agg_ingest_quality_1h SELECT * REPLACE('elsewhere' AS gateway) FROM (SELECT * FROM agg_ingest_quality_1h FINAL \
               WHERE bytes_received > 0 ORDER BY window_start, gateway LIMIT 1)",
              "INSERT INTO agg_ingest_quality_1h SELECT * REPLACE(0 AS samples, 0 AS bytes_received, 0 AS bytes_sent, \
               slice_version + 1 AS slice_version) FROM (SELECT * FROM agg_ingest_quality_1h FINAL WHERE bytes_received > 0 \
               AND gateway != 'elsewhere' ORDER BY window_start, gateway LIMIT 1)"],
        ),
    },
    Check {
        id: "N-12",
        title: "a GPU of the inventory is once and has an id; no column tells how it performs",
        relation: "v_api_gpu_inventory_current",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, orchestrator_address, orchestrator_url, gpu_id, count() AS rows FROM v_api_gpu_inventory_current \
             WHERE @org GROUP BY ALL HAVING rows > 1 OR gpu_id = '' UNION ALL SELECT '', '', 'column', name, 1 FROM system.columns \
             WHERE database = currentDatabase() AND table = 'v_api_gpu_inventory_current' \
             AND match(name, 'fps|latency|jitter|sla|score|success|session|minutes|mbps')",
        ),
        remedy: "run `naap schema check`",
        source: "quality.md 8, backlog 007",
        seed: Seed::view(
            "v_api_gpu_inventory_current",
            "SELECT 'cloud_spe' AS org, '' AS orchestrator_address, '' AS orchestrator_url, '' AS gpu_id",
        ),
    },
    Check {
        id: "N-12b",
        title: "the GPUs on record of a URL are those of its newest advertisement, with its labels",
        relation: "dim_orchestrator_gpu_current",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            // Of two advertisements of one moment a hash decides, and of two contents of one uid the newer one stays:
            // neither can be told from these tables.
            "SELECT org, url, orchestrator_address, gpu, name, classes, models, slots, sum(a) AS advertised, sum(b) AS on_record FROM (SELECT org, \
             orchestrator_url AS url, orchestrator_address, lower(trim(gpu_id)) AS gpu, source_event_uid AS uid, toString(argMin(gpu_name, element)) AS name, \
             arraySort(groupUniqArrayIf(toString(pipeline), pipeline != '')) AS classes, arraySort(groupUniqArrayIf(model_id, model_id != '')) AS models, \
             max(capacity) AS slots, 1 AS a, 0 AS b FROM @all_snapshots \
             WHERE gpu_id != '' AND (org, url, uid) IN (SELECT org, orchestrator_url, argMax(source_event_uid, snapshot_ts) \
             FROM @all_snapshots GROUP BY org, orchestrator_url) GROUP BY org, url, orchestrator_address, gpu, uid \
             UNION ALL SELECT org, orchestrator_url, orchestrator_address, lower(gpu_id), \
             source_event_uid, toString(gpu_model_name), pipelines, model_ids, capacity, 0, 1 FROM (SELECT *, max(version) OVER (PARTITION BY org, orchestrator_url) AS newest \
             FROM dim_orchestrator_gpu_current FINAL WHERE @org) WHERE version = newest AND gpu_id != '') \
             WHERE (org, url) NOT IN (SELECT org, orchestrator_url FROM (SELECT *, max(snapshot_ts) OVER (PARTITION BY org, \
             orchestrator_url) AS latest FROM @all_snapshots) WHERE snapshot_ts = latest GROUP BY org, orchestrator_url \
             HAVING uniqExact(source_event_uid) > 1) AND (org, url) NOT IN (SELECT org, orchestrator_url \
             FROM dim_orchestrator_gpu_current FINAL WHERE (org, source_event_uid) IN (SELECT org, assumeNotNull(dedup_key) \
             FROM raw_streaming_events_quarantine WHERE failure_reason = 'id_conflict' AND dedup_key IS NOT NULL)) \
             GROUP BY org, url, orchestrator_address, gpu, uid, name, classes, models, slots HAVING advertised != on_record",
        ),
        remedy: "rows may be under way: look again; else replay the newest capability events of the gateway",
        source: "quality.md 8 (N-12), backlog 007",
        seed: Seed::change("dim_orchestrator_gpu_current", "'GPU-sold' AS gpu_id", "gpu_id != ''"),
    },
    Check {
        id: "N-13",
        title: "the enriched GPU view has the rows of the GPU view, with the same figures",
        relation: "v_api_gpu_metrics_enriched",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            concat!(
                "SELECT org, window_start, orchestrator_address, pipeline_id, model_id, gpu_id, region, sum(a) AS plain, ",
                "sum(b) AS enriched FROM (SELECT *, 1 AS a, 0 AS b FROM v_api_gpu_metrics UNION ALL ",
                // Whatever it adds; a shared column that is missing here makes the statement fail.
                "SELECT * EXCEPT (orchestrator_url, orchestrator_version, gpu_memory_bytes_free, capacity, capacity_in_use, warm, ",
                "price_per_unit, pixels_per_unit, metadata_snapshot_ts, metadata_age_seconds, advertised_capacity_minutes, ",
                "sla_score, effective_success_rate, no_swap_rate, sla_semantics_version), 0, 1 FROM v_api_gpu_metrics_enriched) ",
                "WHERE @org AND window_start >= @from AND window_start < @to GROUP BY * EXCEPT (a, b) HAVING plain != enriched"
            ),
        ),
        remedy: "a lookup of the enriched view answers several rows: run `naap schema check`",
        source: "quality.md 8, backlog 008",
        seed: Seed::view(
            "v_api_gpu_metrics_enriched",
            "SELECT * FROM {sound} UNION ALL (SELECT * FROM {sound} ORDER BY window_start, gpu_id LIMIT 1)",
        )
        .also(&["R2"]),
    },
    Check {
        id: "N-24",
        title: "transport deltas of a stream add up to its counters, over every reset",
        relation: "fact_orchestrator_transport_bandwidth",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            // Each counter begins anew by itself, where the next sample shows less; after the last one comes 0. The
            // first sample adds all that it shows, whatever its number. Where the begin is as old as its retention the
            // rest goes a day at a time, so what remains can begin with a difference.
            "SELECT org, workflow_session_id, attempt, link_type, channel, observer, sum(rx_bytes) AS rx, \
             sumIf(rx_bytes_total, rx_bytes_total > rx_next) AS rx_counter, sum(tx_bytes) AS tx, \
             sumIf(tx_bytes_total, tx_bytes_total > tx_next) AS tx_counter FROM (SELECT *, \
             leadInFrame(rx_bytes_total, 1, toUInt64(0)) OVER w AS rx_next, leadInFrame(tx_bytes_total, 1, toUInt64(0)) OVER w AS tx_next \
             FROM @all_transport WHERE (org, workflow_session_id, attempt, link_type, channel, observer) IN (SELECT org, \
             workflow_session_id, attempt, link_type, channel, observer FROM @transport) \
             WINDOW w AS (PARTITION BY org, workflow_session_id, attempt, link_type, channel, observer ORDER BY sample_seq \
             ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) \
             GROUP BY org, workflow_session_id, attempt, link_type, channel, observer \
             HAVING (rx != rx_counter OR tx != tx_counter) \
             AND (min(sample_seq) = 0 OR min(sample_ts) > now64(3) - INTERVAL 178 DAY)",
        ),
        remedy: "samples are missing or counted twice: tell the session with `naap explain session`",
        source: "quality.md 8, backlog 001",
        seed: Seed::sql(
            "fact_orchestrator_transport_bandwidth",
            &[
                "INSERT INTO fact_orchestrator_transport_bandwidth (org, workflow_session_id, sample_ts, rx_bytes, rx_bytes_total, \
               source_system, link_type) SELECT 'cloud_spe', 'a|b', toDateTime64('2026-01-01 00:10:00', 3, 'UTC'), 5, 9, \
               'stream_transport_metrics', 'gateway_to_orchestrator'",
            ],
        ),
    },
    Check {
        id: "N-24b",
        title: "transport bytes of an hour and of its minutes are those of the samples, exactly",
        relation: "agg_transport_bandwidth_1h",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            concat!(
                "SELECT org, hour, sum(a) AS rx, sum(b) AS rx_of_hour, sum(c) AS tx, sum(d) AS tx_of_hour, sum(e) AS rx_of_minutes, ",
                "sum(f) AS tx_of_minutes, max(minutely) AS has_minutes FROM (SELECT org, toDateTime64(piece.1 * 3600, 3, 'UTC') AS hour, ",
                "piece.2 AS a, 0 AS b, piece.3 AS c, 0 AS d, 0 AS e, 0 AS f, 0 AS minutely FROM (SELECT org, arrayJoin(arrayZip(",
                "arrayMap(m -> intDiv(m.1, 60), minutes), arrayPushBack(rx_floors, toUInt64(rx_bytes - arraySum(rx_floors))), ",
                "arrayPushBack(tx_floors, toUInt64(tx_bytes - arraySum(tx_floors))))) AS piece FROM (SELECT org, rx_bytes, tx_bytes, ",
                "toUnixTimestamp64Milli(sample_ts) AS ends, if(ifNull(interval_ms, 0) > 3600000, 0, toInt64(ifNull(interval_ms, 0))) ",
                "AS lasted, arrayMap(m -> (m, greatest(0, least(ends, (m + 1) * 60000) - greatest(ends - lasted, m * 60000))), ",
                "range(intDiv(ends - lasted, 60000), intDiv(ends - (lasted > 0), 60000) + 1)) AS minutes, ",
                "arrayPopBack(arrayMap(m -> toUInt64(intDiv(toUInt128(rx_bytes) * toUInt128(m.2), greatest(lasted, 1))), minutes)) ",
                "AS rx_floors, arrayPopBack(arrayMap(m -> toUInt64(intDiv(toUInt128(tx_bytes) * toUInt128(m.2), greatest(lasted, 1))), ",
                "minutes)) AS tx_floors FROM @all_transport WHERE observer = 'gateway' AND channel = 'media' AND sample_ts >= @from ",
                "AND sample_ts < @to + INTERVAL 1 HOUR)) WHERE hour >= @from AND hour < @to ",
                "UNION ALL SELECT org, window_start, 0, rx_bytes, 0, tx_bytes, 0, 0, 0 FROM v_agg_transport_bandwidth_1h WHERE @org ",
                "AND window_start >= @from AND window_start < @to UNION ALL SELECT org, window_start, 0, 0, 0, 0, rx_bytes, tx_bytes, 1 ",
                "FROM v_agg_transport_bandwidth_1m WHERE @org AND window_start >= @from AND window_start < @to) GROUP BY org, hour ",
                // Minutes are kept for a shorter time.
                "HAVING rx != rx_of_hour OR tx != tx_of_hour OR (rx + tx > 0 AND (has_minutes ",
                "OR hour > toDateTime64(today(), 3, 'UTC') - INTERVAL 89 DAY) AND (rx != rx_of_minutes OR tx != tx_of_minutes))"
            ),
        ),
        remedy: "the slice may be under way: see naap_rollup_lag_seconds, then compute it again",
        source: "quality.md 8, backlog 001",
        seed: Seed::change(
            "agg_transport_bandwidth_1h",
            "rx_bytes + 1 AS rx_bytes",
            "rx_bytes > 0",
        ),
    },
    Check {
        id: "N-24c",
        title: "gateway and orchestrator count the same bytes on their link, within 5 %",
        relation: "fact_orchestrator_transport_bandwidth",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Warn,
            "SELECT org, hour, gateway, orchestrator_address, link_type, sum(of_gateway.1) AS rx, sum(of_orchestrator.1) AS rx_beside, \
             sum(of_gateway.2) AS tx, sum(of_orchestrator.2) AS tx_beside FROM (SELECT org, toStartOfHour(sample_ts) AS hour, \
             workflow_session_id, attempt, link_type, anyIf(gateway, observer = 'gateway') AS gateway, \
             anyIf(orchestrator_address, observer = 'gateway') AS orchestrator_address, \
             (sumIf(rx_bytes, observer = 'gateway'), sumIf(tx_bytes, observer = 'gateway')) AS of_gateway, \
             (sumIf(rx_bytes, observer = 'orchestrator'), sumIf(tx_bytes, observer = 'orchestrator')) AS of_orchestrator \
             FROM @transport WHERE channel = 'media' GROUP BY org, hour, workflow_session_id, attempt, link_type \
             HAVING uniqExact(observer) = 2) GROUP BY org, hour, gateway, orchestrator_address, link_type \
             HAVING abs(rx - rx_beside) > 0.05 * rx OR abs(tx - tx_beside) > 0.05 * tx",
        ),
        remedy: "the gateway counts; compare `quality_flags` of both observers for gaps before asking the operator",
        source: "backlog 001",
        seed: Seed::sql(
            "fact_orchestrator_transport_bandwidth",
            &[
                "INSERT INTO fact_orchestrator_transport_bandwidth SELECT * REPLACE('orchestrator' AS observer, 2 * rx_bytes AS rx_bytes, \
               2 * rx_bytes_total AS rx_bytes_total, 'x' || source_event_uid AS source_event_uid) \
               FROM fact_orchestrator_transport_bandwidth FINAL",
            ],
        ),
    },
    Check {
        id: "N-25",
        title: "transport between gateway and orchestrator never comes from the client's leg",
        relation: "fact_orchestrator_transport_bandwidth",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, workflow_session_id, link_type, source_system FROM fact_orchestrator_transport_bandwidth FINAL WHERE @org \
             AND sample_ts >= @from AND sample_ts < @to AND link_type = 'gateway_to_orchestrator' \
             AND source_system != 'stream_transport_metrics'",
        ),
        remedy: "a defect of the writer: report it with the record of the event",
        source: "quality.md 8, backlog 001",
        seed: Seed::sql(
            "fact_orchestrator_transport_bandwidth",
            &[
                "INSERT INTO fact_orchestrator_transport_bandwidth (org, workflow_session_id, sample_ts, source_system, link_type) \
               SELECT 'cloud_spe', 'a|b', toDateTime64('2026-01-01 00:10:00', 3, 'UTC'), 'stream_ingest_metrics', \
               'gateway_to_orchestrator'",
            ],
        ),
    },
    Check {
        id: "N-25b",
        title: "without telemetry a transport row says so and has no rate",
        relation: "v_api_transport_bandwidth",
        pack: Pack::Core,
        how: How::Rows(
            Tier::Fail,
            "SELECT org, window_start, orchestrator_address, gateway, telemetry_status, down_mbps_avg FROM v_api_transport_bandwidth \
             WHERE @org AND window_start >= @from AND window_start < @to AND ((samples = 0 AND (telemetry_status != 'no_telemetry' \
             OR down_mbps_avg IS NOT NULL OR up_mbps_avg IS NOT NULL)) OR (samples > 0 AND telemetry_status = 'no_telemetry'))",
        ),
        remedy: "run `naap schema check`",
        source: "quality.md 8, backlog 001",
        seed: Seed::view(
            "v_api_transport_bandwidth",
            "SELECT * REPLACE('ok' AS telemetry_status) FROM {sound}",
        ),
    },
];
