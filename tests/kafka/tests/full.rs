//! A sender whose disk is full: it is told what to do, loses nothing, and goes on once there is room.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use postern_kafka_broker::skipped;
use postern_testkit::{TIMEOUT, temp_dir};
use tempfile::TempDir;

use crate::delivery::{Program, Setting};
use crate::harness::{TestHub, shared_bootstrap};

/// Each way: three times as much as the store that is too small has room for.
const MESSAGES: u64 = 300;
/// Bytes of that store: three times as much as the program stores by one call.
const ROOM: u32 = 1 << 20;
/// Bytes of a page of the store.
const PAGE: u32 = 16_384;
/// For all messages to arrive, on a busy machine.
const DELIVERED: Duration = Duration::from_secs(120);

/// Two programs whose hub comes back only when the one with these arguments has said that its disk is full, and has been helped.
fn run(bootstrap: &str, more: &[String], help: impl FnOnce()) -> [Program; 2] {
    let mut hub = TestHub::with_kafka(bootstrap);
    let streams = ["there", "back"].map(crate::conformance::unique);
    let setting = Setting { hub: hub.address().to_string(), messages: MESSAGES, seed: 1, streams };
    hub.kill();
    let programs = Program::start_both(&setting, more);
    let [_, full] = &programs;
    let error = full.process.wait_for_line(|line| line.starts_with("error "), TIMEOUT);
    assert!(error.contains("disk of the delivery store is full: free some space"), "{error}");
    help();
    hub.kill_and_restart();
    for program in &programs {
        program.process.wait_for_line(|line| line == "done", DELIVERED);
    }
    programs
}

#[test]
fn a_store_that_may_not_grow_is_told_as_a_full_disk_and_goes_on_when_messages_are_acknowledged() {
    let Some(bootstrap) = shared_bootstrap() else { return };
    let more = ["--pages".into(), (ROOM / PAGE).to_string()];
    // What is acknowledged is deleted, and makes room.
    run(&bootstrap, &more, || {}).iter().for_each(|program| program.check(MESSAGES));
}

/// A file system in memory. Unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Nothing where this process may not mount one.
    fn mount() -> Option<Self> {
        let directory = temp_dir();
        let size = format!("size={ROOM}");
        let mounted = mount(&["-t", "tmpfs", "-o", &size, "postern-test"], directory.path());
        mounted.then(|| Self(directory))
    }

    /// What somebody does who reads the error.
    fn enlarge(&self) {
        assert!(mount(&["-o", &format!("remount,size={}", 64 * ROOM)], self.0.path()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // At once, although a program that was killed may still be ending.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn mount(arguments: &[&str], place: &Path) -> bool {
    Command::new("mount").args(arguments).arg(place).output().is_ok_and(|done| done.status.success())
}

#[test]
fn a_disk_that_is_full_is_told_and_the_program_goes_on_once_there_is_room() {
    let Some(bootstrap) = shared_bootstrap() else { return };
    let Some(disk) = SmallDisk::mount() else { return skipped("no file system can be mounted") };
    let more = ["--store".into(), disk.0.path().display().to_string()];
    let [alice, bob] = run(&bootstrap, &more, || disk.enlarge());
    alice.check(MESSAGES);
    bob.check_in(disk.0.path(), MESSAGES);
    // The programs end before the file system.
    drop((alice, bob));
}
