//! Somebody who can write a person's files, and has no key, changes the audit log while Postern does not run.

use std::fs;
use std::path::Path;

use postern_testkit::{Person, temp_dir};
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};

/// Everything in a directory, with its contents.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|it| (it.file_name().to_str().unwrap().to_owned(), fs::read(it.path()).unwrap())).collect()
}

/// Puts files back as they were, and removes those that have come since.
fn put_back(directory: &Path, were: &[(String, Vec<u8>)]) {
    for (name, _) in files(directory) {
        fs::remove_file(directory.join(name)).unwrap();
    }
    for (name, contents) in were {
        fs::write(directory.join(name), contents).unwrap();
    }
}

fn execute(database: &Path, sql: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}

/// Changes bytes in the middle of a file, as a hex editor does.
fn overwrite(file: &Path, old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let mut contents = fs::read(file).unwrap();
    let places: Vec<usize> = (0..contents.len() - old.len()).filter(|at| contents[*at..].starts_with(old)).collect();
    for at in &places {
        contents[*at..*at + new.len()].copy_from_slice(new);
    }
    assert!(!places.is_empty());
    fs::write(file, contents).unwrap();
}

/// What is wrong with the log, as the two commands say: the problems of `log --verify`, and the bad findings of `doctor`.
fn reported(ann: &Person) -> (Vec<String>, Vec<String>) {
    let events = |arguments: &[&str]| match ann.try_run(arguments, "") {
        Ok(events) => events,
        Err(failure) => failure.events,
    };
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let verified = events(&["log", "--verify"]);
    let verified = verified.iter().find(|it| it["event"] == "verified").expect("what was verified");
    assert_eq!(verified["intact"] == true, verified["problems"] == serde_json::json!([]), "{verified}");
    let found = events(&["doctor"]);
    let found = found.iter().filter_map(|it| it["findings"].as_array()).flatten();
    let found = found.filter(|it| it["subject"] == "log" && it["severity"] == "bad");
    (texts(&verified["problems"]), found.map(|it| it["message"].as_str().unwrap().to_owned()).collect())
}

/// Starts Postern, looks what it reports about the log, and stops it.
fn reported_after_start(ann: &mut Person) -> (Vec<String>, Vec<String>) {
    ann.up();
    ann.wait_for("the key", |seen| seen["me"]["words"].as_str().map(|_| ()));
    let found = reported(ann);
    ann.stop();
    found
}

#[test]
fn what_others_change_in_the_log_is_reported_by_verify_and_by_doctor() {
    let mut ann = Person::stopped("Ann", &["--this-computer"]);
    let (directory, nothing) = (ann.data_dir(), (Vec::new(), Vec::new()));
    let database = directory.join("postern.db");
    ann.up();
    for name in ["alpha", "bravo", "delta"] {
        ann.share(([127, 0, 0, 1], 9).into(), name);
    }
    ann.stop();
    let yesterday = temp_dir();
    fs::copy(&database, yesterday.path().join("postern.db")).unwrap();
    ann.up();
    for name in ["gamma", "sigma", "omega"] {
        ann.share(([127, 0, 0, 1], 9).into(), name);
    }
    ann.stop();
    let were = files(&directory);
    assert_eq!(reported_after_start(&mut ann), nothing, "a log that nobody has changed");

    let changes: [(&str, &dyn Fn()); 4] = [
        ("one byte changed", &|| {
            overwrite(&database, br#"{"deed":"service","service":"bravo""#, br#"{"deed":"service","service":"brava""#)
        }),
        ("one row removed", &|| execute(&database, "DELETE FROM receipt WHERE number = 3")),
        ("the tail cut", &|| {
            execute(&database, "DELETE FROM receipt WHERE number > (SELECT MAX(number) - 2 FROM receipt)");
        }),
        ("yesterday's file put back", &|| {
            fs::copy(yesterday.path().join("postern.db"), &database).unwrap();
        }),
    ];
    for (what, change) in changes {
        put_back(&directory, &were);
        change();
        let (verified, diagnosed) = reported_after_start(&mut ann);
        assert!(!verified.is_empty() && verified == diagnosed, "{what}: {verified:?}, {diagnosed:?}");
        // It stays so: what is wrong is an entry itself, or the chain remains broken.
        assert_ne!(reported_after_start(&mut ann).0, Vec::<String>::new(), "{what}");
    }
}
