//! A recorder that remembers what was counted, for one test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit, with_local_recorder,
};

/// Values by name and labels: `name{label=value,label=value}`, labels in order. A histogram counts
/// its samples.
pub type Values = BTreeMap<String, f64>;

#[derive(Default)]
struct Meters(Arc<Mutex<Values>>);

struct Meter(String, Arc<Mutex<Values>>);

impl Meter {
    fn change(&self, change: impl FnOnce(&mut f64)) {
        change(self.1.lock().unwrap().entry(self.0.clone()).or_default());
    }
}

impl CounterFn for Meter {
    fn increment(&self, by: u64) {
        self.change(|value| *value += by as f64);
    }
    fn absolute(&self, to: u64) {
        self.change(|value| *value = to as f64);
    }
}

impl GaugeFn for Meter {
    fn increment(&self, by: f64) {
        self.change(|value| *value += by);
    }
    fn decrement(&self, by: f64) {
        self.change(|value| *value -= by);
    }
    fn set(&self, to: f64) {
        self.change(|value| *value = to);
    }
}

impl HistogramFn for Meter {
    fn record(&self, _: f64) {
        self.change(|value| *value += 1.0);
    }
}

impl Meters {
    fn meter(&self, key: &Key) -> Arc<Meter> {
        let mut labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        labels.sort();
        Arc::new(Meter(format!("{}{{{}}}", key.name(), labels.join(",")), self.0.clone()))
    }
}

impl Recorder for Meters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.meter(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.meter(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.meter(key))
    }
}

/// What `run` counts; metrics that stay untouched are not in it.
pub fn counted(run: impl FnOnce()) -> Values {
    let meters = Meters::default();
    with_local_recorder(&meters, run);
    meters.0.lock().unwrap().clone()
}

/// The sum over all label sets of `name` that contain `label`.
pub fn sum(values: &Values, name: &str, label: &str) -> f64 {
    let of = |key: &str| {
        let labels = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('{'));
        labels.is_some_and(|labels| labels.contains(label))
    };
    values.iter().filter(|(key, _)| of(key)).map(|(_, value)| value).sum()
}
