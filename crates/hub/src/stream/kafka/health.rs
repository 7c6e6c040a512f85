//! Whether Kafka works, and if not, why: what librdkafka reports to its handles' callbacks, as a message for people.
//!
//! librdkafka answers a request that fails for a wrong password or an unknown authority with "timed out"; the cause comes to the
//! callbacks only. So the last cause is kept until something works again, and a vaguer one does not replace it.

use crate::stream::kafka_settings::KafkaSettings;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What is known of Kafka. Its callbacks come from librdkafka's threads.
#[derive(Debug)]
pub(crate) struct Health {
    username: String,
    brokers: String,
    state: Mutex<State>,
    /// Asks for a probe now.
    pub(crate) suspect: Notify,
}

#[derive(Debug, Default)]
struct State {
    cause: Option<Cause>,
    /// Nothing is known before the first probe.
    is_up: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cause {
    kind: Kind,
    text: String,
}

/// From vague to specific.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Unreachable,
    Tls,
    Authentication,
}

impl Health {
    pub(crate) fn new(settings: &KafkaSettings) -> Self {
        let username = settings.username.clone().unwrap_or_else(|| "(no username)".into());
        let brokers = settings.brokers.clone();
        Self { username, brokers, state: Mutex::default(), suspect: Notify::new() }
    }

    /// Why Kafka does not work now; nothing if it does, or may.
    pub(crate) fn trouble(&self) -> Option<String> {
        let state = self.state();
        match (state.is_up, &state.cause) {
            (Some(false), Some(cause)) => Some(cause.text.clone()),
            (Some(false), None) => Some(unreachable()),
            // It was never reached, and there is a reason.
            (None, Some(cause)) => Some(cause.text.clone()),
            _ => None,
        }
    }

    /// The same for whoever runs the hub, with the brokers.
    pub(crate) fn trouble_here(&self) -> Option<String> {
        self.trouble().map(|trouble| format!("{trouble} (brokers: {})", self.brokers))
    }

    /// Something worked.
    pub(crate) fn works(&self) {
        let mut state = self.state();
        if state.is_up != Some(true) {
            tracing::info!("Kafka is reachable");
        }
        *state = State { cause: None, is_up: Some(true) };
    }

    /// A probe failed.
    pub(crate) fn fails(&self) {
        let mut state = self.state();
        if state.is_up != Some(false) {
            let cause = state.cause.as_ref().map_or_else(unreachable, |cause| cause.text.clone());
            tracing::error!(brokers = self.brokers, %cause, "Kafka does not work; its streams answer as unavailable until it does");
        }
        state.is_up = Some(false);
    }

    /// librdkafka reports an error: of a connection, or of the cluster.
    pub(crate) fn report(&self, error: &KafkaError, reason: &str) {
        let Some(kind) = kind(error) else {
            return tracing::debug!(%error, reason, "librdkafka reported an error");
        };
        let text = match kind {
            Kind::Authentication => format!(
                "Kafka refused the password of user {}: check username, mechanism and password_file of [kafka] in hub.toml",
                self.username
            ),
            Kind::Tls => {
                "the TLS connection to Kafka failed: check ca, certificate and key of [kafka] in hub.toml, and the \
                          broker's certificate (the hub's log has the details)"
                    .into()
            }
            Kind::Unreachable => unreachable(),
        };
        let mut state = self.state();
        if state.cause.as_ref().is_none_or(|cause| cause.kind <= kind) {
            if state.cause.as_ref().is_none_or(|cause| cause.kind != kind) {
                tracing::warn!(reason, "{text}");
            }
            state.cause = Some(Cause { kind, text });
        }
        drop(state);
        self.suspect.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unreachable() -> String {
    "Kafka cannot be reached: check that it runs, and brokers of [kafka] in hub.toml; the hub tries again by itself"
        .into()
}

fn kind(error: &KafkaError) -> Option<Kind> {
    match error.rdkafka_error_code()? {
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => Some(Kind::Authentication),
        RDKafkaErrorCode::SSL => Some(Kind::Tls),
        RDKafkaErrorCode::BrokerTransportFailure
        | RDKafkaErrorCode::AllBrokersDown
        | RDKafkaErrorCode::Resolve
        | RDKafkaErrorCode::OperationTimedOut => Some(Kind::Unreachable),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        let text = "brokers = 'b:1'\nmechanism = 'PLAIN'\nusername = 'hub'\npassword_env = 'P'";
        Health::new(&toml::from_str(text).unwrap())
    }

    fn global(code: RDKafkaErrorCode) -> KafkaError {
        KafkaError::Global(code)
    }

    #[test]
    fn the_cause_stays_until_it_works_and_a_vaguer_one_does_not_replace_it() {
        let health = health();
        assert_eq!(health.trouble(), None);
        health.report(&global(RDKafkaErrorCode::BrokerTransportFailure), "refused");
        health.report(&global(RDKafkaErrorCode::Authentication), "SASL failed");
        health.report(&global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        health.fails();
        let trouble = health.trouble().unwrap();
        assert!(trouble.contains("user hub") && trouble.contains("password_file"), "{trouble}");
        health.works();
        assert_eq!(health.trouble(), None);
        health.fails();
        assert!(health.trouble().unwrap().contains("cannot be reached"));
    }
}
