//! What becomes of the records of one append: librdkafka reports each, and the append is done with the last.

use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::DeliveryResult;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// The records of one append on their way. The producer's thread reports to it.
#[derive(Debug)]
pub(crate) struct BatchDelivery {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    missing: usize,
    last: u64,
    error: Option<KafkaError>,
    done: Option<oneshot::Sender<Result<u64, KafkaError>>>,
}

impl BatchDelivery {
    /// Of so many records; the receiver gets the largest offset, or an error if there was one.
    pub(crate) fn of(records: usize) -> (Self, oneshot::Receiver<Result<u64, KafkaError>>) {
        let (done, result) = oneshot::channel();
        (Self { state: Mutex::new(State { missing: records, last: 0, error: None, done: Some(done) }) }, result)
    }

    pub(crate) fn delivered(&self, result: &DeliveryResult<'_>) {
        match result {
            Ok(message) => self.count(1, Ok(u64::try_from(message.offset()).unwrap_or_default())),
            Err((error, _)) => self.count(1, Err(error.clone())),
        }
    }

    /// So many records were not even taken.
    pub(crate) fn refused(&self, records: usize, error: KafkaError) {
        self.count(records, Err(error));
    }

    fn count(&self, records: usize, result: Result<u64, KafkaError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.missing = state.missing.saturating_sub(records);
        match result {
            Ok(offset) => state.last = state.last.max(offset),
            Err(error) => {
                state.error.get_or_insert(error);
            }
        }
        if state.missing == 0
            && let Some(done) = state.done.take()
        {
            // Nobody waits any more when the hub stops.
            let _ = done.send(state.error.take().map_or(Ok(state.last), Err));
        }
    }
}
