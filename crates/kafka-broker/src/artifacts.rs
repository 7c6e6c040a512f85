//! Kafka's artifacts: downloaded by Maven, once, into the build directory.
//!
//! `target/kafka/` has the `pom.xml` of this crate, a Maven repository, the class path that Maven resolved (its file is written
//! last, so whoever finds it finds everything), and a file that is locked by whoever downloads.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Error;
use crate::process::output_within;

const POM: &str = include_str!("pom.xml");
/// Ten times what the download took on a slow line (54 MB).
const DOWNLOAD: Duration = Duration::from_secs(600);
/// How Maven says that a repository does not answer. That it answers and has no such artifact is said in other words.
const UNREACHABLE: &[&str] = &["Could not transfer artifact", "Could not transfer metadata", "transfer failed for"];

/// The class path for the broker and its tools, in Java's notation.
///
/// # Errors
/// [`Error::Unavailable`] if it must be downloaded and Maven Central cannot be reached.
pub(crate) fn class_path() -> Result<String, Error> {
    let home = home();
    fs::create_dir_all(&home).map_err(Error::io(format_args!("cannot create {}", home.display())))?;
    let lock = home.join("lock");
    let lock = File::create(&lock).map_err(Error::io(format_args!("cannot create {}", lock.display())))?;
    // Released when the file is closed, also by the death of the process.
    lock.lock().map_err(Error::io("cannot lock the directory of Kafka's artifacts"))?;
    match found(&home) {
        Some(class_path) => Ok(class_path),
        None => download(&home),
    }
}

/// `target/kafka`.
fn home() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")).join("kafka")
}

/// What an earlier download of the same `pom.xml` has left.
fn found(home: &Path) -> Option<String> {
    let same = fs::read_to_string(home.join("pom.xml")).is_ok_and(|pom| pom == POM);
    let class_path = fs::read_to_string(home.join("class-path")).ok().filter(|_| same)?;
    class_path.split(':').all(|jar| Path::new(jar).is_file()).then_some(class_path)
}

fn download(home: &Path) -> Result<String, Error> {
    let path = |name: &str| home.join(name);
    let _ = fs::remove_file(path("class-path"));
    fs::write(path("pom.xml"), POM).map_err(Error::io("cannot write pom.xml"))?;
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--no-transfer-progress", "--file"]).arg(path("pom.xml"));
    maven.arg(format!("-Dmaven.repo.local={}", path("repository").display()));
    maven.arg(format!("-Dmdep.outputFile={}", path("new-class-path").display()));
    let output = output_within(maven.arg("dependency:build-classpath").stdin(Stdio::null()), DOWNLOAD)
        .map_err(|error| Error::Failed(format!("{error}. `cargo xtask test` installs Maven")))?;
    if !output.status.success() {
        return Err(failure(&String::from_utf8_lossy(&output.stdout)));
    }
    fs::rename(path("new-class-path"), path("class-path")).map_err(Error::io("Maven wrote no class path"))?;
    found(home).ok_or_else(|| Error::Failed("a file of Maven's class path does not exist; remove target/kafka".into()))
}

/// What Maven's output says about its failure.
fn failure(output: &str) -> Error {
    let why: Vec<&str> = output.lines().filter(|line| line.contains("ERROR")).take(2).collect();
    let why = why.join("\n");
    if UNREACHABLE.iter().any(|words| output.contains(words)) {
        Error::Unavailable(format!("Maven Central cannot be reached, so there is no Apache Kafka: {why}"))
    } else {
        Error::Failed(format!("Maven did not get Apache Kafka: {why}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_repository_that_does_not_answer_is_a_reason_to_skip() {
        let offline =
            "[ERROR] Failed to execute goal: Could not transfer artifact a:b:pom:1 from/to central: Unknown host";
        assert!(matches!(failure(offline), Error::Unavailable(_)));
        let wrong = "[ERROR] Could not find artifact org.apache.kafka:kafka_2.13:jar:0.0.0 in central";
        assert!(matches!(failure(wrong), Error::Failed(why) if why.contains("0.0.0")));
    }
}
