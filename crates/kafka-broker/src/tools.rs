//! Kafka's own console tools: what somebody with access to the broker sees and does.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{output_within, run_within};
use crate::{Error, artifacts};

/// A tool starts a JVM (1 to 2 s), connects and asks.
const TOOL: Duration = Duration::from_secs(60);
/// How long the console consumer waits for another record before it ends, in milliseconds.
const LAST_RECORD_MS: &str = "4000";

/// The console tools against one broker.
pub struct Tools {
    class_path: String,
    bootstrap: String,
}

impl Tools {
    pub(crate) fn new(class_path: String, bootstrap: String) -> Self {
        Self { class_path, bootstrap }
    }

    /// Those against the broker at an address, such as that of [`selected`](crate::selected).
    ///
    /// # Errors
    /// When Kafka cannot be downloaded.
    pub fn at(bootstrap: &str) -> Result<Self, Error> {
        Ok(Self::new(artifacts::class_path()?, bootstrap.to_owned()))
    }

    /// A command that runs a tool, such as `org.apache.kafka.tools.TopicCommand`, against the broker.
    pub fn command(&self, class: &str) -> Command {
        let mut java = Command::new("java");
        java.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]);
        java.args(["-cp", &self.class_path, class, "--bootstrap-server", &self.bootstrap]).stdin(Stdio::null());
        java
    }

    /// The console consumer, from the beginning of a topic until it is ended.
    pub fn console_consumer(&self, topic: &str) -> Command {
        let mut consumer = self.command("org.apache.kafka.tools.consumer.ConsoleConsumer");
        consumer.args(["--from-beginning", "--topic", topic]);
        consumer
    }

    /// Everything that the console consumer prints of a topic: the records, each with a line feed behind it.
    ///
    /// # Errors
    /// When it fails, or its time is over.
    pub fn consume(&self, topic: &str) -> Result<Vec<u8>, Error> {
        run_within(self.console_consumer(topic).args(["--timeout-ms", LAST_RECORD_MS]), TOOL)
    }

    /// Writes records with the console producer, one for each line.
    ///
    /// # Errors
    /// When it fails, or its time is over.
    pub fn produce(&self, topic: &str, lines: &str) -> Result<(), Error> {
        // Through a shell, so that a pipe that fills up cannot hold this process.
        let mut producer = self.command("org.apache.kafka.tools.ConsoleProducer");
        producer.args(["--topic", topic]);
        let mut shell = Command::new("sh");
        shell.args(["-c", "lines=$1; shift; printf '%s\\n' \"$lines\" | \"$@\"", "produce", lines]);
        shell.arg(producer.get_program()).args(producer.get_args());
        run_within(&mut shell, TOOL).map(drop)
    }

    /// The names of all topics.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn topics(&self) -> Result<Vec<String>, Error> {
        let listed = run_within(self.command("org.apache.kafka.tools.TopicCommand").arg("--list"), TOOL)?;
        Ok(String::from_utf8_lossy(&listed).lines().map(str::to_owned).collect())
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// When the tool fails, for instance because it exists.
    pub fn create_topic(&self, name: &str, partitions: u32) -> Result<(), Error> {
        let mut tool = self.command("org.apache.kafka.tools.TopicCommand");
        tool.args(["--create", "--topic", name, "--partitions", &partitions.to_string()]);
        run_within(&mut tool, TOOL).map(drop)
    }

    /// Deletes a topic.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn delete_topic(&self, name: &str) -> Result<(), Error> {
        let mut tool = self.command("org.apache.kafka.tools.TopicCommand");
        run_within(tool.args(["--delete", "--topic", name]), TOOL).map(drop)
    }

    /// Deletes the records of a partition that are before an offset, as retention does.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn delete_records(&self, topic: &str, partition: u32, before: u64) -> Result<(), Error> {
        let wanted = format!(
            r#"{{"partitions":[{{"topic":"{topic}","partition":{partition},"offset":{before}}}],"version":1}}"#
        );
        let mut tool = self.command("org.apache.kafka.tools.DeleteRecordsCommand");
        let mut shell = Command::new("sh");
        // The tool reads a file that it can read twice, so it is no pipe.
        let script = "file=$(mktemp) && printf %s \"$1\" >\"$file\"; shift; \"$@\" --offset-json-file \"$file\"; code=$?; rm \"$file\"; exit $code";
        shell.args(["-c", script, "delete", &wanted]).arg(tool.get_program()).args(tool.get_args());
        tool.stdin(Stdio::null());
        let said = run_within(&mut shell, TOOL)?;
        let said = String::from_utf8_lossy(&said).into_owned();
        if said.contains("low_watermark") { Ok(()) } else { Err(Error::Failed(said)) }
    }

    /// What the group tool says of a group's offsets; empty if there is no such group.
    ///
    /// # Errors
    /// When the tool cannot be run.
    pub fn group(&self, group: &str) -> Result<String, Error> {
        let mut tool = self.command("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand");
        let output = output_within(tool.args(["--describe", "--offsets", "--group", group]), TOOL)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Sets the committed offset of a group for all partitions of a topic. Nobody may be a member of the group.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn set_group(&self, group: &str, topic: &str, offset: u64) -> Result<(), Error> {
        let mut tool = self.command("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand");
        tool.args(["--reset-offsets", "--execute", "--group", group, "--topic", topic]);
        run_within(tool.args(["--to-offset", &offset.to_string()]), TOOL).map(drop)
    }

    /// Gives somebody all rights on the topics and groups whose names begin with `prefix`.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn grant(&self, who: &str, prefix: &str) -> Result<(), Error> {
        for resource in ["--topic", "--group"] {
            let mut tool = self.command("org.apache.kafka.tools.AclCommand");
            tool.args(["--add", "--allow-principal", who, "--operation", "All"]);
            tool.args(["--resource-pattern-type", "prefixed", resource, prefix]);
            run_within(&mut tool, TOOL)?;
        }
        Ok(())
    }
}
