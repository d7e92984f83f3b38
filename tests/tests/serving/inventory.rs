//! What is advertised now (backlog 007), once more from the advertisements of a day and more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use naap_tests::DataDir;
use naap_tests::script::{MINUTE, Script, advertisement};
use serde_json::{Value, json};

use crate::facts::{HOUR, number, text};
use crate::{Rows, compare};

/// Nodes of several gateways that advertise every hour: GPUs come and go, serve one model or two, and
/// some nodes fell silent in the hours before.
fn advertised(now: i64) -> Script {
    let mut script = Script::default();
    for hours_ago in (0..27).rev() {
        for node in 0..16_i64 {
            let is_silent = match node {
                12 => hours_ago < 25,
                13 => hours_ago < 22,
                14 => hours_ago < 1,
                _ => false,
            };
            if is_silent {
                continue;
            }
            let turn = node + hours_ago;
            let gpus = [
                Some((format!("GPU-{node}-A"), "m1")),
                // Under another spelling every other hour.
                Some((
                    if turn % 2 == 0 { format!(" gpu-{node}-b") } else { format!("GPU-{node}-B") },
                    "m2",
                )),
                (turn % 3 > 0).then(|| (format!("GPU-{node}-A"), "m2")),
                (turn % 4 > 1).then(|| (format!("GPU-{node}-C"), "m1")),
            ];
            let gpus: Vec<(String, &str)> = gpus.into_iter().flatten().collect();
            // One has lost all its GPUs by now.
            let gpus: &[(String, &str)] =
                if node == 15 && hours_ago == 0 { &[] } else { &gpus[..] };
            let gpus: Vec<(&str, &str)> =
                gpus.iter().map(|(gpu, model)| (&**gpu, *model)).collect();
            let mut data = advertisement(&format!("o{node}"), &gpus);
            let capability = &mut data[0]["capabilities"]["constraints"]["PerCapability"]["35"];
            capability["models"]["m1"]["capacity"] = json!(1 + turn % 5);
            let other =
                json!({"warm": turn % 2 == 1, "capacity": turn % 7, "runnerVersion": "0.15.0"});
            capability["models"]["m2"] = other;
            let at = now - hours_ago * HOUR - 20 * MINUTE - node;
            script.event(at, ["gw-a", "gw-b"][(turn % 2) as usize], "network_capabilities", &data);
        }
    }
    script
}

/// Newest event of a URL, and rows of it.
type Newest = BTreeMap<String, (i64, Vec<Value>)>;

fn newest(rows: Vec<Value>) -> Newest {
    let mut found = Newest::new();
    for row in rows {
        let ts = number(&row, "ts");
        let (known, rows) = found.entry(text(&row, "orchestrator_url")).or_default();
        if ts > *known {
            rows.clear();
            *known = ts;
        }
        if ts == *known {
            rows.push(row);
        }
    }
    found
}

fn read(dir: &DataDir, table: &str) -> Vec<Value> {
    dir.query(&format!(
        "SELECT *, toUnixTimestamp64Milli(snapshot_ts) AS ts FROM naap.{table} FINAL"
    ))
}

fn spelled(gpu: &str) -> String {
    gpu.trim().to_lowercase()
}

/// What is not older than a day, by GPU; texts are key.
fn expected(dir: &DataDir, now: i64) -> Rows {
    let snapshots = read(dir, "dim_orchestrator_capability_snapshots");
    let slots = newest(read(dir, "dim_orchestrator_capability_model_constraints"));
    let prices = newest(read(dir, "dim_orchestrator_capability_prices"));
    let mut first: BTreeMap<(String, String), i64> = BTreeMap::new();
    for row in &snapshots {
        let gpu = (text(row, "orchestrator_url"), spelled(&text(row, "gpu_id")));
        let ts = number(row, "ts");
        first.entry(gpu).and_modify(|known| *known = ts.min(*known)).or_insert(ts);
    }
    let mut found = Rows::new();
    for (url, (ts, rows)) in newest(snapshots) {
        let gpus: BTreeSet<String> = rows.iter().map(|row| spelled(&text(row, "gpu_id"))).collect();
        for gpu in gpus.iter().filter(|gpu| !gpu.is_empty() && ts > now - 24 * HOUR) {
            let own: Vec<&Value> =
                rows.iter().filter(|row| spelled(&text(row, "gpu_id")) == *gpu).collect();
            let names = |column: &str| {
                let names: BTreeSet<String> = own.iter().map(|row| text(row, column)).collect();
                names.into_iter().collect::<Vec<_>>()
            };
            let models = names("model_id");
            let slots = slots[&url].1.iter().filter(|row| models.contains(&text(row, "model_id")));
            let most = |column: &str| {
                slots.clone().filter_map(|row| row[column].as_f64()).fold(f64::NAN, f64::max)
            };
            // That of the first of its models that has one.
            let price = models.iter().find_map(|model| {
                prices[&url].1.iter().find(|row| row["constraint_name"] == **model)
            });
            let memory = number(own[0], "gpu_memory_total");
            let name = text(own[0], "gpu_name");
            let key = vec![
                text(own[0], "org"),
                text(own[0], "orchestrator_address"),
                url.clone(),
                gpu.clone(),
                name.clone(),
                names("pipeline").join("+"),
                models.join("+"),
                format!("{url}|{name}|{memory}"),
                first[&(url.clone(), gpu.clone())].to_string(),
                ts.to_string(),
            ];
            let row = BTreeMap::from([
                ("capacity", most("capacity")),
                ("capacity_in_use", most("capacity_in_use")),
                ("warm", most("warm")),
                (
                    "price_per_unit",
                    price.map_or(f64::NAN, |row| number(row, "price_per_unit") as f64),
                ),
                ("gpu_memory_bytes_total", memory as f64),
                ("is_fresh", f64::from(u8::from(now - ts <= 30 * MINUTE))),
            ]);
            found.insert(key, row);
        }
    }
    found
}

const VIEW: &str = "(SELECT *, last_seen_ts AS window_start, arrayStringConcat(pipelines, '+') AS workflows,
    arrayStringConcat(model_ids, '+') AS models,
    toString(toUnixTimestamp64Milli(first_seen_ts)) AS first, toString(toUnixTimestamp64Milli(last_seen_ts)) AS last
    FROM naap.v_api_gpu_inventory_current)";

fn clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

#[test]
fn the_inventory_says_what_was_advertised_last() {
    let now = clock();
    let dir = DataDir::new();
    advertised(now).shuffled().replay(&dir, "events.jsonl");
    let expected = expected(&dir, now);
    for fresh in [false, true] {
        let has = |row: &BTreeMap<&str, f64>| (row["is_fresh"] > 0.5) == fresh;
        assert!(expected.values().any(has), "fresh or not: none is {fresh}");
    }
    let key = "org, orchestrator_address, orchestrator_url, gpu_id, gpu_model_name, workflows, models, \
        sku_fingerprint, first, last";
    compare(&dir, VIEW, key, &expected);
    let sql = "SELECT age_seconds AS age, toUnixTimestamp64Milli(last_seen_ts) AS last
               FROM naap.v_api_gpu_inventory_current";
    let before = clock();
    let rows = dir.query(sql);
    let after = clock();
    for row in rows {
        let least = number(&row, "last") + 1000 * number(&row, "age");
        assert!(least <= after && before < least + 1000, "{row}: asked from {before} to {after}");
    }
}
