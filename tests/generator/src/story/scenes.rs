//! The recurring parts of a story: edges, start, running, reports.

use super::{Style, Teller};
use crate::session::{
    Body, Edge, LastError, Named, Notice, Report, Sample, Spelling, TRANSPORT_INTERVAL_MS, Trace,
};

impl Teller<'_> {
    fn push(&mut self, body: Body) {
        self.told.drafts.push((self.now, body));
    }

    /// The orchestrator of an attempt as the next event spells it.
    pub(super) fn named(&mut self, attempt: u8) -> Named {
        const GAPS: [Spelling; 7] = [
            Spelling::MixedCase,
            Spelling::OddUrl,
            Spelling::UrlOnly,
            Spelling::AddressOnly,
            Spelling::Blank,
            Spelling::BareZeroX,
            Spelling::Missing,
        ];
        let gap = self.random.chance(self.profile.identity_gap);
        let usual = if self.address_only { Spelling::AddressOnly } else { Spelling::Full };
        let spelling = if gap && !self.address_only { *self.random.pick(&GAPS) } else { usual };
        if spelling != usual {
            self.tag("identity_gap");
        }
        Named { attempt, spelling }
    }

    /// A lifecycle trace that happened now; the envelope follows after the queueing delay.
    pub(super) fn edge(&mut self, edge: Edge, named: Named, message: &'static str) {
        let at = self.now;
        let delay = match edge {
            Edge::Request => self.random.between(0, 180),
            Edge::Closed | Edge::NoOrchestrators => 0,
            _ => self.random.between(0, 2),
        };
        let skew = self.told.attempts.get(usize::from(named.attempt)).map_or(0, |a| a.skew);
        let mut stamp = match edge {
            Edge::Swap => None,
            _ if edge.is_runner() => Some(at + skew - self.random.between(0, 3)),
            _ => Some(at),
        };
        if stamp.is_some() && self.random.chance(0.001) {
            stamp = *self.random.pick(&[None, Some(0), Some(at / 1000)]);
            self.tag("trace_stamp_unusable");
        }
        let body = Body::Trace(Trace { edge, named, stamp, message });
        self.told.drafts.push((at + delay, body));
    }

    /// Discovery and first payment.
    pub(super) fn select(&mut self, attempt: u8) {
        self.now += self.random.between(200, 400);
        let found = self.random.between(1, 6) as u8;
        self.push(Body::Discovery { found });
        self.now += 1;
        let eth = self.random.chance(0.1);
        if eth {
            self.tag("payment_in_eth");
        }
        self.push(Body::Payment { attempt, first: attempt == 0, eth });
    }

    /// From the first segment to playable.
    pub(super) fn begin(&mut self, attempt: u8, playable: bool, byoc: bool) {
        let current = &mut self.told.attempts[usize::from(attempt)];
        current.started = self.now + 40 + current.skew;
        let idle_frames = self.random.chance(0.04);
        self.now += self.random.between(1200, 2600);
        if idle_frames {
            self.tag("output_before_input");
            self.traced(Edge::RunnerSend, attempt);
            self.now += self.random.between(50, 200);
        }
        if self.random.chance(0.3) {
            self.traced(Edge::RunnerReceiveRequest, attempt);
        }
        self.traced(Edge::SendIngest, attempt);
        self.now += self.random.between(1, 40);
        self.traced(Edge::RunnerReceive, attempt);
        if !idle_frames {
            self.now += self.random.between(60, 400);
            self.traced(Edge::RunnerSend, attempt);
        }
        if byoc {
            self.now += 5;
            self.traced(Edge::FirstData, attempt);
        }
        if playable {
            self.now += self.random.between(100, 900);
            self.traced(Edge::FirstProcessed, attempt);
            self.now += self.random.between(800, 4200);
            self.traced(Edge::FewProcessed, attempt);
        }
    }

    pub(super) fn traced(&mut self, edge: Edge, attempt: u8) {
        let named = self.named(attempt);
        self.edge(edge, named, "");
    }

    /// Status samples every ten seconds, payments, and what happens in between.
    pub(super) fn run(&mut self, attempt: u8, seconds: i64, style: Style) {
        let current = self.told.attempts[usize::from(attempt)].clone();
        let (begin, end) = (self.now, self.now + seconds * 1000);
        let mut restarts = if current.sticky { 3 } else { 0 };
        let mut own_error = false;
        let mut previous = current.started;
        let prompt = if self.random.chance(0.3) { self.random.between(1, 3) as u8 } else { 0 };
        let mut due = current.started - current.skew + 10_000;
        let mut number = 0;
        while due < end {
            self.now = due.max(begin) + self.random.between(0, 18);
            let runner_ts = self.now + current.skew - self.random.between(0, 4);
            let (state, output) = self.health(style, number);
            let last_error = self.last_error(current.sticky, own_error);
            let named = self.named(attempt);
            let input = self.random.between(15_000, 30_000) as u32;
            let start_time = self.start_time;
            self.push(Body::Status(Sample {
                named,
                state,
                output,
                input,
                start_time,
                last_error,
                prompt,
                restarts,
                runner_ts,
                previous,
            }));
            own_error |= self.between_samples(attempt, &mut restarts);
            previous = runner_ts;
            due += 10_000;
            number += 1;
        }
        self.payments(attempt, begin, end);
        self.transport(attempt, begin, end);
        self.now = end;
    }

    /// State and output rate of a sample.
    fn health(&mut self, style: Style, number: u32) -> (u8, u32) {
        match style {
            Style::Loading => (*self.random.pick(&[3, 3, 6]), 0),
            Style::ZeroFps => (*self.random.pick(&[0, 2, 4, 5]), 0),
            Style::Healthy if number == 0 && self.random.chance(0.2) => (3, 0),
            Style::Healthy if self.random.chance(0.1) => {
                (*self.random.pick(&[1, 2, 2, 7]), self.random.between(0, 12_000) as u32)
            }
            Style::Healthy => (0, self.random.between(11_000, 29_000) as u32),
        }
    }

    fn last_error(&mut self, sticky: bool, own: bool) -> LastError {
        match (own, sticky) {
            (true, _) => LastError::Own,
            (_, true) => LastError::Sticky,
            _ if self.random.chance(0.02) => {
                *self.random.pick(&[LastError::NullText, LastError::Empty])
            }
            _ => LastError::Null,
        }
    }

    /// Parameter updates, restarts and errors after a sample; true for an error of this run.
    fn between_samples(&mut self, attempt: u8, restarts: &mut u8) -> bool {
        self.now += self.random.between(100, 6000);
        let named = self.named(attempt);
        if self.random.chance(self.profile.params_update) {
            self.notice(Report::ParamsUpdate, "", named);
            self.tag("params_update");
        }
        if self.random.chance(self.profile.restart) {
            *restarts = restarts.saturating_add(1);
            let logs = self.random.chance(0.25);
            self.notice(Report::Restart { logs }, "", named);
            self.tag(if logs { "restart_big_logs" } else { "restart" });
        }
        if self.random.chance(self.profile.run_error / 4.0) {
            self.notice(Report::Other, "", named);
            self.tag("other_ai_event");
        }
        let failed = self.random.chance(self.profile.run_error);
        if failed {
            self.notice(Report::RunnerError, "Error updating params: invalid \"seed\" <0>", named);
            self.tag("runner_error");
        }
        failed
    }

    fn notice(&mut self, report: Report, message: &'static str, named: Named) {
        let shout = self.random.chance(0.01);
        let unlabelled = report == Report::GatewayError && self.random.chance(0.03);
        for (tag, on) in [("type_in_upper_case", shout), ("error_without_label", unlabelled)] {
            if on {
                self.tag(tag);
            }
        }
        self.push(Body::Notice(Notice { report, message, named, shout, unlabelled }));
    }

    pub(super) fn error(&mut self, message: &'static str) {
        self.notice(
            Report::GatewayError,
            message,
            Named { attempt: 0, spelling: Spelling::Missing },
        );
    }

    /// Follow-up payments: early, then every 54 s.
    fn payments(&mut self, attempt: u8, begin: i64, end: i64) {
        let mut at = begin + 6_030;
        let mut step = 6_000;
        while at < end {
            self.told.drafts.push((at, Body::Payment { attempt, first: false, eth: false }));
            at += step;
            step = if step == 6_000 { 48_000 } else { 54_000 };
        }
    }

    /// Transport counters of an attempt, every full five seconds of it.
    fn transport(&mut self, attempt: u8, begin: i64, end: i64) {
        if !self.profile.transport {
            return;
        }
        let count = u32::try_from((end - begin) / TRANSPORT_INTERVAL_MS).unwrap_or(0);
        for seq in 0..count {
            let at = begin + TRANSPORT_INTERVAL_MS * i64::from(seq + 1);
            let last = seq + 1 == count;
            self.told.drafts.push((at, Body::Transport { attempt, seq, begin, last }));
        }
    }

    /// WebRTC ingest metrics from the connection to now.
    pub(super) fn ingest(&mut self) {
        if !self.whip {
            return;
        }
        let mut elapsed = 5;
        while self.start + i64::from(elapsed) * 1000 < self.now {
            let ts = self.start + 300 + i64::from(elapsed) * 1000 + self.random.between(-1, 1);
            self.told.drafts.push((ts, Body::Ingest { elapsed }));
            elapsed += 5;
        }
    }
}
