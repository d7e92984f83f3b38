//! Arbitrary values of every type that travels or is kept.

use std::borrow::Cow;

use naap_protocol::capability::advertise::{Advertisement, Content, Node, Offer};
use naap_protocol::capability::decide::{
    Chosen, Decision, Identity, Method, Reason, Source, Status as Decided,
};
use naap_protocol::capability::evidence::{Answer, Subject};
use naap_protocol::capability::index::Index;
use naap_protocol::capability::{
    BadEntry, Document, Entry, Gpu, Hardware, ModelConstraint, ModelSettings, Price,
};
use naap_protocol::event::transport::{
    Channel, Counters, Link, Observer, TransportMetrics, TransportStream,
};
use naap_protocol::event::{
    AiEvent, Body, DedupStrategy, Discovered, Event, IngestMetrics, Orchestrator, Payment, Status,
    Trace, TraceType, Track,
};
use naap_protocol::signal::signal;
use naap_protocol::slice::DirtySlices;
use naap_protocol::state::{
    Delivery, Elements, EpochOpen, EventState, Expired, HourKey, OrchestratorState, Progress,
    SessionState, SourcePartition, Uid, Written,
};
use naap_protocol::time::Timestamp;
use naap_protocol::wire::{Advertised, EnvelopeHead};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

type Text = Cow<'static, str>;

fn string() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9:/|-]{0,12}", "\\PC{0,6}", Just(String::new()), "x{30,40}"]
}

fn text() -> impl Strategy<Value = Text> {
    string().prop_map(Cow::Owned)
}

fn uid() -> impl Strategy<Value = Text> {
    prop_oneof!["[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[a-zA-Z0-9-]{1,40}", "\\PC{1,8}"]
        .prop_map(Cow::Owned)
}

fn ts() -> impl Strategy<Value = Timestamp> {
    prop_oneof![any::<i64>(), 1_774_344_333_000..1_774_344_339_000_i64].prop_map(Timestamp)
}

fn orchestrator() -> BoxedStrategy<Orchestrator<'static>> {
    (text(), text()).prop_map(|(address, url)| Orchestrator { address, url }).boxed()
}

fn status() -> BoxedStrategy<Status<'static>> {
    let names = (text(), text(), text(), text(), text(), text(), option::of(text()));
    let times = (option::of(ts()), option::of(ts()), option::of(ts()), option::of(ts()));
    let numbers = (any::<f64>(), any::<f64>(), any::<u32>(), any::<u16>(), any::<u16>());
    (names, orchestrator(), times, numbers)
        .prop_map(|(names, orchestrator, times, numbers)| {
            let (stream_id, request_id, pipeline, state, last_error, params_hash, prompt) = names;
            let (runner_ts, start_time, last_restart_time, last_error_time) = times;
            let (output_fps, input_fps, restart_count, prompt_width, prompt_height) = numbers;
            Status {
                stream_id,
                request_id,
                pipeline,
                orchestrator,
                state,
                runner_ts,
                start_time,
                output_fps,
                input_fps,
                restart_count,
                last_restart_time,
                last_error,
                last_error_time,
                prompt,
                prompt_width,
                prompt_height,
                params_hash,
            }
        })
        .boxed()
}

fn trace() -> BoxedStrategy<Trace<'static>> {
    let kind = select(&TraceType::ALL[..]);
    (text(), text(), kind, option::of(ts()), orchestrator(), text(), text())
        .prop_map(|(stream_id, request_id, kind, data_ts, orchestrator, pipeline, message)| Trace {
            stream_id,
            request_id,
            kind,
            data_ts,
            orchestrator,
            pipeline,
            message,
        })
        .boxed()
}

fn ai_event() -> BoxedStrategy<AiEvent<'static>> {
    (text(), text(), text(), text(), text(), text(), option::of(ts()), orchestrator())
        .prop_map(
            |(
                stream_id,
                request_id,
                kind,
                pipeline,
                message,
                capability,
                runner_ts,
                orchestrator,
            )| {
                AiEvent {
                    stream_id,
                    request_id,
                    kind,
                    pipeline,
                    message,
                    capability,
                    runner_ts,
                    orchestrator,
                }
            },
        )
        .boxed()
}

fn track() -> BoxedStrategy<Option<Track>> {
    let integers = (any::<i64>(), any::<u64>(), any::<u64>());
    option::of((any::<[f64; 5]>(), integers).prop_map(|(floats, integers)| {
        let [jitter, packet_loss_pct, last_input_ts, last_output_ts, latency] = floats;
        let (packets_lost, packets_received, rtt) = integers;
        Track {
            jitter,
            packets_lost,
            packets_received,
            packet_loss_pct,
            rtt,
            last_input_ts,
            last_output_ts,
            latency,
        }
    }))
    .boxed()
}

fn ingest() -> BoxedStrategy<IngestMetrics<'static>> {
    let names = (text(), text(), text(), text());
    (names, option::of(ts()), any::<(u64, u64)>(), track(), track())
        .prop_map(|(names, data_ts, (bytes_received, bytes_sent), video, audio)| {
            let (stream_id, request_id, peer_connection, connection_quality) = names;
            IngestMetrics {
                stream_id,
                request_id,
                data_ts,
                peer_connection,
                connection_quality,
                bytes_received,
                bytes_sent,
                video,
                audio,
            }
        })
        .boxed()
}

fn counters() -> BoxedStrategy<Counters> {
    any::<[u64; 7]>()
        .prop_map(
            |[bytes, segments, failed_segments, dropped_segments, retries, busy_ms, last_seq]| {
                Counters {
                    bytes,
                    segments,
                    failed_segments,
                    dropped_segments,
                    retries,
                    busy_ms,
                    last_seq,
                }
            },
        )
        .boxed()
}

fn transport() -> BoxedStrategy<TransportMetrics<'static>> {
    let stream = (
        any::<u32>(),
        select(Link::ALL.to_vec()),
        select(Channel::ALL.to_vec()),
        select(Observer::ALL.to_vec()),
    );
    let stream = stream.prop_map(|(attempt, link, channel, observer)| TransportStream {
        attempt,
        link,
        channel,
        observer,
    });
    let numbers = (any::<u64>(), ts(), ts(), any::<bool>());
    ((text(), text(), text()), orchestrator(), stream, numbers, counters(), counters())
        .prop_map(|(names, orchestrator, stream, numbers, to, from)| {
            let (stream_id, request_id, pipeline) = names;
            let (sample_seq, interval_start, interval_end, is_final) = numbers;
            TransportMetrics {
                stream_id,
                request_id,
                pipeline,
                orchestrator,
                stream,
                sample_seq,
                interval_start,
                interval_end,
                is_final,
                to_orchestrator: to,
                from_orchestrator: from,
            }
        })
        .boxed()
}

fn model() -> BoxedStrategy<ModelConstraint<'static>> {
    let settings = (text(), any::<(i64, i64, bool)>()).prop_map(|(runner_version, rest)| {
        let (capacity, capacity_in_use, warm) = rest;
        ModelSettings { runner_version, capacity, capacity_in_use, warm }
    });
    (any::<i32>(), text(), option::of(settings))
        .prop_map(|(capability, model_id, settings)| ModelConstraint {
            capability,
            model_id,
            settings,
        })
        .boxed()
}

fn price() -> BoxedStrategy<Price<'static>> {
    (any::<(i32, i64, i64)>(), text())
        .prop_map(|(numbers, constraint)| {
            let (capability, price_per_unit, pixels_per_unit) = numbers;
            Price { capability, constraint, price_per_unit, pixels_per_unit }
        })
        .boxed()
}

fn hardware() -> BoxedStrategy<Hardware<'static>> {
    let gpu = (text(), text(), any::<(u8, u8, u64, u64)>()).prop_map(|(id, name, numbers)| {
        let (major, minor, memory_total, memory_free) = numbers;
        Gpu { id, name, major, minor, memory_total, memory_free }
    });
    (text(), text(), vec(gpu, 0..3))
        .prop_map(|(pipeline, model_id, gpus)| Hardware { pipeline, model_id, gpus })
        .boxed()
}

fn document() -> BoxedStrategy<Document<'static>> {
    let names = (text(), text(), text(), text(), text());
    let lists = (
        vec(any::<(i32, i64)>(), 0..3),
        vec(model(), 0..3),
        vec(price(), 0..3),
        vec(hardware(), 0..3),
    );
    let entry = (any::<u32>(), names, lists).prop_map(|(index, names, lists)| {
        let (address, local_address, orch_uri, version, raw) = names;
        let (capacities, models, prices, hardware) = lists;
        Entry {
            index,
            address,
            local_address,
            orch_uri,
            version,
            capacities,
            models,
            prices,
            hardware,
            raw,
        }
    });
    let bad = (any::<u32>(), string()).prop_map(|(index, reason)| BadEntry { index, reason });
    (vec(entry, 0..3), vec(bad, 0..2))
        .prop_map(|(entries, bad_entries)| Document { entries, bad_entries })
        .boxed()
}

fn payment() -> BoxedStrategy<Payment<'static>> {
    let ids = (text(), text(), text(), text(), text(), text());
    let amounts = (text(), text(), text(), text(), text(), text());
    (ids, amounts)
        .prop_map(|(ids, amounts)| {
            let (request_id, session_id, manifest_id, sender, recipient, orchestrator_url) = ids;
            let (face_value, num_tickets, win_prob, price, client_ip, capability) = amounts;
            Payment {
                request_id,
                session_id,
                manifest_id,
                sender,
                recipient,
                orchestrator_url,
                face_value,
                num_tickets,
                win_prob,
                price,
                client_ip,
                capability,
            }
        })
        .boxed()
}

fn body() -> BoxedStrategy<Body<'static>> {
    let discovered = (orchestrator(), any::<Option<u32>>())
        .prop_map(|(orchestrator, latency_ms)| Discovered { orchestrator, latency_ms });
    prop_oneof![
        status().prop_map(Body::Status),
        trace().prop_map(Body::Trace),
        ai_event().prop_map(Body::Ai),
        ingest().prop_map(Body::Ingest),
        document().prop_map(Body::Capabilities),
        vec(discovered, 1..4).prop_map(Body::Discovery),
        payment().prop_map(Body::Payment),
        transport().prop_map(Body::Transport),
    ]
    .boxed()
}

pub(crate) fn event() -> BoxedStrategy<Event<'static>> {
    let strategy = select(vec![DedupStrategy::EventId, DedupStrategy::PayloadHash]);
    let names = (uid(), text(), text(), text());
    let numbers = any::<(u64, u64, bool, (u32, u32))>();
    (numbers, names, strategy, ts(), ts(), body())
        .prop_map(|(numbers, names, dedup_strategy, record_ts, event_ts, body)| {
            let (offset, content_hash, replay, data_at) = numbers;
            let (uid, version, gateway, raw) = names;
            Event {
                offset,
                record_ts,
                uid,
                dedup_strategy,
                content_hash,
                event_ts,
                replay,
                version,
                gateway,
                raw,
                data_at,
                body,
            }
        })
        .boxed()
}

fn advertisement() -> BoxedStrategy<Advertisement> {
    let offer = (string(), string(), vec(string(), 0..3))
        .prop_map(|(pipeline, model, gpus)| Offer { pipeline, model, gpus });
    let content = (vec(offer, 1..3), vec(string(), 0..2))
        .prop_map(|(offers, aliases)| Content { offers, aliases });
    // Few nodes and moments, so that runs join, split and conflict.
    let node = ("[ab]", "[ab]?").prop_map(|(canonical, url)| Node { canonical, url });
    let capacities = btree_map("[mn]", any::<i64>(), 0..2);
    (node, 0..20_i64, "[a-c]", content, capacities, 0..3_u64)
        .prop_map(|(node, event_ts, uid, content, capacities, content_hash)| Advertisement {
            node,
            event_ts: Timestamp(event_ts),
            uid,
            content,
            capacities: capacities.into_iter().collect(),
            content_hash,
        })
        .boxed()
}

pub(crate) fn advertised() -> BoxedStrategy<Advertised> {
    (string(), advertisement())
        .prop_map(|(key, advertisement)| Advertised { key, advertisement })
        .boxed()
}

fn source() -> BoxedStrategy<SourcePartition> {
    (string(), any::<u32>())
        .prop_map(|(topic, partition)| SourcePartition { topic, partition })
        .boxed()
}

pub(crate) fn session_state() -> BoxedStrategy<SessionState> {
    let names = (string(), string(), string(), string(), written());
    (names, vec((event(), source()), 0..6), vec(answer(), 0..3), any::<bool>())
        .prop_map(|(names, events, answers, owes_rows)| {
            let (org, session_id, stream_id, request_id, written) = names;
            let mut state = SessionState {
                org,
                session_id,
                stream_id,
                request_id,
                answers,
                written,
                owes_rows,
                ..SessionState::default()
            };
            for (event, source) in &events {
                let delivery = Delivery::of(event, &source.topic, source.partition);
                state.deliveries.observe(&event.uid, &delivery);
                if let Some(signal) = signal(event) {
                    state.insert(&signal);
                }
                state.sample(event);
            }
            if let Some(first) = events.first() {
                state.displace(&first.0.uid);
                state.samples.displace(&Uid::new(&first.0.uid));
            }
            state
        })
        .boxed()
}

fn written() -> BoxedStrategy<Written> {
    let hour = (any::<(i64, u16, u16)>(), any::<u64>());
    (any::<(u64, u64, u64, u64)>(), vec(any::<u64>(), 0..3), vec(hour, 0..3))
        .prop_map(|((epoch, session, coverage, latency), segments, hours)| Written {
            epoch,
            cycle: latency,
            session,
            coverage,
            latency: [latency, session],
            swaps: segments.clone(),
            segments,
            start: hours.first().map(|((ts, ..), _)| Timestamp(*ts)),
            hours: hours
                .into_iter()
                .map(|((ts, segment_index, identity_index), hash)| {
                    let window_start = Timestamp(ts);
                    (HourKey { window_start, segment_index, identity_index }, hash)
                })
                .collect(),
        })
        .boxed()
}

fn decision() -> BoxedStrategy<Decision> {
    let chosen =
        (string(), string(), any::<i64>(), any::<u32>()).prop_map(|(a, b, ts, n)| Chosen {
            node: Node { canonical: a.clone(), url: b.clone() },
            pipeline: b.clone(),
            model: a.clone(),
            gpu_id: b,
            gpu_candidate_count: n,
            snapshot_ts: Timestamp(ts),
            snapshot_uid: a,
            distance_ms: ts,
            capacity: Some(ts).filter(|ts| *ts > 0),
        });
    let status = select(vec![Decided::Resolved, Decided::Stale, Decided::Ambiguous]);
    (status, option::of(chosen))
        .prop_map(|(status, chosen)| Decision {
            status,
            source: Source::Direct,
            reason: Reason::MissingCandidate,
            identity: Identity::Alias,
            method: Method::NearestPrior,
            chosen,
        })
        .boxed()
}

fn answer() -> BoxedStrategy<Answer> {
    let said = || option::of(decision());
    (any::<i64>(), string(), string(), said(), said())
        .prop_map(|(ts, url, model, by_url, by_address)| {
            let subject = Subject { ts: Timestamp(ts), url, model, ..Subject::default() };
            Answer { subject, by_url, by_address }
        })
        .boxed()
}

pub(crate) fn event_state() -> BoxedStrategy<EventState> {
    let made = vec((0..4_usize, 0..5_u32), 0..9);
    vec((event(), source(), made), 1..5)
        .prop_map(|deliveries| {
            let mut state: Option<EventState> = None;
            for (event, source, made) in deliveries {
                let delivery = Delivery::of(&event, &source.topic, source.partition);
                let state =
                    state.get_or_insert_with(|| EventState::new(delivery.clone().into_owned()));
                let mut elements = Elements::default();
                for (set, entry) in made {
                    elements.add(set, entry);
                }
                let place = state.observe(&delivery).place;
                state.made(place, elements);
            }
            state.unwrap()
        })
        .boxed()
}

pub(crate) fn orchestrator_state() -> BoxedStrategy<OrchestratorState> {
    (string(), string(), vec(advertisement(), 0..8))
        .prop_map(|(org, key, advertisements)| {
            let mut index = Index::default();
            for advertisement in &advertisements {
                index.insert(advertisement);
            }
            OrchestratorState { org, key, index }
        })
        .boxed()
}

pub(crate) fn epoch_open() -> BoxedStrategy<EpochOpen> {
    (any::<u64>(), string(), any::<u64>())
        .prop_map(|(epoch, node, incarnation)| EpochOpen { epoch, node, incarnation })
        .boxed()
}

pub(crate) fn expired() -> BoxedStrategy<Expired> {
    any::<(u64, i64, i64)>()
        .prop_map(|(epoch, ended, at)| Expired {
            epoch,
            ended: Timestamp(ended),
            at: Timestamp(at),
        })
        .boxed()
}

pub(crate) fn progress() -> BoxedStrategy<Progress> {
    let hours = btree_map(any::<i64>().prop_map(Timestamp), any::<u64>(), 0..4);
    let dirty = btree_map(string(), hours, 0..3);
    let watermark = option::of(any::<i64>().prop_map(Timestamp));
    (any::<(u64, u64, u16)>(), btree_map(source(), any::<u64>(), 0..5), dirty, watermark)
        .prop_map(|(numbers, applied, dirty, watermark)| {
            let (epoch, cycle, routing_version) = numbers;
            let dirty = DirtySlices(dirty);
            Progress { epoch, cycle, routing_version, applied, dirty, watermark }
        })
        .boxed()
}

pub(crate) fn head() -> BoxedStrategy<EnvelopeHead> {
    (any::<(u16, u64, u64, u64)>(), string(), source())
        .prop_map(|(numbers, org, source)| {
            let (shard, epoch_hint, from, to) = numbers;
            EnvelopeHead { shard, epoch_hint, org, source, from, to, count: 0 }
        })
        .boxed()
}
