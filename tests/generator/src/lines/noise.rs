//! Traffic that nobody accepts: web clients, unsupported families, families of later versions
//! (contract events.md 3.0, 3.1, 3.8, 3.9).

use crate::random::Filler;
use crate::text::Put;

const APP: &str = "ignored_stream_trace_non_core_app";
const SCOPE: &str = "ignored_stream_trace_scope_client_noise";
const OTHER: &str = "unsupported_trace_subtype";

/// A trace outside the lifecycle.
pub(crate) struct ClientTrace {
    subtype: &'static str,
    source: &'static str,
    with_ids: bool,
    pub(crate) from_app: bool,
    pub(crate) ignored_as: &'static str,
}

const fn app(subtype: &'static str, with_ids: bool) -> ClientTrace {
    ClientTrace { subtype, source: "", with_ids, from_app: true, ignored_as: APP }
}

const fn scope(subtype: &'static str) -> ClientTrace {
    ClientTrace { subtype, source: "scope", with_ids: false, from_app: false, ignored_as: SCOPE }
}

const fn other(subtype: &'static str) -> ClientTrace {
    ClientTrace { subtype, source: "", with_ids: true, from_app: false, ignored_as: OTHER }
}

const TRACES: [ClientTrace; 12] = [
    app("app_send_stream_request", true),
    app("app_param_update", false),
    app("app_user_page_unload", false),
    app("App_Receive_First_Segment", true),
    scope("stream_heartbeat"),
    scope("pipeline_loaded"),
    scope("error"),
    scope("stream_stopped"),
    other("stream_stopped"),
    other("stream_orchestrator_token_refresh"),
    other("gateway_something_new"),
    other("Gateway_Receive_Stream_Request"),
];

pub(crate) const CLIENT: u64 = TRACES.len() as u64;

pub(crate) fn client(number: u8) -> &'static ClientTrace {
    &TRACES[usize::from(number)]
}

pub(crate) fn write_client(line: &mut Vec<u8>, number: u8, ts: i64, filler: &mut Filler) {
    let trace = client(number);
    line.push(b'{');
    if !trace.source.is_empty() {
        line.text("\"client_source\":\"").text(trace.source).text("\",");
    }
    if trace.with_ids {
        line.text("\"request_id\":\"").hex(filler.bits(), 8);
        line.text("\",\"stream_id\":\"str_web").hex(filler.bits(), 13).text("\",");
    }
    line.text("\"timestamp\":").int(ts).text(",\"type\":\"").text(trace.subtype).text("\"}");
}

/// Family and payload; `#` stands for random hex, `@` for the event time.
type Template = (&'static str, &'static str);

const FOREIGN: [Template; 6] = [
    (
        "pipelines_api_request",
        r##"{"method":"GET","path":"/v1/pipelines","status":200,"trace":"#"}"##,
    ),
    ("webrtc_stats", r##"{"fps":29.97,"peer":"#","rtt_ms":31,"ts":@}"##),
    ("pipelines_api_request", r#"{"method":"PATCH","path":"/v1/streams/#","status":404}"#),
    ("webrtc_stats", r##"[{"kind":"video","peer":"#"}]"##),
    ("create_signed_ticket", r##"{"request_id":"#","sequence_number":0,"session_status":"new"}"##),
    ("", r##"{"message":"forwarded without a family","nonce":"#"}"##),
];

pub(crate) const UNSUPPORTED: u64 = FOREIGN.len() as u64;

pub(crate) fn unsupported(number: u8) -> Template {
    FOREIGN[usize::from(number)]
}

const JOBS: [Template; 8] = [
    (
        "job_gateway",
        r##"{"attempt_index":0,"capability":"openai-chat-completions","completed_at":@,"duration_ms":2345,"error":null,"http_status":200,"nonce":"#","request_id":"","success":true,"type":"job_gateway_completed"}"##,
    ),
    (
        "job_orchestrator",
        r##"{"capability":"openai-text-embeddings","request_id":"#","success":false,"type":"job_orchestrator_completed"}"##,
    ),
    (
        "job_payment",
        r##"{"balance":"12500000","capability":"openai-chat-completions","request_id":"#","type":"payment_created","with_tickets":true}"##,
    ),
    (
        "job_auth",
        r##"{"pipeline":"","stream_id":"#","success":true,"type":"job_auth_webhook_result"}"##,
    ),
    (
        "worker_lifecycle",
        r##"{"capability":"openai-chat-completions","id":"#","price_per_unit":2500,"type":"worker_registered","worker_options":[{"model":"Qwen/Qwen2.5-14B-Instruct-AWQ"}]}"##,
    ),
    (
        "ai_batch_request",
        r##"{"duration_ms":913,"error":"","model_id":"SG161222/RealVisXL_V4.0_Lightning","pipeline":"text-to-image","request_id":"#","success":true,"timestamp":@,"tries":1,"type":"ai_batch_request_completed"}"##,
    ),
    (
        "ai_llm_request",
        r##"{"finish_reason":"stop","model":"llama3","request_id":"#","timestamp":@,"total_tokens":812,"type":"llm_request_completed"}"##,
    ),
    (
        "job_gateway",
        r##"{"capability":"openai-image-generation","error":"none","selected":0,"nonce":"#","success":false,"type":"job_orchestrator_discovery_result"}"##,
    ),
];

pub(crate) const LATER: u64 = JOBS.len() as u64;

pub(crate) fn later(number: u8) -> Template {
    JOBS[usize::from(number)]
}

pub(crate) fn write_body(line: &mut Vec<u8>, template: &str, ts: i64, filler: &mut Filler) {
    for part in template.bytes() {
        match part {
            b'#' => {
                line.hex(filler.bits(), 16);
            }
            b'@' => {
                line.int(ts);
            }
            other => line.push(other),
        }
    }
}
