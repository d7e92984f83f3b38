//! Laws of the definitions, and the committed migrations against them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use super::binary::Type;
use super::ddl::{codec, engine, indexes, keep_forever, retention};
use super::drift::{Difference, Installed, InstalledColumn, InstalledIndex, alter, drift};
use super::migrations::{MIGRATIONS, Migration};
use super::spec::{FINGERPRINT_EXCLUDED, Storage};
use super::*;
use crate::catalogue::{self, Entry};
use crate::rollup::{ROLLUPS, Rollup};
use crate::views;

/// Columns that contract and decisions name, typed in from their text, not from the definitions:
/// tables.md 2 and 7.5, lifecycle 2.2, 5.3, 6.1, 9 to 11, clarifications 14 and 34, backlog 001,
/// 002, 006, 010, 022, 023, decisions.
const CONTRACT: &[(&str, &str)] = &[
    (
        "raw_streaming_events",
        "id type timestamp gateway data event_timestamp event_date ingestion_timestamp org raw_event_uid
         source_topic source_partition source_offset source_record_timestamp",
    ),
    ("raw_streaming_events_dlq", REJECTED),
    ("raw_streaming_events_quarantine", REJECTED),
    (
        "raw_ignored_events",
        "ingest_timestamp ingest_date raw_event_uid org event_type source_topic raw_json ingestion_timestamp
         ignore_reason source_partition source_offset",
    ),
    (
        "raw_ai_stream_status",
        "event_timestamp event_date raw_event_uid org event_hour stream_id request_id gateway
         orchestrator_address orchestrator_url pipeline output_fps input_fps state restart_count last_error
         last_error_time prompt_text prompt_width prompt_height params_hash start_time raw_json
         ingestion_timestamp is_deleted version",
    ),
    (
        "raw_stream_ingest_metrics",
        "event_timestamp event_date raw_event_uid org stream_id request_id connection_quality video_jitter
         audio_jitter video_packets_received video_packets_lost audio_packets_received audio_packets_lost
         video_packet_loss_pct audio_packet_loss_pct video_rtt audio_rtt video_last_input_ts
         audio_last_input_ts video_latency audio_latency bytes_received bytes_sent raw_json
         ingestion_timestamp is_deleted version",
    ),
    (
        "raw_stream_trace_events",
        "event_timestamp event_date raw_event_uid org stream_id request_id orchestrator_address
         orchestrator_url trace_type data_timestamp raw_json ingestion_timestamp is_deleted version",
    ),
    (
        "raw_ai_stream_events",
        "event_timestamp event_date raw_event_uid org stream_id request_id pipeline event_type message
         capability raw_json ingestion_timestamp is_deleted version",
    ),
    (
        "raw_discovery_results",
        "event_timestamp event_date raw_event_uid org orchestrator_address orchestrator_url latency_ms
         raw_json ingestion_timestamp is_deleted version",
    ),
    (
        "raw_payment_events",
        "event_timestamp event_date raw_event_uid org request_id session_id manifest_id sender recipient
         orchestrator face_value price num_tickets win_prob client_ip capability raw_json
         ingestion_timestamp is_deleted version",
    ),
    (
        "raw_network_capabilities",
        "event_timestamp event_date raw_event_uid org source_event_id orchestrator_address local_address
         orch_uri gpu_id gpu_name gpu_memory_total gpu_memory_free gpu_major gpu_minor pipeline model_id
         capability_id capability_name capability_group capability_catalog_version runner_version capacity
         capacity_in_use warm price_per_unit pixels_per_unit orchestrator_version raw_json
         ingestion_timestamp",
    ),
    (
        "raw_network_capabilities_advertised",
        "source_event_id orchestrator_address local_address orch_uri capability_id capability_name
         capability_group capability_catalog_version capacity event_date raw_json",
    ),
    (
        "raw_network_capabilities_model_constraints",
        "source_event_id orchestrator_address local_address orch_uri capability_id capability_name
         capability_group capability_catalog_version model_id runner_version capacity capacity_in_use warm",
    ),
    (
        "raw_network_capabilities_prices",
        "source_event_id orchestrator_address local_address orch_uri capability_id capability_name
         capability_group capability_catalog_version constraint_name price_per_unit pixels_per_unit",
    ),
    (
        "dim_orchestrator_capability_snapshots",
        "org snapshot_ts snapshot_date source_event_uid orchestrator_address orchestrator_proxy_address
         orchestrator_url capability_id capability_name capability_group ingestion_timestamp pipeline
         model_id gpu_id gpu_name gpu_memory_total gpu_memory_free gpu_major gpu_minor runner_version region",
    ),
    (
        "dim_orchestrator_capability_advertised_snapshots",
        "org snapshot_ts snapshot_date source_event_uid orchestrator_proxy_address capability_id capacity
         capability_catalog_version",
    ),
    (
        "dim_orchestrator_capability_model_constraints",
        "org snapshot_ts snapshot_date source_event_uid capability_catalog_version model_id runner_version
         capacity capacity_in_use warm",
    ),
    (
        "dim_orchestrator_capability_prices",
        "org snapshot_ts snapshot_date source_event_uid capability_catalog_version constraint_name
         price_per_unit pixels_per_unit",
    ),
    (
        "dim_orchestrator_capability_current",
        "org orchestrator_address orchestrator_proxy_address orchestrator_url pipeline model_id capability_id
         gpu_id latest_snapshot_ts gpu_name gpu_memory_total gpu_memory_free runner_version region",
    ),
    (
        "dim_orchestrator_gpu_current",
        "org orchestrator_address orchestrator_proxy_address orchestrator_url gpu_id gpu_model_name
         gpu_memory_bytes_total gpu_memory_bytes_free compute_capability runner_version pipelines model_ids
         capability_ids capacity capacity_in_use warm price_per_unit pixels_per_unit orchestrator_version
         last_seen_ts source_event_uid",
    ),
    ("dim_orchestrator_gpu_first_seen", "org orchestrator_address orchestrator_url gpu_id first_seen_ts"),
    (
        "fact_workflow_sessions",
        "org workflow_session_id workflow_type workflow_id stream_id request_id session_id pipeline gateway
         orchestrator_address orchestrator_url model_id gpu_id region has_model_change has_pipeline_change
         gpu_attribution_method gpu_attribution_confidence session_start_ts session_end_ts known_stream
         startup_success startup_excused startup_unexcused confirmed_swap_count
         inferred_orchestrator_change_count swap_count error_count excusable_error_count last_error_occurred
         loading_only_session zero_output_fps_session status_sample_count status_error_sample_count
         health_signal_count health_expected_signal_count health_completeness_ratio first_stream_request_ts
         first_processed_ts first_playable_ts event_count version source_first_event_uid
         source_last_event_uid ingestion_timestamp closed_ts is_closed observed_address observed_url
         post_close_signal_count post_close_error_count selection_count selection_outcome startup_outcome
         excusal_reason attribution_status attribution_reason attribution_source attribution_identity
         selected_snapshot_ts selected_snapshot_event_uid skew_ms segment_count swap_row_count
         served_session unserved_session service_failure_reason orchestrator_assigned_ts served_duration_ms
         active_duration_ms capacity_units_at_start capacity_snapshot_ts before_tail_status_sample_count
         before_tail_status_non_loading_count before_tail_status_positive_output_count params_update_count
         requested_seen gpu_candidate_count model_hint pipeline_source model_source",
    ),
    (
        "fact_workflow_session_segments",
        "org workflow_session_id segment_index segment_start_ts segment_end_ts gateway pipeline
         orchestrator_address orchestrator_url worker_id gpu_id model_id region gpu_attribution_method
         gpu_attribution_confidence reason source_trace_type source_event_uid version ingestion_timestamp
         open_reason close_reason previous_orchestrator_address next_orchestrator_address is_retracted",
    ),
    (
        "fact_workflow_swaps",
        "org workflow_session_id swap_index swap_kind swap_ts swap_reason previous_orchestrator_address
         previous_orchestrator_url next_orchestrator_address next_orchestrator_url next_evidence outcome
         completed_ts gap_ms from_segment_index to_segment_index version",
    ),
    (
        "fact_workflow_session_coverage",
        "org workflow_session_id known_stream has_first_processed_edge has_first_playable_edge
         startup_edge_matched playable_edge_matched unmatched_reason version",
    ),
    (
        "fact_session_status_hours",
        "org workflow_session_id window_start segment_index orchestrator_address pipeline model_id gpu_id
         region status_samples fps_positive_samples running_state_samples degraded_input_samples
         degraded_inference_samples error_samples output_fps_sum output_fps_sumsq input_fps_sum
         first_sample_ts last_sample_ts active_ms is_terminal_tail_artifact is_first_evidence_hour version",
    ),
    (
        "fact_workflow_latency_samples",
        "sample_ts sample_date org workflow_session_id stream_id request_id gateway orchestrator_address
         pipeline model_id gpu_id region prompt_to_first_frame_ms startup_time_ms e2e_latency_ms
         has_prompt_to_first_frame has_startup_time has_e2e_latency edge_semantics_version version
         ingestion_timestamp prompt_to_first_frame_null_reason startup_time_null_reason
         e2e_latency_null_reason is_cross_clock skew_ms e2e_source_ms prompt_source_ms
         first_frame_round_trip_ms late_trickle",
    ),
    (
        "fact_lifecycle_edge_coverage",
        "signal_ts signal_date org workflow_session_id stream_id request_id pipeline model_id gateway
         orchestrator_address trace_type source_event_uid known_stream has_first_processed_edge
         has_first_playable_edge startup_edge_matched playable_edge_matched is_terminal_signal
         unmatched_reason version ingestion_timestamp gateway_ts source_ts clock_domain kafka_ts is_late",
    ),
    (
        "fact_workflow_param_updates",
        "update_ts update_date org workflow_session_id stream_id request_id pipeline gateway
         orchestrator_address orchestrator_url model_id gpu_id gpu_attribution_method
         gpu_attribution_confidence update_type message source_event_uid version ingestion_timestamp
         segment_index gateway_ts source_ts clock_domain kafka_ts is_late",
    ),
    (
        "fact_stream_status_samples",
        "sample_ts sample_date org workflow_session_id stream_id request_id gateway orchestrator_address
         orchestrator_url pipeline model_id gpu_id region state output_fps input_fps is_attributed
         gpu_attribution_method gpu_attribution_confidence source_event_uid ingestion_timestamp gateway_ts
         source_ts clock_domain kafka_ts is_late attribution_status attribution_source attribution_reason",
    ),
    (
        "fact_stream_trace_edges",
        "edge_ts edge_date org workflow_session_id stream_id request_id gateway orchestrator_address
         orchestrator_url pipeline model_id trace_type trace_category is_swap_event is_attributed
         source_event_uid ingestion_timestamp gateway_ts source_ts clock_domain kafka_ts is_late",
    ),
    (
        "fact_stream_ingest_samples",
        "sample_ts sample_date workflow_session_id stream_id request_id connection_quality video_jitter
         audio_jitter video_latency audio_latency bytes_received bytes_sent source_event_uid
         ingestion_timestamp org gateway pipeline model_id interval_ms bytes_received_delta
         bytes_sent_delta video_packets_received_delta video_packets_lost_delta video_jitter_ms video_rtt_ms
         video_media_latency_ms audio_packets_received_delta audio_packets_lost_delta audio_jitter_ms
         audio_rtt_ms audio_media_latency_ms counter_reset",
    ),
    (
        "fact_orchestrator_transport_bandwidth",
        "org sample_ts sample_date interval_start_ts workflow_session_id stream_id request_id gateway
         orchestrator_address orchestrator_url pipeline model_id gpu_id region is_attributed link_type
         channel observer attempt sample_seq is_final rx_bytes_total tx_bytes_total rx_bytes tx_bytes
         interval_ms rx_busy_ms tx_busy_ms rx_segments tx_segments failed_segments dropped_segments rx_bps
         tx_bps counter_reset quality_flags source_system source_sample_id source_event_uid version",
    ),
    (
        "fact_payment_tickets",
        "org payment_ts request_id session_id manifest_id gateway sender
         recipient orchestrator_url pipeline model_id face_value_wei num_tickets win_prob
         expected_value_wei price_wei_per_pixel face_value_text source_event_uid version",
    ),
    ("rollup_slices", "org relation window_start slice_version"),
    (
        "dq_check_results",
        "run_id check_id window_start window_end org value threshold verdict program_version",
    ),
    (
        "agg_orchestrator_1h",
        "org window_start orchestrator_address pipeline_id model_id gpu_id region session_starts",
    ),
    (
        "agg_network_demand_1h",
        "org window_start gateway region pipeline_id model_id orchestrator_address gpu_id",
    ),
    ("agg_output_fps_5m", "org window_start_5m orchestrator_address pipeline_id model_id gpu_id region"),
    ("agg_startup_1h", "org window_start known_sessions_count startup_success_sessions"),
    ("agg_attribution_1h", "org window_start attribution_status attribution_source attribution_reason"),
    ("agg_quality_benchmark_1d", "pipeline_id model_id ptff_p50 ptff_p90 e2e_p50 e2e_p90 fps_p10 fps_p50"),
    ("agg_transport_bandwidth_1h", TRANSPORT),
    ("agg_transport_bandwidth_1m", TRANSPORT),
    ("agg_ingest_quality_1h", INGEST),
    ("agg_ingest_quality_1m", INGEST),
];

const TRANSPORT: &str = "org window_start link_type orchestrator_address gateway pipeline_id model_id gpu_id
    region rx_bytes tx_bytes observed_ms expected_ms samples segments failed_segments dropped_segments
    sessions rx_rate_buckets tx_rate_buckets";

const INGEST: &str = "org window_start gateway pipeline_id model_id region samples sessions bytes_received
    bytes_sent observed_ms video_jitter_sum rtt_sum media_latency_sum video_packets_lost audio_packets_lost
    good_samples bad_samples";

const REJECTED: &str = "schema_version source_topic source_partition source_offset
    source_record_timestamp event_id event_type event_version event_timestamp event_date dedup_key
    dedup_strategy replay failure_stage failure_class failure_reason failure_details orchestrator
    broadcaster region payload_encoding payload_body payload_canonical_json ingestion_timestamp org";

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "deploy", "clickhouse"].iter().collect()
}

/// The text of the migrations that are made of definitions, by name.
fn generated() -> BTreeMap<&'static str, String> {
    let file = |statements: Vec<String>, from: &str| {
        let statements = statements.join(";\n\n");
        format!(
            "-- Generated from protocol/src/{from}: views only, so applied again when changed.\n\n{statements};\n"
        )
    };
    let valid = ROLLUPS.iter().map(Rollup::create_valid_view).collect();
    let bases = views::BASES.iter().map(|base| views::create_base(*base));
    let serving = bases.chain(views::ALL.iter().map(|view| view.create())).collect();
    let mut files = BTreeMap::from([
        ("0009_valid_slices.sql", file(valid, "rollup.rs")),
        ("0010_serving_views.sql", file(serving, "views")),
    ]);
    let texts: Vec<&str> = MIGRATIONS
        .iter()
        .filter(|migration| migration.name != CATALOGUE)
        .map(|migration| files.get(migration.name).map_or(migration.sql, String::as_str))
        .collect();
    let entries = catalogue::entries(texts.iter().flat_map(|sql| migrations::statements(sql)));
    files.insert(CATALOGUE, file(vec![catalogue::create(&entries)], "catalogue.rs"));
    files
}

const CATALOGUE: &str = "0012_catalogue.sql";

#[test]
fn committed_migrations_are_the_definitions() {
    let generated = generated();
    if std::env::var_os("NAAP_UPDATE").is_some() {
        let mut sums = String::new();
        for migration in MIGRATIONS {
            let sql = generated.get(migration.name).map_or(migration.sql, String::as_str);
            std::fs::write(folder().join(migration.name), sql).unwrap();
            let sum = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(sql));
            writeln!(sums, "{sum}  {}", migration.name).unwrap();
        }
        std::fs::write(folder().join("CHECKSUMS"), sums).unwrap();
        return;
    }
    for (name, sql) in generated {
        let committed = MIGRATIONS.iter().find(|migration| migration.name == name).unwrap();
        assert_eq!(committed.sql, sql, "{name}: set NAAP_UPDATE=1 to rewrite");
    }
}

#[test]
fn checksums_and_files_agree() {
    if std::env::var_os("NAAP_UPDATE").is_some() {
        return;
    }
    let sums = std::fs::read_to_string(folder().join("CHECKSUMS")).unwrap();
    let want: Vec<String> =
        MIGRATIONS.iter().map(|m| format!("{}  {}", m.checksum(), m.name)).collect();
    assert_eq!(sums.lines().collect::<Vec<_>>(), want);
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(files, MIGRATIONS.iter().map(|m| m.name.to_owned()).collect());
    for (position, migration) in MIGRATIONS.iter().enumerate() {
        assert_eq!(migration.version as usize, position + 1);
        assert!(migration.name.starts_with(&format!("{:04}_", migration.version)));
    }
}

#[test]
fn migrations_are_ddl_only_and_idempotent() {
    let statements: Vec<&str> = MIGRATIONS.iter().flat_map(Migration::statements).collect();
    let mut made = Vec::new();
    for statement in statements {
        let table = statement.strip_prefix("CREATE TABLE IF NOT EXISTS ");
        made.extend(table.and_then(|rest| rest.split_whitespace().next()));
        let alters = statement.starts_with("ALTER TABLE ")
            && [" IF EXISTS ", " IF NOT EXISTS ", " MODIFY ", " MATERIALIZE INDEX "]
                .iter()
                .any(|repeatable| statement.contains(repeatable));
        assert!(table.is_some() || alters || migrations::view(statement).is_some(), "{statement}");
        assert!(!statement.ends_with(';'));
    }
    let tables: Vec<&str> = ALL.iter().map(|spec| spec.name).collect();
    assert_eq!(made, tables);
    let repeatable: Vec<u32> =
        MIGRATIONS.iter().filter(|m| m.is_repeatable()).map(|m| m.version).collect();
    assert_eq!(repeatable, [8, 9, 10, 11, 12]);
}

/// A server parses no longer statement, and neither does the engine.
const LONGEST_STATEMENT: usize = 256 << 10;

#[test]
fn statements_can_be_parsed_and_have_room_to_grow() {
    for statement in MIGRATIONS.iter().flat_map(Migration::statements) {
        let begin: String = statement.chars().take(60).collect();
        assert!(statement.len() < LONGEST_STATEMENT / 2, "{begin}: {}", statement.len());
    }
}

#[test]
fn every_column_of_a_figure_is_in_the_catalogue() {
    let all = MIGRATIONS.iter().flat_map(Migration::statements);
    let entries = catalogue::entries(all);
    for view in views::ALL {
        for column in view.columns() {
            let known =
                entries.iter().find(|e| (&*e.relation, &*e.column) == (view.name, column.name));
            let entry = known.unwrap_or_else(|| panic!("{}.{} is missing", view.name, column.name));
            assert_eq!(entry.text, column.doc);
            assert!(entry.meaning().len() > 3 && !entry.source.is_empty(), "{entry:?}");
        }
    }
    for (column, unit) in [
        ("avg_e2e_latency_ms", "ms"),
        ("e2e_latency_sum", "0.000001 ms"),
        ("e2e_p90", "0.000001 ms"),
        ("ptff_p50", "0.000001 ms"),
        ("output_fps_sum", "0.000001 frames/s"),
        ("fps_p10", "0.000001 frames/s"),
        ("output_fps_sumsq", "0.000001 (frames/s)^2"),
        ("output_fps", "frames/s"),
        ("p95_output_fps", "frames/s"),
        ("fps_jitter_coefficient", "ratio"),
        ("jitter_coeff_fps", "ratio"),
        ("fps_positive_samples", "1"),
        ("output_fps_histogram", "1"),
        ("zero_output_fps_session", "1"),
        ("fps_score", "1"),
        ("audio_latency", "s"),
        ("video_jitter", "ms"),
        ("price_per_unit", "wei"),
        ("price_wei_per_pixel", "wei/pixel"),
        ("no_swap_rate", "ratio"),
        ("win_prob", "ratio"),
        ("up_mbps_avg", "Mbit/s"),
        ("rx_bps", "bit/s"),
        ("ingest_rx_kbps_avg", "kbit/s"),
        ("rx_bytes_total", "B"),
        ("ticket_face_value_eth", "ETH"),
        ("total_minutes", "min"),
        ("window_start", "ms since 1970, UTC"),
    ] {
        let found: BTreeSet<_> =
            entries.iter().filter(|e| e.column == column).map(Entry::unit).collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [unit], "{column}");
    }
}

/// Columns that the contract gives to views: backlog 010.
const VIEWS: &[(&str, &str)] = &[
    (
        "raw_unknown_events",
        "ingest_timestamp ingest_date raw_event_uid org event_type source_topic raw_json
         ingestion_timestamp",
    ),
    (
        "v_session_orchestrator_lineage",
        "workflow_session_id gateway swap_kind from_orchestrator_address to_orchestrator_address
         swap_ts gap_ms outcome orchestrator_path",
    ),
    (catalogue::NAME, "relation column unit nullable invariant semantics_version source"),
];

#[test]
fn every_view_says_what_it_is_and_has_its_columns() {
    let of_slices: BTreeSet<String> = ROLLUPS
        .iter()
        .map(Rollup::valid_view)
        .chain(views::BASES.iter().map(|(name, ..)| (*name).to_owned()))
        .chain(views::ALL.iter().map(|view| view.name.to_owned()))
        .collect();
    let others = migrations::views().filter(|name| !of_slices.contains(*name));
    assert!(others.eq(VIEWS.iter().map(|(name, _)| *name)));
    let all = MIGRATIONS.iter().flat_map(Migration::statements);
    let views = all.filter_map(migrations::view);
    let views = views.filter(|view| {
        !view.split_whitespace().next().is_some_and(|name| of_slices.contains(name))
    });
    for (sql, (name, columns)) in views.zip(VIEWS) {
        let last = sql.lines().last().unwrap_or_default();
        assert!(last.starts_with("COMMENT '"), "{name} without comment");
        for column in columns.split_whitespace() {
            assert!(sql.contains(column), "{name} lacks {column}");
        }
        assert_eq!(
            ["fact_", "raw_", "dim_"]
                .map(|kind| sql.matches(&format!("FROM {kind}")).count())
                .iter()
                .sum::<usize>(),
            sql.matches(" FINAL").count(),
            "{name} reads without FINAL"
        );
    }
}

#[test]
fn every_table_obeys_the_storage_rules() {
    let mut names = BTreeSet::new();
    for spec in ALL {
        let name = spec.name;
        assert!(names.insert(name), "{name} twice");
        assert!(!spec.comment().is_empty(), "{name} without comment");
        assert!(spec.order_by.contains(&"org"), "{name} without org in its key");
        let unique: BTreeSet<_> = spec.columns.iter().map(|column| column.name).collect();
        assert_eq!(unique.len(), spec.columns.len(), "{name} has a column twice");
        for key in spec.order_by {
            let column = spec.column(key).unwrap_or_else(|| panic!("{name}: no key column {key}"));
            assert!(!column.ty.is_nullable(), "{name}.{key} is nullable");
            assert!(column.derived.is_none(), "{name}.{key} is derived");
        }
        for bloom in spec.bloom {
            assert!(spec.column(bloom).is_some(), "{name}: no indexed column {bloom}");
        }
        assert!(spec.column(spec.version).is_some(), "{name}: no version column");
        if let Some(deleted) = spec.deleted {
            assert_eq!(spec.column(deleted).map(|column| column.ty), Some(Type::UInt8), "{name}");
        }
        for column in spec.columns {
            let at = format!("{name}.{}", column.name);
            assert!(column.comment().len() > 5, "{at} without comment");
            assert!(!column.comment().contains(";\n"), "{at}: comment splits statements");
            if column.storage == Storage::Low {
                assert_eq!(column.ty, Type::LowCardinality, "{at}");
            }
            assert!(!matches!(column.ty, Type::Date) || column.derived.is_some(), "{at}");
        }
    }
}

#[test]
fn partitions_are_constant_for_a_key() {
    for spec in ALL {
        let name = spec.name;
        let inside = spec
            .partition_by
            .split(['(', ')', ',', ' ', '%'])
            .filter(|word| spec.column(word).is_some() && !spec.order_by.contains(word));
        // The record time belongs to the source coordinates, which are in the key.
        let free: Vec<&str> = inside.filter(|word| *word != "source_record_timestamp").collect();
        assert!(free.is_empty(), "{name}: {free:?} can change under one key");
        let records = spec.partition_by.contains("source_record_timestamp");
        assert_eq!(records, spec.order_by.contains(&"source_offset"), "{name}");
    }
}

#[test]
fn a_row_encodes_exactly_the_sent_columns() {
    let mut out = Vec::new();
    let row = rollups::RollupSlice { org: "o", relation: "r", revision: 7, ..Default::default() };
    row.encode(&mut out);
    let mut want = vec![1, b'o', 1, b'r'];
    want.extend([0; 8]);
    want.extend([0; 8]);
    want.extend([0; 8]);
    want.push(0);
    want.extend([0; 8]);
    want.extend([7, 0, 0, 0, 0]);
    want.extend([0; 8]);
    assert_eq!(out, want);
}

#[test]
fn the_header_names_the_sent_columns() {
    let spec = rollups::RollupSlice::SPEC;
    let header = spec.rowbinary_header();
    assert_eq!(header[0], 10);
    assert_eq!(&header[1..5], b"\x03org");
    let text = String::from_utf8_lossy(&header);
    assert!(text.contains("LowCardinality(String)"));
    assert!(text.ends_with("\u{17}DateTime64(3, 'UTC')") || text.ends_with("DateTime64(3, 'UTC')"));
    let status = raw::RawAiStreamStatus::SPEC;
    assert_eq!(usize::from(status.rowbinary_header()[0]), status.columns.len() - 2);
    assert!(!String::from_utf8_lossy(&status.rowbinary_header()).contains("event_hour"));
    assert_eq!(raw::RawStreamingEvent::SPEC.columns[2].name, "type");
}

#[test]
fn a_row_over_the_limit_is_refused_and_leaves_no_trace() {
    let body = "x".repeat(MAX_ROW_BYTES);
    let mut out = vec![1, 2, 3];
    let row = rejects::Ignored { raw_json: &body, ..Default::default() };
    let error = append(&row, &mut out).unwrap_err();
    assert_eq!(error.table, "raw_ignored_events");
    assert!(error.bytes > MAX_ROW_BYTES);
    assert_eq!(out, [1, 2, 3]);
    let fitting = rejects::Ignored { raw_json: &body[..MAX_ROW_BYTES / 2], ..Default::default() };
    assert_eq!(append(&fitting, &mut out).unwrap(), out.len() - 3);
}

#[test]
fn quarantine_is_the_dead_letter_table_under_another_name() {
    let (dead, held) = (rejects::DeadLetter::SPEC, rejects::Quarantined::SPEC);
    assert_ne!(dead.name, held.name);
    assert_eq!(dead.columns, held.columns);
    assert_eq!(dead.order_by, held.order_by);
}

#[test]
fn a_fingerprint_excludes_exactly_the_agreed_columns() {
    for spec in ALL {
        let sql = spec.fingerprint_sql("naap");
        let arguments = sql.split("'RowBinary', ").nth(1).unwrap().split(")))))").next().unwrap();
        let listed: BTreeSet<&str> =
            arguments.split(", ").map(|column| column.trim_end_matches(" + 0")).collect();
        for column in spec.sent() {
            let excluded = FINGERPRINT_EXCLUDED.contains(&column.name);
            assert_eq!(!excluded, listed.contains(column.name), "{}.{}", spec.name, column.name);
            let float = matches!(column.ty.inner(), Type::Float32 | Type::Float64);
            assert_eq!(arguments.contains(&format!("{} + 0", column.name)), float && !excluded);
        }
        assert!(sql.ends_with(&format!("FROM `naap`.`{}` FINAL", spec.name)));
    }
}

fn as_installed(spec: &TableSpec) -> Installed {
    let column = |column: &spec::ColumnSpec| InstalledColumn {
        name: column.name.to_owned(),
        ty: column.ty.to_string(),
        comment: column.comment().to_owned(),
        codec: codec(column).map(|codec| format!("CODEC({codec})")).unwrap_or_default(),
    };
    let limit = retention(spec).replace("INTERVAL ", "toIntervalDay(").replace(" DAY", ")");
    Installed {
        engine: format!("{} PARTITION BY x TTL {limit} SETTINGS y = 1", engine(spec)),
        partition_key: spec.partition_by.to_owned(),
        sorting_key: spec.order_by.join(", "),
        columns: spec.columns.iter().map(column).collect(),
        indexes: indexes(spec)
            .map(|(name, definition)| InstalledIndex { name, definition })
            .collect(),
    }
}

#[test]
fn drift_names_every_difference_and_nothing_else() {
    for spec in ALL {
        assert_eq!(drift(spec, &as_installed(spec)), [], "{}", spec.name);
    }
    let spec = sessions::Session::SPEC;
    let mut installed = as_installed(spec);
    installed.columns[0].ty = "String".into();
    installed.columns[1].comment.clear();
    let renamed = installed.columns.last_mut().unwrap();
    renamed.name = "inserted_at".into();
    installed.sorting_key = "org".into();
    installed.engine = "MergeTree".into();
    let found = drift(spec, &installed);
    assert_eq!(found.len(), 6, "{found:?}");
    assert!(found.contains(&Difference::Missing("ingestion_timestamp".into())));
    assert!(found.contains(&Difference::Unknown("inserted_at".into())));
    assert!(found.contains(&Difference::Comment { name: "workflow_session_id".into() }));
    assert!(found.iter().any(|d| d.to_string().contains("column org has type String")));
    assert!(found.iter().any(|d| matches!(d, Difference::SortKey { .. })));
    assert!(found.iter().any(|d| matches!(d, Difference::Engine { .. })));
    installed = as_installed(spec);
    installed.columns.swap(0, 1);
    assert_eq!(drift(spec, &installed).len(), 2);
    installed = as_installed(spec);
    installed.indexes.remove(0);
    installed.columns[1].codec = "CODEC(LZ4)".into();
    installed.partition_key = "tuple()".into();
    installed.engine = installed.engine.replace("(180)", "(7)");
    let found = drift(spec, &installed);
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found.iter().any(|d| matches!(d, Difference::Index { found, .. } if found.is_empty())));
    assert!(found.iter().any(|d| matches!(d, Difference::Retention { .. })));
    let kept = installed.engine.split(" TTL ").next().unwrap().to_owned();
    installed.engine = kept;
    assert_eq!(drift(spec, &installed).len(), 3, "a replayed store keeps its rows");
}

#[test]
fn a_difference_says_what_ends_it() {
    let spec = sessions::Session::SPEC;
    let mut installed = as_installed(spec);
    let column = installed.columns.remove(1);
    installed.indexes[0].definition = "x TYPE minmax GRANULARITY 1".into();
    let statements: Vec<String> =
        drift(spec, &installed).iter().flat_map(|difference| alter(spec, difference)).collect();
    let add = format!("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} ", spec.name, column.name);
    assert!(statements.iter().any(|s| s.starts_with(&add) && s.ends_with(" AFTER org")));
    assert!(statements.iter().any(|s| s.contains(" DROP INDEX IF EXISTS idx_stream_id")));
    assert!(statements.iter().any(|s| s.ends_with(" MATERIALIZE INDEX idx_stream_id")));
}

#[test]
fn retention_can_be_switched_off() {
    assert_eq!(keep_forever(sessions::Session::SPEC).len(), 1);
    assert_eq!(keep_forever(raw::RawAiStreamStatus::SPEC).len(), 2);
}

#[test]
fn every_contract_column_exists() {
    let mut seen = BTreeSet::new();
    for (name, columns) in CONTRACT {
        let spec = table(name).unwrap_or_else(|| panic!("no table {name}"));
        seen.insert(*name);
        for column in columns.split_whitespace() {
            assert!(spec.column(column).is_some(), "{name} lacks {column}");
        }
    }
    let own: BTreeSet<&str> = ALL.iter().map(|spec| spec.name).collect();
    assert_eq!(seen, own, "each table stands in the contract list");
}

#[test]
fn names_resolve() {
    assert_eq!(
        table("fact_workflow_sessions").map(|spec| spec.name),
        Some("fact_workflow_sessions")
    );
    assert_eq!(table("nothing"), None);
}

/// Labels of an hour are as of its end (backlog 008), so what is advertised at the very hour is one of the hour
/// before too.
#[test]
fn an_advertisement_touches_the_hour_that_it_ends() {
    use crate::slice::{HOUR_MS, hour};
    use crate::time::Timestamp;
    for (ts, first) in [(10 * HOUR_MS, 9), (10 * HOUR_MS + 1, 10), (11 * HOUR_MS - 1, 10)] {
        let row = dims::CapabilitySnapshot { snapshot_ts: Timestamp(ts), ..Default::default() };
        let touch = row.touches().unwrap();
        assert_eq!((hour(touch.ts).0 / HOUR_MS, touch.more), (first, 24), "{ts}");
    }
}
