//! A disk that fills up: a replay ends with a sentence, and goes on where it was once there is room.
#![allow(clippy::unwrap_used, reason = "a test ends with what went wrong")]

use std::path::Path;
use std::process::{Command, Output};

use naap_tests::{DataDir, json, program, run};

/// Runs a script in which `$room` is an empty disk of this size, as only its own process sees it.
fn on_a_disk_of(size: &str, room: &Path, script: &str) -> Output {
    let script = format!("mount -t tmpfs -o size={size} none \"$room\" && {script}");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    command.env("room", room).env("naap", program()).output().unwrap()
}

#[test]
fn a_full_disk_ends_a_replay_with_a_remedy_and_costs_nothing() {
    let dir = DataDir::new();
    let room = dir.path().join("room");
    std::fs::create_dir(&room).unwrap();
    let able = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).output();
    if !able.is_ok_and(|able| able.status.success()) {
        eprintln!("SKIPPED: this user may not make mount namespaces (unshare)");
        return;
    }
    let events = dir.path().join("events.jsonl");
    run(Command::new(program()).args(["generate", "--sessions", "60", "--out"]).arg(&events));
    let replay = "\"$naap\" replay --output json --data-dir \"$room/data\" \"$EVENTS\"";
    let replay = replay.replace("$EVENTS", events.to_str().unwrap());

    let whole = dir.replay(&[&events]);
    // What is on the disk besides: nothing fits at first, then everything does.
    for full in [1, 6] {
        let fill = format!("head -c {full}000000 /dev/zero > \"$room/else\"");
        let script = format!(
            "{fill} && {{ {replay}; echo ended $?; rm \"$room/else\"; mount -o remount,size=400m \"$room\"; }} >&2; \
             {replay}"
        );
        let output = on_a_disk_of("7m", &room, &script);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("ended 2"), "{said}");
        let error = said.lines().find(|line| line.contains("\"error\"")).unwrap();
        assert!(error.contains("free some space or move the data folder"), "{error}");
        assert!(output.status.success(), "{said}");
        assert_eq!(json(&output)["fingerprints"], whole["fingerprints"]);
    }
}
