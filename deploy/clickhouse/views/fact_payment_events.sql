WITH
    sessions AS (
        SELECT org, request_id, session_start_ts, argMin((workflow_session_id, pipeline, model_id), workflow_session_id) AS named
        FROM fact_workflow_sessions FINAL
        WHERE request_id != ''
        GROUP BY org, request_id, session_start_ts
    ),
    -- The session with the request id that started last, at most a minute after the payment.
    own AS (
        SELECT p.*, if(s.request_id = '', ('', '', ''), s.named) AS named
        FROM (SELECT *, payment_ts + INTERVAL 1 MINUTE AS latest_start FROM fact_payment_tickets FINAL) AS p
        ASOF LEFT JOIN sessions AS s
            ON s.org = p.org AND s.request_id = p.request_id AND s.session_start_ts <= p.latest_start
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
