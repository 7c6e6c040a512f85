//! The broker's `server.properties`.

use std::fmt::Write as _;
use std::path::Path;

use crate::{Options, PLAIN_PASSWORD, STRANGER, STRANGER_PASSWORD, USER};

/// The ports of one broker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) plaintext: u16,
    pub(crate) sasl: u16,
    pub(crate) tls: u16,
    pub(crate) controller: u16,
}

/// Everything but listeners, files and what the caller adds.
const FIXED: &str = "\
process.roles=broker,controller
node.id=1
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
ssl.keystore.type=PEM
ssl.truststore.type=PEM
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
# After SIGKILL the new process is refused until the session of the old one has ended: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
";

/// The whole file.
pub(crate) fn properties(directory: &Path, ports: Ports, options: &Options) -> String {
    let Ports { plaintext, sasl, tls, controller } = ports;
    let seen = options.advertised.unwrap_or(plaintext);
    let place = directory.display();
    let mut text = String::from(FIXED);
    let lines = [
        format!("controller.quorum.bootstrap.servers=127.0.0.1:{controller}"),
        format!(
            "listeners=PLAINTEXT://127.0.0.1:{plaintext},SASL_SSL://127.0.0.1:{sasl},SSL://127.0.0.1:{tls},\
             CONTROLLER://127.0.0.1:{controller}"
        ),
        format!("advertised.listeners=PLAINTEXT://127.0.0.1:{seen},SASL_SSL://localhost:{sasl},SSL://localhost:{tls}"),
        format!("log.dirs={place}/data"),
        format!("ssl.keystore.location={place}/tls/keystore.pem"),
        format!("ssl.truststore.location={place}/tls/ca.pem"),
        format!("super.users=User:ANONYMOUS;User:{USER}"),
        format!(
            "listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
             user_{USER}=\"{PLAIN_PASSWORD}\" user_{STRANGER}=\"{STRANGER_PASSWORD}\";"
        ),
    ];
    let added = options.properties.iter().map(|(key, value)| format!("{key}={value}"));
    for line in lines.into_iter().chain(added) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_sent_to_the_advertised_port() {
        let ports = Ports { plaintext: 1, sasl: 2, tls: 3, controller: 4 };
        let options = Options { advertised: Some(9), ..Options::default() };
        let text = properties(Path::new("/broker"), ports, &options);
        let line = |key: &str| text.lines().find(|line| line.starts_with(key)).unwrap();
        assert!(line("listeners=").contains("PLAINTEXT://127.0.0.1:1,"));
        assert!(line("advertised.listeners=").contains("PLAINTEXT://127.0.0.1:9,"));
        assert_eq!(line("log.dirs="), "log.dirs=/broker/data");
    }
}
