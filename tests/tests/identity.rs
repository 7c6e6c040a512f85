//! `postern identity`: the same person every time, with the key in an encrypted file.

use std::fs;
use std::path::Path;

use postern_testkit::person::with_passphrase;
use postern_testkit::{Process, TIMEOUT, temp_dir};
use serde_json::Value;

/// `postern identity WHAT` with its key in a file, the passphrase on file descriptor 3.
fn identity(what: &str, directory: &Path, passphrase: &str) -> (Option<i32>, Value) {
    let secret = directory.join("passphrase");
    fs::write(&secret, passphrase).unwrap();
    let mut command = with_passphrase(&secret);
    command.args(["--json", "identity", what, "--keychain", "file", "--passphrase-fd", "3", "--data-dir"]);
    command.arg(directory.join("data"));
    let finished = Process::run(&mut command, TIMEOUT);
    let line = finished.stdout.lines().last().unwrap_or_default();
    (finished.status.code(), serde_json::from_str(line).unwrap())
}

#[test]
fn an_identity_outlives_the_program_and_its_key_can_change() {
    let directory = temp_dir();
    let show = |what| identity(what, directory.path(), "correct horse\n");
    let (code, first) = show("show");
    assert_eq!((code, &first["event"]), (Some(0), &Value::from("identity")));
    assert_eq!(show("show").1, first);

    let (code, rotated) = show("rotate");
    assert_eq!((code, &rotated["identifier"]), (Some(0), &first["identifier"]));
    assert_ne!(rotated["key"], first["key"]);
    assert_eq!(show("show").1["key"], rotated["key"]);
    let history = show("export").1["history"].as_str().unwrap().to_owned();
    // Two changes: an array of two, the second with the first key's signature too.
    assert!(history.starts_with("8282") && history.len() > 600, "{history}");
}

#[test]
fn a_wrong_passphrase_has_its_own_exit_code_and_harms_nothing() {
    let directory = temp_dir();
    let (_, first) = identity("show", directory.path(), "correct horse\n");
    let (code, failed) = identity("show", directory.path(), "battery staple\n");
    assert_eq!((code, &failed["code"]), (Some(5), &Value::from("keychain-wrong-passphrase")));
    assert_eq!(identity("show", directory.path(), "correct horse\n").1, first);
}
