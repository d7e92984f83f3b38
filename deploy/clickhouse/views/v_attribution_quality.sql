SELECT
    a.org AS org, a.window_start AS window_start,
    sum(a.sessions_count) AS selected_sessions,
    sumIf(a.sessions_count, a.attribution_status = 'resolved') AS resolved_sessions,
    sumIf(a.sessions_count, a.attribution_status = 'hardware_less') AS hardware_less_sessions,
    sumIf(a.sessions_count, a.attribution_status = 'stale') AS stale_sessions,
    sumIf(a.sessions_count, a.attribution_status = 'ambiguous') AS ambiguous_sessions,
    sumIf(a.sessions_count, a.attribution_status = 'unresolved') AS unresolved_sessions,
    sumIf(a.sessions_count, a.attribution_source = 'direct') AS direct_sessions,
    sumIf(a.sessions_count, a.attribution_source = 'mapped_window') AS mapped_window_sessions,
    sumIf(a.sessions_count, a.attribution_source = 'unattributed') AS unattributed_sessions,
    unattributed_sessions / selected_sessions AS unattributed_rate,
    mapped_window_sessions / nullIf(direct_sessions + mapped_window_sessions, 0) AS mapped_window_rate,
    sumMap(map(toString(a.attribution_reason), a.sessions_count)) AS reasons,
    any(a.window_state) AS window_state
FROM v_agg_attribution_1h AS a
GROUP BY org, window_start
