//! The engine of a `naap` that runs: its only child. Shared with the tests of the whole program.

use rustix::process::{Pid, Signal, kill_process};

/// Kills the only child of the process `parent`.
pub(crate) fn kill_child(parent: u32) {
    let parent = parent.to_string();
    let is_child = |pid: i32| {
        // One that ends meanwhile is not the child.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name, which may hold anything, is in parentheses; behind it stand the state and the parent.
        let (_, rest) = stat.rsplit_once(')').unwrap_or_default();
        rest.split_whitespace().nth(1) == Some(parent.as_str())
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let mut all = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let child = Pid::from_raw(all.find(|&pid| is_child(pid)).unwrap()).unwrap();
    kill_process(child, Signal::KILL).unwrap();
}
