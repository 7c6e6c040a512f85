//! The broker itself: it comes back with its records on its ports, every way in works, and nothing of it stays behind.
//!
//! One test, because one broker serves every part of it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::fs;
use std::process::Command;

use postern_kafka_broker::{
    Broker, PLAIN_PASSWORD, SCRAM_PASSWORD, STRANGER, STRANGER_PASSWORD, Tools, USER, skipped, unavailable,
};

#[test]
fn a_broker_keeps_its_records_over_restarts_and_leaves_nothing_behind() {
    if let Some(why) = unavailable().unwrap() {
        skipped(&why);
        return;
    }
    let mut broker = Broker::start().unwrap();
    let tools = broker.tools();
    broker.create_topic("letters", 1).unwrap();
    tools.produce("letters", "one\ntwo\nthree").unwrap();
    let bootstrap = broker.bootstrap();

    broker.kill().unwrap();
    assert!(!broker.is_running());
    broker.restart().unwrap();
    assert_eq!(broker.bootstrap(), bootstrap);
    assert_eq!(tools.consume("letters").unwrap(), b"one\ntwo\nthree\n");

    tools.delete_records("letters", 0, 2).unwrap();
    broker.stop().unwrap();
    broker.restart().unwrap();
    assert_eq!(tools.consume("letters").unwrap(), b"three\n");

    every_way_in_works(&broker);

    broker.wipe().unwrap();
    broker.restart().unwrap();
    assert!(!tools.topics().unwrap().contains(&"letters".to_owned()));

    let directory = broker.data().parent().unwrap().to_owned();
    drop(broker);
    assert!(!directory.exists());
    let processes = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    let processes = String::from_utf8_lossy(&processes.stdout).into_owned();
    assert!(!processes.contains(&*directory.to_string_lossy()), "{processes}");
}

/// Asks for the topics, as each kind of user.
fn every_way_in_works(broker: &Broker) {
    broker.grant("User:CN=client", "let").unwrap();
    let directory = broker.data().parent().unwrap().to_owned();
    let sasl = |mechanism: &str, module: &str, user: &str, password: &str| {
        format!(
            "security.protocol=SASL_SSL\nssl.truststore.type=PEM\nssl.truststore.location={}\nsasl.mechanism={mechanism}\n\
             sasl.jaas.config=org.apache.kafka.common.security.{module}LoginModule required username=\"{user}\" \
             password=\"{password}\";\n",
            broker.ca().display()
        )
    };
    let (certificate, key) = broker.client_certificate();
    let keystore = directory.join("client-keystore.pem");
    fs::write(&keystore, [fs::read(key).unwrap(), fs::read(certificate).unwrap()].concat()).unwrap();
    let tls = format!(
        "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location={}\nssl.keystore.type=PEM\n\
         ssl.keystore.location={}\n",
        broker.ca().display(),
        keystore.display()
    );
    let cases = [
        (broker.sasl_bootstrap(), sasl("PLAIN", "plain.Plain", USER, PLAIN_PASSWORD), true),
        (broker.sasl_bootstrap(), sasl("PLAIN", "plain.Plain", STRANGER, STRANGER_PASSWORD), false),
        (broker.sasl_bootstrap(), sasl("SCRAM-SHA-256", "scram.Scram", USER, SCRAM_PASSWORD), true),
        (broker.sasl_bootstrap(), sasl("SCRAM-SHA-512", "scram.Scram", USER, SCRAM_PASSWORD), true),
        (broker.tls_bootstrap(), tls, true),
    ];
    for (bootstrap, properties, sees) in cases {
        let file = directory.join("client.properties");
        fs::write(&file, &properties).unwrap();
        let mut tool = Tools::at(&bootstrap).unwrap().command("org.apache.kafka.tools.TopicCommand");
        let listed = tool.arg("--list").arg("--command-config").arg(&file).output().unwrap();
        assert!(listed.status.success(), "{properties}\n{listed:?}");
        assert_eq!(String::from_utf8_lossy(&listed.stdout).contains("letters"), sees, "{properties}");
    }
}
