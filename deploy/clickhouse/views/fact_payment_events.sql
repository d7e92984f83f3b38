WITH
    sessions AS (
        SELECT org, request_id,
            groupArray((session_start_ts, ifNull(session_end_ts, session_start_ts), workflow_session_id, pipeline, model_id)) AS spans
        FROM fact_workflow_sessions FINAL
        WHERE request_id != ''
        GROUP BY org, request_id
    ),
    -- The session with the request id that ran at the time of the payment, or a minute from it; of several
    -- one that ran then, else the one that started last.
    own AS (
        SELECT p.*,
            arraySort(
                s -> (payment_ts < s.1 OR payment_ts > s.2, -toUnixTimestamp64Milli(s.1), s.3),
                arrayFilter(s -> payment_ts BETWEEN s.1 - INTERVAL 1 MINUTE AND s.2 + INTERVAL 1 MINUTE, s.spans)
            )[1] AS span,
            (span.3, span.4, span.5) AS named
        FROM (SELECT * FROM fact_payment_tickets FINAL) AS p
        LEFT JOIN sessions AS s ON s.org = p.org AND s.request_id = p.request_id
        SETTINGS join_use_nulls = 0
    ),
    firsts AS (
        SELECT org, session_id, recipient, payment_ts, argMin(named, source_event_uid) AS first_named
        FROM own
        WHERE named.1 != ''
        GROUP BY org, session_id, recipient, payment_ts
    ),
    -- A payment without request id is for the session of the last one with, of the same
    -- orchestrator session, if that is not older than a day.
    n.request_id = '' AND f.session_id != '' AND f.payment_ts >= n.payment_ts - INTERVAL 24 HOUR AS heuristic
SELECT
    n.org AS org, n.payment_ts AS payment_ts,
    multiIf(n.named.1 != '', n.named.1, heuristic, f.first_named.1, '') AS workflow_session_id,
    multiIf(n.named.1 != '', 'request_id', heuristic, 'session_id_heuristic', 'none') AS link_method,
    n.request_id AS request_id, n.session_id AS session_id, n.manifest_id AS manifest_id,
    n.gateway AS gateway, n.sender AS sender, n.recipient AS recipient, n.orchestrator_url AS orchestrator_url,
    multiIf(n.named.2 != '', n.named.2, heuristic AND f.first_named.2 != '', f.first_named.2, n.pipeline) AS pipeline,
    multiIf(n.named.3 != '', n.named.3, heuristic AND f.first_named.3 != '', f.first_named.3, n.model_id) AS model_id,
    n.face_value_wei AS face_value_wei, n.num_tickets AS num_tickets, n.win_prob AS win_prob,
    n.expected_value_wei AS expected_value_wei, n.price_wei_per_pixel AS price_wei_per_pixel,
    n.face_value_text AS face_value_text, n.source_event_uid AS source_event_uid, n.version AS version
FROM own AS n
ASOF LEFT JOIN firsts AS f
    ON f.org = n.org AND f.session_id = n.session_id AND f.recipient = n.recipient AND f.payment_ts <= n.payment_ts
SETTINGS join_use_nulls = 0
